"""Coming in: an invitation, a password and a code, a code of recovery, an identity provider; and the sessions that come of it.

Lives here: who is let in, and for how long. Must not live here: cookies and forms (`console/`), the agents themselves (`agents.py`), the
talk with an identity provider (`oidc.py`). Nobody comes in by a password alone. A session ends after IDLE without a deed of its agent,
after LIFE whatever happens, and at once when the agent is shut out.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import pyotp
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from helpdesk.agents import Agent, actor, agent_of
from helpdesk.ids import new_id, new_token, token_hash
from helpdesk.ports import Audit, Clock, Counting, Database, Hasher, Judge, Seals
from helpdesk.tables import agent_links, agent_sessions, agents, recovery_codes

IDLE: Final = timedelta(minutes=30)
LIFE: Final = timedelta(hours=12)
# Between the password and the code.
_HALF: Final = timedelta(minutes=5)
# A session's last use is written at most this often.
_SEEN_STEP: Final = timedelta(seconds=30)
RECOVERY_CODES: Final = 10
_TOTP_STEP_SECONDS: Final = 30
_TOTP_BYTES: Final = 20
# Wrong ones: of an address and login together, and of codes for one agent (10^6 codes, three of them good at a time).
_PASSWORDS: Final = "10 per 10 minutes"
_CODES: Final = "10 per 10 minutes"
_MAX_PASSWORD: Final = 128
# A hash of a random password nobody knows: verifying against it costs what verifying a real one costs.
_DUMMY: Final = "$argon2id$v=19$m=19456,t=2,p=1$91s5wmkv7YgGUjxbxve7/Q$Rp064o5O5vycYp7IRR9KgLb1Lmfxw6jcaENH+SwgbFQ"
# Without the letters and digits that are taken for each other.
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"


class SignInRefused(Exception):
    """Not let in; `code` is wrong, code, slow, link, closed or unknown. `rules` are those that a new password breaks (code "password")."""

    def __init__(self, code: str, *, retry_after: int = 0, rules: tuple[str, ...] = ()) -> None:
        super().__init__(code)
        self.code = code
        self.retry_after = retry_after
        self.rules = rules


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody with an open session; `token` is the session's."""

    session: str
    token: str
    agent: Agent
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class OpenSession:
    id: str
    device: str
    created_at: datetime
    seen_at: datetime
    current: bool


@dataclass(frozen=True, slots=True)
class Invitation:
    """Whom an invitation is for, and the secret that their authenticator is to keep."""

    agent: Agent
    secret: str
    uri: str


class SignIn:
    def __init__(
        self,
        database: Database,
        audit: Audit,
        seals: Seals,
        hasher: Hasher,
        judge: Judge,
        throttle: Counting,
        clock: Clock,
        *,
        issuer: str,
    ) -> None:
        self._database = database
        self._audit = audit
        self._seals = seals
        self._hasher = hasher
        self._judge = judge
        self._throttle = throttle
        self._now = clock
        self._issuer = issuer

    # --- the first time

    async def invitation(self, token: str) -> Invitation:
        """What the link is for; changes nothing. Raises SignInRefused link."""
        async with self._database.reading() as conn:
            row = await self._of_link(conn, token, "invitation")
        agent, secret = agent_of(row), self._secrets(token)[0]
        return Invitation(agent, secret, pyotp.TOTP(secret).provisioning_uri(name=agent.login, issuer_name=self._issuer))

    async def accept(self, token: str, password: str, again: str, code: str, *, device: str) -> tuple[str, tuple[str, ...]]:
        """Set the password and the authenticator; a session's token and the codes of recovery. Raises SignInRefused."""
        invitation = await self.invitation(token)
        agent = invitation.agent
        await self._may_try(_CODES, "desk code", agent.id)
        broken = await asyncio.to_thread(self._judge, password, again, (agent.login, agent.name))
        if broken:
            raise SignInRefused("password", rules=broken)
        # The page may have shown the secret under the index key of before a rotation: whichever the authenticator has is the one.
        proven = ((secret, step) for secret in self._secrets(token) if (step := self._step(secret, code)) is not None)
        secret, step = next(proven, ("", None))
        if step is None:
            raise SignInRefused("code")
        async with self._hasher.slot():
            hashed = await self._hasher.hash(password)
        codes = tuple(self._recovery_code() for _ in range(RECOVERY_CODES))
        now = self._now()
        async with self._database.writing() as conn:
            await self._use_link(conn, token, "invitation", now)
            sealed = self._seals.seal(secret.encode(), self._context(agent.id))
            await conn.execute(
                agents.update().where(agents.c.id == agent.id).values(password_hash=hashed, totp=sealed, totp_step=step)
            )
            await conn.execute(recovery_codes.delete().where(recovery_codes.c.agent_id == agent.id))
            await conn.execute(
                recovery_codes.insert(), [{"agent_id": agent.id, "code_hash": token_hash(each)} for each in codes]
            )
            await self._audit.record(conn, now, actor(agent), "desk.invitation_accepted", agent.id)
            return await self._open(conn, agent.id, device, now), codes

    async def link(self, token: str) -> Agent:
        """Whom a sign-in link lets in; changes nothing. Raises SignInRefused link."""
        async with self._database.reading() as conn:
            return agent_of(await self._of_link(conn, token, "sign_in"))

    async def follow(self, token: str, *, device: str) -> str:
        """Use a sign-in link up; the session's token. Raises SignInRefused link."""
        now = self._now()
        async with self._database.writing() as conn:
            agent = await self._use_link(conn, token, "sign_in", now)
            await self._audit.record(conn, now, f"agent:{agent}", "desk.signed_in", agent, how="link")
            return await self._open(conn, agent, device, now)

    async def _of_link(self, conn: AsyncConnection, token: str, purpose: str) -> sa.Row[Any]:
        found = (
            sa.select(agents)
            .join_from(agent_links, agents)
            .where(
                agent_links.c.token_hash == token_hash(token),
                agent_links.c.purpose == purpose,
                agent_links.c.used_at.is_(None),
                agent_links.c.expires_at > self._now(),
                agents.c.disabled_at.is_(None),
            )
        )
        row = (await conn.execute(found)).one_or_none()
        if row is None:
            raise SignInRefused("link")
        return row

    async def _use_link(self, conn: AsyncConnection, token: str, purpose: str, now: datetime) -> str:
        row = await self._of_link(conn, token, purpose)
        used = await conn.execute(
            agent_links.update()
            .where(agent_links.c.token_hash == token_hash(token), agent_links.c.used_at.is_(None))
            .values(used_at=now)
        )
        if used.rowcount != 1:
            raise SignInRefused("link")
        return str(row.id)

    # --- every time

    async def password(self, login: str, password: str, *, ip: str, device: str) -> str:
        """The token of a session that is good for `prove` alone. An unknown login costs what a wrong password costs.

        Raises SignInRefused wrong, slow.
        """
        login = login.strip().lower()[:120]
        await self._may_try(_PASSWORDS, "desk password", ip, login)
        if len(password) > _MAX_PASSWORD:
            password = ""
        async with self._database.reading() as conn:
            row = (await conn.execute(agents.select().where(agents.c.login == login))).one_or_none()
        known = row is not None and row.password_hash is not None and row.totp is not None and row.disabled_at is None
        async with self._hasher.slot():
            matches = await self._hasher.matches(row.password_hash if row is not None and known else _DUMMY, password)
        now = self._now()
        async with self._database.writing() as conn:
            if row is None or not known or not matches:
                await self._audit.record(conn, now, "person", "desk.sign_in_failed", row.id if row is not None else "unknown")
                failed = True
            else:
                failed = False
                token = await self._open(conn, row.id, device, now, proven=False)
        if failed:
            raise SignInRefused("wrong")
        return token

    async def prove(self, token: str, code: str, *, device: str) -> str:
        """The second half: the authenticator's code, or one of recovery. The token of a whole session; the half one is gone.

        Raises SignInRefused code, slow, closed (the half session is over).
        """
        now = self._now()
        async with self._database.reading() as conn:
            row = await self._row(conn, token, proven=False)
        if row is None:
            raise SignInRefused("closed")
        await self._may_try(_CODES, "desk code", row.agent_id)
        wrong = False
        async with self._database.writing() as conn:
            await self._database.lock(conn, f"desk code {row.agent_id}")
            agent = (await conn.execute(agents.select().where(agents.c.id == row.agent_id))).one()
            how = await self._proven_by(conn, agent, code, now)
            if how is None:
                await self._audit.record(conn, now, "person", "desk.sign_in_failed", agent.id, stage="code")
                wrong = True
            else:
                await conn.execute(agent_sessions.delete().where(agent_sessions.c.id == row.id))
                await self._audit.record(conn, now, f"agent:{agent.id}", "desk.signed_in", agent.id, how=how)
                opened = await self._open(conn, agent.id, device, now)
        if wrong:
            raise SignInRefused("code")
        return opened

    async def _proven_by(self, conn: AsyncConnection, agent: sa.Row[Any], code: str, now: datetime) -> str | None:
        if agent.totp is not None:
            secret = self._seals.open(bytes(agent.totp), self._context(agent.id)).decode()
            step = self._step(secret, code)
            if step is not None and step > (agent.totp_step or 0):
                await conn.execute(agents.update().where(agents.c.id == agent.id).values(totp_step=step))
                return "code"
        used = await conn.execute(
            recovery_codes.update()
            .where(
                recovery_codes.c.agent_id == agent.id,
                recovery_codes.c.code_hash == token_hash(code.strip().lower()),
                recovery_codes.c.used_at.is_(None),
            )
            .values(used_at=now)
        )
        return "recovery" if used.rowcount == 1 else None

    async def provided(self, issuer: str, subject: str, login: str, *, device: str) -> str:
        """Let in whom the identity provider vouches for: by its own name for them, the first time by their login.

        An agent must have been added before. Raises SignInRefused unknown.
        """
        mark, now = token_hash(f"{issuer}\0{subject}"), self._now()
        async with self._database.writing() as conn:
            await self._database.lock(conn, "desk agents")
            row = (await conn.execute(agents.select().where(agents.c.oidc == mark))).one_or_none()
            if row is None and login:
                first = agents.select().where(agents.c.login == login.strip().lower(), agents.c.oidc.is_(None))
                row = (await conn.execute(first)).one_or_none()
                if row is not None and row.disabled_at is None:
                    await conn.execute(agents.update().where(agents.c.id == row.id).values(oidc=mark))
                    await conn.execute(agent_links.delete().where(agent_links.c.agent_id == row.id))
            if row is None or row.disabled_at is not None:
                opened = None
            else:
                await self._audit.record(conn, now, f"agent:{row.id}", "desk.signed_in", row.id, how="oidc")
                opened = await self._open(conn, row.id, device, now)
        if opened is None:
            raise SignInRefused("unknown")
        return opened

    # --- sessions

    async def visit(self, token: str, *, touch: bool = True) -> Visit | None:
        """Whose session this is. `touch` says that the agent did something, and not their open page by itself."""
        now = self._now()
        async with self._database.reading() as conn:
            row = await self._row(conn, token, proven=True)
            if row is None:
                return None
            agent = (await conn.execute(agents.select().where(agents.c.id == row.agent_id))).one()
        if touch and now - row.seen_at >= _SEEN_STEP:
            async with self._database.writing() as conn:
                await conn.execute(agent_sessions.update().where(agent_sessions.c.id == row.id).values(seen_at=now))
        return Visit(row.id, token, agent_of(agent), row.expires_at)

    async def holds(self, token: str) -> bool:
        """Whether a session is still one; that somebody asks does not keep it."""
        async with self._database.reading() as conn:
            return await self._row(conn, token, proven=True) is not None

    async def half_open(self, token: str) -> bool:
        """Whether a code is what is missing."""
        async with self._database.reading() as conn:
            return await self._row(conn, token, proven=False) is not None

    async def sessions(self, visit: Visit) -> list[OpenSession]:
        found = (
            agent_sessions.select()
            .where(agent_sessions.c.agent_id == visit.agent.id, agent_sessions.c.proven, self._alive())
            .order_by(agent_sessions.c.seen_at.desc())
        )
        async with self._database.reading() as conn:
            rows = (await conn.execute(found)).all()
        return [OpenSession(row.id, row.device, row.created_at, row.seen_at, row.id == visit.session) for row in rows]

    async def end(self, token: str) -> None:
        now = self._now()
        async with self._database.writing() as conn:
            row = await self._row(conn, token, proven=True)
            await conn.execute(agent_sessions.delete().where(agent_sessions.c.token_hash == token_hash(token)))
            if row is not None:
                await self._audit.record(conn, now, f"agent:{row.agent_id}", "desk.signed_out", row.agent_id)

    async def end_others(self, visit: Visit) -> None:
        async with self._database.writing() as conn:
            others = agent_sessions.c.agent_id == visit.agent.id, agent_sessions.c.id != visit.session
            await conn.execute(agent_sessions.delete().where(*others))
            await self._audit.record(conn, self._now(), actor(visit.agent), "desk.sessions_ended", visit.agent.id)

    async def forget(self) -> int:
        """Erase what is over; how many rows."""
        async with self._database.writing() as conn:
            gone = await conn.execute(agent_sessions.delete().where(~self._alive()))
            links = await conn.execute(agent_links.delete().where(agent_links.c.expires_at <= self._now()))
        return gone.rowcount + links.rowcount

    def _alive(self) -> sa.ColumnElement[bool]:
        now = self._now()
        return sa.and_(agent_sessions.c.expires_at > now, agent_sessions.c.seen_at > now - IDLE)

    async def _row(self, conn: AsyncConnection, token: str, *, proven: bool) -> sa.Row[Any] | None:
        found = (
            agent_sessions.select()
            .join(agents)
            .where(
                agent_sessions.c.token_hash == token_hash(token),
                agent_sessions.c.proven == proven,
                self._alive(),
                agents.c.disabled_at.is_(None),
            )
        )
        return (await conn.execute(found)).one_or_none()

    async def _open(self, conn: AsyncConnection, agent: str, device: str, now: datetime, *, proven: bool = True) -> str:
        token = new_token()
        await conn.execute(
            agent_sessions.insert().values(
                id=new_id(),
                agent_id=agent,
                token_hash=token_hash(token),
                proven=proven,
                device=device[:60],
                created_at=now,
                seen_at=now,
                expires_at=now + (LIFE if proven else _HALF),
            )
        )
        return token

    # --- codes

    async def _may_try(self, rate: str, *who: str) -> None:
        if seconds := await self._throttle.wait(rate, *who):
            raise SignInRefused("slow", retry_after=seconds)

    def _secrets(self, token: str) -> tuple[str, ...]:
        """The authenticator's secret of an invitation, the same at every look and kept nowhere before it is proven: first the one to be
        shown, then those that were under older index keys.
        """
        return tuple(base64.b32encode(each[-_TOTP_BYTES:]).decode() for each in self._seals.indexes("desk totp", token))

    @staticmethod
    def _context(agent: str) -> bytes:
        return f"desk_agents/totp/{agent}".encode()

    def _step(self, secret: str, code: str) -> int | None:
        """The time step whose code this is: the present one or a neighbour, for clocks that differ."""
        code = "".join(code.split())
        now = int(self._now().timestamp()) // _TOTP_STEP_SECONDS
        totp = pyotp.TOTP(secret)
        if not (code.isascii() and code.isdecimal() and len(code) == totp.digits):
            return None
        good = [step for step in (now - 1, now, now + 1) if secrets.compare_digest(totp.generate_otp(step), code)]
        return good[-1] if good else None

    @staticmethod
    def _recovery_code() -> str:
        """50 random bits, in two groups that can be read out."""
        letters = "".join(secrets.choice(_ALPHABET) for _ in range(10))
        return f"{letters[:5]}-{letters[5:]}"
