"""What every bridge must keep, whatever its far end is. A test class of a bridge inherits this and gives the fixture `far`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from akses.desk import held
from akses.keyring import Keyring
from bot.conversation import Conversation
from dialogs.effects import Show
from dialogs.events import CommandSent, MediaSent, TextSent
from helpdesk.acting import stands
from helpdesk.agents import Agent
from helpdesk.bridges.accounts import Account
from helpdesk.bridges.book import Book
from helpdesk.bridges.carrier import Carrier
from helpdesk.reading import Ticket
from tests.backend.stage import until
from tests.helpdesk.bridges.far import Far
from tests.helpdesk.stage import Stage
from tests.helpdesk.test_deeds import asking, version

CHAT = Conversation("web", "siti")
# What the person of these tests is called, types into the form and into the talk, and what may be seen of it nowhere.
CANARY = ("Rahmawati", "3174095708900001", "siti.rahmawati@example.com", "81234567890")


class Crash(BaseException):
    """The process ends here."""


class Crashing:
    """A book whose process ends at its `at`-th writing, before it or after it."""

    def __init__(self, book: Book, at: int, *, after: bool) -> None:
        self._book = book
        self._left = at
        self._after = after

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._book, name)
        if name not in ("placed", "carried", "carried_to", "gone"):
            return found

        async def counted(*args: Any) -> Any:
            self._left -= 1
            if self._left == 0 and not self._after:
                raise Crash
            given = await found(*args)
            if self._left == 0:
                raise Crash
            return given

        return counted


def carrier(stage: Stage, far: Far, book: Any = None, **more: Any) -> Carrier:
    made = stage.desk.carrier(far.bridge, book or stage.desk.book(far.bridge.name))
    for name, value in more.items():
        setattr(made, f"_{name}", value)
    return made


@asynccontextmanager
async def carrying(stage: Stage, far: Far) -> AsyncIterator[Carrier]:
    made = carrier(stage, far)
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        made.stop()
        await task


async def seen(far: Far, *words: str, place: int = -1) -> str:
    """Wait until all of these words stand in the newest place (or the one of this number); what stands there then."""

    async def there() -> str | None:
        places = far.places()
        if not places or len(places) <= place:
            return None
        reads = far.reads(places[place])
        return reads if all(word in reads for word in words) else None

    return await until(there)


async def heard(stage: Stage, text: str, address: str = "siti") -> None:
    """Wait until the investor was told this."""

    async def there() -> bool | None:
        return any(text in each for each in stage.chat.texts(address)) or None

    await until(there)


async def told(far: Far, number: int, text: str) -> None:
    async def there() -> bool | None:
        return text in far.told(number) or None

    await until(there)


async def owned(stage: Stage, owner: str, name: str = "") -> None:
    async def there() -> bool | None:
        now = stands(await stage.runner.session(CHAT))
        return (now.owner, now.name) == (owner, name) or None

    await until(there)


async def staff(stage: Stage, far: Far, number: int, name: str, roles: str = "agent") -> Agent:
    """An agent whom the far end knows under this number."""
    agent = await stage.agent(name.lower(), roles, name)
    await stage.people.accounts.bind(agent, Account.parse(far.account(number)))
    return agent


def in_order(reads: str, *words: str) -> bool:
    places = [reads.find(word) for word in words]
    return -1 not in places and places == sorted(places)


class BridgeContract:
    @pytest.fixture
    async def ticket(self, stage: Stage, far: Far) -> Ticket:
        """Siti waits in the queue."""
        far.connect(stage.desk.deeds(stage.desk.book(far.bridge.name)))
        return await asking(stage)

    async def test_a_talk_stands_there_in_its_order_and_an_agents_word_reaches_the_person(
        self, stage: Stage, far: Far, ticket: Ticket
    ) -> None:
        await staff(stage, far, 1, "Rina")
        async with carrying(stage, far):
            await seen(far, f"#{ticket.number}", "Siti R.")
            await stage.send("siti", "Halo, ada orang?", "t1")
            place = far.places()[-1]
            await seen(far, "Halo, ada orang?")
            await far.writes(1, place, "Selamat siang, Ibu.")
            await heard(stage, "Selamat siang, Ibu.")
            await owned(stage, "human", "Rina")
            await stage.send("siti", "Terima kasih", "t2")
            reads = await seen(far, "Terima kasih")
        assert in_order(reads, "Halo, ada orang?", "Selamat siang, Ibu.", "Terima kasih"), reads
        assert reads.count("Selamat siang, Ibu.") == 1, "what an agent wrote there does not come back to where it was written"
        assert stage.chat.texts("siti").count("Selamat siang, Ibu.") == 1

    async def test_what_an_agent_says_elsewhere_stands_there_too(self, stage: Stage, far: Far, ticket: Ticket) -> None:
        rina = await stage.agent("rina")
        chat = await stage.desk.reading.chat(ticket.chat)
        assert chat is not None
        async with carrying(stage, far):
            await stage.desk.acting.say(chat, rina, await version(stage), "k1", "Dari konsol.")
            await seen(far, "Dari konsol.", "Rina")

    async def test_a_persons_reply_stands_there_as_one_whoever_wrote_what_it_replies_to(
        self, stage: Stage, far: Far, ticket: Ticket
    ) -> None:
        rina = await staff(stage, far, 1, "Rina")
        chat = await stage.desk.reading.chat(ticket.chat)
        assert chat is not None
        async with carrying(stage, far):
            await seen(far, f"#{ticket.number}")
            place = far.places()[-1]
            await far.writes(1, place, "Nomor yang mana?")
            await self._arrived(stage, ticket, "Nomor yang mana?")
            await stage.desk.acting.say(chat, rina, await version(stage), "k1", "Nomor HP atau NIK?")
            await self._arrived(stage, ticket, "Nomor HP atau NIK?")
            asked, other = (stage.chat.messages["siti", said] for said in ("Nomor yang mana?", "Nomor HP atau NIK?"))
            await seen(far, "Nomor HP atau NIK?")
            await stage.send("siti", TextSent("Yang pertama.", "m1", asked), "t1")
            await stage.send("siti", TextSent("Nomor HP.", "m2", other), "t2")
            await seen(far, "Yang pertama.", "Nomor HP.")
            await stage.send("siti", MediaSent("photo", "m3", "m2"), "t3")
            await stage.send("siti", TextSent("Bukan balasan.", "m4", "m999"), "t4")
            await seen(far, "Bukan balasan.")
        assert "Nomor yang mana?" in far.answered(place, "Yang pertama.")
        assert "Nomor HP atau NIK?" in far.answered(place, "Nomor HP.")
        assert "Nomor HP." in far.answered(place, "foto" if "foto" in far.reads(place) else "media")
        assert far.answered(place, "Bukan balasan.") == ""
        quotes = {line.text: line.quote for line in await stage.desk.reading.talk(ticket.chat, {})}
        assert quotes["Yang pertama."] == "Nomor yang mana?", "the console shows it as well"
        assert not quotes["Bukan balasan."]

    @staticmethod
    async def _arrived(stage: Stage, ticket: Ticket, text: str) -> None:
        """Wait until the desk knows that the person has this."""

        async def there() -> bool | None:
            talk = await stage.desk.reading.talk(ticket.chat, {})
            return any(line.text == text and line.state == "sent" for line in talk) or None

        await until(there)

    async def test_after_a_crash_at_any_line_nothing_is_missing_and_at_most_one_message_stands_twice(
        self, stage: Stage, far: Far, ticket: Ticket
    ) -> None:
        lines = [f"Baris ke-{number}." for number in range(3)]
        await self._settled(carrier(stage, far, lease=0.2))
        at, crashed = 0, True
        while crashed:
            at += 1
            for after in (False, True):
                address = f"siti{at}{after}"
                await asking(stage, address)
                for number, line in enumerate(lines):
                    await stage.send(address, line, f"t{number}")
                await until(self._relayed(stage, address, len(lines)))
                before = len(far.places())
                doomed = carrier(stage, far, Crashing(stage.desk.book(far.bridge.name), at, after=after), lease=0.2)
                crashed = False
                try:
                    await self._settled(doomed)
                except Crash:
                    crashed = True
                await self._settled(carrier(stage, far, lease=0.2))
                reads = "\n".join(far.reads(place) for place in far.places()[before:])
                assert all(line in reads for line in lines), (at, after, reads)
                twice = sum(reads.count(line) - 1 for line in lines)
                assert twice <= (0 if after else len(lines)), (at, after, reads)
                assert len(far.places()) - before <= (1 if after or at > 1 else 2), "a place is made twice at most"
                assert in_order(reads[reads.rfind(lines[0]) :], *lines) or twice, (at, after, reads)
        assert at > 3, "it crashed at every writing there was"

    @staticmethod
    def _relayed(stage: Stage, address: str, count: int) -> Callable[[], Awaitable[bool | None]]:
        async def there() -> bool | None:
            chats = [await stage.desk.reading.chat(each.chat) for each in await stage.desk.reading.tickets("all", "")]
            for chat in chats:
                if chat is not None and chat.conversation.address == address:
                    talk = await stage.desk.reading.talk(chat.id, {})
                    return len([line for line in talk if line.author == "person" and line.ticket]) >= count or None
            return None

        return there

    @staticmethod
    async def _settled(made: Carrier) -> None:
        """Carry until nothing is left to be carried."""

        async def there() -> bool | None:
            if not await made.step():
                return None
            return not made._due or None

        await until(there)

    async def test_a_dead_far_end_holds_up_nobody_and_is_told_everything_when_it_is_back(
        self, stage: Stage, far: Far, ticket: Ticket
    ) -> None:
        rina = await stage.agent("rina")
        chat = await stage.desk.reading.chat(ticket.chat)
        assert chat is not None
        far.break_down()
        async with carrying(stage, far) as made:
            await stage.send("siti", "Ada orang?", "t1")
            await stage.desk.acting.take(chat, rina, await version(stage), "k1")
            await stage.desk.acting.say(chat, rina, await version(stage), "k2", "Ada, Ibu.")
            await heard(stage, "Ada, Ibu.")

            async def failing() -> bool | None:
                return made._failures > 0 or None

            await until(failing)
            assert await stage.desk.book(far.bridge.name).behind() > 0
            far.come_back()
            made._away_until = 0.0
            reads = await seen(far, "Ada orang?", "Ada, Ibu.")
            assert in_order(reads, "Ada orang?", "Ada, Ibu."), reads

            async def even() -> bool | None:
                return await stage.desk.book(far.bridge.name).behind() == 0 or None

            await until(even)

    async def test_a_place_that_somebody_removed_is_made_anew_and_told_the_talk_so_far(
        self, stage: Stage, far: Far, ticket: Ticket
    ) -> None:
        async with carrying(stage, far):
            await stage.send("siti", "Yang pertama", "t1")
            await seen(far, "Yang pertama")
            old = far.places()[-1]
            far.vanish(old)
            await stage.send("siti", "Yang kedua", "t2")
            reads = await seen(far, "Yang pertama", "Yang kedua")
        assert far.places()[-1] != old
        assert in_order(reads, f"#{ticket.number}", "Yang pertama", "Yang kedua"), reads
        assert reads.count("Yang pertama") == 1

    async def test_of_two_processes_one_carries_and_the_other_goes_on_when_it_is_gone(
        self, stage: Stage, far: Far, ticket: Ticket
    ) -> None:
        first, second = carrier(stage, far), carrier(stage, far)
        tasks = [asyncio.create_task(each.run()) for each in (first, second)]
        for number in range(4):
            await stage.send("siti", f"Pesan {number}.", f"t{number}")
        reads = await seen(far, "Pesan 3.")
        assert len(far.places()) == 1
        assert all(reads.count(f"Pesan {number}.") == 1 for number in range(4)), reads
        holder, other = (first, second) if first._holding_until > 0 else (second, first)
        holder.stop()
        await stage.send("siti", "Sesudahnya.", "t9")
        assert (await seen(far, "Sesudahnya.")).count("Sesudahnya.") == 1
        other.stop()
        await asyncio.gather(*tasks)

    async def test_nothing_of_a_person_stands_there_in_the_clear(self, stage: Stage, far: Far, ticket: Ticket) -> None:
        await staff(stage, far, 1, "Rina")
        async with carrying(stage, far):
            said = f"Saya {CANARY[0]}, NIK {CANARY[1]}, {CANARY[2]}, 0{CANARY[3]} atau +62 812-3456-7890. Tolong."
            await stage.send("siti", said, "t1")
            await seen(far, "Tolong.")
            await far.writes(1, far.places()[-1], "Baik, saya periksa.")
            await heard(stage, "Baik, saya periksa.")
            await stage.send("siti", "Rahasia123!Sekali", "t2")
            await stage.send("siti", f"Jadi {CANARY[1]}. Sudah.", "t3")
            await seen(far, "Sudah.")
        received = far.received()
        for value in (*CANARY, "812-3456-7890", "Rahasia123!Sekali"):
            assert value not in received, value

    async def test_a_stranger_is_told_once_what_to_do_and_nothing_of_theirs_reaches_the_person(
        self, stage: Stage, far: Far, ticket: Ticket
    ) -> None:
        viewer = await staff(stage, far, 3, "Wati", "viewer")
        shut_out = await staff(stage, far, 4, "Sari")
        await stage.people.agents.disable(shut_out.id)
        async with carrying(stage, far):
            await seen(far, f"#{ticket.number}")
            place = far.places()[-1]
            for number in (2, 3, 4):
                await far.writes(number, place, f"Dari nomor {number}")
                await told(far, number, "")
            first = far.told(2)
            assert first
            await far.writes(2, place, "Sekali lagi")
            await far.presses(2, place, "take")
            assert far.told(2).startswith(first)
            assert viewer.roles == ("viewer",)
            assert far.told(3)
            await owned(stage, "queued")
        assert not [each for each in stage.chat.texts("siti") if "Dari nomor" in each or "Sekali lagi" in each]

    async def test_whoever_comes_second_is_told_by_whom(self, stage: Stage, far: Far, ticket: Ticket) -> None:
        rina, _ = await stage.agent("rina", "agent", "Rina"), await staff(stage, far, 1, "Budi")
        chat = await stage.desk.reading.chat(ticket.chat)
        assert chat is not None
        async with carrying(stage, far):
            await seen(far, f"#{ticket.number}")
            await stage.desk.acting.take(chat, rina, await version(stage), "k1")
            await far.presses(1, far.places()[-1], "take")
            await told(far, 1, "Rina")
            await far.writes(1, far.places()[-1], "Halo dari Budi")
            await owned(stage, "human", "Rina")
        assert "Halo dari Budi" not in "".join(stage.chat.texts("siti"))

    async def test_a_note_is_kept_and_never_said(self, stage: Stage, far: Far, ticket: Ticket) -> None:
        await staff(stage, far, 1, "Rina")
        async with carrying(stage, far):
            await seen(far, f"#{ticket.number}")
            await far.writes(1, far.places()[-1], "// NIK dan nama cocok")

            async def noted() -> bool | None:
                talk = await stage.desk.reading.talk(ticket.chat, {})
                return any(line.kind == "note" and line.text == "NIK dan nama cocok" for line in talk) or None

            await until(noted)
            await stage.send("siti", "Halo?", "t1")
            assert (await seen(far, "Halo?")).count("NIK dan nama cocok") == 1
        assert "cocok" not in "".join(stage.chat.texts("siti"))

    async def test_what_a_person_has_erased_is_gone_there_too_and_an_open_ticket_begins_anew(
        self, stage: Stage, far: Far, ticket: Ticket, keyring: Keyring
    ) -> None:
        talks = held(keyring)
        await staff(stage, far, 1, "Rina")
        async with carrying(stage, far) as made:
            await stage.send("siti", "Ini rahasia.", "t1")
            await seen(far, "Ini rahasia.")
            old = far.places()[-1]
            far.break_down()
            async with stage.people.database.writing() as conn:
                assert await talks.erase(conn, ticket.chat)
            made._removing_at = 0.0

            async def failed() -> bool | None:
                return made._removing_at > 1 or None

            await until(failed)
            assert old in far.places()
            far.come_back()
            made._away_until = made._removing_at = 0.0

            async def gone() -> bool | None:
                return old not in far.places() or None

            await until(gone)
            await stage.send("siti", "Halo lagi.", "t2")
            await seen(far, "Halo lagi.", f"#{ticket.number}")
            await far.presses(1, far.places()[-1], "take")
            await owned(stage, "human", "Rina")
            await far.presses(1, far.places()[-1], "close")

            async def closed() -> bool | None:
                found = await stage.desk.reading.tickets("all", "")
                return found[0].owner == "closed" or None

            await until(closed)

            async def even() -> bool | None:
                return await stage.desk.book(far.bridge.name).behind() == 0 or None

            await until(even)
            last = far.places()[-1]
            async with stage.people.database.writing() as conn:
                await talks.erase(conn, ticket.chat)
            made._removing_at = 0.0

            async def left() -> bool | None:
                return not far.places() or None

            await until(left)
        assert last not in far.places()
        assert await stage.desk.book(far.bridge.name).removals() == []

    async def test_what_is_said_right_after_an_erasure_stands_in_a_place_that_stays(
        self, stage: Stage, far: Far, ticket: Ticket, keyring: Keyring
    ) -> None:
        async with carrying(stage, far) as made:
            await stage.send("siti", "Ini rahasia.", "t1")
            await seen(far, "Ini rahasia.")
            old = far.places()[-1]
            made._removing_at = float("inf")
            async with stage.people.database.writing() as conn:
                assert await held(keyring).erase(conn, ticket.chat)
            await stage.send("siti", "Halo lagi.", "t2")
            await seen(far, "Halo lagi.")
            assert old not in far.places()

    async def test_giving_back_asks_the_open_question_again_however_often(self, stage: Stage, far: Far, ticket: Ticket) -> None:
        await staff(stage, far, 1, "Rina")
        (nik,) = [one.screen.text for one in stage.chat.said["siti"] if isinstance(one, Show) and one.screen.step == "nik"]

        def times() -> int:
            return sum(nik in each for each in stage.chat.texts("siti"))

        async with carrying(stage, far):
            for cycle in range(3):
                await seen(far, "Siti R.", place=cycle)
                place = far.places()[cycle]
                await far.presses(1, place, "take")
                await owned(stage, "human", "Rina")
                await far.writes(1, place, f"Putaran {cycle}.")
                await heard(stage, f"Putaran {cycle}.")
                asked = times()
                await far.presses(1, place, "return")
                await owned(stage, "bot")

                async def again(asked: int = asked) -> bool | None:
                    return times() > asked or None

                await until(again)
                if cycle < 2:
                    await asking_again(stage, cycle)
        assert times() == 4, "asked at first, and once after each hand-back"


async def asking_again(stage: Stage, cycle: int) -> None:
    await stage.send("siti", CommandSent("petugas"), f"again{cycle}")
    await owned(stage, "queued")
