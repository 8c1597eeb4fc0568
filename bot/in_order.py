"""First come, first served within one conversation of one process; conversations do not wait for each other.

Lives here: one small lock table. Nothing is kept for a conversation at rest. `async with in_order(conversation):` costs a turn that need
not wait a tenth of what asyncio.Lock and a generator would.
"""

from __future__ import annotations

import asyncio
from collections import deque

from bot.conversation import Conversation


class InOrder:
    def __init__(self) -> None:
        # Who is in has an entry; those who wait stand in it.
        self._waiting: dict[Conversation, deque[asyncio.Future[None]]] = {}

    def busy(self, conversation: Conversation) -> bool:
        """Whether somebody is in, or waits."""
        return conversation in self._waiting

    def __call__(self, conversation: Conversation) -> Place:
        return Place(self._waiting, conversation)


class Place:
    """One place in the order."""

    __slots__ = ("_conversation", "_waiting")

    def __init__(self, waiting: dict[Conversation, deque[asyncio.Future[None]]], conversation: Conversation) -> None:
        self._waiting = waiting
        self._conversation = conversation

    async def __aenter__(self) -> None:
        """Wait for those who came before."""
        waiting = self._waiting.get(self._conversation)
        if waiting is None:
            self._waiting[self._conversation] = deque()
            return
        mine = asyncio.get_running_loop().create_future()
        waiting.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._leave()  # it was given the place in the same moment: the next one has it
            elif mine in waiting:  # else who left before has passed over it already
                waiting.remove(mine)
            raise

    async def __aexit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        waiting = self._waiting[self._conversation]
        while waiting:
            next_one = waiting.popleft()
            if not next_one.done():
                next_one.set_result(None)
                return
        del self._waiting[self._conversation]
