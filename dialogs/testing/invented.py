"""Texts as people typed them, with invented people in their place: what leads to the same goes on leading to the same.

An answer that is taken is exchanged for one of an invented person. One that is refused or doubted keeps its shape (so many digits, a
space there, that symbol) with other letters and digits, as long as the field still says the same of it. Words that the dialog itself knows
are nobody's.

Lives here: exchanging. Must not live here: the conversation around it (`dialogs/testing/repro.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import cycle
from typing import Final

from dialogs.commands import named
from dialogs.fields import BY_ID as FIELDS
from dialogs.fields import FIELDS as ORDER
from dialogs.fields._field import Accepted, Parsed
from dialogs.fields._mailboxes import PROVIDERS, meant
from dialogs.fields.several import read
from dialogs.phrases import KINDS, is_phrase, plain
from dialogs.secret import looks_like_password

PEOPLE: Final = (
    {"full_name": "Siti Rahmawati", "nik": "3171234501900001", "phone": "0812-3456-7890", "email": "siti@example.com"},
    {"full_name": "Budi Santoso", "nik": "3273011708900002", "phone": "0813-2233-4455", "email": "budi@example.com"},
    {"full_name": "Dewi Lestari", "nik": "3578015203850003", "phone": "0857-1122-3344", "email": "dewi@example.com"},
)
# A number that is unusual for each reason that can be: age, date, district, serial, all digits alike.
ODD_NIKS: Final = ("3171234501200001", "3171239913900001", "3171004501900001", "3171234501900000", "1111111111111111")
_EMAIL: Final = re.compile(r"[^\s@:,;<>()]+@[^\s@:,;<>()]+")
_NUMBER: Final = re.compile(r"\+?\d(?:[ .()/-]?\d){8,}")
# What people write around their answers; it says of nobody who they are.
_PLAIN_WORD: Final = re.compile(
    r"nama|lengkap|nik|no|nomor|ktp|kk|kartu|keluarga|npwp|hp|handphone|telepon|telp|wa|whatsapp|email|mail|surel|sesuai|saya|adalah|itu|"
    r"ini|dan|atau|yang|ya|ok|test|my|name|is|the|and|phone|number|ext|pesawat|x+|e|https?|www|at|dot|titik|com?|idd?|coid|org|net|local|"
    r"localhost|invalid|gmail|selamat|pagi|siang|malam|bapak|bpk|ibu|tn|ny|sdri?|mrs?|ms|bin|binti|pt|cv|dr|ir|hj?|drs|se|sh|st",
    re.IGNORECASE,
)
_WORD: Final = r"[^\W\d_]+"
_LETTERS: Final = "sitirahmawatibudisantosodewilestari"
_DIGITS: Final = "3171234501900001"


@dataclass(slots=True)
class Invention:
    """The exchange of one conversation: the same text is always exchanged for the same."""

    today: date
    known: dict[str, str] = field(default_factory=dict)

    def of(self, text: str, asked: str | None, labels: frozenset[str] = frozenset()) -> str:
        """What may be shown in this text's place. `asked` is the field whose answer it was typed for; `labels` are words on the screen."""
        if named(text) is not None or is_phrase(text) or plain(text) in KINDS or text.casefold().strip() in labels:
            return text
        if text not in self.known:
            wanted = self._meaning(text, asked)
            tried = (each for each in self._instead(text, asked) if self._meaning(each, asked) == wanted)
            self.known[text] = next(tried, _reshaped(text))
        return self.known[text]

    def _meaning(self, text: str, asked: str | None) -> object:
        """What a text comes to, without what it says."""
        fields = [FIELDS[asked]] if asked else list(ORDER)
        found = [(each.field, each.labelled, _outcome(each.parsed)) for each in read(text, self.today)]
        return [_outcome(each.parse(text, self.today)) for each in fields], found, looks_like_password(text)

    def _instead(self, text: str, asked: str | None) -> Iterator[str]:
        person = PEOPLE[len(self.known) // len(ORDER) % len(PEOPLE)]
        for each in (FIELDS[asked],) if asked else ORDER:
            if isinstance(each.parse(text, self.today), Accepted):
                yield person[each.id]
        exchanged = _EMAIL.sub(lambda found: _like_email(found[0], person["email"]), text)
        exchanged = _NUMBER.sub(lambda found: _like_number(found[0], person), exchanged)
        yield _reshaped(exchanged, keep=(*person.values(), *_runs(exchanged)))
        for kept in (0, 2, 4):
            yield _reshaped(text, first_digits=kept)
        if not re.search(r"[^\W\d_]", text):
            yield from (_poured(text, odd) for odd in ODD_NIKS)


def _outcome(parsed: Parsed) -> object:
    if isinstance(parsed, Accepted):
        return "accepted"
    doubts = getattr(parsed, "doubts", ())
    return (
        type(parsed).__name__,
        getattr(parsed, "code", ""),
        [each.code for each in doubts],
        bool(getattr(parsed, "suggestion", "")),
    )


def _runs(text: str) -> list[str]:
    """What was exchanged as a whole already, and must not be taken apart."""
    return [found[0] for pattern in (_EMAIL, _NUMBER) for found in pattern.finditer(text)]


def _like_email(typed: str, example: str) -> str:
    """The invented name at the same kind of place: a mailbox of many people's is kept, with its slip of the pen; one's own is not."""
    domain = typed.rpartition("@")[2].casefold()
    return f"{example.partition('@')[0]}@{domain if {domain, meant(domain)} & set(PROVIDERS) else 'example.com'}"


def _like_number(typed: str, person: dict[str, str]) -> str:
    digits = re.sub(r"\D", "", typed)
    if len(digits) == 16:
        return _poured(typed, person["nik"])
    if digits.startswith(("08", "628", "8")):
        start = "62" if digits.startswith("62") else "0" if digits.startswith("0") else ""
        return _poured(typed, start + re.sub(r"\D", "", person["phone"])[1:])
    return _poured(typed, _DIGITS)


def _poured(shape: str, digits: str) -> str:
    """These digits in the shape of that number; what is too few or too many stays so."""
    stream = cycle(digits)
    return "".join(next(stream) if char.isdigit() else char for char in shape)


def _reshaped(text: str, *, keep: tuple[str, ...] = (), first_digits: int = 0) -> str:
    """Other letters and digits in the same shape, but for plain words, letters that stand for digits, and what is to be kept."""
    letters, at = cycle(_LETTERS), 0
    whole = "|".join(map(re.escape, sorted(keep, key=len, reverse=True)))
    said = ""
    for part in re.split(
        rf"({whole + '|' if whole else ''}(?<=\d)[oOiIlL](?![^\W\d_])|(?<![^\W\d_])[oOiIlL](?=\d)|{_WORD})", text
    ):
        if part in keep or _PLAIN_WORD.fullmatch(part):
            said += part
            continue
        lookalike = len(part) == 1 and part in "oOiIlL"
        for char in part:
            if char.isdigit() or lookalike:
                said += char if lookalike or at < first_digits else _DIGITS[at % len(_DIGITS)]
                at += 1
            elif char.isalpha():
                other = next(letters)
                said += other.upper() if char.isupper() else other
            else:
                said += char
    return said
