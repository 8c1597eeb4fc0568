"""A Telegram group with topics: the contract that every bridge keeps, and what is the group's own.

The whole way is real but Telegram itself: its updates come by polling through either library, and its Bot API answers over HTTP.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from akses.desk import held
from akses.forum import BotCalls
from akses.keyring import Keyring
from bot.channels.telegram.running import Telegram, TelegramConfig
from bot.limits import Limits, LocalBuckets, Rate
from dialogs.effects import Say
from dialogs.office import Office
from helpdesk.acting import stands
from helpdesk.bridges.deeds import Deeds, Done
from helpdesk.bridges.forum import drawing
from helpdesk.bridges.forum.bridge import Forum, Pace
from helpdesk.bridges.forum.group import Group
from helpdesk.bridges.forum.hearing import Hearing
from helpdesk.bridges.port import Bridge, Deed, TicketView
from helpdesk.reading import Ticket
from tests.backend.stage import until
from tests.fakes import telegram_people as people
from tests.fakes.bot_api import FakeBotApi
from tests.helpdesk.bridges.contract import BridgeContract, carrying, heard, owned, seen, staff, told
from tests.helpdesk.bridges.far import Press
from tests.helpdesk.stage import Stage, stage_on
from tests.helpdesk.test_deeds import asking, version

# The group's rates, a hundred times as fast: what is tested is never a time.
FAST = Limits(whole=Rate(1000, 30), chat=Rate(100, 30), group=Rate(100, 30))
QUICK = Pace(topics=0.01, edits=0.03, gathering=60)
PRESSES: dict[Press, tuple[str, ...]] = {
    "take": ("Ambil alih",),
    "return": ("Kembalikan ke bot",),
    "close": ("Tutup", "Terselesaikan"),
}


@dataclass
class ForumFar:
    """The group as its members have it."""

    api: FakeBotApi
    group: people.Group
    stage: Stage
    limits: Limits = FAST
    pace: Pace = QUICK
    framework: Literal["aiogram", "ptb"] = "aiogram"
    members: dict[int, people.User] = field(default_factory=dict)
    telegram: Telegram = field(init=False)
    hearing: Hearing = field(init=False)
    forum: Forum = field(init=False)

    def begin(self) -> None:
        config = TelegramConfig(self.api.token, self.api.base, framework=self.framework, desk=self.group.chat.id)
        self.telegram = Telegram(config, buckets=LocalBuckets(self.limits))
        book = self.stage.desk.book("telegram")
        group = Group(BotCalls(self.telegram), self.group.chat.id, book, self.telegram.limiter, self.telegram.moved)
        self.forum = Forum(group, pace=self.pace)
        views = self.stage.desk.views("telegram")
        self.hearing = Hearing(group, self.forum, self.stage.desk.deeds(book), book, views)
        self.telegram.start(self.stage.runner, heard_at_desk=self.hearing.heard)

    # --- as the contract has it

    @property
    def bridge(self) -> Bridge:
        return self.forum

    def member(self, number: int) -> people.User:
        return self.members.setdefault(number, self.api.user(f"Anggota {number}"))

    def account(self, number: int) -> str:
        return f"telegram:{self.member(number).id}"

    def connect(self, deeds: Deeds) -> None:
        pass  # it is, from the beginning

    def break_down(self) -> None:
        for method in ("createForumTopic", "sendMessage", "editMessageText", "editForumTopic", "deleteForumTopic"):
            self.api.refuse(method, 502, "Bad Gateway", times=1_000_000)

    def come_back(self) -> None:
        self.api._faults.clear()

    def vanish(self, place: str) -> None:
        self.group.removes(int(place))

    def places(self) -> list[str]:
        return [str(each.id) for each in self.group.topics.values() if not each.deleted]

    def reads(self, place: str) -> str:
        return self.group.reads(int(place))

    def answered(self, place: str, text: str) -> str:
        (message,) = [each for each in self.group.said(int(place)) if text in each.text]
        return self.group.chat.messages[message.answers - 1].text if message.answers else ""

    def received(self) -> str:
        alone = ("ephemeral_message_parameters", "ephemeral_message_id")
        return json.dumps([call.params for call in self.api.calls if not any(name in call.params for name in alone)])

    async def writes(self, number: int, place: str, text: str) -> None:
        self.group.hears(self.member(number), text, topic=int(place))
        await self._taken()

    async def presses(self, number: int, place: str, what: Press) -> None:
        for label in PRESSES[what]:

            async def there(label: str = label) -> str | None:
                labels = [name for each in self.group.said(int(place)) for name in each.buttons]
                return label if label in labels else None

            await until(there)
            callback = self.group.presses(self.member(number), label, topic=int(place))
            await until(lambda callback=callback: not self.api.callback_open(callback) or None)

    async def _taken(self) -> None:
        """Wait until the product has confirmed the update, which is when it is done."""
        await until(lambda: not self.api.pending or None)

    def told(self, number: int) -> str:
        member = self.member(number)
        own = {each.id for each in self.group.chat.messages if each.author == "person"}
        replies = [each.text for each in self.group.chat.messages if each.author == "bot" and each.answers in own]
        return "\n".join([*replies, *member.alerts])


@asynccontextmanager
async def at_the_group(stage: Stage, **more: Any) -> AsyncIterator[ForumFar]:
    async with FakeBotApi() as api:
        far = ForumFar(api, api.forum("Helpdesk AKSes"), stage, **more)
        far.begin()
        await far.telegram.ready()
        try:
            yield far
        finally:
            await far.hearing.close()
            await far.telegram.close()


@pytest.fixture
async def stage(sqlite_url: str, keyring: Keyring) -> AsyncIterator[Stage]:
    async with stage_on(sqlite_url, keyring, office=Office(always=True)) as opened:
        yield opened


@pytest.fixture(params=["aiogram", "ptb"])
async def far(stage: Stage, request: pytest.FixtureRequest) -> AsyncIterator[ForumFar]:
    async with at_the_group(stage, framework=request.param) as made:
        yield made


@pytest.fixture
async def group(stage: Stage) -> AsyncIterator[ForumFar]:
    async with at_the_group(stage) as made:
        yield made


class TestForum(BridgeContract):
    pass


async def topic_of(far: ForumFar, ticket: Ticket) -> people.Topic:
    await seen(far, f"#{ticket.number}")
    return far.group.topics[int(far.places()[-1])]


async def test_the_topic_is_named_so_that_nobody_is_known_by_it_and_its_icon_shows_who_has_it(
    stage: Stage, group: ForumFar
) -> None:
    ticket = await asking(stage)
    await staff(stage, group, 1, "Rina")
    async with carrying(stage, group):
        topic = await topic_of(group, ticket)
        assert topic.name == "#1 · Siti R. · Web"
        assert topic.colour == drawing.COLOURS["queued"]
        place = str(topic.id)
        await group.presses(1, place, "take")
        await seen(group, "Rina mengambil alih", "Ditangani Rina")
        icons = people.rules.TOPIC_ICONS
        assert topic.icon == icons[drawing.ICONS["human"]]
        await group.presses(1, place, "close")
        await seen(group, "Rina menutup percakapan: Terselesaikan")
        assert topic.icon == icons[drawing.ICONS["closed"]]
        assert topic.closed
    panel = group.group.said(topic.id)[0]
    assert panel.buttons == [], "nothing is left to be pressed"


async def test_a_topic_that_the_bot_may_not_delete_holds_up_nothing_and_goes_when_it_may(
    stage: Stage, group: ForumFar, keyring: Keyring
) -> None:
    group.group.deletes = False
    ticket = await asking(stage)
    async with carrying(stage, group) as made:
        old = await topic_of(group, ticket)
        async with stage.people.database.writing() as conn:
            await held(keyring).erase(conn, ticket.chat)
        made._removing_at = 0.0
        await stage.send("siti", "Halo lagi.", "t1")
        await seen(group, "Halo lagi.")
        assert not old.deleted
        group.group.deletes = True
        made._removing_at = 0.0
        await until(lambda: old.deleted or None)
        assert "Halo lagi." in group.reads(group.places()[-1])


async def test_an_edit_and_a_reply_are_carried_both_ways(stage: Stage, group: ForumFar) -> None:
    from dialogs.events import MessageEdited, TextSent

    ticket = await asking(stage)
    await staff(stage, group, 1, "Rina")
    async with carrying(stage, group):
        topic = await topic_of(group, ticket)
        await stage.send("siti", TextSent("Nomor saya salah", "m7"), "t1")
        await seen(group, "Nomor saya salah")
        (asked,) = [each for each in group.group.said(topic.id) if "Nomor saya salah" in each.text]
        rina = group.member(1)
        answer = group.group.hears(rina, "Nomor yang mana?", topic=topic.id, answers=asked.id)
        await heard(stage, "Nomor yang mana?")
        (said,) = [each for each in stage.chat.said["siti"] if isinstance(each, Say) and each.text == "Nomor yang mana?"]
        assert said.answers == "m7"
        group.group.hears_changed(rina, answer, "Nomor handphone yang mana?")
        await heard(stage, "Ralat: Nomor handphone yang mana?")

        async def kept() -> bool | None:
            return any(line.text.startswith("Ralat") for line in await stage.desk.reading.talk(ticket.chat, {})) or None

        await until(kept)
        # Telegram tells of an edit also where nothing of the text has changed.
        group.group.hears_changed(rina, answer, "Nomor handphone yang mana?")
        await stage.send("siti", MessageEdited("m7", "Nomor HP saya salah"), "t2")
        await seen(group, "Diubah menjadi: Nomor HP saya salah")
        (changed,) = [each for each in group.group.said(topic.id) if "Diubah menjadi" in each.text]
        assert changed.answers == asked.id
    assert len([each for each in stage.chat.texts("siti") if "Ralat" in each]) == 1


async def test_an_edit_of_what_was_never_sent_is_not_sent_either(stage: Stage, group: ForumFar) -> None:
    ticket = await asking(stage)
    await staff(stage, group, 1, "Rina")
    async with carrying(stage, group):
        topic = await topic_of(group, ticket)
        command = group.group.hears(group.member(1), "/tutup", topic=topic.id)
        await told(group, 1, "seperti perintah")
        group.group.hears_changed(group.member(1), command, "Tutup saja")
        await told(group, 1, "tidak pernah dikirim")
        note = group.group.hears(group.member(1), "// hanya di antara kita", topic=topic.id)
        await group._taken()
        refused = group.told(1).count("tidak pernah dikirim")
        group.group.hears_changed(group.member(1), note, "hanya di antara kita")
        await until(lambda: group.told(1).count("tidak pernah dikirim") > refused or None)
        group.group.gets(group.member(1), "photo", topic=topic.id)
        await told(group, 1, "Hanya teks")
    await owned(stage, "queued")
    said = "".join(stage.chat.texts("siti"))
    assert "Tutup saja" not in said
    assert "di antara kita" not in said


async def test_lines_that_come_soon_after_each_other_stand_in_one_message(stage: Stage, group: ForumFar) -> None:
    ticket = await asking(stage)
    async with carrying(stage, group):
        topic = await topic_of(group, ticket)
        for number in range(12):
            await stage.send("siti", f"Baris {number}", f"t{number}")
        reads = await seen(group, "Baris 11")
        assert [f"Baris {number}" in reads for number in range(12)] == [True] * 12
    sent = [call for call in group.api.called("sendMessage") if call.params.get("message_thread_id") == topic.id]
    assert len(sent) <= 2, "the panel, and one that grows"


async def test_a_group_is_never_sent_more_than_it_takes_however_many_talk(stage: Stage) -> None:
    """The fake's minute and the limiter's rate, both ten times as fast, with some room for a machine that is busy."""
    talking = [f"orang{number}" for number in range(9)]
    async with at_the_group(stage, limits=Limits(whole=Rate(1000, 30), chat=Rate(100, 30), group=Rate(2.5, 2))) as slow:
        slow.api.group_minute = 6.0
        for address in talking:
            await asking(stage, address)
        async with carrying(stage, slow):
            for line in range(3):
                for address in talking:
                    await stage.send(address, f"Kata {line} dari {address}.", f"t{line}")

            async def all_there() -> bool | None:
                reads = "\n".join(slow.reads(place) for place in slow.places())
                return all(f"Kata 2 dari {address}." in reads for address in talking) or None

            await until(all_there, seconds=60)
        reads = "\n".join(slow.reads(place) for place in slow.places())
        assert all(reads.count(f"Kata {line} dari {address}.") == 1 for line in range(3) for address in talking)
        assert slow.api.floods == 0


def test_a_groups_own_rate_is_telegrams() -> None:
    group = Limits().group
    assert group.burst + 60 * group.per_second <= 20


async def test_a_value_is_shown_to_its_agent_alone_and_only_after_a_reason(stage: Stage, group: ForumFar) -> None:
    ticket = await asking(stage)
    supervisor = await staff(stage, group, 1, "Rina", "supervisor")
    await staff(stage, group, 2, "Budi")
    async with carrying(stage, group):
        topic = await topic_of(group, ticket)
        await group.presses(1, str(topic.id), "take")
        await seen(group, "Ditangani Rina")
        rina, budi = group.member(1), group.member(2)
        await press(group, rina, "Lihat Nama lengkap", topic.id)
        await press(group, rina, "Mencocokkan identitas", topic.id)
        await until(lambda: "Siti Rahmawati" in "".join(rina.whispers.values()) or None)
        await press(group, budi, "Lihat Nama lengkap", topic.id)
        await press(group, budi, "Mencocokkan identitas", topic.id)
        await until(lambda: "ditangani Rina" in "".join(budi.whispers.values()) or None)
    assert "Rahmawati" not in group.received()
    assert "Rahmawati" not in "".join(budi.whispers.values())
    lines = [line for line in await stage.audit.lines(limit=500) if line.action == "desk.revealed"]
    assert [(line.actor, line.detail["field"], line.detail["reason"]) for line in lines] == [
        (f"agent:{supervisor.id}", "full_name", "identity")
    ]


async def test_where_telegram_cannot_show_a_value_to_one_alone_nobody_sees_it(stage: Stage, group: ForumFar) -> None:
    """An older server overlooks what it does not know, and would show to all what was meant for one."""
    group.api.whispers = False
    ticket = await asking(stage)
    await staff(stage, group, 1, "Rina")
    async with carrying(stage, group):
        topic = await topic_of(group, ticket)
        await group.presses(1, str(topic.id), "take")
        await seen(group, "Ditangani Rina")
        await press(group, group.member(1), "Lihat Nama lengkap", topic.id)
        await press(group, group.member(1), "Mencocokkan identitas", topic.id)
        await told(group, 1, "Lihat di konsol")
        await until(lambda: "Sebentar" not in group.reads(str(topic.id)) or None)
    assert "Rahmawati" not in json.dumps([dict(call.params) for call in group.api.calls])
    assert "desk.revealed" not in await stage.actions()


async def press(far: ForumFar, user: people.User, label: str, topic: int) -> None:
    await until(lambda: label in [name for each in far.group.said(topic) for name in each.buttons] or None)
    callback = far.group.presses(user, label, topic=topic)
    await until(lambda: not far.api.callback_open(callback) or None)


async def test_general_bots_and_other_topics_are_nobodys_business(stage: Stage, group: ForumFar) -> None:
    ticket = await asking(stage)
    await staff(stage, group, 1, "Rina")
    async with carrying(stage, group):
        topic = await topic_of(group, ticket)
        await stage.send("siti", "Halo?", "t1")
        await seen(group, "Halo?")
        other = group.group.add_topic("Obrolan", 0, "")
        calls = len(group.api.called("sendMessage"))
        group.group.hears(group.member(1), "Makan siang di mana?")
        group.group.hears(group.member(1), "Di sini saja.", topic=other.id)
        robot = group.api.user("Robot")
        robot.describe = lambda: {"id": robot.id, "is_bot": True, "first_name": "Robot"}  # type: ignore[method-assign]
        group.group.hears(robot, "Halo, saya robot", topic=topic.id)
        anonymous = group.group.hears(
            group.member(1), "Atas nama grup", topic=topic.id, sender_chat=group.group.chat.describe()
        )
        await until(lambda: any(each.answers == anonymous for each in group.group.said(topic.id)) or None)
        assert len(group.api.called("sendMessage")) == calls + 1
    await owned(stage, "queued")


async def test_a_word_in_a_topic_of_the_bot_that_belongs_to_nothing_is_said_to_have_gone_nowhere(
    stage: Stage, group: ForumFar
) -> None:
    """As a crash between the topic's making and its writing down leaves one."""
    await staff(stage, group, 1, "Rina")
    lost = group.group.add_topic("#7", 0, "", by_bot=True)
    group.group.hears(group.member(1), "Halo?", topic=lost.id)
    await told(group, 1, "tidak terhubung dengan percakapan")


async def test_a_word_in_a_topic_that_is_not_written_down_yet_is_not_lost(
    stage: Stage, group: ForumFar, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = await asking(stage)
    await staff(stage, group, 1, "Rina")
    opened, done, tried = group.forum.open, group.hearing._deeds.do, asyncio.Event()

    async def slowly(view: TicketView) -> str:
        place = await opened(view)
        group.group.hears(group.member(1), "Saya di sini.", topic=int(place))
        await tried.wait()
        return place

    async def do(deed: Deed) -> Done:
        try:
            return await done(deed)
        finally:
            tried.set()

    monkeypatch.setattr(group.forum, "open", slowly)
    monkeypatch.setattr(group.hearing._deeds, "do", do)
    async with carrying(stage, group):
        await heard(stage, "Saya di sini.")
        await seen(group, f"#{ticket.number}")


async def test_a_group_that_becomes_another_is_followed_and_the_next_start_knows(stage: Stage, group: ForumFar) -> None:
    became = group.api.migrates(group.group)
    old, group.group = group.group, became
    ticket = await asking(stage)
    await staff(stage, group, 1, "Rina")
    async with carrying(stage, group):
        topic = await topic_of(group, ticket)
        await group.writes(1, str(topic.id), "Halo, Ibu.")
        await heard(stage, "Halo, Ibu.")
    await group.telegram.close()
    group.group = old
    group.begin()  # with the setting as it was
    await group.telegram.ready()
    group.group = became
    calls = len(group.api.calls)
    async with carrying(stage, group):
        await stage.send("siti", "Baik.", "t1")
        await seen(group, "Baik.")
    assert old.chat.id not in [call.params.get("chat_id") for call in group.api.calls[calls:]]


async def test_a_topic_closed_by_hand_is_open_again_with_the_next_word(stage: Stage, group: ForumFar) -> None:
    ticket = await asking(stage)
    async with carrying(stage, group):
        topic = await topic_of(group, ticket)
        group.group.closes(group.member(9), topic.id)
        await group._taken()
        await stage.send("siti", "Masih di sana?", "t1")
        await seen(group, "Masih di sana?")
        assert not topic.closed


async def test_a_word_in_the_topic_of_a_ticket_that_is_over_goes_nowhere(stage: Stage, group: ForumFar) -> None:
    ticket = await asking(stage)
    await staff(stage, group, 1, "Rina")
    async with carrying(stage, group):
        topic = await topic_of(group, ticket)
        await group.presses(1, str(topic.id), "take")
        await group.presses(1, str(topic.id), "return")
        await owned(stage, "bot")
        await seen(group, "mengembalikan percakapan")
        await group.writes(1, str(topic.id), "Masih ada pertanyaan?")
        await told(group, 1, "Tiket ini sudah selesai")
    assert not any("Masih ada pertanyaan?" in each for each in stage.chat.texts("siti"))


async def test_a_message_that_did_not_reach_the_person_is_told_beneath_it(stage: Stage, group: ForumFar) -> None:
    from bot.channels.port import Refused

    ticket = await asking(stage)
    await staff(stage, group, 1, "Rina")
    async with carrying(stage, group):
        topic = await topic_of(group, ticket)
        stage.chat.answers = [Refused("400"), Refused("400")]
        said = group.group.hears(group.member(1), "Halo?", topic=topic.id)
        await seen(group, "Tidak sampai kepada investor")
        (failed,) = [each for each in group.group.said(topic.id) if "Tidak sampai" in each.text]
        assert failed.answers == said


async def test_a_group_that_hangs_keeps_no_investor_waiting(stage: Stage, group: ForumFar) -> None:
    ticket = await asking(stage)
    await staff(stage, group, 1, "Rina")
    async with carrying(stage, group):
        topic = await topic_of(group, ticket)
        with group.api.holding("sendMessage"), group.api.holding("answerCallbackQuery"):
            group.group.presses(group.member(2), "Ambil alih", topic=topic.id)
            group.group.hears(group.member(2), "Bukan siapa-siapa", topic=topic.id)
            await stage.send("siti", "Halo?", "t1")
            await group._taken()
            chat = await stage.desk.reading.chat(ticket.chat)
            rina = await stage.people.agents.by_login("rina")
            assert chat is not None
            assert rina is not None
            await stage.desk.acting.say(chat, rina, await version(stage), "k1", "Dari konsol")
            await heard(stage, "Dari konsol")
            await owned(stage, "human", "Rina")
        await seen(group, "Halo?", "Dari konsol")


async def test_what_is_said_while_the_stores_are_away_is_said_not_to_have_been_done(
    stage: Stage, group: ForumFar, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = await asking(stage)
    await staff(stage, group, 1, "Rina")

    async def away(*_: Any) -> None:
        raise OSError

    async with carrying(stage, group):
        topic = await topic_of(group, ticket)
        monkeypatch.setattr(stage.desk.acting, "say", away)
        await group.writes(1, str(topic.id), "Halo?")
        await told(group, 1, "tidak dapat dijangkau")
    assert stands(await stage.runner.session(chat_of(stage))).owner == "queued"


def chat_of(_: Stage) -> Any:
    from tests.helpdesk.bridges.contract import CHAT

    return CHAT


def test_a_long_word_is_told_whole_in_several_messages() -> None:
    written = " ".join(f"kata{number}" for number in range(1200))
    pieces = drawing.parts(written)
    assert " ".join(pieces) == written
    assert all(len(piece.encode("utf-16-le")) <= 8192 for piece in pieces)


def test_every_colour_and_icon_is_one_that_telegram_takes() -> None:
    assert set(drawing.COLOURS.values()) <= people.rules.TOPIC_COLOURS
    assert set(drawing.ICONS.values()) <= set(people.rules.TOPIC_ICONS)
