"""Every line of `cases/*.toml`: what is typed, and what becomes of it."""

from __future__ import annotations

from collections import defaultdict

import pytest

from dialogs.fields import BY_ID, FIELDS
from dialogs.fields._field import Accepted, Doubtful, Rejected
from dialogs.texts import LANGUAGES, text

from ._cases import CASES, TODAY, Case


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_typed_comes_to_what_the_table_says(case: Case):
    parsed = BY_ID[case.field].parse(case.typed, TODAY)
    facts: dict[str, str] = {}
    match parsed:
        case Accepted():
            assert parsed == case.expected
        case Rejected(code, facts):
            assert Rejected(code) == case.expected
        case Doubtful(value, doubts, suggestion):
            assert Doubtful(value, tuple(doubt.code for doubt in doubts), suggestion) == case.expected  # type: ignore[arg-type]
            facts = doubts[0].facts
    if case.facts is not None:
        assert dict(facts) == dict(case.facts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_wrong_input_gets_its_own_short_sentence(language):
    """The sentence of a refusal or doubt is complete (all facts there), fits a chat bubble, and no other code shares it."""
    codes_of_sentence: defaultdict[str, set[str]] = defaultdict(set)
    told = 0
    for case in CASES:
        match BY_ID[case.field].parse(case.typed, TODAY):
            case Accepted():
                continue
            case Rejected(code, facts):
                said = [(f"{case.field}.rejected.{code}", facts)]
            case Doubtful(_, doubts, _):
                said = [(f"{case.field}.doubt.{doubt.code}", doubt.facts) for doubt in doubts]
        told += 1
        for id_, facts in said:
            sentence = text(language, id_, **facts)
            assert len(sentence) <= 300, sentence
            codes_of_sentence[sentence].add(id_)
    assert told >= 150
    assert {sentence: ids for sentence, ids in codes_of_sentence.items() if len(ids) > 1} == {}


def test_the_table_is_large_and_repeats_nothing():
    assert len(CASES) >= 180
    assert len({(case.field, case.typed) for case in CASES}) == len(CASES)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.id)
def test_a_stored_value_and_its_shown_form_read_back_to_the_same_value(field):
    """Somebody who corrects a summary by copying what it shows gets what was stored, with the same doubts."""
    for case in CASES:
        if case.field != field.id or isinstance(case.expected, Rejected):
            continue
        first = field.parse(case.typed, TODAY)
        for typed in (first.value, field.show(first.value)):
            again = field.parse(typed, TODAY)
            assert again.value == first.value


def test_values_are_shown_for_proof_reading_and_masked_for_others():
    shown = {field.id: (field.show(value), field.mask(value)) for field, value in zip(FIELDS, (
        "Aldo Salvatore", "3171234501900001", "+6281234567890", "budi.santoso@example.com",
    ), strict=True)}  # fmt: skip
    assert shown == {
        "full_name": ("Aldo Salvatore", "A*** S***"),
        "nik": ("3171 2345 0190 0001", "3171********0001"),
        "phone": ("0812-3456-7890", "0812-****-7890"),
        "email": ("budi.santoso@example.com", "b***@example.com"),
    }


@pytest.mark.parametrize(
    ("field", "value", "mask"),
    [
        ("full_name", "Ng", "***"),
        ("full_name", "A", "***"),
        ("full_name", "'Aisyah Putri", "A*** P***"),
        ("full_name", "Dr. Ir. H. Budi Santoso, S.H.", "*** *** *** B***"),
        ("phone", "+62812345678", "0812-****-78"),
        ("phone", "+62812345678901", "0812-****-8901"),
        ("email", "b@example.com", "***@example.com"),
        ("email", "bu@example.com", "***@example.com"),
        ("email", "bud@example.com", "b***@example.com"),
        ("email", "budi@example.com", "b***@example.com"),
    ],
)
def test_short_values_are_masked_so_that_little_remains(field, value, mask):
    assert BY_ID[field].mask(value) == mask
