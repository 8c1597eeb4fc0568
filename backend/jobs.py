"""Durable work: what must still happen after a crash, an outage or a restart, as jobs with a name and the id of their subject.

Lives here: the one place that knows the engine (DBOS), its queues and its rules. Must not live here: what a job does; the owner of the
work registers a handler. A job is written in the caller's own transaction, so it exists exactly when the fact that causes it does. It runs
at least once; handlers are written so that twice does no harm. A job that must be tried again becomes a new, delayed job; nothing
sleeps in memory. Arguments are ids only: this engine's tables are readable by whoever reads the database.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol

import sqlalchemy as sa
import structlog
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer, EnqueueOptions
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.database import Database, plain_url
from backend.reaper import Reaper

log = structlog.get_logger(__name__)

Queue = Literal["mail", "hooks", "timers"]

# A changed shape of a job needs a new version and a drained queue: the engine never runs a job under another version.
VERSION: Final = "1"
APPLICATION: Final = "akses-backend"
CONCURRENCY: Final = 20
# Seconds between two looks into a queue: the wait of somebody who watches the chat, against an idle processor.
POLLING: Final[dict[Queue, float]] = {"mail": 0.15, "hooks": 0.15, "timers": 1.0}
# Seconds before a job whose handler broke unexpectedly is tried again; the last repeats.
BROKEN_BACKOFF: Final = (1.0, 5.0, 30.0, 300.0, 3600.0)
_DRAIN_SECONDS: Final = 5
_FORGET_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Again:
    """What a handler answers when the job is to be tried again in so many seconds."""

    after: float


Handler = Callable[[str, int], Awaitable[Again | None]]
"""Gets the subject's id and the number of the attempt, from 1."""


class Enqueue(Protocol):
    """The part of `Jobs` that the owners of facts need."""

    async def enqueue(self, conn: AsyncConnection, job: str, subject: str, *, delay: float = 0, priority: int = 1) -> None: ...


class Jobs:
    """Enqueue everywhere; `start` only in the process that also does the work."""

    def __init__(self, database: Database, database_url: str) -> None:
        self._database = database
        self._url = plain_url(database_url)
        self._serializer = DBOSPortableJSONSerializer()
        self._client = DBOSClient(
            system_database_url=self._url, serializer=self._serializer, lazy=True, application_name=APPLICATION
        )
        self._queues: dict[str, Queue] = {}
        self._handlers: dict[str, Handler] = {}
        self._running = 0
        self._reaper: Reaper | None = None
        self._started = False

    def handle(self, job: str, handler: Handler, *, queue: Queue) -> None:
        """Say who does the jobs of this name. To be called before `start`, in every process that enqueues or works."""
        self._queues[job] = queue
        self._handlers[job] = handler

    async def enqueue(self, conn: AsyncConnection, job: str, subject: str, *, delay: float = 0, priority: int = 1) -> None:
        """Write the job into the caller's transaction. The same job for the same subject is written once."""
        await self._write(conn, job, subject, attempt=1, delay=delay, priority=priority)
        log.info("job.enqueued", job=job, subject=subject)  # under the name of the request that causes it

    async def _write(
        self, conn: AsyncConnection, job: str, subject: str, *, attempt: int, delay: float, priority: int = 1
    ) -> None:
        options = EnqueueOptions(
            workflow_name=job,
            queue_name=self._queues[job],
            workflow_id=f"{job}-{subject}-{attempt}",
            priority=priority,
        )
        if delay > 0:
            options["delay_seconds"] = delay

        def write(connection: sa.Connection) -> None:
            self._client.enqueue_in_transaction(connection, options, subject, attempt)

        await conn.run_sync(write)

    async def start(self) -> None:
        """Begin to work, inside the running loop: handlers share it with the rest of the process."""
        executor = "embedded" if self._database.sqlite else f"{socket.gethostname()}-{os.getpid()}"
        if not self._database.sqlite:
            self._reaper = Reaper(self._database, executor)
            await self._reaper.claim()  # before launch: nobody may take this process for dead while its jobs run
        for queue, seconds in POLLING.items():
            await self._client.register_queue_async(queue, worker_concurrency=CONCURRENCY, polling_interval_sec=seconds)
        DBOS(
            config=DBOSConfig(
                name=APPLICATION,
                system_database_url=self._url,
                application_version=VERSION,
                serializer=self._serializer,
                executor_id=executor,
                log_level="WARNING",
                run_migrations=False,
            )
        )
        for job, handler in self._handlers.items():
            self._register(job, handler)
        DBOS.listen_queues(list(POLLING))
        DBOS.launch()
        self._started = True
        if self._reaper is not None:
            self._reaper.start()

    def _register(self, job: str, handler: Handler) -> None:
        async def work(subject: str, attempt: int) -> None:
            self._running += 1
            try:
                await self._work(job, handler, subject, attempt)
            finally:
                self._running -= 1

        work.__qualname__ = job
        DBOS.workflow(name=job, max_recovery_attempts=None)(work)

    async def _work(self, job: str, handler: Handler, subject: str, attempt: int) -> None:
        try:
            outcome = await handler(subject, attempt)
        except Exception as error:  # noqa: BLE001 - a job must never be lost, neither to a defect nor to an outage
            # Told by its type alone: the message of an error may hold personal data.
            outcome = Again(pick(BROKEN_BACKOFF, attempt))
            log.error("job.broken", job=job, subject=subject, attempt=attempt, error=type(error).__name__)
        if outcome is not None:
            await self._reschedule(job, subject, attempt + 1, outcome.after)

    async def _reschedule(self, job: str, subject: str, attempt: int, delay: float) -> None:
        while True:
            try:
                async with self._database.writing() as conn:
                    return await self._write(conn, job, subject, attempt=attempt, delay=delay)
            except Exception as error:  # noqa: BLE001 - the same
                log.error("job.not_rescheduled", job=job, subject=subject, attempt=attempt, error=type(error).__name__)
                await asyncio.sleep(1)

    async def forget(self, before: datetime) -> int:
        """Delete the records of jobs that ended before this time; how many there were."""
        forgotten = 0
        while rows := await self._client.list_workflows_async(
            completed_before=before.isoformat(),
            status=["SUCCESS", "ERROR", "CANCELLED"],
            load_input=False,
            load_output=False,
            limit=_FORGET_BATCH,
        ):
            await self._client.delete_workflows_async([row.workflow_id for row in rows])
            forgotten += len(rows)
        return forgotten

    async def close(self) -> None:
        """Let running jobs end for a few seconds; what does not end is run again at the next start."""
        if self._reaper is not None:
            await self._reaper.stop()
        if self._started:
            drain = _DRAIN_SECONDS if self._running else 0
            await asyncio.to_thread(DBOS.destroy, destroy_registry=True, workflow_completion_timeout_sec=drain)
            self._started = False
        self._client.destroy()
        if self._reaper is not None:
            await self._reaper.release()


def pick(backoff: tuple[float, ...], attempt: int) -> float:
    """The wait after this attempt (from 1); the last one repeats."""
    return backoff[min(attempt, len(backoff)) - 1]
