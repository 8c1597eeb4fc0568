"""Sealing anew, under the newest key, what older keys sealed: online, in small steps, and resumable because it only looks at what is left.

Lives here: going through the sealed columns. Must not live here: keys (`akses/keyring.py`). Readers and writers go on beside it: they know
all keys of the list, and a value that changed between our look and our write is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.audit import Audit
from backend.clock import Clock
from backend.database import Database
from backend.tables import SEALED
from backend.vault import Vault

Sealed = tuple[tuple[sa.Table, tuple[str, ...]], ...]
# Rows in one transaction: on SQLite everybody else waits for it.
BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class Rotated:
    """Values sealed anew, values that no key of the list opens, and values still sealed under an older key."""

    resealed: int
    unreadable: int
    left: int


class Rotation:
    """`also` are sealed columns of others in the same database, sealed as ours are (`Vault`)."""

    def __init__(self, database: Database, vault: Vault, audit: Audit, clock: Clock, *, also: Sealed = ()) -> None:
        self._sealed = (*SEALED, *also)
        self._database = database
        self._vault = vault
        self._audit = audit
        self._now = clock

    async def left(self) -> int:
        """How many values are sealed under an older key."""
        count = 0
        async with self._database.reading() as conn:
            for table, columns in self._sealed:
                for column in columns:
                    older = sa.select(sa.func.count()).select_from(table).where(self._older(table.c[column]))
                    count += await conn.scalar(older) or 0
        return count

    async def run(self, told: Callable[[int], None] = lambda _: None) -> Rotated:
        """Seal anew whatever is left; `told` hears after each step how many values were. Stop it at any time and run it again."""
        resealed = unreadable = 0
        for table, columns in self._sealed:
            older, last = sa.or_(*(self._older(table.c[column]) for column in columns)), ""
            while True:
                async with self._database.writing() as conn:
                    wanted = sa.select(table.c.id, *(table.c[column] for column in columns)).where(older, table.c.id > last)
                    rows = (await conn.execute(wanted.order_by(table.c.id).limit(BATCH))).all()
                    for row in rows:
                        for column in columns:
                            done = await self._reseal(conn, table, column, row)
                            resealed += done is True
                            unreadable += done is False
                if not rows:
                    break
                last = rows[-1].id
                told(resealed)
        left = await self.left()
        if resealed:
            async with self._database.writing() as conn:
                await self._audit.record(conn, self._now(), "operator", "keys.rotated", "keys", values=resealed, left=left)
        return Rotated(resealed, unreadable, left)

    async def _reseal(self, conn: AsyncConnection, table: sa.Table, column: str, row: sa.Row[Any]) -> bool | None:
        """Whether it was sealed anew; False when it cannot be opened, None when there was nothing to do."""
        sealed = getattr(row, column)
        if sealed is None or bytes(sealed).startswith(self._vault.newest):
            return None
        fresh = self._vault.reseal(table.name, column, row.id, sealed)
        if fresh is None:
            return False
        same = sa.and_(table.c.id == row.id, table.c[column] == bytes(sealed))
        changed = await conn.execute(table.update().where(same).values({column: fresh}))
        return True if changed.rowcount else None

    def _older(self, cell: sa.Column[Any]) -> sa.ColumnElement[bool]:
        newest = self._vault.newest
        begins = sa.func.substr(cell, 1, len(newest), type_=sa.LargeBinary)
        return sa.and_(cell.is_not(None), begins != newest)
