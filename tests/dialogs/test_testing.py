"""The public test kit: what it can do is what its page says, and its failures say what happened."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from dialogs.effects import Redraw, ResendActivation, SubmitRegistration
from dialogs.events import TimerFired
from dialogs.testing import NOON, Conversation, NobodyKnowsHow, NoSuchButton, NothingLikeThat, Transcript, button, does, played

PAGE = Path(__file__).resolve().parents[2] / "docs" / "testing.md"


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.+?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_on_the_page_runs_as_it_stands() -> None:
    names: dict[str, object] = {}
    exec(block("python"), names)
    chat = names["chat"]
    assert isinstance(chat, Conversation)
    chat.stands_at("pending")


def test_the_transcript_on_the_page_can_be_played_and_then_is_complete() -> None:
    complete = played(block("markdown")).transcript.text
    assert "> (1 day and 2 hours pass)" in complete
    assert "baru 12 digit" in complete
    assert played(complete).transcript.text == complete


def everything() -> Conversation:
    """A conversation in which each thing that the kit can do is done once."""
    chat = Conversation(language="en")
    chat.starts("abc")
    chat.presses("agree")
    chat.presses("kind.individu_lokal")
    chat.says("Siti Rahmawati")
    chat.says("[not a button]")
    chat.says("(not a direction)")
    chat.says("\\ and\nmore lines\n\nof one message")
    chat.sends("photo")
    chat.says("3171234501900001")
    chat.presses_earlier("I agree")
    chat.shares_contact("+6281298765432", own=False)
    chat.shares_contact("+6281234567890")
    chat.says("/help me")
    chat.says("siti@example.com")
    chat.edits("m1", "Siti Rahayu")
    chat.presses_twice("activate")
    chat.unavailable()
    chat.unavailable(final=True)
    chat.presses("activate")
    chat.rejected("limit", 61)
    chat.presses("activate")
    chat.rejected("refused")
    chat.presses("activate")
    chat.accepted()
    chat.becomes("mailed")
    chat.passes(minutes=16, seconds=1)
    chat.presses("resend")
    chat.done()
    chat.passes(days=1)
    chat.becomes("expired", "reg_1")
    chat.becomes("active", "elsewhere")
    return chat


def test_whatever_was_done_can_be_read_back_from_paper_and_leads_to_the_same() -> None:
    chat = everything()
    head = "# Everything\n\nLanguage: en\n\n"
    again = played(head + chat.transcript.text)
    assert again.transcript.text == head + chat.transcript.text
    assert again.session == chat.session
    assert again.now == chat.now


def test_what_was_played_before_is_not_written_down() -> None:
    chat = played("# Later\n\nLanguage: en\n\nBefore: (opens the chat) | [I agree]\n\n> /help\n")
    chat.stands_at("kind")
    assert chat.transcript.text.count("> ") == 1


def test_a_direction_that_nobody_knows_is_not_passed_over() -> None:
    with pytest.raises(NobodyKnowsHow, match="the moon rises"):
        does(Conversation(), "(the moon rises)")


def test_an_agent_can_take_over_and_give_back_on_paper() -> None:
    chat = Conversation()
    chat.starts()
    does(chat, "(Rina of the helpdesk takes over)")
    does(chat, "(Rina of the helpdesk says: Selamat siang.)")
    chat.reads("Selamat siang.")
    chat.stands_at("human")
    does(chat, "(the agent gives the conversation back)")
    chat.stands_at("consent")
    assert "Rina: Selamat siang." in chat.transcript.text


def test_a_transcript_has_scenes_and_hides_what_differs_from_run_to_run() -> None:
    transcript = Transcript("# A play", {r"pukul \d\d\.\d\d": "pukul (jam)"})
    transcript.heading("The mail", "It comes at once.")
    transcript.bubble("Sampai pukul 12.15", [button("Buka", "https://akses.example")])
    transcript.heading("The end")
    assert transcript.text == (
        "# A play\n\n## The mail\n\nIt comes at once.\n\nSampai pukul (jam)\n\n[Buka](https://akses.example)\n\n## The end\n"
    )


def test_a_failure_shows_what_was_done_last_and_all_that_came_of_it() -> None:
    chat = Conversation()
    chat.starts()
    chat.presses("Setuju")
    with pytest.raises(NothingLikeThat) as failure:
        chat.reads("Selamat")
    assert "'Selamat' was not said" in str(failure.value)
    assert "> [Setuju]" in str(failure.value)
    assert "[Individu Lokal]" in str(failure.value)
    assert "(opens the chat)" not in str(failure.value), "only the last act"


def test_a_button_that_is_not_there_is_no_such_button() -> None:
    chat = Conversation()
    with pytest.raises(NoSuchButton, match="nothing has been shown yet"):
        chat.presses("Setuju")
    chat.starts()
    chat.presses("Setuju")
    for attempt in (chat.presses, chat.offers, chat.presses_twice, chat.presses_earlier):
        with pytest.raises(NoSuchButton, match="Aktivasi"):
            attempt("Aktivasi")


def test_the_backend_answers_only_what_it_was_asked() -> None:
    chat = Conversation()
    with pytest.raises(NothingLikeThat, match="nothing has been handed off"):
        chat.accepted()
    for answer in (chat.done, chat.unavailable, lambda: chat.rejected("closed")):
        with pytest.raises(NothingLikeThat, match="nothing has been asked"):
            answer()


def test_one_effect_is_picked_out_and_none_or_two_are_a_failure() -> None:
    chat = everything()
    with pytest.raises(NothingLikeThat, match="one SubmitRegistration was expected, there are 0"):
        chat.brought(SubmitRegistration)
    chat.presses("resend")
    assert chat.brought(ResendActivation).registration == "reg_1"
    with pytest.raises(NothingLikeThat, match="stands at 'pending', not at 'active'"):
        chat.stands_at("active")


def test_timers_fire_at_their_moments_when_time_passes_over_them() -> None:
    fired: list[tuple[str, timedelta]] = []

    class Watched(Conversation):
        def happens(self, event):
            if isinstance(event, TimerFired):
                fired.append((event.timer, self.now - NOON))
            return super().happens(event)

    chat = Watched()
    chat.timers = {"second": NOON + timedelta(hours=2), "first": NOON + timedelta(hours=1), "far": NOON + timedelta(days=2)}
    chat.passes(hours=3)
    assert fired == [("first", timedelta(hours=1)), ("second", timedelta(hours=2))]
    assert list(chat.timers) == ["far"]
    assert chat.now == NOON + timedelta(hours=3)


def test_what_time_brings_by_itself_is_written_down_with_its_moment() -> None:
    chat = Conversation(language="en")
    chat.starts()
    chat.presses("agree")
    chat.presses("kind.individu_lokal")
    chat.says("Siti Rahmawati")
    chat.passes(hours=1)
    assert "WIB*" not in chat.transcript.text, "nothing came of it"
    chat.passes(days=2)
    assert re.search(r"> \(2 days pass\)\n\n\*\w+day \d\d:\d\d WIB\*\n\n", chat.transcript.text)


def test_a_conversation_goes_on_from_a_session_as_after_a_deploy() -> None:
    before = everything()
    after = Conversation.of(before.session, before.now)
    after.says("/status")
    after.stands_at("expired")
    after.offers(*before.buttons)


def test_a_press_names_the_message_that_carries_the_button() -> None:
    chat = Conversation()
    chat.starts()
    chat.presses("agree")
    chat.presses("kind.individu_lokal")
    for answer in ("Siti Rahmawati", "3171234501900001", "081234567890", "siti@example.com", "kembali"):
        chat.says(answer)
    chat.presses("edit.email")
    chat.presses("keep")
    assert chat.brought(Redraw).message == f"bot{len(chat.screens) - 1}"
