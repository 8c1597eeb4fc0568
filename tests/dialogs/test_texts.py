"""The catalogues: complete, alike in both languages, and used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dialogs.commands import COMMANDS, MENU, WORDS
from dialogs.machine import STEPS
from dialogs.texts import CATALOGUES, LANGUAGES, Language, label_of
from tests.dialogs.test_conversation import at_question

PLACEHOLDER = re.compile(r"{(\w+)}")
SOURCES = [*Path("dialogs").rglob("*.py"), *Path("bot").rglob("*.py")]


def test_both_languages_hold_the_same_ids() -> None:
    assert set(CATALOGUES["id"]) == set(CATALOGUES["en"])


@pytest.mark.parametrize("id_", sorted(CATALOGUES["id"]))
def test_a_text_has_the_same_placeholders_in_both_languages(id_: str) -> None:
    found = {language: set(PLACEHOLDER.findall(CATALOGUES[language][id_])) for language in LANGUAGES}
    assert found["id"] == found["en"]


@pytest.mark.parametrize("id_", sorted(CATALOGUES["id"]))
def test_no_text_is_empty_or_ragged(id_: str) -> None:
    for language in LANGUAGES:
        text = CATALOGUES[language][id_]
        assert text.strip() == text
        assert text
        assert "  " not in text


def test_every_button_of_the_catalogue_is_used() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    for id_ in CATALOGUES["id"]:
        if id_.startswith("button."):
            assert f'"{id_.removeprefix("button.")}' in source or f'"{id_}"' in source, id_


@pytest.mark.parametrize(
    ("action", "label"),
    [
        ("agree", "Setuju"),
        ("kind.individu_lokal", "Individu Lokal"),
        ("speak.en", "English"),
        ("rate.5", "5: sangat puas"),
        ("edit.nik", "Ubah NIK"),
        ("suggested", "Pakai …"),
        ("about.1", "Lihat …"),
        ("nothing", "nothing"),
        ("kind.{0}", "kind.{0}"),
        ("edit.{0}", "Ubah …"),
        ("", ""),
    ],
)
def test_whoever_reads_along_reads_what_stood_on_the_button(action: str, label: str) -> None:
    assert label_of("id", action) == label


def test_every_word_means_a_command_and_the_menu_holds_known_words_with_texts() -> None:
    assert set(WORDS.values()) <= set(COMMANDS)
    for word in MENU:
        assert word in WORDS
        assert f"flow.menu.{word}" in CATALOGUES["id"]


def test_no_word_of_a_command_is_spelled_with_capitals_or_a_slash() -> None:
    assert all(word == word.casefold() and not word.startswith("/") for word in WORDS)


def test_every_step_is_known_by_its_own_id() -> None:
    assert all(id_ == step.id for id_, step in STEPS.items())


def test_no_user_visible_sentence_stands_in_the_code_of_the_dialog() -> None:
    sentence = re.compile(r'"[A-Z][a-z]+ [a-z]+ [a-z]+[^"]*[.?!]"')
    for path in Path("dialogs").rglob("*.py"):
        if {"testing", "diagram"} & set(path.parts):
            continue  # read by those who change the dialog, not by those who are in it
        for line in path.read_text(encoding="utf-8").splitlines():
            assert '"""' in line or "raise" in line or not sentence.search(line), f"{path}: {line}"


def test_every_sentence_of_the_dialog_is_said_somewhere() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    prefixes = re.findall(r'"((?:flow|privacy|remind)\.(?:\w+\.)*)\{', source)
    parts = re.findall(r'"((?:flow|privacy|remind)\.(?:\w+\.)*\w+)\{', source)
    for id_ in CATALOGUES["id"]:
        if id_.partition(".")[0] in ("flow", "privacy", "remind"):
            assert f'"{id_}"' in source or f"'{id_}'" in source or id_.startswith((*prefixes, *parts)), id_


def test_quantities_and_days_are_written_as_the_language_does() -> None:
    expected: tuple[tuple[Language, str, str], ...] = (("id", "5.000", "5 Januari 2012"), ("en", "5,000", "5 January 2012"))
    for language, count, day in expected:
        chat = at_question(0, language)
        chat.says("x" * 5000)
        chat.reads(count)
        chat.says("Siti")
        chat.says("3171234501120001")
        chat.reads(day)
