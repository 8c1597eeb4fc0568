"""Which hours are fit for a message, and what time does to a form that its person has left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dialogs.clock import FROM, LAST, ZONES, Zone, end_of_hours, fit, fit_before
from dialogs.effects import CancelTimer, DeleteUserMessages, Record, SetTimer, Show
from dialogs.events import BackendDone, Started, TimerFired
from dialogs.fields import FIELDS
from dialogs.regions import zone
from dialogs.reminders import TIMER
from dialogs.testing import Conversation
from tests.dialogs.test_conversation import at_question, at_summary, waiting_for_activation


def at(hour: int, minute: int = 0, *, day: int = 23, where: Zone = "WIB") -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=ZONES[where])


@pytest.mark.parametrize("where", ZONES)
def test_a_moment_of_the_night_becomes_the_next_morning_or_the_evening_before(where: Zone) -> None:
    def here(hour: int, minute: int = 0, day: int = 23) -> datetime:
        return at(hour, minute, day=day, where=where)

    assert fit(here(3), where) == here(8)
    assert fit(here(8), where) == here(8)
    assert fit(here(13, 7), where) == here(13, 7)
    assert fit(here(19, 46), where) == here(8, day=24)
    assert fit(here(23), where) == here(8, day=24)
    assert fit_before(here(3), where) == here(19, 45, day=22)
    assert fit_before(here(13, 7), where) == here(13, 7)
    assert fit_before(here(23), where) == here(19, 45)
    assert end_of_hours(here(9), where) == here(20)


@pytest.mark.parametrize("hour", range(24))
def test_whatever_the_hour_what_comes_of_it_is_fit_and_on_the_right_side(hour: int) -> None:
    moment = datetime(2026, 11, 23, hour, 50, tzinfo=UTC)
    for where, offset in ZONES.items():
        after, before = fit(moment, where), fit_before(moment, where)
        assert before <= moment <= after
        for each in (after, before):
            assert FROM <= each.astimezone(offset).time() <= LAST


@pytest.mark.parametrize(
    ("code", "where"),
    [
        ("3171", "WIB"),
        ("6171", "WIB"),
        ("6471", "WITA"),
        ("5171", "WITA"),
        ("7371", "WITA"),
        ("8171", "WIT"),
        ("9471", "WIT"),
        ("99", "WIB"),
    ],
)
def test_a_province_has_its_zone(code: str, where: Zone) -> None:
    assert zone(code) == where


def test_the_zone_of_a_registration_is_remembered_when_its_nik_is_not() -> None:
    chat = at_question(1)
    for answer in ("9171234501900002", "0813-2233-4455", "siti@example.com"):
        chat.says(answer)
    chat.presses("activate")
    chat.accepted()
    chat.becomes("mailed")
    chat.passes(minutes=1)
    chat.presses("resend")
    assert "WIT" in chat.said


def test_what_the_person_s_device_says_goes_before_where_their_nik_was_given_out() -> None:
    chat = Conversation()
    chat.happens(Started(zone="WITA"))
    chat.presses("agree")
    chat.presses("kind.individu_lokal")
    chat.says("Siti Rahmawati")
    chat.says("9171234501900002")
    chat.says("privasi")
    assert "13.00 WITA" in chat.said


# --- the timer


def timer(chat: Conversation) -> datetime:
    return chat.timers[TIMER]


def test_the_timer_is_set_with_the_first_answer_and_by_no_other_turn() -> None:
    chat = at_question(0)
    assert not chat.timers
    chat.says("Siti Rahmawati")
    first = chat.brought(SetTimer)
    chat.passes(minutes=5)
    chat.says("3171234501900002")
    assert not [effect for effect in chat.effects if isinstance(effect, SetTimer)]
    assert timer(chat) == first.at


def test_a_refused_answer_is_as_personal_as_a_good_one_and_nothing_to_be_reminded_of() -> None:
    chat = at_question(0)
    chat.says("3171")
    assert chat.brought(SetTimer)
    before = len(chat.screens)
    chat.passes(days=9)
    assert chat.brought(DeleteUserMessages).messages == ("m1",)
    assert len(chat.screens) == before
    assert not chat.timers, "nothing else was kept"


def test_an_unusual_answer_that_was_never_confirmed_is_erased_as_well() -> None:
    chat = at_question(0)
    chat.says("X")
    assert chat.step == "doubt"
    chat.passes(days=9)
    assert chat.session.draft is None
    assert not chat.timers


def test_while_the_backend_s_word_is_not_in_nobody_is_reminded_of_anything() -> None:
    chat = at_summary()
    chat.presses("activate")
    before = len(chat.screens)
    chat.passes(days=9)
    assert len(chat.screens) == before
    chat.unavailable(final=True)
    assert chat.session.draft is not None
    assert len(chat.session.draft.answers) == len(FIELDS)


def test_somebody_who_is_just_typing_does_not_see_their_messages_vanish() -> None:
    chat = at_question(1)
    chat.passes(hours=24.5)
    chat.says("3171")
    chat.passes(hours=0.6)
    assert not [effect for effect in chat.effects if isinstance(effect, DeleteUserMessages)]
    chat.passes(hours=1)
    assert chat.brought(DeleteUserMessages).messages == ("m1", "m2")
    assert not chat.brought(DeleteUserMessages).screens


def test_after_five_days_without_the_bot_one_reminder_comes_and_it_is_the_last() -> None:
    chat = at_question(2)
    chat.timers[TIMER] = chat.now + timedelta(days=5, hours=20)
    chat.passes(days=6.9)
    assert len([effect for effect in chat.effects if isinstance(effect, Show)]) == 1
    assert "pengingat terakhir" in chat.said


def test_an_erasure_that_comes_late_comes_all_the_same() -> None:
    chat = at_question(2)
    chat.timers.clear()
    chat.passes(days=20)
    chat.happens(TimerFired(TIMER))
    assert chat.session.draft is None
    assert Record("phone", "abandoned", "expired") in chat.effects


def test_a_timer_of_another_name_is_forgotten_and_an_unknown_conversation_left_alone() -> None:
    chat = at_question(2)
    assert chat.happens(TimerFired("other")) == (CancelTimer("other"),)
    assert Conversation().happens(TimerFired(TIMER)) == ()


def test_there_is_nothing_to_be_silent_about_without_a_form() -> None:
    chat = waiting_for_activation()
    chat.says("jangan ingatkan lagi")
    assert "Tidak ada pendaftaran" in chat.said


def test_muting_is_for_this_form_and_not_for_the_next() -> None:
    chat = at_question(2)
    chat.says("jangan ingatkan lagi")
    chat.says("batal")
    chat.presses("discard")
    chat.presses("register")
    chat.presses("agree")
    chat.presses("kind.individu_lokal")
    chat.says("Siti Rahmawati")
    chat.passes(days=2)
    assert "belum selesai" in chat.said


# --- Kirim Ulang counts from the mail


def test_the_time_counts_from_when_the_newest_mail_was_accepted_and_not_from_when_it_was_asked_for() -> None:
    chat = waiting_for_activation()
    chat.becomes("mailed")
    chat.passes(minutes=15)
    chat.presses("resend")
    chat.done()
    chat.passes(minutes=10)
    chat.becomes("mailed")
    chat.passes(minutes=5)
    chat.presses("resend")
    assert "10 menit lagi" in chat.said


def test_a_mail_that_nobody_hears_of_counts_as_lost_after_a_quarter_of_an_hour() -> None:
    chat = waiting_for_activation()
    chat.passes(minutes=14)
    chat.presses("resend")
    assert not chat.requests[1:]
    chat.passes(minutes=1)
    chat.presses("resend")
    assert len(chat.requests) == 2


def test_a_mail_that_could_not_be_asked_for_leaves_everything_as_it_was() -> None:
    chat = waiting_for_activation()
    chat.becomes("mailed")
    chat.becomes("expired")
    chat.presses("resend")
    assert chat.step == "pending"
    chat.unavailable(final=True)
    assert chat.step == "expired"


def test_old_word_of_a_mail_and_word_of_nobody_s_registration_change_nothing() -> None:
    chat = waiting_for_activation()
    chat.becomes("mailed")
    before = chat.session
    assert chat.becomes("mailed") == ()
    assert chat.happens(BackendDone("nobody-1-r1")) == ()
    assert chat.session == before


def test_news_that_came_before_the_hand_off_s_answer_counts_for_its_own_registration_only() -> None:
    chat = at_summary()
    chat.presses("activate")
    chat.becomes("mailed", "reg_7")
    chat.becomes("mailed", "reg_1")
    chat.accepted()
    (about,) = chat.session.registrations
    assert (about.id, about.mailed_at, about.asked) == ("reg_1", chat.now, None)
