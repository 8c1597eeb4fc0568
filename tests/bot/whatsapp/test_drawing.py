"""How our messages look: every message of every written conversation is one that WhatsApp takes, and nothing of it is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.lengths import split
from bot.channels.whatsapp.codec import SHARES, written
from bot.channels.whatsapp.drawing import BODY_UNITS, TEXT_UNITS, Body, draw, literal, shortened
from dialogs.effects import DeleteUserMessages, Redraw, Say, Show
from dialogs.events import TextSent
from dialogs.screens import Action, Screen
from dialogs.testing import played
from tests.bot.telegram.test_every_conversation import Noted
from tests.fakes import whatsapp_rules as rules
from tests.transcripts import DIALOG

FILES = sorted(DIALOG.glob("*.md"))


def accepted(body: Body) -> None:
    """Raises what Meta would answer."""
    whole = {"messaging_product": "whatsapp", "recipient_type": "individual", "recipient": "ID.1", **body}
    rules.message(whole)
    assert rules.formatted(words(body)) == []
    if body["type"] == "text":
        assert body["text"]["preview_url"] is False


def words(body: Body) -> str:
    return str(body["text"]["body"] if body["type"] == "text" else body["interactive"]["body"]["text"])


def choices(body: Body) -> list[dict[str, Any]]:
    action = body.get("interactive", {}).get("action", {})
    return [each["reply"] for each in action.get("buttons", [])] or [
        row for each in action.get("sections", []) for row in each["rows"]
    ]


def shown(*labels: str, text: str = "Pilih.", **more: Any) -> tuple[Body, ...]:
    bodies = draw(
        Show(Screen("tok", "s", text, actions=tuple(Action(f"a{at}", label) for at, label in enumerate(labels)), **more))
    )
    for body in bodies:
        accepted(body)
    return bodies


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_whatsapp_takes_every_message_of_the_conversation_and_each_of_its_buttons(path: Path) -> None:
    chat = Noted(channel="whatsapp")
    played(path.read_text("utf-8"), chat)
    messages = [each for each in chat.brought_all if isinstance(each, Say | Show)]
    assert messages
    for message in messages:
        bodies = draw(message)
        assert bodies
        for body in bodies:
            accepted(body)
        told = "\n\n".join(map(words, bodies))
        if isinstance(message, Say):
            assert literal(message.text) in told
            continue
        screen = message.screen
        assert literal(screen.notice) in told
        assert len(bodies) == 1 or len(literal(screen.body)) > BODY_UNITS, "a screen is one bubble"
        pressed = [action for action in screen.actions if not action.url]
        assert [each["id"] for body in bodies for each in choices(body)] == [
            SHARES if action.contact else f"akses:{screen.token}:{action.id}" for action in pressed
        ]
        for action in screen.actions:
            if action.url and not action.app:
                assert f"{action.label}: {action.url}" in told
        rows = [each for body in bodies for each in choices(body)]
        for action, row in zip(pressed, rows, strict=True):
            assert action.label in (row["title"], row.get("description")) or literal(action.label) in told


def test_up_to_three_choices_are_buttons_and_more_are_a_list() -> None:
    (buttons,) = shown("Ya", "Tidak", "Batal")
    assert buttons["interactive"]["type"] == "button"
    (rows,) = shown("Satu", "Dua", "Tiga", "Empat")
    assert rows["interactive"]["type"] == "list"


def test_a_list_that_is_too_long_goes_on_in_a_second_one() -> None:
    bodies = shown(*(f"Orang {number}" for number in range(23)))
    assert [len(choices(body)) for body in bodies] == [10, 10, 3]


def test_a_long_label_is_cut_and_stands_whole_in_the_text_or_beside_its_row() -> None:
    (buttons,) = shown("Register another person", "Status")
    assert [each["title"] for each in choices(buttons)] == ["Register another\N{HORIZONTAL ELLIPSIS}", "Status"]
    assert words(buttons) == "Pilih.\n\n\N{BULLET} Register another person"
    (rows,) = shown("Individu Lokal (Indonesian citizen)", "Individu Asing (foreign citizen)", "Batal", "Kembali")
    assert choices(rows)[0] == {
        "id": "akses:tok:a0",
        "title": "Individu Lokal\N{HORIZONTAL ELLIPSIS}",
        "description": "Individu Lokal (Indonesian citizen)",
    }


def test_choices_that_would_look_alike_are_told_apart_in_a_list() -> None:
    (rows,) = shown("Lihat Siti Rahmawati, s***@example.com", "Lihat Siti Rahmawati, s***@example.net")
    first, second = choices(rows)
    assert first["title"] != second["title"]
    assert first["description"].endswith(".com")
    assert second["description"].endswith(".net")


def test_a_text_too_long_for_buttons_comes_first_and_the_buttons_with_its_end() -> None:
    paragraphs = [f"Paragraf {number}. " + "kata " * 60 for number in range(6)]
    text = "\n\n".join(each.strip() for each in paragraphs)
    first, last = shown("Ya", "Tidak", text=text)
    assert f"{words(first)}\n\n{words(last)}" == text
    assert words(last).startswith("Paragraf")
    assert len(words(last)) <= BODY_UNITS


def test_one_address_alone_is_a_button_and_beside_others_a_line() -> None:
    home = Action("home", "Beranda", url="https://akses.example/")
    (alone,) = draw(Show(Screen("t", "s", "Selamat!", actions=(home,))))
    accepted(alone)
    assert alone["interactive"]["action"]["parameters"] == {"display_text": "Beranda", "url": "https://akses.example/"}
    (beside,) = draw(Show(Screen("t", "s", "Selamat!", actions=(home, Action("a", "Daftar")))))
    accepted(beside)
    assert words(beside) == "Selamat!\n\nBeranda: https://akses.example/"
    (here,) = draw(Show(Screen("t", "s", "Selamat!", actions=(Action("home", "Beranda", url="http://localhost:8080/"),))))
    assert words(here) == "Selamat!\n\nBeranda: http://localhost:8080/"


def test_the_own_number_is_a_button_and_a_page_inside_another_app_is_left_out() -> None:
    actions = (
        Action("contact", "Bagikan nomor", contact=True),
        Action("app", "Aktifkan di sini", url="https://akses.example/telegram/app", app=True),
        Action("back", "Kembali"),
    )
    (body,) = draw(Show(Screen("t", "phone", "Nomor?", actions=actions, progress=(3, 4))))
    assert words(body) == "3/4 \N{MIDDLE DOT} Nomor?"
    assert [each["title"] for each in choices(body)] == ["Bagikan nomor", "Kembali"]


def test_an_agent_speaks_by_name_and_to_the_message_that_is_meant() -> None:
    (body,) = draw(Say("Baik.", author="agent", name="Sari", answers="m"), quoted="wamid.1")
    accepted(body)
    assert (words(body), body["context"]) == ("Sari:\nBaik.", {"message_id": "wamid.1"})


def test_nothing_that_was_sent_can_be_changed_or_removed() -> None:
    assert draw(Redraw("m", Screen("t", "s", "x"))) == ()
    assert draw(DeleteUserMessages(("m",))) == ()


@pytest.mark.parametrize(
    "text",
    [
        "*Budi* Santoso", "_budi_@example.com", "(~x~)", "a `b` c", "* _tebal miring_ *", "*_keduanya_*", "x *a* y *b*", "**Budi**",
        "```kode```", "*lihat https://akses.example/x sini*", "_a_b_",
    ],
)  # fmt: skip
def test_marks_in_what_people_typed_format_nothing_and_nothing_else_changes(text: str) -> None:
    (body,) = draw(Say(text))
    assert rules.formatted(words(body)) == []
    assert words(body).replace("\N{HAIR SPACE}", "") == text


@pytest.mark.parametrize(
    "text",
    [
        "NIK: 3171********0001", "s***@example.com, b***@example.net", "nama_depan_saya@example.com", "5 * 3 * 2",
        "https://akses.example/lanjut/lanjut-_a_b_~c~", "catatan *wajib", "0812-3456-7890",
    ],
)  # fmt: skip
def test_what_would_not_be_formatted_stays_as_it_is(text: str) -> None:
    assert literal(text) == text


@given(st.text("ab*_~` .\n", max_size=40))
def test_no_text_at_all_comes_out_formatted(text: str) -> None:
    assert rules.formatted(literal(text)) == []


@given(
    st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")) | st.just(" "), min_size=1, max_size=60), max_size=10),
    st.sampled_from([20, 24]),
)
def test_labels_fit_and_are_different(labels: list[str], units: int) -> None:
    made = shortened([label for label in labels if label.strip()], units)
    assert len(set(made)) == len(made)
    for each in made:
        assert each.strip() == each
        assert len(each.encode("utf-16-le")) // 2 <= units


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=9_000))
def test_a_long_text_is_cut_into_parts_that_fit_and_loses_nothing_but_space(text: str) -> None:
    parts = split(text, TEXT_UNITS)
    assert all(0 < len(part.encode("utf-16-le")) // 2 <= TEXT_UNITS for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_what_a_button_says_can_be_typed() -> None:
    assert written("Setuju", "m") == TextSent("Setuju", "m")
