"""The webhook: verify, take the turn, answer inside the response. The hot path: neither it nor what it imports knows a framework.

Lives here: an ASGI endpoint. Must not live here: what an update means (`codec.py`) or what is done with it (`intake.py`).
"""

from __future__ import annotations

import hmac
from typing import Final

import msgspec
import structlog
from starlette.types import Receive, Scope, Send

from bot.channels.telegram.codec import read_update
from bot.channels.telegram.intake import NOTHING, Intake, where
from bot.turns import StoreUnavailable

logger = structlog.get_logger(__name__)

PATH: Final = "/telegram/webhook"
SECRET_HEADER: Final = b"x-telegram-bot-api-secret-token"
BODY_LIMIT: Final = 1024 * 1024  # bytes; an update is some kilobytes
_JSON: Final = (b"content-type", b"application/json")
_encode = msgspec.json.Encoder().encode


class Webhook:
    """An ASGI application for one route. `secret` is what setWebhook was given; without one it does not start (ValueError)."""

    def __init__(self, intake: Intake, secret: str) -> None:
        if not secret:
            raise ValueError("a webhook needs a secret")
        self._intake = intake
        self._secret = secret.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._genuine(scope["headers"]):
            await _respond(send, 401)
            return
        body = await _read(receive)
        if body is None:
            await _respond(send, 413)
            return
        update = read_update(body, self._intake.username)
        try:
            done = await self._intake.take(update, answering=True) if update is not None else NOTHING
        except StoreUnavailable:
            await _respond(send, 503, (b"retry-after", b"1"))
            return
        except Exception as error:  # noqa: BLE001 - nothing was committed, so Telegram's own retries are the right queue for it
            logger.error("telegram.turn_failed", error=type(error).__name__, where=where(error))
            await _respond(send, 500)
            return
        if done.call is None:
            await _respond(send, 200)
        else:
            await _respond(send, 200, _JSON, body=_encode({"method": done.call.method, **done.call.params}))
            if update is not None:
                self._intake.answered(update)
        if done.left is not None:
            self._intake.deliver(done.left)

    def _genuine(self, headers: list[tuple[bytes, bytes]]) -> bool:
        given = [value for name, value in headers if name == SECRET_HEADER]
        return len(given) == 1 and hmac.compare_digest(given[0], self._secret)


async def _read(receive: Receive) -> bytes | None:
    """The whole body; None where it is too long or its sender has gone."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        chunk: bytes = message.get("body", b"")
        body += chunk
        if len(body) > BODY_LIMIT:
            return None
        if not message.get("more_body", False):
            return body


async def _respond(send: Send, status: int, *headers: tuple[bytes, bytes], body: bytes = b"") -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
