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


def test_every_screen_counts_and_the_last_press_is_known_by_its_token_and_action() -> None:
    chat = at_question(2)
    assert chat.session.serial == len(chat.screens)
    before = token(chat.session)
    chat.presses("back")
    assert chat.session.pressed == f"{before}:back"
    assert chat.session.serial == len(chat.screens)


def test_a_button_of_a_conversation_that_is_forgotten_begins_a_new_one_and_says_why() -> None:
    chat = Conversation()
    chat.happens(ButtonPressed("0ld70ken", "activate", "bot1"))
    chat.stands_at("consent")
    chat.reads("Tombol itu dari pertanyaan sebelumnya")


def test_a_label_may_be_typed_with_blanks_to_spare() -> None:
    chat = Conversation()
    chat.starts()
    chat.presses("agree")
    chat.says("  individu   LOKAL ")
    chat.stands_at("full_name")


def test_a_photo_where_an_answer_is_expected_is_told_to_type_it() -> None:
    where_typed, where_pressed = at_question(1), waiting_for_activation()
    for chat in (where_typed, where_pressed):
        chat.sends("photo")
    told = where_typed.said.partition("\n\n")[0]
    hint = told.removeprefix(where_pressed.said.partition("\n\n")[0]).strip()
    assert hint
    where_pressed.presses("new_email")
    where_pressed.sends("photo")
    where_pressed.reads(hint)


def test_a_shared_number_of_another_country_is_named_as_such_though_the_card_leaves_out_the_plus() -> None:
    chat = at_question(2)
    chat.shares_contact("6591234567")
    chat.reads("+65")
    chat.stands_at("phone")


def test_an_edited_message_when_nothing_is_open_is_said_to_come_too_late_only_after_a_hand_off() -> None:
    nothing = at_question(1)
    nothing.presses("cancel")
    nothing.presses("discard")
    nothing.edits("m1", "Siti Rahayu")
    after = waiting_for_activation()
    after.edits("m1", "Siti Rahayu")
    assert nothing.said.partition("\n\n")[0] != after.said.partition("\n\n")[0]
    nothing.reads("tidak dipakai lagi")


def test_an_edited_try_lifts_the_passing_question_that_lay_over_it() -> None:
    chat = at_question(1)
    chat.says("123")
    tried = f"m{chat.messages}"
    chat.presses("cancel")
    chat.stands_at("cancel")
    chat.edits(tried, "3171234501900001")
    chat.stands_at("phone")
    assert (chat.session.overlay, chat.session.aside) == ("", "")


def test_an_answer_that_is_edited_into_something_wrong_is_asked_for_again_at_once() -> None:
    chat = at_question(2)
    chat.presses("cancel")
    chat.edits("m2", "123")
    chat.stands_at("nik")
    assert (chat.session.overlay, chat.session.aside) == ("", "")
    chat.reads("3 digit")


def test_ones_own_number_shared_early_or_over_the_summary_is_offered_as_the_phone() -> None:
    early = Conversation()
    early.starts()
    early.presses("agree")
    late = at_summary()
    for chat in (early, late):
        chat.shares_contact("6285711223344")
        chat.stands_at("doubt")
        chat.reads("0857-1122-3344")


def test_a_language_is_chosen_by_its_name() -> None:
    chat = at_question(1)
    chat.says("/bahasa")
    chat.says("english")
    assert chat.session.language == "en"
    chat.stands_at("nik")
