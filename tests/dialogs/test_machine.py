"""The rules of the machine itself, whatever step it stands at (`dialogs/machine.py`)."""

from __future__ import annotations

from dialogs.effects import Record, Redraw, SetTimer
from dialogs.events import ButtonPressed, MediaSent
from dialogs.registration import token
from dialogs.testing import Conversation
from tests.dialogs.test_conversation import at_question, at_summary, waiting_for_activation


def asked(chat: Conversation) -> list[str]:
    return [effect.step for effect in chat.effects if isinstance(effect, Record) and effect.what == "asked"]


def test_a_step_counts_as_asked_when_it_is_come_to_and_not_each_time_it_is_shown() -> None:
    chat = Conversation()
    chat.starts()
    assert asked(chat) == ["consent"]
    chat.says("/bantuan")
    assert asked(chat) == []
    chat.presses("agree")
    assert asked(chat) == ["kind"]
    chat.presses("kind.individu_lokal")
    chat.says("Siti Rahmawati")
    assert asked(chat) == ["nik"]
    chat.says("123")
    assert asked(chat) == []


def test_the_first_thing_that_would_be_lost_sets_the_reminder_and_no_later_one_does() -> None:
    chat = Conversation()
    chat.starts()
    chat.presses("agree")
    chat.presses("kind.individu_lokal")
    set_at = len([effect for effect in chat.effects if isinstance(effect, SetTimer)])
    chat.says("Siti Rahmawati")
    set_at += len([effect for effect in chat.effects if isinstance(effect, SetTimer)])
    assert set_at == 1
    assert chat.timers
    chat.says("3171234501900001")
    assert not [effect for effect in chat.effects if isinstance(effect, SetTimer)]


def test_whoever_writes_first_is_greeted_and_not_corrected() -> None:
    chat = Conversation()
    chat.says("Siti Rahmawati")
    chat.stands_at("consent")
    assert chat.screen is not None
    assert chat.screen.notice == ""


def test_an_answered_doubt_is_masked_also_when_another_doubt_follows() -> None:
    chat = at_question(1)
    chat.says("NIK: 9971234501900001\nE-mail: siti@gmial.com")
    chat.stands_at("doubt")
    first = len(chat.screens)
    chat.presses("confirm")
    chat.stands_at("doubt")
    redrawn = chat.brought(Redraw)
    assert redrawn.message == f"bot{first}"
    assert "9971234501900001" not in redrawn.screen.body.replace(" ", "")


def test_a_doubt_that_still_stands_after_a_press_is_not_masked() -> None:
    chat = at_question(1)
    chat.says("9971234501900001")
    chat.happens(ButtonPressed(token(chat.session), "help", "bot9"))
    chat.stands_at("doubt")
    assert not [effect for effect in chat.effects if isinstance(effect, Redraw)]


def test_a_text_at_a_passing_question_over_a_screen_of_buttons_leaves_it_standing() -> None:
    chat = waiting_for_activation()
    chat.says("/bahasa")
    chat.stands_at("language")
    chat.says("hmm")
    chat.stands_at("language")


def test_an_edited_doubtful_answer_is_read_anew_though_something_was_sent_since() -> None:
    chat = at_question(1)
    chat.says("9971234501900001")
    doubtful = f"m{chat.messages}"
    chat.happens(MediaSent("photo", "m99"))
    chat.stands_at("doubt")
    chat.edits(doubtful, "3171234501900001")
    chat.stands_at("phone")


def test_an_edited_older_try_is_left_alone_and_that_is_said() -> None:
    chat = at_question(1)
    chat.says("123")
    older = f"m{chat.messages}"
    chat.says("1234")
    chat.edits(older, "3171234501900001")
    chat.stands_at("nik")
    chat.reads("tidak dipakai lagi")


def test_an_edited_newest_try_is_a_new_try() -> None:
    chat = at_question(1)
    chat.says("123")
    chat.edits(f"m{chat.messages}", "3171234501900001")
    chat.stands_at("phone")


def test_the_hand_off_of_a_summary_stays_the_same_however_often_it_is_shown() -> None:
    chat = at_summary()
    assert chat.session.draft is not None
    born = chat.session.draft.handoff
    chat.says("/status")
    chat.says("/start")
    assert chat.session.draft is not None
    assert chat.session.draft.handoff == born
