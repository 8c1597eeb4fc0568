"""The webhook: verify, take every turn, then 200. Neither it nor what it imports knows a framework.

Lives here: what one delivery is answered with, and Meta's question whether it is us. Must not live here: HTTP itself (`bot/plain_http.py`),
what a delivery means (`codec.py`) or what is done with it (`intake.py`).

What is not answered by 200 comes again, for up to seven days. So 200 is said only when everything is committed; and to what can never be
read, too.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from bot.channels.whatsapp.codec import Status, read_webhook
from bot.channels.whatsapp.intake import Intake
from bot.channels.whatsapp.people import People
from bot.plain_http import Answer, Headers
from bot.turns import StoreUnavailable

logger = structlog.get_logger(__name__)

PATH: Final = "/whatsapp/webhook"
SIGNATURE_HEADER: Final = b"x-hub-signature-256"
_NOTHING: Final = Answer()
_LONGEST_CHALLENGE: Final = 256


class Webhook:
    """`secrets` are the app's; any of them verifies, so that they can be rotated. Without one it does not start (ValueError)."""

    limit: int = 3 * 1024 * 1024  # bytes, what Meta may send

    def __init__(self, intake: Intake, people: People, phone_id: str, secrets: Sequence[str]) -> None:
        if not secrets or not all(secrets):
            raise ValueError("a webhook needs a secret")
        self._intake = intake
        self._people = people
        self._phone_id = phone_id
        self._secrets = [secret.encode() for secret in secrets]

    async def answer(self, headers: Headers, body: bytes) -> Answer:
        if not self._genuine(headers, body):
            logger.warning("whatsapp.refused", size=len(body))
            return Answer(401)
        batch = read_webhook(body, self._phone_id, self._people.message)
        if batch.unread:
            beside = [item.id for item in batch.items if not isinstance(item, Status)]
            logger.warning("whatsapp.unreadable", things=batch.unread, size=len(body), beside=beside)
        try:
            await self._intake.take(batch)
        except StoreUnavailable:
            return Answer(503, headers=((b"retry-after", b"1"),))
        except Exception:  # noqa: BLE001 - it is in the log; what was not committed comes again
            return Answer(500)
        return _NOTHING

    def _genuine(self, headers: Headers, body: bytes) -> bool:
        """Whether the app's secret signed these very bytes: Meta signs what it writes, escapes and all, and not what they mean."""
        given = [value for name, value in headers if name == SIGNATURE_HEADER]
        if len(given) != 1:
            return False
        signed = [b"sha256=" + hmac.digest(secret, body, "sha256").hex().encode() for secret in self._secrets]
        return any(hmac.compare_digest(given[0], each) for each in signed)


def challenge(query: Mapping[str, str], verify_token: str) -> str | None:
    """What to say to Meta when it asks whether this address is ours; None where whoever asks does not know the token."""
    asked, given = query.get("hub.mode") == "subscribe", query.get("hub.verify_token", "")
    said = query.get("hub.challenge", "")
    if not hmac.compare_digest(given.encode(), verify_token.encode()) or not asked or not 0 < len(said) <= _LONGEST_CHALLENGE:
        return None
    return said
