"""The group: calls to it, within its rate, wherever it has moved to; and what an error of the Bot API means for the bridge.

Lives here: one call, and the group's id. Must not live here: what is called and why. The Bot API itself is handed in by the composition
root, for no library of a channel is known here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

import structlog

from helpdesk.bridges.book import Book
from helpdesk.bridges.port import BridgeAway, NotTaken, PlaceBusy, PlaceGone

log = structlog.get_logger(__name__)

# After a refusal that only a person can lift: the bot is no administrator, was removed, its token is revoked.
_REFUSED_SECONDS: Final = 60.0
_GONE: Final = ("message thread not found", "topic_id_invalid", "topic_deleted", "topic deleted")
_ALREADY: Final = ("message is not modified", "topic_not_modified")
_NOT_THERE: Final = ("message to edit not found", "message can't be edited")
_NO_RIGHTS: Final = ("not enough rights", "chat_admin_required", "chat not found", "need administrator rights", "not a forum")


class Refused(Exception):
    """The Bot API said no, or nothing: its error code (0 where no answer came) and words, which hold nothing of what was sent."""

    def __init__(self, code: int, description: str, retry_after: float = 0.0, moved_to: int = 0) -> None:
        super().__init__(f"{code} {description}")
        self.code = code
        self.description = description
        self.retry_after = retry_after
        self.moved_to = moved_to

    def _says(self, words: tuple[str, ...]) -> bool:
        said = self.description.lower()
        return self.code == 400 and any(each in said for each in words)

    @property
    def already(self) -> bool:
        """It is as it should be."""
        return self._says(_ALREADY)

    @property
    def not_there(self) -> bool:
        """The message that was to be changed is gone, or too old for it."""
        return self._says(_NOT_THERE)

    @property
    def closed(self) -> bool:
        """The topic takes nothing while it is closed."""
        return self._says(("topic_closed", "topic closed"))

    def meaning(self) -> Exception:
        """The same as the bridge's promise has it."""
        if self._says(_GONE):
            return PlaceGone()
        if self.code == 429:
            return BridgeAway(max(self.retry_after, 1.0), "429")
        if self.code in (401, 403, 404) or self._says(_NO_RIGHTS):
            return BridgeAway(_REFUSED_SECONDS, f"{self.code}")
        if self.code == 400:
            return NotTaken("400")
        return BridgeAway(0.0, f"{self.code}")


class Calls(Protocol):
    """What is needed of the bot."""

    async def call(self, method: str, params: dict[str, Any]) -> Any:
        """Call one method and give its result as plain data. Raises Refused and nothing else."""


class Room(Protocol):
    """What is needed of the bot's limiter (`bot/limits.py`)."""

    async def place(self, chat: str, *, urgent: bool) -> float:
        """0 when a message may go now, else the seconds after which to come again."""

    async def flooded(self, chat: str, seconds: float) -> bool: ...


class Group:
    """`setting` is the group's id as the operator wrote it; `moved` is told where it has moved to, at once and at the start."""

    def __init__(self, calls: Calls, setting: int, book: Book, room: Room, moved: Callable[[int], None]) -> None:
        self.id = setting
        self.setting = setting
        self._calls = calls
        self._book = book
        self._room = room
        self._moved = moved

    async def find(self) -> None:
        """Look where the group is by now: another process may have followed it."""
        before, _, now = (await self._book.moved()).partition(" ")
        if now and before == str(self.setting) and int(now) != self.id:
            self.id = int(now)
            self._moved(self.id)

    async def follow(self, to: int) -> None:
        """The group has become another one, and stays it."""
        if to == self.id:
            return
        self.id = to
        self._moved(to)
        log.warning("forum.moved", group=to)
        await self._book.move(f"{self.setting} {to}")

    async def send(self, method: str, params: dict[str, Any], *, urgent: bool = False) -> Any:
        """A call that puts a message into the group, for which there must be room. Raises Refused, PlaceBusy."""
        if wait := await self._room.place(str(self.id), urgent=urgent):
            raise PlaceBusy(wait)
        return await self.call(method, params)

    async def edit(self, method: str, params: dict[str, Any]) -> None:
        """A call that changes what stands there. Whether it was so already does not matter. Raises Refused, PlaceBusy."""
        # Apart from the group's messages, and no faster than into one chat.
        if wait := await self._room.place(f"edits {self.id}", urgent=False):
            raise PlaceBusy(wait)
        try:
            await self.call(method, params)
        except Refused as refused:
            if not refused.already:
                raise

    async def call(self, method: str, params: dict[str, Any]) -> Any:
        """Any call. Raises Refused."""
        try:
            return await self._calls.call(method, {"chat_id": self.id, **params})
        except Refused as refused:
            if refused.code == 429:
                await self._room.flooded(str(self.id), max(refused.retry_after, 1.0))
            if not refused.moved_to:
                raise
            await self.follow(refused.moved_to)
        return await self._calls.call(method, {"chat_id": self.id, **params})

    async def answer(self, params: dict[str, Any]) -> None:
        """answerCallbackQuery, which knows no chat. Raises Refused."""
        await self._calls.call("answerCallbackQuery", params)

    async def icons(self) -> list[dict[str, Any]]:
        """The stickers that may be a topic's icon. Raises Refused."""
        found: list[dict[str, Any]] = await self._calls.call("getForumTopicIconStickers", {})
        return found
