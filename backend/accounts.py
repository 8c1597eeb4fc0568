"""Active accounts: logging in, and the session of the account page.

Lives here: credentials, the growing delay after wrong ones, sessions. Must not live here: cookies and forms (`pages/`). Nobody is
locked out: a wrong password delays the pair of account and address it came from, the address, and only mildly the account, so that
a stranger cannot keep the owner out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.audit import Audit
from backend.clock import Clock
from backend.config import BackendConfig
from backend.database import Database
from backend.errors import Later
from backend.hashing import DUMMY, Hasher
from backend.ids import new_token, token_hash
from backend.masking import mask_nik, mask_phone
from backend.passwords import MAX_LENGTH
from backend.tables import account_sessions, accounts, login_throttle
from backend.vault import Vault

# A session's last use is written at most this often; reading a page need not write.
_SEEN_STEP: Final = timedelta(seconds=30)
_FORGIVEN_AFTER: Final = timedelta(days=1)


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
    language: Literal["id", "en"]


@dataclass(frozen=True, slots=True)
class WrongCredentials:
    """The e-mail or the password is wrong; which of the two is not said."""


@dataclass(frozen=True, slots=True)
class SlowDown:
    """Too many wrong attempts: the next one counts after `retry_after` seconds (rounded up)."""

    retry_after: int


@dataclass(frozen=True, slots=True)
class _Throttle:
    """After `free` failures within a day each further one doubles the wait from one second, up to `most`."""

    free: int
    most: timedelta

    def wait(self, failures: int) -> timedelta:
        over = failures - self.free
        return timedelta(0) if over <= 0 else min(self.most, timedelta(seconds=2.0 ** min(over - 1, 20)))


_PAIR: Final = _Throttle(free=5, most=timedelta(minutes=15))
_ADDRESS: Final = _Throttle(free=30, most=timedelta(minutes=15))
_ACCOUNT: Final = _Throttle(free=100, most=timedelta(seconds=5))


class Accounts:
    def __init__(
        self, config: BackendConfig, database: Database, vault: Vault, hasher: Hasher, audit: Audit, clock: Clock
    ) -> None:
        self._timings = config.timings
        self._database = database
        self._vault = vault
        self._hasher = hasher
        self._audit = audit
        self._now = clock

    async def authenticate(self, email: str, password: str, *, ip: str) -> Account | WrongCredentials | SlowDown:
        """Raises Busy. An unknown e-mail costs the same time as a wrong password."""
        index = self._vault.index("email", email.strip())
        throttles = {
            self._vault.index("throttle", f"pair {index.hex()} {ip}"): _PAIR,
            self._vault.index("throttle", f"address {ip}"): _ADDRESS,
            self._vault.index("throttle", f"account {index.hex()}"): _ACCOUNT,
        }
        if len(password) > MAX_LENGTH:  # no account can have it: refused before it costs a hash
            password = ""
        async with self._hasher.slot():
            # Counted before the check, so that many attempts at once do not get in on one free place.
            if (wait := await self._count(throttles)) is not None:
                return wait
            async with self._database.reading() as conn:
                row = (await conn.execute(accounts.select().where(accounts.c.email_index == index))).one_or_none()
            matches = await self._hasher.matches(row.password_hash if row else DUMMY, password)
        if row is None or not matches:
            return WrongCredentials()
        async with self._database.writing() as conn:
            await conn.execute(login_throttle.delete().where(login_throttle.c.key == next(iter(throttles))))
            others = list(throttles)[1:]
            await conn.execute(
                login_throttle.update()
                .where(login_throttle.c.key.in_(others), login_throttle.c.failures > 0)
                .values(failures=login_throttle.c.failures - 1, open_at=self._now())
            )
            await self._audit.record(conn, self._now(), "person", "account.login", row.id)
        return self._account(row)

    async def _count(self, throttles: dict[bytes, _Throttle]) -> SlowDown | None:
        now = self._now()
        async with self._database.writing() as conn:
            await self._database.lock(conn, *(f"throttle:{key.hex()}" for key in sorted(throttles)))
            rows = await conn.execute(login_throttle.select().where(login_throttle.c.key.in_(list(throttles))))
            known = {bytes(row.key): row for row in rows}
            open_at = max((row.open_at for row in known.values()), default=now)
            if open_at > now:
                return SlowDown(Later.after((open_at - now).total_seconds()).retry_after)
            for key, throttle in throttles.items():
                row = known.get(key)
                forgiven = row is None or row.failed_at <= now - _FORGIVEN_AFTER
                failures = 1 if row is None or forgiven else row.failures + 1
                values = {"failures": failures, "failed_at": now, "open_at": now + throttle.wait(failures)}
                if row is None:
                    await conn.execute(login_throttle.insert().values(key=key, **values))
                else:
                    await conn.execute(login_throttle.update().where(login_throttle.c.key == key).values(**values))
        return None

    async def open_session(self, account_id: str) -> str:
        """A new session's token: 256 random bits, of which only the hash is kept."""
        token, now = new_token("aks_"), self._now()
        async with self._database.writing() as conn:
            await conn.execute(
                account_sessions.insert().values(
                    token_hash=token_hash(token), account_id=account_id, created_at=now, seen_at=now
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
                .where(
                    account_sessions.c.token_hash == hashed,
                    account_sessions.c.seen_at > now - self._timings.session_idle,
                    account_sessions.c.created_at > now - self._timings.session_life,
                )
            )
        ).one_or_none()

    async def close_session(self, token: str) -> None:
        """End it; an unknown one is no error."""
        async with self._database.writing() as conn:
            await conn.execute(account_sessions.delete().where(account_sessions.c.token_hash == token_hash(token)))

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
            language=row.language,
        )
