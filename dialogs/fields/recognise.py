"""Which question a text answers by its form alone: the right answer in the wrong place.

Lives here: recognising what cannot be anything else. Must not live here: what is offered then (`dialogs/registration.py`).
A name has no form of its own and is never recognised.
"""

from __future__ import annotations

from datetime import date

from dialogs.fields._field import Accepted, Rejected
from dialogs.fields.email import EMAIL
from dialogs.fields.nik import NIK
from dialogs.fields.phone import PHONE


def recognise(text: str, today: date) -> str | None:
    """The id of the field whose form this text unmistakably has: one e-mail address, one mobile number, one 16-digit number."""
    if "@" in text:
        return None if isinstance(EMAIL.parse(text, today), Rejected) else EMAIL.id
    if sum(char.isdigit() for char in text) < 9:
        return None
    # Before the NIK: 0062 812 3456 7890 has sixteen digits, and no province has the code 00.
    if isinstance(PHONE.parse(text, today), Accepted):
        return PHONE.id
    nik = NIK.parse(text, today)
    if isinstance(nik, Rejected) or (not isinstance(nik, Accepted) and any(doubt.code == "lookalike" for doubt in nik.doubts)):
        return None
    return NIK.id
