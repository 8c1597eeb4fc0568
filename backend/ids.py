"""Identifiers, the activation token and its code: random, unguessable, and of token and code only hashes are kept."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from typing import Final

# The prefix lets secret scanners recognise a leaked token.
TOKEN_PREFIX: Final = "akt_"  # noqa: S105 - not a secret


# Crockford's 32: no I, L, O, U. What somebody reads as one of the first three is what it looks like.
_CODE_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CODE_LENGTH: Final = 8
_READ_AS: Final = str.maketrans("OIL", "011")


def new_id() -> str:
    """122 random bits as 32 hexadecimal digits."""
    return uuid.uuid4().hex


def new_token(prefix: str = TOKEN_PREFIX) -> str:
    """256 random bits, URL-safe. With its prefix and path an activation link stays short enough not to be wrapped in a text mail."""
    return prefix + secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """What is stored instead of a token. A plain hash is enough for 256 random bits (ASVS 6.5.2, 11.5.1)."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def code_of(random: bytes) -> str:
    """The last 40 of these random bits as somebody can read and type them."""
    number = int.from_bytes(random[-5:])
    return "".join(_CODE_LETTERS[number >> 5 * place & 31] for place in range(_CODE_LENGTH))


def written_code(code: str) -> str:
    """As it stands in the mail: "7KQ4-M2XW"."""
    return f"{code[:4]}-{code[4:]}"


def typed_code(typed: str) -> str:
    """The code as it was meant: small letters, spaces, hyphens and the letters that are none of its own make no difference."""
    return "".join(filter(str.isalnum, typed.upper())).translate(_READ_AS)


def activation_link(public_url: str, token: str) -> str:
    return f"{public_url}/aktivasi/{token}"


def password_link(public_url: str, token: str) -> str:
    return f"{public_url}/masuk/sandi/{token}"
