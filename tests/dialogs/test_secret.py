"""A password is known by its form, and nothing else is taken for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialogs.commands import WORDS
from dialogs.fields._field import Accepted
from dialogs.phrases import AGREE, NO, YES
from dialogs.secret import looks_like_password
from tests.dialogs.fields._cases import CASES


@pytest.mark.parametrize(
    "typed",
    [
        "Rahasia#2026",
        "Rahasia123",
        "rahasia123!",
        "AKSes2026!",
        " Rahasia123! ",
        "kata sandi saya rahasia123",
        "password: Abcd#1234",
        "pw=abc12345",
        "kata kunci adalah bunga-mawar-7",
        "P@ssw0rd",
        "x" * 60 + "Y1#",
    ],
)
def test_a_password_is_known(typed: str) -> None:
    assert looks_like_password(typed)


@pytest.mark.parametrize(
    "typed",
    [
        "Siti Rahmawati",
        "D'Angelo",
        "Nur'aini",
        "Dr.Ir.H.Budi",
        "Sekretariat",
        "3171234501900001",
        "0812-3456-7890",
        "siti@gmail.com",
        "Siti.Rahmawati90@Example.co.id",
        "Siti1@gmail",
        "@budi_123A",
        "budi_santoso1",
        "https://Example1.com/x",
        "www.Example1.com",
        "Terimakasih!",
        "Rp500.000",
        "5Januari",
        "lupa password",
        "kata sandi saya apa?",
        "password saya salah",
        "kata sandi",
        "aB1!",
        "",
        "A1#" + "x" * 400,
    ],
)
def test_anything_else_is_left_alone(typed: str) -> None:
    assert not looks_like_password(typed)


def test_no_word_that_the_dialog_understands_and_no_answer_that_a_field_takes_is_a_password() -> None:
    assert not [word for word in {*WORDS, *YES, *NO, *AGREE} if looks_like_password(word)]
    taken = [case.typed for case in CASES if isinstance(case.expected, Accepted)]
    assert not [typed for typed in taken if looks_like_password(typed)]


def test_nothing_that_a_person_says_in_the_transcripts_is_taken_for_one_but_there() -> None:
    said: set[str] = set()
    for path in Path("tests/transcripts/dialog").glob("*.md"):
        if "password" not in path.stem:
            said |= {line.removeprefix("> ") for line in path.read_text("utf-8").splitlines() if line.startswith("> ")}
    assert said
    assert not [line for line in said if looks_like_password(line)]
