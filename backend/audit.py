"""Who did what to which record and when: append only, without personal data, and chained so that nobody can rewrite it unseen.

Lives here: writing a line, giving it its place in the chain, proving the whole, forgetting what is older than the law asks for. Must not
live here: what is worth a line.

A line bears a keyed hash over itself from the moment that it is written, in the transaction of the deed. Its place in the chain it gets a
moment later, from one process at a time: a chain that the deeds themselves wrote would make each of them wait for all others. Who can
write to the database but has not the index key of ENCRYPTION_KEYS can neither change, add, repeat, remove nor reorder lines without
`akses audit verify` saying so; the newest entries cut off show against a head that was noted elsewhere (it is logged every day). The
database itself refuses changes and early deletions (`migrations/`).
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.database import Database
from backend.tables import audit, audit_chain, audit_loose
from backend.vault import Vault

log = structlog.get_logger(__name__)

# Five years, and a day, because the database's own guard counts calendar years.
KEPT: Final = timedelta(days=5 * 366 + 1)
PRUNED: Final = "audit.pruned"
_BATCH: Final = 1000
_FIRST: Final = b"\0" * 32
_NONCE_BYTES: Final = 8
CHAINED_EVERY_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: note it outside the database, and a cut tail can be told."""

    position: int
    mac: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line, to be read by people."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, str | int]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look at the whole chain found. `broken` are ids of the lines at which it does not hold, `unchained` of those outside it: from
    before there was a chain, or a stranger's.
    """

    lines: int
    broken: tuple[int, ...]
    unchained: tuple[int, ...]
    head: Head | None
    head_seen: bool

    @property
    def holds(self) -> bool:
        return not self.broken and not self.unchained and self.head_seen


class Audit:
    """`actor` of a line is "person" (of the account or the link), "operator", "api:<key id>", "agent:<id>" (of the helpdesk) or "system";
    `subject` is an id.
    """

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def record(
        self, conn: AsyncConnection, at: datetime, actor: str, action: str, subject: str, **detail: str | int
    ) -> None:
        """Write one line in the transaction of the deed itself."""
        line = {"at": at, "actor": actor, "action": action, "subject": subject, "detail": detail}
        nonce = os.urandom(_NONCE_BYTES)
        made = audit.insert().values(**line, mac=nonce + self._macs(nonce, line)[0]).returning(audit.c.id)
        await conn.execute(audit_loose.insert().values(line=(await conn.execute(made)).scalar_one()))

    async def lines(self, *, before: int = 0, limit: int = 50, action: str = "", actor: str = "") -> list[Line]:
        """The newest lines, older than line `before` (0: from the end); `action` and `actor` are how theirs begin."""
        wanted = sa.select(audit).order_by(audit.c.id.desc()).limit(limit)
        if before:
            wanted = wanted.where(audit.c.id < before)
        wanted = wanted.where(
            audit.c.action.startswith(action, autoescape=True), audit.c.actor.startswith(actor, autoescape=True)
        )
        async with self._database.reading() as conn:
            return [
                Line(row.id, row.at, row.actor, row.action, row.subject, dict(row.detail)) for row in await conn.execute(wanted)
            ]

    # --- the chain

    async def run(self) -> None:
        """Give new lines their places, for ever; any number of processes may."""
        while True:
            try:
                more = await self.chain() == _BATCH
            except (SQLAlchemyError, OSError) as error:
                log.warning("audit.not_chained", error=type(error).__name__)
                more = False
            if not more:
                await asyncio.sleep(CHAINED_EVERY_SECONDS)

    async def chain(self) -> int:
        """Give the oldest lines without a place theirs; how many were looked at. One that does not prove itself gets none."""
        waiting = sa.select(audit_loose.c.line).order_by(audit_loose.c.line).limit(_BATCH)
        async with self._database.reading() as conn:
            if not (await conn.scalars(waiting.limit(1))).all():
                return 0
        async with self._database.writing() as conn:
            await self._database.lock(conn, "audit")
            loose = list(await conn.scalars(waiting))
            if not loose:
                return 0
            newest = await self._newest(conn)
            position, before = (newest.position, bytes(newest.mac)) if newest else (0, _FIRST)
            entries = []
            lines = await conn.execute(audit.select().where(audit.c.id.in_(loose)).order_by(audit.c.id))
            for line in lines.mappings():
                if not self._proves_itself(line):
                    log.error("audit.forged", line=line["id"])
                    continue
                position, before = position + 1, self._links(before, position + 1, line["id"], line["mac"])[0]
                entries.append({"position": position, "line": line["id"], "mac": before})
            if entries:
                await conn.execute(audit_chain.insert(), entries)
            await conn.execute(audit_loose.delete().where(audit_loose.c.line.in_(loose)))
        return len(loose)

    async def _up_to_date(self) -> None:
        while await self.chain() == _BATCH:
            pass

    @staticmethod
    async def _newest(conn: AsyncConnection) -> sa.Row[Any, Any] | None:
        newest = sa.select(audit_chain.c.position, audit_chain.c.mac).order_by(audit_chain.c.position.desc()).limit(1)
        return (await conn.execute(newest)).one_or_none()

    async def head(self) -> Head | None:
        """The end of the chain; None when there is none."""
        await self._up_to_date()
        async with self._database.reading() as conn:
            row = await self._newest(conn)
        return None if row is None else Head(row.position, bytes(row.mac).hex())

    async def verify(self, *, after: int = 0, expected: str = "") -> Verdict:
        """Look at every entry behind position `after` (0: at all of them); `expected` is the mac of a head that was noted before."""
        await self._up_to_date()
        async with self._database.reading() as conn:
            return await self._verdict(conn, after, expected)

    async def _verdict(self, conn: AsyncConnection, after: int, expected: str) -> Verdict:
        broken, count, seen, head = list[int](), 0, not expected, None
        anchors = await self._anchors(conn)
        before: bytes | None = None
        if after:
            before = await conn.scalar(sa.select(audit_chain.c.mac).where(audit_chain.c.position == after))
            newest = await self._newest(conn)
            # An entry that was noted and is behind the end was cut off with it; one that was pruned is before the beginning.
            seen = newest is not None and newest.position >= after and (seen or bytes(before or b"").hex() == expected)
        last = after
        entries = (
            sa.select(audit_chain.c.position, audit_chain.c.line, audit_chain.c.mac.label("link"), audit)
            .join_from(audit_chain, audit, audit.c.id == audit_chain.c.line, isouter=True)
            .order_by(audit_chain.c.position)
            .limit(_BATCH)
        )
        while rows := (await conn.execute(entries.where(audit_chain.c.position > last))).mappings().all():
            for row in rows:
                count, last, link = count + 1, row["position"], bytes(row["link"])
                # The first entry of all follows nothing, or what was pruned, which a later line vouches for.
                starts = [_FIRST, *anchors] if before is None else [bytes(before)]
                whole = row["id"] is not None and self._proves_itself(row)
                if not whole or not any(link in self._links(start, last, row["line"], row["mac"]) for start in starts):
                    broken.append(row["line"])
                before, head = link, Head(last, link.hex())
                seen = seen or link.hex() == expected
        twice = sa.select(audit.c.mac).where(audit.c.mac.is_not(None)).group_by(audit.c.mac).having(sa.func.count() > 1)
        broken += await conn.scalars(sa.select(audit.c.id).where(audit.c.mac.in_(twice)).order_by(audit.c.id).limit(_BATCH))
        chained = sa.select(audit_chain.c.line).where(audit_chain.c.line == audit.c.id)
        loose = sa.select(audit_loose.c.line).where(audit_loose.c.line == audit.c.id)
        outside = sa.select(audit.c.id).where(~chained.exists(), ~loose.exists()).order_by(audit.c.id).limit(_BATCH)
        return Verdict(count, tuple(broken), tuple(await conn.scalars(outside)), head, seen)

    @staticmethod
    async def _anchors(conn: AsyncConnection) -> list[bytes]:
        rows = await conn.scalars(sa.select(audit.c.detail).where(audit.c.action == PRUNED))
        return [bytes.fromhex(str(detail["mac"])) for detail in rows]

    async def prune(self, now: datetime) -> int:
        """Forget lines older than five years; how many. A line of its own tells up to where, so that the rest still proves itself."""
        await self._up_to_date()
        async with self._database.writing() as conn:
            await self._database.lock(conn, "audit")
            # What is forgotten is a piece from the beginning; a younger line that a clock put before an older one ends it.
            places = sa.select(audit_chain.c.position).join_from(audit_chain, audit, audit.c.id == audit_chain.c.line)
            first_kept = await conn.scalar(places.where(audit.c.at >= now - KEPT).order_by(audit_chain.c.position).limit(1))
            gone = sa.true() if first_kept is None else audit_chain.c.position < first_kept
            newest = sa.select(audit_chain).where(gone).order_by(audit_chain.c.position.desc()).limit(1)
            last = (await conn.execute(newest)).one_or_none()
            if last is None:
                return 0
            await conn.execute(audit.delete().where(audit.c.id.in_(sa.select(audit_chain.c.line).where(gone))))
            count = (await conn.execute(audit_chain.delete().where(audit_chain.c.position <= last.position))).rowcount
            mac = bytes(last.mac).hex()
            await self.record(conn, now, "system", PRUNED, "audit", upto=last.position, mac=mac, lines=count)
        return count

    # --- keyed hashes

    def _proves_itself(self, line: Mapping[Any, Any]) -> bool:
        mac = bytes(line["mac"] or b"")
        nonce = mac[:_NONCE_BYTES]
        return bool(mac) and mac[_NONCE_BYTES:] in self._macs(nonce, line)

    def _macs(self, nonce: bytes, line: Mapping[Any, Any]) -> tuple[bytes, ...]:
        """Under every index key, the newest first, as `_links` does: what was written before a rotation still proves itself."""
        at: datetime = line["at"]
        said = [at.astimezone(UTC).isoformat(), line["actor"], line["action"], line["subject"], line["detail"]]
        return self._vault.indexes("audit", f"{nonce.hex()} {json.dumps(said, sort_keys=True)}")

    def _links(self, before: bytes, position: int, line: int, mac: bytes) -> tuple[bytes, ...]:
        return self._vault.indexes("audit", f"chain {before.hex()} {position} {line} {bytes(mac).hex()}")
