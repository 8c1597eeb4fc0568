"""The launch data that Telegram gives a page of ours that it opens: checked here, and nothing of it believed before.

Lives here: reading it, and the two ways to see that Telegram signed it for our bot. Must not live here: what its bearer may do
(`visits.py`). Facts: https://core.telegram.org/bots/webapps#validating-data-received-via-the-mini-app. The HMAC covers every field but
`hash`, the Ed25519 signature every field but `hash` and `signature`; that the HMAC covers `signature` is seen in data of real clients.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from urllib.parse import parse_qsl

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MAX_AGE: Final = timedelta(minutes=5)
# How far Telegram's clock may be ahead of ours.
MAX_AHEAD: Final = timedelta(seconds=30)
Environment = Literal["production", "test"]
_PUBLIC_KEYS: Final[dict[Environment, str]] = {
    "production": "e7bf03a2fa4602af4580703d88dda5bb59f32ed8b02a56c187fe7d34caed242d",
    "test": "40055058a4ee38156a06562e52eece92a771bcd8346a8c4615cb7376eddf72ec",
}
_MAX_FIELDS: Final = 32
_NAME: Final = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True, slots=True)
class Bot:
    """Whose pages these are. With the bot's `token` data is checked by that, without it by Telegram's public key of this environment."""

    id: int
    token: str = field(default="", repr=False)
    environment: Environment = "production"


@dataclass(frozen=True, slots=True)
class Launch:
    """Somebody opened the page. `fingerprint` is equal for equal data, however its signatures are written."""

    user: int
    at: datetime
    fingerprint: bytes


class NotFromTelegram(Exception):
    """The data is not Telegram's, not for this bot, or not of this moment; the text says which, for the log alone."""


def read(written: str, bot: Bot, now: datetime) -> Launch:
    """Who opened the page, when it is sure. Raises NotFromTelegram."""
    fields = _fields(written)
    given, signature = fields.pop("hash", ""), fields.get("signature", "")
    if bot.token:
        secret = hmac.digest(b"WebAppData", bot.token.encode(), "sha256")
        expected = hmac.digest(secret, _lines(fields).encode(), "sha256").hex()
        if not hmac.compare_digest(expected.encode(), given.encode()):
            raise NotFromTelegram("hash")
    fields.pop("signature", "")
    message = f"{bot.id}:WebAppData\n{_lines(fields)}".encode()
    if not bot.token and not _signed(message, signature, bot.environment):
        raise NotFromTelegram("signature")
    at = _moment(fields.get("auth_date", ""))
    if not now - MAX_AGE <= at <= now + MAX_AHEAD:
        raise NotFromTelegram("auth_date")
    return Launch(_user(fields.get("user", "")), at, hashlib.sha256(message).digest())


def _fields(written: str) -> dict[str, str]:
    """Blank values count like others. A name that comes twice, or a line break, would let two sets of fields have one text to sign."""
    try:
        pairs = parse_qsl(written, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise NotFromTelegram("unreadable") from None
    fields = dict(pairs)
    if len(fields) != len(pairs) or not all(_NAME.fullmatch(name) and "\n" not in value for name, value in pairs):
        raise NotFromTelegram("fields")
    return fields


def _lines(fields: dict[str, str]) -> str:
    return "\n".join(f"{name}={value}" for name, value in sorted(fields.items()))


def _signed(message: bytes, signature: str, environment: Environment) -> bool:
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(_PUBLIC_KEYS[environment]))
    try:
        # It comes without its padding.
        key.verify(base64.b64decode(signature + "==", altchars=b"-_", validate=True), message)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _moment(written: str) -> datetime:
    if not re.fullmatch(r"[0-9]{1,11}", written):
        raise NotFromTelegram("auth_date")
    return datetime.fromtimestamp(int(written), UTC)


def _user(written: str) -> int:
    try:
        user = json.loads(written)["id"]
    except (ValueError, LookupError, TypeError):
        raise NotFromTelegram("user") from None
    if type(user) is not int or user <= 0:
        raise NotFromTelegram("user")
    return user
