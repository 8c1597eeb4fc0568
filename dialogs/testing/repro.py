"""A conversation that somebody had, as a transcript that plays it again: for a bug report, with nobody's data in it.

Lives here: turning the events of a conversation into the lines of a transcript. Must not live here: exchanging what was typed
(`dialogs/testing/invented.py`) or keeping the events (whoever had the conversation: `akses/simulator.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never

from dialogs.clock import local_date
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
    CommandSent,
    ContactShared,
    CorrectionProposed,
    Event,
    FormBrought,
    FormWritten,
    LinkDead,
    LinkMade,
    LinkOpened,
    MediaSent,
    MessageEdited,
    Started,
    TextSent,
    TimerFired,
)
from dialogs.fields import BY_ID
from dialogs.moves import PREFIX, is_link
from dialogs.profile import Profile
from dialogs.registration import open_question
from dialogs.steps.proof import DIGITS as PROOF_DIGITS
from dialogs.testing.conversation import NOON, PROFILE, Conversation, NothingLikeThat
from dialogs.testing.invented import Invention
from dialogs.testing.play import does
from dialogs.testing.transcript import Transcript
from dialogs.texts import Language

# Shorter pauses change nothing that is worth a line.
_PAUSE_SECONDS: Final = 30
# Longer ones are told to the minute.
_FINE_SECONDS: Final = 90


@dataclass(frozen=True, slots=True)
class Moment:
    """One event as it happened: when (UTC), at which step, and for a press whether its screen was the current one."""

    at: datetime
    event: Event
    step: str
    fresh: bool = True


class _Again:
    """Plays the moments once more, with invented people."""

    def __init__(self, language: Language, profile: Profile) -> None:
        self.chat = Conversation(language=language, profile=profile)
        self.invention = Invention(local_date(NOON))
        self.messages: dict[str, str] = {}
        self.registrations: dict[str, str] = {}
        self.strayed: list[str] = []

    def moment(self, moment: Moment) -> None:
        chat = self.chat
        if chat.session.serial and chat.step != moment.step and not self.strayed:
            self.strayed.append(
                f"From the line after {len(chat.screens)} screens on it stands at {chat.step}; it stood at {moment.step}."
            )
        try:
            self._play(moment)
        except NothingLikeThat:
            # Beside the way, the backend may answer what was never asked here.
            self.strayed.append(
                f"After {len(chat.screens)} screens nothing answers to {type(moment.event).__name__}; it is left out."
            )

    def _play(self, moment: Moment) -> None:
        chat = self.chat
        match moment.event:
            case Started(payload):
                # A link that takes a form along is nobody's to read.
                chat.starts(f"{PREFIX}k1" if is_link(payload) else payload)
            case CommandSent(command, argument):
                chat.says(f"/{command} {argument}".strip())
            case TextSent(text, message):
                labels = frozenset(label.casefold() for label in chat.buttons)
                proof = self._proof(text) if chat.step == "proof" else None
                chat.says(proof or self.invention.of(text, self._asked(), labels))
                self.messages[message] = f"m{chat.messages}"
            case ButtonPressed() as press:
                self._press(press, fresh=moment.fresh)
            case ContactShared(phone, own):
                chat.shares_contact(self.invention.of(phone, "phone"), own=own)
            case MediaSent(kind):
                chat.sends(kind)
            case MessageEdited(message, text):
                chat.edits(self.messages.get(message, "m0"), self.invention.of(text, self._answered(message)))
            case TimerFired(timer):
                if timer in chat.timers:
                    chat.passes(**_in_words(math.ceil((chat.timers[timer] - chat.now).total_seconds())))
            case AgentTookOver():
                chat.agent_takes_over()
            case AgentReturned():
                chat.agent_returns()
            case AgentSaid():
                chat.agent_says("...")
            case AgentReleased():
                chat.agent_releases()
            case AgentTransferred():
                chat.agent_transfers("Dewi")
            case AgentClosed(_, _, label):
                chat.agent_closes(label)
            case CorrectionProposed(_, _, field, value):
                chat.agent_proposes(field, self.invention.of(value, field))
            case FormBrought() as form:
                self._brought(form)
            case LinkMade():
                # Not with the link that it was: whoever has it has the form.
                does(chat, "(the link is made)")
            case LinkOpened(_, _, place):
                does(chat, f"(the link is opened in {place})")
            case LinkDead(why):
                does(chat, f"(the link is {why})")
            case FormWritten():
                chat.happens(moment.event)
            case BackendAccepted(_, registration):
                self.registrations.setdefault(registration, f"reg_{len(self.registrations) + 1}")
                chat.accepted()
            case BackendDone():
                chat.done()
            case BackendRejected(_, code, retry_after):
                chat.rejected(code, retry_after)
            case BackendUnavailable(_, final):
                chat.unavailable(final=final)
            case ActivationChanged(registration, status):
                chat.becomes(status, self.registrations.setdefault(registration, f"reg_{len(self.registrations) + 1}"))
            case _:
                assert_never(moment.event)

    def _press(self, press: ButtonPressed, *, fresh: bool) -> None:
        chat = self.chat
        for screen in [chat.screen] if fresh and chat.screen else reversed(chat.screens[:-1]):
            for action in screen.actions:
                if action.id == press.action:
                    (chat.presses if fresh else chat.presses_earlier)(action.id)
                    return
        does(chat, "(presses a button that is not there)")

    def _brought(self, form: FormBrought) -> None:
        parts = [f"kind {form.kind}"] if form.kind else []
        parts += [f"{field} {self.invention.of(value, field)}" for field, value in form.answers.items()]
        parts += [f"{field} {self.invention.of(value, field)}?" for field, value in form.typed.items()]
        does(self.chat, f"(the form comes from {'the agent Rina' if form.name else form.place}: {', '.join(parts)})")

    def _asked(self) -> str | None:
        """The field that is asked for; None where another question is open, or none."""
        session = self.chat.session
        asked = open_question(session.draft) if session.draft else "email" if session.email_change else None
        return asked if asked in BY_ID else None

    def _proof(self, text: str) -> str | None:
        """The last digits of an invented number, where these were the last of the one that it stands for; else others, if any."""
        digits = "".join(filter(str.isdecimal, text))[-PROOF_DIGITS:]
        if len(digits) < PROOF_DIGITS:
            return None
        right = (invented[-PROOF_DIGITS:] for typed, invented in self.invention.known.items() if typed.endswith(digits))
        return next(right, "0" * PROOF_DIGITS)

    def _answered(self, message: str) -> str | None:
        """The field that this message answered."""
        draft, known = self.chat.session.draft, self.messages.get(message)
        found = (id_ for id_, answer in draft.answers.items() if answer.message == known) if draft else iter(())
        return next(found, None)


def retold(
    moments: Iterable[Moment], *, language: Language = "id", profile: Profile = PROFILE, title: str = "A conversation"
) -> str:
    """The transcript of what happened, from the beginning, to be played by `played`; nothing that anybody typed is in it.

    Where it cannot go the way that it went, its head says so.
    """
    again = _Again(language, profile)
    last: datetime | None = None
    for moment in moments:
        if last is not None and not isinstance(moment.event, TimerFired):
            paused = (moment.at - last).total_seconds()
            if paused >= _PAUSE_SECONDS:
                again.chat.passes(**_in_words(round(paused) if paused < _FINE_SECONDS else 60 * round(paused / 60)))
        last = moment.at
        again.moment(moment)
    helpdesk = ("Helpdesk: yes",) if profile.office else ()
    head = "\n\n".join(("# " + title, *again.strayed, f"Language: {language}", *helpdesk))
    return Transcript(head).text + "\n" + again.chat.transcript.text


def _in_words(seconds: int) -> dict[str, float]:
    """A time in the largest units that it fills."""
    parts = {"days": seconds // 86400, "hours": seconds // 3600 % 24, "minutes": seconds // 60 % 60, "seconds": seconds % 60}
    return {unit: amount for unit, amount in parts.items() if amount} or {"seconds": 0}
