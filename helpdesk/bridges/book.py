"""What is known of a bridge for good: how far it has carried, who does so now, its places, and which message holds which line.

Lives here: the rows of `desk_bridges`, `desk_bridge_places`, `desk_bridge_messages`, `desk_bridge_removals`. Must not live here: what is
carried and when (`carrier.py`), what comes back (`deeds.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from helpdesk.bridges.port import (
    Carried,
    Closed,
    Entry,
    Fate,
    Opened,
    Owner,
    Place,
    Thing,
)
from helpdesk.ports import Clock, Database
from helpdesk.reading import Reading, Ticket
from helpdesk.tables import bridge_messages, bridge_places, bridge_removals, bridges, changes, entries, fates, tickets

log = structlog.get_logger(__name__)

# Of a talk that is there before its place is, so many of the newest lines are told.
RETOLD: Final = 10
_REMOVALS: Final = 100
_WHERE_MAX: Final = 200
_OWNER: Final = ("queued", "released", "taken", "transferred")
_CLOSED: Final = ("returned", "closed", "cancelled", "finished", "timed_out", "idled")

State = Literal["new", "again", "open"]


@dataclass(frozen=True, slots=True)
class Standing:
    """A ticket at a bridge: what it is, where its talk is there (None while it is nowhere), and what is to be told there, in its order."""

    ticket: Ticket
    place: Place | None
    state: State
    things: Sequence[Thing]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of a message that an agent wrote there: how often it was said here, and the last word on it that was carried there ("": none)."""

    times: int
    told: str


async def leave(conn: AsyncConnection, ended: sa.Select[tuple[str]]) -> None:
    """Of these tickets nothing is to stay at any bridge (`carrier.py` sees to it); one that is open begins anew there."""
    place, other = bridge_places, bridge_places.alias()
    same = sa.and_(other.c.bridge == place.c.bridge, other.c.external == place.c.external)
    # Where a place is that of several tickets it goes with the last of them.
    shared = sa.select(other.c.external).where(same, other.c.ticket_id.not_in(ended)).exists()
    removal = bridge_removals
    known = sa.select(removal.c.external).where(removal.c.bridge == place.c.bridge, removal.c.external == place.c.external)
    gone = (
        sa.select(place.c.bridge, place.c.external, tickets.c.conversation_id)
        .join(tickets, tickets.c.id == place.c.ticket_id)
        .where(place.c.ticket_id.in_(ended), place.c.external != "", ~shared, ~known.exists())
    )
    await conn.execute(removal.insert().from_select(["bridge", "external", "chat"], gone.distinct()))
    for table in (bridge_places, bridge_messages):
        await conn.execute(table.delete().where(table.c.ticket_id.in_(ended)))


class Book:
    """Of the bridge `name`."""

    def __init__(self, name: str, database: Database, reading: Reading, clock: Clock) -> None:
        self.name = name
        self._database = database
        self._reading = reading
        self._now = clock

    # --- who carries, and how far

    async def hold(self, who: str, seconds: float) -> int | None:
        """Hold the bridge for so many seconds more, and give how far it has been carried; None where another process holds it."""
        now = self._now()
        until = now + timedelta(seconds=seconds)
        mine = sa.or_(bridges.c.held_by == who, bridges.c.held_until.is_(None), bridges.c.held_until < now)
        async with self._database.writing() as conn:
            if await conn.scalar(sa.select(bridges.c.name).where(bridges.c.name == self.name)) is None:
                await self._database.lock(conn, f"desk bridge {self.name}")
                if await conn.scalar(sa.select(bridges.c.name).where(bridges.c.name == self.name)) is None:
                    await conn.execute(bridges.insert().values(name=self.name, cursor=0, began_at=now))
            taken = await conn.execute(
                bridges.update().where(bridges.c.name == self.name, mine).values(held_by=who, held_until=until)
            )
            if not taken.rowcount:
                return None
            cursor: int = await conn.scalar(sa.select(bridges.c.cursor).where(bridges.c.name == self.name)) or 0
            return cursor

    async def let_go(self, who: str) -> None:
        """Somebody else may carry at once."""
        async with self._database.writing() as conn:
            await conn.execute(
                bridges.update()
                .where(bridges.c.name == self.name, bridges.c.held_by == who)
                .values(held_by=None, held_until=None)
            )

    async def carried_to(self, cursor: int, who: str) -> None:
        """Everything up to this change of the feed is there. Of no effect where another process holds the bridge by now."""
        async with self._database.writing() as conn:
            await conn.execute(
                bridges.update().where(bridges.c.name == self.name, bridges.c.held_by == who).values(cursor=cursor)
            )

    async def settle(self, where: str) -> None:
        """Carry to this far end (`Bridge.where`). Where another one was known, its places are let be, for their names mean others' places
        here; tickets that are open begin anew.
        """
        where = where[:_WHERE_MAX]
        async with self._database.writing() as conn:
            known = await conn.scalar(sa.select(bridges.c.moved).where(bridges.c.name == self.name)) or ""
            before, _, now = known.partition(" ")
            if where in (before, now):
                return
            if before:
                log.warning("bridge.another_place", bridge=self.name, before=before)
                for table in (bridge_places, bridge_messages, bridge_removals):
                    await conn.execute(table.delete().where(table.c.bridge == self.name))
            await conn.execute(bridges.update().where(bridges.c.name == self.name).values(moved=where))

    async def moved(self) -> str:
        """Where the whole far end is: as `move` was told, or else `settle`."""
        async with self._database.reading() as conn:
            return await conn.scalar(sa.select(bridges.c.moved).where(bridges.c.name == self.name)) or ""

    async def move(self, where: str) -> None:
        """The far end has moved, for good."""
        async with self._database.writing() as conn:
            await conn.execute(bridges.update().where(bridges.c.name == self.name).values(moved=where))

    async def behind(self) -> float:
        """For how many seconds the oldest change that is not there yet has been waiting; 0 where nothing waits."""
        cursor = sa.select(bridges.c.cursor).where(bridges.c.name == self.name).scalar_subquery()
        oldest = sa.select(sa.func.min(changes.c.at)).where(changes.c.id > cursor, changes.c.ticket_id.is_not(None))
        async with self._database.reading() as conn:
            at = await conn.scalar(oldest)
        return max(0.0, (self._now() - at).total_seconds()) if at else 0.0

    # --- what is to be told

    async def standing(self, ticket: str, known: Mapping[str, str]) -> Standing | None:
        """None for a ticket that is over and has nothing to tell, or was so before this bridge began. `known` as in `masking.mask`."""
        place = bridge_places.select().where(bridge_places.c.bridge == self.name, bridge_places.c.ticket_id == ticket)
        async with self._database.reading() as conn:
            found = await self._reading.of_ticket(conn, ticket)
            row = (await conn.execute(place)).one_or_none()
            began = await conn.scalar(sa.select(bridges.c.began_at).where(bridges.c.name == self.name))
            if found is None or (row is None and found.closed_at is not None and began is not None and found.closed_at < began):
                return None
            rows = (await conn.execute(self._lines(ticket))).all()
        there = {name: line.external for line in rows for name in (line.message, line.sent_as) if name and line.external}
        lines = [self._thing(line, known, there) for line in rows if line.state is None and line.body is not None]
        things: list[Thing] = [line for line in lines if line is not None]
        things += [
            Fate(line.id, line.fate, line.external)
            for line in rows
            if line.state in ("carried", "written") and line.fate and line.fate != line.fate_told
        ]
        if row is None and found.closed_at is not None and not things:
            # Of one whose talk was erased there is nothing to make a place for.
            return None
        if row is None or not row.external:
            return Standing(found, None, row.state if row else "new", things)
        if row.state != "open":
            things.insert(0, Opened(found.id, found.opened_at, again=row.state == "again"))
        written = [line for line in rows if line.external]
        last = max(written, key=lambda line: line.written_at).external if written else row.first
        return Standing(found, Place(row.external, row.first, last), row.state, things)

    def _lines(self, ticket: str) -> sa.Select[Any]:
        """The lines of a ticket, each with what stands of it there."""
        there = sa.and_(
            bridge_messages.c.bridge == self.name,
            sa.or_(bridge_messages.c.entry == entries.c.id, bridge_messages.c.entry == entries.c.ref),
        )
        return (
            sa.select(
                entries,
                fates.c.fate,
                fates.c.resent,
                fates.c.message.label("sent_as"),
                bridge_messages.c.state,
                bridge_messages.c.external,
                bridge_messages.c.at.label("written_at"),
                bridge_messages.c.fate.label("fate_told"),
            )
            .join_from(entries, bridge_messages, there, isouter=True)
            .join(fates, fates.c.ref == entries.c.ref, isouter=True)
            # What opened the ticket is the place itself.
            .where(entries.c.ticket_id == ticket, entries.c.kind != "opened")
            .order_by(entries.c.at, entries.c.place)
        )

    def _thing(self, row: sa.Row[Any], known: Mapping[str, str], there: Mapping[str, str]) -> Thing:
        line = self._reading.entry(row, known)
        if line.author == "system" and line.kind in _OWNER:
            return Owner(line.id, line.at, line.kind, line.agent_name)
        if line.author == "system" and line.kind in _CLOSED:
            return Closed(line.id, line.at, line.kind, line.agent_name, line.detail)
        author: Literal["person", "agent", "system"] = (
            "person" if line.author == "person" else "agent" if line.author == "agent" else "system"
        )
        answers = there.get(row.message if line.kind == "edit" else row.answers, "")
        return Entry(line.id, line.at, author, line.kind, line.text, line.detail, line.agent_name, answers)

    # --- what stands there

    async def placed(self, ticket: str, external: str, state: State) -> None:
        """The ticket has a place now. Of what was said before, the newest is to be told."""
        async with self._database.writing() as conn:
            await conn.execute(bridge_places.delete().where(*self._at(ticket)))
            row = {"bridge": self.name, "ticket_id": ticket, "external": external, "first": "", "state": state}
            await conn.execute(bridge_places.insert().values(**row))
            rows = (await conn.execute(self._lines(ticket))).all()
            old = [line for line in rows if line.state is None][:-RETOLD]
            await self._write(conn, ticket, [line.id for line in old], "", "passed")

    async def gone(self, ticket: str) -> None:
        """The ticket's place is not there any more; the newest of what stood in it is to be told again."""
        async with self._database.writing() as conn:
            await conn.execute(bridge_places.update().where(*self._at(ticket)).values(external="", first="", state="again"))
            rows = (await conn.execute(self._lines(ticket))).all()
            newest = [name for line in rows[-RETOLD:] for name in (line.id, line.ref) if name]
            await conn.execute(
                bridge_messages.delete().where(bridge_messages.c.bridge == self.name, bridge_messages.c.entry.in_(newest))
            )

    async def carried(self, ticket: str, things: Sequence[Thing], carried: Carried) -> None:
        """The first of these stand there now."""
        done = things[: carried.count]
        async with self._database.writing() as conn:
            for thing in done:
                if isinstance(thing, Opened):
                    first = {"first": carried.message, "state": "open"}
                    await conn.execute(bridge_places.update().where(*self._at(ticket)).values(first))
                elif isinstance(thing, Fate):
                    ref = sa.select(entries.c.ref).where(entries.c.id == thing.id).scalar_subquery()
                    its = sa.or_(bridge_messages.c.entry == thing.id, bridge_messages.c.entry == ref)
                    told = bridge_messages.update().where(bridge_messages.c.bridge == self.name, its)
                    await conn.execute(told.values(fate=thing.fate))
            lines = [thing.id for thing in done if not isinstance(thing, Opened | Fate)]
            await self._write(conn, ticket, lines, carried.message, "carried")

    async def refused(self, ticket: str, thing: Thing) -> None:
        """The other side takes this in no case."""
        if isinstance(thing, Opened | Fate):
            await self.carried(ticket, [thing], Carried(1))
            return
        async with self._database.writing() as conn:
            await self._write(conn, ticket, [thing.id], "", "refused")

    async def written(self, ticket: str, line: str, external: str) -> None:
        """An agent wrote this there (`line`: its `ref`, or the entry of a note): it is not to be carried to where it comes from."""
        async with self._database.writing() as conn:
            await self._write(conn, ticket, [line], external, "written")

    async def unwritten(self, line: str) -> None:
        """What an agent wrote there came to nothing."""
        async with self._database.writing() as conn:
            its = bridge_messages.c.bridge == self.name, bridge_messages.c.entry == line, bridge_messages.c.state == "written"
            await conn.execute(bridge_messages.delete().where(*its))

    async def _write(self, conn: AsyncConnection, ticket: str, lines: Sequence[str], external: str, state: str) -> None:
        if not lines:
            return
        its = bridge_messages.c.bridge == self.name, bridge_messages.c.entry.in_(lines)
        known = set(await conn.scalars(sa.select(bridge_messages.c.entry).where(*its)))
        rows = [
            {
                "bridge": self.name,
                "entry": line,
                "ticket_id": ticket,
                "external": external,
                "state": state,
                "fate": "",
                "at": self._now(),
            }
            for line in lines
            if line not in known
        ]
        if rows:
            await conn.execute(bridge_messages.insert(), rows)

    # --- what is to be there no more

    async def removals(self) -> Sequence[tuple[str, str]]:
        """Places whose talk was erased, with the chat that it was (`Bridge.remove`), in any order: so that none has always to wait for
        another that cannot be removed.
        """
        its = bridge_removals.c.bridge == self.name
        wanted = bridge_removals.select().where(its).order_by(sa.func.random()).limit(_REMOVALS)
        async with self._database.reading() as conn:
            return [(row.external, row.chat or "") for row in await conn.execute(wanted)]

    async def removed(self, place: str) -> None:
        """It is gone there as well."""
        its = bridge_removals.c.bridge == self.name, bridge_removals.c.external == place
        async with self._database.writing() as conn:
            await conn.execute(bridge_removals.delete().where(*its))

    # --- what comes back

    async def ticket_at(self, external: str) -> Ticket | None:
        """Whose place this is, the newest one's where it is that of several."""
        wanted = (
            sa.select(bridge_places.c.ticket_id)
            .join(tickets, tickets.c.id == bridge_places.c.ticket_id)
            .where(bridge_places.c.bridge == self.name, bridge_places.c.external == external)
            .order_by(tickets.c.number.desc())
        )
        async with self._database.reading() as conn:
            ticket = await conn.scalar(wanted.limit(1))
            return await self._reading.of_ticket(conn, ticket) if ticket is not None else None

    async def open_places(self) -> Sequence[str]:
        """The places of tickets that are not closed."""
        wanted = (
            sa.select(bridge_places.c.external)
            .join(tickets, tickets.c.id == bridge_places.c.ticket_id)
            .where(bridge_places.c.bridge == self.name, bridge_places.c.external != "", tickets.c.owner != "closed")
            .order_by(tickets.c.number)
        )
        async with self._database.reading() as conn:
            return list(await conn.scalars(wanted))

    async def place_of(self, ticket: str) -> Place | None:
        async with self._database.reading() as conn:
            row = (await conn.execute(bridge_places.select().where(*self._at(ticket)))).one_or_none()
        return Place(row.external, row.first) if row is not None and row.external else None

    async def outcomes(self, ticket: str) -> Mapping[str, Outcome]:
        """What came of the messages that agents wrote there, by message; of one that came to nothing (yet), nothing is told."""
        its = sa.or_(bridge_messages.c.entry == entries.c.id, bridge_messages.c.entry == entries.c.ref)
        wanted = (
            sa.select(bridge_messages.c.external, bridge_messages.c.fate)
            .join_from(bridge_messages, entries, its)
            .where(
                bridge_messages.c.bridge == self.name,
                bridge_messages.c.ticket_id == ticket,
                bridge_messages.c.state == "written",
                bridge_messages.c.external != "",
            )
            .order_by(bridge_messages.c.at, entries.c.at, entries.c.place)
        )
        found: dict[str, Outcome] = {}
        async with self._database.reading() as conn:
            for row in await conn.execute(wanted):
                before = found.get(row.external)
                found[row.external] = Outcome((before.times if before else 0) + 1, row.fate)
        return found

    async def says(self, external: str) -> str | None:
        """What an agent wrote in this message there, as it was last sent; "" where the talk does not have it yet, None for a message
        that was not sent to the person.
        """
        wanted = (
            sa.select(entries)
            .join(bridge_messages, bridge_messages.c.entry == entries.c.ref)
            .where(bridge_messages.c.bridge == self.name, bridge_messages.c.external == external)
            .order_by(entries.c.at.desc(), entries.c.place.desc())
            .limit(1)
        )
        there = sa.select(bridge_messages.c.entry).where(
            bridge_messages.c.bridge == self.name,
            bridge_messages.c.external == external,
            bridge_messages.c.state == "written",
            # A note is known by its entry, and was said to nobody.
            bridge_messages.c.entry.not_in(sa.select(entries.c.id)),
        )
        async with self._database.reading() as conn:
            row = (await conn.execute(wanted)).one_or_none()
            if row is None:
                return "" if await conn.scalar(there.limit(1)) is not None else None
        return self._reading.written(row)

    async def said_in(self, external: str) -> str:
        """The channel's own id of the person's message that stands in this message there; "" where none does."""
        wanted = (
            sa.select(entries.c.message)
            .join(bridge_messages, bridge_messages.c.entry == entries.c.id)
            .where(bridge_messages.c.bridge == self.name, bridge_messages.c.external == external, entries.c.author == "person")
            .order_by(entries.c.at.desc(), entries.c.place.desc())
            .limit(1)
        )
        async with self._database.reading() as conn:
            return await conn.scalar(wanted) or ""

    def _at(self, ticket: str) -> tuple[sa.ColumnElement[bool], ...]:
        return bridge_places.c.bridge == self.name, bridge_places.c.ticket_id == ticket
