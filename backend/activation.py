"""The activation link: what its page may show, and the one POST that turns a registration into an account.

Lives here: looking (which changes nothing), activating, "Kirim Ulang" of the expired page, "Bukan saya", and the same with the code that
stands beside the link in the mail. Must not live here: HTML and forms (`pages/`). The NIK and the e-mail are reserved here and nowhere
before: two unique indexes decide between two people.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.audit import Audit
from backend.clock import Clock
from backend.database import Database
from backend.errors import Closed, LimitReached, NotFound
from backend.events import Events
from backend.hashing import Hasher
from backend.ids import new_id, token_hash, typed_code
from backend.links import TELEGRAM, Links, code_hashes
from backend.masking import mask_email, mask_name
from backend.passwords import PasswordRefused, broken_rules
from backend.phone_checks import Begun, PhoneChecks, Proven
from backend.registrations import Registrations
from backend.subjects import ERASED
from backend.tables import accounts, links, registrations
from backend.tries import Delay, Tries
from backend.vault import Vault

Language = Literal["id", "en"]
# A code has 40 bits, and at most three of a registration live, for a day. A secretary may have a whole board in one chat.
_REGISTRATION: Final = Delay(free=5, most=timedelta(minutes=15))
_CHAT: Final = Delay(free=20, most=timedelta(minutes=15))
_REGISTRATION_COLUMNS = [column for column in registrations.c if column.name not in ("id", "created_at")]


@dataclass(frozen=True, slots=True)
class LinkLive:
    """The link may be used. `password_context` is what the password must not contain; it stays on the server."""

    full_name_masked: str
    email_masked: str
    expires_at: datetime
    language: Language
    password_context: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LinkUsed:
    """The account behind it is active already."""


@dataclass(frozen=True, slots=True)
class LinkExpired:
    """Too old; a new one can be mailed to the same address from `resend_available_at` on (None: not any more)."""

    email_masked: str
    language: Language
    resend_available_at: datetime | None


@dataclass(frozen=True, slots=True)
class LinkUnknown:
    """Never issued, or void; which of the two is nobody's business."""


@dataclass(frozen=True, slots=True)
class Activated:
    """The account is active."""

    account_id: str
    language: Language


@dataclass(frozen=True, slots=True)
class PhoneNeeded:
    """The password is fine; a code sent to the registration's phone must come back first (`check`)."""

    check: Begun
    language: Language


@dataclass(frozen=True, slots=True)
class NotPossible:
    """The NIK or the e-mail belongs to an active account already."""

    language: Language


@dataclass(frozen=True, slots=True)
class Code:
    """What somebody typed as the code of a registration's mail, on the page of the chat in which it was made."""

    registration: str
    chat: str
    typed: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class WrongCode:
    """No live link of this registration has this code: mistyped, void, used or too old; which of them is nobody's business."""


class _Taken(Exception):
    """Somebody has an account with this NIK or e-mail."""


class _NotLive(Exception):
    """The link was used, ended or became void while the password was being hashed."""


class Activation:
    def __init__(
        self,
        database: Database,
        vault: Vault,
        registrations_: Registrations,
        events: Events,
        checks: PhoneChecks,
        hasher: Hasher,
        audit: Audit,
        clock: Clock,
        *,
        asks_phone: bool,
    ) -> None:
        self._checks = checks
        self._asks_phone = asks_phone
        self._database = database
        self._vault = vault
        self._registrations = registrations_
        self._events = events
        self._hasher = hasher
        self._audit = audit
        self._tries = Tries(database, clock)
        self._now = clock

    async def look(self, token: str) -> LinkLive | LinkUsed | LinkExpired | LinkUnknown:
        """What this link is now. Changes nothing, however often and by whomever it is asked."""
        return await self._look(_of(token))

    async def activate(
        self, token: str, password: str, *, notice_version: str, ip: str
    ) -> Activated | PhoneNeeded | LinkUsed | LinkExpired | LinkUnknown | NotPossible:
        """Set the password and make the account; no session is opened. Raises PasswordRefused (nothing is touched), Busy.

        `notice_version` is the privacy notice that the person saw on the page; `ip`, theirs, is kept as a keyed hash in the audit.
        """
        return await self._use(_of(token), password, notice_version, ip)

    async def try_code(self, code: Code) -> LinkLive | WrongCode:
        """What the link is that this code stands for. Raises NotFound (no registration of this chat), Later (tried too often)."""
        async with self._database.reading() as conn:
            own = sa.select(registrations.c.id).where(registrations.c.id == code.registration, _of_chat(code.chat))
            if (await conn.execute(own)).first() is None:
                raise NotFound
        delays = {
            self._vault.index("throttle", f"code {code.registration}"): _REGISTRATION,
            self._vault.index("throttle", f"codes {code.chat}"): _CHAT,
        }
        if (wait := await self._tries.count(delays)) is not None:
            raise wait
        found = await self._look(self._coded(code))
        if not isinstance(found, LinkLive):
            return WrongCode()
        await self._tries.succeeded(delays)
        return found

    async def activate_with_code(
        self, code: Code, password: str, *, notice_version: str, ip: str
    ) -> Activated | PhoneNeeded | LinkUsed | LinkExpired | LinkUnknown | NotPossible | WrongCode:
        """Do what `activate` does with the link that this code stands for. Raises what that and `try_code` raise."""
        found = await self.try_code(code)
        return found if isinstance(found, WrongCode) else await self._use(self._coded(code), password, notice_version, ip)

    def _coded(self, code: Code) -> sa.ColumnElement[bool]:
        hashes = code_hashes(self._vault, code.registration, typed_code(code.typed))
        return sa.and_(links.c.registration_id == code.registration, links.c.code_hash.in_(hashes), _of_chat(code.chat))

    async def _look(self, link: sa.ColumnElement[bool]) -> LinkLive | LinkUsed | LinkExpired | LinkUnknown:
        async with self._database.reading() as conn:
            return await self._judge(conn, await self._find(conn, link))

    async def _use(
        self, link: sa.ColumnElement[bool], password: str, notice_version: str, ip: str
    ) -> Activated | PhoneNeeded | LinkUsed | LinkExpired | LinkUnknown | NotPossible:
        async with self._hasher.slot():
            # Looked at here: of many who waited for a slot with the same link only one must pay for judging and hashing.
            found = await self._look(link)
            if not isinstance(found, LinkLive):
                return found
            if broken := await asyncio.to_thread(broken_rules, password, password, found.password_context):
                raise PasswordRefused(broken)
            hashed = await self._hasher.hash(password)
        if self._asks_phone:
            async with self._database.writing() as conn:
                row = await self._find(conn, link)
                if row is None or not isinstance(await self._judge(conn, row), LinkLive):
                    return LinkUnknown()
                check = await self._checks.begin(
                    conn,
                    "activation",
                    phone=self._open(row, "phone"),
                    language=found.language,
                    link_id=row.id,
                    password_hash=hashed,
                    notice_version=notice_version,
                )
            return PhoneNeeded(check, found.language)
        outcome = await self._finish(link, hashed, notice_version, ip, found.language)
        return await self._look_again(link) if outcome is None else outcome

    async def phone_proven(self, proven: Proven, *, ip: str) -> Activated | NotPossible | LinkUnknown:
        """The code came back: make the account with what the link's page was told before."""
        if proven.link_id is None or proven.password_hash is None or proven.notice_version is None:
            return LinkUnknown()
        link = links.c.id == proven.link_id
        outcome = await self._finish(
            link, proven.password_hash, proven.notice_version, ip, proven.language, phone_verified=True
        )
        return LinkUnknown() if outcome is None else outcome

    async def _finish(
        self,
        link: sa.ColumnElement[bool],
        hashed: str,
        notice_version: str,
        ip: str,
        language: Language,
        *,
        phone_verified: bool = False,
    ) -> Activated | NotPossible | None:
        """Make the account; None when the link is not live any more."""
        try:
            async with self._database.writing() as conn:
                return Activated(await self._activate(conn, link, hashed, notice_version, ip, phone_verified), language)
        except _NotLive:
            return None
        except (_Taken, IntegrityError):
            return NotPossible(language)

    async def _look_again(self, link: sa.ColumnElement[bool]) -> LinkUsed | LinkExpired | LinkUnknown:
        found = await self._look(link)
        return LinkUnknown() if isinstance(found, LinkLive) else found

    async def _activate(
        self,
        conn: AsyncConnection,
        link: sa.ColumnElement[bool],
        hashed: str,
        notice_version: str,
        ip: str,
        phone_verified: bool,  # noqa: FBT001
    ) -> str:
        row = await self._find(conn, link)
        if row is None:
            raise _NotLive
        await self._database.lock(conn, f"registration:{row.registration_id}")
        row = await self._find(conn, link)  # as it is under the lock
        if not isinstance(await self._judge(conn, row), LinkLive) or row is None:
            raise _NotLive
        niks, emails = (self._vault.indexes(of, self._open(row, of)) for of in ("nik", "email"))
        # While an index key is rotated two people's look-ups may differ though they are the same: then no unique index decides.
        await self._database.lock(conn, *sorted(f"account:{each.hex()}" for each in (*niks, *emails)))
        taken = sa.or_(accounts.c.nik_index.in_(niks), accounts.c.email_index.in_(emails))
        if (await conn.execute(sa.select(accounts.c.id).where(taken))).first() is not None:
            raise _Taken
        now, account, registration = self._now(), new_id(), row.registration_id
        # First the indexes decide between two people, then links are touched: the loser waits without holding what the winner voids.
        await conn.execute(
            accounts.insert().values(
                id=account,
                registration_id=registration,
                kind=row.kind,
                language=row.language,
                password_hash=hashed,
                notice_version=notice_version,
                activated_at=now,
                phone_verified_at=now if phone_verified else None,
                nik_index=niks[0],
                phone_index=self._vault.index("phone", self._open(row, "phone")),
                email_index=emails[0],
                **{
                    column: self._vault.seal("accounts", column, account, self._open(row, column))
                    for column in ("full_name", "nik", "phone", "email")
                },
            )
        )
        consumed = await conn.execute(
            links.update()
            .where(links.c.id == row.id, links.c.used_at.is_(None), links.c.void_at.is_(None), links.c.expires_at > now)
            .values(used_at=now)
        )
        if consumed.rowcount != 1:
            raise _NotLive
        # The account holds the data from here on; the registration keeps the address alone, which its channel may see masked.
        kept = {"email", "email_index"}
        await conn.execute(
            registrations.update()
            .where(registrations.c.id == registration)
            .values(status="active", closed_at=now, **{column: None for column in ERASED if column not in kept})
        )
        await Links.void_all(conn, links.c.registration_id == registration, now)
        rivals = sa.select(registrations.c.id).where(
            registrations.c.id != registration,
            registrations.c.status.in_(("pending", "expired")),
            sa.or_(registrations.c.nik_index.in_(niks), registrations.c.email_index.in_(emails)),
        )
        await Links.void_all(conn, links.c.registration_id.in_(rivals), now)
        await self._events.happened(conn, registration, "registration.activated", "active", now)
        facts = {
            "account": account,
            "notice": notice_version,
            "origin": self._vault.index("throttle", f"address {ip}").hex()[-16:],
        }
        await self._audit.record(conn, now, "person", "registration.activated", registration, **facts)
        return account

    async def resend_expired(self, token: str) -> LinkExpired | LinkUnknown | LimitReached:
        """Do "Kirim Ulang" on the page of an expired link: a new mail, to the same address only."""
        async with self._database.writing() as conn:
            row = await self._find(conn, _of(token))
            found = await self._judge(conn, row)
            if row is None or not isinstance(found, LinkExpired):
                return LinkUnknown()
            now = self._now()
            try:
                await self._registrations.mail_again(conn, row.registration_id, now)
            except Closed:
                return LinkUnknown()
            except LimitReached as limit:
                return limit
            await self._audit.record(conn, now, "person", "registration.resent", row.registration_id)
            resend = await self._registrations.resend_at(conn, row.registration_id)
            return LinkExpired(found.email_masked, found.language, resend)

    async def disown(self, token: str) -> bool:
        """Do "Bukan saya": end the registration, leave the address in peace, tell the chat. False when the link cannot do that any more."""
        return await self._disown(_of(token))

    async def disown_with_code(self, code: Code) -> bool:
        """Do the same with the code. Raises what `try_code` raises."""
        return isinstance(await self.try_code(code), LinkLive) and await self._disown(self._coded(code))

    async def _disown(self, link: sa.ColumnElement[bool]) -> bool:
        async with self._database.writing() as conn:
            row = await self._find(conn, link)
            if row is None:
                return False
            same = await self._registrations.same_address(conn, self._open(row, "email")) if row.email else []
            await self._database.lock(conn, *(f"registration:{one}" for one in sorted({*same, row.registration_id})))
            row = await self._find(conn, link)
            if row is None or not isinstance(await self._judge(conn, row), LinkLive | LinkExpired):
                return False
            await self._registrations.disown(conn, row.registration_id, self._now())
            return True

    async def _find(self, conn: AsyncConnection, link: sa.ColumnElement[bool]) -> sa.Row[Any] | None:
        return (
            await conn.execute(
                sa.select(links, *_REGISTRATION_COLUMNS)
                .join(registrations, registrations.c.id == links.c.registration_id)
                .where(link)
            )
        ).one_or_none()

    async def _judge(self, conn: AsyncConnection, row: sa.Row[Any] | None) -> LinkLive | LinkUsed | LinkExpired | LinkUnknown:
        if row is None:
            return LinkUnknown()
        # A sister of the link that was used ended with it: whoever opens it is told that all is well, as long as there is the account.
        if row.status == "active" and (row.used_at is not None or row.void_at == row.closed_at):
            return LinkUsed()
        if row.used_at is not None or row.void_at is not None:
            return LinkUnknown()
        if row.status not in ("pending", "expired") or row.erased_at is not None:
            return LinkUnknown()
        email = self._open(row, "email")
        if row.expires_at <= self._now():
            resend = await self._registrations.resend_at(conn, row.registration_id)
            return LinkExpired(mask_email(email), row.language, resend)
        name, nik, phone = (self._open(row, column) for column in ("full_name", "nik", "phone"))
        context = (*name.split(), email, email.partition("@")[0], nik, phone, f"0{phone[3:]}")
        return LinkLive(mask_name(name), mask_email(email), row.expires_at, row.language, context)

    def _open(self, row: sa.Row[Any], column: str) -> str:
        return self._vault.open("registrations", column, row.registration_id, getattr(row, column))


def _of(token: str) -> sa.ColumnElement[bool]:
    return links.c.token_hash == token_hash(token)


def _of_chat(chat: str) -> sa.ColumnElement[bool]:
    return sa.and_(registrations.c.channel == TELEGRAM, registrations.c.reference == chat)
