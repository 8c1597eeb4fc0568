"""Is this the e-mail that the investor's broker or investment manager has on record? The port that answers, and a table that does.

Lives here: the question, and a registry of keyed hashes that an operator imports. Must not live here: what follows from the answer
(`mail/sending.py`: the mail alone tells). The table holds no NIK and no address, only HMACs under the index key of ENCRYPTION_KEYS; whoever
steals it cannot try out numbers. Another source (KSEI's own) takes its place by `open_backend(registry=...)`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final, Literal, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from backend.audit import Audit
from backend.clock import Clock
from backend.database import Database
from backend.tables import registry, registry_editions
from backend.vault import Vault

Verdict = Literal["matches", "differs", "unknown"]
BATCH: Final = 1000
_BAD_SHOWN: Final = 10


class RegistryVerifier(Protocol):
    """Asked by the mail job, never while somebody waits for an answer. What it raises makes the mail wait and be tried again."""

    async def verify(self, nik: str, email: str) -> Verdict:
        """Whether `email` is on record for the investor with this NIK; "unknown" when nobody with it is an investor yet."""


class ImportRefused(ValueError):
    """The list cannot be used; the text names lines, never what stands in them."""


@dataclass(frozen=True, slots=True)
class Edition:
    """One import that is in use: how many lines it has and when it was completed."""

    id: int
    lines: int
    completed_at: datetime


class TableRegistry:
    """The registry in the accounts' database; each import is an edition that takes the place of the one before as a whole."""

    def __init__(self, database: Database, vault: Vault, audit: Audit, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._audit = audit
        self._now = clock

    async def verify(self, nik: str, email: str) -> Verdict:
        """Without an import everybody is unknown."""
        edition = sa.select(sa.func.max(registry_editions.c.id)).where(registry_editions.c.completed_at.is_not(None))
        known = sa.select(registry.c.email_index).where(
            registry.c.edition == edition.scalar_subquery(), registry.c.nik_index.in_(self._vault.indexes("nik", nik))
        )
        async with self._database.reading() as conn:
            addresses = {bytes(found) for found in await conn.scalars(known)}
        if not addresses:
            return "unknown"
        return "matches" if addresses.intersection(self._vault.indexes("email", email)) else "differs"

    async def edition(self) -> Edition | None:
        """The one in use; None when there is none."""
        newest = registry_editions.select().where(registry_editions.c.completed_at.is_not(None))
        async with self._database.reading() as conn:
            row = (await conn.execute(newest.order_by(registry_editions.c.id.desc()).limit(1))).one_or_none()
        return None if row is None else Edition(row.id, row.lines, row.completed_at)

    async def take(self, lines: Iterable[tuple[str, str]]) -> Edition:
        """Import NIK and e-mail of every investor (several e-mails for one NIK are several lines). Raises ImportRefused.

        Until the last line is in, the edition before is the one in use, and it stays so when this one is refused or dies half way.
        """
        async with self._database.writing() as conn:
            begun = registry_editions.insert().values(begun_at=self._now(), lines=0).returning(registry_editions.c.id)
            edition: int = (await conn.execute(begun)).scalar_one()
        try:
            await self._fill(edition, lines)
        except BaseException:
            await self._drop(registry_editions.c.id == edition)
            raise
        async with self._database.writing() as conn:
            count = sa.select(sa.func.count()).select_from(registry).where(registry.c.edition == edition)
            whole = Edition(edition, await conn.scalar(count) or 0, self._now())
            completed = {"completed_at": whole.completed_at, "lines": whole.lines}
            await conn.execute(registry_editions.update().where(registry_editions.c.id == edition).values(**completed))
            await self._audit.record(conn, whole.completed_at, "operator", "registry.imported", "registry", lines=whole.lines)
        await self._drop(registry_editions.c.id < edition)
        return whole

    async def _fill(self, edition: int, lines: Iterable[tuple[str, str]]) -> None:
        bad: list[int] = []
        taken = 0
        hashed = self._hashed(lines, edition, bad)
        while batch := list(islice(hashed, BATCH)):
            async with self._database.writing() as conn:
                await conn.execute(self._insert(), batch)
            taken += len(batch)
        if bad:
            more = f" and {len(bad) - _BAD_SHOWN} more" if len(bad) > _BAD_SHOWN else ""
            raise ImportRefused(f"no NIK of 16 digits with an e-mail in line {', '.join(map(str, bad[:_BAD_SHOWN]))}{more}")
        if not taken:
            # More likely cut short than meant: with it everybody would be unknown.
            raise ImportRefused("it has no line but its heading")

    def _hashed(self, lines: Iterable[tuple[str, str]], edition: int, bad: list[int]) -> Iterator[dict[str, Any]]:
        for number, (nik, email) in enumerate(lines, start=1):
            address = email.strip()
            if not (len(nik) == 16 and nik.isascii() and nik.isdigit() and "@" in address):
                bad.append(number)
            if not bad:  # after the first bad line the rest is only read to name them all
                hashes = {"nik_index": self._vault.index("nik", nik), "email_index": self._vault.index("email", address)}
                yield {"edition": edition, **hashes}

    def _insert(self) -> sa.Insert:
        # The same investor at two brokers is one line here.
        if self._database.sqlite:
            return sqlite.insert(registry).on_conflict_do_nothing()
        return postgresql.insert(registry).on_conflict_do_nothing()

    async def _drop(self, which: sa.ColumnElement[bool]) -> None:
        editions = sa.select(registry_editions.c.id).where(which)
        async with self._database.writing() as conn:
            await conn.execute(registry.delete().where(registry.c.edition.in_(editions)))
            await conn.execute(registry_editions.delete().where(which))
