"""NIK: the sixteen digits that identify an Indonesian citizen.

Lives here: reading, weighing, showing and masking the number, and what it says of its owner. Must not live here: the regions
(`dialogs/regions.py`) or sentences (`dialogs/texts/<language>/nik.toml`).

Sixteen digits is the only hard rule. The digits are PP KK CC (province, regency, district of the first registration), DD MM YY
(the day of birth, plus 40 for women) and SSSS, a serial number. A NIK never changes, not even when its date was keyed in wrong
or its province was split, so everything unusual is asked about and never refused (PP 40/2019 article 30).
"""

from __future__ import annotations

import re
from datetime import date
from typing import Literal

from dialogs import regions
from dialogs.fields._field import Accepted, Doubt, Doubtful, Parsed, Privacy, Rejected
from dialogs.fields._typed import (
    digits_for_lookalikes,
    listed,
    visible,
    with_ascii_digits,
)
from dialogs.frozen import Frozen
from dialogs.screens import Hint

Refusal = Literal[
    "empty", "no_digits", "too_short", "fifteen", "too_long", "two_numbers", "npwp", "phone", "email", "letters", "symbols",
    "masked", "spreadsheet",
]  # fmt: skip
Unusual = Literal[
    "lookalike",
    "family_card",
    "repeated",
    "province",
    "regency",
    "district",
    "date",
    "age",
    "serial",
]
Sex = Literal["male", "female"]

LENGTH = 16
ADULT = 17  # the age at which a KTP is issued (UU 24/2013 article 63)
_PLAIN = re.compile(r"[0-9]{16}")
_LABEL = re.compile(
    r"(?:(?:no(?:mor)?\b\.?\s*)?(?:n\.?i\.?k\b\.?|e?-?ktp\b|induk kependudukan\b|kk\b|kartu keluarga\b|npwp\b|id card\b)"
    r"(?:\s+(?:saya|adalah|is|number))*\s*[:=]?\s*|(?:my )?(?:nik|id(?: card)? number)(?: is)?\s*[:=]?\s*)+",
    re.IGNORECASE,
)
_SEPARATORS = re.compile(r"[\s.,+'\u2018\u2019`_/:;()\-\u2010-\u2015]+")
_FAMILY_CARD = re.compile(r"\b(?:no\.?\s*)?kk\b|kartu keluarga", re.IGNORECASE)
_NPWP = re.compile(r"\bnpwp\b|\d{2}\.\d{3}\.\d{3}\.\d-\d{3}\.\d{3}", re.IGNORECASE)
_SPREADSHEET = re.compile(r"\d(?:[.,]\d{1,15})?e\+?\d{1,2}\b", re.IGNORECASE)
_MASKED = re.compile(r"\d[\s.-]*(?:[*•●#]{2,}|[xX]{3,})|(?:[*•●]{2,}|[xX]{3,})[\s.-]*\d")
_MOBILE = re.compile(r"(?:62|0062|0)8\d{8,11}")
_STANDALONE = re.compile(r"(?<![\w.-])\d(?:[ .-]?\d){15}(?![\w-]|\.\d)")
_TWO = re.compile(r"(?<!\d)\d{16}(?!\d)")


class NikReading(Frozen, frozen=True):
    """What a NIK says of its owner; None where the digits say nothing that can be."""

    birth: date | None
    sex: Sex | None
    province: str | None
    regency: str | None


class Nik(Frozen, frozen=True):
    """The NIK question; its value is sixteen ASCII digits."""

    id: str = "nik"
    hint: Hint = "digits"
    privacy: Privacy = "identity"

    def parse(self, text: str, today: date) -> Parsed:
        if _PLAIN.fullmatch(text):
            return _weighed(text, (), today)
        typed = with_ascii_digits(visible(text))
        if not typed:
            return _refuse("empty")
        if "@" in typed:
            return _refuse("email")
        said = (_doubt("family_card"),) if _FAMILY_CARD.search(typed) else ()
        compact = _SEPARATORS.sub("", _LABEL.sub("", typed, count=1) if _LABEL.match(typed) else typed)
        if len(set(_TWO.findall(typed))) > 1 or (compact.isdigit() and len(compact) == 2 * LENGTH):
            return _refuse("two_numbers")
        if compact.isdigit():
            return _weighed(compact, said, today) if len(compact) == LENGTH else _miscounted(compact, typed)
        return _read_in_words(compact, typed, said, today)

    def show(self, value: str) -> str:
        return " ".join(value[start : start + 4] for start in range(0, LENGTH, 4))

    def mask(self, value: str) -> str:
        return f"{value[:4]}********{value[-4:]}"


def reading(value: str, today: date) -> NikReading:
    """What this NIK says; the century is the later one in which the birth is not in the future."""
    day = int(value[6:8])
    births = _births(value, today)
    return NikReading(
        birth=births[0] if births else None,
        sex="male" if 1 <= day <= 31 else "female" if 41 <= day <= 71 else None,
        province=regions.name(value[:2]),
        regency=regions.name(value[:4]),
    )


def _refuse(code: Refusal, /, **facts: str | int) -> Rejected:
    return Rejected(code, {key: str(fact) for key, fact in facts.items()})


def _doubt(code: Unusual, /, **facts: str | int) -> Doubt:
    return Doubt(code, {key: str(fact) for key, fact in facts.items()})


def _miscounted(digits: str, typed: str) -> Rejected:
    count = len(digits)
    if _MOBILE.fullmatch(digits) and not typed.lower().startswith("nik"):
        return _refuse("phone", count=count)
    if count == 15:
        return _refuse("npwp") if _NPWP.search(typed) else _refuse("fifteen")
    if count < LENGTH:
        return _refuse("too_short", count=count, missing=LENGTH - count)
    return _refuse("too_long", count=count, extra=count - LENGTH)


def _read_in_words(compact: str, typed: str, said: tuple[Doubt, ...], today: date) -> Parsed:
    """Digits with something else among them: a slip of the eye, a sentence around the number, or no NIK at all."""
    if not any(char.isdigit() for char in compact):
        return _refuse("no_digits")
    if _SPREADSHEET.search(typed):
        return _refuse("spreadsheet")
    if _MASKED.search(typed):
        return _refuse("masked")
    read = digits_for_lookalikes(compact)
    if _PLAIN.fullmatch(read):
        letters = listed(char for char in compact if not char.isdigit())
        return _weighed(
            read,
            (_doubt("lookalike", letters=letters, value=NIK.show(read)), *said),
            today,
        )
    if (alone := _STANDALONE.findall(typed)) and sum(map(str.isdigit, typed)) == LENGTH:
        return _weighed(_SEPARATORS.sub("", alone[0]), said, today)
    if letters := listed(char for char in compact if char.isalpha()):
        return _refuse("letters", letters=letters)
    return _refuse("symbols", symbols=listed(char for char in compact if not char.isdigit()))


def _weighed(value: str, said: tuple[Doubt, ...], today: date) -> Parsed:
    if len(set(value)) == 1:
        return Doubtful(value, (*said, _doubt("repeated", digit=value[0])))
    doubts = list(said)
    if not regions.known(value[:2]):
        doubts.append(_doubt("province", code=value[:2]))
    elif not regions.known(value[:4]):
        doubts.append(_doubt("regency", code=value[2:4], province=regions.name(value[:2]) or ""))
    if value[4:6] == "00":
        doubts.append(_doubt("district"))
    births = _births(value, today)
    if not births:
        doubts.append(_doubt("date", day=value[6:8], month=value[8:10], year=value[10:12]))
    elif (age := _age(births[0], today)) < ADULT:
        doubts.append(
            _doubt(
                "age",
                birth=births[0].isoformat(),
                age=age,
                earlier=births[0].year - 100,
            )
        )
    if value[12:] == "0000":
        doubts.append(_doubt("serial"))
    return Doubtful(value, tuple(doubts)) if doubts else Accepted(value)


def _births(value: str, today: date) -> list[date]:
    """Every day of birth that the digits can mean up to today, the latest first; the century is not written."""
    day, month, year = int(value[6:8]), int(value[8:10]), int(value[10:12])
    days: list[date] = []
    for century in (2000, 1900):
        try:
            birth = date(century + year, month, day - 40 if day > 40 else day)
        except ValueError:
            continue
        if birth <= today:
            days.append(birth)
    return days


def _age(birth: date, today: date) -> int:
    return today.year - birth.year - ((today.month, today.day) < (birth.month, birth.day))


NIK = Nik()
