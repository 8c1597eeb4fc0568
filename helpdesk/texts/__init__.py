"""The words of the console, by stable id, in Indonesian and English; `helpdesk/texts/<language>/<noun>.toml`, as in `dialogs/texts/`.

Lives here: finding and filling a text, writing times. Must not live here: what investors read (`dialogs/texts/`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Final

from dialogs.clock import waiting
from dialogs.texts import LANGUAGES, Language, catalogue

# What the detail of a line of the system is the name of.
_DETAILS: Final = {"opened": "reason", "closed": "label", "proposed": "field", "accepted": "field", "declined": "field"}
_NONE: Final = "\N{EM DASH}"
WIB: Final = timezone(timedelta(hours=7), "WIB")

CATALOGUES: Final[Mapping[Language, Mapping[str, str]]] = {language: catalogue(__package__, language) for language in LANGUAGES}


def text(language: Language, id_: str, /, **facts: str | int) -> str:
    """The text of this id with its placeholders filled. Raises KeyError for an unknown id or a missing fact: both are defects."""
    template = CATALOGUES[language][id_]
    return template.format_map(facts) if "{" in template else template


def named(language: Language, prefix: str, name: str) -> str:
    """The text `<prefix>.<name>` where there is one, else the bare name: steps and reasons are other packages' to add."""
    return CATALOGUES[language].get(f"{prefix}.{name}", name)


def called(prefix: str, words: str) -> list[str]:
    """The names whose text `<prefix>.<name>` has these words, from the beginning of one, in any language; none for no words."""
    wanted, begins = words.casefold().strip(), f"{prefix}."
    texts = {pair for language in LANGUAGES for pair in CATALOGUES[language].items() if pair[0].startswith(begins)}
    return sorted({id_.removeprefix(begins) for id_, told in texts if wanted and f" {wanted}" in f" {told.casefold()}"})


def happened(language: Language, kind: str, *, name: str = "", detail: str = "") -> str:
    """What a line of the system says. `kind` and `detail` are as in `desk_entries`."""
    if kind == "unfit" and detail:
        field, _, why = detail.partition(" ")
        reason = text(language, f"event.unfit_why.{why if why in ('no_form', 'same') else 'other'}")
        detail = f"{named(language, 'field', field)}, {reason}"
    elif kind in _DETAILS:
        detail = named(language, _DETAILS[kind], detail)
    return text(language, f"event.{kind}", name=name or _NONE, detail=detail or _NONE)


def unfit(language: Language, code: str, retry_after: int) -> str:
    """Why what was entered cannot be used (`helpdesk.acting.Unfit`); `retry_after` in seconds."""
    return text(language, f"unfit.{code}", wait=waiting(language, timedelta(seconds=retry_after)))


def moment(language: Language, at: datetime, now: datetime) -> str:
    """A point in time in WIB, as short as it can be: "14.05", or "23 Nov 14.05" of another day."""
    local = at.astimezone(WIB)
    dot = "." if language == "id" else ":"
    clock = f"{local.hour:02}{dot}{local.minute:02}"
    if local.date() == now.astimezone(WIB).date():
        return clock
    return f"{local.day} {text(language, f'time.month.{local.month}')} {clock}"


def ago(language: Language, seconds: float) -> str:
    """How long something has lasted: "<1 mnt", "12 mnt", "3 jam", "2 hari"."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return text(language, "time.moment")
    if minutes < 120:
        return text(language, "time.minutes", count=minutes)
    if minutes < 48 * 60:
        return text(language, "time.hours", count=minutes // 60)
    return text(language, "time.days", count=minutes // (24 * 60))
