"""Fixtures of the tests of durable work: the engine with handlers of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import pytest

import backend
from backend.database import Database
from backend.jobs import Again, Dead, Handler, Jobs, Patience

QUICK = Patience(broken=(0.1, 0.1))
Answer = Callable[[str, int], Awaitable[Again | Dead | None]]


@dataclass(frozen=True)
class Engine:
    database: Database
    jobs: Jobs

    async def enqueue(self, job: str, *subjects: str, delay: float = 0) -> None:
        async with self.database.writing() as conn:
            for subject in subjects:
                await self.jobs.enqueue(conn, job, subject, delay=delay)


class Start(Protocol):
    def __call__(
        self, *, working: bool = True, patience: dict[str, Any] | None = None, **handlers: Handler
    ) -> AbstractAsyncContextManager[Engine]: ...


@pytest.fixture
def start(database_url: str) -> Start:
    """Starts the engine, on SQLite and then on PostgreSQL, with a handler a job; all share the lane `mail`."""

    @asynccontextmanager
    async def make(
        *, working: bool = True, patience: dict[str, Any] | None = None, **handlers: Handler
    ) -> AsyncIterator[Engine]:
        backend.migrate(database_url)
        database = Database(database_url)
        jobs = Jobs(database, database_url, patience=replace(QUICK, **(patience or {})))
        for job, handler in handlers.items():
            jobs.handle(job, handler, queue="mail")
        try:
            if working:
                await jobs.start()
            yield Engine(database, jobs)
        finally:
            await jobs.close()
            await database.close()

    return make
