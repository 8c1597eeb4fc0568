"""What was said in a web or terminal chat, in order, so that a reload or a lost connection shows all of it again.

Lives here: the port and its implementation in memory. Must not live here: what an item says (`items.py`), other stores
(`sqlite_transcript.py`). A transcript is what the person sees; the truth about the dialog is in `bot/stores/`.

Every item has a place and a moment. `seq` is its place among the others and never changes. `cursor` is when it last changed:
replacing an item gives it a new, higher cursor. A client that has seen everything up to a cursor asks for what comes after it and
puts each item at its place, over whatever stood there; so a masked bubble reaches a client that still shows the open one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from bot.conversation import Conversation

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Entry:
    """One item as it stands now; `item` is a JSON object."""

    cursor: int
    seq: int
    item: bytes


class TranscriptUnavailable(Exception):
    """The transcript cannot be read or written now; the same call may work later."""


class Transcript(Protocol):
    """All methods raise TranscriptUnavailable. Whatever they accepted is durable when they return."""

    async def append(self, conversation: Conversation, key: str, item: bytes) -> int:
        """Put an item at the end and return its seq. A key that is there already keeps its item and returns its seq."""

    async def get(self, conversation: Conversation, key: str) -> bytes | None:
        """The item of this key as it stands now."""

    async def replace(self, conversation: Conversation, key: str, item: bytes) -> None:
        """Put another item in the place of this key's; the old one is gone for good. An unknown key is no error."""

    async def since(self, conversation: Conversation, cursor: int, limit: int) -> list[Entry]:
        """At most `limit` items that changed after `cursor` (0: all), in the order of change."""

    async def wait(self, conversation: Conversation, cursor: int, seconds: float) -> None:
        """Return when something changed after `cursor`, or after so many seconds."""

    async def expire(self, before: datetime) -> int:
        """Erase the conversations in which nothing changed since then; returns how many items went."""


def next_cursor(last: int, now: datetime) -> int:
    """Milliseconds since 1970, or one more than the last.

    Tied to the time so that it also grows over an expiry, after which a page left open still asks from its old cursor.
    """
    return max(last + 1, int(now.timestamp() * 1000))


def utc_now() -> datetime:
    return datetime.now(UTC)


class Bell:
    """Wakes those who wait for a conversation within this process."""

    def __init__(self) -> None:
        self._waiting: dict[Conversation, set[asyncio.Event]] = {}

    def ring(self, conversation: Conversation) -> None:
        for waiting in self._waiting.get(conversation, ()):
            waiting.set()

    async def wait(self, transcript: Transcript, conversation: Conversation, cursor: int, seconds: float) -> None:
        """Listen first and look second, so that what is appended in between is not missed."""
        rung = asyncio.Event()
        self._waiting.setdefault(conversation, set()).add(rung)
        try:
            if await transcript.since(conversation, cursor, 1):
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await rung.wait()
        finally:
            self._waiting[conversation].discard(rung)
            if not self._waiting[conversation]:
                del self._waiting[conversation]


class MemoryTranscript:
    """A transcript that ends with the process: for tests."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._items: dict[Conversation, dict[str, Entry]] = {}
        self._bell = Bell()

    def _put(self, conversation: Conversation, key: str, item: bytes, seq: int | None) -> int:
        entries = self._items.setdefault(conversation, {})
        cursor = next_cursor(max((entry.cursor for entry in entries.values()), default=0), self._clock())
        entries[key] = Entry(cursor, cursor if seq is None else seq, item)
        self._bell.ring(conversation)
        return entries[key].seq

    async def append(self, conversation: Conversation, key: str, item: bytes) -> int:
        known = self._items.get(conversation, {}).get(key)
        return known.seq if known else self._put(conversation, key, item, None)

    async def get(self, conversation: Conversation, key: str) -> bytes | None:
        known = self._items.get(conversation, {}).get(key)
        return known.item if known else None

    async def replace(self, conversation: Conversation, key: str, item: bytes) -> None:
        known = self._items.get(conversation, {}).get(key)
        if known and known.item != item:
            self._put(conversation, key, item, known.seq)

    async def since(self, conversation: Conversation, cursor: int, limit: int) -> list[Entry]:
        entries = self._items.get(conversation, {}).values()
        return sorted((entry for entry in entries if entry.cursor > cursor), key=lambda entry: entry.cursor)[:limit]

    async def wait(self, conversation: Conversation, cursor: int, seconds: float) -> None:
        await self._bell.wait(self, conversation, cursor, seconds)

    async def expire(self, before: datetime) -> int:
        oldest = next_cursor(0, before)
        gone = [
            conversation
            for conversation, entries in self._items.items()
            if max(entry.cursor for entry in entries.values()) < oldest
        ]
        return sum(len(self._items.pop(conversation)) for conversation in gone)
