"""python-telegram-bot's Bot behind the port of `api.py`; the twin of `aiogram_binding.py`, and held to the same contract.

Lives here: one HTTP call through its Bot and its exceptions by our codes. Must not live here: any decision. Results stay plain data.
"""

from __future__ import annotations

import asyncio
import logging
import re
import warnings
from datetime import timedelta
from typing import Any, Final

import httpx
from telegram import Bot
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    EndPointNotFound,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)
from telegram.request import HTTPXRequest

from bot.channels.telegram.api import BotApiError, address

CONNECTIONS: Final = 64
CONNECT_SECONDS: Final = 5.0
# What httpx raises before a byte of the call has left.
_NOT_CONNECTED: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_CODES: Final[tuple[tuple[type[TelegramError], int], ...]] = (
    (RetryAfter, 429),
    (Forbidden, 403),
    (Conflict, 409),
    (BadRequest, 400),
    (NetworkError, 502),
)
_CAPITAL: Final = re.compile(r"(?=[A-Z])")

# Their lines hold whole addresses, token included, and what was sent.
for _library in ("httpx", "httpcore", "telegram.Bot", "telegram.ext.ExtBot"):
    logging.getLogger(_library).setLevel(logging.WARNING)


def _endpoint(method: str) -> str:
    """The method's name as words: do_api_request joins them again, and takes nothing amiss that Bot has a method of its own for."""
    return _CAPITAL.sub("_", method)


def _seconds(error: RetryAfter) -> float:
    """How long to wait. Today a number with a warning that it will be a timedelta, which PTB_TIMEDELTA makes it already."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wait = error.retry_after
    return wait.total_seconds() if isinstance(wait, timedelta) else float(wait)


def _said(error: TelegramError) -> BotApiError:
    """The same in our words. Nothing of it is kept: what python-telegram-bot chains may name the whole address, token included."""
    if isinstance(error, EndPointNotFound | InvalidToken) and isinstance(error.__cause__, InvalidToken):
        error = error.__cause__  # as the Bot API said it, before do_api_request made a guess of it
    cause = error.__cause__
    if isinstance(cause, httpx.HTTPError):
        return BotApiError(0, type(cause).__name__, arrived=not isinstance(cause, _NOT_CONNECTED))
    if isinstance(error, TimedOut) or cause is not None:
        return BotApiError(0, type(error).__name__)  # a proxy's page instead of an answer, or a fault of the library's own
    if isinstance(error, RetryAfter):
        return BotApiError(429, error.message, _seconds(error))
    if isinstance(error, InvalidToken):
        return BotApiError(404 if "not found" in error.message.lower() else 401, error.message)
    if isinstance(error, ChatMigrated):
        return BotApiError(400, error.message, moved_to=error.new_chat_id)
    code = next((code for kind, code in _CODES if isinstance(error, kind)), 0)
    return BotApiError(code, error.message if code else type(error).__name__)


class PtbApi:
    """BotApi through python-telegram-bot. `close` hangs up what `to` has opened; the Bot of somebody else is theirs to shut down."""

    def __init__(self, bot: Bot, own: tuple[HTTPXRequest, ...] = ()) -> None:
        self._bot = bot
        self._own = own

    @classmethod
    def to(cls, token: str, api_base: str) -> PtbApi:
        """`api_base` is that of `address`."""
        calls, poll = HTTPXRequest(connection_pool_size=CONNECTIONS), HTTPXRequest(connection_pool_size=1)
        bot = Bot(token, base_url=address(api_base), request=calls, get_updates_request=poll)
        return cls(bot, (calls, poll))

    async def call(self, method: str, params: dict[str, Any], *, within: float | None = None) -> Any:
        try:
            async with asyncio.timeout(within):
                if within is None:
                    return await self._bot.do_api_request(_endpoint(method), params)
                return await self._bot.do_api_request(
                    _endpoint(method), params, read_timeout=within, connect_timeout=min(within, CONNECT_SECONDS)
                )
        except TelegramError as error:
            raise _said(error) from None
        except (OSError, ValueError) as error:  # TimeoutError is an OSError
            raise BotApiError(0, type(error).__name__) from None

    async def close(self) -> None:
        for request in self._own:
            await request.shutdown()
