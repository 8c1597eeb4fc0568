"""What becomes of a message: sent, later, failed, unknown, dead, refused; and that neither token nor number is told."""

from __future__ import annotations

import logging

import pytest
import structlog

from bot.channels.port import Capabilities, Dead, Delivery, Failed, Later, Refused, Sent, Unknown
from bot.channels.whatsapp.channel import LIMITS
from bot.channels.whatsapp.graph import Graph, GraphError, address
from bot.channels.whatsapp.running import WhatsApp
from bot.limits import PATIENCE_SECONDS, Limits, LocalBuckets, Rate
from dialogs.effects import DeleteUserMessages, Redraw, Say, Show
from dialogs.screens import Action, Screen
from tests.bot.telegram.scripted import ScriptedTurns
from tests.bot.whatsapp.conftest import running
from tests.fakes.whatsapp import FakeMeta, Person


@pytest.fixture
async def budi(meta: FakeMeta, whatsapp: WhatsApp) -> Person:
    person = meta.person("Budi")
    person.says("halo")
    await person.sees("echo halo")
    return person


async def test_a_message_that_was_taken_tells_an_id(whatsapp: WhatsApp, budi: Person) -> None:
    delivery = await whatsapp.channel.deliver(budi.user, Say("halo"), "k")
    assert isinstance(delivery, Sent)
    assert delivery.message
    assert whatsapp.channel.capabilities == Capabilities(buttons=10, returns=True)


@pytest.mark.parametrize(
    ("code", "status", "becomes"),
    [
        (130429, 400, Later(2.0, whole_channel=True)),
        (80007, 400, Later(2.0, whole_channel=True)),
        (99, 429, Later(2.0, whole_channel=True)),
        (131056, 400, Later(6.0)),
        (190, 401, Later(60.0, whole_channel=True)),
        (131042, 400, Later(60.0, whole_channel=True)),
        (10, 403, Later(60.0, whole_channel=True)),
        (131026, 400, Dead("undeliverable")),
        (131050, 400, Dead("stopped")),
        (131047, 400, Dead("window over")),
        (131030, 400, Dead("not allowed")),
        (131000, 400, Failed("400/131000")),
        (131016, 500, Failed("500/131016")),
        (99, 503, Failed("503/99")),
        (100, 400, Refused("400/100")),
        (131009, 400, Refused("400/131009")),
        (131062, 400, Refused("400/131062")),
    ],
)
async def test_a_refusal_is_known_by_its_number(
    meta: FakeMeta, turns: ScriptedTurns, code: int, status: int, becomes: Delivery
) -> None:
    async with running(meta, turns, buckets=LocalBuckets(LIMITS)) as whatsapp:
        person = meta.person("Budi")
        person.window_open = True
        meta.refuse(code, status=status)
        assert await whatsapp.channel.deliver(person.user, Say("halo"), "k") == becomes
        if isinstance(becomes, Later) and becomes.seconds <= PATIENCE_SECONDS:
            return
        again = await whatsapp.channel.deliver(person.user, Say("halo"), "k2")
        assert isinstance(again, Later if isinstance(becomes, Later) else Sent)
        other = meta.person("Siti")
        other.window_open = True
        elsewhere = await whatsapp.channel.deliver(other.user, Say("halo"), "k3")
        closed = isinstance(becomes, Later) and becomes.whole_channel
        assert isinstance(elsewhere, Later if closed else Sent), "a chat's own limit holds up nobody else"


async def test_without_an_answer_it_is_not_known_whether_it_was_taken(meta: FakeMeta, whatsapp: WhatsApp, budi: Person) -> None:
    for after in (False, True):
        meta.cut(after=after)
        assert isinstance(await whatsapp.channel.deliver(budi.user, Say("halo"), "k"), Unknown)


async def test_what_never_reached_meta_was_not_taken() -> None:
    graph = Graph("t", "1065", "http://127.0.0.1:9")
    with pytest.raises(GraphError) as caught:
        await graph.send({}, within=5.0)
    assert not caught.value.arrived
    await graph.close()


async def test_whoever_was_silent_for_a_day_cannot_be_reached(whatsapp: WhatsApp, budi: Person) -> None:
    budi.falls_silent()
    assert await whatsapp.channel.deliver(budi.user, Say("Aktif!"), "k") == Dead("window over")


async def test_a_message_of_several_parts_goes_on_where_it_was_broken_off(
    meta: FakeMeta, whatsapp: WhatsApp, budi: Person
) -> None:
    paragraphs = "\n\n".join(f"Paragraf {number}. " + "kata " * 150 for number in range(3))
    message = Show(Screen("t", "s", paragraphs.strip(), actions=(Action("a", "Ya"),)))
    before = len(budi.answers)
    meta.refuse(131000, times=0)
    real = meta._take
    taken = 0

    def once(body: dict[str, object]) -> dict[str, object]:
        nonlocal taken
        taken += 1
        if taken == 2:
            meta.refuse(131016, status=500)
            raise meta._faults[-1].refusal  # type: ignore[misc]
        return real(body)

    meta._take = once  # type: ignore[assignment, method-assign]
    assert isinstance(await whatsapp.channel.deliver(budi.user, message, "k"), Failed)
    meta._faults.clear()
    assert isinstance(await whatsapp.channel.deliver(budi.user, message, "k"), Sent)
    await budi.until(lambda: budi.answers[before + 1] if len(budi.answers) > before + 1 else None, "both parts")
    assert len(budi.answers) == before + 2
    assert budi.answers[-1].labels == ["Ya"]


async def test_nothing_is_edited_or_deleted_and_that_is_over_at_once(meta: FakeMeta, whatsapp: WhatsApp, budi: Person) -> None:
    before = len(meta.sent)
    for message in (Redraw("m", Screen("t", "s", "x")), DeleteUserMessages(("m",))):
        assert await whatsapp.channel.deliver(budi.user, message, "k") == Sent()
    assert len(meta.sent) == before


@pytest.mark.parametrize("wrong", ["n", "nAAAA", "n!", "nQmFkYWxhaA"])
async def test_an_address_that_nobody_can_open_is_refused(whatsapp: WhatsApp, wrong: str) -> None:
    assert isinstance(await whatsapp.channel.deliver(wrong, Say("halo"), "k"), Refused)


async def test_answers_to_one_person_slow_down_before_meta_says_so(meta: FakeMeta, turns: ScriptedTurns) -> None:
    at_rest = LocalBuckets(
        Limits(Rate(1e6, 1000), LIMITS.chat), clock=lambda: 0.0
    )  # no time passes, however slow the machine is
    async with running(meta, turns, buckets=at_rest) as whatsapp:
        person = meta.person("Budi")
        person.window_open = True
        outcomes = [await whatsapp.channel.deliver(person.user, Say(f"{n}"), f"k{n}") for n in range(14)]
    assert [type(each) for each in outcomes].count(Sent) == LIMITS.chat.burst
    assert isinstance(outcomes[-1], Later)
    assert meta.refused == []


async def test_neither_token_nor_number_stands_in_a_log(
    meta: FakeMeta, turns: ScriptedTurns, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    person = meta.person("Budi")
    person.hides_user = True
    with structlog.testing.capture_logs() as logs:
        async with running(meta, turns, buckets=LocalBuckets(LIMITS)) as whatsapp:
            person.says("halo")
            await person.sees("echo")
            chat = turns.events[0][0].address
            for break_it in (lambda: meta.cut(after=True), lambda: meta.refuse(131026), lambda: meta.refuse(100)):
                break_it()
                assert person.number not in repr(await whatsapp.channel.deliver(chat, Say("halo"), "k"))
    assert logs
    ours = repr(logs) + "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn"))
    assert meta.token not in ours
    assert person.number not in ours


def test_an_address_with_a_version_of_its_own_is_left_as_it_is() -> None:
    assert address("https://graph.facebook.com/") == "https://graph.facebook.com/v26.0"
    assert address("https://graph.facebook.com/v27.0") == "https://graph.facebook.com/v27.0"
