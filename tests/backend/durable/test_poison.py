"""Poison among good jobs: handlers that raise, hang, or take their process with them."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path

import sqlalchemy as sa

import backend
from backend.database import Database
from backend.job_records import DeadLetter
from backend.jobs import CONCURRENCY, FALLS_ALLOWED, KILLER, Dead, Jobs
from tests.backend.durable.conftest import Start
from tests.backend.stage import until

SECRET_WORDS = "rahasia@example.com"


class Done:
    def __init__(self) -> None:
        self.subjects: Counter[str] = Counter()

    async def __call__(self, subject: str, _attempt: int) -> None:
        self.subjects[subject] += 1


async def letters(jobs: Jobs, count: int) -> list[DeadLetter]:
    async def look() -> list[DeadLetter] | None:
        found = await jobs.dead_letters()
        return found if len(found) >= count else None

    return await until(look)


async def test_handlers_that_always_raise_become_dead_letters_and_delay_nobody(start: Start) -> None:
    done, tried = Done(), Counter[str]()

    async def broken(subject: str, _attempt: int) -> None:
        tried[subject] += 1
        raise ValueError(SECRET_WORDS)

    async with start(good=done, broken=broken) as engine:
        poison = [f"p{n}" for n in range(2 * CONCURRENCY)]
        await engine.enqueue("broken", *poison)
        await engine.enqueue("good", *(f"g{n}" for n in range(50)))
        await until(lambda: len(done.subjects) == 50)
        dead = await letters(engine.jobs, len(poison))
        assert set(done.subjects.values()) == {1}
        assert tried == dict.fromkeys(poison, 3), "the first attempt and one for each wait"
        assert {(letter.job, letter.reason) for letter in dead} == {("broken", "broken: ValueError")}
        assert sorted(letter.subject for letter in dead) == sorted(poison)
        assert all(letter.died_at >= letter.enqueued_at for letter in dead)
        seen = await engine.jobs.stats()
        assert (seen.dead, seen.dead_total, seen.waiting, seen.running, seen.late) == ({"broken": 40}, 40, {}, 0, 0)
        await _is_nowhere(engine.database, SECRET_WORDS)


async def _is_nowhere(database: Database, words: str) -> None:
    """No table of the database holds these words: neither ours nor the engine's."""
    async with database.reading() as conn:
        schema = None if database.sqlite else "dbos"
        names = await conn.run_sync(lambda sync: sa.inspect(sync).get_table_names(schema=schema))
        assert "workflow_status" in names
        for name in names:
            rows = (await conn.execute(sa.select(sa.text("*")).select_from(sa.table(name, schema=schema)))).all()
            assert words not in repr(rows), name


async def test_a_handler_that_gives_up_is_not_tried_again(start: Start) -> None:
    tried = Counter[str]()

    async def given_up(subject: str, _attempt: int) -> Dead:
        tried[subject] += 1
        return Dead("receiver: 503")

    async with start(hopeless=given_up) as engine:
        await engine.enqueue("hopeless", "one")
        (letter,) = await letters(engine.jobs, 1)
        assert (letter.id, letter.subject, letter.reason, tried["one"]) == ("hopeless-one-1", "one", "receiver: 503", 1)


async def test_handlers_that_hang_give_their_places_back(start: Start) -> None:
    """More of them than places in the queue, written before the good ones."""
    done = Done()

    async def hang(_subject: str, _attempt: int) -> None:
        await asyncio.Event().wait()

    async with start(good=done, hang=hang, patience={"handler": 0.5, "broken": (0.1,)}) as engine:
        await engine.enqueue("hang", *(f"h{n}" for n in range(CONCURRENCY + 5)))
        await engine.enqueue("good", *(f"g{n}" for n in range(10)))
        await until(lambda: len(done.subjects) == 10)
        dead = await letters(engine.jobs, CONCURRENCY + 5)
        assert {letter.reason for letter in dead} == {"broken: TimeoutError"}


async def test_a_job_that_kills_its_process_is_found_out_and_takes_no_innocent_one_with_it(
    database_url: str, tmp_path: Path
) -> None:
    """A supervisor starts the process again each time; every good job is done, the killer alone ends as a dead letter."""
    backend.migrate(database_url)
    diary = tmp_path / "diary"
    database = Database(database_url)
    jobs = Jobs(database, database_url)
    for name in ("good", "kill"):
        jobs.handle(name, Done(), queue="mail")
    good = [f"g{n}" for n in range(2 * CONCURRENCY)]
    async with database.writing() as conn:
        for subject in good[:5]:
            await jobs.enqueue(conn, "good", subject)
        await jobs.enqueue(conn, "kill", "k")
        for subject in good[5:]:
            await jobs.enqueue(conn, "good", subject)
    deaths = 0
    process = await _child(database_url, diary)
    try:
        async with asyncio.timeout(120):
            while not (dead := await jobs.dead_letters()) or set(_read(diary)) != set(good):
                if process.returncode is not None:
                    assert process.returncode == 9
                    deaths += 1
                    process = await _child(database_url, diary)
                await asyncio.sleep(0.05)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await jobs.close()
        await database.close()
    assert [(letter.job, letter.subject, letter.reason) for letter in dead] == [("kill", "k", KILLER)]
    assert deaths == FALLS_ALLOWED + 1


def _read(diary: Path) -> list[str]:
    return diary.read_text("ascii").split() if diary.exists() else []


async def _child(database_url: str, diary: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.backend.durable.child", database_url, str(diary))
