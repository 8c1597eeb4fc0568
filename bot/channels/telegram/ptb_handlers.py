"""The dialog as handlers of a python-telegram-bot Application that exists.

Lives here: how python-telegram-bot hands over its updates, and how it is kept from confirming one before its turn is committed. Must not
live here: which updates are ours (`guest.py`).

Its Updater confirms an update, by polling and by webhook, when the queue between it and the Application has taken it, and what is in the
queue dies with the process. So that queue is replaced by a door: what is ours never gets into the queue, and counts as taken when its turn
is committed. So it waits for none of the Application's handlers either, one at a time or several (`concurrent_updates`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import structlog
from telegram import Update
from telegram.ext import Application, ApplicationHandlerStop, BaseHandler

from bot.channels.telegram.guest import Guest, Ticket
from bot.where import where

logger = structlog.get_logger(__name__)

GROUP: Final = -1000  # before any of the bot's own
Lifetime = Callable[[], Awaitable[None]]
Host = Application[Any, Any, Any, Any, Any, Any]


def raw(update: Update) -> dict[str, Any]:
    """The update as Telegram sent it, with the fields that this python-telegram-bot does not know.

    Where the host keeps arbitrary objects as callback data, data of ours is none that its cache knows, and stands in what it says so with.
    """
    written = update.to_dict()
    query = update.callback_query
    if query is not None and query.data is not None and not isinstance(query.data, str):
        written["callback_query"]["data"] = getattr(query.data, "callback_data", "")
    return written


class _Door(asyncio.Queue[object]):
    """The queue of updates, without ours."""

    def __init__(self, guest: Guest) -> None:
        super().__init__()
        self._guest = guest
        self._handling: set[asyncio.Task[None]] = set()
        self._passed: set[int] = set()  # of objects in the queue

    async def put(self, item: object) -> None:
        ticket = self._guest.arrives(raw(item)) if isinstance(item, Update) else None
        if ticket is None:
            await self._pass(item)
            return
        task = asyncio.create_task(self._handle(item, ticket))
        self._handling.add(task)
        task.add_done_callback(self._handling.discard)
        await self._guest.settled((ticket,))

    async def _handle(self, item: object, ticket: Ticket) -> None:
        try:
            if await self._guest.handled(ticket):
                return
        except Exception as error:  # noqa: BLE001 - nobody awaits this task; NotStarted says what to do
            logger.error("telegram.update_not_taken", error=type(error).__name__, where=where(error), reason=str(error))
            return
        await self._pass(item)

    async def _pass(self, item: object) -> None:
        self._passed.add(id(item))
        await super().put(item)

    def passed(self, item: object) -> bool:
        """Whether this object came through here; asked once."""
        known = id(item) in self._passed
        self._passed.discard(id(item))
        return known


class _Ours(BaseHandler[Update, Any, None]):
    """For updates that are handed to `Application.process_update` past the queue."""

    def __init__(self, guest: Guest, door: _Door) -> None:
        super().__init__(self._take, block=True)
        self._guest = guest
        self._door = door

    def check_update(self, update: object) -> Ticket | None:
        if self._door.passed(update) or not isinstance(update, Update):
            return None
        return self._guest.arrives(raw(update))

    async def handle_update(self, update: Update, application: Host, check_result: object, context: Any) -> None:  # noqa: ARG002
        await self._take(check_result)

    async def _take(self, ticket: Any, _: Any = None) -> None:
        if await self._guest.handled(ticket):
            raise ApplicationHandlerStop


def handlers(
    guest: Guest, application: Host, start: Lifetime, stop: Lifetime
) -> dict[int, Sequence[BaseHandler[Any, Any, Any]]]:
    """For `application.add_handlers`. `start` and `stop` are called when run_polling or run_webhook start and stop the application."""
    door = _Door(guest)
    application.update_queue = door
    if application.updater is not None:
        application.updater.update_queue = door
    theirs_before, theirs_after = application.post_init, application.post_stop

    async def before(host: Host) -> None:
        await start()
        if theirs_before is not None:
            await theirs_before(host)

    async def after(host: Host) -> None:
        if theirs_after is not None:
            await theirs_after(host)
        await stop()

    application.post_init, application.post_stop = before, after
    return {GROUP: [_Ours(guest, door)]}
