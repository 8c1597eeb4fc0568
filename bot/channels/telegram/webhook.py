"""The webhook: verify, take the turn, answer inside the response. The hot path: neither it nor what it imports knows a framework.

Lives here: what one delivery of an update is answered with. Must not live here: HTTP itself (`bot/plain_http.py`), what an update means
(`codec.py`) or what is done with it (`intake.py`).
"""

from __future__ import annotations

import hmac
from typing import Final

import msgspec
import structlog

from bot.channels.telegram.codec import read_update
from bot.channels.telegram.intake import Intake
from bot.plain_http import Answer, Headers
from bot.turns import StoreUnavailable
from bot.where import where

logger = structlog.get_logger(__name__)

PATH: Final = "/telegram/webhook"
SECRET_HEADER: Final = b"x-telegram-bot-api-secret-token"
_JSON: Final = ((b"content-type", b"application/json"),)
_NOTHING: Final = Answer()
_encode = msgspec.json.Encoder().encode


class Webhook:
    """`secret` is what setWebhook was given; without one it does not start (ValueError)."""

    limit: int = 1024 * 1024  # bytes; an update is some kilobytes

    def __init__(self, intake: Intake, secret: str) -> None:
        if not secret:
            raise ValueError("a webhook needs a secret")
        self._intake = intake
        self._secret = secret.encode()

    async def answer(self, headers: Headers, body: bytes) -> Answer:
        if not self._genuine(headers):
            return Answer(401)
        update = read_update(body, self._intake.username, self._intake.desk)
        if update is None:
            return _NOTHING
        try:
            done = await self._intake.take(update, answering=True)
        except StoreUnavailable:
            return Answer(503, headers=((b"retry-after", b"1"),))
        except Exception as error:  # noqa: BLE001 - nothing was committed, so Telegram's own retries are the right queue for it
            logger.error("telegram.turn_failed", error=type(error).__name__, where=where(error))
            return Answer(500)
        call, left = done.call, done.left
        if call is None and left is None:
            return _NOTHING

        def after(written: bool) -> None:  # noqa: FBT001 (`Answer.after`)
            if written and call is not None:
                self._intake.answered(update)
            if left is not None:
                self._intake.deliver(left)

        return Answer(200, _encode({"method": call.method, **call.params}) if call else b"", _JSON if call else (), after)

    def _genuine(self, headers: Headers) -> bool:
        given = [value for name, value in headers if name == SECRET_HEADER]
        return len(given) == 1 and hmac.compare_digest(given[0], self._secret)
