"""What the runner needs of a dialog store: one read and one compare-and-set a turn, and the outbox that commits with it.

Lives here: the shapes and the promises; `tests/bot/test_store_contract.py` is what every store must pass. Must not live here: any store
(`embedded.py`, `memory.py`), or what the bytes mean (they come sealed from `bot/turns.py`). Times are seconds since 1970 (UTC).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Literal, Protocol

from dialogs.frozen import Frozen

# `say`: messages to the chat, in order. `do`: requests to the backend, each by itself. `timer`: due in the future, replaced by key; its
# key (`timer_key`) is all there is of it, and once its conversation has expired it is not given out any more.
Lane = Literal["say", "do", "timer"]
_TIMER = "timer "


def timer_key(timer: str) -> str:
    """The key of a timer's item."""
    return f"{_TIMER}{timer}"


def is_timer(key: str) -> bool:
    return key.startswith(_TIMER)


def timer_of(key: str) -> str:
    return key.removeprefix(_TIMER)


class StoreUnavailable(Exception):
    """The dialog store cannot be reached; the channel must answer so that the event is delivered again (503)."""


class Loaded(Frozen, frozen=True):
    """A conversation as it is: revision 0 and no state when it is new."""

    revision: int
    state: bytes | None


class Item(Frozen, frozen=True):
    """One thing that must still happen. `key` is unique in its conversation; `due` is when the delivery loop may take it."""

    key: str
    lane: Lane
    body: bytes
    due: float
    attempts: int = 0


class Commit(Frozen, frozen=True):
    """All that one turn changes. It holds as a whole or not at all; `alone`: only if no earlier message of the conversation waits."""

    conversation: str
    revision: int
    state: bytes
    items: tuple[Item, ...]
    cancelled: tuple[str, ...]
    now: float
    keep_seconds: float
    alone: bool = False


class Outcome(Enum):
    """What became of a commit. Whoever commits FIRST delivers, and goes on until nothing is left: so one process at a time does."""

    LOST = 0  # another turn was quicker; nothing was written
    FIRST = 1  # written, and no earlier message of the conversation waits to be delivered
    BEHIND = 2  # written behind messages that somebody else is delivering, and will go on with these
    NOT_ALONE = 3  # nothing was written: it was to be `alone`, and an earlier message waits


class Backlog(Frozen, frozen=True):
    """How delivery keeps up: how many things are to happen by a moment, and how many seconds the most belated is behind its time."""

    items: int = 0
    late: float = 0.0


class Store(Protocol):
    """Every method raises StoreUnavailable when the store cannot be reached."""

    async def load(self, conversation: str, now: float) -> Loaded: ...

    async def commit(self, commit: Commit) -> Outcome:
        """Write the turn if the revision is still `commit.revision`."""

    async def add(self, conversation: str, item: Item) -> None:
        """Put one more message behind those that wait."""

    async def pending(self, conversation: str) -> Sequence[Item]:
        """Everything undelivered of one conversation, oldest first, due or not; timers excluded."""

    async def done(self, conversation: str, keys: Sequence[str]) -> bool:
        """These have happened. Unknown keys are no error. Whether messages of this conversation still wait, told by the same stroke:
        while they do, commits are BEHIND and who delivers goes on; from when they do not, the next commit is FIRST.
        """

    async def postpone(self, conversation: str, key: str, due: float, attempts: int) -> None:
        """Try this one again, not before `due`."""

    async def due(self, now: float, lease: float, limit: int) -> Sequence[tuple[str, Item]]:
        """At most `limit` items that are due, oldest first; nobody else is given them for `lease` seconds."""

    async def backlog(self, now: float, until: float) -> Backlog:
        """What is to happen until then, for those who watch over it; cheap enough to be asked every few seconds."""

    async def expire(self, now: float) -> int:
        """Erase conversations whose time is over; how many went. A store that forgets by itself answers 0."""

    async def close(self) -> None: ...
