"""Playing a conversation from paper: each `>` line of a transcript is carried out, and everything is written down anew.

The head of a transcript is everything before its first `>`. It may say `Language: en`, `Helpdesk: yes` (agents step into the chat, in
their hours) and `Before: ...`, lines joined by ` | ` that are played and not written down. A message of several lines is several `>` lines
without an empty one between them; one that itself begins with a bracket, a parenthesis or a backslash has a backslash before it.

Lives here: what each line means. Must not live here: what it leads to (`dialogs/testing/conversation.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from re import Match
from typing import Any, Final

from dialogs.events import ButtonPressed, FormBrought, LinkDead, LinkMade, LinkOpened
from dialogs.frozen import replace
from dialogs.office import Office
from dialogs.testing.conversation import Conversation
from dialogs.testing.transcript import Transcript
from dialogs.texts import LANGUAGES


class NobodyKnowsHow(ValueError):
    """A line in parentheses has no meaning in the table `STAGE`."""


def _time(written: str) -> dict[str, float]:
    parts = (part.split(" ") for part in written.split(" and "))
    return {unit.removesuffix("s") + "s": float(amount) for amount, unit in parts}


def _registration(written: str | None) -> str:
    """`2` is the second that the backend took here, reg_2; anything else is an id."""
    return f"reg_{written}" if written and written.isdecimal() else written or ""


def _link(chat: Conversation, found: Match[str]) -> object:
    chat.transcript.did(f"({found[0]})")
    addresses = (("telegram", "https://t.me/contoh_bot?start=lanjut-k1"), ("web", "https://akses.example/chat?start=lanjut-k1"))
    return chat.happens(LinkMade("k1", addresses, chat.now + timedelta(minutes=30)))


def _opened(chat: Conversation, found: Match[str]) -> object:
    chat.transcript.did(f"({found[0]})")
    return chat.happens(LinkOpened("k1", f"{found[1]}:elsewhere", found[1]))


def _brought(chat: Conversation, found: Match[str]) -> object:
    """`kind individu_lokal, nik 3171...`; what is only typed, and unusual, has a question mark behind it."""
    chat.transcript.did(f"({found[0]})")
    values = dict(part.split(" ", 1) for part in found[3].split(", "))
    answers = {field: value for field, value in values.items() if field != "kind" and not value.endswith("?")}
    typed = {field: value[:-1] for field, value in values.items() if value.endswith("?")}
    place, name = found[1] or "", found[2] or ""
    return chat.happens(FormBrought(place, name, values.get("kind", ""), answers, typed))


def _dead(chat: Conversation, found: Match[str]) -> object:
    chat.transcript.did(f"({found[0]})")
    return chat.happens(LinkDead("used" if found[1] == "used" else "over"))


def _nowhere(chat: Conversation, found: Match[str]) -> object:
    chat.transcript.did(f"({found[0]})")
    return chat.happens(ButtonPressed("nowhere", "nothing"))


# What can stand in parentheses -> what it does; the first that matches as a whole.
STAGE: Final[tuple[tuple[str, Callable[[Conversation, Any], object]], ...]] = (
    (r"opens the chat(?: by the link (\S+))?", lambda chat, found: chat.starts(found[1] or "")),
    (r"((?:[\d.]+ \w+)(?: and [\d.]+ \w+)*) pass(?:es)?", lambda chat, found: chat.passes(**_time(found[1]))),
    (r"presses \[(.+)\] of an earlier question", lambda chat, found: chat.presses_earlier(found[1])),
    (r"presses \[(.+)\] twice", lambda chat, found: chat.presses_twice(found[1])),
    (r"presses a button that is not there", _nowhere),
    (r"sends a (\w+)", lambda chat, found: chat.sends(found[1])),
    (
        r"shares the contact of (oneself|another) (\S+)",
        lambda chat, found: chat.shares_contact(found[2], own=found[1] == "oneself"),
    ),
    (r"edits (\S+) to: (.*)", lambda chat, found: chat.edits(found[1], found[2])),
    (r"the backend takes the registration(?: as (\S+))?", lambda chat, found: chat.accepted(found[1] or "")),
    (r"the backend takes the request", lambda chat, _: chat.done()),
    (r"the backend cannot be reached( any more)?", lambda chat, found: chat.unavailable(final=bool(found[1]))),
    (r"the backend refuses: (\w+)(?: (\d+))?", lambda chat, found: chat.rejected(found[1], int(found[2] or 0))),
    (r"the backend tells: (\w+)(?: (\S+))?", lambda chat, found: chat.becomes(found[1], _registration(found[2]))),
    (r"(\w+) of the helpdesk takes over", lambda chat, found: chat.agent_takes_over(found[1])),
    (r"(\w+) of the helpdesk says: (.*)", lambda chat, found: chat.agent_says(found[2], found[1])),
    (r"the agent gives the conversation back", lambda chat, _: chat.agent_returns()),
    (r"the agent puts the conversation back into the queue", lambda chat, _: chat.agent_releases()),
    (r"the agent passes the conversation on to (\w+)", lambda chat, found: chat.agent_transfers(found[1])),
    (r"the agent closes the conversation(?: as (.+))?", lambda chat, found: chat.agent_closes(found[1] or "")),
    (r"the agent proposes (\w+): (.*)", lambda chat, found: chat.agent_proposes(found[1], found[2])),
    (r"the link is made", _link),
    (r"the link is opened in (\w+)", _opened),
    (r"the form comes from (?:(\w+)|the agent (.+?)): (.+)", _brought),
    (r"the link is (used|over)", _dead),
)


def does(chat: Conversation, line: str) -> None:
    """Carry out one line of a transcript, written without its `> `. Raises NobodyKnowsHow, and what the conversation raises."""
    if line.startswith("\\"):
        chat.says(line[1:])
    elif line.startswith("[") and line.endswith("]"):
        chat.presses(line[1:-1])
    elif line.startswith("(") and line.endswith(")"):
        for pattern, act in STAGE:
            if found := re.fullmatch(pattern, line[1:-1], re.DOTALL):
                act(chat, found)
                return
        raise NobodyKnowsHow(line)
    else:
        chat.says(line)


def played(markdown: str, chat: Conversation | None = None) -> Conversation:
    """The conversation of a transcript, carried out; its own `transcript.text` equals `markdown` as long as nothing has changed.

    `chat` is where it begins: give one with a profile of your own, or at another time of day. Its language is the transcript's.
    """
    head, *lines = _split(markdown)
    chat = chat or Conversation()
    language = next((known for known in LANGUAGES if f"Language: {known}" in head), chat.language)
    chat.language, chat.session = language, replace(chat.session, language=language)
    if "Helpdesk: yes" in head:
        chat.profile = replace(chat.profile, office=Office())
    if before := re.search(r"^Before: (.+)$", head, re.MULTILINE):
        for line in before[1].split(" | "):
            does(chat, line)
    chat.transcript = Transcript(head)
    for line in lines:
        does(chat, line)
    return chat


def _split(markdown: str) -> list[str]:
    """The head, and each act of the person without its `> `."""
    acts = re.split(r"^((?:>.*(?:\n|\Z))+)", markdown, flags=re.MULTILINE)
    said = ("\n".join(line.removeprefix(">").removeprefix(" ") for line in act.splitlines()) for act in acts[1::2])
    return [acts[0], *said]
