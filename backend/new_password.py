"""A forgotten password: a link by mail to whoever has an account, and the one POST that sets the new one.

Lives here: asking (which tells nobody whether there is an account), looking at the link (which changes nothing), setting the password.
Must not live here: HTML and forms (`pages/`), passwords' rules (`passwords.py`). The links live by the same rules as those that activate
(`links.py`): 256 random bits, hashed, the newest three, void as soon as one was used; but for an hour only.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.account_mail import AccountMails
from backend.accounts import end_other_ways_in, password_context
from backend.audit import Audit
from backend.budgets import Budget, free_within
from backend.clock import Clock
from backend.config import BackendConfig
from backend.database import Database
from backend.errors import LimitReached
from backend.hashing import Hasher
from backend.ids import new_id, new_token, token_hash
from backend.jobs import Again, Enqueue
from backend.links import LIVE_LINKS
from backend.masking import mask_email, mask_name
from backend.passwords import PasswordRefused, broken_rules
from backend.tables import account_sessions, accounts, password_links, password_requests
from backend.vault import Vault

ANSWER: Final = "answer_password_request"
# Counted alike for addresses with an account and without, or the limit would tell which is which.
_ADDRESS: Final = (Budget(1, timedelta(seconds=60)), Budget(5, timedelta(hours=1)), Budget(10, timedelta(days=1)))
_ORIGIN: Final = (Budget(30, timedelta(hours=1)),)

Language = Literal["id", "en"]


@dataclass(frozen=True, slots=True)
class ResetLive:
    """The link may be used."""

    email_masked: str
    full_name_masked: str
    expires_at: datetime
    language: Language


@dataclass(frozen=True, slots=True)
class ResetEnded:
    """Used, too old, replaced or never issued; a new one can be asked for."""


class NewPassword:
    def __init__(
        self,
        config: BackendConfig,
        database: Database,
        vault: Vault,
        jobs: Enqueue,
        mails: AccountMails,
        hasher: Hasher,
        audit: Audit,
        clock: Clock,
    ) -> None:
        self._life = config.timings.password_link_life
        self._database = database
        self._vault = vault
        self._jobs = jobs
        self._mails = mails
        self._hasher = hasher
        self._audit = audit
        self._now = clock

    async def ask(self, email: str, *, ip: str) -> None:
        """Have a link mailed to the account of this address, if there is one. Raises LimitReached."""
        indexes, origins = self._vault.indexes("email", email.strip()), self._vault.indexes("throttle", f"forgotten {ip}")
        async with self._database.writing() as conn:
            await self._database.lock(conn, *sorted(f"forgotten:{each.hex()}" for each in (*indexes, *origins)))
            now, asked = self._now(), password_requests.c
            of_address = asked.email_index == indexes[-1]
            free = await free_within(conn, asked.queued_at, of_address, _ADDRESS, now)
            # A stranger can use up an owner's day, so nobody waits longer than the newest link lives: who is refused has one that works.
            free = min(free, await free_within(conn, asked.queued_at, of_address, (Budget(1, self._life),), now))
            if free > now:
                raise LimitReached.of("cooldown", (free - now).total_seconds())
            free = await free_within(conn, asked.queued_at, asked.origin_index == origins[-1], _ORIGIN, now)
            if free > now:
                # Nothing was asked for this address: no mail of it is on its way.
                raise LimitReached.after((free - now).total_seconds())
            # One for each index key, counted by the oldest: under which of them the account is found, nobody looks up here.
            for index, origin in zip(indexes, origins, strict=True):
                request = new_id()
                await conn.execute(
                    password_requests.insert().values(id=request, email_index=index, origin_index=origin, queued_at=now)
                )
                await self._jobs.enqueue(conn, ANSWER, request)

    async def answer(self, request: str, _attempt: int) -> Again | None:
        """The handler of a request's job: whether there is an account is found out here, where nobody can measure it."""
        async with self._database.writing() as conn:
            await self._database.lock(conn, f"password request:{request}")
            asked = password_requests.select().where(
                password_requests.c.id == request, password_requests.c.answered_at.is_(None)
            )
            row = (await conn.execute(asked)).one_or_none()
            if row is None:
                return None
            now = self._now()
            await conn.execute(password_requests.update().where(password_requests.c.id == request).values(answered_at=now))
            account = (await conn.execute(accounts.select().where(accounts.c.email_index == row.email_index))).one_or_none()
            if account is not None:
                token = await self._issue(conn, account.id, now)
                await self._mails.write(conn, account, "password_reset", token=token, expires_at=now + self._life)
                await self._audit.record(conn, now, "person", "account.password_link", account.id)
        return None

    async def look(self, token: str) -> ResetLive | ResetEnded:
        """What this link is now. Changes nothing, however often it is asked."""
        async with self._database.reading() as conn:
            row = await self._find(conn, token)
        if row is None:
            return ResetEnded()
        name, email = (self._vault.open("accounts", column, row.id, getattr(row, column)) for column in ("full_name", "email"))
        return ResetLive(mask_email(email), mask_name(name), row.link_expires_at, row.language)

    async def set(self, token: str, password: str, again: str) -> Literal["set"] | ResetEnded:
        """Use the link up, set the password, end every session. Raises PasswordRefused (nothing is touched) and Busy."""
        async with self._database.reading() as conn:
            row = await self._find(conn, token)
        if row is None:
            return ResetEnded()
        async with self._hasher.slot():
            if broken := await asyncio.to_thread(broken_rules, password, again, password_context(self._vault, row)):
                raise PasswordRefused(broken)
            hashed = await self._hasher.hash(password)
        async with self._database.writing() as conn:
            await self._database.lock(conn, f"account:{row.id}")
            now = self._now()
            consumed = await conn.execute(
                password_links.update()
                .where(
                    password_links.c.token_hash == token_hash(token),
                    password_links.c.used_at.is_(None),
                    password_links.c.void_at.is_(None),
                    password_links.c.expires_at > now,
                )
                .values(used_at=now)
            )
            if consumed.rowcount != 1:
                return ResetEnded()
            await conn.execute(accounts.update().where(accounts.c.id == row.id).values(password_hash=hashed))
            await end_other_ways_in(conn, row.id, now)
            await conn.execute(account_sessions.delete().where(account_sessions.c.account_id == row.id))
            await self._mails.write(conn, row, "password_changed")
            await self._audit.record(conn, now, "person", "account.password_reset", row.id)
        return "set"

    async def _issue(self, conn: AsyncConnection, account: str, now: datetime) -> str:
        token = new_token("akr_")
        await conn.execute(
            password_links.insert().values(
                id=new_id(), account_id=account, token_hash=token_hash(token), created_at=now, expires_at=now + self._life
            )
        )
        live = sa.select(password_links.c.id).where(password_links.c.account_id == account, password_links.c.void_at.is_(None))
        newest = list(await conn.scalars(live.order_by(password_links.c.created_at.desc(), password_links.c.id)))
        if len(newest) > LIVE_LINKS:
            await conn.execute(password_links.update().where(password_links.c.id.in_(newest[LIVE_LINKS:])).values(void_at=now))
        return token

    async def _find(self, conn: AsyncConnection, token: str) -> sa.Row[Any] | None:
        """The account behind a link that may be used."""
        return (
            await conn.execute(
                sa.select(accounts, password_links.c.expires_at.label("link_expires_at"))
                .join(password_links, password_links.c.account_id == accounts.c.id)
                .where(
                    password_links.c.token_hash == token_hash(token),
                    password_links.c.used_at.is_(None),
                    password_links.c.void_at.is_(None),
                    password_links.c.expires_at > self._now(),
                )
            )
        ).one_or_none()
