"""Durable work: written with its fact, done after a death, a defect, or a delay."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from dbos import DBOS

import backend
from akses.keyring import Keyring
from backend.database import Database
from backend.housekeeping import TIDY
from backend.jobs import Again, Handler, Jobs
from tests.backend.stage import SECONDS, SmtpSink, Stage, child, stage_on, until


@asynccontextmanager
async def working(database_url: str, handler: Handler) -> AsyncIterator[tuple[Database, Jobs]]:
    backend.migrate(database_url)
    database = Database(database_url)
    jobs = Jobs(database, database_url)
    jobs.handle("work", handler, queue="mail")
    await jobs.start()
    try:
        yield database, jobs
    finally:
        await jobs.close()
        await database.close()


class Diary:
    """A handler that keeps what it was asked to do and answers what it was told to."""

    def __init__(self, *answers: Again | Exception | None) -> None:
        self.done: list[tuple[str, int]] = []
        self.answers = list(answers)

    async def __call__(self, subject: str, attempt: int) -> Again | None:
        self.done.append((subject, attempt))
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_a_job_exists_exactly_when_its_fact_does(database_url: str) -> None:
    diary = Diary()
    async with working(database_url, diary) as (database, jobs):
        async with database.engine.connect() as conn:
            await jobs.enqueue(conn, "work", "undone")
            await conn.rollback()
        for _ in range(2):
            async with database.writing() as conn:
                await jobs.enqueue(conn, "work", "kept")
        await until(lambda: diary.done)
        await asyncio.sleep(0.5)
        assert diary.done == [("kept", 1)]


async def test_a_job_that_says_again_or_breaks_is_tried_again(database_url: str) -> None:
    diary = Diary(Again(0.1), ValueError("a defect"), None)
    async with working(database_url, diary) as (database, jobs):
        async with database.writing() as conn:
            await jobs.enqueue(conn, "work", "one")
        await until(lambda: len(diary.done) == 3)
        assert diary.done == [("one", 1), ("one", 2), ("one", 3)]


async def test_handlers_run_in_the_loop_of_the_process(database_url: str) -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    async def handler(_subject: str, _attempt: int) -> None:
        loops.append(asyncio.get_running_loop())

    async with working(database_url, handler) as (database, jobs):
        async with database.writing() as conn:
            await jobs.enqueue(conn, "work", "one")
        await until(lambda: loops)
        assert loops == [asyncio.get_running_loop()]


async def test_a_job_that_runs_on_when_the_process_stops_is_broken_off_and_done_at_the_next_start(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.jobs._DRAIN_SECONDS", 1)
    begun, ended = asyncio.Event(), asyncio.Event()

    async def endless(_subject: str, _attempt: int) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with working(database_url, endless) as (database, jobs):
        async with database.writing() as conn:
            await jobs.enqueue(conn, "work", "one")
        await begun.wait()
    assert ended.is_set(), "nothing may hold a connection of a database that is closed"
    diary = Diary()
    async with working(database_url, diary):
        await until(lambda: diary.done)
        assert diary.done == [("one", 1)]


async def test_the_records_of_finished_jobs_are_forgotten(database_url: str) -> None:
    diary = Diary()
    async with working(database_url, diary) as (database, jobs):
        async with database.writing() as conn:
            await jobs.enqueue(conn, "work", "one")
            await jobs.enqueue(conn, "work", "later", delay=3600)
        await until(lambda: _ended(1))
        then, soon = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(seconds=2)
        assert await jobs.forget(done_before=then, dead_before=soon, limit=10) == 0
        assert await jobs.forget(done_before=soon, dead_before=then, limit=10) == 1
        left = await DBOS.list_workflows_async()
        assert [job.workflow_id for job in left] == ["work-later-1"]


async def _ended(count: int) -> bool:
    return len(await DBOS.list_workflows_async(status="SUCCESS")) == count


async def test_the_house_is_tidied_every_day_by_a_job_that_asks_for_the_next(stage: Stage) -> None:
    today = datetime.now(UTC).date()

    async def tidied() -> bool:
        jobs = await DBOS.list_workflows_async(workflow_id_prefix=TIDY)
        days = [date.fromisoformat(job.workflow_id.removeprefix(f"{TIDY}-")[:10]) for job in jobs]
        return (
            [job.status for job in jobs] == ["SUCCESS", "DELAYED"] and days[1] - days[0] == timedelta(days=1) and today in days
        )

    await until(tidied)


async def test_a_worker_that_was_killed_leaves_its_jobs_to_a_living_one(
    postgres_url: str, keyring: Keyring, keyring_file: Path
) -> None:
    """Two workers on PostgreSQL under names of their own: what the dead one had begun, the other one does."""
    deaf = SmtpSink()
    begun: list[bool] = []

    async def hang(*_: object) -> str:
        begun.append(True)
        await asyncio.sleep(3600)
        return "250 never"

    deaf.handle_DATA = hang  # type: ignore[method-assign]
    await deaf.open()
    try:
        async with child(postgres_url, keyring_file, deaf.url) as dying:
            assert dying.stdout is not None
            registration = (await asyncio.wait_for(dying.stdout.readline(), SECONDS)).decode().strip()
            await until(lambda: begun)
            async with stage_on(postgres_url, keyring) as stage:
                await asyncio.sleep(2.5)
                assert (len(begun), stage.smtp.taken) == (1, []), "a living worker's job is left to it"
                dying.send_signal(signal.SIGKILL)
                await dying.wait()
                await stage.until_mail(registration, "accepted")
                assert len(stage.smtp.taken) == 1
    finally:
        await deaf.close()
