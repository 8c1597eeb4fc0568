"""One turn, from an event to its committed answer: load (one read), step, commit (one compare-and-set), then deliver.

Lives here: order within a conversation, duplicates, lost races, what a crash between any two lines comes to. Must not live here: the dialog
(`dialogs/`), a channel (`bot/channels/`), a store (`bot/stores/`), or what happens to committed effects (`bot/delivery.py`).

In one process the events of a conversation wait for each other in the order of their arrival; between processes the store's
compare-and-set decides, and the loser does its turn again on what the winner wrote.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

import structlog

from bot.conversation import Conversation
from bot.sessions import Memory, Sessions
from bot.stores.port import Commit, Item, Loaded, Store, StoreUnavailable
from dialogs.effects import (
    CancelTimer,
    ChangeEmail,
    DeleteUserMessages,
    Message,
    OpenTicket,
    Record,
    Redraw,
    ResendActivation,
    Say,
    SetTimer,
    Show,
    SubmitRegistration,
)
from dialogs.events import Event
from dialogs.machine import Turn, step
from dialogs.profile import Profile
from dialogs.session import Session
from dialogs.texts import Language

__all__ = ["Delivers", "Outgoing", "StoreUnavailable", "TurnRunner", "Turns"]

log = structlog.get_logger(__name__)

# A conversation is forgotten this long after its last event; until then a half-filled form goes on where it was.
KEEP_SECONDS: Final = 7 * 24 * 3600.0
# How long the process that committed a turn has to deliver it before any other may take it up.
LEASE_SECONDS: Final = 5.0
# A lost race means that another process got a turn in; losing this many in a row means that something is wrong.
RACES: Final = 20


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message that was committed with its turn. `key` is the same at every attempt to deliver it."""

    key: str
    message: Message


class Turns(Protocol):
    """What a channel needs of the runner."""

    async def take(
        self, conversation: Conversation, event: Event, event_id: str, *, language: Language | None = None
    ) -> tuple[Outgoing, ...]:
        """Carry out one event, once: an id seen before answers with what is still undelivered of it.

        `language` is the channel's hint for a new conversation. What comes back is committed and not yet delivered: the channel
        either answers with it and calls `delivered`, or calls `deliver`. Raises StoreUnavailable.
        """

    async def delivered(self, conversation: Conversation, keys: tuple[str, ...]) -> None:
        """The channel has answered with these itself."""

    async def deliver(self, conversation: Conversation) -> None:
        """Deliver now what is undelivered of this conversation, in order, through its channel's `deliver`."""


class Delivers(Protocol):
    """What the runner needs of the delivery (`bot/delivery.py`)."""

    async def deliver(self, conversation: Conversation) -> None: ...

    def wake(self) -> None: ...


class TurnRunner:
    """Carries out turns against one store. `clock` gives the current moment (UTC)."""

    def __init__(
        self,
        store: Store,
        sessions: Sessions,
        profile: Profile,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        observe: Callable[[Conversation, Record | OpenTicket], None] = lambda *_: None,
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._profile = profile
        self._clock = clock
        self._observe = observe
        self._delivery: Delivers | None = None
        self._turns: dict[Conversation, _Queue] = {}

    def deliver_through(self, delivery: Delivers) -> None:
        """The delivery needs the runner and the runner the delivery; the composition root ties the knot here."""
        self._delivery = delivery

    async def take(
        self, conversation: Conversation, event: Event, event_id: str, *, language: Language | None = None
    ) -> tuple[Outgoing, ...]:
        async with self._in_order(conversation):
            for _ in range(RACES):
                now = self._clock()
                name = str(conversation)
                loaded = await self._store.load(name, now.timestamp())
                memory = self._memory(conversation, loaded, language)
                if memory.knows(event_id):
                    return await self._undelivered(conversation)
                turn = step(memory.session, event, now, self._profile)
                if turn.session == memory.session and not turn.effects:
                    return ()
                commit, outgoing = self._commit(
                    conversation, memory.with_event(event_id, turn.session), loaded.revision, turn, now
                )
                if await self._store.commit(commit):
                    self._committed(conversation, turn)
                    return outgoing
            log.error("turn.races_lost", conversation_channel=conversation.channel, races=RACES)
            raise StoreUnavailable("races")

    async def delivered(self, conversation: Conversation, keys: tuple[str, ...]) -> None:
        await self._store.done(str(conversation), keys)

    async def deliver(self, conversation: Conversation) -> None:
        if self._delivery is not None:
            await self._delivery.deliver(conversation)

    async def session(self, conversation: Conversation) -> Session | None:
        """The conversation as it is now, for those who only look; None when there is none."""
        loaded = await self._store.load(str(conversation), self._clock().timestamp())
        return self._memory(conversation, loaded, None).session if loaded.state is not None else None

    def _memory(self, conversation: Conversation, loaded: Loaded, language: Language | None) -> Memory:
        if loaded.state is None:
            return Memory(Session(id=secrets.token_urlsafe(9), channel=conversation.channel, language=language or "id"))
        return self._sessions.read(str(conversation), loaded.revision, loaded.state)

    def _commit(
        self, conversation: Conversation, memory: Memory, revision: int, turn: Turn, now: datetime
    ) -> tuple[Commit, tuple[Outgoing, ...]]:
        name, moment = str(conversation), now.timestamp()
        items: list[Item] = []
        cancelled: list[str] = []
        outgoing: list[Outgoing] = []
        for position, effect in enumerate(turn.effects):
            key = f"{turn.session.id}.{revision + 1}.{position}"
            match effect:
                case Say() | Show() | Redraw() | DeleteUserMessages():
                    items.append(Item(key, "say", self._sessions.write_effect(name, key, effect), moment + LEASE_SECONDS))
                    outgoing.append(Outgoing(key, effect))
                case SubmitRegistration() | ResendActivation() | ChangeEmail():
                    # Due at once: the delivery loop makes the call, and is woken as soon as the commit holds.
                    items.append(Item(key, "do", self._sessions.write_effect(name, key, effect), moment))
                case SetTimer(timer, at):
                    items.append(Item(f"timer {timer}", "timer", b"", at.timestamp()))
                case CancelTimer(timer):
                    cancelled.append(f"timer {timer}")
                case Record() | OpenTicket():
                    pass
        commit = Commit(
            conversation=name,
            revision=revision,
            state=self._sessions.write(name, revision + 1, memory),
            items=tuple(items),
            cancelled=tuple(cancelled),
            now=moment,
            keep_seconds=KEEP_SECONDS,
        )
        return commit, tuple(outgoing)

    def _committed(self, conversation: Conversation, turn: Turn) -> None:
        for effect in turn.effects:
            if isinstance(effect, Record | OpenTicket):
                self._observe(conversation, effect)
            elif self._delivery is not None and isinstance(effect, SubmitRegistration | ResendActivation | ChangeEmail):
                self._delivery.wake()

    async def _undelivered(self, conversation: Conversation) -> tuple[Outgoing, ...]:
        name = str(conversation)
        outgoing = []
        for item in await self._store.pending(name):
            if item.lane == "say":
                effect = self._sessions.read_effect(name, item.key, item.body)
                assert isinstance(effect, Message)
                outgoing.append(Outgoing(item.key, effect))
        return tuple(outgoing)

    @asynccontextmanager
    async def _in_order(self, conversation: Conversation) -> AsyncIterator[None]:
        """First come, first served within a conversation (asyncio.Lock is fair); nothing is kept for a conversation at rest."""
        queue = self._turns.setdefault(conversation, _Queue())
        queue.waiting += 1
        try:
            async with queue.lock:
                yield
        finally:
            queue.waiting -= 1
            if not queue.waiting:
                self._turns.pop(conversation, None)


class _Queue:
    __slots__ = ("lock", "waiting")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.waiting = 0
