"""What agents read: complete in both languages, and words instead of our own names for things."""

from __future__ import annotations

import re
from typing import Final, get_args

import pytest

from dialogs.effects import Change
from dialogs.events import MediaKind, TicketReason
from dialogs.machine import STEPS
from dialogs.texts import CATALOGUES as DIALOG
from dialogs.texts import LANGUAGES, Language
from helpdesk.acting import LABELS, REASONS
from helpdesk.roles import ROLES
from helpdesk.texts import CATALOGUES, happened, unfit

PLACEHOLDER: Final = re.compile(r"{(\w+)}")
NAMED: Final = {
    "step": tuple(STEPS),
    "event": get_args(Change),
    "reason": get_args(TicketReason),
    "media": get_args(MediaKind),
    "doubt": tuple({id_.split(".")[2] for id_ in DIALOG["id"] if ".doubt." in id_}),
    "label": LABELS,
    "reveal": REASONS,
    "role": ROLES,
}


def test_every_text_is_there_in_both_languages_with_the_same_facts() -> None:
    facts = {
        language: {id_: set(PLACEHOLDER.findall(words)) for id_, words in CATALOGUES[language].items()}
        for language in LANGUAGES
    }
    assert facts["id"] == facts["en"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("prefix", NAMED)
def test_whatever_the_dialog_can_tell_of_has_a_name_that_agents_read(language: Language, prefix: str) -> None:
    assert [name for name in NAMED[prefix] if f"{prefix}.{name}" not in CATALOGUES[language]] == []


@pytest.mark.parametrize(
    ("detail", "why"),
    [
        ("nik same", "NIK, sama dengan jawaban sekarang"),
        ("email no_form", "E-mail, tidak ada formulir yang dapat diubah"),
        ("phone too_short", "Nomor handphone, tidak sesuai aturan isian"),
    ],
)
def test_why_a_proposal_cannot_be_used_is_told_in_words(detail: str, why: str) -> None:
    assert happened("id", "unfit", name="Rina", detail=detail) == f"Usulan koreksi tidak dapat dipakai: {why}"


@pytest.mark.parametrize(
    ("code", "seconds", "words"),
    [
        ("resend_later", 45, "Tautan baru dapat dikirim lagi dalam 45 detik."),
        ("resend_later", 900, "Tautan baru dapat dikirim lagi dalam 15 menit."),
        ("reveal_later", 60_000, "Terlalu banyak isian ditampilkan. Coba lagi dalam 17 jam."),
    ],
)
def test_how_long_to_wait_is_told_in_what_people_count_it_in(code: str, seconds: int, words: str) -> None:
    assert unfit("id", code, seconds) == words
