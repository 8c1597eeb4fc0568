"""The small print of each field: what exactly is said of an answer, at the edges where one more would be something else."""

from __future__ import annotations

from datetime import date

import pytest

from dialogs.fields import BY_ID
from dialogs.fields._field import Accepted, Doubtful, Rejected
from dialogs.fields._typed import digits_for_lookalikes, listed, shortened, visible
from dialogs.fields.nik import reading

TODAY = date(2026, 11, 22)


def rejected(field: str, typed: str) -> Rejected:
    parsed = BY_ID[field].parse(typed, TODAY)
    assert isinstance(parsed, Rejected), parsed
    return parsed


def doubtful(field: str, typed: str) -> Doubtful:
    parsed = BY_ID[field].parse(typed, TODAY)
    assert isinstance(parsed, Doubtful), parsed
    return parsed


@pytest.mark.parametrize(
    ("field", "hint", "privacy"),
    [
        ("full_name", "name", "name"),
        ("nik", "digits", "identity"),
        ("phone", "phone", "contact"),
        ("email", "email", "contact"),
    ],
)
def test_each_field_asks_for_its_keyboard_and_is_protected_in_its_class(field: str, hint: str, privacy: str) -> None:
    assert (BY_ID[field].hint, BY_ID[field].privacy) == (hint, privacy)


# --- phone


@pytest.mark.parametrize(
    ("typed", "area"),
    [
        ("021 5551234", "021"),
        ("022 1234567", "022"),
        ("024 7654321", "024"),
        ("031 5678901", "031"),
        ("061 4567890", "061"),
        ("0274 512345", "0274"),
    ],
)
def test_a_landline_is_named_by_its_area_code_as_it_is_dialled(typed: str, area: str) -> None:
    assert rejected("phone", typed) == Rejected("landline", {"area": area})


@pytest.mark.parametrize("typed", ["0841234567", "0841234567890"])
def test_a_number_of_the_shortest_and_the_longest_length_is_refused_for_its_prefix_and_not_its_length(typed: str) -> None:
    assert rejected("phone", typed) == Rejected("unused_prefix", {"prefix": "084"})


def test_how_many_digits_are_missing_or_too_many_is_counted_as_people_write_the_number() -> None:
    assert rejected("phone", "084123456").facts == {"count": "9", "missing": "1", "min": "10"}
    assert rejected("phone", "08412345678901").facts == {"count": "14", "extra": "1", "max": "13"}


@pytest.mark.parametrize(
    ("typed", "country"), [("+1 212 555 0199", "+1, US"), ("+979 123456789", "+979"), ("0065 91234567", "+65, SG")]
)
def test_a_number_of_another_country_is_named_by_its_country(typed: str, country: str) -> None:
    parsed = rejected("phone", typed)
    assert parsed.facts == {"country": country}


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("6208123456789", "+628123456789"),
        ("+8123456789", "+628123456789"),
        ("+81 312345678", "+6281312345678"),
        ("+08123456789", "+628123456789"),
    ],
)
def test_a_country_code_that_was_half_written_is_completed(typed: str, value: str) -> None:
    assert BY_ID["phone"].parse(typed, TODAY) == Accepted(value)


def test_the_letters_that_were_read_as_digits_are_named_and_neither_digits_nor_the_plus() -> None:
    assert doubtful("phone", "+62812345678O").doubts[0].facts == {"letters": "O", "value": "0812-3456-780"}


def test_sixteen_digits_that_begin_as_a_mobile_number_are_too_many_and_no_nik() -> None:
    assert rejected("phone", "6281234567890123").code == "too_long"
    assert rejected("phone", "3171234501900001").code == "nik"


# --- NIK


@pytest.mark.parametrize(
    ("day", "sex"),
    [
        ("01", "male"),
        ("31", "male"),
        ("32", None),
        ("40", None),
        ("41", "female"),
        ("71", "female"),
        ("72", None),
        ("00", None),
    ],
)
def test_the_day_of_birth_says_the_sex_from_the_first_to_the_last_of_the_month(day: str, sex: str | None) -> None:
    assert reading(f"317123{day}01900001", TODAY).sex == sex


def test_a_mobile_number_at_the_nik_is_called_one_unless_it_was_called_a_nik() -> None:
    assert rejected("nik", "081234567890") == Rejected("phone", {"count": "12"})
    assert rejected("nik", "NIK 081234567890") == Rejected("too_short", {"count": "12", "missing": "4"})


def test_what_is_unusual_about_a_nik_is_told_with_its_facts() -> None:
    assert doubtful("nik", "7777777777777777").doubts[0].facts == {"digit": "7"}
    assert doubtful("nik", "7177777777777777").doubts[0].code != "repeated"
    assert doubtful("nik", "3199234501900001").doubts[0].facts == {"code": "99", "province": "DKI Jakarta"}
    assert rejected("nik", "3171&2345#0190").facts == {"symbols": "&, #"}


@pytest.mark.parametrize("typed", ["3171****", "3171 **** **** 0001", "3171xxxx", "**** 0001", "XXX0001"])
def test_a_nik_that_hides_digits_is_called_hidden(typed: str) -> None:
    assert rejected("nik", typed).code == "masked"


@pytest.mark.parametrize("letter", ["i", "I", "l", "|"])
def test_each_letter_that_looks_like_a_one_is_read_as_one(letter: str) -> None:
    assert doubtful("nik", f"3171{letter}34501900001").value == "3171134501900001"


# --- what all have in common


def test_at_most_five_characters_are_quoted_each_once() -> None:
    assert listed("abab") == "a, b"
    assert listed("abcde") == "a, b, c, d, e"
    assert listed("abcdef") == "a, b, c, d, e, …"


def test_at_most_forty_characters_of_one_line_are_quoted() -> None:
    assert shortened("a\n b  c") == "a b c"
    assert shortened("x" * 40) == "x" * 40
    assert shortened("x" * 41) == "x" * 39 + "…"


@pytest.mark.parametrize("unseen", ["\ufe00", "\ufe0f", "\U000e0100", "\U000e01ef", "\u200b", "\u3164"])
def test_what_is_drawn_as_nothing_is_taken_out(unseen: str) -> None:
    assert visible(f"a{unseen}b") == "ab"


@pytest.mark.parametrize("seen", ["\ufe10", "\ufe19", "é", "李"])
def test_what_is_drawn_stays(seen: str) -> None:
    assert visible(f" a{seen}b ") == f"a{seen}b"


def test_every_letter_that_stands_for_a_digit_is_one_of_these() -> None:
    assert digits_for_lookalikes("OoIli|") == "001111"
