"""Active accounts: logging in, sessions, and another password for their owner.

Lives here: credentials, the growing delay after wrong ones, sessions. Must not live here: cookies and forms (`pages/`), forgotten
passwords (`new_password.py`), a copy of the data and its end (`subjects.py`). Nobody is locked out: a wrong password delays the pair of
account and address it came from, the address, and only mildly the account, so that a stranger cannot keep the owner out.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.account_mail import AccountMails
from backend.audit import Audit
from backend.clock import Clock
from backend.config import BackendConfig
from backend.database import Database
from backend.hashing import DUMMY, Hasher
from backend.ids import new_token, token_hash
from backend.masking import mask_nik, mask_phone
from backend.passwords import MAX_LENGTH, PasswordRefused, broken_rules
from backend.phone_checks import Begun, PhoneChecks, Proven
from backend.tables import account_sessions, accounts, password_links, phone_checks
from backend.tries import Delay, Tries
from backend.vault import Vault

log = structlog.get_logger(__name__)

# A session's last use is written at most this often; reading a page need not write.
_SEEN_STEP: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Account:
    """An active account as its owner's page shows it."""

    id: str
    full_name: str
    email: str
    nik_masked: str
    phone_masked: str
    kind: str
    activated_at: datetime
    phone_verified: bool
    language: Literal["id", "en"]
    # The hash of the password that was right when this was read; nothing is opened by it once there is another.
    password_hash: str = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Session:
    """One browser in which the account is open. `id` names it and opens nothing."""

    id: str
    device: str
    created_at: datetime
    seen_at: datetime
    current: bool


@dataclass(frozen=True, slots=True)
class PhoneNeeded:
    """The password is right; a code sent to the phone must come back first (`check`)."""

    check: Begun
    language: Literal["id", "en"]


@dataclass(frozen=True, slots=True)
class WrongCredentials:
    """The e-mail or the password is wrong; which of the two is not said."""


@dataclass(frozen=True, slots=True)
class SlowDown:
    """Too many wrong attempts: the next one counts after `retry_after` seconds (rounded up)."""

    retry_after: int


_PAIR: Final = Delay(free=5, most=timedelta(minutes=15))
_ADDRESS: Final = Delay(free=30, most=timedelta(minutes=15))
_ACCOUNT: Final = Delay(free=100, most=timedelta(seconds=5))


class Accounts:
    def __init__(
        self,
        config: BackendConfig,
        database: Database,
        vault: Vault,
        mails: AccountMails,
        checks: PhoneChecks,
        hasher: Hasher,
        audit: Audit,
        clock: Clock,
    ) -> None:
        self._timings = config.timings
        self._asks_phone = config.phone_otp == "first-login"
        self._database = database
        self._vault = vault
        self._mails = mails
        self._checks = checks
        self._hasher = hasher
        self._audit = audit
        self._tries = Tries(database, clock)
        self._now = clock

    async def authenticate(self, email: str, password: str, *, ip: str) -> Account | PhoneNeeded | WrongCredentials | SlowDown:
        """Raises Busy. An unknown e-mail costs the same time as a wrong password."""
        row = await self._verified(email.strip(), password, ip)
        if not isinstance(row, sa.Row):
            return row
        async with self._database.writing() as conn:
            if not await self._stands(conn, row.id, row.password_hash):
                return WrongCredentials()
            if self._asks_phone and row.phone_verified_at is None:
                phone = self._vault.open("accounts", "phone", row.id, row.phone)
                check = await self._checks.begin(
                    conn, "log_in", phone=phone, language=row.language, account_id=row.id, password_hash=row.password_hash
                )
                return PhoneNeeded(check, row.language)
            await self._audit.record(conn, self._now(), "person", "account.login", row.id)
        return self._account(row)

    async def phone_proven(self, proven: Proven, device: str = "") -> str | None:
        """The code came back: the account's first log-in is complete. What `open_session` returns."""
        account_id, password_hash = proven.account_id or "", proven.password_hash or ""
        async with self._database.writing() as conn:
            if not await self._stands(conn, account_id, password_hash):
                return None
            now = self._now()
            await conn.execute(accounts.update().where(accounts.c.id == account_id).values(phone_verified_at=now))
            await self._audit.record(conn, now, "person", "account.phone_verified", account_id)
            await self._audit.record(conn, now, "person", "account.login", account_id)
            return await self._open(conn, account_id, device)

    async def confirm(self, account: Account, password: str, *, ip: str) -> Literal["confirmed"] | WrongCredentials | SlowDown:
        """Whether it is the owner who sits before an open session; counts as a log-in's password does. Raises Busy."""
        row = await self._verified(account.email, password, ip)
        return "confirmed" if isinstance(row, sa.Row) else row

    async def _verified(self, email: str, password: str, ip: str) -> sa.Row[Any] | WrongCredentials | SlowDown:
        indexes = self._vault.indexes("email", email)
        delays = {
            self._vault.index("throttle", f"pair {indexes[0].hex()} {ip}"): _PAIR,
            self._vault.index("throttle", f"address {ip}"): _ADDRESS,
            self._vault.index("throttle", f"account {indexes[0].hex()}"): _ACCOUNT,
        }
        if len(password) > MAX_LENGTH:  # no account can have it: refused before it costs a hash
            password = ""
        async with self._hasher.slot():
            if (wait := await self._tries.count(delays)) is not None:
                log.warning("login.slowed", seconds=wait.retry_after)
                return SlowDown(wait.retry_after)
            async with self._database.reading() as conn:
                row = (await conn.execute(accounts.select().where(accounts.c.email_index.in_(indexes)))).one_or_none()
            matches = await self._hasher.matches(row.password_hash if row else DUMMY, password)
        if row is None or not matches:
            log.warning("login.failed", account=row.id if row else None)
            return WrongCredentials()
        await self._tries.succeeded(delays)
        return row

    async def open_session(self, account: Account, device: str = "") -> str | None:
        """A new session's token: 256 random bits, of which only the hash is kept. `device` is what its owner will know it by.

        None when the account has got another password since this one was proven, or is gone.
        """
        async with self._database.writing() as conn:
            stands = await self._stands(conn, account.id, account.password_hash)
            return await self._open(conn, account.id, device) if stands else None

    async def _stands(self, conn: AsyncConnection, account_id: str, password_hash: str) -> bool:
        """Whether this is the account's password still, and stays it until the transaction ends.

        Between a password's proof and what it opens lies time, in which its owner may have changed it because somebody else knows it.
        """
        await self._database.lock(conn, f"account:{account_id}")
        found = await conn.scalar(sa.select(accounts.c.password_hash).where(accounts.c.id == account_id))
        return found is not None and found == password_hash

    async def _open(self, conn: AsyncConnection, account_id: str, device: str) -> str:
        token, now = new_token("aks_"), self._now()
        await conn.execute(
            account_sessions.insert().values(
                token_hash=token_hash(token), account_id=account_id, created_at=now, seen_at=now, device=device[:60]
            )
        )
        return token

    async def session(self, token: str) -> Account | None:
        """The account of a live session, whose idle time begins anew; None when it ended (15 minutes idle, 8 hours in all)."""
        now, hashed = self._now(), token_hash(token)
        async with self._database.reading() as conn:
            found = await self._live(conn, hashed, now)
        if found is None:
            return None
        if now - found.seen_at >= _SEEN_STEP:
            async with self._database.writing() as conn:
                await conn.execute(account_sessions.update().where(account_sessions.c.token_hash == hashed).values(seen_at=now))
        return self._account(found)

    async def _live(self, conn: AsyncConnection, hashed: bytes, now: datetime) -> sa.Row[Any] | None:
        return (
            await conn.execute(
                sa.select(accounts, account_sessions.c.seen_at)
                .join(account_sessions, account_sessions.c.account_id == accounts.c.id)
                .where(account_sessions.c.token_hash == hashed, *self._alive(now))
            )
        ).one_or_none()

    async def close_session(self, token: str) -> None:
        """End it; an unknown one is no error."""
        async with self._database.writing() as conn:
            await conn.execute(account_sessions.delete().where(account_sessions.c.token_hash == token_hash(token)))

    async def sessions(self, account_id: str, token: str) -> tuple[Session, ...]:
        """Where the account is open now, newest first; `token` is the session that asks."""
        now, hashed = self._now(), token_hash(token)
        found = account_sessions.select().where(account_sessions.c.account_id == account_id, *self._alive(now))
        async with self._database.reading() as conn:
            rows = (await conn.execute(found.order_by(account_sessions.c.created_at.desc()))).all()
        return tuple(
            Session(_session_id(row.token_hash), row.device or "", row.created_at, row.seen_at, bytes(row.token_hash) == hashed)
            for row in rows
        )

    async def end_session(self, account_id: str, session: str) -> None:
        """End one of this account's sessions by its id; an unknown one is no error."""
        async with self._database.writing() as conn:
            mine = sa.select(account_sessions.c.token_hash).where(account_sessions.c.account_id == account_id)
            ended = [hashed for hashed in await conn.scalars(mine) if _session_id(hashed) == session]
            await conn.execute(account_sessions.delete().where(account_sessions.c.token_hash.in_(ended)))

    async def end_other_sessions(self, account_id: str, token: str) -> None:
        """End all of them but the one that asks."""
        async with self._database.writing() as conn:
            await conn.execute(
                account_sessions.delete().where(
                    account_sessions.c.account_id == account_id, account_sessions.c.token_hash != token_hash(token)
                )
            )

    async def change_password(self, account: Account, password: str, again: str, *, device: str = "") -> str | None:
        """Set another password, end every session, tell the owner by mail. What `open_session` returns.

        Raises PasswordRefused (nothing is touched) and Busy. Who asks has proven that they know the present one (`confirm`).
        """
        account_id = account.id
        async with self._database.reading() as conn:
            row = (await conn.execute(accounts.select().where(accounts.c.id == account_id))).one_or_none()
        if row is None:
            return None
        async with self._hasher.slot():
            if broken := await asyncio.to_thread(broken_rules, password, again, password_context(self._vault, row)):
                raise PasswordRefused(broken)
            hashed = await self._hasher.hash(password)
        async with self._database.writing() as conn:
            if not await self._stands(conn, account_id, account.password_hash):
                return None
            now = self._now()
            await conn.execute(accounts.update().where(accounts.c.id == account_id).values(password_hash=hashed))
            await conn.execute(account_sessions.delete().where(account_sessions.c.account_id == account_id))
            await end_other_ways_in(conn, account_id, now)
            await self._mails.write(conn, row, "password_changed")
            token = await self._open(conn, account_id, device)
            await self._audit.record(conn, now, "person", "account.password_changed", account_id)
        return token

    def _alive(self, now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
        return (
            account_sessions.c.seen_at > now - self._timings.session_idle,
            account_sessions.c.created_at > now - self._timings.session_life,
        )

    def _account(self, row: sa.Row[Any]) -> Account:
        def opened(column: str) -> str:
            return self._vault.open("accounts", column, row.id, getattr(row, column))

        return Account(
            id=row.id,
            full_name=opened("full_name"),
            email=opened("email"),
            nik_masked=mask_nik(opened("nik")),
            phone_masked=mask_phone(opened("phone")),
            kind=row.kind,
            activated_at=row.activated_at,
            phone_verified=row.phone_verified_at is not None,
            language=row.language,
            password_hash=row.password_hash,
        )


def password_context(vault: Vault, account: sa.Row[Any]) -> tuple[str, ...]:
    """What the password of this row of `accounts` must not contain."""
    name, nik, phone, email = (
        vault.open("accounts", column, account.id, getattr(account, column))
        for column in ("full_name", "nik", "phone", "email")
    )
    return (*name.split(), email, email.partition("@")[0], nik, phone, f"0{phone[3:]}")


async def end_other_ways_in(conn: AsyncConnection, account: str, now: datetime) -> None:
    """Nothing that was begun before leads around a new password: no link sets another, no code completes a log-in with the old one."""
    await PhoneChecks.end(conn, phone_checks.c.account_id == account, now)
    await conn.execute(
        password_links.update()
        .where(password_links.c.account_id == account, password_links.c.used_at.is_(None), password_links.c.void_at.is_(None))
        .values(void_at=now)
    )


def _session_id(hashed: bytes) -> str:
    # Half of a hash of a hash: it names the session on a page and leads back to nothing.
    return hashlib.sha256(b"session\0" + bytes(hashed)).hexdigest()[:24]
