"""A conversation on paper: Markdown that reads like a play.

A line that begins with `>` is what the person did, or what happened meanwhile: words as typed, a button in brackets, anything else in
parentheses. What follows is what came back, bubble by bubble (`---` between two), each with its buttons in brackets below it.

Lives here: writing down. Must not live here: carrying out (`dialogs/testing/conversation.py`) or reading back (`dialogs/testing/play.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import assert_never

from dialogs.clock import WIB
from dialogs.effects import (
    BringForm,
    CancelTimer,
    ChangeEmail,
    DeleteUserMessages,
    DeskChanged,
    Effect,
    MakeLink,
    OpenTicket,
    Record,
    RedeemLink,
    Redraw,
    Relay,
    ResendActivation,
    Say,
    SetTimer,
    Show,
    SubmitRegistration,
    WithdrawRegistration,
)
from dialogs.screens import Screen


def button(label: str, url: str = "") -> str:
    return f"[{label}]({url})" if url else f"[{label}]"


class Transcript:
    """Grows as the conversation goes on. `replacing` names what differs from run to run, as patterns: {r"pukul [0-9.]+": "pukul (jam)"}."""

    def __init__(self, head: str = "", replacing: Mapping[str, str] | None = None) -> None:
        self._blocks = [head.strip()] if head.strip() else []
        self._answered = True
        self._moment = ""
        self._replacing = replacing or {}

    def did(self, what: str) -> None:
        """The person typed or pressed something."""
        self._moment = ""
        self._blocks.append("\n".join(f"> {line}".rstrip() for line in what.split("\n")))
        self._answered = False

    def bubble(self, text: str, buttons: Iterable[str] = ()) -> None:
        """Something came back."""
        if self._moment:
            self._blocks.append(self._moment)
        elif self._answered:
            self._blocks.append("---")
        self._moment, self._answered = "", True
        self._blocks.append(text)
        if row := " ".join(buttons):
            self._blocks.append(row)

    def meanwhile(self, moment: datetime) -> None:
        """Time has come this far by itself; told only where something comes of it."""
        self._moment = f"*{moment.astimezone(WIB):%A %H:%M} WIB*"

    def heading(self, title: str, words: str = "") -> None:
        """The scene changes."""
        self._blocks += [f"## {title}", words] if words else [f"## {title}"]
        self._answered = False

    def effect(self, effect: Effect) -> None:
        """What a turn brought, as it meets the eye of whom it concerns; what concerns only machines is left out."""
        match effect:
            case Show(screen):
                self.bubble(body(screen), (button(each.label, each.url) for each in screen.actions))
            case Say(text, _, "agent", name):
                self.bubble(f"{name}: {text}")
            case Say(text):
                self.bubble(text)
            case Redraw(_, screen):
                self.bubble(f"(An earlier message becomes:)\n\n{body(screen)}")
            case DeleteUserMessages(messages):
                self.bubble(f"(Disappear from the chat where it can be: the person's messages {', '.join(messages)}.)")
            case SubmitRegistration():
                self.bubble(f"(To the backend: registration {effect.handoff}, {effect.full_name}, {effect.email}.)")
            case ResendActivation():
                self.bubble(f"(To the backend: send the link again, request {effect.request}.)")
            case ChangeEmail():
                self.bubble(f"(To the backend: new address {effect.email}, request {effect.request}.)")
            case WithdrawRegistration():
                self.bubble(f"(To the backend: withdraw and erase {effect.registration}, request {effect.request}.)")
            case OpenTicket(reason, step, ticket):
                told = f"ticket {ticket}, {reason}, at {step}" if ticket else "a person asks for an agent"
                self.bubble(f"(To the helpdesk: {told}.)")
            case Relay(_, "person", kind, text, _, _, detail):
                self.bubble(f"(To the helpdesk, from the person: {' '.join(filter(None, (kind, detail, text)))})")
            case DeskChanged(_, what, ownership, _, _, name, detail):
                facts = (what, detail, f"by {name}" if name else "", f"ownership {ownership}")
                self.bubble(f"(To the helpdesk: {', '.join(filter(None, facts))}.)")
            case BringForm():
                self.bubble(
                    "(To the other chat: the form.)" if effect.kind or effect.answers else "(To the other chat: no form.)"
                )
            case SetTimer() | CancelTimer() | MakeLink() | RedeemLink() | Record() | Relay():
                pass
            case _:
                assert_never(effect)

    @property
    def text(self) -> str:
        text = "\n\n".join(self._blocks) + "\n"
        for varying, fixed in self._replacing.items():
            text = re.sub(varying, fixed, text)
        return text

    @property
    def end(self) -> str:
        """The last act: what was done last, and all that came of it."""
        last = max((at for at, block in enumerate(self._blocks) if block.startswith("> ")), default=0)
        return "\n\n".join(self._blocks[last:])


def body(screen: Screen) -> str:
    """A screen's words, with the progress where it has one."""
    step = f"{screen.progress[0]}/{screen.progress[1]} \N{MIDDLE DOT} " if screen.progress else ""
    return "\n\n".join(filter(None, (screen.notice, step + screen.text)))
