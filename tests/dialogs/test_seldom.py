"""What happens seldom: hours of the night, forged buttons, news that crosses what the person is doing, failures of the last moment."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from dialogs.clock import fit, fit_before, waiting
from dialogs.events import ActivationChanged, BackendAccepted, BackendDone, BackendRejected, BackendUnavailable, ButtonPressed
from dialogs.fields.several import read
from dialogs.registration import token
from dialogs.testing import Conversation
from tests.dialogs.test_conversation import at_question, at_summary, waiting_for_activation

TODAY = date(2026, 11, 23)


def at(hour: int, minute: int = 0, day: int = 23) -> datetime:
    """A moment of November 2026 in Jakarta."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC).astimezone(UTC).replace(hour=(hour - 7) % 24, day=day - (hour < 7))


# --- hours fit for a message


@pytest.mark.parametrize(
    ("moment", "expected"),
    [(at(12), at(12)), (at(3), at(8)), (at(19, 45), at(19, 45)), (at(19, 46), at(8, day=24)), (at(23), at(8, day=24))],
)
def test_what_falls_due_at_night_waits_for_the_morning(moment: datetime, expected: datetime) -> None:
    assert fit(moment, "WIB") == expected


@pytest.mark.parametrize(
    ("moment", "expected"), [(at(12), at(12)), (at(3), at(19, 45, day=22)), (at(8), at(8)), (at(23), at(19, 45))]
)
def test_what_must_be_said_before_the_night_is_said_in_the_evening(moment: datetime, expected: datetime) -> None:
    assert fit_before(moment, "WIB") == expected


# --- buttons that no screen of ours had


@pytest.mark.parametrize(
    ("chat", "action"),
    [
        (at_question(0), "nothing"),
        (at_summary(), "edit.shoe_size"),
        (waiting_for_activation(), "about.9"),
        (waiting_for_activation(), "about.x"),
    ],
)
def test_a_forged_action_changes_nothing_and_the_question_stands(chat: Conversation, action: str) -> None:
    if action.startswith("edit"):
        chat.presses("back")
    before = (chat.session.draft, chat.session.registrations, chat.step)
    chat.happens(ButtonPressed(token(chat.session), action))
    chat.reads("tombol")
    assert (chat.session.draft, chat.session.registrations, chat.step) == before


def test_a_type_that_nobody_knows_is_not_chosen() -> None:
    chat = Conversation()
    chat.starts()
    chat.presses("agree")
    chat.happens(ButtonPressed(token(chat.session), "kind.nobody"))
    chat.stands_at("kind")
    chat.reads("tombol")


# --- several answers at once


def test_a_label_without_a_value_answers_nothing_and_of_two_values_the_first_counts() -> None:
    assert [each.field for each in read("Nama:\nNIK: 3171234501900001", TODAY)] == ["nik"]
    (nik,) = read("NIK: 3171234501900001\nNIK: 3273014708950002", TODAY)
    assert nik.parsed.value == "3171234501900001"


# --- news that crosses what the person is doing


def test_early_news_of_another_registration_is_not_told_of_this_one() -> None:
    chat = at_summary()
    chat.presses("activate")
    chat.happens(ActivationChanged("somebody_elses", "active", chat.now))
    chat.accepted("reg_1")
    chat.stands_at("pending")


def test_a_hand_off_that_is_refused_after_the_person_asked_to_be_forgotten_leaves_nothing() -> None:
    for answer in (
        lambda handoff: BackendRejected(handoff, "refused"),
        lambda handoff: BackendUnavailable(handoff, final=True),
    ):
        chat = at_summary()
        chat.presses("activate")
        draft = chat.session.draft
        assert draft is not None
        chat.says("/hapus")
        chat.presses("Ya, hapus data saya")
        chat.happens(answer(draft.handoff))
        assert chat.session.draft is None
        assert chat.session.registrations == ()
        chat.stands_at("idle")


def test_a_hand_off_that_is_taken_after_the_person_asked_to_be_forgotten_is_withdrawn() -> None:
    chat = at_summary()
    chat.presses("activate")
    draft = chat.session.draft
    assert draft is not None
    chat.says("/hapus")
    chat.presses("Ya, hapus data saya")
    chat.happens(BackendAccepted(draft.handoff, "reg_1", "s***@example.com"))
    chat.stands_at("erasing")


def erasing_beside_a_new_form() -> Conversation:
    """Somebody has asked to be forgotten, and has begun to register somebody else before it was done."""
    chat = waiting_for_activation()
    chat.says("/hapus")
    chat.presses("Ya, hapus data saya")
    chat.presses("Daftarkan orang lain")
    chat.stands_at("consent")
    return chat


def test_a_failed_erasure_is_told_beside_the_form_that_is_open_by_now() -> None:
    chat = erasing_beside_a_new_form()
    chat.unavailable(final=True)
    chat.reads("Siti Rahmawati")
    chat.stands_at("consent")
    assert chat.session.registrations[0].erasing == ""


def test_an_erasure_is_told_beside_the_form_that_is_open_by_now() -> None:
    chat = erasing_beside_a_new_form()
    chat.done()
    chat.reads("Siti Rahmawati")
    chat.stands_at("consent")
    assert chat.session.registrations == ()


def test_a_hand_off_that_is_taken_while_another_address_is_being_typed_leaves_that_question_standing() -> None:
    chat = waiting_for_activation()
    chat.becomes("mailed")
    chat.presses("Daftarkan orang lain")
    chat.presses("agree")
    chat.presses("kind.individu_lokal")
    for answer in ("Budi Santoso", "3273011708900002", "081322334455", "budi@example.com"):
        chat.says(answer)
    chat.presses("activate")
    draft = chat.session.draft
    assert draft is not None
    chat.says("/status")
    chat.presses("about.0")
    chat.presses("new_email")
    chat.stands_at("new_email")
    chat.happens(BackendAccepted(draft.handoff, "reg_2", "b***@example.com"))
    chat.reads("Terima kasih sudah melakukan pendaftaran, Budi Santoso")
    chat.stands_at("new_email")


def test_news_that_comes_late_and_answers_that_nobody_waits_for_change_nothing() -> None:
    chat = waiting_for_activation()
    chat.becomes("mailed")
    before = chat.session
    chat.happens(ActivationChanged("reg_1", "mailed", chat.now - timedelta(minutes=1)))
    chat.happens(BackendDone("somebody_elses-r1"))
    assert chat.session == before
    assert chat.effects == ()


def test_a_language_asked_for_with_the_very_first_message_is_spoken_from_there_on() -> None:
    chat = Conversation()
    chat.says("/bahasa en")
    assert chat.session.language == "en"
    chat.says("/start")
    chat.reads("Welcome")


def test_a_forged_choice_among_the_registrations_looks_at_none() -> None:
    chat = waiting_for_activation()
    chat.presses("Daftarkan orang lain")
    chat.says("/status")
    for action in ("about.9", "about.x"):
        chat.happens(ButtonPressed(token(chat.session), action))
        chat.reads("tombol")


def test_kembali_from_a_registration_that_was_looked_at_leads_back_to_the_form() -> None:
    chat = waiting_for_activation()
    chat.presses("Daftarkan orang lain")
    chat.presses("agree")
    chat.presses("kind.individu_lokal")
    chat.says("/status")
    chat.presses("about.0")
    chat.stands_at("pending")
    chat.says("kembali")
    chat.stands_at("full_name")


def test_what_is_unclear_while_an_early_answer_is_being_asked_about_leaves_the_question_standing() -> None:
    chat = Conversation()
    chat.starts()
    chat.presses("agree")
    chat.says("3171234501900001")
    chat.stands_at("doubt")
    chat.says("apa maksudnya")
    chat.stands_at("doubt")


@pytest.mark.parametrize("text", ["salah", "email salah", "ganti nomor", "wrong name"])
def test_a_wish_to_correct_what_was_not_answered_yet_is_no_name(text: str) -> None:
    chat = at_question(0)
    chat.says(text)
    chat.stands_at("doubt")
    draft = chat.session.draft
    assert draft is not None
    assert "full_name" not in draft.answers


def test_a_labelled_answer_to_another_question_that_is_wrong_is_told_why_it_was_not_noted() -> None:
    chat = at_question(2)
    chat.says("NIK: 12345")
    chat.reads("NIK", "5 digit")
    chat.stands_at("phone")


def test_a_long_answer_is_searched_for_the_other_answers_in_it() -> None:
    chat = at_question(3)
    chat.says("E-mail saya siti@example.com, dan NIK saya 3273014708950002")
    draft = chat.session.draft
    assert draft is not None
    assert draft.answers["email"].value == "siti@example.com"


def test_a_mistake_that_is_named_before_anything_was_answered_leaves_the_question_standing() -> None:
    chat = Conversation()
    chat.starts()
    chat.presses("agree")
    chat.says("keliru")
    chat.stands_at("kind")


def test_a_name_in_the_same_sentence_as_the_nik_is_not_passed_over() -> None:
    chat = at_question(1)
    chat.says("Nama saya Siti Rahmawati Putri, NIK saya 3273014708950002")
    draft = chat.session.draft
    assert draft is not None
    assert {field: answer.value for field, answer in draft.answers.items()} == {
        "full_name": "Siti Rahmawati Putri",
        "nik": "3273014708950002",
    }


def test_only_marks_are_taken_off_a_labelled_answer_and_never_its_letters() -> None:
    name, nik = read("Nama: FELIX XAVERIUSX,\nNIK: 3171234501900001", TODAY)
    assert name.parsed.value == "FELIX XAVERIUSX"
    assert nik.parsed.value == "3171234501900001"


def test_a_text_of_more_than_a_thousand_characters_is_no_form() -> None:
    form = "NIK: 3171234501900001\n"
    assert read(form + "x" * (1000 - len(form)), TODAY)
    assert read(form + "x" * (1001 - len(form)), TODAY) == ()


def test_what_follows_a_labelled_address_is_no_part_of_it() -> None:
    (email,) = read("E-mail: siti@example.com terima kasih", TODAY)
    assert email.parsed.value == "siti@example.com"


@pytest.mark.parametrize(
    ("left", "said"),
    [(89, "89 detik"), (90, "2 menit"), (3 * 3600, "180 menit"), (3 * 3600 + 1, "4 jam"), (24 * 3600, "24 jam")],
)
def test_a_wait_is_told_in_the_unit_that_people_would_use(left: int, said: str) -> None:
    assert waiting("id", timedelta(seconds=left)) == said
