"""A conversation retold: it plays the same, and nothing that anybody typed is in it."""

from __future__ import annotations

from datetime import date

import pytest

from dialogs.events import ActivationChanged, ButtonPressed, Event, TextSent, TimerFired
from dialogs.fields import BY_ID
from dialogs.registration import token
from dialogs.testing import NOON, Conversation, Moment, does, played, retold
from dialogs.testing.invented import Invention
from tests.dialogs.fields._cases import CASES, Case

TODAY = date(2026, 11, 23)


def shown(case: Case) -> str:
    return Invention(TODAY).of(case.typed, case.field)


class Remembering(Conversation):
    """A conversation that keeps its moments, as the simulator does."""

    def happens(self, event: Event):
        fresh = isinstance(event, ButtonPressed) and event.token == token(self.session)
        moment = Moment(self.now, event, self.step if self.session.serial else "", fresh=fresh)
        self.__dict__.setdefault("moments", []).append(moment)
        return super().happens(event)


def somebody() -> Remembering:
    """A person who does everything once."""
    chat = Remembering(language="en")
    chat.starts("abc")
    chat.presses("agree")
    chat.presses("kind.individu_lokal")
    chat.says("R")
    chat.says("Rudi Hartono")
    chat.sends("photo")
    chat.says("32730147089500")
    chat.says("3273014708950002")
    chat.presses_earlier("I agree")
    chat.shares_contact("+6281299998888", own=False)
    chat.passes(hours=3, minutes=2)
    chat.shares_contact("+6281299998888")
    chat.says("/status now")
    chat.says("rudi.hartono@kantor.id")
    chat.edits("m2", "Rudi Hartono Putra")
    chat.edits("m99", "Rudi")
    chat.happens(ButtonPressed(token(chat.session), "nonsense"))
    chat.presses("activate")
    chat.unavailable()
    chat.rejected("limit", 60)
    chat.presses("activate")
    chat.accepted("reg_of_the_backend")
    chat.becomes("mailed")
    chat.passes(minutes=16)
    chat.presses("resend")
    chat.done()
    chat.presses("new_email")
    chat.says("rudi@gmial.com")
    chat.presses("suggested")
    chat.becomes("active", "reg_of_the_backend")
    chat.happens(TimerFired("unknown"))
    return chat


def test_a_retold_conversation_goes_the_same_way_to_the_same_place() -> None:
    chat = somebody()
    transcript = retold(chat.moments, language="en")
    again = played(transcript)
    assert [screen.step for screen in again.screens] == [screen.step for screen in chat.screens]
    assert again.transcript.text == transcript


def test_nothing_that_anybody_typed_is_in_it() -> None:
    transcript = retold(somebody().moments, language="en")
    for typed in ("Rudi", "rudi", "Hartono", "hartono", "Putra", "kantor", "32730147", "99998888", "reg_of_the_backend"):
        assert typed not in transcript
    assert "(3 hours and 2 minutes pass)" in transcript


def test_pauses_timers_and_agents_are_retold_each_at_its_time() -> None:
    chat = Remembering()
    chat.starts()
    chat.presses("agree")
    chat.presses("kind.individu_lokal")
    chat.passes(seconds=45)
    chat.says("Rudi Hartono")
    does(chat, "(Rina of the helpdesk takes over)")
    does(chat, "(the agent gives the conversation back)")
    chat.passes(days=2)
    chat.says("/status")
    transcript = retold(chat.moments)
    assert "> (45 seconds pass)" in transcript
    assert "> (Rina of the helpdesk takes over)" in transcript
    reminded = [screen.text for screen in chat.screens]
    assert [screen.text for screen in played(transcript).screens] == reminded


def test_where_the_way_parts_from_what_happened_it_says_so() -> None:
    moments = [Moment(NOON, TextSent("halo", "x"), ""), Moment(NOON, TextSent("halo", "y"), "summary")]
    assert "it stood at summary" in retold(moments)


def test_news_that_came_before_the_answer_is_told_of_the_registration_that_comes() -> None:
    chat = Remembering()
    chat.starts()
    chat.presses("agree")
    chat.presses("kind.individu_lokal")
    for answer in ("Rudi Hartono", "3273014708950002", "081299998888", "rudi@kantor.id"):
        chat.says(answer)
    chat.presses("activate")
    chat.happens(ActivationChanged("r1", "mailed", chat.now))
    chat.accepted("r1")
    again = played(retold(chat.moments))
    assert again.session.registrations[0].mailed_at == NOON


def meaning(text: str, field: str) -> object:
    parsed = BY_ID[field].parse(text, TODAY)
    return type(parsed), getattr(parsed, "code", ""), [doubt.code for doubt in getattr(parsed, "doubts", ())]


def test_what_stands_in_a_texts_place_nearly_always_means_the_same_to_its_field() -> None:
    same = [meaning(case.typed, case.field) == meaning(shown(case), case.field) for case in CASES]
    assert sum(same) / len(same) > 0.9


@pytest.mark.parametrize("field", [*BY_ID, None])
@pytest.mark.parametrize(
    "typed",
    [
        "Rudi Hartono",
        "Bpk. Rudi Hartono, S.E.",
        "3273014708950002",
        "3273 0147 0895 00",
        "9973014708950002",
        "081299998888",
        "+62 812-9999-8888",
        "rudi.hartono@kantor.id",
        "rudi.hartono@gmial.com",
        "rudi hartono @kantor",
        "Nama: Rudi Hartono\nNIK: 3273014708950002\nHP: 081299998888\nE-mail: rudi@kantor.id",
    ],
)
def test_nothing_personal_stays_whatever_was_typed_wherever(typed: str, field: str | None) -> None:
    shown = Invention(TODAY).of(typed, field)
    for personal in ("Rudi", "rudi", "Hartono", "hartono", "0147", "0895", "9999", "8888", "kantor"):
        assert personal not in shown


def test_the_same_text_is_exchanged_for_the_same_and_words_of_the_dialog_stay() -> None:
    invention = Invention(TODAY)
    assert invention.of("Rudi", "full_name") == invention.of("Rudi", "full_name") != "Rudi"
    assert invention.of("Kembali", "nik") == "Kembali"
    assert invention.of("Setuju", "nik", frozenset({"setuju"})) == "Setuju"
