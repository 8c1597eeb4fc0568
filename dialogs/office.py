"""When helpdesk agents are at work: hours of the week in Jakarta, and Indonesia's public holidays and days of joint leave as data.

Lives here: whether somebody is there, and when they are next. Must not live here: what is told about it (`dialogs/steps/desk.py`). The
days are `dialogs/data/holidays.csv`: the joint decree of three ministers (SKB 3 Menteri) for 2026 and 2027; `estimated` are those that the
moon decides. Of a year that is not in the table only the weekends are known.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from typing import Final

from dialogs.clock import WIB
from dialogs.frozen import Frozen

_WEEKDAYS: Final = 5
# No office is closed for longer: Idul Fitri with its leave and two weekends takes eleven days.
_LOOK_AHEAD_DAYS: Final = 30


@cache
def holidays() -> frozenset[date]:
    """Every day of the table. Read once."""
    _, *lines = files("dialogs").joinpath("data", "holidays.csv").read_text(encoding="utf-8").splitlines()
    return frozenset(date.fromisoformat(line.partition(",")[0]) for line in lines)


class Office(Frozen, frozen=True):
    """A helpdesk that works in the chat, from `opens` to `closes` (Jakarta's time) on working days; `always` where somebody is there day
    and night. `patience` is how long anybody waits in the queue before they are told that nobody came.
    """

    opens: time = time(8, 30)
    closes: time = time(17)
    always: bool = False
    patience: timedelta = timedelta(minutes=15)

    def works_at(self, moment: datetime) -> bool:
        local = moment.astimezone(WIB)
        return self.always or (_is_working_day(local.date()) and self.opens <= local.time() < self.closes)

    def next_opening(self, moment: datetime) -> datetime:
        """The moment itself while the office works, else when it opens next (UTC)."""
        if self.works_at(moment):
            return moment
        today = moment.astimezone(WIB).date()
        days = (today + timedelta(days=ahead) for ahead in range(_LOOK_AHEAD_DAYS))
        openings = (datetime.combine(day, self.opens, WIB) for day in days if _is_working_day(day))
        return next(opening for opening in openings if opening > moment).astimezone(UTC)


def _is_working_day(day: date) -> bool:
    return day.isoweekday() <= _WEEKDAYS and day not in holidays()
