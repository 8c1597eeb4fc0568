"""A campaign's link is counted for the newcomer whom it has brought, by a code that can name nobody."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.funnel import _WORD
from dialogs.campaigns import campaign
from dialogs.effects import Record
from dialogs.testing import Conversation

PAYLOADS = st.from_regex(r"[A-Za-z0-9_-]{0,64}", fullmatch=True)


def arrivals(chat: Conversation) -> list[str]:
    return [effect.code for effect in chat.effects if isinstance(effect, Record) and effect.what == "arrived"]


def test_a_newcomer_is_counted_once_and_greeted_as_everybody() -> None:
    chat, without = Conversation(), Conversation()
    without.starts()
    chat.starts("c-pameran_jakarta")
    assert arrivals(chat) == ["pameran_jakarta"]
    assert chat.said == without.said
    chat.starts("c-pameran_jakarta")
    chat.starts("c-radio")
    assert arrivals(chat) == []
    assert "pameran" not in repr(chat.session)


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "group",
        "c-",
        "c-Radio",
        "c-081234567890",
        "c-3171234501900001",
        "c-a1b22",
        "c-siti@example.com",
        "x-radio",
        "c-" + "a" * 33,
    ],
)
def test_every_other_payload_is_none_and_is_greeted_too(payload: str) -> None:
    chat = Conversation()
    chat.starts(payload)
    assert arrivals(chat) == []
    chat.stands_at("consent")


@given(PAYLOADS | PAYLOADS.map(lambda text: f"c-{text}") | st.text(max_size=70))
def test_what_is_counted_is_a_word_of_the_funnel_whatever_the_link_holds(payload: str) -> None:
    code = campaign(payload)
    assert _WORD.fullmatch(code)
    assert not any(one.isdigit() and two.isdigit() for one, two in pairwise(code))
