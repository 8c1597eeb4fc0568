"""How moments are told to people: in the zone of Indonesia that they live in, and waiting times in whole minutes or seconds, rounded up.

Lives here: pure formatting, and which hours are fit for a message that nobody asked for. Must not live here: reading a clock (a moment
always comes in).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Final, Literal

from dialogs.texts import Language, text

Zone = Literal["WIB", "WITA", "WIT"]
# UTC+7, +8 and +9 all year (Keppres 41/1987): no daylight saving, so fixed offsets are exact.
ZONES: Final[dict[Zone, timezone]] = {
    "WIB": timezone(timedelta(hours=7), "WIB"),
    "WITA": timezone(timedelta(hours=8), "WITA"),
    "WIT": timezone(timedelta(hours=9), "WIT"),
}
WIB: Final = ZONES["WIB"]
# The time zone database's names for Indonesia (tzdata, asia); the second of a pair is an older name.
NAMES: Final[Mapping[str, Zone]] = {
    "Asia/Jakarta": "WIB",
    "Asia/Pontianak": "WIB",
    "Asia/Makassar": "WITA",
    "Asia/Ujung_Pandang": "WITA",
    "Asia/Jayapura": "WIT",
}
# Nobody is written to unasked before or after these hours of their day. The last moment to begin leaves time for the delivery.
FROM, LAST, UNTIL = time(8), time(19, 45), time(20)

_MOST_MINUTES: Final = 180


def local_date(now: datetime) -> date:
    return now.astimezone(WIB).date()


def time_of_day(language: Language, moment: datetime, zone: Zone = "WIB") -> str:
    """14.05 WIB in Indonesian, 14:05 WIB in English."""
    local = moment.astimezone(ZONES[zone])
    return text(language, "flow.time", hour=f"{local.hour:02}", minute=f"{local.minute:02}", zone=zone)


def long_date(language: Language, day: date) -> str:
    """17 Agustus 1990."""
    return f"{day.day} {text(language, f'flow.month.{day.month}')} {day.year}"


def moment_of(language: Language, moment: datetime, zone: Zone = "WIB") -> str:
    """Senin, 30 November 2026 pukul 12.00 WIB."""
    day = moment.astimezone(ZONES[zone]).date()
    return text(
        language,
        "flow.moment",
        weekday=text(language, f"flow.weekday.{day.isoweekday()}"),
        date=long_date(language, day),
        time=time_of_day(language, moment, zone),
    )


def fit(moment: datetime, zone: Zone) -> datetime:
    """The moment itself when it lies in hours fit for a message, else the next morning (UTC)."""
    local = moment.astimezone(ZONES[zone])
    if local.time() > LAST:
        local = datetime.combine(local.date() + timedelta(days=1), FROM, local.tzinfo)
    return max(local, datetime.combine(local.date(), FROM, local.tzinfo)).astimezone(UTC)


def fit_before(moment: datetime, zone: Zone) -> datetime:
    """The moment itself when it lies in hours fit for a message, else the evening before (UTC)."""
    local = moment.astimezone(ZONES[zone])
    if local.time() < FROM:
        local = datetime.combine(local.date() - timedelta(days=1), LAST, local.tzinfo)
    return min(local, datetime.combine(local.date(), LAST, local.tzinfo)).astimezone(UTC)


def end_of_hours(moment: datetime, zone: Zone) -> datetime:
    """The end of that day's hours (UTC)."""
    local = moment.astimezone(ZONES[zone])
    return datetime.combine(local.date(), UNTIL, local.tzinfo).astimezone(UTC)


def grouped(language: Language, number: int) -> str:
    """4.096 in Indonesian, 4,096 in English."""
    return f"{number:,}".replace(",", text(language, "flow.thousands"))


def waiting(language: Language, left: timedelta) -> str:
    """How long to wait, never "0": whole seconds under a minute and a half, minutes up to three hours, else hours; rounded up."""
    seconds = max(1, math.ceil(left.total_seconds()))
    unit, count = ("seconds", seconds) if seconds < 90 else ("minutes", math.ceil(seconds / 60))
    if count > _MOST_MINUTES:
        unit, count = "hours", math.ceil(count / 60)
    form = "one" if count == 1 else "other"
    return text(language, f"flow.{unit}.{form}", count=count)
