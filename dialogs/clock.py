"""How moments are told to people: Western Indonesian Time, and waiting times in whole minutes or seconds, rounded up.

Lives here: pure formatting. Must not live here: reading a clock (a moment always comes in).
"""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta, timezone
from typing import Final

from dialogs.texts import Language, text

# UTC+7 all year (Keppres 41/1987): no daylight saving, so a fixed offset is exact.
WIB: Final = timezone(timedelta(hours=7), "WIB")


def local_date(now: datetime) -> date:
    return now.astimezone(WIB).date()


def time_of_day(language: Language, moment: datetime) -> str:
    """14.05 WIB in Indonesian, 14:05 WIB in English."""
    local = moment.astimezone(WIB)
    return text(language, "flow.time", hour=f"{local.hour:02}", minute=f"{local.minute:02}")


def long_date(language: Language, day: date) -> str:
    """17 Agustus 1990."""
    return f"{day.day} {text(language, f'flow.month.{day.month}')} {day.year}"


def waiting(language: Language, left: timedelta) -> str:
    """How long to wait, never "0": whole seconds under a minute and a half, else whole minutes, rounded up."""
    seconds = max(1, math.ceil(left.total_seconds()))
    unit, count = ("seconds", seconds) if seconds < 90 else ("minutes", math.ceil(seconds / 60))
    form = "one" if count == 1 else "other"
    return text(language, f"flow.{unit}.{form}", count=count)
