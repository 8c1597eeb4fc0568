"""Who did what to which record and when: append only, without personal data, and chained so that nobody can rewrite it unseen.

Lives here: writing a line, proving the whole, forgetting what is older than the law asks for. Must not live here: what is worth a line.
Each line carries a keyed hash over itself and the line before it. Who can write to the database but has not the index key of
ENCRYPTION_KEYS can neither change, remove, insert nor reorder lines without `akses audit verify` saying so; the newest lines cut off show
against a head that was noted elsewhere (it is logged every day). The database itself refuses changes and early deletions (`migrations/`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.database import Database
from backend.tables import audit
from backend.vault import Vault

# Five years, and a day, because the database's own guard counts calendar years.
KEPT: Final = timedelta(days=5 * 366 + 1)
PRUNED: Final = "audit.pruned"
_BATCH: Final = 1000
_FIRST: Final = b"\0" * 32


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: note it outside the database, and a cut tail can be told."""

    line: int
    mac: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look at the whole chain found. `broken` are ids of the lines at which it does not hold, `unchained` of those outside it."""

    lines: int
    broken: tuple[int, ...]
    unchained: tuple[int, ...]
    head: Head | None
    head_seen: bool

    @property
    def holds(self) -> bool:
        return not self.broken and not self.unchained and self.head_seen


class Audit:
    """`actor` of a line is "person" (of the account or the link), "operator", "api:<key id>" or "system"; `subject` is an id."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def record(
        self, conn: AsyncConnection, at: datetime, actor: str, action: str, subject: str, **detail: str | int
    ) -> None:
        """Write one line in the transaction of the deed itself; the last thing in it, for everybody else's next line waits for its end."""
        await self._database.lock(conn, "audit")
        line = {"at": at, "actor": actor, "action": action, "subject": subject, "detail": detail}
        before = await conn.scalar(sa.select(audit.c.mac).where(audit.c.mac.is_not(None)).order_by(audit.c.id.desc()).limit(1))
        await conn.execute(audit.insert().values(**line, mac=self._mac(bytes(before or _FIRST), line)))

    async def head(self) -> Head | None:
        """The newest chained line; None when there is none."""
        async with self._database.reading() as conn:
            newest = sa.select(audit.c.id, audit.c.mac).where(audit.c.mac.is_not(None)).order_by(audit.c.id.desc()).limit(1)
            row = (await conn.execute(newest)).one_or_none()
        return None if row is None else Head(row.id, bytes(row.mac).hex())

    async def verify(self, *, after: int = 0, expected: str = "") -> Verdict:
        """Look at every line with an id above `after` (0: at all of them); `expected` is the mac of a head that was noted before."""
        broken, unchained, count, seen = list[int](), list[int](), 0, not expected
        before: bytes | None = None
        last, head = after, None
        async with self._database.reading() as conn:
            anchors = await self._anchors(conn)
            if after:
                before = await conn.scalar(sa.select(audit.c.mac).where(audit.c.id == after))
            wanted = audit.select().order_by(audit.c.id).limit(_BATCH)
            while lines := (await conn.execute(wanted.where(audit.c.id > last))).mappings().all():
                for line in lines:
                    count, last = count + 1, line["id"]
                    if line["mac"] is None:
                        unchained.append(last)
                        continue
                    mac = bytes(line["mac"])
                    # The first line of all follows nothing, or what was pruned, which a later line vouches for.
                    starts = [_FIRST, *anchors] if before is None else [bytes(before)]
                    if not any(self._mac(start, line) == mac for start in starts):
                        broken.append(last)
                    before, head = mac, Head(last, mac.hex())
                    seen = seen or mac.hex() == expected
        return Verdict(count, tuple(broken), tuple(unchained), head, seen)

    @staticmethod
    async def _anchors(conn: AsyncConnection) -> list[bytes]:
        rows = await conn.scalars(sa.select(audit.c.detail).where(audit.c.action == PRUNED))
        return [bytes.fromhex(str(detail["mac"])) for detail in rows]

    async def prune(self, now: datetime) -> int:
        """Forget lines older than five years; how many. A line of its own tells up to where, so that the rest still proves itself."""
        old = audit.c.at < now - KEPT
        async with self._database.writing() as conn:
            await self._database.lock(conn, "audit")
            # What is forgotten is a piece from the beginning; a younger line that a clock put before an older one ends it.
            first_kept = await conn.scalar(sa.select(sa.func.min(audit.c.id)).where(~old))
            gone = old if first_kept is None else sa.and_(old, audit.c.id < first_kept)
            newest = (
                sa.select(audit.c.id, audit.c.mac).where(gone, audit.c.mac.is_not(None)).order_by(audit.c.id.desc()).limit(1)
            )
            last = (await conn.execute(newest)).one_or_none()
            if last is None:
                return 0
            count = (await conn.execute(audit.delete().where(gone, audit.c.id <= last.id))).rowcount
            await self.record(conn, now, "system", PRUNED, "audit", upto=last.id, mac=bytes(last.mac).hex(), lines=count)
        return count

    def _mac(self, before: bytes, line: Mapping[Any, Any]) -> bytes:
        at: datetime = line["at"]
        said = [at.astimezone(UTC).isoformat(), line["actor"], line["action"], line["subject"], line["detail"]]
        return self._vault.index("audit", f"{before.hex()} {json.dumps(said, sort_keys=True)}")
