"""First come, first served within one conversation of one process; conversations do not wait for each other.

Lives here: one small lock table. Nothing is kept for a conversation at rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.conversation import Conversation


class _Queue:
    __slots__ = ("lock", "waiting")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.waiting = 0


class InOrder:
    def __init__(self) -> None:
        self._queues: dict[Conversation, _Queue] = {}

    def busy(self, conversation: Conversation) -> bool:
        """Whether somebody is in, or waits."""
        return conversation in self._queues

    @asynccontextmanager
    async def __call__(self, conversation: Conversation) -> AsyncIterator[None]:
        """Wait for those who came before (asyncio.Lock is fair)."""
        queue = self._queues.setdefault(conversation, _Queue())
        queue.waiting += 1
        try:
            async with queue.lock:
                yield
        finally:
            queue.waiting -= 1
            if not queue.waiting:
                del self._queues[conversation]
