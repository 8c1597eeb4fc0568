"""Identifiers and one-time tokens: random, unguessable, and of a token only its hash is kept."""

from __future__ import annotations

import hashlib
import secrets
import uuid


def new_id() -> str:
    """122 random bits as 32 hexadecimal digits."""
    return uuid.uuid4().hex


def new_token() -> str:
    """256 random bits, URL-safe; the prefix lets secret scanners recognise a leaked one."""
    return f"akh_{secrets.token_urlsafe(32)}"


def token_hash(token: str) -> bytes:
    """What is stored instead of a token. A plain hash is enough for 256 random bits (ASVS 6.5.2, 11.5.1)."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
