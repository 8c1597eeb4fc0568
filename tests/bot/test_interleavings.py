"""Whatever comes in whatever order, at whatever moment a process dies: one history, everybody answered, nothing asked for twice.

Hypothesis chooses the events, which process gets them, which of the calls that stand still goes on and how, who dies and when; the world
(`interleaved.py`) moves one call at a time, so that a failure is replayed by its choices. In the end all goes well again, as it does
in life, everything comes to rest, and then the invariants must hold.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any, Final

import redis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from bot.conversation import Conversation
from bot.redis_link import RedisLink
from bot.sessions import Sessions
from bot.stores.embedded import EmbeddedStore
from bot.stores.memory import MemoryStore
from bot.stores.port import Store
from bot.stores.redis import RedisStore
from dialogs.effects import Say, Show, SubmitRegistration
from dialogs.events import ActivationChanged, ButtonPressed, CommandSent, Event, Started, TextSent
from dialogs.registration import token
from tests.bot.interleaved import KEYS, RESPONSE, Fate, Process, Update, World, doubles, later, messages_in, requests_in

PEOPLE: Final = (
    Conversation("web", "a"),
    Conversation("web", "b"),
    Conversation("telegram", "1"),
    Conversation("telegram", "2"),
)
GOOD: Final = {
    "full_name": "Siti Rahmawati",
    "nik": "3171234501900001",
    "phone": "081234567890",
    "email": "siti@example.com",
    "new_email": "rahmawati@example.com",
}
WELL_OR_NOT: Final = st.sampled_from((*[Fate.WELL] * 5, Fate.ILL, Fate.WAIT))
SOMEBODY: Final = st.sampled_from(PEOPLE)
Open = Callable[[], Awaitable[tuple[Store, Callable[[], Awaitable[None]]]]]


class Interleavings(RuleBasedStateMachine):
    def __init__(self, open_store: Open, processes: int) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.store, self.close = self.run(open_store())
        self.world = self.new_world()
        self.processes = [Process(self.world, number) for number in range(processes)]
        self.updates: list[Update] = []

    def new_world(self) -> World:
        return World(self.store)

    def run(self, work: Awaitable[Any]) -> Any:
        return self.runner.run(work)  # type: ignore[arg-type]

    def teardown(self) -> None:
        try:
            self.run(self.comes_to_rest())
            for person in PEOPLE:
                self.run(self.holds(person))
        finally:
            for process in self.processes:
                self.run(process.dies())
            self.run(self.close())
            self.runner.close()

    # --- what happens

    @initialize(
        far=st.lists(st.sampled_from((0, 1, 5, 7, 8, 8)), min_size=len(PEOPLE), max_size=len(PEOPLE)), heard=st.booleans()
    )
    def begins(self, far: list[int], *, heard: bool) -> None:
        """People are where chance alone would seldom get them: so many good answers in, and the backend may have heard of it."""

        async def play() -> None:
            self.world.flowing = True
            for person, acts in zip(PEOPLE, far, strict=True):
                for _ in range(acts):
                    await self.processes[0].takes(self.happens(person, self.good(person)))
            if heard:
                await self.processes[0].works_off()
            self.world.flowing = False

        self.run(play())

    def happens(self, person: Conversation, event: Event, *, by_person: bool = True) -> Update:
        update = Update(person, event, f"e{len(self.updates)}", by_person)
        self.updates.append(update)
        return update

    def good(self, person: Conversation) -> Event:
        """What leads to an account."""
        screen = self.world.screen(person)
        if screen is None:
            return Started()
        if screen.step in GOOD:
            return TextSent(GOOD[screen.step], f"m{len(self.updates)}")
        for action in ("agree", "kind.individu_lokal", "activate", "confirm"):
            if any(each.id == action for each in screen.actions):
                return ButtonPressed(screen.token, action, "b1")
        return CommandSent("status")

    async def delivered(self, *updates: Update, to: int) -> None:
        """To the processes in turn, beginning with that one."""
        for number, update in enumerate(updates):
            process = self.processes[(to + number) % len(self.processes)]
            process.does(process.takes(update))
        await self.world.rests()

    @rule(person=SOMEBODY, to=st.integers(0, 1))
    def somebody_answers_well(self, person: Conversation, to: int) -> None:
        self.run(self.delivered(self.happens(person, self.good(person)), to=to))

    @rule(person=SOMEBODY, to=st.integers(0, 1), which=st.integers(0, 7))
    def somebody_presses_a_button(self, person: Conversation, to: int, which: int) -> None:
        screen = self.world.screen(person)
        actions = [action.id for action in screen.actions if not action.url] if screen else []
        if screen and actions:
            press = ButtonPressed(screen.token, actions[which % len(actions)], "b1")
            self.run(self.delivered(self.happens(person, press), to=to))

    @rule(person=SOMEBODY, to=st.integers(0, 1), words=st.sampled_from(("12345", "batal", "halo", "bantuan", "ubah data")))
    def somebody_writes_something_else(self, person: Conversation, to: int, words: str) -> None:
        self.run(self.delivered(self.happens(person, TextSent(words, f"m{len(self.updates)}")), to=to))

    @rule(person=SOMEBODY, to=st.integers(0, 1), words=st.sampled_from(("Siti Rahmawati", "siti@example.com", "batal")))
    def a_text_and_a_button_come_at_the_same_moment(self, person: Conversation, to: int, words: str) -> None:
        screen = self.world.screen(person)
        if screen and screen.actions:
            text = self.happens(person, TextSent(words, f"m{len(self.updates)}"))
            press = self.happens(person, ButtonPressed(screen.token, screen.actions[0].id, "b1"))
            self.run(self.delivered(text, press, to=to))

    @rule(person=SOMEBODY, to=st.integers(0, 1))
    def ten_taps_on_aktivasi(self, person: Conversation, to: int) -> None:
        screen = self.world.screen(person)
        if screen and any(action.id == "activate" for action in screen.actions):
            press = ButtonPressed(screen.token, "activate", "b1")
            self.run(self.delivered(*(self.happens(person, press) for _ in range(10)), to=to))

    @precondition(lambda self: self.updates)
    @rule(data=st.data(), to=st.integers(0, 1), copies=st.integers(1, 3))
    def an_update_is_delivered_again(self, data: st.DataObject, to: int, copies: int) -> None:
        """The newest or one of long ago, taken before or not, once or several times."""
        update = self.updates[-1 - data.draw(st.integers(0, len(self.updates) - 1))]
        self.run(self.delivered(*[update] * copies, to=to))

    @precondition(lambda self: self.world.registered)
    @rule(data=st.data(), to=st.integers(0, 1), status=st.sampled_from(("mailed", "mail_failed", "expired", "active")))
    def the_backend_has_news(self, data: st.DataObject, to: int, status: Any) -> None:
        registration = data.draw(st.sampled_from(sorted(self.world.registered)))
        news = ActivationChanged(registration, status, self.world.now)
        self.run(self.delivered(self.happens(self.world.registered[registration], news, by_person=False), to=to))

    @rule(by=st.integers(0, 1))
    def the_outbox_loop_goes_on(self, by: int) -> None:
        async def go_on() -> None:
            process = self.processes[by % len(self.processes)]
            process.does(process.works_off())
            await self.world.rests()

        self.run(go_on())

    @rule(seconds=st.sampled_from((1, 7, 15, 61, 16 * 60)))
    def time_passes(self, seconds: int) -> None:
        self.run(later(self.world, seconds))

    @precondition(lambda self: self.world.calls)
    @rule(ways=st.lists(st.tuples(st.integers(0, 50), WELL_OR_NOT), min_size=1, max_size=12))
    def what_stands_still_goes_on(self, ways: list[tuple[int, Fate]]) -> None:
        async def go_on() -> None:
            for which, fate in ways:
                if calls := self.world.calls:
                    await self.world.goes_on(calls[which % len(calls)], fate)

        self.run(go_on())

    @precondition(lambda self: self.world.calls)
    @rule()
    def for_a_moment_the_store_is_away(self) -> None:
        async def away() -> None:
            for call in [call for call in self.world.calls if call.what.startswith("store.")]:
                await self.world.goes_on(call, Fate.ILL)

        self.run(away())

    @precondition(lambda self: any(call.what == RESPONSE for call in self.world.calls))
    @rule()
    def answers_get_lost_on_their_way(self) -> None:
        async def lost() -> None:
            for call in [call for call in self.world.calls if call.what == RESPONSE]:
                await self.world.goes_on(call, Fate.ILL)

        self.run(lost())

    @precondition(lambda self: self.world.calls)
    @rule(which=st.integers(0, 50))
    def a_process_dies_and_another_takes_its_place(self, which: int) -> None:
        """Whose call stands still dies there, before it was carried out or after."""
        process = self.world.calls[which % len(self.world.calls)].process
        self.world.ill += 1
        self.run(process.dies())
        self.processes[process.number] = Process(self.world, process.number)

    @invariant()
    def no_event_is_accepted_twice(self) -> None:
        for accepted in self.world.accepted.values():
            ids = [each.id for each in accepted]
            assert len(ids) == len(set(ids)), ids

    @invariant()
    def no_process_comes_to_grief(self) -> None:
        assert [process.failures for process in self.processes if process.failures] == []

    @invariant()
    def what_is_asked_of_the_backend_under_one_key_is_one_thing(self) -> None:
        for key, bodies in self.world.asked.items():
            assert len(bodies) == 1, key

    # --- and what it comes to

    async def comes_to_rest(self) -> None:
        """All goes well again: channels deliver what was not taken, and the loops work off what is left."""
        await self.world.flows()
        for _ in range(12):
            for update in self.updates:
                if not update.taken:
                    await self.processes[0].takes(update)
            await later(self.world, 70)
            for process in self.processes:
                await process.works_off()
            await self.world.rests()
        assert [update.id for update in self.updates if not update.taken] == []
        self.no_process_comes_to_grief()

    async def holds(self, person: Conversation) -> None:
        accepted = self.world.accepted[str(person)]
        now = self.world.now.timestamp()
        loaded = await self.store.load(str(person), now)
        assert loaded.revision == len(accepted)
        assert await self.store.pending(str(person)) == []
        updates = [update for update in self.updates if update.conversation == person]
        taken = {each.id for each in accepted}
        for update in updates:
            # News that changes nothing, and the second press of one button, leave no trace.
            assert update.id in taken or not update.person or doubles(update, accepted), update
        if loaded.state is None:
            assert not updates
            return
        session = Sessions(KEYS).read(str(person), loaded.revision, loaded.state).session
        played, effects = self.world.played(person, session.id)
        assert session == played
        self.everybody_is_answered(person, token(session), messages_in(effects))
        requests = {key: effect for key, effect in requests_in(effects).items() if effect is not None}
        mine = {key for key in self.world.asked if key.startswith(f"{session.id}-")}
        assert mine == set(requests), "asked for what no turn wanted, or not at all"
        handoffs = [key for key, effect in requests.items() if isinstance(effect, SubmitRegistration)]
        assert sorted(self.world.registered.values(), key=str).count(person) == len(handoffs), (
            "each hand-off is one registration"
        )

    def everybody_is_answered(self, person: Conversation, in_force: str, messages: dict[str, Say | Show]) -> None:
        seen = self.world.seen[person]
        screens = [message.screen.token for _, message in seen if isinstance(message, Show)]
        assert not in_force or in_force in screens or not messages, "the screen in force was never seen"
        # A message that came by the outbox: all of them where the channel does not answer by itself, and in order.
        keys = [key for key, _ in seen if key]
        if person.channel == "web":
            missing = [key for key in messages if key not in keys and not self.excused(key, messages)]
            assert missing == [], "somebody was not answered"
        turns = [int(key.split(".")[-2]) for key in dict.fromkeys(keys)]
        assert turns == sorted(turns), "messages overtook each other"
        if not self.world.ill:
            assert all(self.world.sent[key] == 1 for key in keys), "said twice, and nothing went wrong"

    def excused(self, key: str, messages: dict[str, Say | Show]) -> bool:
        """Whether a message need not have been sent."""
        return _overtaken(key, messages)


def _overtaken(key: str, messages: dict[str, Say | Show]) -> bool:
    """News that was made pointless by newer news of the same registration."""
    news, keys = messages[key].news, list(messages)
    return news is not None and any(
        (newer := messages[other].news) is not None and newer.registration == news.registration
        for other in keys[keys.index(key) + 1 :]
    )


async def in_memory() -> tuple[Store, Callable[[], Awaitable[None]]]:
    store = MemoryStore()
    return store, store.close


def explored(open_store: Open, *, processes: int, examples: int, machine: type[Interleavings] = Interleavings) -> None:
    run_state_machine_as_test(
        lambda: machine(open_store, processes),
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=tuple(phase for phase in Phase if phase is not Phase.explain),
        ),
    )


def test_two_processes_on_one_store_in_memory() -> None:
    explored(in_memory, processes=2, examples=250)


def on_redis(url: str) -> Open:
    """A store on a Redis that is empty each time."""

    async def opened() -> tuple[Store, Callable[[], Awaitable[None]]]:
        with redis.Redis.from_url(url) as client:
            client.flushall()
        link = await RedisLink.open(url)
        return RedisStore(link), link.close

    return opened


def test_two_processes_on_one_redis(redis_url: str) -> None:
    explored(on_redis(redis_url), processes=2, examples=50)


def test_the_embedded_product(tmp_path: Path) -> None:
    """One process at a time has the file."""
    files = (tmp_path / f"dialog{number}.db" for number in count())

    async def embedded() -> tuple[Store, Callable[[], Awaitable[None]]]:
        store = await EmbeddedStore.open(next(files))
        return store, store.close

    explored(embedded, processes=1, examples=30)
