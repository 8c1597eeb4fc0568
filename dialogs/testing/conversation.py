"""One person's chat with the dialog, to test with: do something, look at what came back.

Lives here: driving `step` with a clock that stands still until it is moved, answering in the backend's stead, and the expectations of a
test. Must not live here: Markdown (`dialogs/testing/transcript.py`, `dialogs/testing/play.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from dialogs.effects import (
    CancelTimer,
    ChangeEmail,
    Effect,
    Request,
    ResendActivation,
    Say,
    SetTimer,
    Show,
    SubmitRegistration,
    WithdrawRegistration,
)
from dialogs.events import (
    ActivationChanged,
    ActivationStatus,
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
    CommandSent,
    ContactShared,
    CorrectionProposed,
    Event,
    MediaKind,
    MediaSent,
    MessageEdited,
    RefusalCode,
    Started,
    TextSent,
    TimerFired,
)
from dialogs.fields import BY_ID as FIELDS
from dialogs.machine import step
from dialogs.profile import Profile
from dialogs.registration import step_id
from dialogs.screens import Action, Screen
from dialogs.session import Session
from dialogs.testing.transcript import Transcript
from dialogs.texts import Language

PROFILE = Profile(
    operator="PT Contoh Sekuritas", home_url="https://akses.example/", privacy_url="https://akses.example/privasi", demo=True
)
NOON = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)  # 12:00 in Jakarta
SomeEffect = TypeVar("SomeEffect", bound=Effect)


class NothingLikeThat(AssertionError):
    """What was expected did not come back; the text ends with what did."""

    def __init__(self, expected: str, chat: Conversation) -> None:
        super().__init__(f"{expected}; it went:\n\n{chat.transcript.end}")


class NoSuchButton(NothingLikeThat):
    """The screen has no button with this label or id."""


@dataclass
class Conversation:
    """One person's chat. Each method that does something returns the effects, and keeps them in `effects` until the next.

    `now` is the moment (UTC) that the dialog is told; it moves by `passes` alone. Our messages bear the ids bot1, bot2, ..., the
    person's m1, m2, ... `transcript` is the conversation on paper.
    """

    language: Language = "id"
    channel: str = "web"
    profile: Profile = PROFILE
    now: datetime = NOON
    transcript: Transcript = field(default_factory=Transcript)
    session: Session = field(init=False)
    effects: tuple[Effect, ...] = ()
    requests: list[Request] = field(default_factory=list)
    timers: dict[str, datetime] = field(default_factory=dict)
    screens: list[Screen] = field(default_factory=list)
    messages: int = 0

    def __post_init__(self) -> None:
        self.session = Session(id="S3ss10n", channel=self.channel, language=self.language)

    @classmethod
    def of(cls, session: Session, now: datetime = NOON) -> Conversation:
        """A conversation that goes on from here, as after a deploy; nothing of it has been shown yet."""
        chat = cls(session.language, session.channel, now=now)
        chat.session = session
        return chat

    # --- what the person does

    def starts(self, payload: str = "") -> tuple[Effect, ...]:
        self.transcript.did(f"(opens the chat{f' by the link {payload}' if payload else ''})")
        return self.happens(Started(payload))

    def says(self, text: str) -> tuple[Effect, ...]:
        """A text message, or a command when it begins with a slash."""
        self.messages += 1
        self.transcript.did(f"\\{text}" if text.startswith(("(", "[", "\\")) else text)
        if text.startswith("/"):
            command, _, argument = text[1:].partition(" ")
            return self.happens(CommandSent(command.lower(), argument))
        return self.happens(TextSent(text, f"m{self.messages}"))

    def presses(self, label: str, *, message: str | None = None) -> tuple[Effect, ...]:
        """A button of the screen in force, by its label or its action id. Raises NoSuchButton.

        `message` is the channel's id of the message that carries it: "" for a channel that does not tell.
        """
        event = self._press(label, message)
        self.transcript.did(f"[{self._label(event)}]")
        return self.happens(event)

    def presses_twice(self, label: str) -> tuple[Effect, ...]:
        """A double tap: the same press comes two times. Returns what both brought. Raises NoSuchButton."""
        event = self._press(label, None)
        self.transcript.did(f"(presses [{self._label(event)}] twice)")
        self.effects = (*self.happens(event), *self.happens(event))
        return self.effects

    def presses_earlier(self, label: str) -> tuple[Effect, ...]:
        """The newest button of this label that is no longer on the current screen. Raises NoSuchButton."""
        for number, screen in reversed(list(enumerate(self.screens, 1))):
            for action in screen.actions if screen.token != self.screens[-1].token else ():
                if label in (action.label, action.id):
                    self.transcript.did(f"(presses [{action.label}] of an earlier question)")
                    return self.happens(ButtonPressed(screen.token, action.id, self._carrier(number)))
        raise NoSuchButton(f"no earlier question had a button {label!r}", self)

    def shares_contact(self, number: str, *, own: bool = True) -> tuple[Effect, ...]:
        self.transcript.did(f"(shares the contact of {'oneself' if own else 'another'} {number})")
        return self.happens(ContactShared(number, own=own, message="shared"))

    def sends(self, kind: MediaKind) -> tuple[Effect, ...]:
        """Something that is no text: a photo, a voice note..."""
        self.transcript.did(f"(sends a {kind})")
        return self.happens(MediaSent(kind))

    def edits(self, message: str, text: str) -> tuple[Effect, ...]:
        """Edit an earlier message: m1 is the first that was said."""
        self.transcript.did(f"(edits {message} to: {text})")
        return self.happens(MessageEdited(message, text))

    # --- what happens meanwhile

    def passes(self, **time: float) -> tuple[Effect, ...]:
        """Move the clock, e.g. by minutes=15; timers that come due on the way fire, each at its moment."""
        passed = " and ".join(f"{amount:g} {unit.removesuffix('s') if amount == 1 else unit}" for unit, amount in time.items())
        self.transcript.did(f"({passed} {'passes' if set(time.values()) == {1} else 'pass'})")
        until, brought = self.now + timedelta(**time), list[Effect]()
        while due := [timer for timer, at in self.timers.items() if at <= until]:
            timer = min(due, key=self.timers.__getitem__)
            self.now = max(self.now, self.timers.pop(timer))
            self.transcript.meanwhile(self.now)
            brought += self.happens(TimerFired(timer))
        self.now, self.effects = until, tuple(brought)
        return self.effects

    def accepted(self, registration: str = "") -> tuple[Effect, ...]:
        """The backend takes the hand-off that was sent last; its id there is reg_1, reg_2, ... unless it is told."""
        submission = next((each for each in reversed(self.requests) if isinstance(each, SubmitRegistration)), None)
        if submission is None:
            raise NothingLikeThat("nothing has been handed off", self)
        self.transcript.did(f"(the backend takes the registration{f' as {registration}' if registration else ''})")
        known = registration or f"reg_{len(self.session.registrations) + 1}"
        return self.happens(BackendAccepted(submission.handoff, known, FIELDS["email"].mask(submission.email)))

    def done(self) -> tuple[Effect, ...]:
        """The backend has carried out the resend or the change of e-mail that was asked for last."""
        asked = self._asked()
        self.transcript.did("(the backend takes the request)")
        moved = FIELDS["email"].mask(asked.email) if isinstance(asked, ChangeEmail) else ""
        return self.happens(BackendDone(key_of(asked), moved))

    def unavailable(self, *, final: bool = False) -> tuple[Effect, ...]:
        """What was asked last cannot be told to the backend; `final` when delivery gives up."""
        asked = self._asked()
        self.transcript.did(f"(the backend cannot be reached{' any more' if final else ''})")
        return self.happens(BackendUnavailable(key_of(asked), final=final))

    def rejected(self, code: RefusalCode, retry_after: int = 0) -> tuple[Effect, ...]:
        """The backend refuses what was asked last; `retry_after` in seconds."""
        asked = self._asked()
        self.transcript.did(f"(the backend refuses: {code}{f' {retry_after}' if retry_after else ''})")
        return self.happens(BackendRejected(key_of(asked), code, retry_after))

    def becomes(self, status: ActivationStatus, registration: str = "") -> tuple[Effect, ...]:
        """The backend tells of a registration; without its id, of the newest."""
        self.transcript.did(f"(the backend tells: {' '.join(filter(None, (status, registration.removeprefix('reg_'))))})")
        newest = self.session.registrations[-1].id if self.session.registrations else "reg_1"
        return self.happens(ActivationChanged(registration or newest, status, self.now))

    # --- what an agent of the helpdesk does, who sees how things are; `as_of` is an earlier version of the ownership

    def agent_takes_over(self, name: str = "Rina", *, as_of: int | None = None) -> tuple[Effect, ...]:
        self.transcript.did(f"({name} of the helpdesk takes over)")
        return self.happens(AgentTookOver(name.lower(), name, self._seen(as_of)))

    def agent_says(self, text: str, name: str = "Rina", *, as_of: int | None = None) -> tuple[Effect, ...]:
        self.transcript.did(f"({name} of the helpdesk says: {text})")
        self.messages += 1
        return self.happens(AgentSaid(name.lower(), name, self._seen(as_of), text, f"r{self.messages}"))

    def agent_returns(self, *, as_of: int | None = None) -> tuple[Effect, ...]:
        self.transcript.did("(the agent gives the conversation back)")
        return self.happens(AgentReturned(self._agent, self._seen(as_of)))

    def agent_releases(self) -> tuple[Effect, ...]:
        self.transcript.did("(the agent puts the conversation back into the queue)")
        return self.happens(AgentReleased(self._agent, self._seen(None)))

    def agent_transfers(self, name: str) -> tuple[Effect, ...]:
        self.transcript.did(f"(the agent passes the conversation on to {name})")
        return self.happens(AgentTransferred(self._agent, name.lower(), name, self._seen(None)))

    def agent_closes(self, label: str = "") -> tuple[Effect, ...]:
        self.transcript.did(f"(the agent closes the conversation{f' as {label}' if label else ''})")
        return self.happens(AgentClosed(self._agent, self._seen(None), label))

    def agent_proposes(self, field: str, value: str) -> tuple[Effect, ...]:
        self.transcript.did(f"(the agent proposes {field}: {value})")
        return self.happens(CorrectionProposed(self._agent, self._seen(None), field, value))

    @property
    def _agent(self) -> str:
        return self.session.desk.agent if self.session.desk else ""

    def _seen(self, as_of: int | None) -> int:
        return self.session.ownership if as_of is None else as_of

    def happens(self, event: Event) -> tuple[Effect, ...]:
        """Any event, for what has no method of its own."""
        turn = step(self.session, event, self.now, self.profile)
        self.session, self.effects = turn.session, turn.effects
        for effect in turn.effects:
            self.transcript.effect(effect)
            match effect:
                case Show(screen):
                    self.screens.append(screen)
                case SubmitRegistration() | ResendActivation() | ChangeEmail() | WithdrawRegistration():
                    self.requests.append(effect)
                case SetTimer(timer, at):
                    self.timers[timer] = at
                case CancelTimer(timer):
                    self.timers.pop(timer, None)
                case _:
                    pass
        return turn.effects

    # --- what came of it

    @property
    def screen(self) -> Screen | None:
        """The screen in force: the newest shown."""
        return self.screens[-1] if self.screens else None

    @property
    def buttons(self) -> list[str]:
        return [action.label for action in self.screen.actions] if self.screen else []

    @property
    def said(self) -> str:
        """Everything that the last event brought to the person's eyes, as one text."""
        shown = [
            effect.screen.body if isinstance(effect, Show) else effect.text
            for effect in self.effects
            if isinstance(effect, Show | Say)
        ]
        return "\n\n".join(shown)

    @property
    def step(self) -> str:
        """Where the person stands: the id of the current step (`dialogs.machine.STEPS`)."""
        return step_id(self.session)

    def reads(self, *words: str) -> None:
        """The person reads all of these words after the last event. Raises NothingLikeThat."""
        for each in words:
            if each not in self.said:
                raise NothingLikeThat(f"{each!r} was not said", self)

    def stands_at(self, step: str) -> None:
        """The person stands at this step. Raises NothingLikeThat."""
        if self.step != step:
            raise NothingLikeThat(f"the person stands at {self.step!r}, not at {step!r}", self)

    def offers(self, *labels: str) -> None:
        """The current screen has these buttons, whatever others. Raises NoSuchButton."""
        for label in labels:
            if label not in self.buttons:
                raise NoSuchButton(f"{label!r} is none of {self.buttons}", self)

    def brought(self, kind: type[SomeEffect]) -> SomeEffect:
        """The one effect of this kind that the last event had: `chat.brought(SubmitRegistration).email`. Raises NothingLikeThat."""
        found = [effect for effect in self.effects if isinstance(effect, kind)]
        if len(found) != 1:
            raise NothingLikeThat(f"one {kind.__name__} was expected, there are {len(found)}", self)
        return found[0]

    def _press(self, label: str, message: str | None) -> ButtonPressed:
        if self.screen is None:
            raise NoSuchButton("nothing has been shown yet", self)
        for number, screen, action in self._in_force():
            if label in (action.label, action.id):
                carrier = self._carrier(number) if message is None else message
                return ButtonPressed(screen.token, action.id, carrier)
        raise NoSuchButton(f"{label!r} is none of {self.buttons}", self)

    def _label(self, event: ButtonPressed) -> str:
        return next(action.label for _, _, action in self._in_force() if action.id == event.action)

    def _in_force(self) -> Iterator[tuple[int, Screen, Action]]:
        """Every button that may be pressed, with its screen and the screen's number, newest first.

        A reminder bears the token of the screen that it reminds of: the buttons of both are in force.
        """
        for number, screen in reversed(list(enumerate(self.screens, 1))):
            if screen.token == self.screens[-1].token:
                yield from ((number, screen, action) for action in screen.actions)

    def _asked(self) -> Request:
        if not self.requests:
            raise NothingLikeThat("nothing has been asked of the backend", self)
        return self.requests[-1]

    @staticmethod
    def _carrier(number: int) -> str:
        return f"bot{number}"


def key_of(request: Request) -> str:
    """The Idempotency-Key of a request, by which the backend's answer names it."""
    return request.handoff if isinstance(request, SubmitRegistration) else request.request
