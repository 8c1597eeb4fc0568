"""The far end of a bridge as the contract needs it, and the one that is nothing but memory: strict where the port promises something."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import msgspec

from helpdesk.acting import NotAllowed, Owned, Unfit
from helpdesk.bridges.deeds import Deeds
from helpdesk.bridges.port import (
    Bridge,
    BridgeAway,
    Carried,
    Closed,
    Deed,
    Entry,
    Fate,
    NotTaken,
    Opened,
    Owner,
    Place,
    PlaceGone,
    Stranger,
    Thing,
    TicketOver,
    TicketView,
)

Press = Literal["take", "return", "close"]


class Far(Protocol):
    """What a test does and sees at the far end. Accounts are `account(number)`; places are in the order in which they were made."""

    @property
    def bridge(self) -> Bridge: ...

    def account(self, number: int) -> str:
        """How the far end calls its person of this number, as `Account.parse` reads it."""

    def connect(self, deeds: Deeds) -> None:
        """What is done there from now on goes here."""

    # what happens to it

    def break_down(self) -> None:
        """Nothing can be reached there from now on."""

    def come_back(self) -> None: ...

    def vanish(self, place: str) -> None:
        """Somebody there has removed the place."""

    # what is seen there

    def places(self) -> list[str]:
        """Those that are there now."""

    def reads(self, place: str) -> str:
        """All that stands there, top to bottom, as a person reads it."""

    def answered(self, place: str, text: str) -> str:
        """The message there in reply to which the one with this text stands; "" where it stands alone."""

    def received(self) -> str:
        """Everything that ever arrived there, raw; what only one person got to see is no part of it."""

    # what people do there; each returns when it has come to something

    async def writes(self, number: int, place: str, text: str) -> None: ...

    async def presses(self, number: int, place: str, what: Press) -> None: ...

    def told(self, number: int) -> str:
        """All that this person was told, in the place or by themselves."""


@dataclass
class MemoryFar:
    """A bridge and its far end in one."""

    name: str = "telegram"
    where: str = "sini"
    down: bool = False
    refuses: str = ""  # a text that it does not take
    deeds: Deeds | None = None
    there: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    arrived: list[Any] = field(default_factory=list)
    told_to: dict[int, list[str]] = field(default_factory=dict)
    replies: dict[str, str] = field(default_factory=dict)
    opened: set[str] = field(default_factory=set)
    asked: int = 0  # how often a place was to be removed
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def bridge(self) -> Bridge:
        return self

    # --- the bridge

    async def open(self, ticket: TicketView) -> str:
        self._arrives(ticket)
        place = f"p{next(self._numbers)}"
        self.there[place] = []
        return place

    async def carry(self, place: Place, ticket: TicketView, things: Sequence[Thing]) -> Carried:
        self._arrives([ticket, *things])
        if place.external not in self.there:
            raise PlaceGone
        assert things, "nothing is not carried"
        thing = things[0]
        assert isinstance(thing, Opened) or place.external in self.opened, "a place is told of its ticket first"
        self.opened.add(place.external)
        if self.refuses and isinstance(thing, Entry) and self.refuses in thing.text:
            raise NotTaken("400")
        if isinstance(thing, Fate):
            assert any(id_ == thing.message for id_, _ in self.there[place.external]), "a fate names a message that is there"
            return Carried(1)
        message = f"m{next(self._numbers)}"
        if isinstance(thing, Entry) and thing.answers:
            assert any(id_ == thing.answers for id_, _ in self.there[place.external]), "a reply names a message that is there"
            self.replies[message] = thing.answers
        self.there[place.external].append((message, _words(ticket, thing)))
        return Carried(1, message)

    async def remove(self, place: str, chat: str) -> None:
        self.asked += 1
        if self.down:
            raise BridgeAway(0.05, "down")
        if place not in self.there:
            raise PlaceGone
        del self.there[place]

    def _arrives(self, what: Any) -> None:
        if self.down:
            raise BridgeAway(0.05, "down")
        self.arrived.append(what)

    # --- the far end

    def account(self, number: int) -> str:
        return f"telegram:{number}"

    def connect(self, deeds: Deeds) -> None:
        self.deeds = deeds

    def break_down(self) -> None:
        self.down = True

    def come_back(self) -> None:
        self.down = False

    def vanish(self, place: str) -> None:
        del self.there[place]

    def places(self) -> list[str]:
        return list(self.there)

    def reads(self, place: str) -> str:
        return "\n".join(text for _, text in self.there[place])

    def answered(self, place: str, text: str) -> str:
        there = dict(self.there[place])
        (message,) = [id_ for id_, words in there.items() if text in words]
        return there[self.replies[message]] if message in self.replies else ""

    def received(self) -> str:
        return msgspec.json.encode(self.arrived).decode()

    async def writes(self, number: int, place: str, text: str) -> None:
        message = f"m{next(self._numbers)}"
        self.there[place].append((message, f"{number}: {text}"))
        what: Literal["note", "say"] = "note" if text.startswith("//") else "say"
        await self._does(number, Deed(what, message, place, str(number), message=message, text=text.removeprefix("//")))

    async def presses(self, number: int, place: str, what: Press) -> None:
        label = "resolved" if what == "close" else ""
        await self._does(number, Deed(what, f"c{next(self._numbers)}", place, str(number), label=label))

    async def _does(self, number: int, deed: Deed) -> None:
        assert self.deeds is not None
        told = self.told_to.setdefault(number, [])
        try:
            await self.deeds.do(deed)
        except Stranger as stranger:
            if stranger.first:
                told.append("stranger")
        except Owned as owned:
            told.append(f"owned {owned.owner} {owned.name}")
        except (NotAllowed, Unfit, TicketOver) as refused:
            told.append(f"{type(refused).__name__} {refused}")

    def told(self, number: int) -> str:
        return "\n".join(self.told_to.get(number, []))


def _words(ticket: TicketView, thing: Thing) -> str:
    match thing:
        case Opened(again=again):
            return f"#{ticket.number} {ticket.name}{' again' if again else ''}"
        case Entry(author=author, kind=kind, text=text):
            return f"{author} {kind}: {text}"
        case Owner(what=what, agent_name=name) | Closed(what=what, agent_name=name):
            return f"{what} {name}".strip()
        case _:
            return ""
