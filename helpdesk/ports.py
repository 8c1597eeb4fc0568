"""What the helpdesk needs of the rest of the product, handed in by the composition root (`akses/compose.py`).

Lives here: shapes. Must not live here: any of the parts behind them; `backend.database.Database`, `backend.audit.Audit`,
`backend.hashing.Hasher`, `backend.throttle.Throttle` and `akses.keyring.Keyring` fit as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


class Database(Protocol):
    """Hands out transactions of the accounts' database; a writing one is undone when its block raises."""

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]: ...

    def writing(self) -> AbstractAsyncContextManager[AsyncConnection]: ...

    async def lock(self, conn: AsyncConnection, *names: str) -> None:
        """Until this transaction ends nobody else gets past a lock of these names."""


class AuditLine(Protocol):
    """A line of the audit, as it is shown."""

    @property
    def id(self) -> int: ...
    @property
    def at(self) -> datetime: ...
    @property
    def actor(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def detail(self) -> dict[str, str | int]: ...


class Audit(Protocol):
    """The one hash-chained audit. `actor` of an agent's deed is "agent:<id>"; `subject` is an id."""

    async def record(
        self, conn: AsyncConnection, at: datetime, actor: str, action: str, subject: str, **detail: str | int
    ) -> None:
        """Write one line in the transaction of the deed itself."""

    async def lines(self, *, before: int = 0, limit: int = 50, action: str = "", actor: str = "") -> Sequence[AuditLine]:
        """The newest lines, older than line `before` (0: from the end); `action` and `actor` are how theirs begin."""


class Seals(Protocol):
    """What is needed of the keyring."""

    def seal(self, plaintext: bytes, context: bytes) -> bytes: ...

    def open(self, sealed: bytes, context: bytes) -> bytes: ...

    def index(self, purpose: str, text: str) -> bytes: ...

    def indexes(self, purpose: str, text: str) -> tuple[bytes, ...]: ...


class Hasher(Protocol):
    """Argon2id behind a bounded queue: `hash` and `matches` are called inside a `slot`."""

    def slot(self) -> AbstractAsyncContextManager[None]: ...

    async def hash(self, password: str) -> str: ...

    async def matches(self, hashed: str, password: str) -> bool: ...


class Counting(Protocol):
    """How often somebody may ask; 0 when they may, else the seconds until they may again."""

    async def wait(self, rate: str, *who: str) -> int: ...


# The rules that a password breaks, of (password, typed again, what is known of its owner); empty when it is fine. May take 0.2 s.
Judge = Callable[[str, str, tuple[str, ...]], tuple[str, ...]]
