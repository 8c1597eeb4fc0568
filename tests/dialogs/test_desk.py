"""Whose the conversation is: bot, queue or agent; what each may do, and that nothing is lost between them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dialogs.effects import CancelTimer, DeskChanged, Effect, OpenTicket, RedeemLink, Relay, Say, SetTimer, Show
from dialogs.events import (
    ActivationStatus,
    AgentSaid,
    BackendAccepted,
    BackendUnavailable,
    ButtonPressed,
    CorrectionProposed,
    TimerFired,
)
from dialogs.frozen import replace
from dialogs.machine import current_screen, step
from dialogs.office import Office, holidays
from dialogs.registration import token
from dialogs.reminders import TIMER as DRAFT
from dialogs.steps.desk import SILENCE, TIMER
from dialogs.testing import PROFILE, Conversation
from dialogs.testing.repro import Moment, retold

WITH_HELPDESK = replace(PROFILE, office=Office())


def at_nik() -> Conversation:
    chat = Conversation(profile=WITH_HELPDESK)
    chat.starts()
    chat.presses("agree")
    chat.presses("kind.individu_lokal")
    chat.says("Siti Rahmawati")
    return chat


def with_rina() -> Conversation:
    chat = at_nik()
    chat.says("petugas")
    chat.agent_takes_over("Rina")
    return chat


def changes(chat: Conversation) -> list[str]:
    return [effect.what for effect in chat.effects if isinstance(effect, DeskChanged)]


def test_where_no_helpdesk_works_the_word_petugas_tells_whom_to_call() -> None:
    chat = Conversation()
    chat.starts()
    chat.says("petugas")
    chat.reads("Call Center")
    assert chat.session.desk is None
    assert chat.brought(OpenTicket).ticket == ""
    assert "agent" not in [action.id for action in chat.screens[-1].actions]


def test_a_link_opened_while_an_agent_has_the_chat_is_kept_for_later_and_that_is_said() -> None:
    chat = with_rina()
    chat.starts("lanjut-k1")
    chat.reads("buka tautannya lagi")
    assert not [each for each in chat.effects if isinstance(each, RedeemLink)]


def test_of_two_claims_under_one_version_the_first_wins_and_the_second_changes_nothing() -> None:
    chat = at_nik()
    chat.says("petugas")
    seen = chat.session.ownership
    chat.agent_takes_over("Rina", as_of=seen)
    before = chat.session
    assert chat.agent_takes_over("Budi", as_of=seen) == ()
    assert chat.session == before
    assert before.desk is not None
    assert before.desk.name == "Rina"


def test_a_supervisor_who_sees_who_has_it_may_take_it() -> None:
    chat = with_rina()
    chat.agent_takes_over("Budi")
    chat.reads("Budi")
    assert chat.session.desk is not None
    assert chat.session.desk.agent == "budi"


def test_who_has_it_and_takes_it_again_changes_nothing() -> None:
    chat = with_rina()
    assert chat.agent_takes_over("Rina") == ()


def test_any_word_of_an_agent_is_a_take_over_and_is_said_after_it() -> None:
    chat = at_nik()
    chat.agent_says("Selamat siang.")
    assert changes(chat) == ["taken"]
    order = [type(effect).__name__ for effect in chat.effects if isinstance(effect, Show | Say | Relay)]
    assert order == ["Show", "Say", "Relay"]
    assert chat.brought(OpenTicket).reason == "taken"
    said = chat.brought(Say)
    assert (said.author, said.name, said.ref) == ("agent", "Rina", chat.brought(Relay).ref)


def test_a_word_of_an_agent_who_does_not_have_it_under_an_old_version_is_not_said() -> None:
    chat = with_rina()
    assert chat.agent_says("Halo", "Budi", as_of=chat.session.ownership - 1) == ()
    assert chat.agent_says("   ") == ()


def test_what_its_owner_says_is_said_whatever_version_they_saw() -> None:
    chat = with_rina()
    chat.agent_says("Halo", "Rina", as_of=0)
    chat.reads("Halo")


def test_nobody_gives_back_releases_or_corrects_what_nobody_has() -> None:
    chat = at_nik()
    for act in (chat.agent_returns, chat.agent_releases, chat.agent_closes, lambda: chat.agent_proposes("nik", "1")):
        assert act() == ()
    chat.says("petugas")
    assert chat.agent_releases() == ()
    assert chat.agent_proposes("nik", "3171234501900001") == ()
    chat.agent_transfers("Dewi")
    chat.reads("Dewi")


def test_who_is_still_in_the_queue_can_be_given_back_too() -> None:
    chat = at_nik()
    chat.says("petugas")
    chat.agent_returns()
    chat.stands_at("nik")
    chat.reads("ditutup oleh petugas")


def test_every_ticket_has_an_id_of_its_own_and_every_cycle_ends_at_the_open_question() -> None:
    chat, tickets = at_nik(), set[str]()
    for _ in range(4):
        chat.says("petugas")
        tickets.add(chat.brought(OpenTicket).ticket)
        chat.agent_takes_over()
        chat.says("3171234501900001")
        chat.agent_returns()
        chat.stands_at("nik")
    assert len(tickets) == 4
    chat.says("3171234501900001")
    chat.stands_at("phone")


def test_the_queue_s_timer_counts_from_when_the_office_opens_and_ends_with_the_queue() -> None:
    chat = at_nik()
    chat.now = datetime(2026, 11, 27, 11, 0, tzinfo=UTC)  # Friday, 18:00 in Jakarta
    chat.says("petugas")
    chat.stands_at("after_hours")
    chat.reads("Senin, 30 November 2026 pukul 08.30 WIB")
    chat.presses("wait_agent")
    assert chat.brought(SetTimer) == SetTimer(TIMER, datetime(2026, 11, 30, 1, 45, tzinfo=UTC))
    assert not chat.brought(OpenTicket).in_hours
    chat.happens(TimerFired(TIMER))
    chat.brought(SetTimer)
    chat.agent_takes_over()
    assert chat.brought(SetTimer) == SetTimer(TIMER, chat.now + SILENCE)
    chat.agent_returns()
    chat.brought(CancelTimer)
    assert chat.happens(TimerFired(TIMER)) == (CancelTimer(TIMER),)


def test_an_agent_who_falls_silent_gives_the_chat_back_and_the_open_question_is_asked() -> None:
    chat = at_nik()
    chat.agent_takes_over()
    for does in (lambda: chat.agent_says("Sebentar ya."), lambda: chat.agent_proposes("nik", "3171234501900001")):
        chat.now += SILENCE - timedelta(seconds=1)
        chat.happens(TimerFired(TIMER))
        assert chat.brought(SetTimer).at == chat.now + timedelta(seconds=1), "too early: it is looked at again"
        does()
        assert chat.brought(SetTimer).at == chat.now + SILENCE, "whoever does something is there"
    chat.now += SILENCE / 2
    chat.says("Halo?")
    chat.now += SILENCE / 2
    chat.happens(TimerFired(TIMER))
    assert chat.brought(DeskChanged).what == "idled"
    chat.reads("Rina sudah tidak berada dalam percakapan ini.")
    chat.stands_at("nik")
    chat.says("3171234501900001")
    chat.stands_at("phone")


def test_a_talk_that_is_over_has_no_timer_whoever_ended_it() -> None:
    for ends in ("agent_closes", "finish"):
        chat = with_rina()
        chat.presses(ends) if ends == "finish" else chat.agent_closes("resolved")
        assert chat.brought(CancelTimer) == CancelTimer(TIMER)
        assert chat.happens(TimerFired(TIMER)) == (CancelTimer(TIMER),)


def test_a_queue_that_was_there_before_the_helpdesk_was_switched_off_goes_on_to_its_end() -> None:
    chat = at_nik()
    chat.says("petugas")
    chat.profile = PROFILE
    assert "15 menit" in current_screen(chat.session, chat.now, PROFILE).text
    chat.agent_takes_over()
    chat.agent_releases()
    chat.happens(TimerFired(TIMER))
    chat.reads("Maaf, belum ada petugas")
    chat.stands_at("nik")


def goes_on(chat: Conversation, **time: float) -> list[Effect]:
    """What else happens while the agent keeps on writing."""
    until, happened = chat.now + timedelta(**time), list[Effect]()
    while chat.now < until:
        happened += chat.passes(minutes=SILENCE / timedelta(minutes=1) - 1)
        chat.agent_says("Mohon ditunggu.")
    return happened


def test_reminders_pause_while_the_helpdesk_has_it_and_go_on_after() -> None:
    chat = with_rina()
    assert not any(isinstance(effect, Show) for effect in goes_on(chat, days=2))
    chat.agent_returns()
    chat.passes(days=2)
    assert any(isinstance(effect, Show) and effect.until for effect in chat.effects)


def test_a_form_is_erased_in_its_time_though_an_agent_has_the_conversation_and_that_is_told() -> None:
    chat = with_rina()
    told = [effect for effect in goes_on(chat, days=8) if isinstance(effect, Say)]
    assert chat.session.draft is None
    assert [(each.author, "hapus" in each.text) for each in told] == [("system", True)]


def test_a_rating_that_nobody_gave_does_not_stand_in_the_way_of_a_reminder() -> None:
    chat = with_rina()
    chat.agent_closes()
    chat.passes(days=2)
    chat.stands_at("nik")
    chat.presses("go_on")
    chat.stands_at("nik")


def test_a_score_that_is_none_is_not_taken() -> None:
    chat = with_rina()
    chat.agent_closes()
    chat.happens(ButtonPressed(token(chat.session), "rate.9"))
    chat.stands_at("rating")
    assert changes(chat) == []


def test_a_second_tap_while_the_helpdesk_has_it_is_no_second_press() -> None:
    chat = at_nik()
    for each in ("1", "2", "3", "4"):
        chat.says(each)
    chat.presses_twice("agent")
    assert changes(chat) == ["queued"]
    assert not [effect for effect in chat.effects if isinstance(effect, Relay)]


def test_an_agent_is_told_a_press_by_what_stood_on_the_button_in_the_language_of_the_chat() -> None:
    chat = with_rina()
    for language, label in (("id", "Ubah NIK"), ("en", "Change NIK")):
        chat.session = replace(chat.session, language=language)
        chat.happens(ButtonPressed("s1", "edit.nik"))
        assert [effect.detail for effect in chat.effects if isinstance(effect, Relay)] == [label]


def test_facts_are_told_without_a_question_while_an_agent_has_it_and_what_says_nothing_is_not() -> None:
    chat = at_nik()
    for each in ("3171234501900001", "081234567890", "siti@example.com"):
        chat.says(each)
    chat.presses("activate")
    chat.says("hapus")
    chat.presses("erase_all")
    assert chat.session.draft is not None
    handoff = chat.session.draft.handoff
    chat.agent_takes_over()
    chat.happens(BackendAccepted(handoff, "reg_1", "s***@example.com"))
    assert not any(isinstance(effect, Show | Say) for effect in chat.effects)
    chat.agent_returns()
    chat.stands_at("erasing")


@pytest.mark.parametrize("status", ["mail_failed", "expired", "active", "withdrawn"])
@pytest.mark.parametrize("registering_another", [False, True])
def test_news_while_the_helpdesk_has_it_is_never_in_the_bots_name(status: ActivationStatus, registering_another: bool) -> None:
    chat = at_nik()
    for each in ("3171234501900001", "081234567890", "siti@example.com"):
        chat.says(each)
    chat.presses("activate")
    chat.accepted()
    if registering_another:
        chat.presses("register_another")
        chat.presses("agree")
    chat.says("petugas")
    chat.becomes(status)
    assert [effect.author for effect in chat.effects if isinstance(effect, Show | Say)] == ["system"]


@pytest.mark.parametrize("language", ["id", "en"])
@pytest.mark.parametrize("news", ["taken", "unavailable", "mail_failed", "expired"])
def test_news_while_an_agent_has_it_sends_nobody_to_a_button_or_word_that_does_nothing_now(news: str, language: str) -> None:
    chat = at_nik()
    if language == "en":
        chat.says("english")
    for each in ("3171234501900001", "081234567890", "siti@example.com"):
        chat.says(each)
    assert chat.session.language == language
    chat.presses("activate")
    assert chat.session.draft is not None
    handoff = chat.session.draft.handoff
    chat.agent_takes_over()
    if news == "unavailable":
        chat.happens(BackendUnavailable(handoff, final=True))
    else:
        chat.accepted()
    if news in ("mail_failed", "expired"):
        chat.becomes(news)  # type: ignore[arg-type]
    told = [effect.text for effect in chat.effects if isinstance(effect, Say)]
    assert told
    for words in told:
        assert not {"tekan", "ketik", "press", "type"} & set(words.lower().replace(",", " ").split()), words


def test_nothing_is_proposed_for_a_form_that_is_not_open_or_a_field_that_is_none() -> None:
    chat = with_rina()
    for field, value, why in (
        ("shoe_size", "38", "shoe_size no_form"),
        ("nik", "12", "nik too_short"),
        ("full_name", "Siti Rahmawati", "full_name same"),
    ):
        chat.agent_proposes(field, value)
        change = chat.brought(DeskChanged)
        assert (change.what, change.detail) == ("unfit", why)
    fresh = Conversation(profile=WITH_HELPDESK)
    fresh.starts()
    fresh.agent_takes_over()
    fresh.agent_proposes("full_name", "Siti Rahmawati")
    assert changes(fresh) == ["unfit"], "nothing is recorded before the consent"


def test_a_proposal_is_off_the_table_when_its_agent_has_gone() -> None:
    chat = with_rina()
    chat.agent_proposes("nik", "3171234501900001")
    chat.stands_at("correction")
    chat.agent_transfers("Dewi")
    chat.stands_at("human")
    assert chat.session.desk is not None
    assert chat.session.desk.correction is None


def test_personal_data_told_to_an_agent_goes_from_the_chat_with_the_form_and_other_words_stay() -> None:
    chat = with_rina()
    chat.says("halo")
    assert chat.session.draft is not None
    typed = chat.session.draft.typed
    chat.says("NIK saya 3171234501900001")
    assert chat.session.draft.typed == (*typed, f"m{chat.messages}")


def test_a_link_s_payload_does_not_reach_the_desk() -> None:
    chat = with_rina()
    chat.starts("secret-token")
    assert chat.brought(Relay).text == "/start"


def test_agents_are_retold_without_a_word_of_theirs() -> None:
    moments = list[Moment]()

    class Remembering(Conversation):
        def happens(self, event):
            moments.append(Moment(self.now, event, self.step))
            return super().happens(event)

    chat = Remembering(profile=WITH_HELPDESK)
    chat.starts()
    chat.presses("agree")
    chat.agent_says("Ibu Ratna dari Bandung?", "Sri")
    chat.agent_proposes("full_name", "Ratna Wulandari")
    chat.agent_releases()
    chat.agent_takes_over("Sri")
    chat.agent_transfers("Joko")
    chat.agent_closes("answered")
    transcript = retold(moments, profile=WITH_HELPDESK)
    assert "Ratna" not in transcript
    assert "Sri" not in transcript
    for line in ("says: ...", "proposes full_name", "into the queue", "passes the conversation on to Dewi", "as answered"):
        assert line in transcript


@pytest.mark.parametrize(
    ("moment", "works", "opens"),
    [
        ("2026-11-24T08:30+07:00", True, "2026-11-24T08:30+07:00"),
        ("2026-11-24T08:29+07:00", False, "2026-11-24T08:30+07:00"),
        ("2026-11-24T17:00+07:00", False, "2026-11-25T08:30+07:00"),
        ("2026-11-28T10:00+07:00", False, "2026-11-30T08:30+07:00"),  # Saturday
        ("2026-12-24T10:00+07:00", False, "2026-12-28T08:30+07:00"),  # joint leave, Christmas, the weekend
        ("2027-03-05T18:00+07:00", False, "2027-03-16T08:30+07:00"),  # Nyepi, Idul Fitri and their leave
    ],
)
def test_the_office_knows_weekends_holidays_and_joint_leave_in_jakarta(moment: str, works: bool, opens: str) -> None:
    at, office = datetime.fromisoformat(moment), Office()
    assert office.works_at(at) is works
    assert office.next_opening(at) == datetime.fromisoformat(opens)


def test_somebody_is_there_day_and_night_where_that_is_so() -> None:
    night = datetime(2026, 12, 25, 20, tzinfo=UTC)
    assert Office(always=True).works_at(night)
    assert Office(always=True).next_opening(night) == night


def test_the_holidays_of_both_years_are_there() -> None:
    assert {day.year for day in holidays()} == {2026, 2027}
    assert datetime(2026, 8, 17, tzinfo=UTC).date() in holidays()


def test_the_timer_of_the_draft_looks_again_daily_while_an_agent_has_it() -> None:
    chat = with_rina()
    chat.now += timedelta(hours=30)
    chat.happens(TimerFired(DRAFT))
    timer = chat.brought(SetTimer)
    assert timer.at == chat.now + timedelta(days=1)


def test_an_event_of_an_agent_alone_begins_no_registration() -> None:
    """A conversation that was never begun: the agent's screen, and then an empty chat."""
    chat = Conversation(profile=WITH_HELPDESK)
    chat.agent_takes_over()
    chat.agent_returns()
    chat.stands_at("idle")
    turn = step(chat.session, AgentSaid("rina", "Rina", 0, "Halo", "r1"), chat.now, chat.profile)
    assert turn.effects == ()
    assert step(chat.session, CorrectionProposed("rina", 2, "nik", "1"), chat.now, chat.profile).effects == ()


def test_what_was_said_to_agents_stays_when_the_rest_is_erased_and_both_are_told() -> None:
    chat = at_nik()
    chat.says("hapus")
    assert "petugas" not in chat.screens[-1].text
    chat.presses("go_on")
    chat.says("petugas")
    chat.agent_takes_over("Rina")
    chat.agent_returns()
    chat.says("privasi")
    chat.reads("Percakapan Anda dengan petugas: disimpan terenkripsi sampai 30 hari setelah selesai")
    chat.says("hapus")
    chat.reads("Percakapan Anda dengan petugas tetap disimpan terenkripsi")
    chat.presses("erase_all")
    chat.says("hapus")
    chat.reads("Percakapan Anda dengan petugas tetap disimpan terenkripsi")
