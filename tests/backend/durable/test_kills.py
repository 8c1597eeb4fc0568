"""Nothing is lost when processes are killed or the database goes away; what comes twice bears the id of the first time.

Long: real processes (`python -m akses worker`, `python -m akses run`), real PostgreSQL, SMTP and HTTP.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.backend.durable.cluster import own_cluster
from tests.backend.durable.town import Town, embedded, production, repeated, until

pytestmark = pytest.mark.journey

PATIENCE = 400.0  # seconds; only a failing test on a busy machine waits so long
PEOPLE = 500
KILLS = 20
MAILED, EXPIRED = "registration.mailed", "registration.expired"
Say = Callable[[str], None]


@pytest.fixture
def say(capfd: pytest.CaptureFixture[str]) -> Say:
    """Writes a line that is read also when the test passes."""

    def write(line: str) -> None:
        with capfd.disabled():
            sys.stdout.write(f"\n{line}\n")

    return write


def marks(count: int, people: int) -> list[int]:
    """When to kill: evenly, from the first to nearly the last."""
    return [1 + number * (people - people // 20) // count for number in range(count)]


async def reached(look: Callable[[], Awaitable[int]], count: int) -> None:
    async def there() -> bool:
        return await look() >= count

    await until(there, seconds=PATIENCE)


async def whole_story(town: Town, people: int, kills: int, say: Say, title: str) -> None:
    """People register, are mailed, and let their links expire, while processes are killed at their work."""
    began = time.monotonic()
    in_mails = kills * 3 // 5
    try:
        async with asyncio.timeout(PATIENCE):
            registering = asyncio.create_task(town.register(people))
            await town.kill_at(lambda: len(town.post.ids), *marks(in_mails, people))
            await registering
            await reached(town.mailed, people)
            await reached(lambda: town.told(MAILED), people)
            await town.let_all_links_expire()
            await town.kill_at(lambda: len(town.ear.ids(EXPIRED)), *marks(kills - in_mails, people))
            await reached(lambda: town.told(EXPIRED), people)
            left = await until(town.idle, seconds=PATIENCE)
    except TimeoutError:
        figures = (len(town.post.ids), await town.mailed(), await town.told(MAILED), await town.told(EXPIRED))
        pytest.fail(
            f"unfinished after {PATIENCE:.0f} s and {town.kills} kills: {figures}; {await town.jobs.stats()}\n{town.log()}"
        )
    lost = [people - len(found) for found in (town.post.ids, town.ear.ids(MAILED), town.ear.ids(EXPIRED))]
    twice = [repeated(found) for found in (town.post.ids, town.ear.ids(MAILED), town.ear.ids(EXPIRED))]
    say(
        f"{title}: {people} registrations, {town.kills} kills in {time.monotonic() - began:.0f} s; "
        f"lost: {lost[0]} mails, {lost[1]} mailed events, {lost[2]} expired events; "
        f"sent twice under the same id: {twice[0]} mails, {twice[1]} + {twice[2]} events; dead letters: {left.dead_total}"
    )
    assert lost == [0, 0, 0]
    assert len(town.post.bytes) == people, "what is sent twice is the same mail, byte for byte"
    assert len(town.ear.bytes) == 2 * people
    assert await town.mailed() == await town.expired() == people
    assert left.dead == {}
    assert town.kills == kills

    # The end of the last one may be noticed a moment later.
    async def ended() -> int:
        return sum(len(process.ends) for process in town.processes)

    await reached(ended, kills)
    assert {code for process in town.processes for code in process.ends} == {-9}, "nobody ended of himself"


async def test_twenty_kills_of_workers_lose_nothing(postgres_url: str, tmp_path: Path, say: Say) -> None:
    async with production(postgres_url, tmp_path, workers=2) as town:
        await whole_story(town, PEOPLE, KILLS, say, "PostgreSQL, 2 workers")


async def test_kills_of_the_embedded_product_lose_nothing(tmp_path: Path, say: Say) -> None:
    async with embedded(tmp_path) as town:
        await whole_story(town, PEOPLE // 2, KILLS // 2, say, "SQLite, 1 process")


async def test_restarts_of_the_database_lose_nothing(tmp_path: Path, say: Say) -> None:
    """PostgreSQL is stopped as if it had crashed, and started again, three times while registrations come and jobs run."""
    people, began = PEOPLE // 2, time.monotonic()
    with own_cluster() as cluster:
        async with production(cluster.url, tmp_path, workers=2) as town, asyncio.timeout(PATIENCE):
            registering = asyncio.create_task(town.register(people))
            for mark in marks(3, people):
                await until(lambda mark=mark: len(town.post.ids) >= mark, seconds=PATIENCE)  # type: ignore[misc]
                await asyncio.to_thread(cluster.stop)
                await asyncio.to_thread(cluster.start)
            await registering
            await reached(town.mailed, people)
            await reached(lambda: town.told(MAILED), people)
            left = await until(town.idle, seconds=PATIENCE)
            twice = repeated(town.post.ids), repeated(town.ear.ids(MAILED))
            say(
                f"PostgreSQL stopped 3 times, 2 workers: {people} registrations in {time.monotonic() - began:.0f} s; "
                f"lost: {people - len(town.post.ids)} mails, {people - len(town.ear.ids(MAILED))} events; "
                f"sent twice under the same id: {twice[0]} mails, {twice[1]} events; dead letters: {left.dead_total}"
            )
            assert len(town.post.ids) == len(town.ear.ids(MAILED)) == people
            assert left.dead == {}
            assert [process.ends for process in town.processes] == [[], []], "the workers stayed up"
