"""What the chats tell the helpdesk, kept: tickets, their talk, and the feed of changes. The `Desk` of `bot/desk.py`.

Lives here: writing it down once, in its order, whatever order it comes in, with its line in the audit. Must not live here: what agents see
of it (`reading.py`), what they do (`acting.py`).

Every writer takes the feed's lock before it adds to the feed, so that ids of changes become visible in their order; a reader that
remembers the last one misses nothing. On SQLite the one write lock does the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final, Literal, assert_never

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation import Conversation
from bot.desk import DeskUnavailable, Line, order_of
from dialogs.effects import Change, DeskChanged, MessageFate, OpenTicket, Relay, ToDesk
from helpdesk.agents import Agent, actor
from helpdesk.bridges.book import leave
from helpdesk.ids import new_id
from helpdesk.ports import Audit, Clock, Database
from helpdesk.seals import Cells
from helpdesk.tables import (
    agents,
    changes,
    conversations,
    entries,
    fates,
    ticket_terms,
    tickets,
    unnamed,
)

# What the bot said where no human was is kept as long as the dialog itself; the talk of a closed ticket a month longer.
LINES_KEPT: Final = timedelta(days=8)
TALK_KEPT: Final = timedelta(days=30)
FEED: Final = "desk feed"
_PLACES: Final = 1000
_MESSAGE_MAX: Final = 64

What = Literal["opened", "owner", "entry", "fate", "rated", "line", "erased"]
# Who has a ticket after a change; what is not named leaves its owner.
_OWNER: Final[dict[Change, str]] = {
    "queued": "queued",
    "released": "queued",
    "taken": "human",
    "transferred": "human",
    "returned": "closed",
    "closed": "closed",
    "cancelled": "closed",
    "finished": "closed",
    "timed_out": "closed",
    "idled": "closed",
}
# What an agent did, and answers for.
_DEEDS: Final = frozenset[Change]({"taken", "released", "transferred", "returned", "closed", "proposed", "unfit"})


def entry_id(conversation: Conversation, key: str) -> str:
    """The same for the same thing told again."""
    return hashlib.blake2b(f"{conversation}\0{key}".encode(), digest_size=16).hexdigest()


def note_id(agent: str, key: str) -> str:
    """The entry of an agent's note of this key."""
    return hashlib.blake2b(f"note\0{agent}\0{key}".encode(), digest_size=16).hexdigest()


class Records:
    """`terms` tells what a conversation's person may be found by (`Cells.term`); `wake` is called when the feed has grown."""

    def __init__(
        self,
        database: Database,
        audit: Audit,
        cells: Cells,
        clock: Clock,
        *,
        terms: Callable[[Conversation], Awaitable[frozenset[bytes]]],
        wake: Callable[[], None],
    ) -> None:
        self._database = database
        self._audit = audit
        self._cells = cells
        self._now = clock
        self._terms = terms
        self._wake = wake
        self._one = asyncio.Lock()

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that may add to the feed. Of this process one at a time stands in line for the lock: were it all, they would hold
        every connection that the pages need.
        """
        async with self._one, self._database.writing() as conn:
            await self._database.lock(conn, FEED)
            yield conn

    # --- the port

    async def tell(self, conversation: Conversation, what: ToDesk, key: str) -> None:
        try:
            await self._tell(conversation, what, key)
        except (SQLAlchemyError, OSError) as error:
            raise DeskUnavailable(type(error).__name__) from error
        self._wake()

    async def watch(self, lines: Sequence[Line]) -> None:
        """Lines of chats that the bot has, for those who look on."""
        try:
            async with self._writing() as conn:
                await self._lines(conn, {entry_id(line.conversation, line.key): line for line in lines})
        except (SQLAlchemyError, OSError) as error:
            raise DeskUnavailable(type(error).__name__) from error
        self._wake()

    async def _tell(self, conversation: Conversation, what: ToDesk, key: str) -> None:
        if isinstance(what, MessageFate):
            await self._fate(conversation, what)
            return
        if not what.ticket:
            return
        terms = await self._terms(conversation) if isinstance(what, OpenTicket) else frozenset[bytes]()
        async with self._writing() as conn:
            id_ = entry_id(conversation, key)
            if await conn.scalar(sa.select(entries.c.id).where(entries.c.id == id_)) is not None:
                return
            match what:
                case OpenTicket():
                    await self._opened(conn, conversation, what, id_, key, terms)
                case Relay():
                    await self._relayed(conn, conversation, what, id_, key)
                case DeskChanged():
                    await self._changed(conn, conversation, what, id_, key)
                case _:
                    assert_never(what)

    async def _opened(
        self, conn: AsyncConnection, conversation: Conversation, what: OpenTicket, id_: str, key: str, terms: frozenset[bytes]
    ) -> None:
        at = what.at or self._now()
        chat = await self._conversation(conn, conversation, at, language=what.language, step=what.step)
        await self._ticket(conn, what.ticket, chat, conversation, at)
        known = {"reason": what.reason, "step": what.step, "language": what.language, "opened_at": at}
        await conn.execute(tickets.update().where(tickets.c.id == what.ticket).values(known))
        if terms:
            await conn.execute(ticket_terms.delete().where(ticket_terms.c.ticket_id == what.ticket))
            await conn.execute(ticket_terms.insert(), [{"ticket_id": what.ticket, "term": term} for term in sorted(terms)])
        await self._entry(conn, id_, chat, what.ticket, at, key, "system", "opened", detail=what.reason)
        await self._tell_feed(conn, "opened", chat, what.ticket, id_)

    async def _relayed(self, conn: AsyncConnection, conversation: Conversation, what: Relay, id_: str, key: str) -> None:
        chat = await self._conversation(conn, conversation, what.at)
        ticket = await self._ticket(conn, what.ticket, chat, conversation, what.at)
        await self._entry(
            conn,
            id_,
            chat,
            what.ticket,
            what.at,
            key,
            what.author,
            what.kind,
            text=what.text,
            detail=what.detail,
            agent=what.agent,
            name=what.name,
            ref=what.ref,
            message=what.message,
            answers=what.answers,
        )
        values: dict[str, Any] = {"changed_at": what.at}
        if what.author == "agent":
            values |= {"unanswered_since": None, "answered_at": ticket.answered_at or what.at}
            await self._audit.record(conn, self._now(), f"agent:{what.agent}", "desk.said", what.ticket)
        elif ticket.owner != "closed" and ticket.unanswered_since is None:
            values["unanswered_since"] = what.at
        await conn.execute(tickets.update().where(tickets.c.id == what.ticket).values(values))
        await self._tell_feed(conn, "entry", chat, what.ticket, id_)

    async def _changed(self, conn: AsyncConnection, conversation: Conversation, what: DeskChanged, id_: str, key: str) -> None:
        chat = await self._conversation(conn, conversation, what.at)
        ticket = await self._ticket(conn, what.ticket, chat, conversation, what.at)
        values: dict[str, Any] = {"changed_at": what.at}
        owner = _OWNER.get(what.what)
        # An owner with a lower version than one that is known is old.
        if owner is not None and what.ownership > ticket.version:
            values |= {"owner": owner, "version": what.ownership, "owned_since": what.at}
            if owner == "human":
                values |= {"agent_id": what.agent, "agent_name": what.name, "taken_at": ticket.taken_at or what.at}
            elif owner == "queued":
                values |= {"agent_id": None, "agent_name": ""}
            else:
                values |= {"closed_at": what.at, "ended": what.what, "unanswered_since": None}
        if what.what == "closed":
            values["label"] = what.detail[:40]
        elif what.what == "rated" and what.detail.isdecimal():
            values["rating"] = int(what.detail)
        await conn.execute(tickets.update().where(tickets.c.id == what.ticket).values(values))
        by, name = what.by or what.agent, what.name
        if what.what != "transferred" and by != what.agent:
            # A supervisor acts on what another has; of a transfer the line names who gets it.
            name = await conn.scalar(sa.select(agents.c.name).where(agents.c.id == by)) or name
        await self._entry(
            conn,
            id_,
            chat,
            what.ticket,
            what.at,
            key,
            "system",
            what.what,
            detail=what.detail,
            agent=by,
            name=name,
        )
        if what.what in _DEEDS:
            who, detail = f"agent:{by}" if by else "system", {"detail": what.detail[:60]} if what.detail else {}
            await self._audit.record(conn, self._now(), who, f"desk.{what.what}", what.ticket, version=what.ownership, **detail)
        kind: What = "rated" if what.what == "rated" else "owner" if owner else "entry"
        await self._tell_feed(conn, kind, chat, what.ticket, id_)

    async def _fate(self, conversation: Conversation, what: MessageFate) -> None:
        async with self._writing() as conn:
            known = (await conn.execute(fates.select().where(fates.c.ref == what.ref))).one_or_none()
            told = {"fate": what.fate, "message": what.message[:_MESSAGE_MAX] or None, "at": what.at}
            if known is None:
                await conn.execute(fates.insert().values(ref=what.ref, resent=False, **told))
            elif known.fate != "sent" or what.at > known.at:  # a channel may say later that what it took did not arrive
                # Under which name it stood in the chat is not told again, and a reply to it may come all the same.
                told["message"] = told["message"] or known.message
                await conn.execute(fates.update().where(fates.c.ref == what.ref).values(told))
            chat = await self._conversation(conn, conversation, what.at)
            found = sa.select(entries.c.id, entries.c.ticket_id).where(entries.c.ref == what.ref)
            entry = (await conn.execute(found)).one_or_none()
            await self._tell_feed(conn, "fate", chat, entry.ticket_id if entry else None, entry.id if entry else None)

    async def _lines(self, conn: AsyncConnection, lines: Mapping[str, Line]) -> None:
        """All of them by a few statements: hundreds come at a time, in a process that has chats to answer. Known ones change nothing."""
        known = set(await conn.scalars(sa.select(entries.c.id).where(entries.c.id.in_(lines))))
        fresh = {id_: line for id_, line in lines.items() if id_ not in known}
        if not fresh:
            return
        chats = await self._chats(conn, fresh.values())
        rows = [
            self._row(id_, chats[str(line.conversation)], None, line.at, _place(line.key), line.author, "line", text=line.text)
            for id_, line in fresh.items()
        ]
        await conn.execute(entries.insert(), rows)
        now = self._now()
        told = [{"at": now, "what": "line", "conversation_id": row["conversation_id"], "entry_id": row["id"]} for row in rows]
        await conn.execute(changes.insert(), told)

    async def _chats(self, conn: AsyncConnection, lines: Iterable[Line]) -> dict[str, str]:
        """The ids of these lines' chats, whose rows are brought up to date."""
        latest: dict[str, Line] = {}
        for line in lines:
            name = str(line.conversation)
            if name not in latest or latest[name].at <= line.at:
                latest[name] = line
        found = await conn.execute(
            sa.select(conversations.c.conversation, conversations.c.id, conversations.c.seen_at).where(
                conversations.c.conversation.in_(latest)
            )
        )
        there = {row.conversation: row for row in found}
        if there:
            update = conversations.update().where(conversations.c.id == sa.bindparam("chat"))
            values = [
                {"chat": row.id, "step": latest[name].step, "seen_at": max(latest[name].at, row.seen_at)}
                for name, row in there.items()
            ]
            await conn.execute(update, values)
        made = [
            {
                "id": new_id(),
                "conversation": name,
                "channel": line.conversation.channel,
                "language": "id",
                "step": line.step,
                "seen_at": line.at,
            }
            for name, line in latest.items()
            if name not in there
        ]
        if made:
            await conn.execute(conversations.insert(), made)
        return {name: row.id for name, row in there.items()} | {row["conversation"]: row["id"] for row in made}

    # --- what agents put in

    async def note(self, ticket: str, agent: Agent, text: str, key: str) -> None:
        """What colleagues are to know and the person never sees. The same key is one note. Raises LookupError."""
        now = self._now()
        async with self._writing() as conn:
            found = sa.select(tickets.c.conversation_id).where(tickets.c.id == ticket)
            chat = await conn.scalar(found)
            if chat is None:
                raise LookupError(ticket)
            id_ = note_id(agent.id, key)
            if await conn.scalar(sa.select(entries.c.id).where(entries.c.id == id_)) is not None:
                return
            await self._put(conn, id_, chat, ticket, now, 0, "agent", "note", text=text, agent=agent.id, name=agent.name)
            await self._audit.record(conn, now, actor(agent), "desk.noted", ticket)
            await self._tell_feed(conn, "entry", chat, ticket, id_)
        self._wake()

    async def resent(self, ref: str) -> None:
        """The message of this ref was given up, and has been said again since."""
        async with self._database.writing() as conn:
            await conn.execute(fates.update().where(fates.c.ref == ref).values(resent=True))

    # --- what is over

    async def forget(self) -> None:
        """Erase what has been kept long enough: lines, the talk of closed tickets, whose chat it was, the feed."""
        now = self._now()
        old = sa.select(conversations.c.id).where(conversations.c.seen_at < now - LINES_KEPT)
        closed = sa.select(tickets.c.id).where(tickets.c.closed_at < now - TALK_KEPT)
        async with self._database.writing() as conn:
            await conn.execute(entries.delete().where(entries.c.ticket_id.is_(None), entries.c.conversation_id.in_(old)))
            await conn.execute(entries.update().where(entries.c.ticket_id.in_(closed)).values(body=None))
            await conn.execute(ticket_terms.delete().where(ticket_terms.c.ticket_id.in_(closed)))
            await leave(conn, closed)
            await conn.execute(changes.delete().where(changes.c.at < now - LINES_KEPT))
            # Whose chat it was is kept as long as its talk; of one that never had a ticket nothing stays.
            idle = conversations.c.seen_at < now - TALK_KEPT
            await conn.execute(unnamed().where(idle))
            used = [sa.select(table.c.conversation_id) for table in (tickets, entries)]
            await conn.execute(conversations.delete().where(idle, *(conversations.c.id.not_in(each) for each in used)))

    # --- rows

    async def _conversation(
        self, conn: AsyncConnection, conversation: Conversation, at: datetime, *, language: str = "", step: str = ""
    ) -> str:
        """The id of the chat's row, which is brought up to date."""
        name = str(conversation)
        row = (await conn.execute(conversations.select().where(conversations.c.conversation == name))).one_or_none()
        if row is None:
            made = {"id": new_id(), "conversation": name, "channel": conversation.channel}
            await conn.execute(conversations.insert().values(**made, language=language or "id", step=step, seen_at=at))
            return made["id"]
        values: dict[str, Any] = {"seen_at": max(at, row.seen_at)}
        if language:
            values["language"] = language
        if step:
            values["step"] = step
        await conn.execute(conversations.update().where(conversations.c.id == row.id).values(values))
        return str(row.id)

    async def _ticket(
        self, conn: AsyncConnection, ticket: str, chat: str, conversation: Conversation, at: datetime
    ) -> sa.Row[Any]:
        """The ticket's row; one that was not told of yet begins here."""
        wanted = tickets.select().where(tickets.c.id == ticket)
        row = (await conn.execute(wanted)).one_or_none()
        if row is not None:
            return row
        number = (await conn.scalar(sa.select(sa.func.max(tickets.c.number)))) or 0
        language = await conn.scalar(sa.select(conversations.c.language).where(conversations.c.id == chat))
        await conn.execute(
            tickets.insert().values(
                id=ticket,
                number=number + 1,
                conversation_id=chat,
                channel=conversation.channel,
                language=language,
                reason="asked",
                step="",
                owner="queued",
                version=0,
                agent_name="",
                opened_at=at,
                owned_since=at,
                ended="",
                label="",
                changed_at=at,
            )
        )
        return (await conn.execute(wanted)).one()

    async def _entry(
        self,
        conn: AsyncConnection,
        id_: str,
        chat: str,
        ticket: str,
        at: datetime,
        key: str,
        author: str,
        kind: str,
        **more: str,
    ) -> None:
        revision, place = order_of(key)
        await self._put(conn, id_, chat, ticket, at, revision * _PLACES + place, author, kind, **more)

    async def _put(
        self,
        conn: AsyncConnection,
        id_: str,
        chat: str,
        ticket: str | None,
        at: datetime,
        place: int,
        author: str,
        kind: str,
        **more: str,
    ) -> None:
        await conn.execute(entries.insert().values(self._row(id_, chat, ticket, at, place, author, kind, **more)))

    def _row(
        self,
        id_: str,
        chat: str,
        ticket: str | None,
        at: datetime,
        place: int,
        author: str,
        kind: str,
        *,
        text: str = "",
        detail: str = "",
        agent: str = "",
        name: str = "",
        ref: str = "",
        message: str = "",
        answers: str = "",
    ) -> dict[str, Any]:
        body = json.dumps({"text": text, "detail": detail})
        return {
            "id": id_,
            "conversation_id": chat,
            "ticket_id": ticket,
            "at": at,
            "place": place,
            "author": author,
            "kind": kind,
            "agent_id": agent or None,
            "agent_name": name,
            "ref": ref or None,
            "message": message[:_MESSAGE_MAX] or None,
            "answers": answers[:_MESSAGE_MAX] or None,
            "body": self._cells.seal("desk_entries", "body", id_, body),
        }

    async def _tell_feed(self, conn: AsyncConnection, what: What, chat: str, ticket: str | None, entry: str | None) -> None:
        await conn.execute(
            changes.insert().values(at=self._now(), what=what, conversation_id=chat, ticket_id=ticket, entry_id=entry)
        )


def _place(key: str) -> int:
    """Where a line that was watched belongs within its moment."""
    last = key.rpartition(".")[2]
    return int(last) if last.isdecimal() else 0
