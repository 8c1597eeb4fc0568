"""One turn, from an event to its committed answer: load (one read), step, commit (one compare-and-set), then deliver.

Lives here: order within a conversation, duplicates, lost races, what a crash between any two lines comes to. Must not live here: the dialog
(`dialogs/`), a channel (`bot/channels/`), a store (`bot/stores/`), or what happens to committed effects (`bot/delivery.py`).

In one process the events of a conversation wait for each other in the order of their arrival; between processes the store's
compare-and-set decides, and the loser does its turn again on what the winner wrote.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Protocol

import structlog

from bot.conversation import Conversation
from bot.in_order import InOrder
from bot.sessions import Memory, Sessions
from bot.stores.port import Commit, Item, Loaded, Outcome, Store, StoreUnavailable, timer_key
from dialogs.effects import (
    BringForm,
    CancelTimer,
    ChangeEmail,
    DeleteUserMessages,
    DeskChanged,
    MakeLink,
    Message,
    OpenTicket,
    Record,
    RedeemLink,
    Redraw,
    Relay,
    ResendActivation,
    Say,
    SetTimer,
    Show,
    SubmitRegistration,
    WithdrawRegistration,
)
from dialogs.events import Event
from dialogs.frozen import Frozen
from dialogs.machine import Turn, current_screen, step
from dialogs.profile import Profile
from dialogs.session import Session
from dialogs.texts import Language
from dialogs.upcasters import SessionTooNew

__all__ = ["NOTHING", "Answerable", "Delivers", "Standing", "StoreUnavailable", "Taken", "TurnRunner", "Turns", "Watch"]

log = structlog.get_logger(__name__)

# A conversation is forgotten this long after its last event. What was typed and not handed off goes earlier, by the dialog's own timer
# (`dialogs/reminders.py`), which says so; this is the net under it, should no process be there to do it.
KEEP_SECONDS: Final = 8 * 24 * 3600.0
# How long the process that committed a message has to deliver it before any other may take it up.
LEASE_SECONDS: Final = 15.0
# A lost race means that another process got a turn in; losing this many in a row means that something is wrong.
RACES: Final = 20


class Taken(Frozen, frozen=True):
    """What a turn leaves to its channel: `answer` to send by itself, and whether messages are `left` for it to have delivered."""

    answer: Message | None = None
    left: bool = False


class Standing(Frozen, frozen=True):
    """A conversation as it is, and whether a certain event is `known` to have been carried out."""

    session: Session
    known: bool


# Nothing came of the event; and: what came of it is committed behind messages that somebody else delivers, and will go on with.
NOTHING: Final = Taken()
BEHIND: Final = Taken()


Answerable = Callable[[Message], bool]
# Told of every turn that is committed: its conversation, event, the event's id, the session before it, the turn, and when it was. It must
# not wait.
Watch = Callable[[Conversation, Event, str, Session, Turn, datetime], None]


class Turns(Protocol):
    """What a channel needs of the runner."""

    async def take(
        self,
        conversation: Conversation,
        event: Event,
        event_id: str,
        *,
        language: Language | None = None,
        answerable: Answerable | None = None,
    ) -> Taken:
        """Carry out one event, once. Everything that it brings is committed when this returns; what is `left` waits for `deliver`.

        `language` is the channel's hint for a new conversation. A channel that can answer within the request that brought the event
        (a webhook) says by `answerable` for which message it can; that message is then the channel's to send, and is kept nowhere
        else: when the answer gets lost, the event is delivered again and is answered with the screen in force. Raises
        StoreUnavailable.
        """

    async def deliver(self, conversation: Conversation) -> None:
        """Deliver what turns have left, in order, through the channel's `deliver`; returns when all is delivered or must wait."""


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
        lost: Callable[[Conversation], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._profile = profile
        self._clock = clock
        self._observe = observe
        self._lost = lost
        self._watch: Watch | None = None
        self._delivery: Delivers | None = None
        self._in_order = InOrder()

    def deliver_through(self, delivery: Delivers) -> None:
        """The delivery needs the runner and the runner the delivery; the composition root ties the knot here."""
        self._delivery = delivery

    def watched_by(self, watch: Watch) -> None:
        """Tell of every turn; where nobody calls this, nothing is done for it."""
        self._watch = watch

    async def take(
        self,
        conversation: Conversation,
        event: Event,
        event_id: str,
        *,
        language: Language | None = None,
        answerable: Answerable | None = None,
    ) -> Taken:
        async with self._in_order(conversation):
            for _ in range(RACES):
                now = self._clock()
                loaded = await self._store.load(str(conversation), now.timestamp())
                memory = self._memory(conversation, loaded, language)
                if memory.knows(event_id):
                    return self._again(memory, event_id, now) if answerable else NOTHING
                turn = step(memory.session, event, now, self._profile)
                if turn.session == memory.session and not turn.effects:
                    return NOTHING
                answer = _answer(turn, answerable)
                after = memory.with_event(event_id, turn.session)
                commit = self._commit(conversation, after, loaded.revision, turn, now, answer)
                outcome = await self._store.commit(commit)
                if outcome is Outcome.LOST:
                    self._lost(conversation)
                    continue
                if outcome is Outcome.NOT_ALONE:
                    # Earlier messages still wait, and must not be overtaken: the answer goes behind them, with the rest of its turn.
                    answerable = None
                    continue
                self._committed(conversation, turn, commit)
                if self._watch is not None:
                    self._watch(conversation, event, event_id, memory.session, turn, now)
                if outcome is Outcome.FIRST:
                    return Taken(answer, left=any(item.lane == "say" for item in commit.items))
                return BEHIND
            log.error("turn.races_lost", channel=conversation.channel, races=RACES)
            raise StoreUnavailable("races")

    async def deliver(self, conversation: Conversation) -> None:
        if self._delivery is not None:
            await self._delivery.deliver(conversation)

    async def session(self, conversation: Conversation) -> Session | None:
        """The conversation as it is now, for those who only look; None when there is none."""
        loaded = await self._store.load(str(conversation), self._clock().timestamp())
        return self._memory(conversation, loaded, None).session if loaded.state is not None else None

    async def standing(self, conversation: Conversation, event_id: str) -> Standing | None:
        """The conversation as it is, and whether this event has been carried out (one of its newest CLAIMS); None when there is none."""
        loaded = await self._store.load(str(conversation), self._clock().timestamp())
        if loaded.state is None:
            return None
        memory = self._memory(conversation, loaded, None)
        return Standing(memory.session, memory.knows(event_id))

    def _memory(self, conversation: Conversation, loaded: Loaded, language: Language | None) -> Memory:
        if loaded.state is None:
            return Memory(Session(id=secrets.token_urlsafe(9), channel=conversation.channel, language=language or "id"))
        try:
            return self._sessions.read(str(conversation), loaded.revision, loaded.state)
        except SessionTooNew:
            # A rolling deploy: newer code has served this conversation, and will be given the event when it comes again.
            log.warning("turn.session_too_new", channel=conversation.channel)
            raise StoreUnavailable("session too new") from None

    def _again(self, memory: Memory, event_id: str, now: datetime) -> Taken:
        """The screen in force when the event that it answers comes again: it may not have arrived. Older ones were followed by others."""
        if not memory.answered(event_id) or not memory.session.serial:
            return NOTHING
        return Taken(Show(current_screen(memory.session, now, self._profile)))

    def _commit(
        self, conversation: Conversation, memory: Memory, revision: int, turn: Turn, now: datetime, answer: Message | None
    ) -> Commit:
        name, moment = str(conversation), now.timestamp()
        items: list[Item] = []
        cancelled: list[str] = []
        for position, effect in enumerate(turn.effects):
            key = f"{turn.session.id}.{revision + 1}.{position}"
            match effect:  # what most turns have comes first: each class that it is not costs as much as a small function
                case Record():
                    pass
                case Show() | Say() | Redraw() | DeleteUserMessages():
                    if effect is not answer:
                        items.append(Item(key, "say", self._sessions.write_effect(name, key, effect), moment + LEASE_SECONDS))
                case (
                    SubmitRegistration()
                    | ResendActivation()
                    | ChangeEmail()
                    | WithdrawRegistration()
                    | MakeLink()
                    | RedeemLink()
                    | BringForm()
                ):
                    # Due at once: the delivery loop makes the call, and is woken as soon as the commit holds.
                    items.append(Item(key, "do", self._sessions.write_effect(name, key, effect), moment))
                case SetTimer(timer, at):
                    items.append(Item(timer_key(timer), "timer", b"", at.timestamp()))
                case CancelTimer(timer):
                    cancelled.append(timer_key(timer))
                case OpenTicket() | Relay() | DeskChanged():
                    if effect.ticket:
                        items.append(Item(key, "do", self._sessions.write_effect(name, key, effect), moment))
        return Commit(
            conversation=name,
            revision=revision,
            state=self._sessions.write(name, revision + 1, memory),
            items=tuple(items),
            cancelled=tuple(cancelled),
            now=moment,
            keep_seconds=KEEP_SECONDS,
            alone=answer is not None,
        )

    def _committed(self, conversation: Conversation, turn: Turn, commit: Commit) -> None:
        for position, effect in enumerate(turn.effects):
            match effect:
                case Record() | OpenTicket():
                    self._observe(conversation, effect)
                case Show():
                    pass
                case SubmitRegistration() | ResendActivation() | ChangeEmail() | WithdrawRegistration():
                    # The request goes to the backend under this name, in another task and perhaps from another process.
                    key = f"{turn.session.id}.{commit.revision + 1}.{position}"
                    log.info("turn.request_committed", item=key, channel=conversation.channel)
                case _:
                    pass
        if self._delivery is not None and any(item.lane == "do" for item in commit.items):
            self._delivery.wake()


def _answer(turn: Turn, answerable: Answerable | None) -> Message | None:
    """The message that the channel answers with by itself: the turn's only new one, so that no other can overtake it."""
    if answerable is None:
        return None
    new = [effect for effect in turn.effects if isinstance(effect, (Show, Say))]
    return new[0] if len(new) == 1 and answerable(new[0]) else None
