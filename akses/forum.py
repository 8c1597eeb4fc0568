"""The helpdesk's Telegram group, wired: the bot's calls and its limiter behind what the bridge needs.

Lives here: the translation between the two, and construction. Must not live here: what the bridge does (`helpdesk/bridges/forum/`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot.channels.telegram.api import BotApiError
from bot.channels.telegram.running import Telegram
from helpdesk.bridges.carrier import Carrier
from helpdesk.bridges.forum.bridge import Forum
from helpdesk.bridges.forum.group import Group, Refused
from helpdesk.bridges.forum.hearing import Hearing
from helpdesk.service import Helpdesk

log = structlog.get_logger(__name__)

_CALL_SECONDS: Final = 10.0
# How often a process looks whether another one has followed the group.
_LOOK_SECONDS: Final = 60.0


class BotCalls:
    """The bot's calls as the bridge has them."""

    def __init__(self, telegram: Telegram) -> None:
        self._telegram = telegram

    async def call(self, method: str, params: dict[str, Any]) -> Any:
        try:
            return await self._telegram.call(method, params, within=_CALL_SECONDS)
        except BotApiError as error:
            raise Refused(error.code, error.description, error.retry_after, error.moved_to) from None


@dataclass(frozen=True, slots=True)
class DeskGroup:
    """`carrier.run` and `watch` are to be run beside, `hearing.heard` is told of the group's updates."""

    group: Group
    carrier: Carrier
    hearing: Hearing

    async def watch(self) -> None:
        """Follow the group also where another process did."""
        while True:
            try:
                await self.group.find()
            except (SQLAlchemyError, OSError) as error:
                log.warning("forum.not_looked", error=type(error).__name__)
            await asyncio.sleep(_LOOK_SECONDS)


def desk_group(desk: Helpdesk, telegram: Telegram, setting: int, failed: Callable[[str, str], None]) -> DeskGroup:
    """The group of this id; `failed` is told of every failure, by bridge and code."""
    book = desk.book(Forum.name)
    group = Group(BotCalls(telegram), setting, book, telegram.limiter, telegram.moved)
    forum = Forum(group)
    hearing = Hearing(group, forum, desk.deeds(book), book, desk.views(Forum.name))
    return DeskGroup(group, desk.carrier(forum, book, failed), hearing)
