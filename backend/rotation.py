"""Renewing, under the newest keys, what older keys sealed or hashed: online, in small steps, and resumable: it only looks at what is left.

Lives here: going through the sealed columns and their look-ups. Must not live here: keys (`akses/keyring.py`). Readers and writers go on
beside it: they know all keys of the list, and a value that changed between our look and our write is left as it is. What is kept as a keyed
hash alone cannot be made anew: it ends by itself (`tables.PASSING`), or is imported again (the registry).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.audit import Audit
from backend.clock import Clock
from backend.database import Database
from backend.tables import PASSING, SEALED, registry, registry_editions
from backend.vault import Indexed, Vault

Sealed = tuple[tuple[sa.Table, tuple[str, ...]], ...]
# Rows in one transaction: on SQLite everybody else waits for it.
BATCH: Final = 200
_HMAC_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Left:
    """What still needs an older key: sealed values and their look-ups (`run` renews both), hashes that end by themselves, and lines of the
    registry in use, which is to be imported again.
    """

    sealed: int
    looked_up: int
    passing: int
    registry: int

    @property
    def to_renew(self) -> int:
        return self.sealed + self.looked_up

    def __bool__(self) -> bool:
        return bool(self.to_renew or self.passing or self.registry)


@dataclass(frozen=True, slots=True)
class Rotated:
    """How many values and look-ups were renewed, how many values no key of the list opens, and what is left."""

    renewed: int
    unreadable: int
    left: Left


class Rotation:
    """`also` are sealed columns of others in the same database, sealed as ours are (`Vault`); `also_passing` their passing hashes."""

    def __init__(
        self, database: Database, vault: Vault, audit: Audit, clock: Clock, *, also: Sealed = (), also_passing: Sealed = ()
    ) -> None:
        self._sealed = (*SEALED, *also)
        self._passing = (*PASSING, *also_passing)
        self._database = database
        self._vault = vault
        self._audit = audit
        self._now = clock

    async def left(self) -> Left:
        """What an older key is still needed for, besides the audit's lines."""
        sealed = [self._sealed_before(table.c[column]) for table, columns in self._sealed for column in columns]
        looked_up = [
            sa.and_(self._hashed_before(index), cell.is_not(None))
            for table, _ in self._sealed
            for cell, index in _look_ups(table)
        ]
        # A look-up whose value was erased, or never kept, cannot be renewed.
        passing = [self._hashed_before(table.c[column]) for table, columns in self._passing for column in columns]
        newest = sa.select(sa.func.max(registry_editions.c.id)).where(registry_editions.c.completed_at.is_not(None))
        listed = sa.and_(registry.c.edition == newest.scalar_subquery(), self._hashed_before(registry.c.nik_index))
        async with self._database.reading() as conn:

            async def count(wanted: list[sa.ColumnElement[bool]]) -> int:
                return sum([await conn.scalar(sa.select(sa.func.count()).where(one)) or 0 for one in wanted])

            return Left(await count(sealed), await count(looked_up), await count(passing), await count([listed]))

    async def run(self, told: Callable[[int], None] = lambda _: None) -> Rotated:
        """Renew whatever is left; `told` hears after each step how many values were. Stop it at any time and run it again."""
        renewed = unreadable = 0
        for table, columns in self._sealed:
            older = sa.or_(
                *(self._sealed_before(table.c[column]) for column in columns),
                *(sa.and_(self._hashed_before(index), cell.is_not(None)) for cell, index in _look_ups(table)),
            )
            last = ""
            while True:
                async with self._database.writing() as conn:
                    rows = (
                        await conn.execute(table.select().where(older, table.c.id > last).order_by(table.c.id).limit(BATCH))
                    ).all()
                    for row in rows:
                        for column in columns:
                            done = await self._renew(conn, table, column, row)
                            renewed += done or 0
                            unreadable += done is None
                if not rows:
                    break
                last = rows[-1].id
                told(renewed)
        left = await self.left()
        if renewed:
            async with self._database.writing() as conn:
                facts = {"values": renewed, "left": left.to_renew}
                await self._audit.record(conn, self._now(), "operator", "keys.rotated", "keys", **facts)
        return Rotated(renewed, unreadable, left)

    async def _renew(self, conn: AsyncConnection, table: sa.Table, column: str, row: sa.Row[Any]) -> int | None:
        """How many of the value and its look-up were renewed; None when it cannot be opened."""
        sealed, index = getattr(row, column), f"{column}_index"
        if sealed is None:
            return 0
        stale = not bytes(sealed).startswith(self._vault.newest)
        lost = index in table.c and not self._is_newest(getattr(row, index))
        if not (stale or lost):
            return 0
        plain = self._vault.open_if_possible(table.name, column, row.id, sealed)
        if plain is None:
            return None
        fresh: dict[str, bytes] = {}
        if stale:
            fresh[column] = self._vault.seal(table.name, column, row.id, plain)
        if lost:
            fresh[index] = self._vault.index(cast("Indexed", column), plain)
        same = sa.and_(table.c.id == row.id, table.c[column] == bytes(sealed))
        changed = await conn.execute(table.update().where(same).values(**fresh))
        return len(fresh) if changed.rowcount else 0

    def _sealed_before(self, cell: sa.Column[Any]) -> sa.ColumnElement[bool]:
        newest = self._vault.newest
        return sa.and_(cell.is_not(None), _beginning(cell, len(newest)) != newest)

    def _hashed_before(self, cell: sa.Column[Any]) -> sa.ColumnElement[bool]:
        mark = self._vault.index_mark
        other = sa.func.length(cell) != len(mark) + _HMAC_BYTES
        return sa.and_(cell.is_not(None), sa.or_(other, _beginning(cell, len(mark)) != mark) if mark else other)

    def _is_newest(self, index: bytes | None) -> bool:
        mark = self._vault.index_mark
        return index is not None and len(index) == len(mark) + _HMAC_BYTES and bytes(index).startswith(mark)


def _beginning(cell: sa.Column[Any], length: int) -> sa.ColumnElement[bytes]:
    return sa.func.substr(cell, 1, length, type_=sa.LargeBinary)


def _look_ups(table: sa.Table) -> Iterator[tuple[sa.Column[Any], sa.Column[Any]]]:
    """A table's sealed columns that have a look-up, and it."""
    for column in table.c:
        index = table.c.get(f"{column.name}_index")
        if index is not None:
            yield column, index
