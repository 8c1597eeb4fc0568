"""Attempts at something that can be guessed: counted before they are looked at, and delayed more and more, never forbidden.

Lives here: the counting, for all processes, in the accounts' database. Must not live here: what is guessed, and how many attempts are free
(`accounts.py`, `activation.py` say), or rates of anything else (`throttle.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from backend.clock import Clock
from backend.database import Database
from backend.errors import Later
from backend.tables import login_throttle

_FORGIVEN_AFTER: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Delay:
    """After `free` failures within a day each further one doubles the wait from one second, up to `most`."""

    free: int
    most: timedelta

    def wait(self, failures: int) -> timedelta:
        over = failures - self.free
        return timedelta(0) if over <= 0 else min(self.most, timedelta(seconds=2.0 ** min(over - 1, 20)))


class Tries:
    """`delays` are keyed by whatever an attempt is counted for (keyed hashes); the first is the one that the guesser is after."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._now = clock

    async def count(self, delays: Mapping[bytes, Delay]) -> Later | None:
        """Count one, committed; None when it may be looked at, else how long to wait, and then it was not counted.

        Counted before the look, so that many attempts at once do not get in on one free place.
        """
        async with self._database.writing() as conn:
            await self._database.lock(conn, *(f"throttle:{key.hex()}" for key in sorted(delays)))
            now = self._now()  # under the lock: who waited for it must not find that somebody else's attempt lies in the future
            rows = await conn.execute(login_throttle.select().where(login_throttle.c.key.in_(list(delays))))
            known = {bytes(row.key): row for row in rows}
            open_at = max((row.open_at for row in known.values()), default=now)
            if open_at > now:
                return Later.after((open_at - now).total_seconds())
            for key, delay in delays.items():
                row = known.get(key)
                forgiven = row is None or row.failed_at <= now - _FORGIVEN_AFTER
                failures = 1 if row is None or forgiven else row.failures + 1
                values = {"failures": failures, "failed_at": now, "open_at": now + delay.wait(failures)}
                if row is None:
                    await conn.execute(login_throttle.insert().values(key=key, **values))
                else:
                    await conn.execute(login_throttle.update().where(login_throttle.c.key == key).values(**values))
        return None

    async def succeeded(self, delays: Mapping[bytes, Delay]) -> None:
        """The attempt was right: the first count is forgotten, and this attempt is taken off the others."""
        async with self._database.writing() as conn:
            await conn.execute(login_throttle.delete().where(login_throttle.c.key == next(iter(delays))))
            others = list(delays)[1:]
            await conn.execute(
                login_throttle.update()
                .where(login_throttle.c.key.in_(others), login_throttle.c.failures > 0)
                .values(failures=login_throttle.c.failures - 1, open_at=self._now())
            )
