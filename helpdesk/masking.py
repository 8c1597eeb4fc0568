"""What an agent sees of what people wrote: numbers and addresses are covered, and whatever the form knows of its person.

Pure. Nobody needs a NIK, a phone number or an e-mail address to help; who does asks for it, with a reason (`acting.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from dialogs.fields import BY_ID as FIELDS
from dialogs.session import Session

# From the beginning of a word: tried from within it as well, a long one without an @ would cost the square of its length.
_EMAIL: Final = re.compile(r"(?<![^\s@<>\"'(),;:])[^\s@<>\"'(),;:]+@[^\s@<>\"'(),;:]+\.\w+")
# Seven digits and more, however they are grouped: no amount of rupiah in words, but every phone number, NIK and card.
_DIGITS: Final = re.compile(r"\+?\d(?:[\s().-]{0,2}\d){6,}")
_WORD_MIN: Final = 3
_LETTERS_I: Final = str.maketrans("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}\N{LATIN SMALL LETTER DOTLESS I}", "ii")


def _short(match: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", match[0])
    return f"{digits[:2]}{'*' * (len(digits) - 4)}{digits[-2:]}"


def _address(match: re.Match[str]) -> str:
    local, _, domain = match[0].rpartition("@")
    # Of a mailbox of one or two letters nothing, as in the chat; and what is covered already stays as it is.
    return f"{local[:1].strip('*') if len(local) > 2 else ''}***@{domain}"


def _folded(text: str) -> str:
    """The same for all texts that a pattern without regard to case takes for the same (`re.IGNORECASE`: also I with a dot, i without)."""
    return text.translate(_LETTERS_I).casefold()


def mask(text: str, known: Mapping[str, str] | None = None) -> str:
    """The text as any agent may read it. `known` are values and what stands for them (`known_of`)."""
    folded = _folded(text) if known else ""
    for value, shown in (known or {}).items():
        if _folded(value) not in folded:  # most are not, and a pattern of each would cost a hundred times as much
            continue
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", lambda _, shown=shown: shown, text, flags=re.IGNORECASE)  # type: ignore[misc]
    return _DIGITS.sub(_short, _EMAIL.sub(_address, text))


def mask_name(name: str) -> str:
    return " ".join(f"{word[0]}***" for word in name.split())


def short_name(name: str) -> str:
    """A first name and the initial of the last: "Budi S."; a name that this would tell whole is covered."""
    words = name.split()
    if len(words) < 2 or not _words(words[1:]):
        return mask_name(name)
    return f"{words[0]} {words[-1][0]}."


def name_of(session: Session | None) -> str:
    """What to call the person of a conversation where colleagues read along (`short_name`); "" where the form does not know."""
    if session is None:
        return ""
    answer = session.draft.answers.get("full_name") if session.draft else None
    names = [answer.value] if answer else [registration.name for registration in session.registrations[-1:]]
    return short_name(names[0]) if names else ""


def known_of(session: Session | None) -> dict[str, str]:
    """What this conversation's form holds of people, longest first: each value, and what is shown instead."""
    if session is None:
        return {}
    found: dict[str, str] = {}
    for field, answer in session.draft.answers.items() if session.draft else ():
        found |= _forms(field, answer.value)
    for doubt in (session.draft.doubt, *session.draft.more) if session.draft else ():
        if doubt is not None:
            found |= _forms(doubt.field, doubt.value)
    for registration in session.registrations:
        found |= _forms("full_name", registration.name)
    return dict(sorted(found.items(), key=lambda pair: -len(pair[0])))


def _forms(field: str, value: str) -> dict[str, str]:
    if field not in FIELDS or not value:
        return {}
    shown = FIELDS[field].mask(value)
    forms = {value: shown, FIELDS[field].show(value): shown}
    if field == "full_name":
        forms |= {word: f"{word[0]}***" for word in _words(value.split())}
    return forms


def _words(words: Iterable[str]) -> list[str]:
    return [word for word in words if len(word) >= _WORD_MIN]
