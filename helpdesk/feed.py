"""The feed of changes, live: one look a process at what has changed, for everybody there who waits for it.

Lives here: looking, waking, telling listeners. Must not live here: writing the feed (`records.py`) or what a change means to a page.
Whoever must not miss anything while they are away (a bridge) remembers the last id and asks `since`; listeners are told at once besides.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError

from helpdesk.ports import Database
from helpdesk.tables import changes

log = structlog.get_logger(__name__)

# What another process wrote is seen within this time; what this one did, at once.
POLL_SECONDS: Final = 1.0
PAGE: Final = 500
# A listener that has so much before it is better off looking at everything anew.
_BACKLOG: Final = 1000


@dataclass(frozen=True, slots=True)
class Changed:
    """One line of the feed."""

    id: int
    what: str
    conversation: str
    ticket: str
    entry: str


class Feed:
    """Run `run()` as one task for each process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners: set[asyncio.Queue[Changed]] = set()
        self._wake = asyncio.Event()
        self._stopping = False
        self._last = 0

    def wake(self) -> None:
        """There may be more."""
        self._wake.set()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()

    async def newest(self) -> int:
        """The id of the last change, 0 before the first."""
        async with self._database.reading() as conn:
            return await conn.scalar(sa.select(sa.func.max(changes.c.id))) or 0

    async def since(self, last: int, limit: int = PAGE) -> Sequence[Changed]:
        """What changed after `last`, oldest first."""
        wanted = changes.select().where(changes.c.id > last).order_by(changes.c.id).limit(limit)
        async with self._database.reading() as conn:
            rows = await conn.execute(wanted)
            return [Changed(row.id, row.what, row.conversation_id, row.ticket_id or "", row.entry_id or "") for row in rows]

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[asyncio.Queue[Changed]]:
        """A queue of everything that changes from here on; one that runs full loses what is new, and its reader looks anew."""
        queue: asyncio.Queue[Changed] = asyncio.Queue(_BACKLOG)
        if not self._listeners:
            self._last = await self.newest()
        self._listeners.add(queue)
        self._wake.set()
        try:
            yield queue
        finally:
            self._listeners.discard(queue)

    async def run(self) -> None:
        """Look until asked to `stop`; while nobody listens, not at all."""
        while not self._stopping:
            self._wake.clear()
            more = False
            if self._listeners:
                try:
                    found = await self.since(self._last)
                except (SQLAlchemyError, OSError) as error:
                    log.warning("feed.unavailable", error=type(error).__name__)
                    found = ()
                for change in found:
                    self._last = max(self._last, change.id)
                    for queue in self._listeners:
                        if not queue.full():
                            queue.put_nowait(change)
                more = len(found) == PAGE
            if not more:
                await self._nap()

    async def _nap(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            pass
