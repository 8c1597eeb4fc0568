"""Replies that stand ready, in both languages, everybody's or one's own; and the variables in them.

Lives here: keeping them, and filling them in. A variable is filled in when the reply is sent, from what the dialog knows then, so that an
agent need not see a name to use it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import sqlalchemy as sa

from dialogs.clock import waiting
from dialogs.registration import focused, state_of, step_id
from dialogs.session import Session
from dialogs.texts import Language
from helpdesk.agents import Agent, actor
from helpdesk.ids import new_id
from helpdesk.ports import Audit, Clock, Database
from helpdesk.tables import canned
from helpdesk.texts import named, text

VARIABLES: Final = ("first_name", "status", "resend_wait", "agent", "ticket")
_VARIABLE: Final = re.compile(r"\{\{([^{}]*)\}\}")
_TITLE_MAX, _TEXT_MAX = 60, 2000


class CannedRefused(ValueError):
    """It cannot be kept; `code` is title, text, variable or unknown."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Reply:
    """`shared` is everybody's. A reply without the conversation's language is offered in the other."""

    id: str
    title: str
    text_id: str
    text_en: str
    shared: bool

    def text(self, language: str) -> str:
        return (self.text_en or self.text_id) if language == "en" else (self.text_id or self.text_en)


class Canned:
    def __init__(self, database: Database, audit: Audit, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._now = clock

    async def of(self, agent: Agent) -> Sequence[Reply]:
        """Everybody's and this agent's own, by title."""
        wanted = (
            canned.select()
            .where(sa.or_(canned.c.agent_id.is_(None), canned.c.agent_id == agent.id))
            .order_by(canned.c.title, canned.c.id)
        )
        async with self._database.reading() as conn:
            rows = await conn.execute(wanted)
            return [Reply(row.id, row.title, row.text_id, row.text_en, row.agent_id is None) for row in rows]

    async def keep(self, agent: Agent, title: str, text_id: str, text_en: str, *, shared: bool, reply: str = "") -> None:
        """A new one, or (`reply`) another text of one. Raises CannedRefused; the right to everybody's is the caller's to ask."""
        title, text_id, text_en = " ".join(title.split()), text_id.strip(), text_en.strip()
        if not 1 <= len(title) <= _TITLE_MAX:
            raise CannedRefused("title")
        if not (text_id or text_en) or max(len(text_id), len(text_en)) > _TEXT_MAX:
            raise CannedRefused("text")
        if unknown_in(f"{text_id}\n{text_en}"):
            raise CannedRefused("variable")
        now = self._now()
        values = {"title": title, "text_id": text_id, "text_en": text_en, "changed_at": now}
        async with self._database.writing() as conn:
            if reply:
                changed = await conn.execute(canned.update().where(self._mine(agent, reply, shared=shared)).values(values))
                if changed.rowcount != 1:
                    raise CannedRefused("unknown")
            else:
                reply = new_id()
                await conn.execute(canned.insert().values(id=reply, agent_id=None if shared else agent.id, **values))
            await self._audit.record(conn, now, actor(agent), "desk.canned_kept", reply)

    async def remove(self, agent: Agent, reply: str, *, shared: bool) -> None:
        async with self._database.writing() as conn:
            gone = await conn.execute(canned.delete().where(self._mine(agent, reply, shared=shared)))
            if gone.rowcount != 1:
                raise CannedRefused("unknown")
            await self._audit.record(conn, self._now(), actor(agent), "desk.canned_removed", reply)

    @staticmethod
    def _mine(agent: Agent, reply: str, *, shared: bool) -> sa.ColumnElement[bool]:
        whose = canned.c.agent_id.is_(None) if shared else canned.c.agent_id == agent.id
        return sa.and_(canned.c.id == reply, whose)


def unknown_in(written: str) -> str:
    """The first variable of a text that nobody can fill in, as it is written there; "" where there is none."""
    return next((found[0] for found in _VARIABLE.finditer(written) if found[1].strip() not in VARIABLES), "")


def listed() -> str:
    """The variables that there are, as they are written."""
    return ", ".join(f"{{{{{name}}}}}" for name in VARIABLES)


def filled(written: str, language: Language, session: Session | None, agent: Agent, number: int, wait: int) -> str:
    """The reply with its variables filled in. `wait` is the seconds until the link can be mailed again. Raises KeyError for
    a variable that `unknown_in` tells.
    """
    registration = focused(session) if session else None
    name = registration.name if registration else ""
    if not name and session and session.draft and "full_name" in session.draft.answers:
        name = session.draft.answers["full_name"].value
    step = state_of(registration) if registration else step_id(session) if session else ""
    facts = {
        "first_name": name.split()[0] if name else text(language, "canned.nobody"),
        "status": named(language, "step", step),
        "resend_wait": waiting(language, timedelta(seconds=wait)) if wait else text(language, "canned.now"),
        "agent": agent.name,
        "ticket": f"#{number}",
    }
    return _VARIABLE.sub(lambda found: facts[found[1].strip()], written)
