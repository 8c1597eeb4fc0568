"""The sentences and the code know the same codes, and each sentence only uses facts that are there."""

from __future__ import annotations

import string
from types import ModuleType
from typing import get_args

import pytest

from dialogs.fields import BY_ID, FIELDS, email, full_name, nik, phone
from dialogs.fields._field import Doubtful, Rejected
from dialogs.texts import CATALOGUES, LANGUAGES

from ._cases import CASES, TODAY

MODULES: dict[str, ModuleType] = {"full_name": full_name, "nik": nik, "phone": phone, "email": email}
ALWAYS = {"label", "ask", "ask_other", "none", "help", "example"}


def _codes(module: ModuleType) -> set[str]:
    return {f"rejected.{code}" for code in get_args(module.Refusal)} | {f"doubt.{code}" for code in get_args(module.Unusual)}


def _placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def test_the_four_questions_are_asked_in_the_guides_order():
    assert [field.id for field in FIELDS] == ["full_name", "nik", "phone", "email"]
    assert [CATALOGUES["id"][f"{field.id}.label"] for field in FIELDS] == ["Nama Lengkap", "NIK", "Nomor Handphone", "E-mail"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("field", MODULES)
def test_each_code_has_a_sentence_and_each_sentence_a_code(language, field):
    texts = {id_.removeprefix(f"{field}.") for id_ in CATALOGUES[language] if id_.startswith(f"{field}.")}
    assert texts == _codes(MODULES[field]) | ALWAYS


@pytest.mark.parametrize("field", MODULES)
def test_each_code_is_reached_by_a_case(field):
    """So that the placeholders of every sentence are seen filled in."""
    reached: set[str] = set()
    for case in CASES:
        if case.field != field:
            continue
        match BY_ID[field].parse(case.typed, TODAY):
            case Rejected(code):
                reached.add(f"rejected.{code}")
            case Doubtful(_, doubts):
                reached |= {f"doubt.{doubt.code}" for doubt in doubts}
    if field == "full_name":
        reached.add("rejected.too_long")  # a hundred and one letters stand in test_limits, not in a table
    if field == "email":
        reached.add("rejected.too_long")
    assert reached == _codes(MODULES[field])


def test_both_languages_use_the_same_facts():
    for id_, template in CATALOGUES["id"].items():
        if id_.partition(".")[0] in MODULES:
            assert _placeholders(template) == _placeholders(CATALOGUES["en"][id_]), id_


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_are_short_and_every_refusal_gives_an_example(language):
    for id_, template in CATALOGUES[language].items():
        field, _, rest = id_.partition(".")
        if field not in MODULES or not rest.startswith(("rejected.", "doubt.")):
            continue
        assert len(template) <= 240, id_
        if rest.startswith("rejected."):
            assert template.partition("Contoh" if language == "id" else "Example")[2].startswith(": "), id_


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_example_is_an_answer_that_its_field_accepts(language):
    """An example that the product itself would doubt teaches the wrong thing."""
    for field in FIELDS:
        example = CATALOGUES[language][f"{field.id}.example"]
        parsed = field.parse(example, TODAY)
        assert type(parsed).__name__ == "Accepted", (field.id, parsed)
        assert example in CATALOGUES[language][f"{field.id}.ask"]
