"""Dead letters: messages that no further attempt will bring to their chat by itself, kept where an operator sees them.

Lives here: putting them aside, counting and listing them without a byte of personal data, giving them back. Must not live here: when a
message is given up, or whether it is still worth telling (`bot/delivery.py`). They lie in the dialog store, as sealed as they were, in
boxes that are conversations of a channel that nobody has; a letter's place there is written `<reason> <conversation> <key>`.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from bot.conversation import Conversation
from bot.stores.port import Commit, Item, Outcome, Store

CHANNEL: Final = "letters"
KEPT_SECONDS: Final = 30 * 24 * 3600.0
# Spread, so that an outage that makes a hundred thousand of them leaves no box too long to be read at once.
BOXES: Final = 64
Reason = Literal["failed", "unknown", "refused"]


@dataclass(frozen=True, slots=True)
class Letter:
    """`id` says nothing of the person. `failed`: every attempt did; `unknown`: handed over twice without an answer; `refused`: for good."""

    id: str
    channel: str
    reason: str
    at: datetime


def box_of(conversation: Conversation) -> Conversation:
    return _box(zlib.crc32(str(conversation).encode()) % BOXES)


def _box(number: int) -> Conversation:
    return Conversation(CHANNEL, str(number))


class Letters:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def put(self, conversation: Conversation, item: Item, reason: Reason, now: float) -> None:
        """Twice is once. The item is still in its outbox afterwards."""
        box = str(box_of(conversation))
        letter = Item(f"{reason} {conversation} {item.key}", "do", item.body, now + KEPT_SECONDS)
        while True:
            loaded = await self._store.load(box, now)
            # A second more than the letter is due, which is when the delivery loop throws it away.
            commit = Commit(box, loaded.revision, b"", (letter,), (), now, KEPT_SECONDS + 3600)
            if await self._store.commit(commit) is not Outcome.LOST:
                return

    async def all(self) -> Sequence[Letter]:
        """Oldest first."""
        found = [_letter(item) for _, item in await self._everything()]
        return sorted(found, key=lambda letter: letter.at)

    async def count(self) -> int:
        return len(await self._everything())

    async def find(self, id_: str) -> tuple[Conversation, Item] | None:
        """The conversation that a letter was for, and the item as it was."""
        for _, item in await self._everything():
            _, name, key = item.key.split(" ", 2)
            if key == id_:
                return Conversation.parse(name), Item(key, "say", item.body, 0.0)
        return None

    async def throw_away(self, id_: str) -> None:
        for box, item in await self._everything():
            if item.key.split(" ", 2)[2] == id_:
                await self._store.done(str(box), (item.key,))

    async def _everything(self) -> Sequence[tuple[Conversation, Item]]:
        boxes = [_box(number) for number in range(BOXES)]
        contents = await asyncio.gather(*(self._store.pending(str(box)) for box in boxes))
        return [(box, item) for box, items in zip(boxes, contents, strict=True) for item in items]


def _letter(item: Item) -> Letter:
    reason, name, key = item.key.split(" ", 2)
    return Letter(key, Conversation.parse(name).channel, reason, datetime.fromtimestamp(item.due - KEPT_SECONDS, UTC))
