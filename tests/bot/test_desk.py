"""The helpdesk's port: told at least once, whatever is away; agents act once and learn what came of it; lookers-on see nothing personal."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from akses.keyring import Keyring
from backend_client.fake import FakeBackend
from bot.channels.port import Capabilities, Dead, Delivery, Refused, Sent
from bot.conversation import Conversation
from bot.delivery import OutboxDelivery
from bot.desk import Agents, Line, MemoryDesk, order_of
from bot.live import Live
from bot.requests import BackendRequests
from bot.sessions import Sessions
from bot.stores.memory import MemoryStore
from bot.turns import TurnRunner
from dialogs.effects import DeskChanged, MessageFate, OpenTicket, Relay, Say, Show
from dialogs.effects import Message as Effect
from dialogs.events import ActivationChanged, AgentReturned, AgentSaid, AgentTookOver, ButtonPressed, Event, Started, TextSent
from dialogs.frozen import replace
from dialogs.office import Office
from dialogs.registration import token
from dialogs.session import Session
from dialogs.testing import NOON, PROFILE

KEYS = Keyring.parse(Keyring.generate())
CHAT = Conversation("web", "a")


@dataclass
class Page:
    """A chat that takes what it is told to take."""

    name: str = "web"
    capabilities: Capabilities = Capabilities(buttons=10)  # noqa: RUF009 (frozen)
    answers: Delivery = Sent("7")  # noqa: RUF009 (frozen)
    seen: list[Effect] = field(default_factory=list)

    async def deliver(self, address: str, message: Effect, key: str) -> Delivery:
        assert (address, bool(key)) == ("a", True)
        if isinstance(self.answers, Sent):
            self.seen.append(message)
        return self.answers


class Bot:
    """One process with a helpdesk, on a store in memory."""

    def __init__(self, desk: MemoryDesk | None) -> None:
        self.now, self.desk, self.page, self.store = NOON, desk, Page(), MemoryStore()
        self.suppressed: list[Conversation] = []
        self.turns = TurnRunner(self.store, Sessions(KEYS), replace(PROFILE, office=Office()), clock=self.clock)
        self.delivery = OutboxDelivery(
            self.store,
            Sessions(KEYS),
            {"web": self.page},
            clock=self.clock,
            desk=desk,
            suppressed=self.suppressed.append,
        )
        self.turns.deliver_through(self.delivery)
        self.delivery.connect(self.turns, BackendRequests(FakeBackend(), self.turns))
        self.agents = Agents(self.turns, self.turns)
        self.number = 0

    def clock(self) -> datetime:
        return self.now

    async def happens(self, event: Event, *, delivered: bool = True) -> None:
        self.number += 1
        if (await self.turns.take(CHAT, event, f"e{self.number}")).left and delivered:
            await self.turns.deliver(CHAT)

    async def session(self) -> Session:
        session = await self.turns.session(CHAT)
        assert session is not None
        return session

    async def works_off(self) -> None:
        while batch := await self.store.due(self.clock().timestamp(), 60.0, 64):
            await self.delivery._work(batch)

    async def at_nik(self) -> None:
        await self.happens(Started())
        for action in ("agree", "kind.individu_lokal"):
            await self.happens(ButtonPressed(token(await self.session()), action))
        await self.happens(TextSent("Siti Rahmawati", "m1"))


@pytest.fixture
async def bot() -> Bot:
    bot = Bot(MemoryDesk())
    await bot.at_nik()
    return bot


def desk_of(bot: Bot) -> MemoryDesk:
    assert bot.desk is not None
    return bot.desk


async def test_the_desk_is_told_the_ticket_the_talk_and_every_owner_in_order(bot: Bot) -> None:
    await bot.happens(TextSent("petugas", "m2"))
    await bot.happens(TextSent("Halo?", "m3"))
    await bot.happens(AgentSaid("rina", "Rina", 1, "Selamat siang.", "r1"))
    await bot.works_off()
    told = [what for what in desk_of(bot).of(CHAT) if not isinstance(what, MessageFate)]
    assert [type(what) for what in told] == [OpenTicket, DeskChanged, Relay, DeskChanged, Relay]
    assert [what.ownership for what in told if isinstance(what, DeskChanged)] == [1, 2]


async def test_a_desk_that_is_away_holds_nobody_up_and_is_told_when_it_is_back(bot: Bot) -> None:
    desk_of(bot).away = True
    await bot.happens(TextSent("petugas", "m2"))
    await bot.works_off()
    assert not desk_of(bot).told
    assert isinstance(bot.page.seen[-1], Show)
    assert bot.page.seen[-1].screen.step == "queued"
    desk_of(bot).away = False
    bot.now += timedelta(seconds=5)
    await bot.works_off()
    assert [type(what) for what in desk_of(bot).of(CHAT)] == [OpenTicket, DeskChanged]


async def test_what_a_desk_was_to_be_told_that_is_there_no_more_is_let_go() -> None:
    bot = Bot(None)
    await bot.at_nik()
    await bot.happens(TextSent("petugas", "m2"))
    await bot.works_off()
    assert [item for item in await bot.store.pending(str(CHAT)) if item.lane == "do"] == []


async def test_two_agents_take_at_once_and_the_second_learns_who_has_it(bot: Bot) -> None:
    seen = (await bot.session()).ownership
    first, second = await asyncio.gather(
        bot.agents.act(CHAT, AgentTookOver("rina", "Rina", seen), "a1"),
        bot.agents.act(CHAT, AgentTookOver("budi", "Budi", seen), "a2"),
    )
    await bot.agents.close()
    assert (first.happened, second.happened) == (True, False)
    assert second.desk is not None
    assert (second.desk.name, second.ownership) == ("Rina", seen + 1)


async def test_an_action_that_comes_again_is_done_once_and_says_that_it_was(bot: Bot) -> None:
    for _ in range(3):
        acted = await bot.agents.act(CHAT, AgentSaid("rina", "Rina", 0, "Halo", "r1"), "a1")
        assert acted.happened
    await bot.agents.close()
    assert [message.text for message in bot.page.seen if isinstance(message, Say)] == ["Halo"]


async def test_nobody_acts_on_a_conversation_that_there_is_not() -> None:
    bot = Bot(MemoryDesk())
    acted = await bot.agents.act(CHAT, AgentTookOver("rina", "Rina", 0), "a1")
    assert (acted.happened, acted.desk) == (False, None)
    assert await bot.turns.session(CHAT) is None


@pytest.mark.parametrize(
    ("answer", "fate"), [(Sent("7"), "sent"), (Refused("too long"), "refused"), (Dead("blocked"), "unreachable")]
)
async def test_the_fate_of_an_agent_s_message_is_told(bot: Bot, answer: Delivery, fate: str) -> None:
    await bot.happens(AgentTookOver("rina", "Rina", 0))
    bot.page.answers = answer
    await bot.happens(AgentSaid("rina", "Rina", 1, "Halo", "r1"))
    await bot.works_off()
    told = desk_of(bot).fates()["r1"]
    assert (told.fate, told.message) == (fate, "7" if fate == "sent" else "")


async def test_a_question_of_the_bot_that_still_waits_when_an_agent_has_come_is_not_asked(bot: Bot) -> None:
    shown = len(bot.page.seen)
    await bot.happens(TextSent("3171234501900001", "m2"), delivered=False)
    await bot.happens(AgentTookOver("rina", "Rina", 0), delivered=False)
    await bot.turns.deliver(CHAT)
    steps = [message.screen.step for message in bot.page.seen[shown:] if isinstance(message, Show)]
    assert steps == ["human"]
    assert bot.suppressed == [CHAT]
    await bot.happens(AgentReturned("rina", 1))
    assert isinstance(bot.page.seen[-1], Show)
    assert bot.page.seen[-1].screen.step == "phone", "what was answered is kept, and what is open is asked"


async def test_facts_and_who_has_come_are_told_though_another_has_it_by_now_but_without_buttons(bot: Bot) -> None:
    shown = len(bot.page.seen)
    await bot.happens(AgentTookOver("rina", "Rina", 0), delivered=False)
    await bot.happens(AgentTookOver("budi", "Budi", 1), delivered=False)
    await bot.turns.deliver(CHAT)
    first, second = bot.page.seen[shown:]
    assert isinstance(first, Say)
    assert (first.author, "Rina" in first.text) == ("system", True)
    assert isinstance(second, Show)
    assert bot.suppressed == []


async def test_without_a_desk_nothing_is_looked_up_before_a_message_is_sent() -> None:
    bot, loads = Bot(None), 0
    load = bot.store.load

    async def counted(conversation: str, now: float):
        nonlocal loads
        loads += 1
        return await load(conversation, now)

    bot.store.load = counted  # type: ignore[method-assign]
    await bot.happens(Started())
    assert loads == 1, "the turn's own"


def test_what_is_told_is_put_in_its_order_by_its_key() -> None:
    keys = ["s.10.0", "s.9.1", "s.9.0", "s.9.10.sent"]
    assert sorted(keys, key=order_of) == ["s.9.0", "s.9.1", "s.9.10.sent", "s.10.0"]


# --- those who look on


@pytest.fixture
def watched(bot: Bot) -> Live:
    live = Live(desk_of(bot), lambda _, text: text.replace("Siti Rahmawati", "S*** R***"), pause=0)
    bot.turns.watched_by(live.note)
    return live


async def ran(live: Live) -> None:
    task = asyncio.create_task(live.run())
    await asyncio.sleep(0)
    live.stop()
    await task


async def test_lookers_on_see_what_is_said_with_everything_personal_covered(bot: Bot, watched: Live) -> None:
    await bot.happens(TextSent("Rahasia#2026", "m2"))
    await bot.happens(TextSent("kembali", "m3"))
    await bot.happens(TextSent("Ratna 99", "m4"))
    await bot.happens(ActivationChanged("reg_1", "active", NOON))
    await ran(watched)
    lines = desk_of(bot).lines
    assert {line.author for line in lines} == {"person", "bot"}
    told = " ".join(line.text for line in lines)
    assert "Rahasia" not in told
    assert "Ratna" not in told
    assert "Siti Rahmawati" not in told
    assert len({line.key for line in lines}) == len(lines)


async def test_lookers_on_see_a_press_by_what_stood_on_the_button(bot: Bot, watched: Live) -> None:
    await bot.happens(ButtonPressed("nowhere", "back"))
    await ran(watched)
    assert desk_of(bot).lines[0].text == "[Kembali]"


async def test_what_an_agent_and_a_person_say_to_each_other_is_told_once(bot: Bot, watched: Live) -> None:
    await bot.happens(AgentTookOver("rina", "Rina", 0))
    await bot.happens(TextSent("Halo?", "m2"))
    await ran(watched)
    assert desk_of(bot).lines == []


async def test_a_desk_that_is_away_misses_lines_and_nothing_comes_to_grief(bot: Bot, watched: Live) -> None:
    desk_of(bot).away = True
    await bot.happens(TextSent("halo", "m2"))
    with suppress(asyncio.CancelledError):
        await ran(watched)
    assert desk_of(bot).lines == []


async def test_looking_on_takes_a_tenth_of_the_time_at_most(bot: Bot) -> None:
    """A desk that is slow to write down is told the more seldom."""
    loop, told, slow = asyncio.get_running_loop(), list[float](), 0.03

    class Slow(MemoryDesk):
        async def watch(self, lines: Sequence[Line]) -> None:
            await asyncio.sleep(slow)
            told.append(loop.time())
            await super().watch(lines)

    live = Live(Slow(), lambda _, text: text, pause=0)
    bot.turns.watched_by(live.note)
    task = asyncio.create_task(live.run())
    for number in range(3):
        await bot.happens(TextSent("halo", f"m{number}"))
        while len(told) <= number:  # noqa: ASYNC110 (nothing else tells)
            await asyncio.sleep(0.005)
    live.stop()
    await task
    assert all(later - earlier >= 10 * slow for earlier, later in itertools.pairwise(told)), (
        "a pause is never shorter than asked for"
    )


async def test_who_is_asked_to_stop_does_not_rest_first(bot: Bot) -> None:
    live = Live(desk_of(bot), lambda _, text: text, pause=3600)
    bot.turns.watched_by(live.note)
    task = asyncio.create_task(live.run())
    await bot.happens(TextSent("halo", "m2"))
    while not desk_of(bot).lines:  # noqa: ASYNC110 (nothing else tells)
        await asyncio.sleep(0)
    live.stop()
    async with asyncio.timeout(60):
        await task
