"""The helpdesk as the bot knows it: one port that it tells things to, and one way for agents to act on a conversation.

Lives here: the shapes and the promises of both, an agent's action, a desk in memory for tests. Must not live here: any desk (`helpdesk/`),
what an event comes to (`dialogs/desk.py`), or the rights of agents.

**What a desk is told** (`Desk.tell`), each at least once and under its own key, whenever the desk can take it; a desk that is away blocks
nobody, for these wait in the dialog's outbox, committed by the very turn that they tell of:

- `OpenTicket`: somebody wants a human, or a human has stepped in; also `DeskChanged` of the same turn says queued or taken.
- `Relay`: a line of the talk, the person's or an agent's. So the lines of a ticket are complete and in order, whoever wrote them.
- `DeskChanged`: every change of owner with the version that holds from there on, and what became of corrections and of the rating.
- `MessageFate`: what became of an agent's message, by the desk's own `ref`.

They may arrive out of order and again: put them in the order of `order_of(key)`, and know them again by `key`. An owner with a lower
`ownership` than one that is known is old. A Telegram chat's language, step and answers are in the session: `TurnRunner.session`.

**What an agent does** is an event like any other (`dialogs.events.ByAgent`), so that a take-over is the turn's own compare-and-set:

    acted = await agents.act(conversation, AgentTookOver(agent.id, agent.name, seen), event_id)
    if not acted.happened: ...  # somebody was quicker: acted.desk.name has it, acted.ownership is the version to see now

`seen` is the version that the agent saw, `event_id` any text that is the same when the same action is tried again (a form's idempotency
key, a bridge's message id): acting twice is acting once, and says so. To send again a message that was given up, say it again with another
`event_id`. An agent's word is `AgentSaid(..., ref=...)`: whoever does not have the conversation takes it over by that.

**What the bot does where no human is** (`Desk.watch`): lines for those who look on, masked, best effort: some may be lost, and none is
there when the desk is away. Nothing of it is done where no desk is configured.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from bot.conversation import Conversation
from bot.turns import Standing, Taken
from dialogs.effects import Author, DeskChanged, MessageFate, OpenTicket, Relay, ToDesk
from dialogs.events import ByAgent, Event
from dialogs.frozen import Frozen
from dialogs.session import Desk as Ticket

__all__ = ["Acted", "Agents", "Desk", "DeskUnavailable", "Line", "MemoryDesk", "order_of"]


class DeskUnavailable(Exception):
    """The desk cannot take anything now; it will be told again later."""


class Line(Frozen, frozen=True):
    """One line of a conversation that the bot has, for those who look on: `text` is masked already. `key` is the event's id and a
    number, `step` where the person stood.
    """

    conversation: Conversation
    author: Literal["person"] | Author
    text: str
    at: datetime
    step: str
    key: str


class Desk(Protocol):
    async def tell(self, conversation: Conversation, what: ToDesk, key: str) -> None:
        """Keep this for good before returning. The same key may come again. Raises DeskUnavailable: it is told again later."""

    async def watch(self, lines: Sequence[Line]) -> None:
        """Show these to whoever looks on. Best effort: what this raises is logged, and the lines are gone."""


def order_of(key: str) -> tuple[int, int]:
    """Where a thing told belongs among those of its conversation: the turn's revision, and the place in the turn."""
    _, revision, place = key.split(".")[:3]
    return int(revision), int(place)


class Acted(Frozen, frozen=True):
    """What an agent's action came to. `happened` is False where another version of the ownership holds than the agent saw, or where
    nothing was there to do. `desk` and `ownership` are as they are now, whoever made them so; `desk` is None where the bot has it.
    """

    happened: bool
    desk: Ticket | None
    ownership: int


class ActsTurns(Protocol):
    """What is needed of the turns (`bot/turns.py`)."""

    async def take(self, conversation: Conversation, event: Event, event_id: str) -> Taken: ...

    async def deliver(self, conversation: Conversation) -> None: ...


class Stands(Protocol):
    """What is needed of the runner itself."""

    async def standing(self, conversation: Conversation, event_id: str) -> Standing | None: ...


class Agents:
    """Where agents act on conversations. What their turns leave is delivered meanwhile; nobody waits for a channel here."""

    def __init__(self, turns: ActsTurns, runner: Stands) -> None:
        self._turns = turns
        self._runner = runner
        self._delivering: set[asyncio.Task[None]] = set()

    async def act(self, conversation: Conversation, event: ByAgent, event_id: str) -> Acted:
        """Carry out one action, once. A conversation that does not exist (any more) is not begun by an agent: nothing happens.

        Raises StoreUnavailable.
        """
        if await self._runner.standing(conversation, event_id) is None:
            return Acted(happened=False, desk=None, ownership=0)
        taken = await self._turns.take(conversation, event, event_id)
        if taken.left:
            task = asyncio.create_task(self._turns.deliver(conversation))
            self._delivering.add(task)
            task.add_done_callback(self._delivering.discard)
        stands = await self._runner.standing(conversation, event_id)
        if stands is None:
            return Acted(happened=False, desk=None, ownership=0)
        return Acted(stands.known, stands.session.desk, stands.session.ownership)

    async def close(self) -> None:
        """Returns when nothing is being delivered any more."""
        await asyncio.gather(*self._delivering)


@dataclass
class MemoryDesk:
    """A desk that holds everything in memory, for tests; strict where the promises of the port are. `away` makes it unavailable."""

    away: bool = False
    told: dict[tuple[Conversation, str], ToDesk] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)

    async def tell(self, conversation: Conversation, what: ToDesk, key: str) -> None:
        if self.away:
            raise DeskUnavailable
        order_of(key)
        known = self.told.setdefault((conversation, key), what)
        assert known == what, f"{key} was told before, and was {type(known).__name__}"
        if isinstance(what, OpenTicket | Relay | DeskChanged):
            assert what.ticket, f"{type(what).__name__} of no ticket"

    async def watch(self, lines: Sequence[Line]) -> None:
        if self.away:
            raise DeskUnavailable
        self.lines += lines

    def of(self, conversation: Conversation) -> list[ToDesk]:
        """What was told of this conversation, in its order."""
        mine = [(order_of(key), what) for (whose, key), what in self.told.items() if whose == conversation]
        return [what for _, what in sorted(mine, key=lambda pair: pair[0])]

    def fates(self) -> dict[str, MessageFate]:
        return {what.ref: what for what in self.told.values() if isinstance(what, MessageFate)}
