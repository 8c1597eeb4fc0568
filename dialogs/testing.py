"""A conversation to test with: say something, press a button, look at what came back. Public; brokers test their texts with it.

Lives here: driving `step` with a clock that stands still until it is moved, and writing the conversation down as a transcript. Must not
live here: channels, stores, HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from dialogs.effects import DeleteUserMessages, Effect, Redraw, Say, Show, SubmitRegistration
from dialogs.events import (
    ActivationChanged,
    ActivationStatus,
    BackendAccepted,
    ButtonPressed,
    CommandSent,
    Event,
    Started,
    TextSent,
)
from dialogs.fields import BY_ID as FIELDS
from dialogs.machine import step
from dialogs.profile import Profile
from dialogs.screens import Screen
from dialogs.session import Session
from dialogs.texts import Language

PROFILE = Profile(
    operator="PT Contoh Sekuritas", home_url="https://akses.example/", privacy_url="https://akses.example/privasi", demo=True
)
NOON = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)


class NoSuchButton(AssertionError):
    """The current screen has no button with this label or id."""


@dataclass
class Conversation:
    """One person's chat. `lines` is the transcript as it would be read: what the person did, and what came back."""

    language: Language = "id"
    channel: str = "web"
    profile: Profile = PROFILE
    now: datetime = NOON
    session: Session = field(init=False)
    effects: tuple[Effect, ...] = ()
    lines: list[str] = field(default_factory=list)
    screen: Screen | None = None
    messages: int = 0

    def __post_init__(self) -> None:
        self.session = Session(id="S3ss10n", channel=self.channel, language=self.language)

    def happens(self, event: Event) -> tuple[Effect, ...]:
        """Carry out any event; the effects are returned and kept."""
        turn = step(self.session, event, self.now, self.profile)
        self.session, self.effects = turn.session, turn.effects
        for effect in turn.effects:
            self._note(effect)
        return turn.effects

    def starts(self, payload: str = "") -> tuple[Effect, ...]:
        self.lines.append("> (membuka percakapan)")
        return self.happens(Started(payload))

    def says(self, text: str) -> tuple[Effect, ...]:
        """A text message, or a command when it begins with a slash."""
        self.messages += 1
        self.lines.append(f"> {text}")
        if text.startswith("/"):
            command, _, argument = text[1:].partition(" ")
            return self.happens(CommandSent(command.lower(), argument))
        return self.happens(TextSent(text, f"m{self.messages}"))

    def presses(self, label: str, *, message: str = "") -> tuple[Effect, ...]:
        """A button of the current screen, by its label or its action id. Raises NoSuchButton."""
        assert self.screen is not None, "nothing has been shown yet"
        for action in self.screen.actions:
            if label in (action.label, action.id):
                self.lines.append(f"> [{action.label}]")
                return self.happens(ButtonPressed(self.screen.token, action.id, message))
        raise NoSuchButton(f"{label!r} is none of {[action.label for action in self.screen.actions]}")

    def passes(self, **time: float) -> None:
        """Move the clock, e.g. by minutes=15."""
        self.now += timedelta(**time)
        self.lines.append(f"> ({', '.join(f'{amount:g} {unit}' for unit, amount in time.items())} kemudian)")

    def accepted(self, registration: str = "reg_1") -> tuple[Effect, ...]:
        """The backend takes the hand-off that was sent last."""
        submission = next(effect for effect in reversed(self.effects) if isinstance(effect, SubmitRegistration))
        return self.happens(BackendAccepted(submission.handoff, registration, FIELDS["email"].mask(submission.email)))

    def becomes(self, status: ActivationStatus, registration: str = "reg_1") -> tuple[Effect, ...]:
        """The backend tells of a registration."""
        self.lines.append(f"> (dari sistem: {status})")
        return self.happens(ActivationChanged(registration, status, self.now))

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
    def buttons(self) -> list[str]:
        return [action.label for action in self.screen.actions] if self.screen else []

    def _note(self, effect: Effect) -> None:
        match effect:
            case Show(screen):
                self.screen = screen
                progress = f" ({screen.progress[0]}/{screen.progress[1]})" if screen.progress else ""
                buttons = "".join(f"\n[{action.label}]" for action in screen.actions)
                self.lines.append(f"{screen.body}{progress}{buttons}")
            case Say(text):
                self.lines.append(text)
            case Redraw(_, screen):
                self.lines.append(f"(ringkasan diubah menjadi)\n{screen.body}")
            case DeleteUserMessages(messages):
                self.lines.append(f"({len(messages)} pesan berisi data pribadi dihapus dari percakapan)")
            case _:
                pass
