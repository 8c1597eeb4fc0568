"""Bot turns, timers, deliveries and agents at random: no bot speaks over a human, one claim wins, nothing is lost, hand-back resumes.

The world of `interleaved.py`, with a helpdesk: real runner, stores and delivery; two processes, any of which may die at any call.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from bot.conversation import Conversation
from bot.desk import MemoryDesk
from bot.sessions import Sessions
from dialogs.effects import DeskChanged, OpenTicket, Relay, Say, Show
from dialogs.events import (
    AgentClosed,
    AgentReleased,
    AgentReturned,
    AgentSaid,
    AgentTookOver,
    AgentTransferred,
    TextSent,
)
from dialogs.frozen import replace
from dialogs.office import Office
from dialogs.registration import held, token
from dialogs.steps.desk import frozen_step
from dialogs.testing import PROFILE
from tests.bot.interleaved import KEYS, Fate, World, later
from tests.bot.test_interleavings import SOMEBODY, Interleavings, explored, in_memory, on_redis

AGENTS: Final = ("rina", "budi")
MOST_CALLS: Final = 40  # of one answer to a person, and whatever stood still before it
MOVES: Final = {
    "take": lambda agent, seen: AgentTookOver(agent, agent.title(), seen),
    "return": AgentReturned,
    "release": AgentReleased,
    "transfer": lambda agent, seen: AgentTransferred(agent, "dewi", "Dewi", seen),
    "close": AgentClosed,
}


class WithAgents(Interleavings):
    def new_world(self) -> World:
        return World(self.store, profile=replace(PROFILE, office=Office()), desk=MemoryDesk())

    @property
    def desk(self) -> MemoryDesk:
        assert self.world.desk is not None
        return self.world.desk

    @rule(person=SOMEBODY, to=st.integers(0, 1))
    def somebody_asks_for_a_human(self, person: Conversation, to: int) -> None:
        self.run(self.delivered(self.happens(person, TextSent("petugas", f"m{len(self.updates)}")), to=to))

    @rule(
        person=SOMEBODY,
        to=st.integers(0, 1),
        moves=st.lists(st.tuples(st.sampled_from(sorted(MOVES)), st.sampled_from(AGENTS)), min_size=1, max_size=3),
    )
    def agents_act_at_the_same_moment(self, person: Conversation, to: int, moves: list[tuple[str, str]]) -> None:
        """All of them saw the same; at most one thing comes of it."""
        if not self.world.accepted[str(person)]:
            return  # nobody acts on a conversation that there is not (`bot.desk.Agents`)
        seen = self.world.ownership[str(person)]
        acts = [self.happens(person, MOVES[move](agent, seen), by_person=False) for move, agent in moves]
        self.run(self.delivered(*acts, to=to))

    @rule(person=SOMEBODY, to=st.integers(0, 1), agent=st.sampled_from(AGENTS), person_too=st.booleans())
    def an_agent_writes(self, person: Conversation, to: int, agent: str, *, person_too: bool) -> None:
        """Perhaps just when the person does."""
        if not self.world.accepted[str(person)]:
            return
        said = AgentSaid(agent, agent.title(), self.world.ownership[str(person)], "Selamat siang.", f"r{len(self.updates)}")
        updates = [self.happens(person, said, by_person=False)]
        if person_too:
            updates.append(self.happens(person, self.good(person)))
        self.run(self.delivered(*updates, to=to))

    @rule(person=SOMEBODY, to=st.integers(0, 1), agent=st.sampled_from(AGENTS))
    def an_answer_has_to_wait_and_meanwhile_an_agent_comes(self, person: Conversation, to: int, agent: str) -> None:
        if not self.world.accepted[str(person)]:
            return

        async def wait() -> None:
            await self.delivered(self.happens(person, self.good(person)), to=to)
            for _ in range(MOST_CALLS):
                if not (calls := self.world.calls):
                    break
                waits = calls[0].what == "the chat" and calls[0].before
                await self.world.goes_on(calls[0], Fate.WAIT if waits else Fate.WELL)
            taken = AgentTookOver(agent, agent.title(), self.world.ownership[str(person)])
            await self.delivered(self.happens(person, taken, by_person=False), to=to + 1)
            await later(self.world, 6)

        self.run(wait())

    @rule(away=st.booleans())
    def the_desk_is_away_or_back(self, *, away: bool) -> None:
        self.desk.away = away

    @invariant()
    def the_bot_never_speaks_over_a_human(self) -> None:
        assert self.world.spoken_over == []

    @invariant()
    def one_claim_wins(self) -> None:
        """Every version of the ownership has one owner, and one thing that made it so."""
        for person in {whose for whose, _ in self.desk.told}:
            made = [
                what.ownership
                for what in self.desk.of(person)
                if isinstance(what, DeskChanged) and what.what not in ("rated", "proposed", "accepted", "declined", "unfit")
            ]
            assert max(Counter(made).values(), default=1) == 1

    async def comes_to_rest(self) -> None:
        self.desk.away = False
        await super().comes_to_rest()
        self.the_bot_never_speaks_over_a_human()
        self.one_claim_wins()

    def excused(self, key: str, messages: dict[str, Say | Show]) -> bool:
        """A question of the bot from under an earlier owner is not asked any more."""
        message = messages[key]
        newest = max(each.ownership for each in messages.values() if isinstance(each, Show))
        stale = isinstance(message, Show) and message.author == "bot" and not message.news and message.ownership < newest
        return stale or super().excused(key, messages)

    async def holds(self, person: Conversation) -> None:
        await super().holds(person)
        loaded = await self.store.load(str(person), self.world.now.timestamp())
        if loaded.state is None:
            return
        session = Sessions(KEYS).read(str(person), loaded.revision, loaded.state).session
        self.nothing_is_lost(person, self.world.played(person, session.id)[1])
        if held(session):
            await self.hand_back_resumes(person)

    def nothing_is_lost(self, person: Conversation, effects: dict[str, Any]) -> None:
        due = {
            key: effect
            for key, effect in effects.items()
            if isinstance(effect, Relay | DeskChanged) or (isinstance(effect, OpenTicket) and effect.ticket)
        }
        told = {key: what for (whose, key), what in self.desk.told.items() if whose == person and key in effects}
        assert told == due, "the desk was told something else than what happened"
        refs = {effect.ref for effect in effects.values() if isinstance(effect, Say) and effect.author == "agent"}
        assert refs <= self.desk.fates().keys(), "the fate of an agent's message is known"
        for ref in refs:
            if self.desk.fates()[ref].fate == "sent":
                said = [message for _, message in self.world.seen[person] if isinstance(message, Say) and message.ref == ref]
                assert said, "what is told to have been sent was read"

    async def hand_back_resumes(self, person: Conversation) -> None:
        loaded = await self.store.load(str(person), self.world.now.timestamp())
        before = Sessions(KEYS).read(str(person), loaded.revision, loaded.state or b"").session
        self.world.flowing = True
        back = self.happens(person, AgentReturned("rina", before.ownership), by_person=False)
        await self.processes[0].takes(back)
        await self.processes[0].works_off()
        await self.world.rests()
        screen = self.world.screen(person)
        after = await self.processes[0].turns.session(person)
        assert screen is not None
        assert after is not None
        assert (screen.step, screen.token) == (frozen_step(before), token(after))
        assert after.draft == before.draft


def test_two_processes_and_two_agents_on_one_store_in_memory() -> None:
    explored(in_memory, processes=2, examples=150, machine=WithAgents)


def test_two_processes_and_two_agents_on_one_redis(redis_url: str) -> None:
    explored(on_redis(redis_url), processes=2, examples=40, machine=WithAgents)
