"""Conversations as documentation: each file of `tests/transcripts/dialog/` is played, and must read as it did.

A file begins with its title, what it shows, its language, and what was done before (`Before:`, played but not written down).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import assert_never, get_args

import pytest

from dialogs.effects import (
    CancelTimer,
    ChangeEmail,
    DeleteUserMessages,
    Effect,
    OpenTicket,
    Record,
    Redraw,
    ResendActivation,
    Say,
    SetTimer,
    Show,
    SubmitRegistration,
)
from dialogs.events import (
    ActivationStatus,
    BackendAccepted,
    BackendDone,
    BackendRejected,
    BackendUnavailable,
    ButtonPressed,
    ContactShared,
    MediaKind,
    MediaSent,
    MessageEdited,
    RefusalCode,
)
from dialogs.fields import BY_ID as FIELDS
from dialogs.screens import Screen
from dialogs.testing import Conversation
from dialogs.texts import LANGUAGES
from tests.transcripts import DIALOG, Transcript, button, compare

FILES = sorted(DIALOG.glob("*.md"))


class Play:
    """One file: its `>` lines are carried out on a conversation, and everything is written down anew."""

    def __init__(self, head: str) -> None:
        language = next(known for known in LANGUAGES if f"Language: {known}" in head)
        self.chat = Conversation(language=language)
        self.transcript = Transcript(head)
        self._registrations = 0
        self._carrier: list[tuple[Screen, str]] = []  # every screen shown, and the message that carries it
        self._asked: ResendActivation | ChangeEmail | None = None
        if before := re.search(r"^Before: (.+)$", head, re.MULTILINE):
            for written in before[1].split(" | "):
                for effect in self._do(written):
                    self._notice(effect)

    def line(self, written: str) -> None:
        self.transcript.did(written)
        for effect in self._do(written):
            self._notice(effect)
            self._write(effect)

    def _notice(self, effect: Effect) -> None:
        match effect:
            case Show(screen):
                self._carrier.append((screen, f"bot{len(self._carrier)}"))
            case ResendActivation() | ChangeEmail():
                self._asked = effect
            case _:
                pass

    def _do(self, written: str) -> tuple[Effect, ...]:
        chat = self.chat
        if label := re.fullmatch(r"\[(.+)\]", written):
            return chat.presses(label[1], message=self._carrier[-1][1])
        if not written.startswith("("):
            return chat.says(written)
        match written.strip("()").split(" "):
            case ["opens", "the", "chat"]:
                return chat.starts()
            case [number, "minutes" | "seconds" | "hours" as unit, "pass"]:
                chat.passes(**{unit: float(number)})
                return ()
            case ["the", "backend", "takes", "the", "registration"]:
                return self._taken()
            case ["the", "backend", "takes", "the", "request"]:
                moved = self._asked.email if isinstance(self._asked, ChangeEmail) else ""
                return chat.happens(BackendDone(self._request(), FIELDS["email"].mask(moved) if moved else ""))
            case ["the", "backend", "cannot", "be", "reached", *more]:
                return chat.happens(BackendUnavailable(self._request(), final=more == ["any", "more"]))
            case ["the", "backend", "refuses:", code, *seconds]:
                known: RefusalCode = next(each for each in get_args(RefusalCode) if each == code)
                return chat.happens(BackendRejected(self._request(), known, int(seconds[0]) if seconds else 0))
            case ["the", "backend", "tells:", status, *number]:
                told: ActivationStatus = next(each for each in get_args(ActivationStatus) if each == status)
                return chat.becomes(told, f"reg_{number[0] if number else self._registrations}")
            case ["presses", *label, "of", "an", "earlier", "question"]:
                return self._press_earlier(" ".join(label).strip("[]"))
            case ["presses", *label, "twice"]:
                chat.presses(" ".join(label).strip("[]"), message=self._carrier[-1][1])
                first = chat.effects
                again = chat.happens(ButtonPressed(*chat.session.pressed.split(":", 1)))
                return (*first, *again)
            case ["sends", "a", kind]:
                sent: MediaKind = next(each for each in get_args(MediaKind) if each == kind)
                return chat.happens(MediaSent(sent))
            case ["shares", "the", "contact", "of", whose, number]:
                return chat.happens(ContactShared(number, own=whose == "oneself", message="shared"))
            case ["edits", message, "to:", *text]:
                return chat.happens(MessageEdited(message, " ".join(text)))
            case _:
                raise AssertionError(f"nobody knows how to play this line: {written!r}")

    def _taken(self) -> tuple[Effect, ...]:
        self._registrations += 1
        draft = self.chat.session.draft
        assert draft is not None, "nothing has been handed off"
        masked = FIELDS["email"].mask(draft.answers["email"].value)
        return self.chat.happens(BackendAccepted(draft.handoff, f"reg_{self._registrations}", masked))

    def _request(self) -> str:
        """The key of what was last asked of the backend."""
        draft = self.chat.session.draft
        if draft is not None and draft.sending:
            return draft.handoff
        assert self._asked is not None, "nothing has been asked of the backend"
        return self._asked.request

    def _press_earlier(self, label: str) -> tuple[Effect, ...]:
        current = self.chat.screen
        for screen, _ in reversed(self._carrier):
            for action in screen.actions:
                if action.label == label and current is not None and screen.token != current.token:
                    return self.chat.happens(ButtonPressed(screen.token, action.id))
        raise AssertionError(f"no earlier question had a button {label!r}")

    def _write(self, effect: Effect) -> None:
        write = self.transcript
        match effect:
            case Show(screen):
                write.bubble(body(screen), (button(each.label, each.url) for each in screen.actions))
            case Say(text):
                write.bubble(text)
            case Redraw(_, screen):
                write.bubble(f"(An earlier message becomes:)\n\n{body(screen)}")
            case DeleteUserMessages(messages):
                write.bubble(f"(Disappear from the chat where it can be: the person's messages {', '.join(messages)}.)")
            case SubmitRegistration():
                write.bubble(f"(To the backend: registration {effect.handoff}, {effect.full_name}, {effect.email}.)")
            case ResendActivation():
                write.bubble(f"(To the backend: send the link again, request {effect.request}.)")
            case ChangeEmail():
                write.bubble(f"(To the backend: new address {effect.email}, request {effect.request}.)")
            case OpenTicket():
                write.bubble("(To the helpdesk: a person asks for an agent.)")
            case SetTimer() | CancelTimer() | Record():
                pass
            case _:
                assert_never(effect)


def body(screen: Screen) -> str:
    step = f"{screen.progress[0]}/{screen.progress[1]} \N{MIDDLE DOT} " if screen.progress else ""
    return "\n\n".join(filter(None, (screen.notice, step + screen.text)))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_the_conversation_reads_as_it_is_written_down(path: Path) -> None:
    written = path.read_text("utf-8")
    head, *rest = re.split(r"^(?=> )", written, flags=re.MULTILINE)
    play = Play(head)
    for part in rest:
        play.line(part.partition("\n")[0].removeprefix("> "))
    compare(path, play.transcript.text)


def test_there_are_conversations_to_play() -> None:
    assert len(FILES) >= 15
