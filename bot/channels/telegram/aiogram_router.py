"""The dialog as a Router of an aiogram bot that exists.

Lives here: how aiogram hands over its updates, and how it is kept from confirming one before its turn is committed. Must not live here:
which updates are ours (`guest.py`).

The Router starts and stops with its dispatcher, and puts a door in front of the dispatcher's middlewares. There, because a dispatcher's own
handlers come before those of any router, a catch-all among them; and because its FSM middleware may wait for a storage, so that behind it
updates have lost their order. `start_polling` with handle_as_tasks confirms an update as soon as it has begun to handle it: its next
getUpdates waits here until what the last one brought is the host's or committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiogram import BaseMiddleware, Bot, Dispatcher, Router
from aiogram.client.session.middlewares.base import BaseRequestMiddleware, NextRequestMiddlewareType
from aiogram.methods import GetUpdates, TelegramMethod
from aiogram.methods.base import Response, TelegramType
from aiogram.types import TelegramObject, Update

from bot.channels.telegram.guest import Guest, Ticket

Lifetime = Callable[[], Awaitable[None]]


def raw(update: Update) -> dict[str, Any]:
    """The update as Telegram sent it, with the fields that this aiogram does not know."""
    return update.model_dump(mode="json", by_alias=True, exclude_unset=True, warnings=False, fallback=lambda _: None)


class _Door(BaseMiddleware):
    """Takes out what is ours, in the order of its arrival."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self.inside: set[Ticket] = set()

    async def __call__(
        self, handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]], event: TelegramObject, data: dict[str, Any]
    ) -> Any:
        ticket = self._guest.arrives(raw(event)) if isinstance(event, Update) and data["bot"].id == self._guest.bot_id else None
        if ticket is not None:
            self.inside.add(ticket)
            try:
                if await self._guest.handled(ticket):
                    return None
            finally:
                self.inside.discard(ticket)
        return await handler(event, data)


class _Confirming(BaseRequestMiddleware):
    """Holds back getUpdates, which confirms all before it, while something of before is undecided."""

    def __init__(self, guest: Guest, door: _Door) -> None:
        self._guest = guest
        self._door = door

    async def __call__(
        self, make_request: NextRequestMiddlewareType[TelegramType], bot: Bot, method: TelegramMethod[TelegramType]
    ) -> Response[TelegramType]:
        if isinstance(method, GetUpdates) and bot.id == self._guest.bot_id:
            await asyncio.sleep(0)  # the tasks that handle the last updates begin: each is inside with its first step
            await self._guest.settled(self._door.inside)
        return await make_request(bot, method)


async def _nobody(_: TelegramObject) -> bool:
    return False


def router(guest: Guest, bot: Bot, start: Lifetime, stop: Lifetime) -> Router:
    """The Router to include. `start` and `stop` are called with the dispatcher's own."""
    made = Router(name="akses")
    door = _Door(guest)
    confirming = _Confirming(guest, door)

    async def started() -> None:
        *_, dispatcher = made.chain_head
        if isinstance(dispatcher, Dispatcher) and door not in dispatcher.update.outer_middleware:
            outer = dispatcher.update.outer_middleware
            behind = [door, *outer]
            for each in behind[1:]:
                outer.unregister(each)
            for each in behind:
                outer.register(each)
        if confirming not in bot.session.middleware:
            bot.session.middleware(confirming)
        await start()

    # aiogram asks Telegram only for kinds of updates that have a handler somewhere.
    for observer in (made.message, made.edited_message, made.callback_query, made.my_chat_member):
        observer.register(_nobody, _nobody)
    made.startup.register(started)
    made.shutdown.register(stop)
    return made
