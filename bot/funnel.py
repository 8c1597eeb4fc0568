"""How far people come: every segment of the dialog's funnel, counted in memory by the turn and written down now and then, a day at a time.

Lives here: counting off the hot path, and what is asked of a book. Must not live here: any book (`bot/stores/funnel.py`), Prometheus
(`akses/metrics.py`, which counts the same for scrapes) or the picture (`akses/funnel.py`). There is nothing of a person in it: step, what
happened, a code; each is a short word, whatever a mistake may put there.

A process that is killed loses what it has counted since it last wrote: half a minute of statistics, and nothing that anybody waits for.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Final, Protocol

import structlog

from dialogs.clock import local_date
from dialogs.effects import Record

log = structlog.get_logger(__name__)

# Step, what happened there, and its code.
Segment = tuple[str, str, str]
WRITE_SECONDS: Final = 30.0
# Counts older than this are forgotten.
KEEP_DAYS: Final = 400
_WORD: Final = re.compile(r"(?:[a-z](?:[a-z_.]|[0-9](?![0-9])){0,39})?")
_MOST: Final = 400


class BookUnavailable(Exception):
    """The book cannot be written or read now."""


class Book(Protocol):
    """Where counts are kept, by day; any number of processes add to it. Every method raises BookUnavailable."""

    async def add(self, day: date, counts: Mapping[Segment, int]) -> None:
        """Add these, all or none."""

    async def since(self, day: date, until: date) -> Mapping[Segment, int]:
        """The sums of these days, both included."""


class Tally:
    """The counts of one process. `note` is the turn's part: it adds one to a number in memory."""

    def __init__(self, book: Book, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._book = book
        self._clock = clock
        self._counts: Counter[Segment] = Counter()
        self._stop = asyncio.Event()

    def note(self, record: Record) -> None:
        segment = (record.step, record.what, record.code)
        if segment not in self._counts and (len(self._counts) >= _MOST or not all(map(_WORD.fullmatch, segment))):
            segment = ("other", "other", "")
        self._counts[segment] += 1

    async def write(self) -> None:
        """Write down what was counted since the last time; what cannot be written is kept for the next."""
        counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            await self._book.add(local_date(self._clock()), counts)
        except BookUnavailable:
            log.warning("funnel.not_written")
            self._counts.update(counts)

    def stop(self) -> None:
        """Let `run` write for the last time and return."""
        self._stop.set()

    async def run(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WRITE_SECONDS):
                    await self._stop.wait()
            await self.write()
        await self.write()
