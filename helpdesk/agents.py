"""The people of the helpdesk: who they are, what they may, how they come in for the first time and that they are shut out.

Lives here: the agents' records and their one-time links. Must not live here: passwords, codes and sessions (`sign_in.py`), what each role
may (`roles.py`). There is no agent before somebody adds one (`akses agents add`); the embedded product adds one for its owner.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from dialogs.texts import Language
from helpdesk import roles as table
from helpdesk.ids import new_id, new_token, token_hash
from helpdesk.ports import Audit, Clock, Database
from helpdesk.roles import Right, Role
from helpdesk.tables import agent_links, agent_sessions, agents, recovery_codes

INVITED_FOR: Final = timedelta(hours=72)
SIGN_IN_FOR: Final = timedelta(hours=24)
LOGIN: Final = re.compile(r"[a-z0-9][a-z0-9._%+@-]{1,119}")
_NAME_MAX: Final = 60

Purpose = Literal["invitation", "sign_in"]


class AgentRefused(ValueError):
    """What was asked for is not done; `code` is login, name, taken, unknown, disabled, oneself or last_admin."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Agent:
    """`ready` says that they have a way of their own to sign in."""

    id: str
    login: str
    name: str
    roles: tuple[Role, ...]
    language: Language
    created_at: datetime
    disabled_at: datetime | None
    ready: bool

    @property
    def rights(self) -> frozenset[Right]:
        return table.rights(self.roles)

    def may(self, right: Right) -> bool:
        return right in self.rights

    @property
    def able(self) -> bool:
        """Whether conversations can be theirs."""
        return self.disabled_at is None and self.may("act")


def agent_of(row: Any) -> Agent:
    """An agent out of a row of `desk_agents`."""
    return Agent(
        row.id,
        row.login,
        row.name,
        table.parse(row.roles),
        row.language,
        row.created_at,
        row.disabled_at,
        row.password_hash is not None or row.oidc is not None,
    )


def actor(agent: Agent | None) -> str:
    """Who an audit line says it was; the operator at the command line is no agent."""
    return f"agent:{agent.id}" if agent is not None else "operator"


class Agents:
    """`by` is who does it; None is the operator at the command line."""

    def __init__(self, database: Database, audit: Audit, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._now = clock

    async def all(self) -> Sequence[Agent]:
        """Everybody, by name, those who are shut out last."""
        async with self._database.reading() as conn:
            rows = await conn.execute(agents.select().order_by(agents.c.disabled_at.is_not(None), agents.c.name, agents.c.id))
            return [agent_of(row) for row in rows]

    async def working(self) -> Sequence[Agent]:
        """Those to whom a conversation can be handed."""
        return [agent for agent in await self.all() if agent.able]

    async def find(self, agent: str) -> Agent | None:
        async with self._database.reading() as conn:
            row = (await conn.execute(agents.select().where(agents.c.id == agent))).one_or_none()
        return agent_of(row) if row is not None else None

    async def by_login(self, login: str) -> Agent | None:
        async with self._database.reading() as conn:
            row = (await conn.execute(agents.select().where(agents.c.login == login.strip().lower()))).one_or_none()
        return agent_of(row) if row is not None else None

    async def add(
        self, login: str, name: str, roles: Sequence[Role], *, language: Language = "id", by: Agent | None = None
    ) -> tuple[Agent, str]:
        """A new agent and the token of their invitation. Raises AgentRefused."""
        login, name = login.strip().lower(), " ".join(name.split())
        if not LOGIN.fullmatch(login):
            raise AgentRefused("login")
        if not 1 <= len(name) <= _NAME_MAX or not name.isprintable():
            raise AgentRefused("name")
        now = self._now()
        row = {"id": new_id(), "login": login, "name": name, "roles": ",".join(roles), "language": language}
        async with self._database.writing() as conn:
            await self._database.lock(conn, "desk agents")
            if await conn.scalar(sa.select(agents.c.id).where(agents.c.login == login)) is not None:
                raise AgentRefused("taken")
            await conn.execute(agents.insert().values(**row, created_at=now))
            await self._audit.record(conn, now, actor(by), "desk.agent_added", row["id"], roles=row["roles"])
            token = await self._link(conn, row["id"], "invitation", now)
        return Agent(row["id"], login, name, tuple(roles), language, now, None, ready=False), token

    async def invite(self, agent: str, *, by: Agent | None = None) -> str:
        """A new invitation: whoever lost their password or their phone begins anew; what they had opens nothing any more. Raises
        AgentRefused for somebody who is shut out, whom no invitation lets in.
        """
        now = self._now()
        async with self._database.writing() as conn:
            await self._known(conn, agent)
            if await conn.scalar(sa.select(agents.c.disabled_at).where(agents.c.id == agent)) is not None:
                raise AgentRefused("disabled")
            await conn.execute(
                agents.update().where(agents.c.id == agent).values(password_hash=None, totp=None, totp_step=None, oidc=None)
            )
            await conn.execute(recovery_codes.delete().where(recovery_codes.c.agent_id == agent))
            await conn.execute(agent_sessions.delete().where(agent_sessions.c.agent_id == agent))
            await self._audit.record(conn, now, actor(by), "desk.agent_invited", agent)
            return await self._link(conn, agent, "invitation", now)

    async def sign_in_link(self, agent: str) -> str:
        """A link that opens one session by itself: for the embedded product's owner, who sees the terminal."""
        now = self._now()
        async with self._database.writing() as conn:
            await self._audit.record(conn, now, "operator", "desk.sign_in_link", agent)
            return await self._link(conn, agent, "sign_in", now)

    async def _link(self, conn: AsyncConnection, agent: str, purpose: Purpose, now: datetime) -> str:
        """Of each purpose only the newest link is good."""
        token = new_token()
        await conn.execute(agent_links.delete().where(agent_links.c.agent_id == agent, agent_links.c.purpose == purpose))
        await conn.execute(
            agent_links.insert().values(
                id=new_id(),
                agent_id=agent,
                purpose=purpose,
                token_hash=token_hash(token),
                created_at=now,
                expires_at=now + (INVITED_FOR if purpose == "invitation" else SIGN_IN_FOR),
            )
        )
        return token

    async def disable(self, agent: str, *, by: Agent | None = None) -> None:
        """Shut them out, at once and everywhere. Raises AgentRefused for oneself and for the last who could let others in."""
        if by is not None and by.id == agent:
            raise AgentRefused("oneself")
        now = self._now()
        async with self._database.writing() as conn:
            await self._database.lock(conn, "desk agents")
            await self._known(conn, agent)
            await self._not_the_last_admin(conn, agent, ())
            await conn.execute(agents.update().where(agents.c.id == agent).values(disabled_at=now))
            await conn.execute(agent_sessions.delete().where(agent_sessions.c.agent_id == agent))
            await conn.execute(agent_links.delete().where(agent_links.c.agent_id == agent))
            await self._audit.record(conn, now, actor(by), "desk.agent_disabled", agent)

    async def enable(self, agent: str, *, by: Agent | None = None) -> None:
        async with self._database.writing() as conn:
            await self._known(conn, agent)
            await conn.execute(agents.update().where(agents.c.id == agent).values(disabled_at=None))
            await self._audit.record(conn, self._now(), actor(by), "desk.agent_enabled", agent)

    async def change_roles(self, agent: str, roles: Sequence[Role], *, by: Agent | None = None) -> None:
        """Nobody changes their own. Raises AgentRefused. It holds from the next request on."""
        if by is not None and by.id == agent:
            raise AgentRefused("oneself")
        async with self._database.writing() as conn:
            await self._database.lock(conn, "desk agents")
            await self._known(conn, agent)
            await self._not_the_last_admin(conn, agent, roles)
            await conn.execute(agents.update().where(agents.c.id == agent).values(roles=",".join(roles)))
            await self._audit.record(conn, self._now(), actor(by), "desk.agent_roles", agent, roles=",".join(roles))

    @staticmethod
    async def _known(conn: AsyncConnection, agent: str) -> None:
        if await conn.scalar(sa.select(agents.c.id).where(agents.c.id == agent)) is None:
            raise AgentRefused("unknown")

    @staticmethod
    async def _not_the_last_admin(conn: AsyncConnection, agent: str, roles: Sequence[Role]) -> None:
        rows = await conn.execute(sa.select(agents.c.id, agents.c.roles).where(agents.c.disabled_at.is_(None)))
        admins = {row.id for row in rows if "admin" in table.parse(row.roles)}
        if admins == {agent} and "admin" not in roles:
            raise AgentRefused("last_admin")
