"""Whatever a person, the backend or bad luck does, in any order and either language: an answer, a way on, nothing lost, no traceback."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, ClassVar, Final, Literal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from dialogs.commands import WORDS
from dialogs.effects import (
    CancelTimer,
    ChangeEmail,
    DeskChanged,
    Effect,
    MakeLink,
    RedeemLink,
    Relay,
    ResendActivation,
    Say,
    SetTimer,
    Show,
    SubmitRegistration,
    WithdrawRegistration,
)
from dialogs.events import (
    ActivationChanged,
    AgentClosed,
    AgentReleased,
    AgentReturned,
    AgentSaid,
    AgentTookOver,
    AgentTransferred,
    BackendAccepted,
    BackendDone,
    BackendRejected,
    BackendUnavailable,
    ButtonPressed,
    ByAgent,
    ByPerson,
    CommandSent,
    ContactShared,
    CorrectionProposed,
    Event,
    LinkDead,
    LinkMade,
    LinkOpened,
    MediaSent,
    MessageEdited,
    Started,
    TextSent,
    TimerFired,
)
from dialogs.frozen import replace
from dialogs.machine import STEPS, current_screen, step
from dialogs.moves import is_link
from dialogs.office import Office
from dialogs.phrases import AGAIN_FROM_THE_START, AGREE, NO, YES
from dialogs.profile import Profile
from dialogs.registration import first_unmet, held, step_id, token
from dialogs.reminders import REMINDERS, TIMER
from dialogs.session import Draft, Session
from dialogs.steps.desk import TIMER as DESK_TIMER
from dialogs.testing import NOON, PROFILE
from dialogs.texts import CATALOGUES, LANGUAGES, Language

ADDRESSES: Final = (("web", "https://akses.example/chat#lanjut-k1"),)
STEPS_EACH: Final = 10_000
STEPS_A_CHAT: Final = 60
KINDS: Final = 40  # of input, at least


def one_of(*texts: str) -> st.SearchStrategy[str]:
    return st.sampled_from(texts)


# What a person may type, by kind. `MEANT` are the kinds whose value must be found again, in the answers or in what is asked about.
TYPED: Final[Mapping[str, st.SearchStrategy[str]]] = {
    "a name": one_of("Siti Rahmawati", "Suharto", "Dr. Ir. H. Ma'ruf, S.E.", "NUR'AINI"),
    "an unusual name": one_of("Ibu Siti Rahmawati", "S", "nama", "\u0421\u0438\u0442\u0438"),
    "no name": one_of("Siti 123", "\N{SLIGHTLY SMILING FACE}", "www.example.com", "---", "S\u0301\u0301\u0301iti"),
    "a second half of a name": one_of("Rahmawati", "Kusuma Wardani"),
    "a NIK": one_of("3171234501900001", "3273 0147 0895 0002", "NIK: 3171.2345.0190.0001"),
    "an unusual NIK": one_of("9971234501900001", "3171234501900000", "1111111111111111", "3171O34501900001"),
    "no NIK": one_of("12345", "317123450190000", "31712345019000011", "3171********0001", "3.17123E+15"),
    "a phone number": one_of("081234567890", "+62 812 3456 7890", "0062 812 3456 7890"),
    "an unusual phone number": one_of("O81234567890", "0812345l7890"),
    "no phone number": one_of("0812", "021 5152855", "0800 186 5734", "+65 9123 4567", "08123456789012345"),
    "an address": one_of("siti@example.com", "Siti.R@Contoh.co.id"),
    "an unusual address": one_of("siti@gmial.com", "info@example.com", "siti@gmail,com", "siti gmail.com"),
    "no address": one_of("siti@", "@example.com", "a@b@c.com", "siti@localhost", "@"),
    "a block with labels": one_of(
        "Nama: Siti Rahmawati\nNIK: 3171234501900001\nHP: 081234567890\nEmail: siti@example.com",
        "My name is Siti, my NIK is 3171234501900001, phone 081234567890, email siti@example.com",
    ),
    "a block without labels": one_of("Siti Rahmawati, 3171234501900001, 081234567890, siti@example.com"),
    "half a block": one_of("Siti, 3171234501900001", "081234567890 siti@example.com", "NIK 3171234501900001\nsiti@example.com"),
    "a block with faults": one_of("Nama: Ibu Siti\nNIK: 99\nHP: 021-5152855\nEmail: siti@gmial.com", "NIK: 1\nHP: 2\nEmail: 3"),
    "a sentence with an answer": one_of(
        "ini nomor saya 0812-3456-7890 pak", "harusnya siti@example.org", "my NIK is 3171234501900001"
    ),
    "a sentence": one_of("tidak tahu", "berapa lama ya?", "saya di mana bisa lihat NIK", "what is this about?", "sebentar"),
    "a wish to correct": one_of("email salah", "ganti nomor", "wrong email", "nik", "salah", "ubah nama", "ada yang salah"),
    "yes": st.sampled_from(sorted(YES)),
    "no": st.sampled_from(sorted(NO)),
    "agreement": st.sampled_from(sorted(AGREE)),
    "a password": one_of("Rahasia#2026", "AKSes2026!"),
    "what is called a password": one_of("password saya rahasia123", "kata sandi: bunga-7"),
    "a missing mail": one_of("belum terima email", "mana linknya", "I have not received the email"),
    "a word known everywhere": st.sampled_from(sorted(WORDS)),
    "nothing": one_of("", " ", "\u202e", "\u200b\u200b", "\n"),
    "far too much": one_of("x" * 4096, "9" * 4096, "a@" * 2048, "Nama: " * 600, "\u0301" * 4096),
    "anything": st.text(max_size=60),
    "a formula or markup": one_of(
        "=cmd|'/c calc'!A1", "<img src=x onerror=alert(1)>", "{{7*7}}", "{name}", "%s%n", "'; DROP TABLE x;--"
    ),
}
MEANT: Final = {
    "a NIK": ("3171234501900001", "3273014708950002"),
    "a phone number": ("+6281234567890",),
    "an address": ("siti@example.com", "Siti.R@contoh.co.id"),
    "a block with labels": ("3171234501900001",),
    "a block without labels": ("3171234501900001",),
}
SECRETS: Final = ("Rahasia#2026", "AKSes2026!", "rahasia123", "bunga-7")
# Buttons that throw something away when their label is typed out, or a yes at the question whether to.
THROWS_AWAY: Final = {
    *(CATALOGUES[language][f"button.{name}"].casefold() for language in LANGUAGES for name in ("start_again", "discard")),
    *YES,
    *AGAIN_FROM_THE_START,
}
LABELS: Final = {
    language: re.compile(
        "|".join(
            re.sub(r"\\{\w+\\}", r"(?s:.+)", re.escape(text))
            for id_, text in CATALOGUES[language].items()
            if id_.startswith(("button.", "kinds.", "flow.language_name."))
        )
    )
    for language in LANGUAGES
}


def _field_and_value(data: st.DataObject) -> tuple[str, str]:
    field = data.draw(st.sampled_from(("full_name", "nik", "phone", "email", "shoe_size")))
    return field, data.draw(TYPED[data.draw(st.sampled_from(sorted(TYPED)))])


# What an agent may do, by kind: made of the agent, the version that they saw, and what is drawn.
AGENTS: Final[Mapping[str, Callable[[str, int, st.DataObject], ByAgent]]] = {
    "takes over": lambda agent, seen, _: AgentTookOver(agent, agent.title(), seen),
    "says": lambda agent, seen, data: AgentSaid(
        agent, agent.title(), seen, data.draw(one_of("Halo", "<b>x</b>", "{name}")), "r1"
    ),
    "gives back": lambda agent, seen, _: AgentReturned(agent, seen),
    "releases": lambda agent, seen, _: AgentReleased(agent, seen),
    "transfers": lambda agent, seen, _: AgentTransferred(agent, "dewi", "Dewi", seen),
    "closes": lambda agent, seen, _: AgentClosed(agent, seen, "answered"),
    "proposes": lambda agent, seen, data: CorrectionProposed(agent, seen, *_field_and_value(data)),
}


def _owner(session: Session) -> tuple[str, str]:
    return (session.desk.owner, session.desk.agent) if session.desk and held(session) else ("bot", "")


class AnySequence(RuleBasedStateMachine):
    """`sent` are requests that the backend has heard of; every event of a person must be answered by a screen or a word."""

    session: Session
    language: Language = "id"
    profile: Profile = replace(PROFILE, office=Office())
    taken: ClassVar[int] = 0
    kinds: ClassVar[Counter[str]] = Counter()

    @initialize(answered=st.integers(-1, 6))
    def open(self, answered: int) -> None:
        self.session = Session(id="abc", channel="web", language=self.language)
        self.effects: tuple[Effect, ...] = ()
        self.now = NOON
        self.sent: list[str] = []
        self.handoffs: list[SubmitRegistration] = []
        self.messages = 0
        self.old: list[tuple[str, str]] = []
        if answered >= 0:
            self._come_as_far_as(min(answered, 5))
        if answered == 6:
            # One handed off and taken, another form open: a secretary.
            self.happens(BackendAccepted(self.sent[-1], f"reg_{self.sent[-1]}", "s***@example.com"))
            for action in ("register_another", "agree", "kind.individu_lokal"):
                self.person(ButtonPressed(token(self.session), action))

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
        type(self).taken += 1
        self.kinds[type(event).__name__] += 1
        before = self.session
        turn = step(self.session, event, self.now, self.profile)
        self.session, self.effects = turn.session, turn.effects
        self.the_ownership_is_one_history(before)
        if held(before):
            self.the_bot_is_silent(before, event)
        for effect in turn.effects:
            if isinstance(effect, SubmitRegistration):
                self.handoffs.append(effect)
                self.sent.append(effect.handoff)
            elif isinstance(effect, ResendActivation | ChangeEmail | WithdrawRegistration):
                self.sent.append(effect.request)
            elif isinstance(effect, Show):
                self.old += [(effect.screen.token, action.id) for action in effect.screen.actions]
        return turn.effects

    def the_ownership_is_one_history(self, before: Session) -> None:
        """Every change of owner has a version of its own, which the desk is told; nothing else moves it on."""
        after = self.session
        told = [effect.ownership for effect in self.effects if isinstance(effect, DeskChanged)]
        assert set(told) <= {after.ownership}
        if _owner(before) != _owner(after):
            assert after.ownership == before.ownership + 1
            assert told
        else:
            assert after.ownership in (before.ownership, before.ownership + 1 if told else before.ownership)

    def the_bot_is_silent(self, before: Session, event: Event) -> None:
        """While the helpdesk has the conversation nothing is said in the bot's name. While an agent has it, no question is shown but the
        agent's proposal and the answer to it; each thing that the person sends goes to the desk once; and the form stays as it is.
        """
        after, desk = self.session, before.desk
        assert desk is not None
        spoken = [effect for effect in self.effects if isinstance(effect, Show | Say)]
        if held(after):
            assert all(effect.author != "bot" for effect in spoken)
        if desk.owner != "human" or after.desk != desk or isinstance(event, ByAgent):
            return
        assert not any(isinstance(effect, Show) for effect in spoken)
        relays = [effect for effect in self.effects if isinstance(effect, Relay)]
        if isinstance(event, ByPerson):
            twice = isinstance(event, ButtonPressed) and f"{event.token}:{event.action}" == before.pressed
            assert len(relays) == (not twice)
            # A link that cannot be followed now, and a password: who sent it is told what becomes of it.
            link = isinstance(event, Started) and is_link(event.payload)
            assert not spoken or link or relays[0].kind == "password"
            assert (before.draft is None) == (after.draft is None)
            if before.draft and after.draft:
                assert after.draft == replace(before.draft, typed=after.draft.typed)
        else:
            assert not relays

    def person(self, event: Event) -> None:
        if held(self.session):
            self.happens(event)
            return
        effects = self.happens(event)
        # What must be looked up first is answered with what is found.
        if any(isinstance(effect, MakeLink) for effect in effects):
            effects = self.happens(LinkMade("k1", ADDRESSES, self.now + timedelta(minutes=30)))
        elif any(isinstance(effect, RedeemLink) for effect in effects):
            effects = self.happens(self.behind_the_link)
        assert any(isinstance(effect, Show | Say) for effect in effects), event
        shows = [effect for effect in effects if isinstance(effect, Show)]
        assert len(shows) == 1, "one screen a turn"
        assert shows[0].screen.body.strip()
        assert shows[0].screen.token == token(self.session)
        for action in shows[0].screen.actions:
            assert LABELS[self.session.language].fullmatch(action.label), action.label

    # --- what a person does

    @rule(payload=st.sampled_from(["", "group"]))
    def starts(self, payload: str) -> None:
        self.person(Started(payload))

    @rule(why=st.sampled_from(["used", "over"]))
    def opens_a_link_that_is_dead(self, why: Literal["used", "over"]) -> None:
        self.behind_the_link = LinkDead(why)
        self.person(Started("lanjut-k2"))

    @rule()
    def opens_the_link_elsewhere(self) -> None:
        self.happens(LinkOpened("k1", "elsewhere", "telegram"))

    @rule(kind=st.sampled_from(sorted(TYPED)), data=st.data())
    def types_some(self, kind: str, data: st.DataObject) -> None:
        self.kinds[kind] += 1
        text = data.draw(TYPED[kind], label=kind)
        before, step_before = self.session, step_id(replace(self.session, desk=None))
        self.types(text)
        after = self.session
        writable = before.draft and before.draft.consent and not before.draft.sending and not held(before)
        kept = before.draft if writable else None
        if kept and after.draft and not after.draft.sending and not (before.overlay and text.casefold().strip() in THROWS_AWAY):
            assert set(kept.answers) <= set(after.draft.answers), "a typed text never loses another answer"
        if kept and after.draft and kind in MEANT and before.email_change is None and step_before != "language":
            assert self.has(after.draft, MEANT[kind]), "a good answer is kept or asked about, wherever it was typed"
        if kind in ("a password", "what is called a password"):
            assert not any(secret in repr((self.session, self.effects)) for secret in SECRETS)

    @staticmethod
    def has(draft: Draft, values: tuple[str, ...]) -> bool:
        doubts = (draft.doubt, *draft.more)
        kept = {answer.value for answer in draft.answers.values()} | {doubt.value for doubt in doubts if doubt}
        return not kept.isdisjoint(values)

    def types(self, text: str) -> None:
        self.messages += 1
        self.person(TextSent(text, f"m{self.messages}"))

    @rule(data=st.data())
    def types_a_label(self, data: st.DataObject) -> None:
        if self.session.serial and (actions := current_screen(self.session, self.now, self.profile).actions):
            self.types(data.draw(st.sampled_from([action.label for action in actions])))

    @rule(command=st.sampled_from(sorted(WORDS)), argument=st.sampled_from(["", "en", "id", "x"]))
    def commands(self, command: str, argument: str) -> None:
        self.person(CommandSent(command, argument))

    @rule(command=st.text(alphabet="abcdefghijklmnopqrstuvwxyz_", max_size=12))
    def commands_nobody_knows(self, command: str) -> None:
        self.person(CommandSent(command))

    @rule(language=st.sampled_from(LANGUAGES))
    def changes_the_language(self, language: Language) -> None:
        self.person(CommandSent("bahasa", language))

    @rule(data=st.data())
    def presses(self, data: st.DataObject) -> None:
        if self.session.serial == 0:
            return
        actions = [action.id for action in current_screen(self.session, self.now, self.profile).actions if not action.url]
        if actions:
            self.person(ButtonPressed(token(self.session), data.draw(st.sampled_from(actions)), "b1"))

    @rule(data=st.data())
    def presses_twice(self, data: st.DataObject) -> None:
        """The second of two taps does nothing, not even an answer: the first was answered."""
        if self.session.serial and (actions := current_screen(self.session, self.now, self.profile).actions):
            press = ButtonPressed(token(self.session), data.draw(st.sampled_from([action.id for action in actions])), "b1")
            self.person(press)
            before = self.session
            if before.pressed == f"{press.token}:{press.action}":
                assert self.happens(press) == ()
                assert self.session == before

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

    @rule(phone=st.sampled_from(["6281234567890", "+6281234567890", "021", "", "1"]))
    def shares_the_own_contact(self, phone: str) -> None:
        self.person(ContactShared(phone, own=True, message="c1"))

    @rule()
    def shares_the_contact_of_another(self) -> None:
        before = self.session.draft.answers if self.session.draft else {}
        self.person(ContactShared("6281234567890", own=False, message="c1"))
        assert (self.session.draft.answers if self.session.draft else {}) == before

    @rule(kind=st.sampled_from(["photo", "voice", "video", "sticker", "location", "document", "contact", "other"]))
    def sends_media(self, kind: Any) -> None:
        self.person(MediaSent(kind, "p1"))

    @rule(message=st.integers(0, 30), kind=st.sampled_from(sorted(TYPED)), data=st.data())
    def edits(self, message: int, kind: str, data: st.DataObject) -> None:
        before = self.session.draft
        self.person(MessageEdited(f"m{message}", data.draw(TYPED[kind], label=kind)))
        if before and self.session.draft:
            assert set(before.answers) <= set(self.session.draft.answers)
        if before and before.sending and self.session.draft:
            assert self.session.draft == replace(before, typed=self.session.draft.typed), "handed off: refused"

    # --- what happens meanwhile

    @rule(minutes=st.sampled_from([1, 14, 16]))
    def minutes_pass(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(days=st.sampled_from([1, 3, 40]))
    def days_pass(self, days: int) -> None:
        self.now += timedelta(days=days)

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

    @rule(what=st.sampled_from(sorted(AGENTS)), agent=st.sampled_from(("rina", "budi")), late=st.booleans(), data=st.data())
    def an_agent_acts(self, what: str, agent: str, *, late: bool, data: st.DataObject) -> None:
        """What is done under a version that is no longer so comes to nothing; but what its owner says is said."""
        seen, before = self.session.ownership - late, self.session
        owner = before.desk is not None and before.desk.owner == "human" and before.desk.agent == agent
        self.kinds[what] += 1
        event = AGENTS[what](agent, seen, data)
        effects = self.happens(event)
        if late and not (owner and isinstance(event, AgentSaid)):
            assert effects == ()
            assert self.session == before
        if isinstance(event, AgentSaid) and (owner or not late):
            assert [effect.text for effect in effects if isinstance(effect, Say)] == [event.text]
            assert self.session.desk is not None
            assert self.session.desk.agent == agent

    @precondition(lambda self: held(self.session))
    @rule()
    def the_desk_s_patience_may_end(self) -> None:
        """In the queue, and with an agent who has fallen silent; before its time nothing happens."""
        before = self.session
        self.happens(TimerFired(DESK_TIMER))
        assert before.desk is not None
        if before.desk.until is not None and self.now < before.desk.until:
            assert self.session == before

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
        if before.draft is not None and after.draft is not None and (before.desk is None or held(before)):
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
    def nothing_waits_to_be_asked_about_behind_a_summary(self) -> None:
        draft = self.session.draft
        if draft and draft.more:
            assert draft.doubt or draft.editing

    @invariant()
    def one_registration_for_each_hand_off(self) -> None:
        handoffs = [registration.handoff for registration in self.session.registrations]
        assert len(handoffs) == len(set(handoffs))

    @invariant()
    def a_complete_form_has_a_hand_off_id(self) -> None:
        draft = self.session.draft
        if draft and first_unmet(draft) is None:
            assert draft.handoff


class InEnglish(AnySequence):
    language = "en"


@pytest.mark.hypothesis
@pytest.mark.parametrize("chat", [AnySequence, InEnglish], ids=["id", "en"])
def test_no_sequence_of_ten_thousand_steps_ends_in_a_dead_end_or_loses_an_answer(chat: type[AnySequence]) -> None:
    chat.taken = 0
    run_state_machine_as_test(
        chat,
        settings=settings(
            max_examples=STEPS_EACH // STEPS_A_CHAT * 3 // 2,
            stateful_step_count=STEPS_A_CHAT,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert chat.taken >= STEPS_EACH
    assert len(chat.kinds) >= KINDS, sorted(chat.kinds)
