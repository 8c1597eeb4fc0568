"""Starting a registration for a caller, and sending a form on to another of a person's chats.

Lives here: what an agent may type and what becomes of it, audited. Must not live here: links (`bot/moves.py`), or the pages
(`console/assisting.py`). What is typed goes through the fields' own validators, and is the person's only once they have agreed to it and
looked through it in their own chat. Nothing of it is kept by the helpdesk; what nobody fetches in time is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from bot.conversation import Conversation
from bot.moves import Offer
from dialogs.clock import local_date
from dialogs.fields import FIELDS
from dialogs.fields._field import Doubtful, Rejected
from dialogs.kinds import KINDS
from dialogs.secret import looks_like_password
from dialogs.texts import text as dialog_text
from helpdesk.acting import MOST_CHARACTERS, NotAllowed, Unfit, stands
from helpdesk.agents import Agent, actor
from helpdesk.panel import Look
from helpdesk.ports import Audit, Clock, Database
from helpdesk.reading import Chat

# The types that can be registered in a chat at all.
OPEN_KINDS = tuple(kind.id for kind in KINDS if kind.by_chat)


class Moving(Protocol):
    """What is needed of `bot/moves.py`."""

    async def write_down(self, name: str, kind: str, typed: Mapping[str, str], key: str) -> Conversation: ...

    async def offer(self, conversation: Conversation, name: str) -> Offer: ...

    async def state(self, token: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Judged:
    """What the validators say of what an agent typed, by field, in the agent's language: `refused` cannot be used, `unusual` will be asked
    of the person.
    """

    refused: Mapping[str, str]
    unusual: tuple[str, ...]


class Assisting:
    def __init__(self, moves: Moving, look: Look, database: Database, audit: Audit, clock: Clock) -> None:
        self._moves = moves
        self._look = look
        self._database = database
        self._audit = audit
        self._now = clock

    def judged(self, agent: Agent, typed: Mapping[str, str]) -> Judged:
        refused, unusual = dict[str, str](), list[str]()
        for field in FIELDS:
            written = typed.get(field.id, "").strip()[:MOST_CHARACTERS]
            if not written:
                continue
            if looks_like_password(written):
                refused[field.id] = dialog_text(agent.language, "flow.password.before")
                continue
            match field.parse(written, local_date(self._now())):
                case Rejected(code, facts):
                    refused[field.id] = dialog_text(agent.language, f"{field.id}.rejected.{code}", **facts)
                case Doubtful():
                    unusual.append(field.id)
                case _:
                    pass
        return Judged(refused, tuple(unusual))

    async def begin(self, agent: Agent, kind: str, typed: Mapping[str, str], key: str) -> Offer:
        """Write down what a caller says, and a link for them. The same `key` is the same form. Raises Unfit."""
        values = {field.id: typed[field.id].strip() for field in FIELDS if typed.get(field.id, "").strip()}
        if kind not in OPEN_KINDS:
            raise Unfit("kind")
        if not values:
            raise Unfit("empty")
        if self.judged(agent, values).refused:
            raise Unfit("value")
        if not key:
            raise Unfit("key")
        waiting = await self._moves.write_down(agent.name, kind, values, f"{agent.id} {key}")
        offer = await self._moves.offer(waiting, "offer")
        await self._audited(agent, "desk.form_begun", agent.id, fields=len(values))
        return offer

    async def move(self, chat: Chat, agent: Agent, key: str) -> Offer:
        """A link for the form that is open in a chat; its person reads it there too. Raises Unfit, NotAllowed."""
        session = await self._look(chat.conversation)
        now = stands(session)
        if not (now.owner == "human" and (now.agent == agent.id or agent.may("act_any"))):
            raise NotAllowed
        draft = session.draft if session else None
        if draft is None or draft.sending or not (draft.kind or draft.answers):
            raise Unfit("no_form")
        offer = await self._moves.offer(chat.conversation, f"desk {agent.id} {key}")
        await self._audited(agent, "desk.form_moved", chat.ticket.id if chat.ticket else chat.id)
        return offer

    async def state(self, token: str) -> str:
        """waiting, fetched or over."""
        return await self._moves.state(token)

    async def _audited(self, agent: Agent, action: str, subject: str, **detail: str | int) -> None:
        async with self._database.writing() as conn:
            await self._audit.record(conn, self._now(), actor(agent), action, subject, **detail)
