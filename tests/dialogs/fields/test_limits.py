"""Lengths on both sides of each limit, and input that only an attacker or a broken clipboard sends."""

from __future__ import annotations

import pytest

from dialogs.fields import BY_ID, FIELDS
from dialogs.fields._field import Accepted, Rejected

from ._cases import TODAY


def test_a_name_may_have_a_hundred_characters_and_no_more():
    assert BY_ID["full_name"].parse("Bu" * 50, TODAY) == Accepted("Bu" * 50)
    assert BY_ID["full_name"].parse("Bu" * 50 + "d", TODAY) == Rejected(
        "too_long", {"count": "101", "max": "100", "extra": "1"}
    )


def test_a_name_is_counted_as_it_is_seen_not_as_it_is_encoded():
    assert BY_ID["full_name"].parse("e\u0301x" * 50, TODAY) == Accepted("éx" * 50)


def test_an_address_may_have_254_characters_and_no_more():
    domain = ".".join(("a" * 60, "a" * 60, "a" * 60, "a" * 3, "com"))
    assert len(f"{'b' * 63}@{domain}") == 254
    assert BY_ID["email"].parse(f"{'b' * 63}@{domain}", TODAY) == Accepted(f"{'b' * 63}@{domain}")
    too_long = {"count": "255", "max": "254", "extra": "1"}
    assert BY_ID["email"].parse(f"{'b' * 64}@{domain}", TODAY) == Rejected("too_long", too_long)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.id)
@pytest.mark.parametrize(
    "typed",
    [
        "a" * 4096,
        "1" * 4096,
        "1 " * 2048,
        "nik " * 1024,
        "-a" * 2048,
        "a." * 2048,
        "@" * 4096,
        "a" * 4095 + "@",
        "<" * 4096,
        "e" + "\u0301\u0316" * 2047,
        "\u0344" * 4096,
        "\ufdfa" * 4096,
        "\U0001d15e" * 4096,
        "a" + "\u0301" * 10_000,
        "\ud800",
        "0812" + "\udfff",
        "\x00" * 4096,
        "budi at " * 512,
        "٣" * 4096,
    ],
    ids=lambda typed: f"{typed[:4]!a}x{len(typed)}",
)
def test_hostile_input_is_refused_and_never_raises(field, typed):
    assert isinstance(field.parse(typed, TODAY), Rejected)
