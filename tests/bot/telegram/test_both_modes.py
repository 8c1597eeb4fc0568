"""What a person meets, the same by polling and by webhook, through aiogram and through python-telegram-bot."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.channels.telegram.codec import ALLOWED_UPDATES, PARTY
from bot.channels.telegram.texts import WORDS
from dialogs.effects import DeleteUserMessages, News, Redraw, Say, Show
from dialogs.events import ButtonPressed, ContactShared, MediaSent, MessageEdited, Started, TextSent
from dialogs.screens import Action, Moment, Screen
from tests.bot.telegram.scripted import ScriptedTurns
from tests.fakes import telegram_rules as rules
from tests.fakes.bot_api import FakeBotApi

pytestmark = pytest.mark.usefixtures("telegram")

PHONE = Screen(
    "tok",
    "phone",
    "Nomor?",
    actions=(Action("contact", "Bagikan nomor", contact=True), Action("back", "Kembali")),
    progress=(3, 4),
)
EMAIL = Screen(
    "tok2",
    "email",
    "Alamat e-mail?",
    notice="Nomor tersimpan.",
    actions=(Action("back", "Kembali"),),
    hint="email",
    progress=(4, 4),
)
SENDING = Screen("tok3", "sending", "Sebentar.")
HOME = Screen("tok4", "idle", "Selamat datang.", notice="Dibatalkan.", actions=(Action("register", "Daftar", "primary"),))


async def test_start_with_a_deep_link_reaches_the_dialog_and_its_answer_the_person(
    api: FakeBotApi, turns: ScriptedTurns
) -> None:
    user = api.user("Budi", language="en-GB")
    user.starts("campaign-7")
    await user.sees("started campaign-7")
    conversation, event, _, language = turns.events[0]
    assert (conversation.channel, conversation.address, event, language) == (
        "telegram",
        str(user.id),
        Started("campaign-7"),
        "en",
    )


async def test_eight_quick_messages_keep_their_order_and_each_is_answered_once(api: FakeBotApi, turns: ScriptedTurns) -> None:
    user = api.user("Budi")
    typed = [f"pesan {number}" for number in range(8)]
    for text in typed:
        user.says(text)
    await user.sees("echo pesan 7")
    assert turns.texts == typed
    assert [message.text for message in user.answers] == [f"echo {text}" for text in typed]


async def test_several_messages_of_a_turn_come_in_their_order(api: FakeBotApi, turns: ScriptedTurns) -> None:
    turns.script = lambda event: (Say("satu"), Say("dua"), Show(Screen("t", "s", "tiga", actions=(Action("a", "Ya"),))))
    user = api.user("Budi")
    user.says("halo")
    user.says("lagi")
    await user.chat.until(lambda: user.answers[5] if len(user.answers) > 5 else None, "the sixth message")
    assert [message.text for message in user.answers] == ["satu", "dua", "tiga"] * 2


async def test_a_redelivered_update_is_answered_once(api: FakeBotApi, turns: ScriptedTurns) -> None:
    user = api.user("Budi")
    update = {
        "update_id": 42,
        "message": {
            "message_id": user.says("x"),
            "from": user.describe(),
            "chat": user.chat.describe(),
            "date": 1,
            "text": "sekali",
        },
    }
    for _ in range(3):
        api.redeliver(update)
    await user.sees("echo sekali")
    user.says("penutup")
    await user.sees("echo penutup")
    assert [message.text for message in user.answers].count("echo sekali") == 1
    assert turns.texts.count("sekali") == 1


async def test_a_pressed_button_comes_back_with_its_token_and_stops_spinning(api: FakeBotApi, turns: ScriptedTurns) -> None:
    screen = Screen(
        "tok1", "consent", "Setuju?", actions=(Action("agree", "Setuju", "primary"), Action("no", "Batal", "danger"))
    )
    turns.script = lambda event: (Show(screen),) if isinstance(event, Started) else (Say("terima kasih"),)
    user = api.user("Budi")
    user.starts()
    shown = await user.sees("Setuju?")
    assert [[button.get("style") for button in row] for row in shown.rows] == [["primary"], ["danger"]]
    callback = user.presses("Setuju")
    await user.sees("terima kasih")
    await user.sees_no_spinner(callback)
    assert turns.events[-1][1] == ButtonPressed("tok1", "agree", str(shown.id))


async def test_an_answer_does_not_wait_for_a_slow_answer_callback_query(api: FakeBotApi, turns: ScriptedTurns) -> None:
    screen = Screen("tok1", "consent", "Setuju?", actions=(Action("agree", "Setuju"),))
    turns.script = lambda event: (Show(screen),) if isinstance(event, Started) else (Say("terima kasih"),)
    user = api.user("Budi")
    user.starts()
    await user.sees("Setuju?")
    with api.holding("answerCallbackQuery"):
        callback = user.presses("Setuju")
        await user.sees("terima kasih")
        assert api.callback_open(callback)
    await user.sees_no_spinner(callback)


async def test_data_that_is_no_button_of_ours_counts_as_a_stale_press(api: FakeBotApi, turns: ScriptedTurns) -> None:
    turns.script = lambda event: (Show(Screen("t", "s", "Tanya", actions=(Action("a", "Ya"),))),)
    user = api.user("Budi")
    user.starts()
    shown = await user.sees("Tanya")
    await user.sees_no_spinner(user.presses_data(shown.id, "v1-act-9"))
    user.says("penutup")
    await user.chat.until(lambda: user.answers[2] if len(user.answers) > 2 else None, "three answers")
    assert ButtonPressed("", "", str(shown.id)) in [event for _, event, _, _ in turns.events]


async def test_the_phone_is_shared_with_one_tap_and_the_next_question_takes_the_keyboards_place(
    api: FakeBotApi, turns: ScriptedTurns
) -> None:
    turns.script = lambda event: (Show(EMAIL),) if isinstance(event, ContactShared) else (Show(PHONE),)
    user = api.user("Budi", phone="6281298765432")
    user.starts()
    await user.sees("3/4 \N{MIDDLE DOT} Nomor?")
    assert [[button["text"] for button in row] for row in user.chat.keyboard or []] == [["Bagikan nomor"], ["Kembali"]]
    user.presses("Bagikan nomor")
    await user.sees("4/4 \N{MIDDLE DOT} Alamat e-mail?")
    assert [[button["text"] for button in row] for row in user.chat.keyboard or []] == [["Kembali"]]
    assert [message.text for message in user.answers][1:] == ["Nomor tersimpan.\n\n4/4 \N{MIDDLE DOT} Alamat e-mail?"], (
        "one bubble"
    )
    event = turns.events[-1][1]
    assert isinstance(event, ContactShared)
    assert (event.phone, event.own) == ("6281298765432", True)


async def test_the_keyboard_goes_with_the_next_message_without_buttons(api: FakeBotApi, turns: ScriptedTurns) -> None:
    turns.script = lambda event: (Show(SENDING),) if isinstance(event, TextSent) else (Show(PHONE),)
    user = api.user("Budi")
    user.starts()
    await user.sees("Nomor?")
    before = len(user.answers)
    user.says("0812 9876 5432")
    await user.sees("Sebentar.")
    assert user.chat.keyboard is None
    assert len(user.answers) == before + 1, "no bubble of its own"


async def test_a_screen_that_leaves_the_form_takes_the_keyboard_away_once(api: FakeBotApi, turns: ScriptedTurns) -> None:
    turns.script = lambda event: (Show(HOME),) if isinstance(event, TextSent) else (Show(PHONE),)
    user = api.user("Budi")
    user.starts()
    await user.sees("Nomor?")
    user.says("batal")
    home = await user.sees("Selamat datang.")
    assert home.buttons == ["Daftar"]
    assert user.chat.keyboard is None
    before = len(user.answers)
    user.says("lagi")
    await user.sees("Selamat datang.")
    assert len(user.answers) == before + 1


async def test_a_keyboard_from_before_a_restart_goes_when_the_contact_comes_from_it(
    api: FakeBotApi, turns: ScriptedTurns
) -> None:
    turns.script = lambda event: (Show(SENDING),)
    user = api.user("Budi")
    user.chat.keyboard = [[{"text": "Bagikan nomor", "request_contact": True}]]
    user.presses("Bagikan nomor")
    await user.sees("Sebentar.")
    assert user.chat.keyboard is None


@pytest.mark.parametrize(("own", "forwarded"), [(False, False), (True, True), (False, True)])
async def test_a_contact_of_somebody_else_or_a_forwarded_one_is_not_the_persons_own(
    api: FakeBotApi, turns: ScriptedTurns, own: bool, forwarded: bool
) -> None:
    user = api.user("Budi")
    user.shares_contact(own=own, forwarded=forwarded)
    await user.sees("contact of somebody else")


async def test_media_and_edits_are_told_for_what_they_are(api: FakeBotApi, turns: ScriptedTurns) -> None:
    user = api.user("Budi")
    sent = user.says("salah ketik")
    await user.sees("echo")
    user.edits(sent, "betul")
    for kind in ("photo", "voice", "video", "sticker", "location", "document", "poll"):
        user.sends(kind)
    user.says("akhir")
    await user.sees("echo akhir")
    events = [event for _, event, _, _ in turns.events]
    assert MessageEdited(str(sent), "betul") in events
    kinds = [event.kind for event in events if isinstance(event, MediaSent)]
    assert kinds == ["photo", "voice", "video", "sticker", "location", "document", "other"]


async def test_a_summary_is_redrawn_in_place_and_personal_messages_are_deleted(api: FakeBotApi, turns: ScriptedTurns) -> None:
    summary = Screen(
        "t1", "summary", "NIK 3171 2345 0190 0001", actions=(Action("activate", "Aktivasi", "primary"),), sensitive=True
    )

    def script(event):
        match event:
            case TextSent():
                return (Show(summary),)
            case ButtonPressed(_, _, carrier):
                masked = Screen("", "summary", "NIK 3171********0001")
                return Redraw(carrier, masked), DeleteUserMessages((typed,)), Say("Terima kasih")
        return ()

    turns.script = script
    user = api.user("Budi")
    typed = str(user.says("3171234501900001"))
    shown = await user.sees("NIK 3171 2345")
    assert shown.protected
    user.presses("Aktivasi")
    await user.sees("Terima kasih")
    await user.sees("NIK 3171********0001")
    await user.chat.until(lambda: shown if user.chat.messages[int(typed) - 1].deleted else None, "the deletion")
    assert shown.edited
    assert not shown.buttons
    assert "3171234501900001" not in user.chat.transcript()


async def test_a_group_gets_one_sentence_with_the_way_to_the_private_chat_and_nothing_is_kept(
    api: FakeBotApi, turns: ScriptedTurns
) -> None:
    user, group = api.user("Budi", language="id"), api.group("Direksi")
    group.hears(user, "NIK saya 3171234501900001")
    group.hears(user, "/start@another_bot")
    group.hears(user, "/daftar@akses_uji_bot")
    invitation = await group.sees(f"https://t.me/{api.username}?start=group")
    assert invitation.text == WORDS["id"].group.format(link=f"https://t.me/{api.username}?start=group")
    group.hears(user, "/daftar")
    group.hears(user, f"halo @{api.username}")
    user.says("penutup")
    await user.sees("echo penutup")
    assert len(group.answers) == 1
    assert turns.texts == ["penutup"]


async def test_a_mention_in_a_group_is_answered_in_the_language_of_its_author(api: FakeBotApi) -> None:
    user, group = api.user("Ann", language="en"), api.group("Board", type_="group")
    group.hears(user, f"what does @{api.username.upper()} do?")
    await group.sees("private chat")


async def test_the_store_comes_back_and_nothing_was_lost(api: FakeBotApi, turns: ScriptedTurns) -> None:
    turns.unavailable = 2
    user = api.user("Budi")
    user.says("satu")
    user.says("dua")
    await user.sees("echo dua")
    assert turns.texts == ["satu", "dua"]


async def test_only_what_is_used_is_asked_for(api: FakeBotApi) -> None:
    user = api.user("Budi")
    user.starts()
    await user.sees("started")
    assert sorted(api.allowed) == sorted(ALLOWED_UPDATES)


async def test_an_active_account_is_celebrated_where_telegram_has_the_effect_and_told_where_it_has_not(
    api: FakeBotApi, turns: ScriptedTurns
) -> None:
    news = News("reg_1", "active")
    turns.script = lambda event: (
        (Say("satu"), Say("Selamat!", news)) if isinstance(event, Started) else (Say("Beres."), Say("x", news))
    )
    user = api.user("Budi")
    user.starts()
    assert (await user.sees("Selamat!")).effect == PARTY
    assert [each.effect for each in user.answers if each.text == "satu"] == [""]
    rules.EFFECTS, effects = frozenset(), rules.EFFECTS
    try:
        user.says("halo")
        assert (await user.sees("x")).effect == ""
    finally:
        rules.EFFECTS = effects


async def test_a_time_is_told_by_the_person_s_own_clock(api: FakeBotApi, turns: ScriptedTurns) -> None:
    at = datetime(2026, 11, 25, 7, 5, tzinfo=UTC)
    notice = "\N{GRINNING FACE} Kirim Ulang bisa dipakai mulai pukul 14.05 WIB."
    turns.script = lambda event: (Show(Screen("t", "pending", "Menunggu.", notice=notice, moments=(Moment("14.05 WIB", at),))),)
    user = api.user("Budi")
    user.says("halo")
    shown = await user.sees("14.05 WIB")
    (entity,) = shown.entities
    assert (entity["type"], entity["unix_time"], entity["date_time_format"]) == ("date_time", int(at.timestamp()), "t")
    told = shown.text.encode("utf-16-le")[entity["offset"] * 2 : (entity["offset"] + entity["length"]) * 2].decode("utf-16-le")
    assert told == "14.05 WIB"


async def test_every_message_of_ours_is_plain_text_without_a_link_preview(api: FakeBotApi, turns: ScriptedTurns) -> None:
    turns.script = lambda event: (Say("<b>_*lihat https://example.org"),)
    user = api.user("Budi")
    user.starts()
    assert (await user.sees("lihat")).text == "<b>_*lihat https://example.org"
    (call,) = api.called("sendMessage")
    assert "parse_mode" not in call.params
    assert call.params["link_preview_options"] == {"is_disabled": True}
