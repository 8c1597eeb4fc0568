"""The transcript in one SQLite file: the embedded product's, for one process that writes.

Lives here: the table and its statements. Must not live here: what an item says (`items.py`). Every item is sealed with its
conversation and key as context, so that the file shows nothing and no item can be moved to another place.

Durability: WAL with synchronous=FULL. A message that was delivered leaves the dialog store's outbox, so it must be on the disk here
first; with NORMAL a power cut would lose it in both places. The price is one fsync for an item, paid in the worker thread.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self, TypeVar

from bot.channels.web.transcript import Bell, Clock, Entry, TranscriptUnavailable, next_cursor, utc_now
from bot.conversation import Conversation

T = TypeVar("T")

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS item (
    conversation TEXT NOT NULL,
    cursor INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    key TEXT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (conversation, cursor),
    UNIQUE (conversation, key)
) WITHOUT ROWID, STRICT
"""
_BUSY_SECONDS: Final = 5.0


class Seals(Protocol):
    """What the transcript needs of the keyring."""

    def seal(self, plaintext: bytes, context: bytes) -> bytes: ...
    def open(self, sealed: bytes, context: bytes) -> bytes: ...


def _context(conversation: Conversation, key: str) -> bytes:
    return f"transcript\0{conversation}\0{key}".encode()


class SqliteTranscript:
    """An asynchronous context manager; the file is made with mode 0600. All statements run in one thread of its own."""

    def __init__(self, path: Path, seals: Seals, clock: Clock = utc_now) -> None:
        self._path = path
        self._seals = seals
        self._clock = clock
        self._bell = Bell()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="transcript")
        self._connection: sqlite3.Connection | None = None

    async def __aenter__(self) -> Self:
        await self._run(self._connect)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._run(self._database.close)
        self._connection = None
        self._thread.shutdown()

    @property
    def _database(self) -> sqlite3.Connection:
        if self._connection is None:
            raise TranscriptUnavailable("not open")
        return self._connection

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, OSError) as error:
            raise TranscriptUnavailable(str(error)) from error
        except RuntimeError as error:  # the thread has been shut down
            raise TranscriptUnavailable("closed") from error

    def _connect(self) -> None:
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA secure_delete=ON")
        connection.execute(_SCHEMA)
        self._connection = connection

    def _transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        database = self._database
        database.execute("BEGIN IMMEDIATE")
        try:
            result = work(database)
        except BaseException:
            database.execute("ROLLBACK")
            raise
        database.execute("COMMIT")
        return result

    def _next_cursor(self, database: sqlite3.Connection, conversation: Conversation) -> int:
        (last,) = database.execute(
            "SELECT coalesce(max(cursor), 0) FROM item WHERE conversation = ?", (str(conversation),)
        ).fetchone()
        return next_cursor(last, self._clock())

    async def append(self, conversation: Conversation, key: str, item: bytes) -> int:
        def work(database: sqlite3.Connection) -> int:
            place = (str(conversation), key)
            known = database.execute("SELECT seq FROM item WHERE conversation = ? AND key = ?", place).fetchone()
            if known:
                return int(known[0])
            cursor = self._next_cursor(database, conversation)
            sealed = self._seals.seal(item, _context(conversation, key))
            database.execute("INSERT INTO item VALUES (?, ?, ?, ?, ?)", (str(conversation), cursor, cursor, key, sealed))
            return cursor

        seq = await self._run(lambda: self._transaction(work))
        self._bell.ring(conversation)
        return seq

    async def get(self, conversation: Conversation, key: str) -> bytes | None:
        def work() -> bytes | None:
            place = (str(conversation), key)
            row = self._database.execute("SELECT sealed FROM item WHERE conversation = ? AND key = ?", place).fetchone()
            return self._seals.open(row[0], _context(conversation, key)) if row else None

        return await self._run(work)

    async def replace(self, conversation: Conversation, key: str, item: bytes) -> None:
        def work(database: sqlite3.Connection) -> None:
            place = (str(conversation), key)
            row = database.execute("SELECT sealed FROM item WHERE conversation = ? AND key = ?", place).fetchone()
            if row is None or self._seals.open(row[0], _context(conversation, key)) == item:
                return
            change = (self._next_cursor(database, conversation), self._seals.seal(item, _context(conversation, key)))
            database.execute("UPDATE item SET cursor = ?, sealed = ? WHERE conversation = ? AND key = ?", (*change, *place))

        await self._run(lambda: self._transaction(work))
        self._bell.ring(conversation)

    async def since(self, conversation: Conversation, cursor: int, limit: int) -> list[Entry]:
        def work() -> list[Entry]:
            rows = self._database.execute(
                "SELECT cursor, seq, key, sealed FROM item WHERE conversation = ? AND cursor > ? ORDER BY cursor LIMIT ?",
                (str(conversation), cursor, limit),
            )
            return [Entry(at, seq, self._seals.open(sealed, _context(conversation, key))) for at, seq, key, sealed in rows]

        return await self._run(work)

    async def wait(self, conversation: Conversation, cursor: int, seconds: float) -> None:
        await self._bell.wait(self, conversation, cursor, seconds)

    async def expire(self, before: datetime) -> int:
        def work(database: sqlite3.Connection) -> int:
            return database.execute(
                "DELETE FROM item WHERE conversation IN"
                " (SELECT conversation FROM item GROUP BY conversation HAVING max(cursor) < ?)",
                (next_cursor(0, before),),
            ).rowcount

        gone = await self._run(lambda: self._transaction(work))
        # What was masked or deleted since the last time is in the log of changes still.
        await self._run(lambda: self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
        return gone
