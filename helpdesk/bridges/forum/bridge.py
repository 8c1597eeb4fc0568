"""Out: a ticket's talk into its topic.

Lives here: the `Bridge` of the group. Must not live here: how things look (`drawing.py`), what people do there (`hearing.py`).

A group takes 20 messages a minute, whoever they are for. So lines that wait go into one message together, and lines that come soon after go
into the message before them by an edit, as long as that is the newest of its topic; a topic is edited no oftener than every three seconds.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from dialogs.texts import Language
from helpdesk.bridges.forum import drawing
from helpdesk.bridges.forum.group import Group, Refused
from helpdesk.bridges.port import (
    BridgeAway,
    Carried,
    Entry,
    Fate,
    Opened,
    Owner,
    Place,
    PlaceBusy,
    Thing,
    TicketView,
)
from helpdesk.texts import text

log = structlog.get_logger(__name__)

NAME: Final = "telegram"
_REMEMBERED: Final = 1000


@dataclass(frozen=True, slots=True)
class Pace:
    """In seconds: between two new topics, between two changes of one message, and for how long lines are added to a message."""

    topics: float = 5.0
    edits: float = 3.0
    gathering: float = 60.0


@dataclass(slots=True)
class _Last:
    """The newest message of ours in a topic; times are seconds of the loop."""

    message: str
    text: str
    begun: float
    touched: float


@dataclass(slots=True)
class _Topic:
    """What is known of a topic's looks; for calls that need not be made again, and nothing depends on it."""

    panel: int = -1
    icon: str = ""
    closed: bool = False


class Forum:
    """`language` is that of what everybody in the group reads."""

    name: Final = NAME

    def __init__(self, group: Group, *, language: Language = "id", pace: Pace = Pace()) -> None:
        self._group = group
        self._language = language
        self._pace = pace
        self._next_topic = float("-inf")
        self._last: OrderedDict[str, _Last] = OrderedDict()
        self._topics: OrderedDict[str, _Topic] = OrderedDict()
        self._parts: dict[str, int] = {}
        self._icons: dict[str, str] | None = None
        self._found = False

    @property
    def where(self) -> str:
        return str(self._group.setting)

    def shut(self, thread: str) -> None:
        """Somebody has closed the topic by hand."""
        self._topic(thread).closed = True

    # --- the port

    async def open(self, ticket: TicketView) -> str:
        await self._find()
        if (wait := self._next_topic - _now()) > 0:
            raise PlaceBusy(wait)
        params = {"name": drawing.topic(self._language, ticket), "icon_color": drawing.COLOURS[ticket.owner]}
        made = await self._sent("createForumTopic", params)
        self._next_topic = _now() + self._pace.topics
        thread = str(made["message_thread_id"])
        self._topic(thread).icon = ticket.owner
        return thread

    async def carry(self, place: Place, ticket: TicketView, things: Sequence[Thing]) -> Carried:
        await self._find()
        thread, thing = place.external, things[0]
        if isinstance(thing, Opened):
            written = drawing.panel(self._language, ticket, again=thing.again)
            keyboard = drawing.buttons(self._language, ticket)
            made = await self._sent("sendMessage", drawing.message(thread, written, keyboard=keyboard))
            self._topic(thread).panel = ticket.version
            # The panel says so itself.
            queued = itertools.takewhile(lambda each: isinstance(each, Owner) and each.what == "queued", things[1:])
            return Carried(1 + len(list(queued)), str(made["message_id"]))
        if isinstance(thing, Fate):
            if thing.fate == "sent":
                return Carried(1)
            failed = text(self._language, "bridge.failed", fate=text(self._language, f"fate.{thing.fate}"))
            await self._sent("sendMessage", drawing.message(thread, failed, answers=thing.message))
            return Carried(1)
        if isinstance(thing, Entry) and thing.answers:
            return await self._written(thread, ticket, thing)
        return await self._gathered(place, ticket, things)

    async def remove(self, place: str, chat: str) -> None:  # noqa: ARG002 - a topic is all there is of a chat
        """Needs the right to delete messages."""
        await self._find()
        try:
            await self._group.edit("deleteForumTopic", {"message_thread_id": int(place)})
        except Refused as refused:
            raise refused.meaning() from None

    # --- lines

    async def _written(self, thread: str, ticket: TicketView, thing: Entry) -> Carried:
        """A line of its own, in answer to the one that it replies to or replaces."""
        params = drawing.message(thread, drawing.parts(drawing.line(self._language, ticket, thing))[0], answers=thing.answers)
        made = await self._sent("sendMessage", params)
        return Carried(1, str(made["message_id"]))

    async def _gathered(self, place: Place, ticket: TicketView, things: Sequence[Thing]) -> Carried:
        """As many lines as go together."""
        lines: list[str] = []
        adds = True
        for thing in things:
            if isinstance(thing, Opened | Fate) or (isinstance(thing, Entry) and thing.answers):
                break
            line = drawing.line(self._language, ticket, thing)
            if lines and len("\n".join([*lines, line])) > drawing.TEXT_MAX:
                break
            adds = adds and isinstance(thing, Entry)
            lines.append(line)
        if not adds:
            await self._as_it_stands(place, ticket)
        elif ticket.owner != "closed" and self._topic(place.external).closed:
            await self._reopened(place.external)
        return await self._said(place, "\n".join(lines), things[0], len(lines), adds=adds)

    async def _said(self, place: Place, block: str, thing: Thing, count: int, *, adds: bool) -> Carried:
        thread, last = place.external, self._last.get(place.external)
        if adds and last is not None and last.message == place.last and _now() - last.begun < self._pace.gathering:
            together = f"{last.text}\n{block}"
            if len(together) <= drawing.TEXT_MAX and await self._added(last, together):
                return Carried(count, last.message)
        pieces = drawing.parts(block)
        made: Any = {"message_id": 0}
        for number in range(self._parts.get(thing.id, 0), len(pieces)):
            made = await self._sent("sendMessage", drawing.message(thread, pieces[number]))
            if number + 1 < len(pieces):
                self._parts[thing.id] = number + 1
        self._parts.pop(thing.id, None)
        self._last[thread] = _Last(str(made["message_id"]), pieces[-1], _now(), _now())
        self._last.move_to_end(thread)
        if len(self._last) > _REMEMBERED:
            self._last.popitem(last=False)
        return Carried(count, str(made["message_id"]))

    async def _added(self, last: _Last, together: str) -> bool:
        """Whether the message holds this now; False where it is not there any more."""
        if (wait := last.touched + self._pace.edits - _now()) > 0:
            raise PlaceBusy(wait)
        params = {"message_id": int(last.message), "text": together, "link_preview_options": {"is_disabled": True}}
        if not await self._edited("editMessageText", params):
            return False
        last.text, last.touched = together, _now()
        return True

    # --- the topic and its panel

    async def _as_it_stands(self, place: Place, ticket: TicketView) -> None:
        """Panel, icon and topic show who has the ticket now. Each step is taken once, and again where one after it must wait."""
        topic = self._topic(place.external)
        if topic.panel != ticket.version and place.first:
            keyboard = drawing.buttons(self._language, ticket)
            written = drawing.panel(self._language, ticket)
            preview = {"is_disabled": True}
            params = {
                "message_id": int(place.first),
                "text": written,
                "reply_markup": keyboard,
                "link_preview_options": preview,
            }
            await self._edited("editMessageText", params)
            topic.panel = ticket.version
        thread = {"message_thread_id": int(place.external)}
        if topic.icon != ticket.owner:
            if icon := (await self._icon(ticket.owner)):
                await self._sent("editForumTopic", {**thread, "icon_custom_emoji_id": icon})
            topic.icon = ticket.owner
        if ticket.owner == "closed" and not topic.closed:
            await self._sent("closeForumTopic", thread)
            topic.closed = True
        elif ticket.owner != "closed" and topic.closed:
            await self._reopened(place.external)

    async def _reopened(self, thread: str) -> None:
        await self._sent("reopenForumTopic", {"message_thread_id": int(thread)}, reopening=False)
        self._topic(thread).closed = False

    async def _icon(self, owner: str) -> str:
        """The custom emoji of this state, "" where Telegram has none for it."""
        if self._icons is None:
            try:
                found = await self._group.icons()
            except Refused as refused:
                log.info("forum.no_icons", code=refused.code)
                return ""
            self._icons = {each.get("emoji", ""): each.get("custom_emoji_id", "") for each in found}
        return self._icons.get(drawing.ICONS[owner], "")

    def _topic(self, thread: str) -> _Topic:
        topic = self._topics.setdefault(thread, _Topic())
        self._topics.move_to_end(thread)
        if len(self._topics) > _REMEMBERED:
            self._topics.popitem(last=False)
        return topic

    # --- calls

    async def _find(self) -> None:
        if not self._found:
            await self._group.find()
            self._found = True

    async def _sent(self, method: str, params: dict[str, Any], *, reopening: bool = True) -> Any:
        """The call's result, as the port promises."""
        try:
            return await self._group.send(method, params)
        except Refused as refused:
            if refused.already:
                return {}
            if not (refused.closed and reopening):
                raise refused.meaning() from None
        await self._reopened(str(params["message_thread_id"]))
        return await self._sent(method, params, reopening=False)

    async def _edited(self, method: str, params: dict[str, Any]) -> bool:
        """Whether the message is there."""
        try:
            await self._group.edit(method, params)
        except Refused as refused:
            if refused.not_there:
                return False
            meaning = refused.meaning()
            if isinstance(meaning, BridgeAway):
                raise meaning from None
            log.warning("forum.not_edited", code=refused.code)
            return False
        return True


def _now() -> float:
    return asyncio.get_running_loop().time()
