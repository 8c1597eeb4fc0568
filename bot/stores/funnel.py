"""The funnel's books: a SQLite file of one machine, or Redis for any number of processes.

Lives here: writing counts down and adding them up. Must not live here: what is counted (`bot/funnel.py`). Nothing here is sealed: there is
nothing of a person in it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from bot.funnel import KEEP_DAYS, BookUnavailable, Segment
from bot.redis_link import RedisLink, RedisUnavailable, Script
from bot.stores.redis import pairs

_SCHEMA: Final = """
create table if not exists segment (
    day text not null, step text not null, what text not null, code text not null, number integer not null,
    primary key (day, step, what, code)
) without rowid
"""
_ADD: Final = """
insert into segment values (?, ?, ?, ?, ?) on conflict (day, step, what, code) do update set number = number + excluded.number
"""
_SINCE: Final = "select step, what, code, sum(number) from segment where day between ? and ? group by step, what, code"


class SqliteBook:
    """A file of its own, so that it can be read beside the running product."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, timeout=5)) as connection, connection:
                connection.execute(_SCHEMA)
                yield connection
        except sqlite3.Error as error:
            raise BookUnavailable(type(error).__name__) from error

    async def add(self, day: date, counts: Mapping[Segment, int]) -> None:
        def work() -> None:
            with self._opened() as sql:
                sql.executemany(_ADD, [(day.isoformat(), *segment, number) for segment, number in counts.items()])
                sql.execute("delete from segment where day < ?", ((day - timedelta(days=KEEP_DAYS)).isoformat(),))

        await asyncio.to_thread(work)

    async def since(self, day: date, until: date) -> Mapping[Segment, int]:
        def work() -> dict[Segment, int]:
            with self._opened() as sql:
                rows = sql.execute(_SINCE, (day.isoformat(), until.isoformat()))
                return {(step, what, code): number for step, what, code, number in rows}

        return await asyncio.to_thread(work)


# KEYS: the day. ARGV: seconds to keep it, [field, number]...
_COUNT: Final = Script("""
for at = 2, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[at], ARGV[at + 1]) end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
""")


class RedisBook:
    """A hash a day: `step what code` -> number. The link is not the book's to close."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def add(self, day: date, counts: Mapping[Segment, int]) -> None:
        pairs = (word for segment, number in counts.items() for word in (" ".join(segment), number))
        try:
            await self._link.run(_COUNT, (_key(day),), KEEP_DAYS * 86400, *pairs)
        except RedisUnavailable as error:
            raise BookUnavailable(str(error)) from error

    async def since(self, day: date, until: date) -> Mapping[Segment, int]:
        days = [day + timedelta(days=number) for number in range((until - day).days + 1)]
        try:
            found = await asyncio.gather(*(self._link.do("HGETALL", _key(each)) for each in days))
        except RedisUnavailable as error:
            raise BookUnavailable(str(error)) from error
        sums: Counter[Segment] = Counter()
        for counts in found:
            for field, number in pairs(counts):
                step, what, code = field.decode().split(" ", 2)
                sums[step, what, code] += int(number)
        return sums


def _key(day: date) -> str:
    return f"akses:funnel:{day.isoformat()}"
