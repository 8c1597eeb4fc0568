"""The words of the backend's pages and mails, by stable id, in Indonesian and English, and the contacts that both name.

Lives here: finding and filling a text, writing a time in WIB. The words are data: `backend/texts/<language>/<noun>.toml`; the file's
name is the first part of the id, so `link.expired.title` is `title` under `[expired]` in `link.toml`. Must not live here: layout
(`backend/pages/templates/`, `backend/mail/templates/`). Both languages hold the same ids and placeholders; a test compares them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from importlib.resources import files
from typing import Any, Final, Literal, get_args

Language = Literal["id", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

# The guide's step 8 prints these in the activation mail.
CALL_CENTRE: Final = "(+62)21 515 2855"
TOLL_FREE: Final = "0800 186 5734"
HELPDESK_EMAIL: Final = "helpdesk@ksei.co.id"

WIB: Final = timezone(timedelta(hours=7), "WIB")


def _flatten(prefix: str, node: Mapping[str, Any]) -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in node.items():
        name = f"{prefix}.{key}"
        flat |= {name: value.strip("\n")} if isinstance(value, str) else _flatten(name, value)
    return flat


def _catalogue(language: Language) -> dict[str, str]:
    catalogue: dict[str, str] = {}
    for file in sorted((files(__package__) / language).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            catalogue |= _flatten(
                file.name.removesuffix(".toml"),
                tomllib.loads(file.read_text(encoding="utf-8")),
            )
    return catalogue


CATALOGUES: Mapping[Language, Mapping[str, str]] = {language: _catalogue(language) for language in LANGUAGES}


def text(language: Language, id_: str, /, **facts: str | int) -> str:
    """The text of this id with its placeholders filled. Raises KeyError for an unknown id or a missing fact: both are defects."""
    template = CATALOGUES[language][id_]
    return template.format_map(facts) if "{" in template else template


def moment(language: Language, at: datetime) -> str:
    """A point in time as a person in Jakarta reads it: "Senin, 23 November 2026, pukul 07.05 WIB". `at` carries its time zone."""
    local = at.astimezone(WIB)
    day = text(language, f"time.day.{local.isoweekday()}")
    month = text(language, f"time.month.{local.month}")
    return text(
        language,
        "time.moment",
        day=day,
        date=local.day,
        month=month,
        year=local.year,
        hour=f"{local.hour:02}",
        minute=f"{local.minute:02}",
    )


def moment_from(language: Language, at: datetime) -> str:
    """The same for the time from which something works: the next whole minute, so that whoever comes then does not come too early."""
    return moment(language, at + timedelta(seconds=60, microseconds=-1))


def duration(language: Language, seconds: int) -> str:
    """A waiting time, rounded up so that it is never too short: "45 detik", "3 menit", "2 jam"."""
    if seconds < 120:
        return text(language, "time.seconds", count=max(1, seconds))
    if seconds < 2 * 3600:
        return text(language, "time.minutes", count=-(-seconds // 60))
    return text(language, "time.hours", count=-(-seconds // 3600))
