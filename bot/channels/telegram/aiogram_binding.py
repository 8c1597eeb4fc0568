"""aiogram's Bot behind the port of `api.py`. Importing this costs seconds: only `running.py` does, and only when Telegram is on.

Lives here: one HTTP call through aiogram and its exceptions by our codes. Must not live here: any decision. Results stay plain
data, because building aiogram's pydantic models of updates and messages is what makes its calls slow.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    AiogramError,
    ClientDecodeError,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramConflictError,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.methods import Response, TelegramMethod
from aiohttp import ClientConnectorError, ConnectionTimeoutError

from bot.channels.telegram.api import BotApiError, address

# Held for good: aiogram names this class anew for every answer, and pydantic forgets it each time unless somebody keeps it.
_ANY_RESPONSE = Response[Any]

_CODES: tuple[tuple[type[AiogramError], int], ...] = (
    (TelegramRetryAfter, 429),
    (TelegramBadRequest, 400),
    (TelegramUnauthorizedError, 401),
    (TelegramForbiddenError, 403),
    (TelegramNotFound, 404),
    (TelegramConflictError, 409),
    (TelegramServerError, 502),
    (TelegramNetworkError, 0),
    (ClientDecodeError, 0),  # a proxy's page instead of an answer
)
# What aiohttp raises before a byte of the call has left.
_NOT_CONNECTED = (ClientConnectorError, ConnectionTimeoutError)


@lru_cache(maxsize=64)
def _method(name: str) -> type[TelegramMethod[Any]]:
    """A method class that takes any parameter and returns plain data."""
    return type(
        name,
        (TelegramMethod,),
        {"__module__": __name__, "__returning__": Any, "__api_method__": name},
    )


class AiogramApi:
    """BotApi through aiogram. `close` hangs up what `to` has opened; the Bot of somebody else is theirs to close."""

    def __init__(self, bot: Bot, *, own: bool = False) -> None:
        self._bot = bot
        self._own = own

    @classmethod
    def to(cls, token: str, api_base: str) -> AiogramApi:
        """`api_base` is that of `address`."""
        base = address(api_base)
        server = TelegramAPIServer(
            base=f"{base}/{{method}}", file=f"{base.replace('/bot{token}', '/file/bot{token}')}/{{path}}"
        )
        return cls(Bot(token, AiohttpSession(api=server)), own=True)

    async def call(self, method: str, params: dict[str, Any], *, within: float | None = None) -> Any:
        try:
            return await self._bot(
                _method(method)(**params),
                request_timeout=None if within is None else round(within),
            )
        except AiogramError as error:
            code = next((code for kind, code in _CODES if isinstance(error, kind)), 400)
            said = error.message if isinstance(error, TelegramAPIError) else type(error).__name__
            retry_after = error.retry_after if isinstance(error, TelegramRetryAfter) else 0
            # Not `from error`: what aiogram chains may name the whole address, token included.
            arrived = not isinstance(error.__cause__, _NOT_CONNECTED)
            moved_to = error.migrate_to_chat_id if isinstance(error, TelegramMigrateToChat) else 0
            raise BotApiError(code, said, retry_after, arrived=arrived, moved_to=moved_to) from None
        except (OSError, ValueError) as error:
            raise BotApiError(0, type(error).__name__) from None

    async def close(self) -> None:
        if self._own:
            await self._bot.session.close()
