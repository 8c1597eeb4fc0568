"""Dead letters: listed, counted, brought back, forgotten in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from akses.jobs_cli import app
from backend import housekeeping
from backend.config import Timings
from backend.database import Database
from backend.housekeeping import TIDY
from backend.jobs import APPLICATION, DeadLetterUnknown
from backend.tables import events
from tests.backend.conftest import OpenStage
from tests.backend.durable.conftest import Engine, Start
from tests.backend.durable.test_poison import Done, letters
from tests.backend.stage import until


async def idle(engine: Engine) -> bool:
    """Whether nothing is done or waits; the record of a run may be closed after the run that it asked for."""
    seen = await engine.jobs.stats()
    return not seen.waiting and not seen.running


class Mended:
    """A handler that is broken until somebody mends it."""

    def __init__(self) -> None:
        self.broken = True
        self.attempts: list[int] = []
        self.done: list[str] = []

    async def __call__(self, subject: str, attempt: int) -> None:
        self.attempts.append(attempt)
        if self.broken:
            raise KeyError(subject)
        self.done.append(subject)


async def test_a_replayed_letter_is_done_for_the_same_subject_and_counts_its_attempts_anew(start: Start) -> None:
    handler = Mended()
    async with start(work=handler) as engine:
        await engine.enqueue("work", "one")
        (letter,) = await letters(engine.jobs, 1)
        await engine.jobs.replay(letter.id)
        (again,) = await letters(engine.jobs, 1)
        assert again.id != letter.id
        assert again.subject == letter.subject == "one"
        handler.broken = False
        await engine.jobs.replay(again.id)
        await until(lambda: handler.done)
        assert handler.attempts == [1, 2, 3, 1, 2, 3, 1]
        assert (await engine.jobs.stats()).dead_total == 0
        with pytest.raises(DeadLetterUnknown):
            await engine.jobs.replay(again.id)


async def test_two_operators_who_replay_the_same_letter_bring_it_back_once(start: Start) -> None:
    handler = Mended()
    async with start(work=handler) as engine:
        await engine.enqueue("work", "one")
        (letter,) = await letters(engine.jobs, 1)
        handler.broken = False
        said = await asyncio.gather(*(engine.jobs.replay(letter.id) for _ in range(5)), return_exceptions=True)
        assert [each for each in said if not isinstance(each, DeadLetterUnknown)]
        await until(lambda: handler.done)
        await engine.enqueue("work", "last")
        await until(lambda: "last" in handler.done)
        assert handler.done == ["one", "last"]


async def test_an_event_that_the_receiver_never_took_is_replayed_under_its_id(open_stage: OpenStage) -> None:
    async with open_stage(timings=Timings(hook_backoff=(0.1, 0.1))) as stage:
        stage.receiver.answers.extend([503] * 3)
        await stage.register()
        (letter,) = await letters(stage.backend.jobs, 1)
        assert (letter.job, letter.reason) == ("deliver_event", "receiver: 503")
        await stage.backend.jobs.replay(letter.id)
        heard = await stage.receiver.events(4)
        assert {hook.id for hook in heard} == {letter.subject}
        assert len({hook.body for hook in heard}) == 1

        async def closed() -> bool:
            async with stage.backend.database.reading() as conn:
                row = (await conn.execute(sa.select(events.c.delivered_at, events.c.abandoned_at))).one()
            return row.delivered_at is not None and row.abandoned_at is None

        await until(closed)


def say(database_url: str, tmp_path: Path, words: Sequence[str]) -> Result:
    env = {
        "DATABASE_URL": "" if database_url.startswith("sqlite") else database_url,
        "DATA_DIR": str(tmp_path),
        "OPERATOR_NAME": "Contoh Operator",
    }
    return CliRunner().invoke(app, list(words), env=env)


async def test_an_operator_sees_and_replays_dead_letters_beside_the_running_product(
    start: Start, database_url: str, tmp_path: Path
) -> None:
    handler = Mended()
    async with start(work=handler) as engine:

        async def akses_jobs(*words: str) -> Result:
            return await asyncio.to_thread(say, database_url, tmp_path, words)

        assert (await akses_jobs("dead")).output == "There are no dead letters.\n"
        await engine.enqueue("work", "a", "b", "c")
        await letters(engine.jobs, 3)
        await until(lambda: idle(engine))
        seen = await akses_jobs("stats")
        assert seen.output == "waiting: nothing\nrunning: 0\ndead letters: work 3\n"
        listed = await akses_jobs("dead")
        assert sorted(line.split("  ")[:2] for line in listed.output.splitlines()) == [
            [f"work-{subject}-3", "broken: KeyError"] for subject in "abc"
        ]
        handler.broken = False
        unknown = await akses_jobs("replay", "work-z-1")
        assert (unknown.exit_code, unknown.output) == (2, "No dead letter has the id work-z-1. See: akses jobs dead\n")
        neither = await akses_jobs("replay")
        assert neither.exit_code == 2
        assert (await akses_jobs("replay", "work-b-3")).output == "1 job is back in the queue.\n"
        assert (await akses_jobs("replay", "--all")).output == "2 jobs are back in the queue.\n"
        await until(lambda: sorted(handler.done) == ["a", "b", "c"])
        assert (await akses_jobs("replay", "--all")).output == "0 jobs are back in the queue.\n"


def test_an_operator_is_told_in_words_when_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    nothing = say("sqlite://", tmp_path, ["stats"])
    assert nothing.exit_code == 2
    assert "does not exist" in nothing.output
    away = say("postgresql://akses:sekret@127.0.0.1:9/none", tmp_path, ["stats"])
    assert away.exit_code == 2
    assert "Is it running" in away.output
    assert "sekret" not in away.output


async def test_what_waits_is_counted_and_late_timers_tell_that_no_worker_runs(start: Start) -> None:
    async with start(working=False, work=Done()) as engine:
        await engine.enqueue("work", "now", "too")
        await engine.enqueue("work", "later", delay=3600)
        seen = await engine.jobs.stats()
        assert (seen.waiting, seen.running, seen.late, seen.dead) == ({"mail": 2}, 0, 0, {})
        assert 0 <= seen.oldest < 60
        await _at(engine, "work-later-1", datetime.now(UTC) - timedelta(minutes=1))
        assert (await engine.jobs.stats()).late == 1


async def _at(engine: Engine, record: str, moment: datetime) -> None:
    client = engine.jobs._client
    await client.set_workflow_delay_async(record, delay_until_epoch_ms=int(moment.timestamp() * 1000))


async def test_dead_letters_outlive_the_records_of_what_was_done(start: Start) -> None:
    handler = Mended()
    async with start(work=handler, good=Done()) as engine:
        await engine.enqueue("good", *(f"g{n}" for n in range(25)))
        await engine.enqueue("work", "dead")
        await letters(engine.jobs, 1)
        soon = datetime.now(UTC) + timedelta(hours=1)
        then = datetime.now(UTC) - timedelta(days=1)

        async def forget(limit: int) -> int:
            return await engine.jobs.forget(done_before=soon, dead_before=then, limit=limit)

        await until(lambda: idle(engine))
        # 25 good ones and the two runs before the one that died, which ended in a new run each.
        assert [await forget(10) for _ in range(4)] == [10, 10, 7, 0]
        assert (await engine.jobs.stats()).dead_total == 1
        assert await engine.jobs.forget(done_before=soon, dead_before=soon, limit=10) == 1


async def test_the_daily_tidying_forgets_millions_in_many_short_runs(open_stage: OpenStage) -> None:
    """More records than one run takes: it asks for another one, which ends the work."""
    async with open_stage() as stage:
        count = housekeeping.BATCH * housekeeping.BATCHES + 500
        jobs = stage.backend.jobs
        await until(lambda: _tidied_today(stage.backend.database))  # so that it takes no part of what follows
        await _old_records(stage.backend.database, count)

        async def left() -> int:
            async with stage.backend.database.reading() as conn:
                return int(
                    await conn.scalar(sa.select(sa.func.count()).select_from(_status(stage.backend.database)).where(OLD)) or 0
                )

        assert await left() == count
        async with stage.backend.database.writing() as conn:
            await jobs.enqueue(conn, TIDY, "2020-01-01")

        async def forgotten() -> bool:
            return await left() == 0

        await until(forgotten)
        assert await _ids(stage.backend.database, "tidy_up-2020-01-01-%") == {f"{TIDY}-2020-01-01-{run}" for run in (1, 2)}


OLD = sa.text("name = 'old'")


async def _tidied_today(database: Database) -> set[str]:
    return await _ids(database, f"{TIDY}-%", sa.text("status = 'SUCCESS'"))


async def _ids(database: Database, like: str, *where: sa.TextClause) -> set[str]:
    found = sa.select(sa.text("workflow_uuid")).select_from(_status(database))
    async with database.reading() as conn:
        return set(await conn.scalars(found.where(sa.column("workflow_uuid").like(like), *where)))


def _status(database: Database) -> sa.TableClause:
    return sa.table("workflow_status", schema=None if database.sqlite else "dbos")


async def _old_records(database: Database, count: int) -> None:
    table = "workflow_status" if database.sqlite else "dbos.workflow_status"
    ended = int((datetime.now(UTC) - timedelta(days=4)).timestamp() * 1000)
    row = sa.text(
        f"INSERT INTO {table} (workflow_uuid, status, name, created_at, updated_at, completed_at, application_name)"
        " VALUES (:id, 'SUCCESS', 'old', :at, :at, :at, :application)"
    )
    rows = [{"id": f"old-{n}-1", "at": ended, "application": APPLICATION} for n in range(count)]
    async with database.writing() as conn:
        await conn.execute(row, rows)
