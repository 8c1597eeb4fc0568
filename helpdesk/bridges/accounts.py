"""Who is who at the other end of a bridge: the allow-list of those who may act from there.

Lives here: binding an account there to an agent. Must not live here: what they may (`helpdesk/roles.py`) or do (`deeds.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from helpdesk.agents import Agent, actor, agent_of
from helpdesk.ports import Audit, Clock, Database
from helpdesk.tables import accounts, agents

# How each bridge calls a person.
BRIDGES: Final[Mapping[str, re.Pattern[str]]] = {
    "telegram": re.compile(r"[1-9]\d{0,19}"),
    "chatwoot": re.compile(r"[1-9]\d{0,19}"),
}


class AccountRefused(ValueError):
    """`code` is form (not written as `telegram:12345`) or taken (it is somebody else's)."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Account:
    """One person at one bridge."""

    bridge: str
    account: str

    @classmethod
    def parse(cls, written: str) -> Account:
        """Out of "telegram:12345". Raises AccountRefused."""
        bridge, _, account = written.strip().partition(":")
        if bridge not in BRIDGES or not BRIDGES[bridge].fullmatch(account):
            raise AccountRefused("form")
        return cls(bridge, account)

    def __str__(self) -> str:
        return f"{self.bridge}:{self.account}"


class Accounts:
    """`by` is who does it; None is the operator at the command line."""

    def __init__(self, database: Database, audit: Audit, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._now = clock

    async def bind(self, agent: Agent, account: Account, *, by: Agent | None = None) -> None:
        """From now on this account acts as this agent. Raises AccountRefused where it acts as another one."""
        now = self._now()
        async with self._database.writing() as conn:
            await self._database.lock(conn, "desk agents")
            owner = await conn.scalar(sa.select(accounts.c.agent_id).where(*_is(account)))
            if owner == agent.id:
                return
            if owner is not None:
                raise AccountRefused("taken")
            await conn.execute(accounts.delete().where(*_is(account)))
            row = {"bridge": account.bridge, "account": account.account, "agent_id": agent.id, "at": now}
            await conn.execute(accounts.insert().values(**row))
            await self._audit.record(conn, now, actor(by), "desk.account_bound", agent.id, bridge=account.bridge)

    async def unbind(self, agent: Agent, account: Account, *, by: Agent | None = None) -> bool:
        """Whether there was something to undo."""
        now = self._now()
        async with self._database.writing() as conn:
            gone = await conn.execute(accounts.delete().where(*_is(account), accounts.c.agent_id == agent.id))
            if not gone.rowcount:
                return False
            await self._audit.record(conn, now, actor(by), "desk.account_unbound", agent.id, bridge=account.bridge)
            return True

    async def of(self, agent: Agent) -> Sequence[Account]:
        wanted = accounts.select().where(accounts.c.agent_id == agent.id).order_by(accounts.c.bridge, accounts.c.account)
        async with self._database.reading() as conn:
            return [Account(row.bridge, row.account) for row in await conn.execute(wanted)]

    async def agent(self, account: Account, login: str = "") -> Agent | None:
        """Who acts there: whom the account is bound to, or else whose login the place has verified; nobody who is shut out."""
        bound = sa.select(agents).join(accounts, accounts.c.agent_id == agents.c.id).where(*_is(account))
        async with self._database.reading() as conn:
            row = (await conn.execute(bound)).one_or_none()
            if row is None and login:
                wanted = agents.select().where(agents.c.login == login.strip().lower())
                row = (await conn.execute(wanted)).one_or_none()
        return agent_of(row) if row is not None and row.disabled_at is None else None

    async def first_met(self, account: Account) -> bool:
        """Whether this stranger has not been told what to do yet; from now on they have."""
        async with self._database.writing() as conn:
            await self._database.lock(conn, "desk agents")
            if await conn.scalar(sa.select(accounts.c.at).where(*_is(account))) is not None:
                return False
            row = {"bridge": account.bridge, "account": account.account, "at": self._now()}
            await conn.execute(accounts.insert().values(**row))
            return True


def _is(account: Account) -> tuple[sa.ColumnElement[bool], ...]:
    return accounts.c.bridge == account.bridge, accounts.c.account == account.account[:200]
