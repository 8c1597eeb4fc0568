"""Mobile number: Indonesian, because it takes the one-time codes.

Lives here: reading, showing and masking the number. Must not live here: sentences (`dialogs/texts/<language>/phone.toml`).
What is a mobile number is decided by `phonenumbers` (region ID, type MOBILE); this module repairs what people type before it,
and says what exactly is wrong where it says only "invalid". The operator is not derived: numbers are portable.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Literal

from phonenumbers import (
    NumberParseException,
    PhoneMetadata,
    PhoneNumberType,
    number_type,
    parse,
    region_code_for_number,
)

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
    "empty", "no_digits", "email", "nik", "letters", "symbols", "masked", "spreadsheet", "extension", "two_numbers", "foreign",
    "landline", "toll_free", "unused_prefix", "too_short", "too_long", "not_mobile",
]  # fmt: skip
Unusual = Literal["lookalike", "country_code"]

SHORTEST, LONGEST = (
    10,
    13,
)  # digits, written 08...; the national plan has 9 to 12 after the 0


def _mobile_pattern() -> str:
    metadata = PhoneMetadata.metadata_for_region("ID")
    assert metadata is not None
    assert metadata.mobile is not None
    return str(metadata.mobile.national_number_pattern)


# How nearly everybody writes it, with the library's own pattern of a mobile number of this country: judged without asking the library,
# which takes 25 us, and with the same result (a test compares them).
_PLAIN = re.compile(rf"(?:\+?62|0)(?P<national>{_mobile_pattern()})", re.ASCII)
_GROUPED = re.compile(r"\+?[0-9](?:[ .-]?[0-9]){8,14}", re.ASCII)
_UNGROUPED = str.maketrans("", "", " .-")
_LABEL = re.compile(
    r"(?:(?:https?://)?(?:www\.)?(?:wa\.me/|api\.whatsapp\.com/send/?\?phone=)|"
    r"(?:no(?:mor)?\b\.?\s*)?(?:hp|handphone|hand phone|ponsel|telepon seluler|seluler|telepon|telp|tlp|tel|wa|whatsapp|mobile|"
    r"phone|cell)\b\.?(?:\s+(?:saya|adalah|number|is))*\s*[:=]?|(?:nomor|no\.?) saya(?: adalah)?\s*[:=]?|"
    r"my (?:phone )?number is)\s*",
    re.IGNORECASE,
)
_SEPARATORS = re.compile(r"[\s.()/\-\u2010-\u2015'\u2019_,:]+")
# International prefixes that Indonesian operators and address books write for "+": 00, 001, 007, 008, 017...
_ABROAD = re.compile(r"(?:\+\s*0{0,2}|00[1-9]?|01\d{1,3})(?=62)|\+|00(?=[1-9])")
_SPREADSHEET = re.compile(r"\d(?:[.,]\d{1,15})?e\+?\d{1,2}\b", re.IGNORECASE)
_MASKED = re.compile(r"\d[\s.-]*(?:[*•●#]{2,}|[xX]{3,})")
_EXTENSION = re.compile(r"\d\s*(?:ext|ekst|pes|pesawat|x)\.?\s*\d{1,5}\s*$", re.IGNORECASE)
_SEVERAL = re.compile(r"(?<!\d)(?:\+?62|0)(?:[ .-]?\d){8,12}(?!\d)")


class Phone(Frozen, frozen=True):
    """The phone question; its value is E.164: +6281234567890."""

    id: str = "phone"
    hint: Hint = "phone"
    privacy: Privacy = "contact"

    def parse(self, text: str, today: date) -> Parsed:  # noqa: ARG002 - the shape of every field
        if _GROUPED.fullmatch(text) and (plain := _PLAIN.fullmatch(text.translate(_UNGROUPED))):
            return Accepted("+62" + plain["national"])
        typed = with_ascii_digits(visible(text))
        if not typed:
            return _refuse("empty")
        if "@" in typed:
            return _refuse("email")
        number = _unlabelled(typed)
        compact = _SEPARATORS.sub("", number)
        digits = compact.removeprefix("+")
        if not any(char.isdigit() for char in digits):
            return _refuse("no_digits")
        if len(_SEVERAL.findall(number)) > 1:
            return _refuse("two_numbers")
        return _read_digits(compact) if digits.isdigit() else _read_mixed(compact, number)

    def show(self, value: str) -> str:
        national = _national(value)
        return f"{national[:4]}-{national[4:8]}-{national[8:]}"

    def mask(self, value: str) -> str:
        national = _national(value)
        return f"{national[:4]}-****-{national[8:][-4:]}"


def _refuse(code: Refusal, /, **facts: str | int) -> Rejected:
    return Rejected(code, {key: str(fact) for key, fact in facts.items()})


def _doubt(code: Unusual, /, **facts: str) -> Doubt:
    return Doubt(code, facts)


def _national(value: str) -> str:
    return "0" + value.removeprefix("+62")


def _unlabelled(typed: str) -> str:
    """Without "No. HP:", "wa.me/" and the like, however many of them stand in front."""
    while label := _LABEL.match(typed):
        typed = typed[label.end() :]
    return typed


def _type(e164: str) -> int | None:
    """The kind of number by the numbering plan of its country; None where it is no number at all."""
    try:
        kind = number_type(parse(e164, None))
    except NumberParseException:
        return None
    return None if kind == PhoneNumberType.UNKNOWN else kind


def _read_digits(compact: str) -> Parsed:
    """Digits with at most one plus in front, as yet in any of the ways that a number is written."""
    abroad = _ABROAD.match(compact)
    digits = compact[abroad.end() :] if abroad else compact
    if digits.startswith("62") and (abroad or digits.startswith(("628", "6208")) or _type("+" + digits) is not None):
        national = digits[2:].removeprefix("0")
    elif abroad and not digits.startswith("0") and _type("+" + digits) is not None:
        return _refuse("foreign", country=_country("+" + digits))
    else:
        national = digits.removeprefix("0")
    read = _read_national(national, compact)
    if abroad and national == digits and isinstance(read, Accepted):
        # A plus before 8...: most likely its 62 was forgotten, yet nobody's number is changed without a word.
        return Doubtful(read.value, (_doubt("country_code", value=PHONE.show(read.value)),))
    return read


def _read_national(national: str, compact: str) -> Parsed:
    kind = _type("+62" + national)
    if kind == PhoneNumberType.MOBILE:
        return Accepted("+62" + national)
    if kind == PhoneNumberType.TOLL_FREE:
        return _refuse("toll_free")
    if kind == PhoneNumberType.FIXED_LINE:
        return _refuse("landline", area=_area(national))
    if len(compact) == 16 and compact.isdigit() and not compact.startswith(("08", "628")):
        return _refuse("nik")
    count = len(national) + 1
    if not national.startswith("8"):
        return _refuse("not_mobile", start=compact[:4])
    if count < SHORTEST:
        return _refuse("too_short", count=count, missing=SHORTEST - count, min=SHORTEST)
    if count > LONGEST:
        return _refuse("too_long", count=count, extra=count - LONGEST, max=LONGEST)
    return _refuse("unused_prefix", prefix=("0" + national)[:3])


def _read_mixed(compact: str, number: str) -> Parsed:
    """Digits with something else among them."""
    if _SPREADSHEET.search(number):
        return _refuse("spreadsheet")
    if _MASKED.search(number):
        return _refuse("masked")
    if _EXTENSION.search(number):
        return _refuse("extension")
    read = digits_for_lookalikes(compact)
    if read.removeprefix("+").isdigit() and isinstance(mobile := _read_digits(read), Accepted):
        letters = listed(char for char in compact if not (char.isdigit() or char == "+"))
        return Doubtful(
            mobile.value,
            (_doubt("lookalike", letters=letters, value=PHONE.show(mobile.value)),),
        )
    if letters := listed(char for char in compact if char.isalpha()):
        return _refuse("letters", letters=letters)
    return _refuse("symbols", symbols=listed(char for char in compact if not char.isdigit()))


def _area(national: str) -> str:
    """The area code as it is dialled: 021, 022, 024, 031 and 061 have two digits after the 0, all others three."""
    return "0" + national[: 2 if national[:2] in ("21", "22", "24", "31", "61") else 3]


def _country(e164: str) -> str:
    number = parse(e164, None)
    region = region_code_for_number(number)
    return f"+{number.country_code}" + (f", {region}" if region and region != "001" else "")


PHONE = Phone()
