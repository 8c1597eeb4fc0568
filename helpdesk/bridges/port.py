"""What a bridge is: it carries the talk of a ticket to another place where agents are, and brings back what they say and do there.

Lives here: the promises of both directions, and their shapes. Must not live here: any place (`forum.py`, `chatwoot/`), reading and
remembering (`carrier.py`), what a deed comes to (`deeds.py`).

**Out.** The carrier asks for a place (`Bridge.open`) when a ticket has something to tell for the first time, and hands over the things of
a ticket in their order (`Bridge.carry`): of the things that it is offered, the bridge takes as many from the front as go in one call there,
at least one, and says how many and under which message they stand. The carrier writes that down right after, so that a crash repeats at
most one call. A bridge keeps nothing for good; what it must know again (`Place.external`, `Place.first`, the message a fate or an edit
belongs to) is handed to it. Everything handed over is masked: no bridge ever holds a clear NIK, phone number, address or name.

What a bridge may raise: `BridgeAway` (nothing goes now; the carrier comes again after so many seconds, with more to take at once),
`PlaceBusy` (the same for this one place), `PlaceGone` (it does not exist any more: the carrier asks for another, and tells the newest of
the talk again, `Opened.again`), `NotTaken` (the place refuses this for good: offered alone, the first of the things is given up and what
follows goes on). Anything else is a defect of the bridge, logged, and treated like `BridgeAway`.

**In.** A bridge makes a `Deed` of what somebody does there and gives it to `Deeds.do` (`deeds.py`), which knows who they are, what they
may, and what came of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol

from dialogs.effects import Fate as FateOf
from dialogs.frozen import Frozen
from dialogs.texts import Language
from helpdesk.panel import FieldRow

# --- why nothing was carried


class BridgeAway(Exception):
    """The other side cannot be reached, or wants nothing now: again after `retry_after` seconds, 0 where it did not say."""

    def __init__(self, retry_after: float = 0.0, why: str = "") -> None:
        super().__init__(why)
        self.retry_after = retry_after


class PlaceBusy(Exception):
    """This one place takes nothing before `retry_after` seconds are over; the others do."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"{retry_after:.1f} s")
        self.retry_after = retry_after


class PlaceGone(Exception):
    """The place is not there any more."""


class NotTaken(Exception):
    """The other side refuses this message for good; `code` is its own, and never what was in it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


# --- what is carried


class TicketView(Frozen, frozen=True):
    """A ticket as whoever reads along there may see it, now. `name` is a first name and an initial, "" where none is known or can be told;
    `fields` are masked. `owner` is queued, human (`agent_name` has it, who signs in as `agent_login` and there is `agent_account`, "" where
    none was bound) or closed; `version` is what a deed must have seen. `address` is where the console shows it, `chat` our id of the
    conversation (`desk_conversations`).
    """

    id: str
    number: int
    name: str
    channel: str
    language: Language
    step: str
    reason: str
    fields: tuple[FieldRow, ...]
    owner: Literal["queued", "human", "closed"]
    version: int
    agent_name: str
    opened_at: datetime
    address: str = ""
    chat: str = ""
    agent_login: str = ""
    agent_account: str = ""


class Opened(Frozen, frozen=True):
    """The ticket itself, first of all that its place is told. `again` where the place before it is gone."""

    id: str
    at: datetime
    again: bool = False


class Entry(Frozen, frozen=True):
    """A line of the talk. `author` is person, agent or system, `kind` that of `desk_entries`: a kind of `dialogs.effects.Relay`, note, or
    what a `DeskChanged` says that changes no owner (`detail`: the field, the score). `answers` is the message there that holds what a
    person's message replies to, or their edit replaces, "" where none does.
    """

    id: str
    at: datetime
    author: Literal["person", "agent", "system"]
    kind: str
    text: str
    detail: str = ""
    agent_name: str = ""
    answers: str = ""


class Owner(Frozen, frozen=True):
    """Who has it from here on: `what` is queued, released, taken or transferred."""

    id: str
    at: datetime
    what: str
    agent_name: str = ""


class Closed(Frozen, frozen=True):
    """It is over: `what` is returned, closed, cancelled, finished, timed_out or idled, `label` the agent's."""

    id: str
    at: datetime
    what: str
    agent_name: str = ""
    label: str = ""


class Fate(Frozen, frozen=True):
    """What became of an agent's message, `id` being its entry's and `message` where it stands there. It may come again, and change."""

    id: str
    fate: FateOf
    message: str = ""


Thing = Opened | Entry | Owner | Closed | Fate


class Place(Frozen, frozen=True):
    """Where a ticket's talk is there. `external` is the bridge's own name of it, `first` that of the message that told `Opened`, `last`
    that of the newest message known there, whoever wrote it.
    """

    external: str
    first: str = ""
    last: str = ""


class Carried(Frozen, frozen=True):
    """So many of the things, from the front, stand there now, in this message ("" where they took none)."""

    count: int
    message: str = ""


class Bridge(Protocol):
    @property
    def name(self) -> str:
        """As in `desk_accounts`, settings and metrics: telegram, chatwoot."""

    @property
    def where(self) -> str:
        """Which far end of its kind it is, as the settings name it, without blanks: the names of places mean nothing at another."""

    async def open(self, ticket: TicketView) -> str:
        """Make a place for this ticket and give its name there. Called again for the same ticket only when the place is gone, or when a
        crash came between.
        """

    async def carry(self, place: Place, ticket: TicketView, things: Sequence[Thing]) -> Carried:
        """Put the first of these there, and as many more as go in the same call."""

    async def remove(self, place: str, chat: str) -> None:
        """Take this place away (`Place.external`), with all that stands in it, for its talk was erased; PlaceGone where it is not there.
        With the last place of a `chat` (`TicketView.chat`, "" where it is not known) goes whatever else is kept of it there.
        """


# --- what comes back


class Deed(Frozen, frozen=True):
    """What somebody did there. `key` names it for ever (the same deed told again is done once), `place` is `Place.external`, `account` who
    it was there, `login` the verified address under which the place knows them, "" where it knows none.

    take, release, transfer (`to`: the login of who gets it), return, close (`label`); say and note (`text`; `message` is what it stands in
    there, `answers` the message that it replies to); correct (say, of a message that was said before: `message` is that one); reveal
    (`field`, `reason`). `version` is that of the ownership which they saw, None where the place does not show it: then what holds now is
    what they saw.
    """

    what: Literal["take", "release", "transfer", "say", "correct", "note", "return", "close", "reveal"]
    key: str
    place: str
    account: str
    login: str = ""
    message: str = ""
    answers: str = ""
    text: str = ""
    label: str = ""
    to: str = ""
    field: str = ""
    reason: str = ""
    version: int | None = None


class Stranger(Exception):
    """Nobody of the helpdesk, or nobody any more. `first` when they have not been told yet what to do."""

    def __init__(self, *, first: bool) -> None:
        super().__init__(f"first={first}")
        self.first = first


class NoTicket(Exception):
    """The place belongs to no ticket."""


class TicketOver(Exception):
    """Its ticket is closed. `number` is that of the open one of the same person, 0 where there is none."""

    def __init__(self, number: int) -> None:
        super().__init__(f"#{number}")
        self.number = number
