"""Who cannot be reached in WhatsApp: the 24 hours are over, or a message fails after it was taken. News goes by mail and comes when they
are back; an agent is told of their words. The runner, the stores, the delivery and HTTP are real.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from akses.keyring import Keyring
from backend_client.fake import FakeBackend
from bot.channels.whatsapp.channel import NAME
from bot.channels.whatsapp.running import WhatsApp
from bot.conversation import Conversation
from bot.delivery import OutboxDelivery
from bot.desk import MemoryDesk
from bot.limits import LocalBuckets
from bot.requests import BackendRequests
from bot.sessions import Memory, Sessions
from bot.stores.port import Commit, Store
from bot.turns import KEEP_SECONDS, TurnRunner
from dialogs.effects import MessageFate
from dialogs.events import ActivationChanged, ActivationStatus, AgentSaid, AgentTookOver
from dialogs.frozen import replace
from dialogs.office import Office
from dialogs.session import Registration, Session
from dialogs.testing import PROFILE
from tests.bot.telegram.hosts import UNLIMITED
from tests.bot.telegram.scripted import until
from tests.bot.test_delivery import Clock, backend  # noqa: F401 (a fixture)
from tests.bot.whatsapp.conftest import KEYS, running
from tests.fakes.whatsapp import FakeMeta, Person

ACTIVE = "sudah aktif"


@dataclass
class Side:
    store: Store
    turns: TurnRunner
    delivery: OutboxDelivery
    desk: MemoryDesk
    clock: Clock

    async def settles(self) -> None:
        """Work off everything that is due, as the loop does."""
        while batch := await self.store.due(self.clock().timestamp(), 60.0, 64):
            await self.delivery._work(batch)

    async def news(self, person: Person, status: ActivationStatus) -> None:
        event = ActivationChanged("reg1", status, self.clock())
        if (await self.turns.take(of(person), event, f"{status} {self.clock()}")).left:
            await self.turns.deliver(of(person))

    async def waiting(self, person: Person) -> int:
        async with self.delivery._in_order(of(person)):
            return len(await self.store.pending(str(of(person))))


def of(person: Person) -> Conversation:
    return Conversation(NAME, person.user)


@asynccontextmanager
async def side(store: Store, meta: FakeMeta, backend: FakeBackend) -> AsyncIterator[Side]:  # noqa: F811
    clock, desk, sessions = Clock(), MemoryDesk(), Sessions(Keyring.parse(KEYS))
    turns = TurnRunner(store, sessions, replace(PROFILE, office=Office(always=True)), clock=clock)
    made: list[OutboxDelivery] = []

    def prepare(whatsapp: WhatsApp) -> OutboxDelivery:
        delivery = OutboxDelivery(store, sessions, {NAME: whatsapp.channel}, clock=clock, chance=lambda: 0.5, desk=desk)
        turns.deliver_through(delivery)
        delivery.connect(turns, BackendRequests(backend, turns, notices=backend))
        made.append(delivery)
        return delivery

    buckets = LocalBuckets(UNLIMITED)
    async with running(meta, turns, store=store, prepare=prepare, buckets=buckets):
        yield Side(store, turns, made[0], desk, clock)


@pytest.fixture
async def siti(meta: FakeMeta, store: Store) -> Person:
    """Has handed a registration in, and was here a moment ago."""
    person = meta.person("Siti")
    person.window_open = True
    taken = (Registration("reg1", "h1", "Siti Rahmawati", "s***@example.com"),)
    session = Session(id="s1", channel=NAME, serial=9, registrations=taken, focus="reg1")
    state = Sessions(Keyring.parse(KEYS)).write(str(of(person)), 1, Memory(session))
    await store.commit(Commit(str(of(person)), 0, state, (), (), datetime.now(UTC).timestamp(), KEEP_SECONDS))
    return person


async def test_whoever_was_silent_for_a_day_is_told_by_mail_and_in_the_chat_when_they_write(
    store: Store, meta: FakeMeta, siti: Person, backend: FakeBackend  # noqa: F811
) -> None:  # fmt: skip
    async with side(store, meta, backend) as ours:
        siti.falls_silent()
        await ours.news(siti, "active")
        await ours.settles()
        assert backend.notices == [("reg1", "active")]
        assert siti.answers == []
        siti.says("/bantuan")
        await until(lambda: any(ACTIVE in each.text for each in siti.answers))
        await ours.settles()
        assert await ours.waiting(siti) == 0
        assert backend.notices == [("reg1", "active")]


@pytest.mark.parametrize("code", [131026, 131047, 131000])
async def test_news_that_fails_after_it_was_taken_goes_by_mail_once_however_often_that_is_told(
    store: Store, meta: FakeMeta, siti: Person, backend: FakeBackend, code: int  # noqa: F811
) -> None:  # fmt: skip
    async with side(store, meta, backend) as ours:
        meta.late_failures, siti.unreachable, meta.repeats = True, code, True
        await ours.news(siti, "active")
        await until(lambda: meta.answered.count(200) >= 2)
        await ours.settles()
        assert backend.notices == [("reg1", "active")]
        assert await ours.waiting(siti) == 1
        meta.late_failures, siti.unreachable = False, 0
        siti.says("/status")
        await until(lambda: any(ACTIVE in each.text for each in siti.answers))
        await ours.settles()
        assert await ours.waiting(siti) == 0
        await until(lambda: meta._waiting == [])
        assert backend.notices == [("reg1", "active")]


async def test_of_news_that_arrived_nothing_is_kept(
    store: Store, meta: FakeMeta, siti: Person, backend: FakeBackend  # noqa: F811
) -> None:  # fmt: skip
    async with side(store, meta, backend) as ours:
        await ours.news(siti, "active")
        (sent,) = meta.sent
        key = sent["biz_opaque_callback_data"].split(" ")[1]
        async with asyncio.timeout(30):
            while (await store.load(f"sent:{key}", 0.0)).state:  # noqa: ASYNC110 (the store tells nobody)
                await asyncio.sleep(0.01)
        await ours.delivery.returned(of(siti), key, unreachable=False)
        await ours.settles()
        assert backend.notices == []


async def test_news_that_is_not_so_any_more_is_not_brought_back(
    store: Store, meta: FakeMeta, siti: Person, backend: FakeBackend  # noqa: F811
) -> None:  # fmt: skip
    async with side(store, meta, backend) as ours:
        meta.tells = False
        await ours.news(siti, "expired")
        (sent,) = meta.sent
        await ours.news(siti, "active")
        key = sent["biz_opaque_callback_data"].split(" ")[1]
        await ours.delivery.returned(of(siti), key, unreachable=False)
        await ours.settles()
        assert await ours.waiting(siti) == 0


async def test_old_bad_news_of_a_message_costs_nobody_the_answer_that_is_on_its_way(
    store: Store, meta: FakeMeta, siti: Person, backend: FakeBackend  # noqa: F811
) -> None:  # fmt: skip
    async with side(store, meta, backend) as ours:
        meta.tells = False
        await ours.news(siti, "active")
        (sent,) = meta.sent
        key = sent["biz_opaque_callback_data"].split(" ")[1]
        meta.refuse(131000)
        siti.says("/bantuan")
        await until(lambda: bool(meta.refused))
        assert await ours.waiting(siti) == 1
        await ours.delivery.returned(of(siti), key, unreachable=True)
        for _ in range(3):
            ours.clock.pass_(20)
            await ours.settles()
        assert await ours.waiting(siti) == 0
        assert len(siti.answers) == 3, "the news, the answer, and the news that was said not to be there"
        assert backend.notices == []


async def test_an_agent_hears_that_their_word_did_not_arrive_after_all(
    store: Store, meta: FakeMeta, siti: Person, backend: FakeBackend  # noqa: F811
) -> None:  # fmt: skip
    async with side(store, meta, backend) as ours:
        meta.tells = False
        for event in (AgentTookOver("rina", "Rina", 0), AgentSaid("rina", "Rina", 1, "Selamat siang", "r1")):
            if (await ours.turns.take(of(siti), event, repr(event))).left:
                await ours.turns.deliver(of(siti))
        assert (await siti.sees("Rina:\nSelamat siang")).id
        await ours.settles()
        (sent,) = (each for each in meta.sent if "Selamat siang" in str(each))
        key = sent["biz_opaque_callback_data"].split(" ")[1]
        for _ in range(2):
            await ours.delivery.returned(of(siti), key, unreachable=True)
            await ours.settles()
        fates = [what.fate for what in ours.desk.of(of(siti)) if isinstance(what, MessageFate)]
        assert fates == ["sent", "unreachable"]


async def test_a_question_that_did_not_arrive_brings_nothing_back(
    store: Store, meta: FakeMeta, siti: Person, backend: FakeBackend  # noqa: F811
) -> None:  # fmt: skip
    async with side(store, meta, backend) as ours:
        meta.late_failures, siti.unreachable = True, 131026
        siti.says("/bantuan")
        await until(lambda: bool(meta.sent) and meta._waiting == [] and meta.answered[-1:] == [200])
        await ours.delivery.returned(of(siti), "unknown.1.0", unreachable=False)
        await ours.settles()
        assert await ours.waiting(siti) == 0
        assert backend.notices == []
