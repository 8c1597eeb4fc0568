"""What the helpdesk holds of one person: found, copied, and erased when the law's rights are used (UU 27/2022 art. 7-9).

Lives here: the talk of a chat as a whole. Must not live here: who may ask (the accounts' side, `backend.subjects.Talks`, to which this is
handed by `akses/desk.py`), or what ends by itself (`records.py`). Erased is what was said and noted, what a ticket can be found by, and,
where no ticket is open, whose chat it was; what stays of a ticket is when, who answered, outcome and rating.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from helpdesk.bridges.book import leave
from helpdesk.ports import Clock, utc_now
from helpdesk.reading import search_terms
from helpdesk.records import FEED, TALK_KEPT
from helpdesk.seals import Cells
from helpdesk.tables import (
    GONE,
    changes,
    conversations,
    entries,
    fates,
    ticket_terms,
    tickets,
    unnamed,
)


class Held:
    """Talks by the ids of their conversations. `lock` is the database's (`ports.Database`)."""

    def __init__(self, cells: Cells, lock: Callable[[AsyncConnection, str], Awaitable[None]], clock: Clock = utc_now) -> None:
        self._cells = cells
        self._lock = lock
        self._now = clock

    async def of(self, conn: AsyncConnection, chats: Collection[str], values: Collection[str]) -> tuple[str, ...]:
        """The talks in these chats, and those in whose form one of these values stood when a human was asked for."""
        terms = [each for value in values for term in search_terms(value) for each in self._cells.terms(term)]
        known = sa.select(tickets.c.conversation_id).join_from(tickets, ticket_terms).where(ticket_terms.c.term.in_(terms))
        wanted = sa.select(conversations.c.id).where(
            sa.or_(conversations.c.conversation.in_(chats), conversations.c.id.in_(known))
        )
        return tuple(await conn.scalars(wanted.order_by(conversations.c.id)))

    async def copy(self, conn: AsyncConnection, talk: str, *, texts: bool) -> dict[str, Any]:
        """Tickets, and with `texts` every line in the clear: the person's, the bot's, the agents' with their notes."""
        chat = (await conn.execute(conversations.select().where(conversations.c.id == talk))).one()
        asked = await conn.execute(tickets.select().where(tickets.c.conversation_id == talk).order_by(tickets.c.number))
        said = entries.select().where(entries.c.conversation_id == talk).order_by(entries.c.at, entries.c.place)
        return {
            "id": talk,
            "channel": chat.channel,
            "tickets": [
                {
                    "number": one.number,
                    "reason": one.reason,
                    "opened_at": _moment(one.opened_at),
                    "answered_at": _moment(one.answered_at),
                    "closed_at": _moment(one.closed_at),
                    "by": one.agent_name,
                    "ended": one.ended,
                    "label": one.label,
                    "rating": one.rating,
                }
                for one in asked
            ],
            **({"lines": [self._line(row) for row in await conn.execute(said)]} if texts else {}),
        }

    def _line(self, row: sa.Row[Any]) -> dict[str, Any]:
        told = {"at": _moment(row.at), "author": row.author, "name": row.agent_name, "kind": row.kind}
        if row.body is None:
            return told | {"erased": True}
        body = json.loads(self._cells.open("desk_entries", "body", row.id, row.body))
        return told | {"text": body["text"], "detail": body["detail"]}

    async def affected(
        self, conn: AsyncConnection, since: datetime, until: datetime, *, contacts: bool, after: str, limit: int
    ) -> Sequence[dict[str, Any]]:
        """A talk counts while its words are kept; and until a month after its end, when they are erased at the latest (`records.py`)."""
        closed = sa.select(tickets.c.id).where(tickets.c.closed_at > since - TALK_KEPT)
        kept = sa.or_(entries.c.body.is_not(None), entries.c.ticket_id.in_(closed))
        wanted = (
            sa.select(conversations, sa.func.min(entries.c.at).label("since"))
            .join_from(conversations, entries, entries.c.conversation_id == conversations.c.id)
            .where(entries.c.at <= until, kept, conversations.c.id > after)
            .group_by(conversations.c.id)
            .order_by(conversations.c.id)
            .limit(limit)
        )
        return [
            {
                "id": row.id,
                "fields": ["chat", "words"],
                "held_since": _moment(row.since),
                "channel": row.channel,
                "language": row.language,
                **({"chat": None if row.conversation.startswith(f"{GONE}:") else row.conversation} if contacts else {}),
            }
            for row in await conn.execute(wanted)
        ]

    async def erase(self, conn: AsyncConnection, talk: str) -> bool:
        """Whether there was anything. Whoever has it on their screen is told by the feed."""
        await self._lock(conn, FEED)
        here = entries.c.conversation_id == talk
        watched = await conn.execute(entries.delete().where(here, entries.c.ticket_id.is_(None)))
        words = await conn.execute(
            entries.update().where(here, entries.c.body.is_not(None)).values(body=None, message=None, answers=None)
        )
        refs = sa.select(entries.c.ref).where(here, entries.c.ref.is_not(None))
        await conn.execute(fates.update().where(fates.c.ref.in_(refs)).values(message=None))
        own = sa.select(tickets.c.id).where(tickets.c.conversation_id == talk)
        await leave(conn, own)
        terms = await conn.execute(ticket_terms.delete().where(ticket_terms.c.ticket_id.in_(own)))
        named = await conn.execute(unnamed().where(conversations.c.id == talk))
        if not any(done.rowcount for done in (watched, words, terms, named)):
            return False
        await conn.execute(changes.insert().values(at=self._now(), what="erased", conversation_id=talk))
        return True


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
