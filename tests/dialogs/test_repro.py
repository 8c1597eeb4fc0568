"""A conversation retold: it plays the same, and nothing that anybody typed is in it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from dialogs.events import (
    ActivationChanged,
    BackendAccepted,
    ButtonPressed,
    Event,
    FormBrought,
    FormWritten,
    LinkDead,
    LinkMade,
    LinkOpened,
    Started,
    TextSent,
    TimerFired,
)
from dialogs.fields import BY_ID
from dialogs.frozen import replace
from dialogs.office import Office
from dialogs.registration import token
from dialogs.testing import NOON, PROFILE, Conversation, Moment, does, played, retold
from dialogs.testing.invented import Invention
from tests.dialogs.fields._cases import CASES, Case

TRANSCRIPTS = Path(__file__).parents[1] / "transcripts" / "dialog"
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


def test_what_nothing_answers_to_beside_the_way_is_left_out_and_said() -> None:
    moments = [Moment(NOON, Started(), ""), Moment(NOON, BackendAccepted("h", "r", "s***@example.com"), "sending")]
    transcript = retold(moments)
    assert "nothing answers to BackendAccepted; it is left out" in transcript
    assert played(transcript).transcript.text == transcript


def test_a_form_that_moves_is_retold_without_its_links_and_plays_again() -> None:
    away, here = Remembering(), Remembering()
    away.starts()
    away.presses("agree")
    away.presses("kind.individu_lokal")
    away.says("Rudi Hartono")
    away.says("pindah")
    away.happens(LinkMade("k7", (("web", "https://akses.example/chat#geheim"),), NOON))
    away.happens(LinkOpened("k7", "web:elsewhere", "web"))
    here.starts("lanjut-geheim")
    here.happens(
        FormBrought(
            "web", "", "individu_lokal", {"full_name": "Rudi Hartono", "nik": "3273014708950002"}, {"email": "rudi@gmial.com"}
        )
    )
    here.presses("agree")
    here.says("0002")
    here.happens(LinkDead("used"))
    for chat in (away, here):
        transcript = retold(chat.moments)
        for secret in ("geheim", "k7", "Rudi", "Hartono", "rudi"):
            assert secret not in transcript
        again = played(transcript)
        assert again.transcript.text == transcript
        assert [screen.step for screen in again.screens] == [screen.step for screen in chat.screens]


def test_what_an_agent_wrote_down_for_a_caller_is_no_part_of_what_is_retold() -> None:
    written = FormWritten("Rina", "individu_lokal", {"full_name": "Rudi Hartono"})
    assert "Rudi" not in retold([Moment(NOON, written, "")])


def test_asking_for_an_agent_is_retold_where_agents_answer() -> None:
    chat = Remembering(profile=replace(PROFILE, office=Office()))
    chat.starts()
    chat.presses("agree")
    chat.says("petugas")
    chat.presses("leave_queue")
    transcript = retold(chat.moments, profile=chat.profile)
    assert "it stood at" not in transcript
    again = played(transcript)
    assert again.transcript.text == transcript
    assert "queued" in [screen.step for screen in again.screens]


# Where another name in the same sentence comes to something else.
PART_WAYS = {
    "29-in-a-sentence",
    "32-natural-words",
    "86-block-en",
    "94-sentences-are-no-names",
    "107-helpdesk-correction-refused",
}


@pytest.mark.parametrize("file", sorted(TRANSCRIPTS.glob("*.md")), ids=lambda file: file.stem)
def test_whatever_was_said_and_done_can_be_retold_and_played_again(file: Path) -> None:
    written, chat = file.read_text("utf-8"), Remembering()
    played(written, chat)
    transcript = retold(chat.moments, language="en" if "Language: en" in written else "id", profile=chat.profile)
    again = played(transcript)
    assert again.transcript.text == transcript
    same = [screen.step for screen in again.screens] == [screen.step for screen in chat.screens]
    assert same or file.stem in PART_WAYS
    assert same or "it stood at" in transcript


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
