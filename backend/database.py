"""The accounts' database: one engine, reading and writing transactions, and locks by name; SQLite and PostgreSQL behind one face.

Lives here: what differs between the two. Must not live here: tables (`tables.py`) or what is asked of them. On SQLite every writing
transaction takes the write lock at its start (BEGIN IMMEDIATE), so that two of them never read the same past; on PostgreSQL the
callers name what must not happen twice at once, and those names are advisory locks of the transaction.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

_READING: Final = "akses_reading"
# What the write-ahead log grows to before it is written back: with less room than this some write fails soon, if not the next one.
_ROOM_BYTES: Final = 4 * 1024 * 1024
_PRAGMAS: Final = ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000", "foreign_keys=ON")


class DatabaseInUse(RuntimeError):
    """Another process already runs on this SQLite file; use PostgreSQL for more than one."""


class DiskFull(RuntimeError):
    """SQLite has no room left to write to; what is asked of it can still be read."""


def is_sqlite(database_url: str) -> bool:
    return database_url.startswith("sqlite")


def plain_url(database_url: str) -> str:
    """The URL without a driver's name, as the engine of durable work takes it."""
    if is_sqlite(database_url):
        return database_url
    return "postgresql://" + database_url.partition("://")[2]


def code_of(error: BaseException) -> str | None:
    """The driver's code for what went wrong ("SQLITE_FULL", "53100"). Its words could name the host, the user and what was bound."""
    orig = getattr(error, "orig", None)
    return getattr(orig, "sqlstate", None) or getattr(orig, "sqlite_errorname", None)


def _blocking_url(database_url: str) -> str:
    return database_url if is_sqlite(database_url) else plain_url(database_url).replace("postgresql", "postgresql+psycopg", 1)


def _async_url(database_url: str) -> str:
    return database_url.replace("sqlite", "sqlite+aiosqlite", 1) if is_sqlite(database_url) else _blocking_url(database_url)


class Database:
    """Hands out transactions. Errors of the driver never carry the values that were bound: they may be personal data."""

    def __init__(self, database_url: str) -> None:
        self.sqlite = is_sqlite(database_url)
        pool: dict[str, Any] = {} if self.sqlite else {"pool_pre_ping": True, "pool_size": 10, "max_overflow": 10}
        self.engine: AsyncEngine = create_async_engine(_async_url(database_url), hide_parameters=True, **pool)
        if self.sqlite:
            _own_transactions(self.engine.sync_engine)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads; it never waits for a writer."""
        async with self.engine.connect() as conn:
            await conn.execution_options(**{_READING: True})
            yield conn

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that is committed when the block ends and undone when it raises."""
        async with self.engine.begin() as conn:
            yield conn

    @staticmethod
    async def lock(conn: AsyncConnection, *names: str) -> None:
        """Until this transaction ends nobody else gets past a lock of these names. Take them in the same order everywhere."""
        if conn.dialect.name == "sqlite":
            return
        for name in names:
            await conn.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})

    async def ready(self) -> None:
        """Return when it can be read and, as far as can be told, written. Raises DiskFull, and what the driver raises."""
        path = self.engine.url.database if self.sqlite else None
        if path is not None and shutil.disk_usage(path).free < _ROOM_BYTES:
            raise DiskFull
        async with self.reading() as conn:
            await conn.execute(sa.text("SELECT 1"))

    async def close(self) -> None:
        await self.engine.dispose()


def blocking_engine(database_url: str) -> sa.Engine:
    """For migrations only: an engine without asyncio. The caller disposes of it."""
    engine = sa.create_engine(_blocking_url(database_url), poolclass=sa.NullPool, hide_parameters=True)
    if is_sqlite(database_url):
        _own_transactions(engine)
    return engine


def _own_transactions(engine: sa.Engine) -> None:
    event.listen(engine, "do_connect", _create_for_owner_only)
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)


def _create_for_owner_only(_dialect: object, _record: object, arguments: Sequence[Any], _options: object) -> None:
    """SQLite itself would create the file as the umask has it; what lies beside it (-wal, -shm) takes the file's mode."""
    # O_EXCL: closing a second descriptor of an open SQLite file would drop the locks that this process holds on it.
    with suppress(FileExistsError):
        os.close(os.open(arguments[0], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _set_pragmas(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    connection.isolation_level = None  # the driver must not begin transactions by itself; _begin does


def _begin(connection: sa.Connection) -> None:
    reading = connection.get_execution_options().get(_READING, False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


@contextmanager
def only_process(database_url: str) -> Iterator[None]:
    """Hold the SQLite file for this process (PostgreSQL needs no such thing). Raises DatabaseInUse."""
    path = sa.make_url(database_url).database if is_sqlite(database_url) else None
    if path is None:
        yield
        return
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DatabaseInUse(f"{path} is in use by another process") from None
        yield
    finally:
        os.close(descriptor)
