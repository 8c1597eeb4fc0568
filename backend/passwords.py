"""Which passwords are refused, and by which rules; the same on the server and in the page's live meter.

Lives here: the rules, pure. Must not live here: hashing (`backend/activation.py`, `backend/accounts.py`) or words for people
(`backend/texts/`). A password is judged and hashed exactly as typed: never trimmed, never normalised, counted in code points.
The four classes are the guide's (step 9), a known deviation from ASVS 5.0 6.2.5; the lists of 6.2.4 and 6.2.11 make up for it, and zxcvbn,
which knows the 30,000 most used passwords, names, dates and keyboard walks besides our own words. The page's copy of all but "personal" is
`design/password.js` (what is known about a person is not in a page that a mail scanner may keep); both read the lists of
`design/passwords/`, and `tests/backend/password_vectors.json` holds both to the same answers.
"""

from __future__ import annotations

import json
import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any, Final

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

# Guesses that zxcvbn thinks are enough: below 10^6 its score is 0 or 1. 2 is fair, 3 good, 4 strong.
SCORE_MIN: Final = 2
# zxcvbn's time grows steeply with length and signs: at most 0.2 s for so many characters, seconds for a hundred. More is not weaker.
_SCORED: Final = 24

_LISTS: Final = Path(__file__).resolve().parents[1] / "design" / "passwords"
_CONTEXT_WORD_MIN: Final = 4
# A birth date, a PIN, or the recognisable part of a phone number: six digits in a row of somebody's own number are personal.
_CONTEXT_DIGITS: Final = 6
# "Jakarta2026!!" is a word with five characters of decoration; a word with nine unpredictable ones is no longer easy to guess.
_DECORATION_MAX: Final = 8
_WORD_MIN: Final = 4
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

    `again` is the second column. `context` holds what is known about the person: names, e-mail, NIK, phone, in any form. May take a
    fifth of a second for what somebody thought up to be slow: not to be called on a loop.
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


def strength(password: str) -> int:
    """The score of zxcvbn, 0 to 4, of the first 24 characters, with our own words as a dictionary; 0 for an empty one."""
    return int(_estimate(password)["score"]) if password else 0


def _estimate(text: str) -> dict[str, Any]:
    # Imported at the first password, not at start-up: its lists take 13 MB and 30 ms.
    from zxcvbn import zxcvbn

    # The page's copy counts two units for a character beyond the basic plane: one private sign stands for each, here and there.
    scored = "".join(
        character if ord(character) < 0xD800 or 0xE000 <= ord(character) < 0x10000 else chr(0xE000 + ord(character) % 0x1900)
        for character in text[:_SCORED]
    )
    return dict(zxcvbn(scored, user_inputs=list(_list("words"))))


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
    if folded in _listed("common"):
        return True
    if any(_is_known(core) for core in _cores(folded)):
        return True
    # Of a short one the length is what is wrong with it.
    return len(password) >= MIN_LENGTH and strength(password) < SCORE_MIN


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
    own = _listed("words")
    if core in own or any(core[:at] in own and core[at:] in own for at in range(1, len(core))):
        return True
    return _WORD_MIN <= len(core) <= _SCORED and _estimate(core)["guesses"] <= _MOST_USED


@cache
def _list(name: str) -> tuple[str, ...]:
    text = (_LISTS / f"{name}.js").read_text(encoding="utf-8")
    return tuple(json.loads(text.rpartition("export default")[2]))


@cache
def _listed(name: str) -> frozenset[str]:
    return frozenset(word.casefold() for word in _list(name))
