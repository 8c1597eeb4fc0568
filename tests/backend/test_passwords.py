"""The password rules against the vectors that the page's script is held to as well (`tests/backend/pages/test_meter.py`)."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from backend.passwords import MAX_LENGTH, RULES, PasswordRefused, broken_rules

ROOT = Path(__file__).resolve().parents[2]
VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "password_vectors.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "vector",
    VECTORS,
    ids=[f"{at}-{vector['why'][:40]}" for at, vector in enumerate(VECTORS)],
)
def test_each_vector_breaks_exactly_the_rules_it_names(vector: dict[str, Any]) -> None:
    broken = broken_rules(vector["password"], vector["again"], tuple(vector.get("context", ())))
    assert broken == tuple(vector["broken"])


def test_the_vectors_break_every_rule_at_least_twice_and_number_two_hundred() -> None:
    broken = [rule for vector in VECTORS for rule in vector["broken"]]
    assert {rule: broken.count(rule) >= 2 for rule in RULES} == dict.fromkeys(RULES, True)
    assert len(VECTORS) >= 200


def test_every_bundled_common_password_satisfies_the_four_classes_and_is_refused_in_any_case() -> None:
    listed = (ROOT / "design" / "passwords" / "common.js").read_text(encoding="utf-8")
    passwords = json.loads(listed.rpartition("export default")[2])
    assert len(passwords) >= 200
    for password in passwords:
        categories = {unicodedata.category(character) for character in password}
        assert categories >= {"Ll", "Lu", "Nd"}, password
        assert len(password) >= 8, password
        assert broken_rules(password, password, ()) == ("common",), password
        assert "common" in broken_rules(password.swapcase(), password.swapcase(), ()), password


def test_a_password_beyond_the_limit_costs_no_search_however_long_it_is() -> None:
    assert broken_rules("Jakarta2026!" * 100_000, "x", ("Jakarta",)) == (
        "same",
        "too_long",
    )


def test_a_refusal_carries_the_rules() -> None:
    assert PasswordRefused(("length", "digit")).rules == ("length", "digit")
    assert MAX_LENGTH == 128
