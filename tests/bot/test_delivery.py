"""Delivery to chats over a strict Telegram: nothing lost, order kept, limits respected, unreachable people told by mail.

The runner, the stores, the outbox loop, the limiter and aiogram are real, and so is HTTP; the clock of the outbox is the test's own where
time must pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
import redis

from akses.keyring import Keyring
from backend_client.client import BackendClient
from backend_client.errors import RequestRefused
from backend_client.fake import FakeBackend
from backend_client.models import Consent, NewRegistration
from backend_client.models import Registration as Taken
from bot.channels.port import Channel
from bot.channels.telegram.running import Telegram, TelegramConfig
from bot.conversation import Conversation
from bot.delivery import TRIES, OutboxDelivery
from bot.limits import Buckets, Limits, LocalBuckets, Rate
from bot.redis_limits import RedisBuckets
from bot.redis_link import RedisLink
from bot.requests import BackendRequests
from bot.sessions import Memory, Sessions
from bot.stores.embedded import EmbeddedStore
from bot.stores.port import Commit, Item, Outcome, Store
from bot.stores.redis import RedisStore
from bot.turns import KEEP_SECONDS, TurnRunner
from dialogs.effects import DeleteUserMessages, ResendActivation, Say
from dialogs.events import ActivationChanged, ActivationStatus
from dialogs.session import Registration, Session
from dialogs.testing import PROFILE
from tests.backend.stage import API_KEY, stage_on
from tests.fakes.bot_api import FakeBotApi, FloodControl
from tests.fakes.telegram_people import User

KEYS = Keyring.parse(Keyring.generate())
FAST = Limits(whole=Rate(1000, 50), chat=Rate(100, 50))  # for tests that are about something else
ACTIVE, EXPIRED = "sudah aktif", "kedaluwarsa"


@dataclass
class Clock:
    """The real time, or that of `still`, moved by what a test asks for."""

    still: datetime | None = None
    moved: timedelta = timedelta()

    def __call__(self) -> datetime:
        return (self.still or datetime.now(UTC)) + self.moved

    def pass_(self, seconds: float) -> None:
        self.moved += timedelta(seconds=seconds)


@dataclass
class Side:
    """Our side of Telegram in one process: everything of it can be thrown away and made anew on the same store."""

    store: Store
    telegram: Telegram
    turns: TurnRunner
    delivery: OutboxDelivery
    clock: Clock

    async def settles(self) -> None:
        """Work off everything that is due, as the loop does."""
        while batch := await self.store.due(self.clock().timestamp(), 60.0, 64):
            await self.delivery._work(batch)

    async def news(self, user: User, status: ActivationStatus, registration: str = "", id_: str = "") -> None:
        """The backend tells what became of a registration, as the status webhook passes it on."""
        chat, registration = of(user), registration or f"reg{user.id}"
        event = ActivationChanged(registration, status, self.clock())
        if (await self.turns.take(chat, event, id_ or f"{registration} {status} {self.clock()}")).left:
            await self.turns.deliver(chat)

    async def waiting(self, user: User) -> int:
        """How many messages are undelivered, once nobody is at it."""
        async with self.delivery._in_order(of(user)):
            return len(await self.store.pending(str(of(user))))


def of(user: User) -> Conversation:
    return Conversation("telegram", str(user.id))


@asynccontextmanager
async def side(
    store: Store,
    api: FakeBotApi,
    *,
    backend: FakeBackend | BackendClient | None = None,
    clock: Clock | None = None,
    buckets: Buckets | None = None,
    mode: Literal["polling", "webhook"] = "polling",
    looping: bool = False,
) -> AsyncIterator[Side]:
    clock = clock or Clock()
    config = TelegramConfig(api.token, api.base_url, mode, "a-secret", "http://127.0.0.1:9")
    telegram = Telegram(config, buckets=buckets or LocalBuckets(FAST))
    turns = TurnRunner(store, Sessions(KEYS), PROFILE, clock=clock)
    channels: dict[str, Channel] = {"telegram": telegram.channel}
    delivery = OutboxDelivery(store, Sessions(KEYS), channels, clock=clock, chance=lambda: 0.5)
    turns.deliver_through(delivery)
    delivery.connect(turns, BackendRequests(backend or FakeBackend(), turns, notices=backend))
    telegram.start(turns, reached=delivery.reached, blocked=delivery.blocked)
    loop = asyncio.create_task(delivery.run()) if looping else None
    try:
        await telegram.ready()
        yield Side(store, telegram, turns, delivery, clock)
    finally:
        if loop is not None:
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)
        await telegram.close()


async def registered(store: Store, user: User, *registrations: str) -> None:
    """The person has handed a registration in, and its mail is on the way: what a chat looks like then."""
    user.chat.started = True
    ids = registrations or (f"reg{user.id}",)
    taken = tuple(Registration(id_, f"h{id_}", "Siti Rahmawati", "s***@example.com") for id_ in ids)
    session = Session(id=f"s{user.id}", channel="telegram", serial=9, registrations=taken, focus=ids[0])
    now = datetime.now(UTC).timestamp()
    state = Sessions(KEYS).write(str(of(user)), 1, Memory(session))
    assert await store.commit(Commit(str(of(user)), 0, state, (), (), now, KEEP_SECONDS)) is Outcome.FIRST


@pytest.fixture
async def api() -> AsyncIterator[FakeBotApi]:
    async with FakeBotApi() as fake:
        yield fake


@pytest.fixture
async def user(api: FakeBotApi, store: Store) -> User:
    user = api.user("Siti")
    await registered(store, user)
    return user


@pytest.fixture
async def backend() -> FakeBackend:
    """A backend that knows `reg1`, which is active."""
    fake = FakeBackend(cooldown_seconds=0)
    consent = Consent("2026-11", datetime(2026, 11, 20, 3, 4, 5, tzinfo=UTC))
    new = NewRegistration(
        kind="individu_lokal",
        full_name="Siti Rahmawati",
        nik="3174095708900001",
        phone="+6281234567890",
        email="siti@example.com",
        language="id",
        channel="telegram",
        reference="telegram:900000001",
        consent=consent,
    )
    assert (await fake.create(new, key="k1")).id == "reg1"
    await fake.activate("reg1")
    return fake


async def until(true: Callable[[], bool], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - what is waited for has no event to wait on
            await asyncio.sleep(0.01)


def texts(user: User) -> list[str]:
    return [message.text for message in user.answers]


# --- limits


async def test_a_burst_of_news_keeps_to_telegram_s_limits_loses_nothing_and_an_answer_goes_first(
    store: Store, api: FakeBotApi
) -> None:
    people = [api.user(f"Orang {n}") for n in range(70)]
    for person in people:
        await registered(store, person)
    asking = api.user("Budi")
    api.flood_control, api.slow_seconds = FloodControl(), 0.05
    async with side(store, api, buckets=LocalBuckets(), looping=True) as ours:
        news = [asyncio.create_task(ours.news(person, "active")) for person in people]
        await until(lambda: sum(bool(person.answers) for person in people) > 10)
        asking.starts()
        await asking.sees("AKSes")
        served = sum(bool(person.answers) for person in people)
        await asyncio.gather(*news)
        await until(lambda: all(person.answers for person in people))
    assert served < 60, "the answer came while most of the news still waited"
    assert all(len(person.answers) == 1 and ACTIVE in person.answers[0].text for person in people)
    assert api.flood_control.refused == 0


async def test_three_processes_on_one_redis_keep_to_the_limits_together(redis_url: str, api: FakeBotApi) -> None:
    redis.Redis.from_url(redis_url).flushall()
    people = [api.user(f"Orang {n}") for n in range(75)]
    api.flood_control = FloodControl()
    async with AsyncExitStack() as stack:
        sides = []
        for number in range(3):
            link = await RedisLink.open(redis_url)
            stack.push_async_callback(link.close)
            store = RedisStore(link)
            if not number:
                for person in people:
                    await registered(store, person)
            buckets = RedisBuckets(link, "7")
            sides.append(await stack.enter_async_context(side(store, api, buckets=buckets, mode="webhook", looping=True)))
        await asyncio.gather(*(sides[n % 3].news(person, "active") for n, person in enumerate(people)))
        await until(lambda: all(person.answers for person in people))
    assert all(len(person.answers) == 1 for person in people)
    assert api.flood_control.refused == 0


async def test_a_chat_that_was_written_to_too_often_waits_as_long_as_telegram_says_and_nobody_else_does(
    store: Store, api: FakeBotApi, user: User
) -> None:
    other = api.user("Budi")
    await registered(store, other)
    async with side(store, api) as ours:
        api.flood("sendMessage", retry_after=30)
        await ours.news(user, "active")
        await ours.news(other, "active")
        assert (texts(user), len(texts(other))) == ([], 1)
        ours.clock.pass_(20)
        await ours.settles()
        assert len(api.called("sendMessage")) == 2, "not tried before its time"
        (item,) = await store.pending(str(of(user)))
        assert item.attempts == 0, "waiting for a limit is no failed attempt"


async def test_what_the_chat_must_wait_for_goes_when_its_time_has_come(store: Store, api: FakeBotApi, user: User) -> None:
    async with side(store, api) as ours:
        api.flood("sendMessage", retry_after=1)
        await ours.news(user, "active")
        ours.clock.pass_(2)
        await ours.settles()
        assert len(texts(user)) == 1
        assert await ours.waiting(user) == 0


# --- tidying up


async def test_a_message_that_telegram_will_not_delete_any_more_holds_up_nothing_and_is_no_dead_letter(
    store: Store, api: FakeBotApi, user: User
) -> None:
    """After 48 hours nobody deletes a person's message but the person."""
    api.refuse("deleteMessages", 400, "Bad Request: message can't be deleted")
    async with side(store, api) as ours:
        name, now = str(of(user)), ours.clock().timestamp()
        for key, message in (("k1", DeleteUserMessages(("1", "2"))), ("k2", Say("Datanya sudah dihapus."))):
            await store.add(name, Item(key, "say", Sessions(KEYS).write_effect(name, key, message), now))
        await ours.settles()
        assert texts(user) == ["Datanya sudah dihapus."]
        assert await ours.delivery.dead_letters() == []
        assert await ours.waiting(user) == 0


class Slow(FakeBackend):
    """Takes its time over a resend, and refuses it then."""

    def __init__(self, held: asyncio.Event) -> None:
        super().__init__()
        self._held = held

    async def resend(self, registration: str, *, key: str) -> Taken:
        await self._held.wait()
        raise RequestRefused(f"{registration} {key}")


async def resend_asked(ours: Side, user: User) -> None:
    name, request = str(of(user)), ResendActivation(f"hreg{user.id}-r1", f"reg{user.id}")
    await ours.store.add(name, Item("k1", "do", Sessions(KEYS).write_effect(name, "k1", request), ours.clock().timestamp()))


async def test_a_slow_answer_of_the_backend_is_shown_as_typing_until_it_is_there(
    store: Store, api: FakeBotApi, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.delivery.TYPING_AFTER_SECONDS", 0.01)
    monkeypatch.setattr("bot.delivery.TYPING_EVERY_SECONDS", 0.01)
    answered = asyncio.Event()
    async with side(store, api, backend=Slow(answered)) as ours:
        await resend_asked(ours, user)
        working = asyncio.create_task(ours.settles())
        await until(lambda: user.chat.actions[:3] == ["typing"] * 3)
        assert texts(user) == []
        answered.set()
        await working
        assert len(texts(user)) == 1
        assert not [task for task in asyncio.all_tasks() if task.get_name() == "typing" and not task.cancelling()]


async def test_a_quick_answer_is_not_announced(store: Store, api: FakeBotApi, user: User) -> None:
    answered = asyncio.Event()
    answered.set()
    async with side(store, api, backend=Slow(answered)) as ours:
        await resend_asked(ours, user)
        await ours.settles()
        assert len(texts(user)) == 1
        assert api.called("sendChatAction") == []


# --- faults


async def test_a_burst_of_server_errors_is_waited_out_with_growing_pauses_and_the_order_is_kept(
    store: Store, api: FakeBotApi, user: User
) -> None:
    await registered(store, other := api.user("Budi"), "a", "b", "c")
    async with side(store, api, clock=Clock(datetime.now(UTC))) as ours:
        api.refuse("sendMessage", 502, "Bad Gateway", times=5)
        for registration in ("b", "c"):
            await ours.news(other, "active", registration)
        await ours.news(other, "expired", "a")
        pauses = []
        for _ in range(5):
            before = len(api.called("sendMessage"))
            due = min(item.due for item in await store.pending(str(of(other))))
            pauses.append(round(due - ours.clock().timestamp()))
            ours.clock.pass_(due - ours.clock().timestamp() - 1)
            await ours.settles()
            assert len(api.called("sendMessage")) == before, "not before its time"
            ours.clock.pass_(1.1)
            await ours.settles()
        assert pauses == [2, 5, 14, 43, 130]
        assert [ACTIVE in text for text in texts(other)] == [True, True, False]
        assert await ours.waiting(other) == 0


async def test_after_eight_tries_a_message_is_a_dead_letter_that_can_be_seen_and_tried_again(
    store: Store, api: FakeBotApi, user: User
) -> None:
    async with side(store, api) as ours:
        api.refuse("sendMessage", 502, "Bad Gateway", times=TRIES)
        start = ours.clock.moved
        await ours.news(user, "active")
        for _ in range(TRIES):
            if waiting := await store.pending(str(of(user))):
                ours.clock.pass_(waiting[0].due - ours.clock().timestamp() + 0.1)
                await ours.settles()
        assert timedelta(minutes=25) < ours.clock.moved - start < timedelta(minutes=35)
        assert len(api.called("sendMessage")) == TRIES
        assert await ours.waiting(user) == 0, "it stands in nobody's way"
        (letter,) = await ours.delivery.dead_letters()
        assert (letter.channel, letter.reason) == ("telegram", "failed")
        assert str(user.id) not in letter.id.removeprefix(f"s{user.id}")
        assert await ours.delivery.replay(letter.id)
        await ours.settles()
        assert len(texts(user)) == 1
        assert await ours.delivery.dead_letters() == []
        assert not await ours.delivery.replay(letter.id)


async def test_a_dead_letter_that_is_no_longer_so_is_not_told(store: Store, api: FakeBotApi, user: User) -> None:
    async with side(store, api) as ours:
        # The second time without its adornments.
        api.refuse("sendMessage", 400, "Bad Request: message is too strange", times=2)
        await ours.news(user, "expired")
        (letter,) = await ours.delivery.dead_letters()
        assert letter.reason == "refused"
        await ours.news(user, "active")
        assert not await ours.delivery.replay(letter.id)
        await ours.settles()
        assert [ACTIVE in text for text in texts(user)] == [True]
        assert await ours.delivery.dead_letters() == []


async def test_a_dead_letter_survives_the_process_and_goes_after_a_month(store: Store, api: FakeBotApi, user: User) -> None:
    clock = Clock()
    async with side(store, api, clock=clock) as ours:
        api.refuse("sendMessage", 400, "Bad Request: message is too strange", times=2)
        await ours.news(user, "active")
    async with side(store, api, clock=clock) as after:
        clock.pass_(29 * 24 * 3600)
        await after.settles()
        assert len(await after.delivery.dead_letters()) == 1
        clock.pass_(24 * 3600 + 1)
        await after.settles()
        assert await after.delivery.dead_letters() == []


async def test_a_connection_that_breaks_after_the_message_is_tried_once_more_and_then_given_up(
    store: Store, api: FakeBotApi, user: User
) -> None:
    """Said twice is better than not at all; but not for ever."""
    async with side(store, api) as ours:
        api.cut_after("sendMessage")
        await ours.news(user, "expired")
        ours.clock.pass_(3)
        await ours.settles()
        assert len(texts(user)) == 2
        assert await ours.waiting(user) == 0
        api.cut_after("sendMessage", times=9)
        await ours.news(user, "active")
        for _ in range(5):
            ours.clock.pass_(60)
            await ours.settles()
        assert len(texts(user)) == 4
        assert [letter.reason for letter in await ours.delivery.dead_letters()] == ["unknown"]


# --- people who cannot be reached


async def test_who_blocked_the_bot_is_not_tried_again_and_is_told_by_mail_once(
    store: Store, api: FakeBotApi, backend: FakeBackend
) -> None:
    user = api.user("Siti")
    await registered(store, user, "reg1")
    async with side(store, api, backend=backend) as ours:
        user.chat.blocked = True
        await ours.news(user, "active", "reg1")
        assert backend.notices == []
        await ours.settles()
        assert backend.notices == [("reg1", "active")]
        for _ in range(5):
            ours.clock.pass_(3600)
            await ours.settles()
        assert len(api.called("sendMessage")) == 1
        assert backend.notices == [("reg1", "active")]


async def test_who_blocks_the_bot_while_news_waits_for_them_is_told_by_mail_without_another_try(
    store: Store, api: FakeBotApi, backend: FakeBackend
) -> None:
    user = api.user("Siti")
    await registered(store, user, "reg1")
    async with side(store, api, backend=backend) as ours:
        api.refuse("sendMessage", 502, "Bad Gateway")
        await ours.news(user, "active", "reg1")
        user.blocks()
        async with asyncio.timeout(30):
            while not backend.notices:
                await ours.settles()
                await asyncio.sleep(0.01)
        assert backend.notices == [("reg1", "active")]
        assert len(api.called("sendMessage")) == 1
        user.unblocks()
        await user.sees(ACTIVE)


async def test_only_the_newest_news_is_kept_and_told_first_when_the_person_is_back(
    store: Store, api: FakeBotApi, backend: FakeBackend
) -> None:
    clock = Clock()
    user = api.user("Siti")
    await registered(store, user, "reg1")
    async with side(store, api, backend=backend, clock=clock) as ours:
        user.chat.blocked = True
        await ours.news(user, "expired", "reg1")
        await ours.settles()
        await ours.news(user, "mailed", "reg1")
        await ours.news(user, "active", "reg1")
        clock.pass_(15)
        await ours.settles()
        assert await ours.waiting(user) == 1
        assert len(api.called("sendMessage")) == 1
        assert backend.notices == [("reg1", "active")], "the news of before is not so any more"
    async with side(store, api, backend=backend, clock=clock) as after:
        user.unblocks()
        await user.sees(ACTIVE)
        user.says("/status")
        await until(lambda: len(texts(user)) == 2)
        await after.settles()
        assert not any(EXPIRED in text for text in texts(user))
        assert len(texts(user)) == 2
        assert backend.notices == [("reg1", "active")]


async def test_any_word_of_the_person_brings_what_was_kept_and_then_the_answer(
    store: Store, api: FakeBotApi, backend: FakeBackend
) -> None:
    """Telegram need not have told that the bot was let in again."""
    user = api.user("Siti")
    await registered(store, user, "reg1", "reg2")
    async with side(store, api, backend=backend) as ours:
        user.chat.blocked = True
        await ours.news(user, "expired", "reg2")
        await ours.news(user, "active", "reg1")
        ours.clock.pass_(15)
        await ours.settles()
        assert await ours.waiting(user) == 2, "of each registration the newest"
        user.chat.blocked = False
        user.says("/bantuan")
        await until(lambda: len(texts(user)) == 3)
        assert ACTIVE not in texts(user)[0]
        assert ACTIVE in texts(user)[1]
        assert await ours.waiting(user) == 0


async def test_who_is_still_not_to_be_reached_is_put_by_again_and_not_mailed_again(
    store: Store, api: FakeBotApi, backend: FakeBackend
) -> None:
    user = api.user("Siti")
    await registered(store, user, "reg1")
    async with side(store, api, backend=backend) as ours:
        user.chat.blocked = True
        await ours.news(user, "active", "reg1")
        await ours.settles()
        for _ in range(3):
            await ours.delivery.reached(of(user))
            await ours.settles()
        assert len(api.called("sendMessage")) == 4
        assert backend.notices == [("reg1", "active")]
        assert await ours.waiting(user) == 1


async def test_an_answer_that_finds_nobody_is_dropped_and_the_chat_goes_on_when_they_are_back(
    store: Store, api: FakeBotApi, user: User
) -> None:
    async with side(store, api) as ours:
        user.chat.blocked = True
        user.says("/status")
        await until(lambda: bool(api.called("sendMessage")))
        await ours.settles()
        assert await ours.waiting(user) == 0
        user.chat.blocked = False
        user.says("/status")
        await until(lambda: len(texts(user)) == 1)


async def test_the_mail_is_asked_for_until_the_backend_is_back(store: Store, api: FakeBotApi, backend: FakeBackend) -> None:
    clock = Clock()
    user = api.user("Siti")
    await registered(store, user, "reg1")
    backend.down = True
    async with side(store, api, backend=backend, clock=clock) as ours:
        user.chat.blocked = True
        await ours.news(user, "active", "reg1")
        for _ in range(4):
            await ours.settles()
            clock.pass_(70)
    backend.down, backend.lose_answers = False, True
    async with side(store, api, backend=backend, clock=clock) as after:
        await after.settles()
        backend.lose_answers = False
        clock.pass_(70)
        await after.settles()
        clock.pass_(70)
        await after.settles()
    assert backend.notices == [("reg1", "active")]
    assert len(api.called("sendMessage")) == 1


async def test_news_that_was_overtaken_while_it_waited_is_not_told(store: Store, api: FakeBotApi, user: User) -> None:
    async with side(store, api) as ours:
        api.refuse("sendMessage", 502, "Bad Gateway")
        await ours.news(user, "expired")
        await ours.news(user, "active")
        ours.clock.pass_(15)
        await ours.settles()
        assert [ACTIVE in text for text in texts(user)] == [True]


async def test_the_real_backend_mails_who_blocked_the_bot_once(api: FakeBotApi, tmp_path: Path) -> None:
    async with stage_on(f"sqlite:///{tmp_path}/accounts.db", KEYS) as stage, AsyncExitStack() as stack:
        store = await EmbeddedStore.open(tmp_path / "dialog.db")
        stack.push_async_callback(store.close)
        user = api.user("Siti")
        made = await stage.register(reference=str(of(user)), channel="telegram")
        await registered(store, user, made["id"])
        await stage.activate(await stage.smtp.token())
        stage.let_pass(minutes=2)
        client = await stack.enter_async_context(BackendClient(str(stage.http.base_url), API_KEY))
        user.chat.blocked = True
        async with side(store, api, backend=client, looping=True) as ours:
            await ours.news(user, "active", made["id"])
            notice = (await stage.smtp.mails(2))[1]
            await ours.delivery.reached(of(user))
            await until(lambda: len(api.called("sendMessage")) == 2)
            user.unblocks()
            await user.sees(ACTIVE)
        assert notice["To"] == "siti.rahmawati@example.com"
        assert notice["Subject"] == "Akun AKSes Anda sudah aktif"
        assert len(stage.smtp.taken) == 2
