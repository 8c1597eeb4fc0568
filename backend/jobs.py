"""Durable work: what must still happen after a crash, an outage or a restart, as jobs with a name and the id of their subject.

Lives here: the one place that changes the engine's records (DBOS), its queues and its rules (docs/durable-work.md). Must not live here:
what a job does; the owner of the work registers a handler. A job is written in the caller's own transaction, so it exists exactly when
the fact that causes it does. It runs at least once; handlers are written so that twice does no harm. A job that must be tried again
becomes a new, delayed job; nothing sleeps in memory. What cannot be done becomes a dead letter: kept, counted, replayable. Arguments are
ids only: this engine's tables are readable by whoever reads the database.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, Protocol, assert_never

import sqlalchemy as sa
import structlog
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer, EnqueueOptions
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.database import Database, plain_url
from backend.job_records import FALLS, REASON, TRACE, DeadLetter, JobRecords, Running, Stats
from backend.reaper import GRACE_SECONDS, STRANDED_SECONDS, Reaper
from backend.traces import UNTRACED, Traces

log = structlog.get_logger(__name__)

Queue = Literal["mail", "hooks", "timers"]

# A changed shape of a job needs a new version and a drained queue: the engine never runs a job under another version.
VERSION: Final = "1"
APPLICATION: Final = "akses-backend"
CONCURRENCY: Final = 20
# Seconds between two looks into a queue: the wait of somebody who watches the chat, against an idle processor.
POLLING: Final[dict[Queue, float]] = {"mail": 0.15, "hooks": 0.15, "timers": 1.0}
# Suspects run here, one at a time in each process: none can take another one with it.
ALONE: Final = "alone"
ALONE_POLLING: Final = 0.1
# Seconds before a job whose handler broke unexpectedly is tried again: half a day in all, for a defect that an operator mends.
BROKEN_BACKOFF: Final = (1.0, 5.0, 30.0, 300.0, 1800.0, 3600.0, 10800.0, 21600.0)
# A process that dies takes its jobs with it, the guilty and the innocent. After this many deaths a job is a suspect and runs alone ...
FALLS_AMONG_OTHERS: Final = 1
# ... and after one more than this it is the culprit: a dead letter.
FALLS_ALLOWED: Final = 4
KILLER: Final = "killed its process"
_DRAIN_SECONDS: Final = 5
# Between the tries to launch the engine while its database is busy (seconds).
_LAUNCH_PAUSES: Final = (0.2, 1.0, 3.0, 5.0)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds. The defaults are the product's; tests shorten them."""

    # Until a handler that does not end counts as broken, so that it cannot hold its place in the queue for ever.
    handler: float = 120.0
    broken: tuple[float, ...] = BROKEN_BACKOFF
    # Until a process that is missing counts as dead, and a job that was taken and does not run as lost (`reaper.py`).
    grace: float = GRACE_SECONDS
    stranded: float = STRANDED_SECONDS


@dataclass(frozen=True, slots=True)
class Again:
    """What a handler answers when the job is to be tried again in so many seconds."""

    after: float


@dataclass(frozen=True, slots=True)
class Dead:
    """What a handler answers when trying again is no use before somebody has looked; `reason` is a code for operators, never data."""

    reason: str


Handler = Callable[[str, int], Awaitable[Again | Dead | None]]
"""Gets the subject's id and the number of the attempt, from 1."""


class DeadLetterUnknown(LookupError):
    """No dead letter has this id (any more)."""


class _GivenUp(Exception):
    """Ends a job's record as a failure; its text is the reason's code."""


class Enqueue(Protocol):
    """The part of `Jobs` that the owners of facts need."""

    async def enqueue(self, conn: AsyncConnection, job: str, subject: str, *, delay: float = 0, priority: int = 1) -> None: ...


class Jobs:
    """Enqueue everywhere; `start` only in the process that also does the work."""

    def __init__(
        self,
        database: Database,
        database_url: str,
        *,
        patience: Patience | None = None,
        observe: Callable[[str, str, float], None] = lambda *_: None,
        traces: Traces = UNTRACED,
    ) -> None:
        """`observe` is told of each attempt: the job, what it came to (done, again, dead, broken) and the seconds that it took."""
        self._database = database
        self._observe = observe
        self._traces = traces
        self._url = plain_url(database_url)
        self._serializer = DBOSPortableJSONSerializer()
        self._client = DBOSClient(
            system_database_url=self._url,
            serializer=self._serializer,
            lazy=True,
            application_name=APPLICATION,
            retry_connection_errors=False,  # whoever calls knows better what an outage means for it
        )
        self._records = JobRecords(APPLICATION, sqlite=database.sqlite)
        self._patience = patience or Patience()
        self._queues: dict[str, Queue] = {}
        self._handlers: dict[str, Handler] = {}
        # Unique for every start: a process that comes back must not be taken for the one that died.
        self.executor = "embedded" if database.sqlite else f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._running: dict[str, asyncio.Task[Any] | None] = {}
        self._reaper: Reaper | None = None
        self._started = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def handle(self, job: str, handler: Handler, *, queue: Queue) -> None:
        """Say who does the jobs of this name. To be called before `start`, in every process that enqueues or works."""
        self._queues[job] = queue
        self._handlers[job] = handler

    async def enqueue(self, conn: AsyncConnection, job: str, subject: str, *, delay: float = 0, priority: int = 1) -> None:
        """Write the job into the caller's transaction. The same job for the same subject is written once."""
        await self._write(conn, self._queues[job], job, subject, 1, delay=delay, priority=priority)
        log.info("job.enqueued", job=job, subject=subject)  # under the name of the request that causes it

    async def _write(
        self,
        conn: AsyncConnection,
        queue: str,
        job: str,
        subject: str,
        run: int,
        *,
        before: int = 0,
        breaks: int = 0,
        delay: float = 0,
        priority: int = 1,
    ) -> None:
        """`run` numbers the runs of a job for ever; those `before` a replay do not count as its attempts."""
        options = EnqueueOptions(workflow_name=job, queue_name=queue, workflow_id=f"{job}-{subject}-{run}", priority=priority)
        if delay > 0:
            options["delay_seconds"] = delay
        if carried := self._traces.carried():
            options["attributes"] = {TRACE: dict(carried)}

        def write(connection: sa.Connection) -> None:
            self._client.enqueue_in_transaction(connection, options, subject, run, before, breaks)

        await conn.run_sync(write)

    # --- doing the work

    async def start(self) -> None:
        """Begin to work, inside the running loop: handlers share it with the rest of the process."""
        self._loop = asyncio.get_running_loop()
        if self._database.sqlite:
            await self.take_over(self.executor)  # what the process before this one left
        else:
            self._reaper = Reaper(
                self._database, self._records, self, grace=self._patience.grace, stranded=self._patience.stranded
            )
            await self._reaper.claim()  # before launch: nobody may take this process for dead while its jobs run
        for queue, seconds in POLLING.items():
            await self._client.register_queue_async(queue, worker_concurrency=CONCURRENCY, polling_interval_sec=seconds)
        await self._client.register_queue_async(ALONE, worker_concurrency=1, polling_interval_sec=ALONE_POLLING)
        for pause in (*_LAUNCH_PAUSES, None):
            self._prepare()
            try:
                DBOS.launch()
                break
            except Exception as error:
                # Half launched it would refuse whoever starts it next in this process.
                await asyncio.to_thread(DBOS.destroy, destroy_registry=True, workflow_completion_timeout_sec=0)
                # SQLite has one writer at a time, and the engine does not wait for its turn here.
                if pause is None or not isinstance(error, OperationalError):
                    raise
                log.warning("jobs.launched_again", error=type(error).__name__)
            await asyncio.sleep(pause)
        self._started = True
        if self._reaper is not None:
            self._reaper.start()

    def _prepare(self) -> None:
        """Make the engine know itself, the jobs and the queues."""
        DBOS(
            config=DBOSConfig(
                name=APPLICATION,
                system_database_url=self._url,
                application_version=VERSION,
                serializer=self._serializer,
                executor_id=self.executor,
                log_level="WARNING",
                run_migrations=False,
            )
        )
        for job, handler in self._handlers.items():
            self._register(job, handler)
        DBOS.listen_queues([*POLLING, ALONE])

    def _register(self, job: str, handler: Handler) -> None:
        async def work(subject: str, run: int, before: int = 0, breaks: int = 0) -> None:
            await self._at_home(self._one(job, handler, subject, run, before, breaks))

        work.__qualname__ = job
        # The engine counts only its own dequeues; how often a process fell is counted by `take_over`.
        DBOS.workflow(name=job, max_recovery_attempts=None)(work)

    async def _at_home(self, work: Coroutine[None, None, None]) -> None:
        """In the loop of `start`, to which everything belongs that handlers use. While that loop does not run (between two steps of
        whoever drives it by hand, as tests do) the engine would take one of its own.
        """
        if asyncio.get_running_loop() is self._loop:
            await work
        else:
            assert self._loop is not None
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def _one(self, job: str, handler: Handler, subject: str, run: int, before: int, breaks: int) -> None:
        record = f"{job}-{subject}-{run}"
        self._running[record] = asyncio.current_task()
        try:
            with self._traces.span(f"job.{job}", await self._carried(record)):
                await self._work(job, handler, subject, run, before, breaks)
        finally:
            self._running.pop(record, None)

    async def _work(self, job: str, handler: Handler, subject: str, run: int, before: int, breaks: int) -> None:
        outcome: Again | Dead | None
        began, told = time.perf_counter(), ""
        try:
            # What the handler logs bears the job that it is about.
            with structlog.contextvars.bound_contextvars(job=job, subject=subject):
                async with asyncio.timeout(self._patience.handler):
                    outcome = await handler(subject, run - before)
            breaks = 0
        except Exception as error:  # noqa: BLE001 - a job must never be lost, neither to a defect nor to an outage
            # Told by its type alone: the message of an error may hold personal data.
            what = type(error).__name__
            told = "broken"
            log.error("job.broken", job=job, subject=subject, attempt=run - before, error=what)
            waits = self._patience.broken
            outcome = Again(waits[breaks]) if breaks < len(waits) else Dead(f"broken: {what}")
            breaks += 1
        told = told or ("done" if outcome is None else type(outcome).__name__.lower())
        self._observe(job, told, time.perf_counter() - began)
        match outcome:
            case None:
                return
            case Again(after):

                async def reschedule() -> None:
                    async with self._database.writing() as conn:
                        queue = self._queues[job]
                        await self._write(conn, queue, job, subject, run + 1, before=before, breaks=breaks, delay=after)

                await _surely(reschedule, job, subject)
            case Dead(reason):
                record = f"{job}-{subject}-{run}"
                await _surely(lambda: self._note(record, {REASON: reason}), job, subject)
                log.error("job.dead", job=job, subject=subject, reason=reason)
                raise _GivenUp(reason)
            case _:
                assert_never(outcome)

    async def _carried(self, record: str) -> Mapping[str, str]:
        """The trace in which this job was enqueued; to be had or not, the job is done."""
        if not self._traces.on:
            return {}
        try:
            async with self._database.reading() as conn:
                return await self._records.trace(conn, record)
        except SQLAlchemyError as error:
            log.warning("job.trace_unknown", error=type(error).__name__)
            return {}

    async def _note(self, record: str, note: dict[str, str | int]) -> None:
        await self._client.update_workflow_attributes_async(record, dict(note), merge=True)

    # --- what processes leave behind

    @property
    def here(self) -> frozenset[str]:
        """The records of the jobs that really run in this process."""
        return frozenset(self._running)

    async def take_over(self, executor: str) -> int:
        """Give the jobs of a dead process to the living; how many there were. One that has seen too many deaths becomes a dead letter."""
        async with self._database.reading() as conn:
            fallen = await self._records.running(conn, executor)
        back: dict[str, list[str]] = defaultdict(list)
        for job in fallen:
            falls = job.falls + 1
            await self._note(job.id, {FALLS: falls})
            if falls > FALLS_ALLOWED:
                await self._note(job.id, {REASON: KILLER})
                await self._client.cancel_workflow_async(job.id)
                log.error("job.dead", job=job.job, record=job.id, reason=KILLER)
            elif falls > FALLS_AMONG_OTHERS:
                back[ALONE].append(job.id)
            else:
                back[self._queues.get(job.job, ALONE)].append(job.id)
        for queue, records in back.items():
            await self._client.resume_workflows_async(records, queue_name=queue)
        return len(fallen)

    async def hand_back(self, jobs: list[Running]) -> None:
        """Put jobs that this process took and does not do back into their queue; nobody died, so it does not count."""
        back: dict[str, list[str]] = defaultdict(list)
        for job in jobs:
            back[self._queues.get(job.job, ALONE) if job.falls <= FALLS_AMONG_OTHERS else ALONE].append(job.id)
        for queue, records in back.items():
            await self._client.resume_workflows_async(records, queue_name=queue)

    # --- what operators see and do

    async def stats(self) -> Stats:
        """For metrics and the doctor."""
        async with self._database.reading() as conn:
            return await self._records.stats(conn)

    async def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """Oldest first."""
        async with self._database.reading() as conn:
            return await self._records.dead(conn, limit=limit)

    async def replay(self, letter: str) -> DeadLetter:
        """Enqueue a dead letter's job anew, for the same subject, so that its effects are the same ones; alone, for it is suspect.

        Raises DeadLetterUnknown.
        """
        async with self._database.writing() as conn:
            found = await self._records.dead(conn, limit=1, only=letter)
            if not found:
                raise DeadLetterUnknown(letter)
            dead = found[0]
            await self._write(conn, ALONE, dead.job, dead.subject, dead.run + 1, before=dead.run)
        # After the commit: a crash between the two leaves the letter listed, and a second replay writes nothing new.
        await self._client.delete_workflows_async([dead.id])
        return dead

    async def forget(self, *, done_before: datetime, dead_before: datetime, limit: int) -> int:
        """Delete the records of at most `limit` jobs that were done, or dead, before these times; how many there were."""
        async with self._database.reading() as conn:
            ended = await self._records.ended(conn, done_before=done_before, dead_before=dead_before, limit=limit)
        if ended:
            await self._client.delete_workflows_async(list(ended))
        return len(ended)

    async def forward(self, seconds: float) -> None:
        """Let every delayed job come due that much earlier: for a simulator, whose clock was stepped by as much."""
        for waiting in await self._client.list_workflows_async(status="DELAYED", load_input=False, load_output=False):
            due = (waiting.delay_until_epoch_ms or 0) - int(seconds * 1000)
            await self._client.set_workflow_delay_async(waiting.workflow_id, delay_until_epoch_ms=max(due, 0))

    async def close(self) -> None:
        """Let running jobs end for a few seconds; what does not end goes back into its queue for another process, or the next start."""
        if self._reaper is not None:
            await self._reaper.stop()
        if self._started:
            drain = _DRAIN_SECONDS if self._running else 0
            await asyncio.to_thread(DBOS.destroy, destroy_registry=True, workflow_completion_timeout_sec=drain)
            self._started = False
            # What still runs, or began meanwhile, ends here, or it would hold a connection of a database that is closed next.
            broken_off = [task for task in self._running.values() if task is not None]
            for task in broken_off:
                task.cancel()
            await asyncio.gather(*broken_off, return_exceptions=True)
            try:
                async with self._database.reading() as conn:
                    left = await self._records.running(conn, self.executor)
                await self.hand_back(left)
            except SQLAlchemyError as error:  # the others will find them
                log.warning("jobs.not_handed_back", error=type(error).__name__)
        self._client.destroy()
        if self._reaper is not None:
            await self._reaper.release()


async def _surely(write: Callable[[], Awaitable[None]], job: str, subject: str) -> None:
    """Write it as soon as the database lets us: what becomes of a job must not be lost to an outage."""
    while True:
        try:
            return await write()
        except Exception as error:  # noqa: BLE001 - the same
            log.error("job.not_recorded", job=job, subject=subject, error=type(error).__name__)
            await asyncio.sleep(1)


def pick(backoff: tuple[float, ...], attempt: int) -> float:
    """The wait after this attempt (from 1); the last one repeats."""
    return backoff[min(attempt, len(backoff)) - 1]
