"""The dashboard: how the helpdesk is doing, in figures and in plots that are drawn here, as SVG.

Lives here: the period, the geometry of the plots. Must not live here: counting (`helpdesk/numbers.py`). Colours come from the design
system by class, so that the plots are at home in both schemes; every plot stands beside the figures that it draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from helpdesk.console.view import View
from helpdesk.numbers import Counting, Day
from helpdesk.sign_in import Visit

PERIODS: Final = (1, 7, 30)
# The plot of days, in its own units.
WIDTH: Final = 600.0
HEIGHT: Final = 160.0
_BASE: Final = 140.0
_TOP: Final = 12.0


@dataclass(frozen=True, slots=True)
class Bar:
    """`share` is from 0 to 100 of the longest."""

    name: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Column:
    x: float
    y: float
    width: float
    height: float
    count: int
    day: Day


class Dashboard:
    def __init__(self, counting: Counting, view: View) -> None:
        self._counting = counting
        self._view = view

    async def show(self, request: Request, visit: Visit) -> Response:
        wanted = request.query_params.get("hari", "7")
        days = next((each for each in PERIODS if str(each) == wanted), 7)
        found = await self._counting.period(days)
        return self._view.page(
            request,
            "numbers",
            visit,
            days=days,
            periods=PERIODS,
            now_=await self._counting.now(),
            found=found,
            steps=bars(_by(found.places, 0)),
            reasons=bars(_by(found.places, 1)),
            ended=bars(found.ended),
            ratings=bars({str(rating): found.ratings.get(rating, 0) for rating in range(5, 0, -1)}, ranked=False),
            columns=columns(found.days),
            waits=polyline([day.p50 for day in found.days]),
            most=max((day.opened for day in found.days), default=0),
            longest=max((day.p50 for day in found.days if day.p50 is not None), default=0.0),
            width=WIDTH,
            height=HEIGHT,
            base=_BASE,
        )


def _by(places: Mapping[tuple[str, str], int], part: int) -> dict[str, int]:
    sums: dict[str, int] = {}
    for place, count in places.items():
        sums[place[part]] = sums.get(place[part], 0) + count
    return sums


def bars(counts: Mapping[str, int], *, ranked: bool = True) -> list[Bar]:
    """The longest first, unless their own order says more."""
    longest = max(counts.values(), default=0)
    found = [Bar(name, count, round(100 * count / longest, 1) if longest else 0.0) for name, count in counts.items()]
    return sorted(found, key=lambda bar: -bar.count) if ranked else found


def columns(days: Sequence[Day]) -> list[Column]:
    """A column a day, from left to right."""
    most, step = max((day.opened for day in days), default=0), WIDTH / max(1, len(days))
    found = []
    for number, day in enumerate(days):
        height = round((_BASE - _TOP) * day.opened / most, 1) if most else 0.0
        width = round(min(step * 0.7, 60.0), 1)
        found.append(Column(round(number * step + (step - width) / 2, 1), _BASE - height, width, height, day.opened, day))
    return found


def polyline(values: Sequence[float | None]) -> list[tuple[float, float]]:
    """A point a day, where there is a value; drawn over the columns, to a scale of its own."""
    most, step = max((value for value in values if value is not None), default=0.0), WIDTH / max(1, len(values))
    return [
        (round((number + 0.5) * step, 1), round(_BASE - (_BASE - _TOP) * value / most, 1) if most else _BASE)
        for number, value in enumerate(values)
        if value is not None
    ]
