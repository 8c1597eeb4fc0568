"""The two catalogues say the same things."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

import backend.texts
from backend.pages import NOTICE_VERSION
from backend.texts import CATALOGUES, duration, moment, moment_from
from dialogs.profile import NOTICE_VERSION as NOTICE_VERSION_OF_THE_CHAT


def placeholders(template: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", template))


def test_both_languages_hold_the_same_ids_with_the_same_placeholders() -> None:
    assert {id_: placeholders(text) for id_, text in CATALOGUES["id"].items()} == {
        id_: placeholders(text) for id_, text in CATALOGUES["en"].items()
    }


def test_every_text_is_used_by_a_page_or_a_mail() -> None:
    folder = Path(backend.texts.__file__).parents[1]
    used = "".join(file.read_text(encoding="utf-8") for kind in ("*.py", "*.html") for file in folder.rglob(kind))
    built = (
        "password.rule.",
        "password.score.",
        "mail.activation.",
        "mail.registered.",
        "mail.mismatch.",
        "mail.notice_",
        "mail.code.",
        "telegram.status.",
        "telegram.mail.",
        "problem.",
        "account.problem.",
        "privacy.",
        "time.",
        "home.step.",
        "link.unknown.",
        "link.disown.effect_",
        "account.delete.effect_",
        "code.form.lead_",
        "code.problem.",
        "code.unsent.",
        "mail.password_reset.",
        "mail.password_changed.",
        "mail.account_deleted.",
    )
    assert [id_ for id_ in CATALOGUES["id"] if id_ not in used and not id_.startswith(built)] == []


def test_the_page_and_the_chat_name_the_same_version_of_the_notice() -> None:
    assert NOTICE_VERSION == NOTICE_VERSION_OF_THE_CHAT


def test_a_moment_is_told_in_the_time_of_jakarta_and_in_words() -> None:
    at = datetime(2027, 8, 16, 17, 30, tzinfo=UTC)
    assert moment("id", at) == "Selasa, 17 Agustus 2027, pukul 00.30 WIB"
    assert moment("en", at) == "Tuesday, 17 August 2027, 00:30 WIB (UTC+7)"


@pytest.mark.parametrize(
    ("second", "microsecond", "told"),
    [(0, 0, "Jumat, 31 Desember 2027, pukul 23.59 WIB"), (0, 1, "Sabtu, 1 Januari 2028, pukul 00.00 WIB")],
)
def test_a_time_from_which_something_works_is_never_told_too_early(second: int, microsecond: int, told: str) -> None:
    assert moment_from("id", datetime(2027, 12, 31, 16, 59, second, microsecond, tzinfo=UTC)) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "1 detik"), (1, "1 detik"), (119, "119 detik"), (120, "2 menit"), (121, "3 menit"), (7200, "2 jam"), (7201, "3 jam")],
)
def test_a_wait_is_never_told_shorter_than_it_is(seconds: int, told: str) -> None:
    assert duration("id", seconds) == told
