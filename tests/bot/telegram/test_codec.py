"""The codec: what is read out of an update, and what a message becomes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.lengths import split
from bot.channels.telegram.codec import (
    TEXT_UNITS,
    Call,
    FromDesk,
    FromPerson,
    InGroup,
    Reachable,
    draw,
    plain,
    read_update,
)
from dialogs.effects import DeleteUserMessages, News, Redraw, Say, Show
from dialogs.events import CommandSent, ContactShared, Event, MediaSent, Started, TextSent
from dialogs.frozen import replace
from dialogs.screens import Action, Moment, Screen
from dialogs.testing import Conversation
from tests.fakes import telegram_rules as rules

ME = {"id": 5, "type": "private"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [
        "update_id",
        "message",
        "edited_message",
        "callback_query",
        "my_chat_member",
        "chat",
        "from",
        "id",
        "type",
        "text",
        "contact",
        "message_id",
        "data",
        "user_id",
        "phone_number",
        "new_chat_member",
        "status",
        "forward_origin",
        "photo",
        "language_code",
    ]
)
TELEGRAMLIKE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["private", "/start", "a:b", "en", "member"])
    | st.text(max_size=4),
    lambda inner: st.dictionaries(FIELDS, inner, max_size=6) | st.lists(inner, max_size=2),
    max_leaves=30,
)


def said(**content: Any) -> Event | None:
    update = read_update(
        json.dumps({"update_id": 1, "message": {"message_id": 9, "chat": ME, "from": {"id": 5}, **content}}).encode(),
        "akses_uji_bot",
    )
    assert isinstance(update, FromPerson)
    return update.event


@given(JSON | TELEGRAMLIKE)
def test_reading_never_raises_on_any_json(value: Any) -> None:
    read_update(json.dumps(value).encode(), "akses_uji_bot")


@given(st.binary(max_size=200))
def test_reading_never_raises_on_any_bytes(body: bytes) -> None:
    read_update(body)


@pytest.mark.parametrize("inside", [b"[" * 100_000 + b"]" * 100_000, b'"\xff"', b'"\xed\xa0\x80"'])
def test_reading_never_raises_on_what_is_nested_too_deeply_or_is_no_text(inside: bytes) -> None:
    for name in (b"photo", b"text"):
        head = b'{"update_id":1,"message":{"message_id":7,"chat":{"id":5,"type":"private"},"%b":' % name
        assert read_update(head + inside + b"}}") is None or name == b"photo"


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("/start", Started()),
        ("/START abc_-9", Started("abc_-9")),
        ("/daftar", CommandSent("daftar")),
        ("/Status@Akses_Uji_Bot", CommandSent("status")),
        ("/bahasa en\n", CommandSent("bahasa", "en")),
        ("/status@another_bot", None),
        ("/start@another_bot x", None),
        ("/", TextSent("/", "9")),
        ("/dua-kata", TextSent("/dua-kata", "9")),
        ("daftar", TextSent("daftar", "9")),
        ("  Siti  ", TextSent("  Siti  ", "9")),
    ],
)
def test_texts_and_commands(text: str, event: Event | None) -> None:
    assert said(text=text) == event


def test_a_reply_names_the_message_that_it_replies_to() -> None:
    replied = {"message_id": 7, "chat": {"id": 5, "type": "private"}, "date": 1, "text": "Nomor yang mana?"}
    assert said(text="Yang pertama", reply_to_message=replied) == TextSent("Yang pertama", "9", "7")
    assert said(photo=[{}], reply_to_message=replied) == MediaSent("photo", "9", "7")


def test_a_contact_without_a_user_is_not_ones_own() -> None:
    assert said(contact={"phone_number": "+62812", "first_name": "A"}) == ContactShared("+62812", own=False, message="9")


def test_a_contact_of_the_sender_is_ones_own() -> None:
    assert said(contact={"phone_number": "62812", "user_id": 5}) == ContactShared("62812", own=True, message="9")


def test_an_animation_is_a_video_though_it_carries_a_document() -> None:
    assert said(animation={"a": 1}, document={"a": 1}) == MediaSent("video", "9")


def test_telegrams_own_notes_are_no_answer_of_the_person() -> None:
    assert said(message_auto_delete_timer_changed={"message_auto_delete_time": 86400}) is None
    assert said(pinned_message={"message_id": 3}) is None


def test_an_unknown_kind_of_content_is_told_as_other() -> None:
    assert said(something_of_next_year={"a": 1}) == MediaSent("other", "9")


@pytest.mark.parametrize(
    ("code", "language"), [("id", "id"), ("in", "id"), ("en", "en"), ("en-US", "en"), ("jv", "id"), (None, None)]
)
def test_indonesian_is_the_hint_for_everything_that_is_not_english(code: str | None, language: str | None) -> None:
    user = {"id": 5, "language_code": code}
    update = read_update(
        json.dumps({"update_id": 1, "message": {"message_id": 9, "chat": ME, "from": user, "text": "a"}}).encode()
    )
    assert isinstance(update, FromPerson)
    assert update.language == language


def test_a_press_in_a_group_is_acknowledged_and_nothing_else() -> None:
    query = {
        "id": "77",
        "from": {"id": 5},
        "data": "t:a",
        "message": {"message_id": 2, "chat": {"id": -1, "type": "supergroup"}},
    }
    update = read_update(json.dumps({"update_id": 1, "callback_query": query}).encode())
    assert update == InGroup(1, -1, 2, invite=False, callback="77")


@pytest.mark.parametrize("kind", ["message", "edited_message", "callback_query"])
def test_what_happens_in_the_helpdesks_group_is_its_bridges_to_read(kind: str) -> None:
    message = {"message_id": 2, "chat": {"id": -100, "type": "supergroup"}, "from": {"id": 5}, "text": "@akses_bot"}
    content = {"id": "7", "from": {"id": 5}, "data": "desk:take:1", "message": message} if kind == "callback_query" else message
    body = json.dumps({"update_id": 1, kind: content}).encode()
    assert read_update(body, "akses_bot", -100) == FromDesk(1, -100, body)
    assert not isinstance(read_update(body, "akses_bot", -200), FromDesk), "another group is none of it"
    assert not isinstance(read_update(body, "akses_bot"), FromDesk)


def test_blocking_and_unblocking_are_read_in_the_private_chat() -> None:
    def changed(status: str) -> Any:
        return read_update(
            json.dumps({"update_id": 1, "my_chat_member": {"chat": ME, "new_chat_member": {"status": status}}}).encode()
        )

    assert changed("kicked") == Reachable(1, 5, yes=False)
    assert changed("member") == Reachable(1, 5, yes=True)


# --- going out


def checked(calls: Any) -> list[tuple[str, dict[str, Any]]]:
    """The calls after the strict fake's rules and a trip through JSON."""
    for method, params in calls:
        typed = rules.parameters(method, json.loads(json.dumps(params)))
        if "text" in typed:
            rules.message_text(typed)
        if "reply_markup" in typed:
            rules.markup(typed["reply_markup"])
    return list(calls)


@given(st.text(max_size=200).map(lambda text: text * 80))
def test_no_part_of_a_split_text_is_too_long_and_no_word_is_lost(text: str) -> None:
    parts = split(text, TEXT_UNITS)
    assert all(rules.units(part) <= TEXT_UNITS for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_a_long_text_is_cut_between_paragraphs_and_never_inside_a_character() -> None:
    paragraph = "kata " * 300
    assert [part.strip() for part in split(f"{paragraph}\n\n" * 5, TEXT_UNITS)] == [
        "\n\n".join([paragraph] * 2).strip()
    ] * 2 + [paragraph.strip()]
    assert split("\N{GRINNING FACE}" * 2049, TEXT_UNITS) == ["\N{GRINNING FACE}" * 2048, "\N{GRINNING FACE}"]


def test_the_buttons_stand_under_the_last_part() -> None:
    screen = Screen("t", "s", "kata\n\n" * 1000, actions=(Action("a", "Ya"),), sensitive=True)
    calls = checked(draw(5, Show(screen)))
    assert ["reply_markup" in params for _, params in calls] == [False, True]
    assert all(params["protect_content"] for _, params in calls)


def test_short_buttons_share_a_row_and_long_or_coloured_ones_have_their_own() -> None:
    screen = Screen(
        "tok",
        "s",
        "?",
        actions=(
            Action("activate", "Aktivasi", "primary"),
            Action("back", "Kembali"),
            Action("cancel", "Batal"),
            Action("x", "Ya"),
            Action("y", "Sebuah pilihan yang panjang"),
        ),
    )
    ((_, params),) = checked(draw(5, Show(screen)))
    rows = params["reply_markup"]["inline_keyboard"]
    assert [[button["callback_data"] for button in row] for row in rows] == [
        ["akses:tok:activate"],
        ["akses:tok:back", "akses:tok:cancel"],
        ["akses:tok:x"],
        ["akses:tok:y"],
    ]
    assert rows[0][0]["style"] == "primary"
    assert "style" not in rows[1][0]


@pytest.mark.parametrize("url", ["http://localhost:8000/x", "http://127.0.0.1:8000/x", "http://[::1]/x", "http://nas/x"])
def test_an_address_on_this_machine_is_told_in_the_text_because_no_button_may_lead_there(url: str) -> None:
    ((_, params),) = checked(draw(5, Show(Screen("t", "s", "Aktif.", actions=(Action("home", "Beranda", url=url),)))))
    assert params["text"] == f"Aktif.\n\nBeranda: {url}"
    assert "reply_markup" not in params


def test_a_public_address_is_a_button() -> None:
    ((_, params),) = checked(
        draw(5, Show(Screen("t", "s", "Aktif.", actions=(Action("home", "Beranda", url="https://a.example/"),))))
    )
    assert params["reply_markup"] == {"inline_keyboard": [[{"text": "Beranda", "url": "https://a.example/"}]]}


def test_a_page_inside_the_chat_is_a_web_app_button_where_telegram_can_open_it_and_nowhere_else_a_button_or_a_word() -> None:
    page, home = (
        Action("app", "Aktifkan di sini", url="https://a.example/telegram/app?lang=id", app=True),
        Action("x", "Status"),
    )
    ((_, params),) = checked(draw(5, Show(Screen("t", "s", "Menunggu.", actions=(page, home)))))
    assert params["reply_markup"]["inline_keyboard"] == [
        [
            {"text": "Aktifkan di sini", "web_app": {"url": "https://a.example/telegram/app?lang=id"}},
            {"text": "Status", "callback_data": "akses:t:x"},
        ]
    ]
    for url in ("http://a.example/telegram/app", "http://localhost:8080/telegram/app", "https://localhost/telegram/app"):
        ((_, params),) = checked(draw(5, Show(Screen("t", "s", "Menunggu.", actions=(replace(page, url=url), home)))))
        assert params["reply_markup"]["inline_keyboard"] == [[{"text": "Status", "callback_data": "akses:t:x"}]]
        assert params["text"] == "Menunggu."


def test_a_question_after_the_contact_keyboard_takes_it_away_in_one_message_where_it_can() -> None:
    bare = Screen("t", "s", "E-mail?")
    ((_, params),) = checked(draw(5, Show(bare), keyboard_up=True))
    assert params["reply_markup"] == {"remove_keyboard": True}
    first, second = checked(draw(5, Show(Screen("t", "s", "E-mail?", actions=(Action("a", "Ya"),))), keyboard_up=True))
    assert first[1]["reply_markup"] == {"remove_keyboard": True}
    assert second[1]["text"] == "E-mail?"


def test_aktivasi_is_green_and_what_throws_away_is_red() -> None:
    chat = Conversation()
    chat.starts()
    for act in ("agree", "kind.individu_lokal"):
        chat.presses(act)
    for answer in ("Siti Rahmawati", "3171234501900002", "0813-2233-4455", "siti@example.com"):
        chat.says(answer)

    def styles() -> dict[str, str]:
        assert chat.screen is not None
        ((_, params),) = checked(draw(5, Show(chat.screen)))
        rows = params["reply_markup"]["inline_keyboard"]
        return {button["text"]: button.get("style", "") for row in rows for button in row}

    assert styles() == {"Aktivasi": "success", "Kembali": "", "Batal": ""}
    chat.presses("Batal")
    assert sorted(styles().values()) == ["danger", "primary"]
    chat.says("/hapus")
    assert sorted(styles().values()) == ["danger", "primary"]


def test_the_number_is_asked_for_with_an_example_in_the_empty_field() -> None:
    screen = Screen("t", "phone", "Nomor?", actions=(Action("contact", "Bagikan nomor", contact=True),), hint="phone")
    ((_, params),) = checked(draw(5, Show(screen)))
    assert params["reply_markup"]["input_field_placeholder"] == "0812-3456-7890"


def test_a_moment_is_marked_in_the_part_that_tells_it_and_in_no_other() -> None:
    at = datetime(2026, 11, 25, 7, 5, tzinfo=UTC)
    screen = Screen("t", "s", "kata\n\n" * 800 + "pukul 14.05 WIB", moments=(Moment("14.05 WIB", at), Moment("tidak ada", at)))
    first, second = checked(draw(5, Show(screen)))
    assert "entities" not in first[1]
    assert [entity["length"] for entity in second[1]["entities"]] == [9]


def test_a_plain_call_is_the_same_without_colours_effects_and_moments() -> None:
    at = datetime(2026, 11, 25, 7, 5, tzinfo=UTC)
    screen = Screen("t", "s", "14.05 WIB", actions=(Action("a", "Ya", "success"),), moments=(Moment("14.05 WIB", at),))
    (adorned,) = draw(5, Show(screen, News("r", "active")))
    assert {"entities", "message_effect_id"} < set(adorned.params)
    (unadorned,) = draw(5, Show(replace(screen, actions=(Action("a", "Ya"),), moments=())))
    assert plain(adorned) == unadorned
    assert plain(unadorned) is None
    assert plain(Call("deleteMessages", {"chat_id": 5, "message_ids": [1]})) is None


def test_deletions_go_in_hundreds_and_what_is_no_message_id_is_left_out() -> None:
    calls = checked(draw(5, DeleteUserMessages((*map(str, range(1, 151)), "", "x"))))
    assert [len(params["message_ids"]) for _, params in calls] == [100, 50]
    assert draw(5, DeleteUserMessages(("",))) == ()


def test_nothing_to_say_is_no_call() -> None:
    assert draw(5, Say(" \n ")) == ()
    assert draw(5, Redraw("", Screen("t", "s", "x"))) == ()


def test_an_agents_reply_stands_as_one_wherever_the_message_still_is() -> None:
    (call,) = draw(5, Say("Nomor yang mana?", None, "agent", "Rina", "r1", "77"))
    assert call.params["reply_parameters"] == {"message_id": 77, "allow_sending_without_reply": True}
    (call,) = draw(5, Say("Nomor yang mana?", None, "agent", "Rina", "r1"))
    assert "reply_parameters" not in call.params
