"""What the engine of durable work has on record: who runs what, how much waits, what died.

Lives here: the only queries of the engine's own table, and they only read; its public list would load whole rows by the million to count
them. Must not live here: a change of a record (`jobs.py`, by the engine's public names). The engine's version is pinned, and the tests of
durable work run every query on both databases.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

RUNNING: Final = "PENDING"
WAITING: Final = "ENQUEUED"
DELAYED: Final = "DELAYED"
DONE: Final = "SUCCESS"
DEAD: Final = ("ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")

# Written by `jobs.py` beside a record: how often its process died under it, and why it was given up.
FALLS: Final = "falls"
REASON: Final = "reason"
# And in which trace it was enqueued (`traces.py`).
TRACE: Final = "trace"
# A job that the engine itself could not even begin.
ENGINE: Final = "engine"
# Seconds that a delayed job may be behind its time before it counts as late: the engine looks once a second.
LATE_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Running:
    """A job that a process has taken."""

    id: str
    job: str
    executor: str
    falls: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job that nobody tries any more. `subject` is the id of a row of ours; `reason` a code; nothing here is personal data."""

    id: str
    job: str
    subject: str
    run: int
    reason: str
    enqueued_at: datetime
    died_at: datetime


@dataclass(frozen=True, slots=True)
class Stats:
    """How the durable work stands. `waiting` is by queue, `dead` by job; `oldest` is how long the first in line waits, in seconds;
    `late` counts delayed jobs whose time has passed without anybody waking them: no worker runs.
    """

    waiting: dict[str, int]
    running: int
    late: int
    oldest: float
    dead: dict[str, int]

    @property
    def dead_total(self) -> int:
        return sum(self.dead.values())


class JobRecords:
    """Queries for one application's jobs; each runs on the caller's connection."""

    def __init__(self, application: str, *, sqlite: bool) -> None:
        columns = ("workflow_uuid", "status", "name", "queue_name", "executor_id", "application_name")
        times = ("created_at", "completed_at", "delay_until_epoch_ms")
        self._jobs = sa.table(
            "workflow_status",
            *(sa.column(name, sa.String) for name in columns),
            *(sa.column(name, sa.BigInteger) for name in times),
            sa.column("attributes", sa.JSON),
            schema=None if sqlite else "dbos",
        )
        self._ours = sa.or_(self._jobs.c.application_name == application, self._jobs.c.application_name.is_(None))

    def _of(self, *statuses: str) -> sa.ColumnElement[bool]:
        # Literals, because PostgreSQL uses its partial indexes only where it sees the values.
        return sa.and_(self._ours, self._jobs.c.status.in_([sa.literal_column(f"'{status}'") for status in statuses]))

    async def running(self, conn: AsyncConnection, executor: str | None = None) -> list[Running]:
        """What is being done now, by everybody or by this executor."""
        jobs = self._jobs.c
        wanted = sa.select(jobs.workflow_uuid, jobs.name, jobs.executor_id, jobs.attributes).where(self._of(RUNNING))
        if executor is not None:
            wanted = wanted.where(jobs.executor_id == executor)
        return [
            Running(row.workflow_uuid, row.name, row.executor_id or "", int((row.attributes or {}).get(FALLS, 0)))
            for row in await conn.execute(wanted)
        ]

    async def trace(self, conn: AsyncConnection, record: str) -> Mapping[str, str]:
        """What was carried along when this job was enqueued."""
        jobs = self._jobs.c
        noted = await conn.scalar(sa.select(jobs.attributes).where(jobs.workflow_uuid == record))
        return {str(name): str(value) for name, value in ((noted or {}).get(TRACE) or {}).items()}

    async def stats(self, conn: AsyncConnection) -> Stats:
        """Cheap enough to be asked every few seconds, whatever the number of finished and delayed jobs."""
        jobs, now = self._jobs.c, time.time() * 1000
        # A delayed job began to wait when its time came, not when it was written.
        since = sa.case((jobs.delay_until_epoch_ms > jobs.created_at, jobs.delay_until_epoch_ms), else_=jobs.created_at)
        lines = sa.select(jobs.status, jobs.queue_name, sa.func.count(), sa.func.min(since))
        flight = (await conn.execute(lines.where(self._of(WAITING, RUNNING)).group_by(jobs.status, jobs.queue_name))).all()
        late = sa.select(sa.func.count()).select_from(self._jobs).where(self._of(DELAYED))
        dead = sa.select(jobs.name, sa.func.count()).where(self._of(*DEAD)).group_by(jobs.name)
        waiting = [row for row in flight if row.status == WAITING]
        return Stats(
            waiting={row.queue_name or "": int(row[2]) for row in waiting},
            running=sum(int(row[2]) for row in flight if row.status == RUNNING),
            late=int(await conn.scalar(late.where(jobs.delay_until_epoch_ms < int(now - LATE_SECONDS * 1000))) or 0),
            oldest=max((max(0.0, now - float(row[3])) / 1000 for row in waiting), default=0.0),
            dead={row.name: int(row[1]) for row in await conn.execute(dead)},
        )

    async def dead(self, conn: AsyncConnection, *, limit: int, only: str | None = None) -> list[DeadLetter]:
        """The dead letters, oldest first; `only` is the id of one."""
        jobs = self._jobs.c
        wanted = sa.select(jobs.workflow_uuid, jobs.name, jobs.attributes, jobs.created_at, jobs.completed_at)
        wanted = wanted.where(self._of(*DEAD)).order_by(jobs.created_at, jobs.workflow_uuid).limit(limit)
        if only is not None:
            wanted = wanted.where(jobs.workflow_uuid == only)
        return [_letter(row) for row in await conn.execute(wanted)]

    async def ended(self, conn: AsyncConnection, *, done_before: datetime, dead_before: datetime, limit: int) -> Sequence[str]:
        """Ids of records that may be forgotten: of jobs done before, and of jobs dead before these times; oldest first."""
        jobs = self._jobs.c
        done = sa.and_(self._of(DONE), jobs.completed_at < _milliseconds(done_before))
        dead = sa.and_(self._of(*DEAD), jobs.completed_at < _milliseconds(dead_before))
        found: list[str] = []
        for old in (done, dead):
            wanted = sa.select(jobs.workflow_uuid).where(old).order_by(jobs.completed_at).limit(limit - len(found))
            found += await conn.scalars(wanted)
        return found


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _letter(row: sa.Row[*tuple[Any, ...]]) -> DeadLetter:
    subject, _, run = row.workflow_uuid.removeprefix(f"{row.name}-").rpartition("-")
    return DeadLetter(
        id=row.workflow_uuid,
        job=row.name,
        subject=subject,
        run=int(run),
        reason=str((row.attributes or {}).get(REASON, ENGINE)),
        enqueued_at=_moment(row.created_at),
        died_at=_moment(row.completed_at or row.created_at),
    )
