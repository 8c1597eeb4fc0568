"""The runner: order, duplicates, races, and a crash between any two lines; on each store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from akses.keyring import Keyring
from backend_client.errors import BackendUnreachable
from backend_client.fake import FakeBackend
from backend_client.models import NewRegistration, Registration
from bot.channels.port import Capabilities, Dead, Delivery, Later, Sent
from bot.conversation import Conversation
from bot.delivery import OutboxDelivery
from bot.moves import Links, Moves, Places
from bot.requests import BackendRequests
from bot.sessions import Memory, Sessions
from bot.stores.embedded import EmbeddedStore
from bot.stores.port import Commit, Item, Loaded, Store, StoreUnavailable
from bot.turns import TurnRunner
from dialogs.effects import Message, Say, Show
from dialogs.events import ActivationChanged, ButtonPressed, CommandSent, Event, Started, TextSent
from dialogs.frozen import replace
from dialogs.registration import step_id
from dialogs.session import VERSION, Session
from dialogs.testing import PROFILE

CHAT = Conversation("web", "a")
KEYS = Keyring.parse(Keyring.generate())
PLACES: Places = {
    "telegram": lambda token: f"https://t.me/contoh_bot?start={token}",
    "web": lambda token: f"https://akses.example/chat#{token}",
}


class Crashed(BaseException):
    """The process dies here: nothing after this line happens, and no handler may catch it as an error."""


def registered(backend: FakeBackend) -> set[str]:
    """The registrations that the backend has taken; each was mailed a link."""
    return {registration for registration, _ in backend.mails}


@dataclass
class Clock:
    now: datetime = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Screenful:
    """A channel that keeps what was delivered, and does as it is told."""

    name: str = "web"
    capabilities: Capabilities = Capabilities(buttons=10)  # noqa: RUF009 (frozen)
    got: list[tuple[str, str, Message]] = field(default_factory=list)
    answers: list[Delivery] = field(default_factory=list)

    def typing(self, address: str) -> None: ...

    async def deliver(self, address: str, message: Message, key: str) -> Delivery:
        answer = self.answers.pop(0) if self.answers else Sent(key)
        if isinstance(answer, Sent):
            self.got.append((address, key, message))
        return answer

    def steps(self, address: str = "a") -> list[str]:
        return [message.screen.step for to, _, message in self.got if to == address and isinstance(message, Show)]


class Breaking:
    """A store that dies before or after its nth call, as a process does."""

    def __init__(self, store: Store, at: float = float("inf")) -> None:
        self._store = store
        self.at = at
        self.calls = 0.0

    async def _call(self, work: Callable[[], Awaitable[Any]]) -> Any:
        self.calls += 0.5
        if self.calls == self.at:
            raise Crashed
        result = await work()
        self.calls += 0.5
        if self.calls == self.at:
            raise Crashed
        return result

    async def load(self, conversation: str, now: float) -> Loaded:
        return await self._call(lambda: self._store.load(conversation, now))

    async def commit(self, commit: Commit) -> bool:
        return await self._call(lambda: self._store.commit(commit))

    async def add(self, conversation: str, item: Item) -> None:
        await self._call(lambda: self._store.add(conversation, item))

    async def pending(self, conversation: str) -> Sequence[Item]:
        return await self._call(lambda: self._store.pending(conversation))

    async def done(self, conversation: str, keys: Sequence[str]) -> bool:
        return await self._call(lambda: self._store.done(conversation, keys))

    async def postpone(self, conversation: str, key: str, due: float, attempts: int) -> None:
        await self._call(lambda: self._store.postpone(conversation, key, due, attempts))

    async def due(self, now: float, lease: float, limit: int) -> Sequence[tuple[str, Item]]:
        return await self._call(lambda: self._store.due(now, lease, limit))

    async def expire(self, now: float) -> int:
        return await self._store.expire(now)

    async def close(self) -> None:
        await self._store.close()


@dataclass
class Bot:
    """A process: everything of it can be thrown away and made anew on the same store, channel and backend."""

    store: Store
    clock: Clock
    channel: Screenful
    backend: Any
    keys: Keyring = KEYS

    def __post_init__(self) -> None:
        sessions = Sessions(self.keys)
        self.turns = TurnRunner(self.store, sessions, PROFILE, clock=self.clock)
        self.delivery = OutboxDelivery(self.store, sessions, {"web": self.channel}, clock=self.clock)
        self.turns.deliver_through(self.delivery)
        self.moves = Moves(Links(self.store, self.keys, self.clock), self.turns, self.turns, PLACES, self.clock)
        self.requests = BackendRequests(self.backend, self.turns)
        self.delivery.connect(self.turns, self.requests, self.moves)

    async def happens(self, event: Event, id_: str, chat: Conversation = CHAT) -> None:
        if (await self.turns.take(chat, event, id_)).left:
            await self.turns.deliver(chat)

    async def settles(self) -> None:
        """Work off everything that is due, as the delivery loop does, until there is no more."""
        while batch := await self.store.due(self.clock().timestamp(), 60.0, 64):
            await self.delivery._work(batch)

    async def step(self, chat: Conversation = CHAT) -> str:
        session = await self.turns.session(chat)
        return step_id(session) if session else "-"

    async def presses(self, action: str, id_: str) -> None:
        shown = [message.screen for _, _, message in self.channel.got if isinstance(message, Show)]
        await self.happens(ButtonPressed(shown[-1].token, action), id_)

    async def fills_in(self) -> None:
        await self.happens(Started(), "e0")
        await self.presses("agree", "e1")
        await self.presses("kind.individu_lokal", "e2")
        for number, answer in enumerate(("Siti Rahmawati", "3171234501900001", "081234567890", "siti@example.com")):
            await self.happens(TextSent(answer, f"m{number}"), f"e{3 + number}")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def backend(clock: Clock) -> FakeBackend:
    return FakeBackend(clock=clock)


@pytest.fixture
def bot(store: Store, clock: Clock, backend: FakeBackend) -> Bot:
    return Bot(store, clock, Screenful(), backend)


async def test_a_registration_goes_through_to_the_backend_and_back_to_the_chat(bot: Bot, backend: FakeBackend) -> None:
    await bot.fills_in()
    await bot.presses("activate", "e7")
    await bot.settles()
    assert bot.channel.steps()[-2:] == ["sending", "pending"]
    assert len(registered(backend)) == 1


async def test_an_event_delivered_again_changes_nothing_and_says_nothing_twice(bot: Bot) -> None:
    await bot.happens(Started(), "e0")
    for _ in range(20):
        await bot.happens(Started(), "e0")
    assert bot.channel.steps() == ["consent"]


async def test_twenty_copies_of_one_event_at_once_are_one_turn(bot: Bot) -> None:
    await asyncio.gather(*(bot.happens(Started(), "e0") for _ in range(20)))
    assert bot.channel.steps() == ["consent"]


async def answer(bot: Bot, event: Event, id_: str) -> Message | None:
    """What a channel that can answer by itself is given to answer with."""
    return (await bot.turns.take(CHAT, event, id_, answerable=lambda _: True)).answer


async def test_a_channel_that_answers_by_itself_is_given_the_message_and_nothing_else_is_kept_of_it(
    bot: Bot, store: Store
) -> None:
    assert isinstance(await answer(bot, Started(), "e0"), Show)
    assert await store.pending(str(CHAT)) == []


async def test_the_newest_event_delivered_again_is_answered_with_the_screen_in_force_and_an_older_one_not_at_all(
    bot: Bot,
) -> None:
    first = await answer(bot, Started(), "e0")
    assert first is not None
    assert await answer(bot, Started(), "e0") == first
    await answer(bot, CommandSent("status"), "e1")
    assert await answer(bot, Started(), "e0") is None


async def test_an_answer_that_got_lost_is_given_again_also_when_the_backend_had_quiet_news_meanwhile(
    bot: Bot, backend: FakeBackend
) -> None:
    await bot.fills_in()
    await bot.presses("activate", "e7")
    await bot.settles()
    first = await answer(bot, CommandSent("status"), "e8")
    (registration,) = registered(backend)
    await bot.happens(ActivationChanged(registration, "mailed", bot.clock()), "hook-1")
    again = await answer(bot, CommandSent("status"), "e8")
    assert isinstance(first, Show)
    assert isinstance(again, Show)
    assert again.screen.token == first.screen.token


async def test_an_answer_does_not_overtake_messages_that_still_wait(bot: Bot, clock: Clock) -> None:
    bot.channel.answers = [Later(5)]
    await bot.happens(Started(), "e0")
    assert await answer(bot, CommandSent("status"), "e1") is None
    clock.now += timedelta(seconds=30)
    await bot.settles()
    assert len(bot.channel.got) == 2


async def test_a_conversation_of_a_newer_version_is_left_to_the_newer_process(bot: Bot, store: Store) -> None:
    newer = replace(Session(id="x", channel="web"), version=(VERSION[0] + 1, 0))
    state = Sessions(KEYS).write(str(CHAT), 1, Memory(newer))
    await store.commit(Commit(str(CHAT), 0, state, (), (), bot.clock().timestamp(), 1000.0))
    with pytest.raises(StoreUnavailable):
        await bot.turns.take(CHAT, Started(), "e0")
    assert (await store.load(str(CHAT), bot.clock().timestamp())).revision == 1


async def test_quick_messages_of_one_person_are_taken_in_the_order_of_their_arrival(bot: Bot) -> None:
    await bot.happens(Started(), "e0")
    await bot.presses("agree", "e1")
    await bot.presses("kind.individu_lokal", "e2")
    answers = ("Siti Rahmawati", "3171234501900001", "081234567890", "siti@example.com")
    await asyncio.gather(*(bot.happens(TextSent(answer, f"m{n}"), f"q{n}") for n, answer in enumerate(answers)))
    session = await bot.turns.session(CHAT)
    assert session is not None
    assert session.draft is not None
    assert {id_: answer.value for id_, answer in session.draft.answers.items()} == {
        "full_name": "Siti Rahmawati",
        "nik": "3171234501900001",
        "phone": "+6281234567890",
        "email": "siti@example.com",
    }
    assert bot.channel.steps()[-4:] == ["nik", "phone", "email", "summary"]


async def test_two_processes_on_one_store_lose_no_event_of_one_conversation(
    store: Store, clock: Clock, backend: FakeBackend
) -> None:
    channel = Screenful()
    bots = [Bot(store, clock, channel, backend) for _ in range(2)]
    await bots[0].happens(Started(), "e0")
    await asyncio.gather(*(bots[n % 2].happens(CommandSent("status"), f"s{n}") for n in range(20)))
    assert len(channel.got) == 21
    session = await bots[0].turns.session(CHAT)
    assert session is not None
    assert session.serial == 21


async def test_ten_taps_on_aktivasi_make_one_registration(bot: Bot, backend: FakeBackend) -> None:
    await bot.fills_in()
    await asyncio.gather(*(bot.presses("activate", f"tap{n}") for n in range(10)))
    await bot.settles()
    assert len(registered(backend)) == 1
    assert bot.channel.steps().count("pending") == 1


async def test_conversations_do_not_wait_for_each_other(bot: Bot) -> None:
    chats = [Conversation("web", f"c{n}") for n in range(5)]
    await asyncio.gather(*(bot.happens(Started(), "e0", chat) for chat in chats))
    assert [bot.channel.steps(chat.address) for chat in chats] == [["consent"]] * 5


# --- the backend and the channel have bad days


class Away:
    """A backend that is unreachable so many times, and then is the one behind it."""

    def __init__(self, backend: FakeBackend, times: int) -> None:
        self._backend, self.times, self.keys = backend, times, list[str]()

    async def create(self, registration: NewRegistration, *, key: str) -> Registration:
        self.keys.append(key)
        if self.times:
            self.times -= 1
            raise BackendUnreachable
        return await self._backend.create(registration, key=key)


async def test_while_the_backend_is_away_the_hand_off_is_tried_again_under_the_same_key(
    store: Store, clock: Clock, backend: FakeBackend
) -> None:
    away = Away(backend, 3)
    bot = Bot(store, clock, Screenful(), away)
    await bot.fills_in()
    await bot.presses("activate", "e7")
    for _ in range(6):
        await bot.settles()
        clock.now += timedelta(seconds=70)
    assert len(away.keys) == 4
    assert len(set(away.keys)) == 1
    told = [message for _, _, message in bot.channel.got if isinstance(message, Say)]
    assert len(told) == 1, "told once that it takes longer"
    assert bot.channel.steps()[-1] == "pending"
    assert len(registered(backend)) == 1


async def test_a_message_that_must_wait_holds_back_the_ones_after_it(bot: Bot, clock: Clock) -> None:
    bot.channel.answers = [Later(30)]
    await bot.happens(Started(), "e0")
    await bot.happens(CommandSent("status"), "e1")
    bot_before = list(bot.channel.got)
    clock.now += timedelta(seconds=40)
    await bot.settles()
    keys = [key for _, key, _ in bot.channel.got]
    assert keys == sorted(keys, key=lambda key: int(key.split(".")[1]))
    assert len(keys) == 2
    assert len(bot_before) <= 2


async def test_a_chat_that_cannot_be_reached_does_not_keep_its_messages_for_ever(bot: Bot, store: Store) -> None:
    bot.channel.answers = [Dead("blocked")]
    await bot.happens(Started(), "e0")
    assert await store.pending(str(CHAT)) == []


async def test_a_store_that_is_away_is_told_to_the_channel_so_that_the_event_comes_again(
    tmp_path: Path, clock: Clock, backend: FakeBackend
) -> None:
    store = await EmbeddedStore.open(tmp_path / "dialog.db")
    bot = Bot(store, clock, Screenful(), backend)
    await store.close()
    with pytest.raises(StoreUnavailable):
        await bot.turns.take(CHAT, Started(), "e0")


# --- crashes


@pytest.mark.parametrize("at", [n / 2 for n in range(1, 40)])
async def test_a_crash_before_or_after_any_call_loses_nothing_and_registers_once(
    store: Store, clock: Clock, backend: FakeBackend, at: float
) -> None:
    """The process dies at one point of the journey, another takes over, and every event is delivered again as channels do."""
    channel = Screenful()
    await Bot(store, clock, channel, backend).fills_in()
    shown = [message.screen for _, _, message in channel.got if isinstance(message, Show)]
    press = ButtonPressed(shown[-1].token, "activate")
    dying = Bot(Breaking(store, at), clock, channel, backend)
    try:
        await dying.happens(press, "e7")
        await dying.settles()
    except (Crashed, BaseExceptionGroup):
        pass
    clock.now += timedelta(seconds=90)
    after = Bot(store, clock, channel, backend)
    await after.happens(press, "e7")
    for _ in range(4):
        await after.settles()
        clock.now += timedelta(seconds=90)
    assert len(registered(backend)) == 1
    assert await after.step() == "pending"
    assert "pending" in channel.steps()
    assert await store.pending(str(CHAT)) == []


async def test_news_told_twice_by_the_backend_is_said_once(bot: Bot, backend: FakeBackend) -> None:
    await bot.fills_in()
    await bot.presses("activate", "e7")
    await bot.settles()
    (registration,) = registered(backend)
    news = ActivationChanged(registration, "active", bot.clock())
    await bot.happens(news, "hook-1")
    await bot.happens(news, "hook-1")
    await bot.happens(news, "hook-2")
    assert bot.channel.steps().count("active") == 1


def contents(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_nothing_personal_stands_in_the_store_in_the_clear(tmp_path: Path, clock: Clock, backend: FakeBackend) -> None:
    store = await EmbeddedStore.open(tmp_path / "dialog.db")
    bot = Bot(store, clock, Screenful(), backend)
    await bot.fills_in()
    await bot.presses("activate", "e7")
    kept = contents(tmp_path)
    await store.close()
    for secret in (b"Siti", b"Rahmawati", b"3171234501900001", b"81234567890", b"siti@example.com"):
        assert secret not in kept
    assert b"web:a" in kept
