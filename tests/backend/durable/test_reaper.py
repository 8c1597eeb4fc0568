"""The watch over other workers: a dead one's jobs are taken, a living one's are left alone, whatever the database does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import psycopg
import pytest
import sqlalchemy as sa

from backend.database import Database
from backend.job_records import JobRecords, Running
from backend.jobs import APPLICATION, Jobs
from backend.reaper import _SPACE, GRACE_SECONDS, LOOK_SECONDS, Reaper, _key
from tests.backend.durable.cluster import Cluster, own_cluster
from tests.backend.stage import until

GRACE = 0.4


@dataclass
class Worker:
    """A process as the reaper sees it: its name, what runs in it, and what it was asked to do."""

    executor: str
    here: frozenset[str] = frozenset()
    taken: list[str] = field(default_factory=list)
    back: list[str] = field(default_factory=list)

    async def take_over(self, executor: str) -> int:
        self.taken.append(executor)
        return 1

    async def hand_back(self, jobs: list[Running]) -> None:
        self.back += [job.id for job in jobs]


class Ward:
    """Several workers' reapers on one database."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self.url = url
        self._stack = stack

    async def reaper(self, worker: Worker, *, grace: float = GRACE, stranded: float = 60) -> Reaper:
        database = Database(self.url)
        self._stack.push_async_callback(database.close)
        reaper = Reaper(database, JobRecords(APPLICATION, sqlite=False), worker, grace=grace, stranded=stranded)
        self._stack.push_async_callback(reaper.release)
        self._stack.push_async_callback(reaper.stop)
        await reaper.claim()
        return reaper

    async def running(self, *executors: str) -> None:
        """A job for each, as it stands while that process does it."""
        database = Database(self.url)
        jobs = Jobs(database, self.url)

        async def never(_subject: str, _attempt: int) -> None:
            raise AssertionError("nobody works here")

        jobs.handle("work", never, queue="mail")
        async with database.writing() as conn:
            for executor in executors:
                await jobs.enqueue(conn, "work", executor)
                await conn.execute(
                    sa.text(
                        "UPDATE dbos.workflow_status SET status = 'PENDING', executor_id = :name WHERE workflow_uuid = :id"
                    ),
                    {"name": executor, "id": f"work-{executor}-1"},
                )
        await jobs.close()
        await database.close()

    def locks(self) -> set[int]:
        """The server processes that hold a worker's lock."""
        with psycopg.connect(self.url) as conn:
            found = conn.execute("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = 3354").fetchall()
        return {pid for (pid,) in found}


@asynccontextmanager
async def ward_on(url: str) -> AsyncIterator[Ward]:
    async with AsyncExitStack() as stack:
        yield Ward(url, stack)


@pytest.fixture
async def ward(postgres_url: str) -> AsyncIterator[Ward]:
    async with ward_on(postgres_url) as opened:
        yield opened


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with own_cluster() as opened:
        yield opened


async def look_for(seconds: float, *reapers: Reaper) -> None:
    """Let them look, again and again, for so long, and however slow the machine is, often enough for two looks to lie `seconds` apart."""
    clock = asyncio.get_running_loop().time
    end = clock() + seconds
    last = False
    while not last:
        last = clock() >= end
        await asyncio.gather(*(reaper.look() for reaper in reapers))
        await asyncio.sleep(0.05)


async def test_a_dead_process_is_taken_over_when_it_was_missing_for_a_while_and_a_living_one_never(ward: Ward) -> None:
    watcher = Worker("watcher")
    reaper = await ward.reaper(watcher)
    await ward.reaper(Worker("living"))
    await ward.running("watcher", "living", "dead")
    await reaper.look()
    assert watcher.taken == [], "at the first look nobody knows for how long it has been missing"
    await look_for(3 * GRACE, reaper)
    assert set(watcher.taken) == {"dead"}


async def test_two_reapers_at_once_take_a_dead_process_over_one_after_the_other(ward: Ward) -> None:
    """The second one finds the work done; here the jobs stay, so that it would be seen to do it in the same moment."""
    together: list[str] = []

    class Slow(Worker):
        async def take_over(self, executor: str) -> int:
            assert together == [], "another one is at it"
            together.append(executor)
            await asyncio.sleep(0.2)
            together.remove(executor)
            return await super().take_over(executor)

    workers = [Slow("a"), Slow("b"), Slow("c")]
    reapers = [await ward.reaper(worker) for worker in workers]
    await ward.running("dead")
    await look_for(5 * GRACE, *reapers)
    assert {name for worker in workers for name in worker.taken} == {"dead"}
    assert len(ward.locks()) == 3, "the dead one's lock was given back"


async def test_a_living_process_whose_connection_broke_has_its_lock_again_before_it_counts_as_dead(ward: Ward) -> None:
    watcher = Worker("watcher")
    reaper = await ward.reaper(watcher, grace=GRACE_SECONDS)
    mine = ward.locks()
    other = await ward.reaper(Worker("other"))
    (victim,) = ward.locks() - mine
    other.start()
    await ward.running("other")
    reaper.start()
    seen = set(mine)
    for _ in range(2):
        with psycopg.connect(ward.url) as conn:
            conn.execute("SELECT pg_terminate_backend(%s)", (victim,))
        seen.add(victim)
        (victim,) = await until(lambda: ward.locks() - seen)
    await asyncio.sleep(GRACE_SECONDS + LOOK_SECONDS)
    assert watcher.taken == []


async def test_a_name_that_a_session_half_dead_still_holds_is_had_as_soon_as_that_one_ends(ward: Ward) -> None:
    """The server noticed later than we did that the connection before this one is gone."""
    with psycopg.connect(ward.url) as before:
        before.execute("SELECT pg_advisory_lock(%s, %s)", (_SPACE, _key("me")))
        theirs = ward.locks()
        reaper = await ward.reaper(Worker("me"))
        await reaper.look()
        assert ward.locks() == theirs

    async def had() -> set[int]:
        await reaper.look()
        return ward.locks() - theirs

    assert len(await until(had)) == 1


async def test_after_a_restart_of_the_database_nobody_living_is_taken_for_dead_and_the_dead_one_is(cluster: Cluster) -> None:
    async with ward_on(cluster.url) as ward:
        workers = [Worker("a"), Worker("b"), Worker("c")]
        reapers = [await ward.reaper(worker, grace=GRACE_SECONDS) for worker in workers]
        await ward.running("a", "b", "c", "dead")
        for reaper in reapers:
            reaper.start()
        await asyncio.to_thread(cluster.stop)
        await asyncio.sleep(2 * LOOK_SECONDS)
        await asyncio.to_thread(cluster.start)
        await until(lambda: len(ward.locks()) >= 3)
        await until(lambda: all(worker.taken for worker in workers))
        assert {name for worker in workers for name in worker.taken} == {"dead"}


async def test_a_job_that_was_taken_here_and_does_not_run_goes_back_to_its_queue(ward: Ward) -> None:
    """The database went away between the engine's claim and its answer: the job would wait until this process ends."""
    worker = Worker("me")
    reaper = await ward.reaper(worker, stranded=GRACE)
    await ward.running("me")
    worker.here = frozenset({"work-me-1"})
    await look_for(3 * GRACE, reaper)
    assert worker.back == [], "it runs"
    worker.here = frozenset()
    await look_for(3 * GRACE, reaper)
    assert set(worker.back) == {"work-me-1"}
    assert worker.taken == []


async def test_a_released_name_is_free_at_once(ward: Ward) -> None:
    reaper = await ward.reaper(Worker("me"))
    assert len(ward.locks()) == 1
    await reaper.release()
    await until(lambda: not ward.locks())
