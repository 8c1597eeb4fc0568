"""A code sent by SMS to the phone of a registration or an account, and whether it came back.

Lives here: the life of a check (six digits, five minutes, five tries that are counted before the code is looked at), its budget, the job
that sends it. Must not live here: what goes on once the phone is proven (`activation.py`, `accounts.py`), HTTP to the gateway (`sms.py`).
A check's token stands in the browser's cookie; its code is sealed until the message is sent and after that known by a keyed hash alone.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.budgets import Budget, free_within
from backend.clock import Clock
from backend.config import BackendConfig
from backend.database import Database
from backend.errors import LimitReached
from backend.ids import new_id, new_token, token_hash
from backend.jobs import Again, Enqueue, pick
from backend.masking import mask_phone
from backend.sms import SmsGateway, SmsNotNow, SmsRefused
from backend.tables import phone_checks, sms
from backend.texts import text
from backend.vault import Vault

log = structlog.get_logger(__name__)

SEND_SMS: Final = "send_sms"
DIGITS: Final = 6
TRIES: Final = 5
CODE_LIFE: Final = timedelta(minutes=5)
# Within this time the browser may ask for further codes.
CHECK_LIFE: Final = timedelta(minutes=30)
COOLDOWN: Final = timedelta(seconds=60)
# Of one phone, whoever asks: an SMS costs money and disturbs.
PHONE: Final = (Budget(1, COOLDOWN), Budget(5, timedelta(hours=1)), Budget(10, timedelta(days=1)))
_BACKOFF: Final = (1.0, 3.0, 10.0, 30.0, 60.0)

Purpose = Literal["log_in", "activation"]
Language = Literal["id", "en"]


@dataclass(frozen=True, slots=True)
class Begun:
    """A check waits. `token` is its browser's. `sent` is False when the phone's budget allowed no message now: then the code that was sent
    for the same errand before still stands, if there is one, and else there is none until one is asked for.
    """

    token: str
    sent: bool


@dataclass(frozen=True, slots=True)
class Check:
    """A check that waits for its code. `code_live` is False when a new one must be asked for; it can be from `resend_at` on."""

    purpose: Purpose
    phone_masked: str
    language: Language
    code_live: bool
    tries_left: int
    resend_at: datetime


@dataclass(frozen=True, slots=True)
class Proven:
    """The code came back. What the check was begun with."""

    purpose: Purpose
    account_id: str | None
    link_id: str | None
    password_hash: str | None
    notice_version: str | None
    language: Language


@dataclass(frozen=True, slots=True)
class WrongCode:
    """Another code was sent, or this one is too old or was tried too often; `check` tells what is left."""

    check: Check


class PhoneChecks:
    """`gateway` is None where codes are switched off; then none is begun."""

    def __init__(
        self, config: BackendConfig, database: Database, vault: Vault, jobs: Enqueue, gateway: SmsGateway | None, clock: Clock
    ) -> None:
        self._host = urlsplit(config.public_url).hostname or ""
        self._database = database
        self._vault = vault
        self._jobs = jobs
        self._gateway = gateway
        self._now = clock

    async def begin(
        self,
        conn: AsyncConnection,
        purpose: Purpose,
        *,
        phone: str,
        language: Language,
        account_id: str | None = None,
        link_id: str | None = None,
        password_hash: str | None = None,
        notice_version: str | None = None,
    ) -> Begun:
        """A check whose code is on its way to `phone` (E.164), or was sent just now for the same errand."""
        check, token, now = new_id(), new_token("ako_"), self._now()
        errand = phone_checks.c.account_id == account_id if account_id else phone_checks.c.link_id == link_id
        values = {
            "token_hash": token_hash(token),
            "password_hash": password_hash,
            "notice_version": notice_version,
            "language": language,
            "expires_at": now + CHECK_LIFE,
        }
        sendable = await self._free_at(conn, phone, now) <= now
        if not sendable:
            # The same person once more, impatient or on another device: the check, with the tries that are left of it, is theirs there.
            waiting = phone_checks.update().where(errand, phone_checks.c.used_at.is_(None), phone_checks.c.expires_at > now)
            if (await conn.execute(waiting.values(**values))).rowcount:
                return Begun(token, sent=False)
        # An earlier check of the same errand ends here: two codes at once are twice the chance to guess.
        await self.end(conn, errand, now)
        await conn.execute(
            phone_checks.insert().values(
                id=check,
                purpose=purpose,
                account_id=account_id,
                link_id=link_id,
                phone=self._vault.seal("phone_checks", "phone", check, phone),
                phone_index=self._vault.index("phone", phone),
                code_expires_at=now,
                tries=0,
                created_at=now,
                **values,
            )
        )
        if sendable:
            await self._send_code(conn, check, phone, now)
        return Begun(token, sendable)

    async def look(self, token: str) -> Check | None:
        """The check of this token; None when there is none (any more)."""
        async with self._database.reading() as conn:
            row = await self._find(conn, token)
            return None if row is None else await self._check(conn, row)

    async def resend(self, token: str) -> Check | None:
        """A new code, which makes the one before worthless. Raises LimitReached."""
        async with self._database.writing() as conn:
            row = await self._find(conn, token)
            if row is None:
                return None
            phone, now = self._phone(row), self._now()
            if (free := await self._free_at(conn, phone, now)) > now:
                raise LimitReached.after((free - now).total_seconds())
            await self._send_code(conn, row.id, phone, now)
            row = await self._find(conn, token)
            return None if row is None else await self._check(conn, row)

    async def prove(self, token: str, code: str) -> Proven | WrongCode | None:
        """Try a code; None when there is no such check (any more). A proven one is used up."""
        now = self._now()
        async with self._database.writing() as conn:
            # Counted and committed before the code is looked at, so that many tries at once do not get in on one.
            counted = await conn.execute(
                phone_checks.update()
                .where(
                    phone_checks.c.token_hash == token_hash(token),
                    phone_checks.c.used_at.is_(None),
                    phone_checks.c.expires_at > now,
                    phone_checks.c.code_expires_at > now,
                    phone_checks.c.code_hash.is_not(None),
                    phone_checks.c.tries < TRIES,
                )
                .values(tries=phone_checks.c.tries + 1)
            )
        async with self._database.writing() as conn:
            row = await self._find(conn, token)
            if row is None:
                return None
            typed = "".join(character for character in code if not character.isspace())
            fits = any(hmac.compare_digest(each, bytes(row.code_hash or b"")) for each in self._hashes(row.id, typed))
            if counted.rowcount != 1 or not fits:
                return WrongCode(await self._check(conn, row))
            used = await self.end(conn, phone_checks.c.id == row.id, now)
            if used != 1:
                return None
        return Proven(row.purpose, row.account_id, row.link_id, row.password_hash, row.notice_version, row.language)

    async def send(self, message: str, attempt: int) -> Again | None:
        """The handler of the job that sends one code."""
        async with self._database.reading() as conn:
            found = sa.select(sms, phone_checks.c.phone, phone_checks.c.language, phone_checks.c.used_at)
            found = found.join(phone_checks, phone_checks.c.id == sms.c.check_id).where(sms.c.id == message)
            row = (await conn.execute(found.where(sms.c.state == "queued"))).one_or_none()
        if row is None:
            return None
        if self._gateway is None or row.code is None or row.phone is None or row.used_at is not None:
            await self._close(message, state="failed", reason="obsolete")
            return None
        if row.expires_at <= self._now():
            log.error("sms.failed", sms=message, reason="expired")
            await self._close(message, state="failed", reason="expired")
            return None
        phone = self._vault.open("phone_checks", "phone", row.check_id, row.phone)
        code = self._vault.open("sms", "code", message, row.code)
        try:
            await self._gateway.send(
                message=message, to=phone, text=text(row.language, "sms.code", code=code, minutes=5, host=self._host)
            )
        except SmsNotNow as error:
            log.warning("sms.deferred", sms=message, attempt=attempt, why=error.why)
            return Again(pick(_BACKOFF, attempt))
        except SmsRefused as error:
            log.error("sms.failed", sms=message, reason=f"refused {error.code}")
            await self._close(message, state="failed", reason=f"refused {error.code}")
            return None
        await self._close(message, state="accepted", accepted_at=self._now())
        return None

    async def _free_at(self, conn: AsyncConnection, phone: str, now: datetime) -> datetime:
        """When the next message may go to this phone, not before `now`; nobody else sends it one until this transaction ends."""
        indexes = self._vault.indexes("phone", phone)
        await self._database.lock(conn, *sorted(f"phone:{each.hex()}" for each in indexes))
        return await free_within(conn, sms.c.queued_at, sms.c.phone_index.in_(indexes), PHONE, now)

    async def _send_code(self, conn: AsyncConnection, check: str, phone: str, now: datetime) -> None:
        message, code = new_id(), f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        await conn.execute(
            phone_checks.update()
            .where(phone_checks.c.id == check)
            .values(code_hash=self._hashes(check, code)[0], code_expires_at=now + CODE_LIFE, tries=0)
        )
        await conn.execute(
            sms.insert().values(
                id=message,
                check_id=check,
                phone_index=self._vault.index("phone", phone),
                code=self._vault.seal("sms", "code", message, code),
                state="queued",
                queued_at=now,
                expires_at=now + CODE_LIFE,
            )
        )
        await self._jobs.enqueue(conn, SEND_SMS, message)

    def _hashes(self, check: str, code: str) -> tuple[bytes, ...]:
        # Keyed, because a million codes are soon tried against a plain hash; and bound to its check.
        return self._vault.indexes("code", f"{check} {code}")

    def _phone(self, row: sa.Row[Any]) -> str:
        return self._vault.open("phone_checks", "phone", row.id, row.phone)

    @staticmethod
    async def end(conn: AsyncConnection, whose: sa.ColumnElement[bool], now: datetime) -> int:
        """End those of these checks that still wait for their code, and keep nothing of them; how many there were."""
        waiting = phone_checks.update().where(whose, phone_checks.c.used_at.is_(None))
        return (await conn.execute(waiting.values(used_at=now, phone=None, code_hash=None, password_hash=None))).rowcount

    async def _find(self, conn: AsyncConnection, token: str) -> sa.Row[Any] | None:
        return (
            await conn.execute(
                phone_checks.select().where(
                    phone_checks.c.token_hash == token_hash(token),
                    phone_checks.c.used_at.is_(None),
                    phone_checks.c.expires_at > self._now(),
                )
            )
        ).one_or_none()

    async def _check(self, conn: AsyncConnection, row: sa.Row[Any]) -> Check:
        now, phone = self._now(), self._phone(row)
        mine = sms.c.phone_index.in_(self._vault.indexes("phone", phone))
        return Check(
            purpose=row.purpose,
            phone_masked=mask_phone(phone),
            language=row.language,
            code_live=row.tries < TRIES and row.code_expires_at > now,
            tries_left=max(0, TRIES - row.tries),
            resend_at=await free_within(conn, sms.c.queued_at, mine, PHONE, row.created_at),
        )

    async def _close(self, message: str, **values: object) -> None:
        async with self._database.writing() as conn:
            await conn.execute(sms.update().where(sms.c.id == message, sms.c.state == "queued").values(code=None, **values))
