"""Which passwords are refused, and by which rules; the same on the server and in the page's live meter.

Lives here: the rules, pure. Must not live here: hashing (`backend/activation.py`, `backend/accounts.py`) or words for people
(`backend/texts/`). A password is judged and hashed exactly as typed: never trimmed, never normalised, counted in code points.
The four classes are the guide's (step 9), a known deviation from ASVS 5.0 6.2.5; the lists of 6.2.4 and 6.2.11 make up for it.
The page's copy of the first seven rules is `design/password.js`; `tests/backend/password_vectors.json` holds both to the same answers.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Final

RULES: Final = (
    "length",
    "lower",
    "upper",
    "digit",
    "special",
    "same",
    "too_long",
    "common",
    "personal",
)
MIN_LENGTH: Final = 8
MAX_LENGTH: Final = 128

_CONTEXT_WORD_MIN: Final = 4
# A birth date, a PIN, or the recognisable part of a phone number: six digits in a row of somebody's own number are personal.
_CONTEXT_DIGITS: Final = 6
# "Jakarta2026!!" is a word with five characters of decoration; a word with nine unpredictable ones is no longer easy to guess.
_DECORATION_MAX: Final = 8
_MOST_USED: Final = 10_000
# How many signs at either end may stand for letters ("R4h4514" ends with four).
_LEET_EDGE: Final = 6
_LEET: Final = str.maketrans(
    {
        "@": "a",
        "4": "a",
        "3": "e",
        "1": "i",
        "!": "i",
        "0": "o",
        "$": "s",
        "5": "s",
        "7": "t",
        "|": "l",
    }
)


class PasswordRefused(Exception):
    """The password breaks `rules` (a part of RULES, in that order)."""

    def __init__(self, rules: tuple[str, ...]) -> None:
        super().__init__(", ".join(rules))
        self.rules = rules


def broken_rules(password: str, again: str, context: tuple[str, ...]) -> tuple[str, ...]:
    """The rules that this password breaks, in RULES order; empty when it is fine.

    `again` is the second column. `context` holds what is known about the person: names, e-mail, NIK, phone, in any form.
    """
    categories = {unicodedata.category(character) for character in password}
    broken = {
        "length": len(password) < MIN_LENGTH,
        "lower": "Ll" not in categories,
        "upper": "Lu" not in categories,
        "digit": "Nd" not in categories,
        "special": all(category[0] in "LMN" for category in categories),
        "same": password != again,
        "too_long": len(password) > MAX_LENGTH,
    }
    # Beyond the limit nothing is searched: the answer is "no" already and the work would grow with what a stranger sent.
    searchable = 0 < len(password) <= MAX_LENGTH
    broken["common"] = searchable and _is_common(password)
    broken["personal"] = searchable and _is_personal(password, context)
    return tuple(rule for rule in RULES if broken[rule])


def _is_personal(password: str, context: tuple[str, ...]) -> bool:
    folded = password.casefold()
    for known in context:
        for word in (known.casefold(), *re.split(r"[\W_]+", known.casefold())):
            if len(word) >= _CONTEXT_WORD_MIN and word in folded:
                return True
        digits = re.sub(r"\D", "", known)
        if any(digits[at : at + _CONTEXT_DIGITS] in folded for at in range(len(digits) - _CONTEXT_DIGITS + 1)):
            return True
    return False


def _is_common(password: str) -> bool:
    folded = password.casefold()
    if folded in _lines("passwords_common.txt"):
        return True
    return any(_is_known(core) for core in _cores(folded))


def _cores(folded: str) -> set[str]:
    """The letters that remain when decoration is taken off either end and digits or signs that stand for letters are read as letters."""
    letters = [at for at, character in enumerate(folded) if character.isalpha()]
    if not letters:
        return set()
    first, last = letters[0], letters[-1] + 1
    cores = set()
    for start in range(max(0, first - _LEET_EDGE), first + 1):
        for end in range(last, min(len(folded), last + _LEET_EDGE) + 1):
            if _weight(folded[:start]) + _weight(folded[end:]) <= _DECORATION_MAX:
                read = folded[start:end].translate(_LEET)
                cores.add("".join(character for character in read if character.isalpha()))
    return cores


def _weight(decoration: str) -> int:
    """How many characters of it are not simply the one before, its successor or its predecessor: "123456!!" weighs 2."""
    return sum(1 for at, character in enumerate(decoration) if at == 0 or abs(ord(character) - ord(decoration[at - 1])) > 1)


def _is_known(core: str) -> bool:
    if len(set(core)) == 1:
        return True
    own = _lines("passwords_words.txt")
    if core in own or core in _most_used():
        return True
    return any(core[:at] in own and core[at:] in own for at in range(1, len(core)))


@cache
def _lines(name: str) -> frozenset[str]:
    text = (files("backend") / name).read_text(encoding="utf-8")
    return frozenset(line.casefold() for line in text.splitlines() if line and not line.startswith("# "))


@cache
def _most_used() -> frozenset[str]:
    # Imported at the first password, not at start-up: the lists take 13 MB and 30 ms.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(
        word for word in FREQUENCY_LISTS["passwords"][:_MOST_USED] if word.isalpha() and len(word) >= _CONTEXT_WORD_MIN
    )
