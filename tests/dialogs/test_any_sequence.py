"""Whatever a person, the backend or bad luck does, in any order: an answer, a way on, and no traceback."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dialogs.commands import WORDS
from dialogs.effects import (
    CancelTimer,
    ChangeEmail,
    Effect,
    ResendActivation,
    Say,
    SetTimer,
    Show,
    SubmitRegistration,
    WithdrawRegistration,
)
from dialogs.events import (
    ActivationChanged,
    BackendAccepted,
    BackendDone,
    BackendRejected,
    BackendUnavailable,
    ButtonPressed,
    CommandSent,
    ContactShared,
    Event,
    MediaSent,
    MessageEdited,
    Started,
    TextSent,
    TimerFired,
)
from dialogs.machine import STEPS, current_screen, step
from dialogs.profile import Profile
from dialogs.registration import first_unmet, step_id, token
from dialogs.reminders import REMINDERS, TIMER
from dialogs.session import Session
from dialogs.testing import NOON, PROFILE

GOOD = st.sampled_from(
    [
        "Siti Rahmawati",
        "Ma'ruf",
        "3171234501900001",
        "9971234501900001",
        "081234567890",
        "+62 812 3456 7890",
        "siti@example.com",
        "a@gmial.com",
    ]
)
BAD = st.sampled_from(
    ["", "12345", "bukan", "🙂", "x" * 4096, "0812", "@", "\u202e", "Setuju", "Aktivasi", "Individu Lokal", "1"]
)


class AnySequence(RuleBasedStateMachine):
    """`sent` are requests that the backend has heard of; every event of a person must be answered by a screen or a word."""

    session: Session
    profile: Profile = PROFILE

    @initialize(language=st.sampled_from(["id", "en"]), answered=st.integers(-1, 5))
    def open(self, language: Any, answered: int) -> None:
        self.session = Session(id="abc", channel="web", language=language)
        self.now = NOON
        self.sent: list[str] = []
        self.handoffs: list[SubmitRegistration] = []
        self.messages = 0
        self.old: list[tuple[str, str]] = []
        if answered >= 0:
            self._come_as_far_as(answered)

    def _come_as_far_as(self, answered: int) -> None:
        """Begin deep in the dialog, where chance alone seldom gets: so many answers in, or handed off (5)."""
        self.starts("")
        for action in ("agree", "kind.individu_lokal"):
            self.person(ButtonPressed(token(self.session), action))
        for answer in ("Siti Rahmawati", "3171234501900001", "081234567890", "siti@example.com")[:answered]:
            self.types(answer)
        if answered == 5:
            self.person(ButtonPressed(token(self.session), "activate", "b1"))

    def happens(self, event: Event) -> tuple[Effect, ...]:
        turn = step(self.session, event, self.now, self.profile)
        self.session = turn.session
        for effect in turn.effects:
            if isinstance(effect, SubmitRegistration):
                self.handoffs.append(effect)
                self.sent.append(effect.handoff)
            elif isinstance(effect, ResendActivation | ChangeEmail | WithdrawRegistration):
                self.sent.append(effect.request)
            elif isinstance(effect, Show):
                self.old += [(effect.screen.token, action.id) for action in effect.screen.actions]
        return turn.effects

    def person(self, event: Event) -> None:
        effects = self.happens(event)
        assert any(isinstance(effect, Show | Say) for effect in effects), event
        shows = [effect for effect in effects if isinstance(effect, Show)]
        assert len(shows) == 1, "one screen a turn"
        assert shows[0].screen.body.strip()
        assert shows[0].screen.token == token(self.session)

    @rule(payload=st.sampled_from(["", "abc"]))
    def starts(self, payload: str) -> None:
        self.person(Started(payload))

    @rule(text=st.one_of(GOOD, BAD, st.text(max_size=40), st.sampled_from(sorted(WORDS))))
    def types(self, text: str) -> None:
        self.messages += 1
        before = self.session.draft
        self.person(TextSent(text, f"m{self.messages}"))
        after = self.session.draft
        if before and after and not after.sending:
            assert set(before.answers) <= set(after.answers), "a typed text never loses another answer"

    @rule(command=st.sampled_from([*sorted(WORDS), "tidakada"]), argument=st.sampled_from(["", "en", "id", "x"]))
    def commands(self, command: str, argument: str) -> None:
        self.person(CommandSent(command, argument))

    @rule(data=st.data())
    def presses(self, data: st.DataObject) -> None:
        if self.session.serial == 0:
            return
        actions = [action.id for action in current_screen(self.session, self.now, self.profile).actions if not action.url]
        if actions:
            self.person(ButtonPressed(token(self.session), data.draw(st.sampled_from(actions)), "b1"))

    @precondition(lambda self: self.old)
    @rule(data=st.data())
    def presses_an_old_button(self, data: st.DataObject) -> None:
        pressed, action = data.draw(st.sampled_from(self.old))
        if pressed != token(self.session) and f"{pressed}:{action}" != self.session.pressed:
            before = self.session
            self.person(ButtonPressed(pressed, action))
            assert self.session.draft == before.draft
            assert self.session.registrations == before.registrations

    @rule(action=st.text(max_size=20))
    def presses_nonsense(self, action: str) -> None:
        self.person(ButtonPressed(token(self.session), f"zz{action}"))

    @rule(own=st.booleans(), phone=st.sampled_from(["6281234567890", "+6281234567890", "021", ""]))
    def shares_a_contact(self, phone: str, *, own: bool) -> None:
        self.person(ContactShared(phone, own=own, message="c1"))

    @rule(kind=st.sampled_from(["photo", "voice", "video", "sticker", "location", "document", "contact", "other"]))
    def sends_media(self, kind: Any) -> None:
        self.person(MediaSent(kind))

    @rule(message=st.integers(0, 30), text=st.one_of(GOOD, BAD))
    def edits(self, message: int, text: str) -> None:
        self.person(MessageEdited(f"m{message}", text))

    @rule(minutes=st.sampled_from([1, 14, 16, 60 * 24 * 3]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), what=st.sampled_from(["taken", "limit", "refused", "closed", "away", "gone"]))
    def the_backend_answers(self, data: st.DataObject, what: str) -> None:
        request = data.draw(st.sampled_from(self.sent))
        match what:
            case "taken" if any(handoff.handoff == request for handoff in self.handoffs):
                self.happens(BackendAccepted(request, f"reg_{request}", "a***b@example.com"))
            case "taken":
                self.happens(BackendDone(request, "c***d@example.com"))
            case "away" | "gone":
                self.happens(BackendUnavailable(request, final=what == "gone"))
            case _:
                self.happens(BackendRejected(request, what, 61))  # type: ignore[arg-type]

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), status=st.sampled_from(["mailed", "mail_failed", "active", "expired", "withdrawn"]))
    def a_status_comes(self, data: st.DataObject, status: Any) -> None:
        registration = f"reg_{data.draw(st.sampled_from(self.sent))}"
        was = self.session.registration(registration)
        self.happens(ActivationChanged(registration, status, self.now))
        if was and was.status in {"active", "withdrawn"}:
            now = self.session.registration(registration)
            assert now is not None
            assert now.status == was.status, "final is final"

    @precondition(lambda self: step_id(self.session) == "sending")
    @rule(nik=st.sampled_from(["3171234501900001", "3273014708950002"]))
    def the_hand_off_fails_and_a_field_is_changed_before_the_next(self, nik: str) -> None:
        assert self.session.draft is not None
        self.happens(BackendUnavailable(self.session.draft.handoff, final=True))
        for action in ("back", "edit.nik"):
            self.person(ButtonPressed(token(self.session), action))
        self.types(nik)
        self.person(ButtonPressed(token(self.session), "activate"))

    @rule()
    def a_timer_of_no_rule_fires(self) -> None:
        assert not [effect for effect in self.happens(TimerFired("any")) if isinstance(effect, Show | Say)]

    @rule()
    def the_timer_fires(self) -> None:
        """It ends or sets itself anew; while there is a form left it has moved nothing."""
        before = self.session
        effects = self.happens(TimerFired(TIMER))
        after = self.session
        if before.serial:
            (timer,) = [effect for effect in effects if isinstance(effect, SetTimer | CancelTimer)]
            assert isinstance(timer, CancelTimer) or timer.at > self.now
        assert after.registrations == before.registrations
        if before.draft is not None and after.draft is not None:
            assert after.draft.answers == before.draft.answers
            assert (step_id(after), token(after)) == (step_id(before), token(before))
            assert after.draft.reminded <= REMINDERS

    @invariant()
    def there_is_always_a_screen_with_a_way_on(self) -> None:
        id_ = step_id(self.session)
        assert id_ in STEPS
        if self.session.serial:
            screen = current_screen(self.session, self.now, self.profile)
            assert screen.actions or screen.hint or id_ == "sending"
            assert len(screen.token) <= 16
            assert all(len(f"{screen.token}:{action.id}".encode()) <= 64 for action in screen.actions)

    @invariant()
    def a_hand_off_is_complete_and_its_data_never_changes_under_one_id(self) -> None:
        by_id: dict[str, SubmitRegistration] = {}
        for handoff in self.handoffs:
            assert handoff.handoff
            same = by_id.setdefault(handoff.handoff, handoff)
            assert (same.full_name, same.nik, same.phone, same.email) == (
                handoff.full_name,
                handoff.nik,
                handoff.phone,
                handoff.email,
            )

    @invariant()
    def one_registration_for_each_hand_off(self) -> None:
        handoffs = [registration.handoff for registration in self.session.registrations]
        assert len(handoffs) == len(set(handoffs))

    @invariant()
    def a_complete_form_has_a_hand_off_id(self) -> None:
        draft = self.session.draft
        if draft and first_unmet(draft) is None:
            assert draft.handoff


TestAnySequence = AnySequence.TestCase
TestAnySequence.settings = settings(
    max_examples=150, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)
