"""The dialog store of the embedded product: one SQLite file, written by one thread; a turn is one transaction on disk.

Lives here: SQL for `bot/stores/port.py`. Must not live here: what the bytes mean. All bodies come sealed; only ids, times and counts are
in the clear. synchronous=FULL: a turn that was answered survives the power going, which costs an fsync (about 0.2 ms).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from bot.stores.port import Backlog, Commit, Item, Loaded, Outcome, StoreUnavailable

T = TypeVar("T")

SCHEMA: Final = """
create table if not exists conversation (
    id text primary key, revision integer not null, state blob not null, expires real not null
) without rowid;
create index if not exists conversation_expires on conversation (expires);
create table if not exists item (
    seq integer primary key autoincrement, conversation text not null, key text not null, lane text not null,
    body blob not null, due real not null, attempts integer not null, unique (conversation, key)
);
create index if not exists item_due on item (due);
"""


class EmbeddedStore:
    """Open with `await EmbeddedStore.open(path)`; one process at a time (the composition root holds a lock on DATA_DIR)."""

    def __init__(self, connection: sqlite3.Connection, thread: ThreadPoolExecutor) -> None:
        self._connection = connection
        self._thread = thread

    @classmethod
    async def open(cls, path: Path) -> EmbeddedStore:
        thread = ThreadPoolExecutor(1, thread_name_prefix="dialog-store")

        def connect() -> sqlite3.Connection:
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            path.chmod(0o600)
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = full")
            connection.execute("pragma secure_delete = on")
            connection.executescript(SCHEMA)
            # One process at a time works on this file: whatever was leased, its holder is gone.
            connection.execute("update item set due = 0 where lane <> 'timer' and attempts = 0")
            return connection

        return cls(await asyncio.get_running_loop().run_in_executor(thread, connect), thread)

    async def _run(self, work: Callable[[sqlite3.Connection], T], *, whole: bool = True) -> T:
        """Do the work in the store's own thread, as one transaction or (not `whole`) outside of any."""

        def transaction() -> T:
            if not whole:
                return work(self._connection)
            with self._connection:
                self._connection.execute("begin immediate")
                return work(self._connection)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, transaction)
        except sqlite3.Error as error:
            raise StoreUnavailable(type(error).__name__) from error
        except RuntimeError as error:
            # The thread is gone because the store was closed under a late caller.
            raise StoreUnavailable("closed") from error

    async def load(self, conversation: str, now: float) -> Loaded:
        def work(sql: sqlite3.Connection) -> Loaded:
            row = sql.execute(
                "select revision, state from conversation where id = ? and expires > ?", (conversation, now)
            ).fetchone()
            return Loaded(*row) if row else Loaded(0, None)

        return await self._run(work)

    async def commit(self, commit: Commit) -> Outcome:
        def work(sql: sqlite3.Connection) -> Outcome:
            id_, now = commit.conversation, commit.now
            row = sql.execute("select revision from conversation where id = ? and expires > ?", (id_, now)).fetchone()
            if (row[0] if row else 0) != commit.revision:
                return Outcome.LOST
            waiting = sql.execute("select 1 from item where conversation = ? and lane = 'say'", (id_,)).fetchone()
            if waiting and commit.alone:
                return Outcome.NOT_ALONE
            sql.execute(
                "insert or replace into conversation values (?, ?, ?, ?)",
                (id_, commit.revision + 1, commit.state, now + commit.keep_seconds),
            )
            sql.executemany("delete from item where conversation = ? and key = ?", [(id_, key) for key in commit.cancelled])
            _put(sql, id_, commit.items)
            return Outcome.BEHIND if waiting else Outcome.FIRST

        return await self._run(work)

    async def add(self, conversation: str, item: Item) -> None:
        await self._run(lambda sql: _put(sql, conversation, (item,)))

    async def pending(self, conversation: str) -> Sequence[Item]:
        def work(sql: sqlite3.Connection) -> list[Item]:
            rows = sql.execute(
                "select key, lane, body, due, attempts from item where conversation = ? and lane <> 'timer' order by seq",
                (conversation,),
            )
            return [Item(*row) for row in rows]

        return await self._run(work)

    async def done(self, conversation: str, keys: Sequence[str]) -> bool:
        def work(sql: sqlite3.Connection) -> bool:
            sql.executemany("delete from item where conversation = ? and key = ?", [(conversation, key) for key in keys])
            return bool(sql.execute("select 1 from item where conversation = ? and lane = 'say'", (conversation,)).fetchone())

        return await self._run(work)

    async def postpone(self, conversation: str, key: str, due: float, attempts: int) -> None:
        def work(sql: sqlite3.Connection) -> None:
            sql.execute(
                "update item set due = ?, attempts = ? where conversation = ? and key = ?", (due, attempts, conversation, key)
            )

        await self._run(work)

    async def due(self, now: float, lease: float, limit: int) -> Sequence[tuple[str, Item]]:
        def work(sql: sqlite3.Connection) -> list[tuple[str, Item]]:
            rows = sql.execute(
                "select seq, conversation, key, lane, body, due, attempts from item where due <= ? and (lane <> 'timer' or"
                " exists (select 1 from conversation where id = item.conversation and expires > ?)) order by due, seq limit ?",
                (now, now, limit),
            ).fetchall()
            sql.executemany("update item set due = ? where seq = ?", [(now + lease, row[0]) for row in rows])
            return [(row[1], Item(*row[2:])) for row in rows]

        return await self._run(work)

    async def backlog(self, now: float, until: float) -> Backlog:
        def work(sql: sqlite3.Connection) -> Backlog:
            count, first = sql.execute("select count(*), min(due) from item where due <= ?", (until,)).fetchone()
            return Backlog(count, max(0.0, now - first) if count else 0.0)

        return await self._run(work)

    async def expire(self, now: float) -> int:
        def work(sql: sqlite3.Connection) -> int:
            sql.execute("delete from item where conversation in (select id from conversation where expires <= ?)", (now,))
            return sql.execute("delete from conversation where expires <= ?", (now,)).rowcount

        gone = await self._run(work)
        # What was overwritten or deleted since the last time is in the log of changes still.
        await self._run(lambda sql: sql.execute("pragma wal_checkpoint(truncate)").fetchall(), whole=False)
        return gone

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown(wait=False)


def _put(sql: sqlite3.Connection, conversation: str, items: Sequence[Item]) -> None:
    sql.executemany(
        "insert or replace into item (conversation, key, lane, body, due, attempts) values (?, ?, ?, ?, ?, ?)",
        [(conversation, item.key, item.lane, item.body, item.due, item.attempts) for item in items],
    )
