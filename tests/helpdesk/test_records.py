"""What the chats tell is kept once and in its order, whatever order it comes in; and nobody who reads the feed misses anything."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta

import pytest

from akses.keyring import Keyring
from bot.conversation import Conversation
from bot.desk import Line
from dialogs.effects import DeskChanged, MessageFate, OpenTicket, Relay, ToDesk
from helpdesk.reading import Filters
from helpdesk.records import LINES_KEPT, TALK_KEPT
from helpdesk.roles import parse
from helpdesk.seals import Cells
from tests.helpdesk.stage import Stage

CHAT = Conversation("web", "siti")
AT = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
SECRET = "Siti, NIK 3174095708900001, siti@example.com, 0812-3456-7890"


def story(ticket: str = "S.t1") -> list[tuple[str, ToDesk]]:
    """One ticket from the first word to the rating, with the keys of its turns."""

    def at(seconds: int) -> datetime:
        return AT + timedelta(seconds=seconds)

    return [
        ("S.4.1", OpenTicket("asked", "nik", ticket, at(0), "en")),
        ("S.4.2", DeskChanged(ticket, "queued", 1, at(0))),
        ("S.5.0", Relay(ticket, "person", "text", SECRET, at(5))),
        ("S.6.1", DeskChanged(ticket, "taken", 2, at(9), "a1", "Rina")),
        ("S.7.0", Relay(ticket, "agent", "text", "Selamat siang", at(12), agent="a1", name="Rina", ref="r1")),
        ("S.8.0", Relay(ticket, "person", "password", "", at(15))),
        ("S.9.1", DeskChanged(ticket, "closed", 3, at(20), "a1", "Rina", "resolved")),
        ("S.10.0", DeskChanged(ticket, "rated", 3, at(30), detail="5")),
    ]


async def told(stage: Stage, things: list[tuple[str, ToDesk]]) -> None:
    for key, what in things:
        await stage.desk.records.tell(CHAT, what, key)


async def looks(stage: Stage) -> tuple[object, ...]:
    (ticket,) = await stage.desk.reading.tickets("all", "")
    talk = await stage.desk.reading.talk(ticket.chat, {})
    return (
        [(line.author, line.kind, line.text, line.detail, line.state) for line in talk],
        (ticket.number, ticket.owner, ticket.version, ticket.agent_name, ticket.step, ticket.language, ticket.reason),
        (ticket.opened_at, ticket.taken_at, ticket.answered_at, ticket.closed_at, ticket.ended, ticket.label, ticket.rating),
    )


async def test_a_ticket_is_kept_from_its_first_word_to_its_rating(stage: Stage) -> None:
    await told(stage, story())
    await stage.desk.records.tell(CHAT, MessageFate("r1", "sent", AT), "fate r1")
    lines, who, when = await looks(stage)
    assert lines == [
        ("system", "opened", "", "asked", ""),
        ("system", "queued", "", "", ""),
        ("person", "text", "Siti, NIK 31************01, s***@example.com, 08********90", "", ""),
        ("system", "taken", "", "", ""),
        ("agent", "text", "Selamat siang", "", "sent"),
        ("person", "password", "", "", ""),
        ("system", "closed", "", "resolved", ""),
        ("system", "rated", "", "5", ""),
    ]
    assert who == (1, "closed", 3, "Rina", "nik", "en", "asked")
    seconds = [timedelta(seconds=each) + AT for each in (0, 9, 12, 20)]
    assert when == (*seconds, "closed", "resolved", 5)
    assert await stage.actions() == ["desk.taken", "desk.said", "desk.closed"]
    assert (await stage.audit.verify()).holds


async def test_whatever_order_it_comes_in_and_however_often_it_is_the_same(small_stage: Stage) -> None:
    await told(small_stage, story())
    right = await looks(small_stage)
    orders = [story()[::-1], [*story()[4:], *story()[:4]], [*story(), *story()], story()[::-1] + story()]
    for number, order in enumerate(orders, start=2):
        other = Conversation("web", f"siti{number}")
        for key, what in order:
            renamed = type(what)(**{name: getattr(what, name) for name in what.__struct_fields__} | {"ticket": f"S.t{number}"})
            await small_stage.desk.records.tell(other, renamed, key)  # type: ignore[arg-type]
        ticket = next(each for each in await small_stage.desk.reading.tickets("all", "") if each.id == f"S.t{number}")
        talk = await small_stage.desk.reading.talk(ticket.chat, {})
        assert [(line.author, line.kind, line.text, line.detail) for line in talk] == [each[:4] for each in right[0]]  # type: ignore[attr-defined,index]
        assert (ticket.owner, ticket.version, ticket.label, ticket.rating) == ("closed", 3, "resolved", 5)
        assert ticket.closed_at == right[2][3]  # type: ignore[index]
    actions = await small_stage.actions()
    assert len(actions) == 3 * (len(orders) + 1), "and each deed stands in the audit once"


async def test_an_old_owner_does_not_come_back(stage: Stage) -> None:
    taken, queued = (
        ("S.6.1", DeskChanged("S.t1", "taken", 2, AT, "a1", "Rina")),
        ("S.4.2", DeskChanged("S.t1", "queued", 1, AT)),
    )
    await told(stage, [taken, queued])
    (ticket,) = await stage.desk.reading.tickets("all", "")
    assert (ticket.owner, ticket.agent_name, ticket.version) == ("human", "Rina", 2)


async def test_a_reply_to_a_message_that_is_said_later_not_to_have_arrived_still_shows_what_it_replies_to(stage: Stage) -> None:
    await told(stage, story()[:5])
    await stage.desk.records.tell(CHAT, MessageFate("r1", "sent", AT, "m-9"), "fate r1")
    await stage.desk.records.tell(CHAT, MessageFate("r1", "unreachable", AT + timedelta(seconds=1)), "fate r1 returned")
    reply = Relay("S.t1", "person", "text", "Siang", AT + timedelta(seconds=15), "m10", answers="m-9")
    await told(stage, [("S.8.0", reply)])
    (ticket,) = await stage.desk.reading.tickets("all", "")
    talk = await stage.desk.reading.talk(ticket.chat, {})
    assert [line.state for line in talk if line.author == "agent"] == ["unreachable"]
    assert talk[-1].quote == "Selamat siang"


async def test_the_fate_of_a_message_may_be_known_before_the_message(stage: Stage) -> None:
    await stage.desk.records.tell(CHAT, MessageFate("r1", "failed", AT), "fate r1")
    await told(stage, story()[:5])
    (ticket,) = await stage.desk.reading.tickets("all", "")
    (said,) = [line for line in await stage.desk.reading.talk(ticket.chat, {}) if line.author == "agent"]
    assert said.state == "failed"
    assert await stage.desk.reading.given_up(ticket.chat, said.id) == ("r1", "Selamat siang")
    # What was sent after all is not taken back by an older word.
    await stage.desk.records.tell(CHAT, MessageFate("r1", "sent", AT), "fate r1 again")
    await stage.desk.records.tell(CHAT, MessageFate("r1", "unknown", AT), "fate r1 late")
    assert await stage.desk.reading.given_up(ticket.chat, said.id) is None
    # What a channel took and says later did not arrive has not.
    await stage.desk.records.tell(CHAT, MessageFate("r1", "unreachable", AT + timedelta(seconds=1)), "fate r1 returned")
    assert await stage.desk.reading.given_up(ticket.chat, said.id) == ("r1", "Selamat siang")


async def test_lines_of_many_chats_that_are_watched_at_once_are_kept_once_each_in_its_place(stage: Stage) -> None:
    siti, budi = Conversation("web", "siti"), Conversation("telegram", "budi")
    lines = [
        Line(siti, "person", "Halo", AT, "full_name", "e1.0"),
        Line(siti, "bot", "Siapa nama Anda?", AT, "full_name", "e1.1"),
        Line(budi, "person", "Hai", AT, "email", "e1.0"),
        Line(siti, "person", "S***", AT + timedelta(seconds=5), "nik", "e2.0"),
    ]
    for some in (lines[:2], lines, lines[2:]):
        await stage.desk.records.watch(some)
    assert len(await stage.desk.feed.since(0)) == len(lines)
    live = {chat.channel: chat for chat in await stage.desk.reading.live()}
    assert {chat.step for chat in live.values()} == {"nik", "email"}
    talk = await stage.desk.reading.talk(live["web"].id, {})
    assert [line.text for line in talk] == ["Halo", "Siapa nama Anda?", "S***"]


async def test_nothing_of_what_people_wrote_lies_in_the_open(small_stage: Stage, tmp_path: object) -> None:
    await told(small_stage, story())
    await small_stage.desk.records.watch([Line(CHAT, "person", "Kunang-kunang", AT, "nik", "e1.0")])
    files = [path.read_bytes() for path in tmp_path.iterdir() if "accounts.db" in path.name]  # type: ignore[attr-defined]
    assert any(b"desk_entries" in content for content in files)
    for secret in ("3174095708900001", "siti@example.com", "Selamat siang", "Kunang-kunang"):
        assert not any(secret.encode() in content for content in files)


async def test_many_writers_and_the_feed_shows_each_change_once_in_its_order(stage: Stage) -> None:
    seen: list[int] = []
    writing = True

    async def read() -> None:
        last = 0
        while True:
            more = writing
            found = await stage.desk.feed.since(last)
            seen.extend(change.id for change in found)
            last = found[-1].id if found else last
            if not found and not more:
                return
            await asyncio.sleep(0)

    async def write(number: int) -> None:
        chat = Conversation("web", f"chat{number}")
        for place in range(4):
            relay = Relay(f"T.{number}", "person", "text", "x", AT)
            await stage.desk.records.tell(chat, relay, f"S{number}.{place}.0")

    reading = asyncio.create_task(read())
    await asyncio.gather(*map(write, range(8)))
    writing = False
    await reading
    assert len(seen) == 32
    assert all(one < other for one, other in itertools.pairwise(seen))
    numbers = sorted(ticket.number for ticket in await stage.desk.reading.tickets("all", ""))
    assert numbers == list(range(1, 9))


async def test_whoever_listens_hears_at_once_what_another_process_wrote(stage: Stage) -> None:
    async with stage.desk.feed.listening() as queue:
        await told(stage, story()[:3])
        async with asyncio.timeout(30):
            heard = [await queue.get() for _ in range(3)]
    assert [change.what for change in heard] == ["opened", "owner", "entry"]


async def test_what_has_been_kept_long_enough_is_erased(stage: Stage) -> None:
    await told(stage, story())
    await stage.desk.records.watch([Line(Conversation("web", "budi"), "bot", "Halo", AT, "nik", "e1.0")])
    stage.clock.ahead = AT - datetime.now(UTC) + LINES_KEPT / 2
    await stage.desk.forget()
    assert len(await stage.desk.reading.live()) == 2
    stage.clock.ahead += max(LINES_KEPT, TALK_KEPT) + timedelta(days=1)
    await stage.desk.forget()
    (ticket,) = await stage.desk.reading.tickets("all", "")
    talk = await stage.desk.reading.talk(ticket.chat, {})
    assert all(line.gone for line in talk)
    assert (ticket.rating, ticket.label) == (5, "resolved"), "the numbers stay"
    assert await stage.desk.feed.since(0) == []


async def test_a_search_among_the_bots_chats_shows_those_that_match_and_no_others(stage: Stage) -> None:
    await told(stage, story())
    await stage.desk.records.watch([Line(Conversation("web", "budi"), "bot", "Halo", AT, "nik", "e1.0")])
    (ticket,) = await stage.desk.reading.tickets("all", "")
    assert [one.id for one in await stage.desk.reading.live(Filters(query=f"#{ticket.number}"))] == [ticket.chat]
    assert await stage.desk.reading.live(Filters(query="tidak dikenal")) == []


async def test_what_a_bridge_carried_is_to_go_when_the_last_talk_of_its_place_has_been_kept_long_enough(stage: Stage) -> None:
    """A Chatwoot inbox that is locked to one conversation a contact has several tickets in one place."""
    await told(stage, story())
    book = stage.desk.book("chatwoot")
    await book.hold("me", 30)
    await book.placed("S.t1", "7", "new")
    await stage.desk.records.tell(CHAT, Relay("S.t2", "person", "text", "lagi", AT + TALK_KEPT / 2), "S.21.0")
    await book.placed("S.t2", "7", "new")
    closed = DeskChanged("S.t2", "closed", 99, AT + TALK_KEPT / 2, "a1", "Sri", "resolved")
    await stage.desk.records.tell(CHAT, closed, "S.22.0")
    stage.clock.ahead = AT - datetime.now(UTC) + TALK_KEPT + timedelta(days=1)
    await stage.desk.forget()
    assert await book.removals() == [], "the later talk stands there too"
    stage.clock.ahead += TALK_KEPT
    await stage.desk.forget()
    await stage.desk.forget()
    (ticket, _) = await stage.desk.reading.tickets("all", "")
    assert await book.removals() == [("7", ticket.chat)]


async def test_what_is_told_later_is_never_numbered_as_what_was_forgotten(stage: Stage) -> None:
    await told(stage, story())
    newest = await stage.desk.feed.newest()
    stage.clock.ahead = LINES_KEPT * 2
    await stage.desk.forget()
    await stage.desk.records.tell(CHAT, Relay("S.t1", "person", "text", "lagi", AT), "S.11.0")
    (change,) = await stage.desk.feed.since(0)
    assert change.id > newest


async def test_a_note_is_kept_once_and_is_no_word_to_the_person(stage: Stage) -> None:
    agent, _ = await stage.people.agents.add("sri", "Sri", parse("agent"))
    await told(stage, story()[:4])
    for _ in range(2):
        await stage.desk.records.note("S.t1", agent, "Akan menelepon 0812-3456-7890", "k1")
    (ticket,) = await stage.desk.reading.tickets("all", "")
    notes = [line for line in await stage.desk.reading.talk(ticket.chat, {}) if line.kind == "note"]
    assert [(note.text, note.state) for note in notes] == [("Akan menelepon 08********90", "")]
    assert ticket.answered_at is None
    with pytest.raises(LookupError):
        await stage.desk.records.note("S.t9", agent, "x", "k2")


def test_a_ticket_of_before_a_rotation_of_the_look_ups_is_found_after_it() -> None:
    written = Keyring.generate()
    newer = Keyring.generate().replace("index:", "index2:").partition(",")[2]
    before, after = Cells(Keyring.parse(written)), Cells(Keyring.parse(f"{newer},{written}"))
    assert before.term("siti@example.com") in after.terms("siti@example.com")
    assert after.term("siti@example.com") != before.term("siti@example.com")
