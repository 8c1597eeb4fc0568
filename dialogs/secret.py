"""A password typed into the chat: known by its form alone, so that it is neither kept nor repeated.

Lives here: recognising one. Must not live here: what is done then (`dialogs/steps/repairs.py`, and the transcript of the web chat, which
must know before it writes anything down). What the password page asks for is lower, upper, digit and special (guide step 9); what people
try has three of these. Names, numbers, addresses of mail and web, and plain words are left alone.
"""

from __future__ import annotations

import re
from typing import Final

SHORTEST, LONGEST = 8, 128
_LABELLED: Final = re.compile(
    r"(?:(?:ini|this is)\s+)?(?:my\s+)?(?:kata\s*(?:sandi|kunci)|password|passwd|pass|pwd|pw|sandi)\b"
    r"(?:\s+(?:saya|aku|baru|akun|account|nya))*\s*(?P<mark>[:=]|adalah\b|is\b)?\s*(?P<value>\S+)",
    re.IGNORECASE,
)
# Mail, a Telegram name, the web; and a day of a year, written together.
_NO_SECRET: Final = re.compile(
    r"[^@]+@(?:[^@]+\.)?[a-z]+|@.*|\w+://.*|mailto:.*|www\..*|\S+\.(?:com|id|net|org|me)/.*|\d{1,2}[a-z]+\d{0,4}", re.IGNORECASE
)
# Stands in names, sums, dates and sentences as well, so it proves nothing.
_MILD: Final = frozenset(".,'\u2019-/:;()[]_\"")
_FEWEST_LETTERS: Final = 4
_MOST_DIGITS: Final = 10


def looks_like_password(text: str) -> bool:
    """Whether this whole message is a password, or says that it is one."""
    typed = text.strip().removeprefix("/")
    if not SHORTEST <= len(typed) <= 2 * LONGEST:
        return False
    if not any(char.isspace() for char in typed):
        return _strong(typed) or _said_to_be(typed)
    return _said_to_be(typed)


def _said_to_be(typed: str) -> bool:
    """Such as "password saya rahasia123"; "lupa password" and "kata sandi saya apa?" are none."""
    said = _LABELLED.fullmatch(typed)
    if said is None:
        return False
    value = said["value"].rstrip("?.!")
    return bool(value) and not value.isalpha() and (said["mark"] is not None or any(map(str.isalpha, value)))


def _strong(typed: str) -> bool:
    if len(typed) > LONGEST or _NO_SECRET.fullmatch(typed):
        return False
    core = typed.rstrip("!?.,;:\u2026")
    digits = sum(map(str.isdigit, core))
    letters = sum(map(str.isalpha, core))
    # A mark at the end belongs to a sentence of one word ("Terimakasih!"), unless there are digits too.
    symbols = {char for char in (typed if digits else core) if not char.isalnum()} - _MILD
    if letters < _FEWEST_LETTERS or digits > _MOST_DIGITS:
        return False
    classes = (any(map(str.islower, core)), any(map(str.isupper, core)), digits > 0, bool(symbols))
    return sum(classes) >= 3 and (bool(symbols) or letters > _FEWEST_LETTERS)
