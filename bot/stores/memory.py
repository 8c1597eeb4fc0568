"""The dialog store in memory: for tests and for trying things; public, because brokers test with it too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.stores.port import Backlog, Commit, Item, Loaded, Outcome
from dialogs.frozen import replace


@dataclass(slots=True)
class _Kept:
    revision: int = 0
    state: bytes | None = None
    expires: float = 0.0
    items: dict[str, Item] = field(default_factory=dict)


class MemoryStore:
    """Holds everything in one dict; what happens between two awaits is atomic because there is none inside a method."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    async def load(self, conversation: str, now: float) -> Loaded:
        kept = self._kept.get(conversation)
        if kept is None or kept.expires <= now:
            return Loaded(0, None)
        return Loaded(kept.revision, kept.state)

    async def commit(self, commit: Commit) -> Outcome:
        kept = self._kept.get(commit.conversation)
        if kept is None or kept.expires <= commit.now:
            kept = _Kept()
        if kept.revision != commit.revision:
            return Outcome.LOST
        behind = any(item.lane == "say" for item in kept.items.values())
        if behind and commit.alone:
            return Outcome.NOT_ALONE
        kept.revision += 1
        kept.state = commit.state
        kept.expires = commit.now + commit.keep_seconds
        for key in commit.cancelled:
            kept.items.pop(key, None)
        for item in commit.items:
            kept.items.pop(item.key, None)
            kept.items[item.key] = item
        self._kept[commit.conversation] = kept
        return Outcome.BEHIND if behind else Outcome.FIRST

    async def add(self, conversation: str, item: Item) -> None:
        if kept := self._kept.get(conversation):
            kept.items[item.key] = item

    async def pending(self, conversation: str) -> Sequence[Item]:
        kept = self._kept.get(conversation)
        return [item for item in kept.items.values() if item.lane != "timer"] if kept else []

    async def done(self, conversation: str, keys: Sequence[str]) -> bool:
        kept = self._kept.get(conversation)
        if kept is None:
            return False
        for key in keys:
            kept.items.pop(key, None)
        return any(item.lane == "say" for item in kept.items.values())

    async def postpone(self, conversation: str, key: str, due: float, attempts: int) -> None:
        kept = self._kept.get(conversation)
        if kept and key in kept.items:
            kept.items[key] = replace(kept.items[key], due=due, attempts=attempts)

    async def due(self, now: float, lease: float, limit: int) -> Sequence[tuple[str, Item]]:
        ready = [
            (conversation, item)
            for conversation, kept in self._kept.items()
            for item in kept.items.values()
            if item.due <= now and (item.lane != "timer" or kept.expires > now)
        ]
        ready.sort(key=lambda pair: pair[1].due)
        for conversation, item in ready[:limit]:
            self._kept[conversation].items[item.key] = replace(item, due=now + lease)
        return ready[:limit]

    async def backlog(self, now: float, until: float) -> Backlog:
        due = [item.due for kept in self._kept.values() for item in kept.items.values() if item.due <= until]
        return Backlog(len(due), max(0.0, now - min(due, default=now)))

    async def expire(self, now: float) -> int:
        gone = [conversation for conversation, kept in self._kept.items() if kept.expires <= now]
        for conversation in gone:
            del self._kept[conversation]
        return len(gone)

    async def close(self) -> None:
        """Nothing to let go of."""
