"""A process that starts while its database is away: it waits, or it says clearly that it cannot."""

from __future__ import annotations

import asyncio
import sqlite3
import time

import pytest
from dbos import DBOS
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

import backend
from akses.keyring import Keyring
from backend.database import Database
from backend.jobs import Jobs
from backend.waiting import DatabaseUnreachable, until_it_answers
from tests.backend.durable.cluster import own_cluster
from tests.backend.stage import stage_on, until
from tests.services import free_port


async def test_a_worker_that_starts_before_its_database_waits_and_then_works(keyring: Keyring) -> None:
    with own_cluster() as cluster:
        async with stage_on(cluster.url, keyring, role="web") as stage:
            await stage.register()
            cluster.stop()
        with capture_logs() as said:
            opening = asyncio.create_task(_works(cluster.url, keyring))
            await until(lambda: [entry for entry in said if entry["event"] == "database.awaited"])
            assert not opening.done()
            await asyncio.to_thread(cluster.start)
            assert await opening == 1


async def _works(url: str, keyring: Keyring) -> int:
    async with stage_on(url, keyring) as stage:
        return len(await stage.smtp.mails(1))


async def test_after_its_patience_it_says_so_without_naming_host_or_password() -> None:
    database = Database(f"postgresql://akses:sekret@127.0.0.1:{free_port()}/accounts")
    with capture_logs() as said, pytest.raises(DatabaseUnreachable, match="has not answered for 1 seconds"):
        await until_it_answers(database, patience=1)
    await database.close()
    assert said[-1]["event"] == "database.unreachable"
    assert 3 <= len(said) <= 6, "it asks again, later each time"
    assert "sekret" not in repr(said)
    assert "127.0.0.1" not in repr(said)


def test_handlers_share_the_loop_that_the_engine_was_started_in_also_when_it_stands_still_for_a_moment(sqlite_url: str) -> None:
    """Connections belong to a loop: one that was made in another cannot be used, nor closed."""
    seen: list[asyncio.AbstractEventLoop] = []

    async def work(_subject: str, _attempt: int) -> None:
        seen.append(asyncio.get_running_loop())

    backend.migrate(sqlite_url)
    with asyncio.Runner() as runner:
        database = Database(sqlite_url)
        jobs = Jobs(database, sqlite_url)
        jobs.handle("work", work, queue="mail")

        async def enqueue() -> None:
            async with database.writing() as conn:
                await jobs.enqueue(conn, "work", "one")

        async def ends() -> None:
            await until(lambda: seen)
            await jobs.close()
            await database.close()

        runner.run(jobs.start())
        runner.run(enqueue())
        time.sleep(1)  # meanwhile the job is due, and the loop does not run
        runner.run(ends())
        assert seen == [runner.get_loop()]


async def test_an_engine_whose_database_is_busy_is_launched_again(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    launch, busy, done = DBOS.launch, [1, 2], list[str]()

    def launched() -> None:
        if busy:
            busy.pop()
            raise OperationalError("UPDATE application_versions", {}, sqlite3.OperationalError("database is locked"))
        launch()

    async def work(subject: str, _attempt: int) -> None:
        done.append(subject)

    monkeypatch.setattr(DBOS, "launch", launched)
    backend.migrate(sqlite_url)
    database = Database(sqlite_url)
    jobs = Jobs(database, sqlite_url)
    jobs.handle("work", work, queue="mail")
    with capture_logs() as said:
        await jobs.start()
    assert [entry["event"] for entry in said if entry["event"] == "jobs.launched_again"] == ["jobs.launched_again"] * 2
    async with database.writing() as conn:
        await jobs.enqueue(conn, "work", "one")
    await until(lambda: done == ["one"])
    await jobs.close()
    await database.close()
