"""How the helpdesk is doing: who waits, how soon people are answered, where they ask for a human and why, what they say of it.

Lives here: counting over tickets, which hold nobody's words or data. Must not live here: drawing (`console/numbers.py`) or
exposition (`akses/metrics.py`). Times are seconds.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import sqlalchemy as sa

from helpdesk.ports import Clock, Database
from helpdesk.tables import tickets
from helpdesk.texts import WIB

# More hand-offs than these of one period are not read: the newest tell enough.
_MOST: Final = 50_000


@dataclass(frozen=True, slots=True)
class Now:
    """The queue at this moment; `oldest` is how long the first has been waiting, 0 where nobody is."""

    queue: int
    with_agents: int
    oldest: float


@dataclass(frozen=True, slots=True)
class Day:
    """One day in WIB: hand-offs that began, and their first responses (None where nobody was answered)."""

    day: date
    opened: int
    p50: float | None
    p90: float | None


@dataclass(frozen=True, slots=True)
class Numbers:
    """Of the hand-offs that began within the period. `places` counts by (step, reason), `ended` by outcome, `ratings` by 1 to 5."""

    opened: int
    answered: int
    p50: float | None
    p90: float | None
    places: Mapping[tuple[str, str], int]
    ended: Mapping[str, int]
    ratings: Mapping[int, int]
    days: Sequence[Day]

    @property
    def satisfaction(self) -> float | None:
        """The mean rating; None without any."""
        rated = sum(self.ratings.values())
        return sum(rating * count for rating, count in self.ratings.items()) / rated if rated else None


class Counting:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._now = clock

    async def now(self) -> Now:
        queued = tickets.c.owner == "queued"
        wanted = sa.select(
            sa.func.count().filter(queued),
            sa.func.count().filter(tickets.c.owner == "human"),
        ).where(tickets.c.owner != "closed")
        first = sa.select(tickets.c.owned_since).where(queued).order_by(tickets.c.owned_since).limit(1)
        async with self._database.reading() as conn:
            queue, human = (await conn.execute(wanted)).one()
            since = await conn.scalar(first)
        return Now(queue, human, max(0.0, (self._now() - since).total_seconds()) if since else 0.0)

    async def period(self, days: int) -> Numbers:
        """The last so many days in WIB, today included."""
        today = self._now().astimezone(WIB)
        begin = today.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days - 1)
        wanted = (
            sa.select(
                tickets.c.opened_at,
                tickets.c.answered_at,
                tickets.c.step,
                tickets.c.reason,
                tickets.c.ended,
                tickets.c.rating,
            )
            .where(tickets.c.opened_at >= begin)
            .order_by(tickets.c.opened_at.desc())
            .limit(_MOST)
        )
        async with self._database.reading() as conn:
            rows = (await conn.execute(wanted)).all()
        waits: dict[date, list[float]] = {(begin + timedelta(days=number)).date(): [] for number in range(days)}
        opened = Counter(row.opened_at.astimezone(WIB).date() for row in rows)
        for row in rows:
            if row.answered_at is not None:
                waits.setdefault(row.opened_at.astimezone(WIB).date(), []).append(
                    max(0.0, (row.answered_at - row.opened_at).total_seconds())
                )
        every = [wait for each in waits.values() for wait in each]
        return Numbers(
            len(rows),
            len(every),
            percentile(every, 50),
            percentile(every, 90),
            Counter((row.step, row.reason) for row in rows),
            Counter(row.ended for row in rows if row.ended),
            Counter(row.rating for row in rows if row.rating is not None),
            [Day(day, opened[day], percentile(each, 50), percentile(each, 90)) for day, each in sorted(waits.items())],
        )


def percentile(values: Sequence[float], rank: int) -> float | None:
    """The nearest-rank percentile: a value that was there; None of nothing."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(rank / 100 * len(values)) - 1)]
