"""Processes of the bot whose every call to the store, the backend and the chat waits to be told how to go on.

Lives here: a world of several processes, people and a backend, in which one call moves at a time, so that an interleaving is a list of
choices and a failure replays. Must not live here: which choices are made, and what must be true in the end (`test_interleavings.py`).
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final

from akses.keyring import Keyring
from backend_client.errors import BackendUnreachable
from backend_client.fake import FakeBackend
from bot.channels.port import SEND_SECONDS, Capabilities, Delivery, Failed, Later, Sent, Unknown
from bot.conversation import Conversation
from bot.delivery import TRIES, WORK_SECONDS, OutboxDelivery
from bot.desk import MemoryDesk
from bot.redis_link import TIMEOUT_SECONDS
from bot.requests import BackendRequests
from bot.sessions import Sessions
from bot.stores.port import Commit, Outcome, Store, StoreUnavailable
from bot.turns import Taken, TurnRunner
from dialogs.effects import ChangeEmail, Effect, Message, ResendActivation, Say, Show, SubmitRegistration
from dialogs.events import ButtonPressed, Event
from dialogs.machine import step
from dialogs.profile import Profile
from dialogs.registration import token
from dialogs.screens import Screen
from dialogs.session import Session
from dialogs.testing import NOON, PROFILE

KEYS: Final = Keyring.parse(Keyring.generate())
RESPONSE: Final = "the response"
# How long a caller waits (seconds): everybody gives up at some time, so nothing stands still for ever.
PATIENCE: Final = {"store.": TIMEOUT_SECONDS, "the chat": SEND_SECONDS}
_event: ContextVar[tuple[Event | None, str]] = ContextVar("event", default=(None, ""))


class Fate(Enum):
    """What becomes of a call: carried out and answered, or not reached, or (chosen after it was carried out) its answer lost."""

    WELL = "goes well"
    ILL = "goes ill"
    WAIT = "is told to wait"


@dataclass(eq=False)
class Call:
    """A call that stands still: `before` it is carried out, or after, with its answer still on the way; its caller waits until `ends`."""

    process: Process
    what: str
    before: bool
    fate: asyncio.Future[Fate]
    ends: datetime

    def __str__(self) -> str:
        return f"{'before' if self.before else 'after'} {self.what} of process {self.process.number}"


@dataclass(eq=False)
class Update:
    """Something that happens to a conversation, delivered until it is taken (200)."""

    conversation: Conversation
    event: Event
    id: str
    person: bool = True
    taken: bool = False


@dataclass(frozen=True)
class Accepted:
    """A turn that was committed; `screen` is the token of the one that it showed, "" when it showed none."""

    revision: int
    event: Event
    id: str
    now: datetime
    screen: str = ""


@dataclass
class World:
    """One store, one backend, people with their screens; any number of processes."""

    store: Store
    now: datetime = NOON
    profile: Profile = PROFILE
    desk: MemoryDesk | None = None
    calls: list[Call] = field(default_factory=list)
    flowing: bool = False  # nothing stands still, all goes well
    working: int = 0  # calls being carried out at this moment
    accepted: dict[str, list[Accepted]] = field(default_factory=lambda: defaultdict(list))
    seen: dict[Conversation, list[tuple[str, Message]]] = field(default_factory=lambda: defaultdict(list))
    ownership: Counter[str] = field(default_factory=Counter)  # of each conversation, as its last commit left it
    looked: dict[tuple[int, str], int] = field(default_factory=dict)  # the ownership that a process saw when it last looked
    spoken_over: list[str] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)  # deliveries to a chat by the message's key
    ill: int = 0
    asked: dict[str, set[object]] = field(default_factory=lambda: defaultdict(set))
    registered: dict[str, Conversation] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.backend = FakeBackend(clock=self.clock, mail_outcome="queued")

    def clock(self) -> datetime:
        return self.now

    async def stands(self, process: Process, what: str, *, before: bool) -> Fate:
        """Wait here until somebody says how it goes on."""
        if self.flowing:
            return Fate.WELL
        patience = next((seconds for kind, seconds in PATIENCE.items() if what.startswith(kind)), 60.0)
        call = Call(process, what, before, asyncio.get_running_loop().create_future(), self.now + timedelta(seconds=patience))
        self.calls.append(call)
        try:
            return await call.fate
        finally:
            if call in self.calls:
                self.calls.remove(call)

    async def works(self, work: Callable[[], Awaitable[Any]]) -> Any:
        self.working += 1
        try:
            return await work()
        finally:
            self.working -= 1

    async def rests(self) -> None:
        """Return when nobody can go on by themselves."""
        loop: Any = asyncio.get_running_loop()
        await asyncio.sleep(0)
        while self.working or loop._ready:  # noqa: ASYNC110 (the loop itself is looked at)
            await asyncio.sleep(0)

    async def goes_on(self, call: Call, fate: Fate = Fate.WELL) -> None:
        self.ill += fate is not Fate.WELL
        self.calls.remove(call)
        call.fate.set_result(fate)
        await self.rests()

    async def flows(self) -> None:
        """Whatever stands still goes on, and well, until everything rests."""
        self.flowing = True
        while self.calls:
            await self.goes_on(self.calls[0])
        await self.rests()

    async def unanswered(self, update: Update) -> bool:
        """Whether an update that its channel holds to be over brought the screen in force, which its person neither sees nor will see."""
        shown = [each for each in self.accepted[str(update.conversation)] if each.screen]
        if not shown or shown[-1].id != update.id:
            return False
        name = str(update.conversation)
        coming = [
            Sessions(KEYS).read_effect(name, item.key, item.body)
            for item in await self.works(lambda: self.store.pending(name))
            if item.lane == "say"
        ]
        seen = [*coming, *(message for _, message in self.seen[update.conversation])]
        return shown[-1].screen not in [each.screen.token for each in seen if isinstance(each, Show)]

    def screen(self, conversation: Conversation) -> Screen | None:
        """What the person sees."""
        return next((each.screen for _, each in reversed(self.seen[conversation]) if isinstance(each, Show)), None)

    def played(self, conversation: Conversation, id_: str) -> tuple[Session, dict[str, Effect]]:
        """The accepted events of a conversation in their order through the dialog alone; its effects by key."""
        session, effects = Session(id=id_, channel=conversation.channel, language="id"), dict[str, Effect]()
        for number, each in enumerate(self.accepted[str(conversation)], 1):
            assert each.revision == number
            turn = step(session, each.event, each.now, self.profile)
            session = turn.session
            effects |= {f"{session.id}.{number}.{at}": effect for at, effect in enumerate(turn.effects)}
        return session, effects


class Process:
    """A bot process. Everything of it ends with it; what it left is in the store."""

    def __init__(self, world: World, number: int) -> None:
        self.world, self.number = world, number
        store: Any = _Store(self)
        self.turns = _Turns(store, Sessions(KEYS), world.profile, clock=world.clock)
        chat = _Chat(self)
        channels = {"web": _Named("web", chat), "telegram": _Named("telegram", chat)}
        self.delivery = OutboxDelivery(store, Sessions(KEYS), channels, clock=world.clock, chance=lambda: 0.5, desk=world.desk)
        self.turns.deliver_through(self.delivery)
        backend: Any = _Backend(self)
        self.delivery.connect(self.turns, BackendRequests(backend, self.turns))
        self._store = store
        self._tasks: set[asyncio.Task[None]] = set()
        self.failures: list[BaseException] = []

    def does(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failures.append(error)

    async def dies(self) -> None:
        """At once, wherever its calls are; nothing of it happens any more."""
        for task in tuple(self._tasks):
            task.cancel()
        await self.world.rests()

    async def takes(self, update: Update) -> None:
        """A delivery of an update, as a webhook is: answered in the response where the channel can, and over when that has arrived."""
        chat = update.conversation
        # What an agent does and what the backend tells come by no webhook of the chat's.
        answerable = (lambda _: True) if chat.channel == "telegram" and update.person else None
        try:
            taken = await self.turns.take(chat, update.event, update.id, answerable=answerable)
        except StoreUnavailable:
            return
        if taken.answer is not None:
            if await self.world.stands(self, RESPONSE, before=False) is not Fate.WELL:
                return
            self.world.seen[chat].append(("", taken.answer))
        assert not await self.world.unanswered(update), f"{update} is over, and nobody was answered"
        update.taken = True
        if taken.left:
            await self.turns.deliver(chat)

    async def works_off(self) -> None:
        """One round of the outbox loop."""
        try:
            batch = await self._store.due(self.world.now.timestamp(), WORK_SECONDS, 64)
        except StoreUnavailable:
            return
        await self.delivery._work(batch)


class _Turns(TurnRunner):
    """Notes for whose event a commit is."""

    async def take(self, conversation: Conversation, event: Event, event_id: str, **how: Any) -> Taken:
        token = _event.set((event, event_id))
        try:
            return await super().take(conversation, event, event_id, **how)
        finally:
            _event.reset(token)


class _Store:
    def __init__(self, process: Process) -> None:
        self._process = process

    def __getattr__(self, name: str) -> Any:
        world, process = self._process.world, self._process
        method = getattr(world.store, name)

        async def call(*args: Any) -> Any:
            if await world.stands(process, f"store.{name}", before=True) is not Fate.WELL:
                raise StoreUnavailable("away")
            result = await world.works(lambda: method(*args))
            if name == "load":
                world.looked[process.number, args[0]] = world.ownership[args[0]]
            if name == "commit" and result in (Outcome.FIRST, Outcome.BEHIND):
                self._committed(args[0])
            if await world.stands(process, f"store.{name}", before=False) is not Fate.WELL:
                raise StoreUnavailable("no answer")
            return result

        return call

    def _committed(self, commit: Commit) -> None:
        event, id_ = _event.get()
        if event is None:  # a box of dead letters
            return
        revision, accepted = commit.revision + 1, self._process.world.accepted[commit.conversation]
        session = Sessions(KEYS).read(commit.conversation, revision, commit.state).session
        self._process.world.ownership[commit.conversation] = session.ownership
        screen = token(session) if token(session) not in {each.screen for each in accepted} else ""
        accepted.append(Accepted(revision, event, id_, datetime.fromtimestamp(commit.now, UTC), screen))


class _Backend:
    def __init__(self, process: Process) -> None:
        self._process = process

    def __getattr__(self, name: str) -> Any:
        world, process = self._process.world, self._process
        method = getattr(world.backend, name)

        async def call(*body: Any, key: str) -> Any:
            if await world.stands(process, f"backend.{name}", before=True) is not Fate.WELL:
                raise BackendUnreachable
            world.asked[key].add((name, *body))
            result = await method(*body, key=key)
            if name == "create":
                world.registered[result.id] = Conversation.parse(body[0].reference)
            if await world.stands(process, f"backend.{name}", before=False) is not Fate.WELL:
                raise BackendUnreachable
            return result

        return call


class _Chat:
    def __init__(self, process: Process) -> None:
        self._process = process
        self._failed: Counter[str] = Counter()
        self._seen: dict[str, int] = {}

    async def deliver(self, conversation: Conversation, message: Message, key: str) -> Delivery:
        world, process = self._process.world, self._process
        # Whose it was when the process looked, just before it gave the message to the chat.
        self._seen[key] = world.looked.get((process.number, str(conversation)), 0)
        match await world.stands(process, "the chat", before=True):
            case Fate.ILL if self._failed[key] < TRIES // 2:
                self._failed[key] += 1
                return Failed("refused the connection")
            case Fate.WAIT:
                return Later(5.0)
        question = isinstance(message, Show) and message.news is None and message.author == "bot"
        if world.desk is not None and question and message.ownership != self._seen[key]:
            world.spoken_over.append(f"{key}: of {message.ownership}, under {self._seen[key]}")
        world.sent[key] += 1
        world.seen[conversation].append((key, message))
        if await world.stands(process, "the chat", before=False) is not Fate.WELL:
            return Unknown("no answer")
        return Sent(key)


@dataclass
class _Named:
    name: str
    chat: _Chat
    capabilities: Capabilities = Capabilities(buttons=10)  # noqa: RUF009 (frozen)

    def typing(self, address: str) -> None: ...

    async def deliver(self, address: str, message: Message, key: str) -> Delivery:
        return await self.chat.deliver(Conversation(self.name, address), message, key)


def requests_in(effects: dict[str, Effect]) -> dict[str, Effect]:
    """What is to be asked of the backend, by Idempotency-Key."""
    return {
        effect.handoff if isinstance(effect, SubmitRegistration) else effect.request: effect
        for effect in effects.values()
        if isinstance(effect, SubmitRegistration | ResendActivation | ChangeEmail)
    }


def messages_in(effects: dict[str, Effect]) -> dict[str, Say | Show]:
    """What is to be read by the person, by key and in order."""
    return {key: effect for key, effect in effects.items() if isinstance(effect, Say | Show)}


def doubles(update: Update, accepted: list[Accepted]) -> bool:
    """Whether an event that was not accepted is the same press as one that was."""
    event = update.event
    return isinstance(event, ButtonPressed) and any(
        isinstance(each.event, ButtonPressed) and (each.event.token, each.event.action) == (event.token, event.action)
        for each in accepted
    )


async def later(world: World, seconds: float) -> None:
    """Time passes, and whoever has waited long enough for an answer gives up."""
    end = world.now + timedelta(seconds=seconds)
    while due := [call for call in world.calls if call.ends <= end]:
        call = min(due, key=lambda each: each.ends)
        world.now = max(world.now, call.ends)
        await world.goes_on(call, Fate.ILL)
    world.now = end
