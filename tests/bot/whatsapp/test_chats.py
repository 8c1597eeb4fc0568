"""What a person meets in WhatsApp, with a scripted dialog behind it."""

from __future__ import annotations

import pytest
import structlog

from bot.channels.port import Sent
from bot.channels.whatsapp.running import WhatsApp
from bot.channels.whatsapp.slip import Slip
from bot.conversation import Conversation
from dialogs.effects import News, Say, Show
from dialogs.events import ButtonPressed, ContactShared, Event, MediaSent, MessageEdited, Started, TextSent
from dialogs.screens import Action, Screen
from tests.bot.telegram.scripted import ScriptedTurns, until
from tests.bot.whatsapp.conftest import Heard, running
from tests.fakes.whatsapp import FakeMeta

CONSENT = Screen("tok1", "consent", "Setuju?", actions=(Action("agree", "Setuju", "primary"), Action("no", "Batal", "danger")))


def events(turns: ScriptedTurns) -> list[Event]:
    return [event for _, event, _, _ in turns.events]


@pytest.mark.usefixtures("whatsapp")
async def test_a_pressed_button_comes_back_with_its_token(meta: FakeMeta, turns: ScriptedTurns) -> None:
    turns.script = lambda event: (Show(CONSENT),) if isinstance(event, TextSent) else (Say("terima kasih"),)
    budi = meta.person("Budi")
    budi.says("halo")
    assert (await budi.sees("Setuju?")).labels == ["Setuju", "Batal"]
    budi.presses("Setuju")
    await budi.sees("terima kasih")
    assert events(turns)[-1] == ButtonPressed("tok1", "agree")


@pytest.mark.usefixtures("whatsapp")
async def test_a_row_is_picked_and_an_id_that_is_not_ours_is_a_stale_press(meta: FakeMeta, turns: ScriptedTurns) -> None:
    many = Screen("tok1", "kind", "Tipe?", actions=tuple(Action(f"k.{n}", f"Tipe {n}") for n in range(5)))
    turns.script = lambda event: (Show(many),) if isinstance(event, TextSent) else (Say(f"pilih {event}"),)
    budi = meta.person("Budi")
    budi.says("halo")
    shown = await budi.sees("Tipe?")
    budi.presses("Tipe 3")
    await budi.sees("k.3")
    budi.chooses(shown, {"id": "v1", "title": "Lama"})
    await budi.sees("pilih")
    assert events(turns)[1:] == [ButtonPressed("tok1", "k.3"), ButtonPressed("", "")]


@pytest.mark.usefixtures("whatsapp")
async def test_eight_quick_messages_keep_their_order_and_each_is_answered_once(meta: FakeMeta, turns: ScriptedTurns) -> None:
    meta.shuffles = meta.repeats = True
    budi = meta.person("Budi")
    typed = [f"pesan {number}" for number in range(8)]
    with meta.batching():
        for text in typed:
            budi.says(text)
    await budi.sees("echo pesan 7")
    assert [each.text for each in budi.answers] == [f"echo {text}" for text in typed]


@pytest.mark.usefixtures("whatsapp")
async def test_contacts_media_edits_and_replies_are_told_for_what_they_are(meta: FakeMeta, turns: ScriptedTurns) -> None:
    budi = meta.person("Budi")
    first = budi.says("salah ketik")
    shown = await budi.sees("echo")
    budi.edits(first, "betul")
    budi.shares_contact()
    budi.shares_contact("628777000111")
    for kind in ("image", "audio", "video", "sticker", "location", "document", "unsupported"):
        budi.sends(kind)
    budi.reacts(shown.id)
    budi.says("balasan", answers=shown.id)
    await budi.sees("echo balasan")
    told = events(turns)
    said, reply = told[0], told[-1]
    assert isinstance(said, TextSent)
    assert isinstance(reply, TextSent)
    assert MessageEdited(said.message, "betul") in told
    shared = [event for event in told if isinstance(event, ContactShared)]
    assert [(event.phone, event.own) for event in shared] == [(budi.number, True), ("628777000111", False)]
    kinds = [event.kind for event in told if isinstance(event, MediaSent)]
    assert kinds == ["photo", "voice", "video", "sticker", "location", "document", "other"]
    assert turns.outcomes[0].message == reply.answers, "a reply names our message as its delivery did"  # type: ignore[union-attr]
    assert len(told) == 12, "a reaction says nothing"


@pytest.mark.usefixtures("whatsapp")
async def test_a_link_that_takes_a_form_along_opens_the_chat_with_its_token(meta: FakeMeta, turns: ScriptedTurns) -> None:
    budi, token = meta.person("Budi"), "lanjut-" + "x" * 43
    budi.says(token)
    await budi.sees(f"started {token}")
    budi.says(f"/start {token}")
    await budi.sees(f"started {token}")
    assert events(turns) == [Started(token)] * 2


@pytest.mark.usefixtures("whatsapp")
async def test_a_message_is_shown_as_read_and_a_long_wait_as_typing(
    meta: FakeMeta, turns: ScriptedTurns, whatsapp: WhatsApp
) -> None:
    budi = meta.person("Budi")
    whatsapp.channel.typing(budi.user)
    sent = budi.says("halo")
    await until(lambda: budi.read == [sent])
    whatsapp.channel.typing(budi.user)
    await until(lambda: budi.typing == [sent])


@pytest.mark.usefixtures("whatsapp")
async def test_an_agent_replies_to_the_very_message(meta: FakeMeta, turns: ScriptedTurns) -> None:
    turns.script = lambda event: (Say("Baik.", author="agent", name="Sari", answers=event.message),)  # type: ignore[union-attr]
    budi = meta.person("Budi")
    sent = budi.says("tolong")
    assert (await budi.sees("Sari:\nBaik.")).answers == sent


@pytest.mark.parametrize("hidden", ["", "number", "user"])
async def test_nobody_s_number_leaves_the_channel_but_to_meta(meta: FakeMeta, turns: ScriptedTurns, hidden: str) -> None:
    budi = meta.person("Budi")
    budi.hides_number, budi.hides_user = hidden == "number", hidden == "user"
    with structlog.testing.capture_logs() as logs:
        async with running(meta, turns):
            budi.says("halo")
            await budi.sees("echo halo")
            meta.refuse(131000)
            budi.says("lagi")
            await until(lambda: len(turns.events) == 2)
    (conversation, event, event_id, _), _ = turns.events
    assert (conversation.address == budi.user) == (hidden != "user")
    told = repr((conversation, event, event_id, turns.outcomes, logs))
    for secret in (budi.number, budi.number[2:], "MTI5MDAwMDE", "YyODEyOTAwMDAw", "62812"):
        assert secret not in told
    assert meta.sent[0].get("to", budi.user) == (budi.number if hidden == "user" else budi.user)


async def test_whoever_has_just_written_gets_what_was_kept_for_them(meta: FakeMeta, turns: ScriptedTurns) -> None:
    heard = Heard()
    turns.script = lambda event: ()
    async with running(meta, turns, hears=heard):
        budi = meta.person("Budi")
        budi.says("halo")
        await until(lambda: heard.reachable == [Conversation("whatsapp", budi.user)])
        budi.reacts("wamid.x")
        await until(lambda: len(heard.reachable) == 2)


async def test_what_becomes_of_a_message_is_told_with_what_it_was(meta: FakeMeta, turns: ScriptedTurns) -> None:
    heard = Heard()
    news = Say("Aktif!", News("r1", "active"))
    async with running(meta, turns, hears=heard) as whatsapp:
        budi = meta.person("Budi")
        chat = Conversation("whatsapp", budi.user)
        budi.says("halo")
        await budi.sees("echo halo")
        await whatsapp.channel.deliver(budi.user, news, "s.6.0")
        await until(lambda: heard.there == ["s.6.0"] * 2)  # delivered, and read
        meta.late_failures, budi.unreachable = True, 131026
        assert isinstance(await whatsapp.channel.deliver(budi.user, news, "s.7.0"), Sent)
        await until(lambda: heard.failed == [(chat, "s.7.0", True)])
        budi.unreachable = 131000
        await whatsapp.channel.deliver(budi.user, Say("Sebentar."), "s.8.0")
        await until(lambda: heard.failed[1:] == [(chat, "s.8.0", False)])
    assert heard.there == ["s.6.0"] * 2, "of what nobody would miss nothing is told when it arrives"


@pytest.mark.parametrize("written", ["", "x", " ", "a ", " k", "a k !!", "a k ! !", "a k x"])
def test_what_we_did_not_write_along_with_a_message_is_nothing(written: str) -> None:
    assert Slip.read(written) is None


@pytest.mark.parametrize("missed", [True, False])
def test_what_is_written_along_with_a_message_is_read_again(missed: bool) -> None:
    assert Slip.read(Slip("ID.1", "s.1.0", missed).written) == Slip("ID.1", "s.1.0", missed)
