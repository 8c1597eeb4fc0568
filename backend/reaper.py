"""Gives the jobs of worker processes that died to the living, on PostgreSQL, where many may work.

Lives here: the lock that says "this process lives", and the look for jobs that nobody does. Must not live here: what becomes of such a job
(`jobs.py`). The lock belongs to a session of the database, so PostgreSQL frees it when the process dies, however it dies; when the
database itself restarts, everybody's lock is gone at once, so a process counts as dead only after it was missing for a while on a
connection of ours that held all that time. It needs a direct connection or session pooling.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import Iterable
from typing import Final, Protocol

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.database import Database
from backend.job_records import JobRecords, Running

log = structlog.get_logger(__name__)

_SPACE: Final = 3354
LOOK_SECONDS: Final = 1.0
# How long a lock must be missing until its process is dead. A living one that lost its connection notices at its next look and has
# the lock again at once; so two looks would do, and the others are for a loop that is busy.
GRACE_SECONDS: Final = 4.0
# A connection that gives no answer for so long is lost, whatever the network says.
PATIENCE_SECONDS: Final = 5.0
# A job that was taken here and does not run here for so long: the engine lost it when the database went away between two steps.
STRANDED_SECONDS: Final = 30.0

# The server notices within a quarter of a minute, not two hours, that the machine at the other end is gone.
_SESSION: Final = ("tcp_keepalives_idle = 5", "tcp_keepalives_interval = 3", "tcp_keepalives_count = 3")


def _key(executor: str) -> int:
    return zlib.crc32(executor.encode()) - 2**31


def _lock(executor: str) -> dict[str, int]:
    return {"space": _SPACE, "key": _key(executor)}


class Work(Protocol):
    """The part of `Jobs` that the reaper needs."""

    @property
    def executor(self) -> str: ...
    @property
    def here(self) -> frozenset[str]: ...
    async def take_over(self, executor: str) -> int: ...
    async def hand_back(self, jobs: list[Running]) -> None: ...


class Since:
    """For how long something has been so at every look."""

    def __init__(self) -> None:
        self._first: dict[str, float] = {}

    def seen(self, names: Iterable[str], now: float) -> dict[str, float]:
        """The seconds for each of these; whatever is not among them begins anew the next time."""
        self._first = {name: self._first.get(name, now) for name in names}
        return {name: now - first for name, first in self._first.items()}


class Reaper:
    """One of each worker process watches over the others."""

    def __init__(
        self,
        database: Database,
        records: JobRecords,
        work: Work,
        *,
        grace: float,
        stranded: float,
    ) -> None:
        self._database = database
        self._records = records
        self._work = work
        self._grace = grace
        self._stranded = stranded
        self._conn: AsyncConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._locked = False
        self._missing = Since()
        self._idle = Since()

    async def claim(self) -> None:
        """Say that this process lives. Raises what the database raises, or TimeoutError."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            conn = await self._database.engine.connect()
            try:
                await conn.execution_options(isolation_level="AUTOCOMMIT")
                for setting in _SESSION:
                    await conn.execute(sa.text(f"SET {setting}"))
                self._locked = await self._try(conn, self._work.executor)
            except BaseException:
                await _discard(conn)
                raise
        self._conn = conn
        # What was missing on another connection proves nothing: that may have been its fault.
        self._missing = Since()

    def start(self) -> None:
        self._task = asyncio.create_task(self._watch(), name="reaper")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def release(self) -> None:
        """Give the name back, when the jobs of this process have stopped. The lock ends with the connection."""
        conn, self._conn = self._conn, None
        if conn is not None:
            await _discard(conn)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                if self._conn is not None:
                    await self._look_or_let_go()
                if self._conn is None:
                    # At once: while the lock is not ours again, the others count the seconds.
                    await self.claim()
                    log.info("reaper.claimed_again", executor=self._work.executor)
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("reaper.not_claimed", error=type(error).__name__)
            except Exception as error:  # noqa: BLE001 - a watch that ends for a defect would leave dead processes' jobs for ever
                log.error("reaper.broken", error=type(error).__name__)

    async def _look_or_let_go(self) -> None:
        try:
            await self.look()
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("reaper.connection_lost", error=type(error).__name__)
            await self.release()

    async def look(self) -> None:
        """Look once: at the processes that have jobs, and at the jobs that this one has."""
        conn = self._conn
        assert conn is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            # Nobody else has this name: whoever has its lock is a session of ours that the server still believes in, or another
            # reaper that is just giving our jobs away. Either ends, and then the lock must be ours.
            self._locked = self._locked or await self._try(conn, self._work.executor)
            running = await self._records.running(conn)
            living = await self._living(conn)
        now = asyncio.get_running_loop().time()
        others = {job.executor for job in running} - {self._work.executor}
        missing = self._missing.seen([other for other in others if _key(other) & 0xFFFFFFFF not in living], now)
        for executor in sorted(name for name, seconds in missing.items() if seconds >= self._grace):
            await self._take_over(conn, executor)
        here = self._work.here
        mine = {job.id: job for job in running if job.executor == self._work.executor and job.id not in here}
        idle = self._idle.seen(mine, now)
        if stranded := [mine[record] for record, seconds in idle.items() if seconds >= self._stranded]:
            await self._work.hand_back(stranded)
            log.warning("reaper.handed_back", jobs=len(stranded))

    async def _living(self, conn: AsyncConnection) -> set[int]:
        held = sa.text(
            "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = :space AND objsubid = 2"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return set(await conn.scalars(held, {"space": _SPACE}))

    async def _take_over(self, conn: AsyncConnection, executor: str) -> None:
        # Whoever has the dead one's lock is alone at it; if it came back after all, it has the lock itself.
        if not await self._try(conn, executor):
            return
        try:
            jobs = await self._work.take_over(executor)
            log.warning("reaper.took_over", executor=executor, jobs=jobs)
        finally:
            await conn.execute(sa.text("SELECT pg_advisory_unlock(:space, :key)"), _lock(executor))

    @staticmethod
    async def _try(conn: AsyncConnection, executor: str) -> bool:
        return bool(await conn.scalar(sa.text("SELECT pg_try_advisory_lock(:space, :key)"), _lock(executor)))


async def _discard(conn: AsyncConnection) -> None:
    """Close it for good: a connection that went back into the pool would go on to hold its locks."""
    with contextlib.suppress(SQLAlchemyError, OSError):
        await conn.invalidate()
    with contextlib.suppress(SQLAlchemyError, OSError):
        await conn.close()
