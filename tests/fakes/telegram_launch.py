"""Launch data of pages inside Telegram, signed as Telegram signs it: with the bot's token, and with a key pair in the place of Telegram's.

Lives here: writing and signing. Source: https://core.telegram.org/bots/webapps; the order of the fields is that of a real client.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

BOT = 4242
TOKEN = f"{BOT}:AAE-an-invented-token-of-the-tests-12345"
USER = 77001
# In the place of Telegram's own; `public_key` is what a test puts where Telegram's public key stands.
_KEY = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"a key of the tests").digest())
PUBLIC_KEY = _KEY.public_key().public_bytes_raw().hex()


def fields(user: int = USER, *, at: float | None = None, **more: str) -> dict[str, str]:
    """What a private chat's button gives."""
    person = {"id": user, "first_name": "Sri + - ? /", "last_name": "", "language_code": "id", "allows_write_to_pm": True}
    return {
        "query_id": secrets.token_hex(12),
        "user": json.dumps(person, separators=(",", ":")),
        "auth_date": str(int(time.time() if at is None else at)),
        **more,
    }


def signed(given: Mapping[str, str], token: str = TOKEN) -> dict[str, str]:
    """With both signatures, as today's clients have them."""
    bot = token.partition(":")[0]
    lines = "\n".join(f"{name}={value}" for name, value in sorted(given.items()))
    signature = base64.urlsafe_b64encode(_KEY.sign(f"{bot}:WebAppData\n{lines}".encode())).decode().rstrip("=")
    return hashed({**given, "signature": signature}, token)


def hashed(given: Mapping[str, str], token: str = TOKEN) -> dict[str, str]:
    """With the hash alone, over whatever is there."""
    lines = "\n".join(f"{name}={value}" for name, value in sorted(given.items()))
    secret = hmac.new(b"WebAppData", token.encode(), hashlib.sha256).digest()
    return {**given, "hash": hmac.new(secret, lines.encode(), hashlib.sha256).hexdigest()}


def written(given: Mapping[str, str]) -> str:
    """As it stands in the address."""
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in given.items())


def launch(user: int = USER, *, at: float | None = None, token: str = TOKEN, **more: str) -> str:
    """Good launch data, as a client hands it to the page."""
    return written(signed(fields(user, at=at, **more), token))
