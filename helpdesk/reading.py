"""What agents see: lists of tickets, a conversation's talk, masked; and the list as a file.

Lives here: reading. Must not live here: writing (`records.py`), pages (`console/`). Everything that leaves here has been masked, with one
exception that says so (`text_of`), for what is said again to the person who was to read it.
"""

from __future__ import annotations

import csv
import io
import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation import Conversation
from helpdesk.agents import agent_of
from helpdesk.masking import mask
from helpdesk.ports import Clock, Database
from helpdesk.seals import Cells
from helpdesk.tables import GONE, agents, conversations, entries, fates, ticket_terms, tickets
from helpdesk.texts import called

View = Literal["queue", "mine", "all", "live"]
PAGE: Final = 50
TALK: Final = 300
_EXPORTED: Final = 20_000
# So much of a line that is replied to tells which one it is, in characters.
_QUOTED: Final = 80
# How a cell may begin that a spreadsheet would calculate; blanks before it do not save it, nor do the wide forms of East Asian keyboards.
_FORMULA: Final = (
    "=",
    "+",
    "-",
    "@",
    "\N{FULLWIDTH EQUALS SIGN}",
    "\N{FULLWIDTH PLUS SIGN}",
    "\N{FULLWIDTH HYPHEN-MINUS}",
    "\N{FULLWIDTH COMMERCIAL AT}",
)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A hand-off as it stands. `chat` is the conversation's id here, `conversation` the chat itself."""

    id: str
    number: int
    chat: str
    channel: str
    language: str
    reason: str
    step: str
    owner: Literal["queued", "human", "closed"]
    version: int
    agent: str
    agent_name: str
    opened_at: datetime
    owned_since: datetime
    taken_at: datetime | None
    answered_at: datetime | None
    closed_at: datetime | None
    ended: str
    label: str
    rating: int | None
    unanswered_since: datetime | None


@dataclass(frozen=True, slots=True)
class Chat:
    """A conversation, and its newest ticket where it ever had one."""

    id: str
    conversation: Conversation
    channel: str
    language: str
    step: str
    seen_at: datetime
    ticket: Ticket | None

    @property
    def gone(self) -> bool:
        """Whether nobody knows any more whose chat it was: nothing can be said there."""
        return self.conversation.channel == GONE

    @property
    def open(self) -> Ticket | None:
        """The ticket that is not closed."""
        return self.ticket if self.ticket is not None and self.ticket.owner != "closed" else None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the talk, masked. `state` is of an agent's message: sending, sent, or why it was given up; `resent` when it was said
    again since. `gone` when its text was erased. `quote` is how the line begins that it replies to, "" where it replies to none.
    """

    id: str
    at: datetime
    author: str
    kind: str
    agent: str
    agent_name: str
    text: str
    detail: str
    state: str
    resent: bool
    gone: bool
    ticket: str
    quote: str = ""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list is narrowed to; "" does not narrow."""

    query: str = ""
    channel: str = ""
    step: str = ""
    reason: str = ""
    agent: str = ""
    owner: str = ""

    @property
    def any(self) -> bool:
        return bool(self.query or self.channel or self.step or self.reason or self.agent or self.owner)


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of a list, by its number from 1; `more` where another follows."""

    number: int
    tickets: Sequence[Ticket] = ()
    chats: Sequence[Chat] = ()
    more: bool = False


class Reading:
    def __init__(self, database: Database, cells: Cells, clock: Clock) -> None:
        self._database = database
        self._cells = cells
        self._now = clock

    async def page(self, view: View, agent: str, filters: Filters = Filters(), number: int = 1) -> Listed:
        """This page of a list, or its last where it has no so many: people leave the queue while somebody looks at its end."""
        wanted = self._live(filters) if view == "live" else self._tickets(view, agent, filters)
        async with self._database.reading() as conn:
            rows = (await conn.execute(_page(wanted, number))).all()
            if not rows and number > 1:
                count = await conn.scalar(sa.select(sa.func.count()).select_from(wanted.order_by(None).subquery())) or 0
                number = max(1, -(-count // PAGE))
                rows = (await conn.execute(_page(wanted, number))).all()
        shown, more = rows[:PAGE], len(rows) > PAGE
        if view == "live":
            return Listed(number, chats=[_chat(row, None) for row in shown], more=more)
        return Listed(number, [_ticket(row) for row in shown], more=more)

    async def tickets(self, view: View, agent: str, filters: Filters = Filters(), *, limit: int = PAGE) -> Sequence[Ticket]:
        """The first of a list; of "live", which has none, all."""
        async with self._database.reading() as conn:
            return [_ticket(row) for row in await conn.execute(self._tickets(view, agent, filters).limit(limit))]

    def _tickets(self, view: View, agent: str, filters: Filters) -> sa.Select[Any]:
        """The queue and one's own with the longest wait first, all with the newest first."""
        wanted = self._narrowed(tickets.select(), filters)
        match view:
            case "queue":
                return wanted.where(tickets.c.owner == "queued").order_by(tickets.c.opened_at, tickets.c.number)
            case "mine":
                # Whoever waits for an answer stands first.
                return wanted.where(tickets.c.owner == "human", tickets.c.agent_id == agent).order_by(
                    tickets.c.unanswered_since.is_(None), tickets.c.unanswered_since, tickets.c.number
                )
            case _:
                return wanted.order_by(tickets.c.number.desc())

    def _narrowed(self, wanted: sa.Select[Any], filters: Filters) -> sa.Select[Any]:
        for column, value in (
            (tickets.c.channel, filters.channel),
            (tickets.c.step, filters.step),
            (tickets.c.reason, filters.reason),
            (tickets.c.agent_id, filters.agent),
            (tickets.c.owner, filters.owner),
        ):
            if value:
                wanted = wanted.where(column == value)
        query = filters.query.strip()
        if not query:
            return wanted
        number = query.removeprefix("#")
        if number.isascii() and number.isdecimal() and len(number) <= 7:
            return wanted.where(tickets.c.number == int(number))
        told = sa.select(ticket_terms.c.ticket_id).where(
            ticket_terms.c.term.in_([each for term in search_terms(query) for each in self._cells.terms(term)])
        )
        return wanted.where(
            sa.or_(
                tickets.c.id.in_(told),
                tickets.c.agent_name.icontains(query, autoescape=True),
                tickets.c.label.in_(called("label", query)),
                tickets.c.ended.in_(called("ended", query)),
            )
        )

    async def live(self, filters: Filters = Filters()) -> Sequence[Chat]:
        """The first of the chats that the bot has."""
        return (await self.page("live", "", filters)).chats

    def _live(self, filters: Filters) -> sa.Select[Any]:
        """Chats that the bot has, the last to move first."""
        open_ = sa.select(tickets.c.conversation_id).where(tickets.c.owner != "closed")
        wanted = (
            conversations.select()
            .where(conversations.c.id.not_in(open_), ~conversations.c.conversation.startswith(f"{GONE}:"))
            .order_by(conversations.c.seen_at.desc(), conversations.c.id)
        )
        if filters.query.strip():
            # A chat is found by what is known of its tickets.
            told = self._narrowed(sa.select(tickets.c.conversation_id), Filters(query=filters.query))
            wanted = wanted.where(conversations.c.id.in_(told))
        if filters.channel:
            wanted = wanted.where(conversations.c.channel == filters.channel)
        if filters.step:
            wanted = wanted.where(conversations.c.step == filters.step)
        return wanted

    async def counts(self, agent: str) -> Mapping[str, int]:
        """How many wait in the queue, and how many this agent has; of these, `unanswered`."""
        mine = sa.and_(tickets.c.owner == "human", tickets.c.agent_id == agent)
        wanted = sa.select(
            sa.func.count().filter(tickets.c.owner == "queued"),
            sa.func.count().filter(mine),
            sa.func.count().filter(mine, tickets.c.unanswered_since.is_not(None)),
        ).where(tickets.c.owner != "closed")
        async with self._database.reading() as conn:
            queue, own, unanswered = (await conn.execute(wanted)).one()
        return {"queue": queue, "mine": own, "unanswered": unanswered}

    async def chat(self, chat: str) -> Chat | None:
        async with self._database.reading() as conn:
            row = (await conn.execute(conversations.select().where(conversations.c.id == chat))).one_or_none()
            if row is None:
                return None
            newest = tickets.select().where(tickets.c.conversation_id == chat).order_by(tickets.c.number.desc()).limit(1)
            ticket = (await conn.execute(newest)).one_or_none()
        return _chat(row, _ticket(ticket) if ticket is not None else None)

    async def chat_of(self, ticket: str) -> Chat | None:
        """The conversation of a ticket."""
        async with self._database.reading() as conn:
            chat = await conn.scalar(sa.select(tickets.c.conversation_id).where(tickets.c.id == ticket))
        return await self.chat(chat) if chat is not None else None

    async def stranded(self) -> Sequence[Chat]:
        """The conversations of agents who were shut out, or may act no more."""
        wanted = (
            sa.select(tickets.c.conversation_id.label("chat"), agents)
            .join_from(tickets, agents, agents.c.id == tickets.c.agent_id)
            .where(tickets.c.owner == "human")
        )
        async with self._database.reading() as conn:
            rows = (await conn.execute(wanted)).all()
        chats = [await self.chat(row.chat) for row in rows if not agent_of(row).able]
        return [chat for chat in chats if chat is not None and not chat.gone]

    async def talk(self, chat: str, known: Mapping[str, str], *, limit: int = TALK) -> Sequence[Entry]:
        """The newest lines, oldest first."""
        wanted = (
            sa.select(entries, fates.c.fate, fates.c.resent, fates.c.message.label("sent_as"))
            .join_from(entries, fates, fates.c.ref == entries.c.ref, isouter=True)
            .where(entries.c.conversation_id == chat)
            .order_by(entries.c.at.desc(), entries.c.place.desc())
            .limit(limit)
        )
        async with self._database.reading() as conn:
            rows = (await conn.execute(wanted)).all()[::-1]
        lines = [self.entry(row, known) for row in rows]
        said = {name: line.text for row, line in zip(rows, lines, strict=True) for name in (row.message, row.sent_as) if name}
        quotes = (textwrap.shorten(said.get(row.answers, ""), _QUOTED, placeholder="\N{HORIZONTAL ELLIPSIS}") for row in rows)
        return [replace(line, quote=quote) if quote else line for line, quote in zip(lines, quotes, strict=True)]

    def entry(self, row: sa.Row[Any], known: Mapping[str, str]) -> Entry:
        """A row of `desk_entries` with its `fate` and `resent`, as agents may read it."""
        text, detail = self._opened(row)
        said = row.author == "agent" and row.kind != "note"
        return Entry(
            row.id,
            row.at,
            row.author,
            row.kind,
            row.agent_id or "",
            row.agent_name,
            mask(text, known),
            mask(detail, known),
            (row.fate or "sending") if said else "",
            bool(row.resent),
            row.body is None,
            row.ticket_id or "",
        )

    def _opened(self, row: sa.Row[Any]) -> tuple[str, str]:
        if row.body is None:
            return "", ""
        body = json.loads(self._cells.open("desk_entries", "body", row.id, row.body))
        return body["text"], body["detail"]

    def written(self, row: sa.Row[Any]) -> str:
        """The text of a row of `desk_entries` as it was written, for comparing: nobody is shown it."""
        return self._opened(row)[0]

    async def given_up(self, chat: str, entry: str) -> tuple[str, str] | None:
        """The ref and the text of an agent's message that was given up and not said again; unmasked, to be said again."""
        wanted = (
            sa.select(entries)
            .join(fates, fates.c.ref == entries.c.ref)
            .where(
                entries.c.id == entry,
                entries.c.conversation_id == chat,
                entries.c.author == "agent",
                fates.c.fate != "sent",
                ~fates.c.resent,
            )
        )
        async with self._database.reading() as conn:
            row = (await conn.execute(wanted)).one_or_none()
        return (row.ref, self._opened(row)[0]) if row is not None and row.body is not None else None

    @staticmethod
    async def of_ticket(conn: AsyncConnection, ticket: str) -> Ticket | None:
        row = (await conn.execute(tickets.select().where(tickets.c.id == ticket))).one_or_none()
        return _ticket(row) if row is not None else None

    async def exported(self, filters: Filters) -> str:
        """All tickets as CSV, newest first, without anybody's words or data; no cell is a formula to a spreadsheet."""
        found = await self.tickets("all", "", filters, limit=_EXPORTED)
        out = io.StringIO()
        lines = csv.writer(out)
        columns = (
            "number", "channel", "language", "reason", "step", "owner", "agent_name", "opened_at", "taken_at", "answered_at",
            "closed_at", "ended", "label", "rating",
        )  # fmt: skip
        lines.writerow(columns)
        for ticket in found:
            lines.writerow([_cell(getattr(ticket, column)) for column in columns])
        return out.getvalue()


def _cell(value: object) -> str:
    written = "" if value is None else value.isoformat(timespec="seconds") if isinstance(value, datetime) else str(value)
    return f"'{written}" if written[:1].isspace() or written.startswith(_FORMULA) else written


def search_terms(written: str) -> set[str]:
    """The forms under which a value may have been kept: an address, a number however it is grouped, a name."""
    plain = " ".join(written.casefold().split())
    digits = "".join(character for character in plain if character.isdigit())
    found = {plain}
    if len(digits) >= 7:
        found |= {digits, f"62{digits[1:]}"} if digits.startswith("0") else {digits}
    return found - {""}


def _page(wanted: sa.Select[Any], number: int) -> sa.Select[Any]:
    """With one more, which tells that there are more."""
    return wanted.limit(PAGE + 1).offset((number - 1) * PAGE)


def _ticket(row: sa.Row[Any]) -> Ticket:
    return Ticket(
        row.id,
        row.number,
        row.conversation_id,
        row.channel,
        row.language,
        row.reason,
        row.step,
        row.owner,
        row.version,
        row.agent_id or "",
        row.agent_name,
        row.opened_at,
        row.owned_since,
        row.taken_at,
        row.answered_at,
        row.closed_at,
        row.ended,
        row.label,
        row.rating,
        row.unanswered_since,
    )


def _chat(row: sa.Row[Any], ticket: Ticket | None) -> Chat:
    return Chat(row.id, Conversation.parse(row.conversation), row.channel, row.language, row.step, row.seen_at, ticket)
