"""Identifiers and the activation token: random, unguessable, and for the token only its hash is kept."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from typing import Final

# The prefix lets secret scanners recognise a leaked token.
TOKEN_PREFIX: Final = "akt_"  # noqa: S105 - not a secret


def new_id() -> str:
    """122 random bits as 32 hexadecimal digits."""
    return uuid.uuid4().hex


def new_token(prefix: str = TOKEN_PREFIX) -> str:
    """256 random bits, URL-safe. With its prefix and path an activation link stays short enough not to be wrapped in a text mail."""
    return prefix + secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """What is stored instead of a token. A plain hash is enough for 256 random bits (ASVS 6.5.2, 11.5.1)."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def activation_link(public_url: str, token: str) -> str:
    return f"{public_url}/aktivasi/{token}"


def password_link(public_url: str, token: str) -> str:
    return f"{public_url}/masuk/sandi/{token}"
