"""Long polling: ask, commit every turn, and only then ask for what comes after. One chat strictly in order, chats side by side.

Lives here: the loop on getUpdates. Must not live here: what is done with an update (`intake.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import msgspec
import structlog

from bot.channels.telegram.api import BotApi, BotApiError
from bot.channels.telegram.codec import ALLOWED_UPDATES, Update, read_update
from bot.channels.telegram.intake import Intake, pause

logger = structlog.get_logger(__name__)

LONG_POLL: Final = 50  # seconds; Telegram's own limit
CHATS_AT_ONCE: Final = 32


class Polling:
    """`run` goes on until it is cancelled; what was not yet confirmed comes again at the next start and is known by its id."""

    def __init__(self, api: BotApi, intake: Intake) -> None:
        self._api = api
        self._intake = intake

    async def run(self) -> None:
        """Raises BotApiError only where the token is refused: there is nothing to wait for."""
        params: dict[str, Any] = {
            "timeout": LONG_POLL,
            "allowed_updates": list(ALLOWED_UPDATES),
        }
        failures = 0
        while True:
            try:
                batch = await self._api.call("getUpdates", params, within=LONG_POLL + 10)
            except BotApiError as error:
                if error.code in (401, 404):
                    raise
                failures += 1
                event = "telegram.another_poller" if error.code == 409 else "telegram.polling_failed"
                logger.warning(event, code=error.code, failures=failures)
                await asyncio.sleep(max(error.retry_after, pause(failures)))
                continue
            failures = 0
            if batch:
                await self._commit(batch)
                params["offset"] = max(update["update_id"] for update in batch) + 1

    async def _commit(self, batch: list[dict[str, Any]]) -> None:
        """Every update of the batch is committed, or given up with an error in the log, when this returns."""
        chats: dict[int, list[Update]] = {}
        for written in batch:
            if (update := read_update(msgspec.json.encode(written), self._intake.username, self._intake.desk)) is not None:
                chats.setdefault(update.chat, []).append(update)
        places = asyncio.Semaphore(CHATS_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for updates in chats.values():
                group.create_task(self._in_order(updates, places))

    async def _in_order(self, updates: Iterable[Update], places: asyncio.Semaphore) -> None:
        async with places:
            for update in updates:
                await self._intake.insist(update)
