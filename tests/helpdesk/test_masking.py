"""What agents read is covered in whatever letters it was written."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.masking import mask

NAMES = ("Siti Rahmawati", "Iman", "Kinanti", "Sinta", "Straße")


@pytest.mark.parametrize(
    "written", ["siti rahmawati", "SITI RAHMAWATI", "S\u0130T\u0130 Rahmawat\u0131", "\u017fiti rahmawati"]
)
def test_a_name_is_covered_in_whatever_letters(written: str) -> None:
    assert mask(f"Saya {written}.", {"Siti Rahmawati": "S*** R***"}) == "Saya S*** R***."


@given(
    st.lists(st.sampled_from([*NAMES, "iman\u0130", "x", " ", "-", "\u0131man", "\u212ainanti"]), max_size=8),
    st.sampled_from(NAMES),
)
def test_nothing_that_a_search_without_regard_to_case_finds_is_left(pieces: list[str], name: str) -> None:
    text = mask("".join(pieces).swapcase(), {name: "***"})
    assert not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE)


@given(st.text("ab.@1 ,\n(:-\u00e9", max_size=30))
def test_every_address_is_covered_wherever_it_stands(text: str) -> None:
    """The addresses are those that a pattern finds which begins anywhere."""
    word = r"[^\s@<>\"'(),;:]+"
    anywhere = re.sub(rf"({word})@({word}\.\w+)", lambda found: f"{found[1][:1] * (len(found[1]) > 2)}***@{found[2]}", text)
    assert mask(text) == mask(anywhere)
    assert not re.search(rf"[^\s@<>\"'(),;:*]@{word}\.\w+", mask(text))


def test_a_message_of_one_endless_word_is_covered_as_quickly_as_any_other() -> None:
    """Were the cost the square of the length, this one would take a quarter of an hour."""
    assert mask("a" * 400_000) == "a" * 400_000
