"""The funnel's counts: kept through outages, added up over processes and days, and nothing of a person among them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import redis

from bot.funnel import KEEP_DAYS, Book, BookUnavailable, Segment, Tally
from bot.redis_link import RedisLink
from bot.stores.funnel import RedisBook, SqliteBook
from dialogs.effects import Record

DAY = date(2026, 11, 23)
NOON = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "redis", "cluster"])
async def book(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Book]:
    if request.param == "sqlite":
        yield SqliteBook(tmp_path / "funnel.db")
        return
    url = request.getfixturevalue("redis_url" if request.param == "redis" else "cluster_url")
    if request.param == "redis":
        redis.Redis.from_url(url).flushall()
    else:
        redis.RedisCluster.from_url(url).flushall(target_nodes=redis.RedisCluster.PRIMARIES)
    link = await RedisLink.open(url)
    yield RedisBook(link)
    await link.close()


async def test_what_several_processes_write_is_added_up_over_the_days_that_are_asked_for(book: Book) -> None:
    asked: Segment = ("nik", "asked", "")
    refused: Segment = ("nik", "rejected", "length")
    await asyncio.gather(*(book.add(DAY, {asked: 2, refused: 1}) for _ in range(5)))
    await book.add(DAY + timedelta(days=1), {asked: 1})
    await book.add(DAY - timedelta(days=9), {asked: 100})
    assert await book.since(DAY, DAY + timedelta(days=1)) == {asked: 11, refused: 5}
    assert await book.since(DAY + timedelta(days=1), DAY + timedelta(days=1)) == {asked: 1}
    assert await book.since(DAY + timedelta(days=2), DAY + timedelta(days=2)) == {}


async def test_counts_do_not_stay_for_ever(book: Book, request: pytest.FixtureRequest) -> None:
    await book.add(DAY - timedelta(days=KEEP_DAYS + 1), {("nik", "asked", ""): 1})
    await book.add(DAY, {("nik", "asked", ""): 1})
    if "redis" in request.node.name:
        url = request.getfixturevalue("redis_url")
        assert all(redis.Redis.from_url(url).ttl(key) > 0 for key in redis.Redis.from_url(url).keys("akses:funnel:*"))
    elif "sqlite" in request.node.name:
        assert await book.since(DAY - timedelta(days=KEEP_DAYS + 9), DAY) == {("nik", "asked", ""): 1}


class Flaky:
    """A book that cannot be written for a while."""

    def __init__(self, book: Book) -> None:
        self.book, self.away = book, True

    async def add(self, day: date, counts: dict[Segment, int]) -> None:
        if self.away:
            raise BookUnavailable
        await self.book.add(day, counts)

    async def since(self, day: date, until: date) -> dict[Segment, int]:
        return dict(await self.book.since(day, until))


async def test_what_cannot_be_written_now_is_written_later_and_once(tmp_path: Path) -> None:
    book = Flaky(SqliteBook(tmp_path / "funnel.db"))
    tally = Tally(book, clock=lambda: NOON)
    tally.note(Record("nik", "asked"))
    await tally.write()
    tally.note(Record("nik", "asked"))
    book.away = False
    await tally.write()
    await tally.write()
    assert await book.since(DAY, DAY) == {("nik", "asked", ""): 2}


async def test_a_process_that_stops_writes_what_it_has_counted(tmp_path: Path) -> None:
    book = SqliteBook(tmp_path / "funnel.db")
    tally = Tally(book, clock=lambda: NOON)
    running = asyncio.create_task(tally.run())
    tally.note(Record("consent", "answered"))
    tally.stop()
    await running
    assert await book.since(DAY, DAY) == {("consent", "answered", ""): 1}


@pytest.mark.parametrize("personal", ["3174095708900001", "siti@example.com", "Siti Rahmawati", "+6281234567890"])
async def test_whatever_a_mistake_records_nothing_personal_is_written(tmp_path: Path, personal: str) -> None:
    book = SqliteBook(tmp_path / "funnel.db")
    tally = Tally(book, clock=lambda: NOON)
    tally.note(Record("nik", "rejected", personal))
    tally.note(Record(personal, "asked"))
    await tally.write()
    assert await book.since(DAY, DAY) == {("other", "other", ""): 2}


async def test_an_unreadable_book_says_so(tmp_path: Path) -> None:
    (tmp_path / "funnel.db").write_bytes(b"this is no database, and longer than its header would be" * 99)
    with pytest.raises(BookUnavailable):
        await SqliteBook(tmp_path / "funnel.db").since(DAY, DAY)
