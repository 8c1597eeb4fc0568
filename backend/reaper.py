"""Takes over the jobs of worker processes that died, on PostgreSQL, where many may work.

Lives here: the lock that says "this process lives" and the look for jobs whose process does not. The lock belongs to a session of the
database, so PostgreSQL frees it when the process dies, however it dies. It needs a direct connection or session pooling.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from typing import Final

import sqlalchemy as sa
import structlog
from dbos import DBOS
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.database import Database

log = structlog.get_logger(__name__)

_SPACE: Final = 3354
_SECONDS: Final = 1.0


def _key(executor: str) -> int:
    return zlib.crc32(executor.encode()) - 2**31


class Reaper:
    """One of each worker process watches over the others."""

    def __init__(self, database: Database, executor: str) -> None:
        self._database = database
        self._executor = executor
        self._conn: AsyncConnection | None = None
        self._task: asyncio.Task[None] | None = None

    async def claim(self) -> None:
        """Say that this process lives. Waits while another of the same name does."""
        conn = await self._database.engine.connect()
        try:
            await conn.execute(sa.text("SELECT pg_advisory_lock(:space, :key)"), {"space": _SPACE, "key": _key(self._executor)})
            await conn.commit()
        except BaseException:
            await conn.close()
            raise
        self._conn = conn

    def start(self) -> None:
        self._task = asyncio.create_task(self._watch(), name="reaper")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def release(self) -> None:
        """Give the name back, when the jobs of this process have stopped."""
        conn, self._conn = self._conn, None
        if conn is None:
            return
        try:
            with contextlib.suppress(SQLAlchemyError):  # a session that is gone holds no lock
                await conn.execute(sa.text("SELECT pg_advisory_unlock_all()"))
                await conn.commit()
        finally:
            await conn.close()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_SECONDS)
            try:
                if self._conn is None:
                    await self.claim()
                await self._look()
            except (SQLAlchemyError, OSError) as error:
                log.warning("reaper.connection_lost", error=type(error).__name__)
                await self.release()

    async def _look(self) -> None:
        conn = self._conn
        assert conn is not None
        pending = await DBOS.list_workflows_async(status="PENDING", load_input=False, load_output=False)
        for executor in sorted({job.executor_id for job in pending if job.executor_id} - {self._executor}):
            lock = {"space": _SPACE, "key": _key(executor)}
            if await conn.scalar(sa.text("SELECT pg_try_advisory_lock(:space, :key)"), lock):
                # There is no public name for this in the engine's open-source build; the version is pinned and a test kills a worker.
                taken = await asyncio.to_thread(DBOS._recover_pending_workflows, [executor])  # noqa: SLF001
                log.warning("reaper.took_over", executor=executor, jobs=len(taken))
                await conn.execute(sa.text("SELECT pg_advisory_unlock(:space, :key)"), lock)
            await conn.commit()
