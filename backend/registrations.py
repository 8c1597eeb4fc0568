"""Registrations as their channel sees them: take one, tell its state, mail again, move to another address, give notice, withdraw,
expire, erase.

Lives here: the rules of a registration until it is active. Must not live here: HTTP (`api/`), the activation page (`activation.py`).
Nothing here asks whether the e-mail or NIK already has an account: that is decided where the mail is written (`mail/sending.py`), so
that the answer, its time and its limits are the same for everybody.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.audit import Audit
from backend.budgets import Operator, free_at, mailbox
from backend.clock import Clock
from backend.config import BackendConfig
from backend.database import Database
from backend.errors import Closed, KeyReused, LimitReached, NotFound
from backend.events import Events, Status
from backend.ids import new_id
from backend.jobs import Again
from backend.links import NOTICES, Links, newest_expiry
from backend.masking import mask_email
from backend.subjects import end
from backend.tables import idempotency, links, mails, registrations, suppressions
from backend.vault import Vault


@dataclass(frozen=True, slots=True)
class NewRegistration:
    """A complete registration; `phone` is E.164, `reference` means something to the channel only."""

    kind: str
    full_name: str
    nik: str
    phone: str
    email: str
    language: Literal["id", "en"]
    channel: str
    reference: str
    notice_version: str
    consent_at: datetime


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls the API (the id of its key, never the key), with which Idempotency-Key, and which channels it sees (none named: all)."""

    api_key: str
    key: str
    channels: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RegistrationView:
    """A registration as its channel may see it. `resend_available_at` is None when nothing will be mailed any more."""

    id: str
    status: Status
    email_masked: str
    created_at: datetime
    mail_state: Literal["queued", "accepted", "failed"]
    mail_queued_at: datetime
    mail_accepted_at: datetime | None
    link_expires_at: datetime | None
    resend_available_at: datetime | None


class Registrations:
    def __init__(
        self, config: BackendConfig, database: Database, vault: Vault, links_: Links, events: Events, audit: Audit, clock: Clock
    ) -> None:
        self._config = config
        self._database = database
        self._vault = vault
        self._links = links_
        self._events = events
        self._audit = audit
        self._operator = Operator(config.mails_an_hour)
        self._now = clock

    def now(self) -> datetime:
        """The moment by the backend's clock (UTC)."""
        return self._now()

    async def create(self, new: NewRegistration, caller: Caller) -> RegistrationView:
        """Take it and mail its link. Raises KeyReused, LimitReached."""
        body = json.dumps([getattr(new, field) for field in new.__slots__], default=datetime.isoformat)
        async with self._database.writing() as conn:
            fingerprint = self._fingerprint("create", body)
            if (known := await self._said_before(conn, caller, fingerprint)) is not None:
                return await self.view(conn, known)
            now = self._now()
            recipient = self._recipient(new.email)
            await self._spend(conn, None, recipient, new.reference, now)
            registration = new_id()
            await conn.execute(
                registrations.insert().values(
                    id=registration,
                    status="pending",
                    kind=new.kind,
                    language=new.language,
                    channel=new.channel,
                    reference=new.reference,
                    full_name=self._vault.seal("registrations", "full_name", registration, new.full_name),
                    nik=self._vault.seal("registrations", "nik", registration, new.nik),
                    nik_index=self._vault.index("nik", new.nik),
                    phone=self._vault.seal("registrations", "phone", registration, new.phone),
                    phone_index=self._vault.index("phone", new.phone),
                    email=self._vault.seal("registrations", "email", registration, new.email),
                    email_index=self._vault.index("email", new.email),
                    notice_version=new.notice_version,
                    consent_at=new.consent_at,
                    created_at=now,
                )
            )
            await self._links.issue(conn, registration, new.channel, recipient[0], now)
            await self._remember(conn, caller, fingerprint, registration, now)
            await self._audit.record(
                conn, now, f"api:{caller.api_key}", "registration.created", registration, channel=new.channel
            )
            return await self.view(conn, registration)

    async def status(self, registration: str, channels: frozenset[str] = frozenset()) -> RegistrationView:
        """Raises NotFound, also for what is none of these channels' (none named: all)."""
        async with self._database.reading() as conn:
            await self._seen(conn, registration, channels)
            return await self.view(conn, registration)

    async def page(
        self, channels: frozenset[str], *, status: Status | None, channel: str | None, after: str | None, limit: int
    ) -> tuple[list[RegistrationView], str | None]:
        """Registrations of these channels (none named: all), the newest first, and what to ask after for the next page."""
        table = registrations.c
        wanted = sa.select(table.id).order_by(table.created_at.desc(), table.id.desc()).limit(limit + 1)
        if channels:
            wanted = wanted.where(table.channel.in_(channels))
        if channel is not None:
            wanted = wanted.where(table.channel == channel)
        if status is not None:
            wanted = wanted.where(table.status == status)
        async with self._database.reading() as conn:
            if after is not None:
                await self._seen(conn, after, channels)
                last = await self._row(conn, after)
                wanted = wanted.where(
                    sa.or_(table.created_at < last.created_at, sa.and_(table.created_at == last.created_at, table.id < last.id))
                )
            found = list(await conn.scalars(wanted))
            views = [await self.view(conn, one) for one in found[:limit]]
        return views, found[limit - 1] if len(found) > limit else None

    async def _seen(self, conn: AsyncConnection, registration: str, channels: frozenset[str]) -> None:
        if channels and (await self._row(conn, registration)).channel not in channels:
            raise NotFound

    async def resend(self, registration: str, caller: Caller) -> RegistrationView:
        """Mail a new link to the same address. Raises NotFound, Closed, KeyReused, LimitReached."""
        async with self._database.writing() as conn:
            await self._seen(conn, registration, caller.channels)
            fingerprint = self._fingerprint("resend", registration)
            if await self._said_before(conn, caller, fingerprint) is None:
                now = self._now()
                await self.mail_again(conn, registration, now)
                await self._remember(conn, caller, fingerprint, registration, now)
                await self._audit.record(conn, now, f"api:{caller.api_key}", "registration.resent", registration)
            return await self.view(conn, registration)

    async def mail_again(self, conn: AsyncConnection, registration: str, now: datetime) -> None:
        """A new link to the same address; also the way of an expired registration back. Raises NotFound, Closed, LimitReached."""
        row = await self._open(conn, registration)
        recipient = self._recipient_of(row)
        await self._spend(conn, registration, recipient, row.reference, now)
        await conn.execute(registrations.update().where(registrations.c.id == registration).values(status="pending"))
        await self._links.issue(conn, registration, row.channel, recipient[0], now)

    async def change_email(self, registration: str, email: str, caller: Caller) -> RegistrationView:
        """Void all links and mail a new one to another address, at once. Raises NotFound, Closed, KeyReused, LimitReached."""
        async with self._database.writing() as conn:
            await self._seen(conn, registration, caller.channels)
            fingerprint = self._fingerprint("email", f"{registration} {email}")
            if await self._said_before(conn, caller, fingerprint) is None:
                now = self._now()
                recipient = self._recipient(email)
                row = await self._open(conn, registration)
                await self._spend(conn, registration, recipient, row.reference, now, cooldown=False)
                await self._links.void_all(conn, links.c.registration_id == registration, now)
                await conn.execute(
                    registrations.update()
                    .where(registrations.c.id == registration)
                    .values(
                        status="pending",
                        email=self._vault.seal("registrations", "email", registration, email),
                        email_index=self._vault.index("email", email),
                    )
                )
                await self._links.issue(conn, registration, row.channel, recipient[0], now)
                await self._remember(conn, caller, fingerprint, registration, now)
                await self._audit.record(conn, now, f"api:{caller.api_key}", "registration.email_changed", registration)
            return await self.view(conn, registration)

    async def notify(
        self, registration: str, kind: Literal["active", "expired", "withdrawn"], caller: Caller
    ) -> RegistrationView:
        """Mail what became of it. Raises NotFound, Closed (it is not, or no longer, what `kind` says), KeyReused, LimitReached."""
        async with self._database.writing() as conn:
            await self._seen(conn, registration, caller.channels)
            fingerprint = self._fingerprint("notice", f"{registration} {kind}")
            if await self._said_before(conn, caller, fingerprint) is None:
                await self._database.lock(conn, _lock(registration))
                row, now = await self._row(conn, registration), self._now()
                if row.status != kind:
                    raise Closed
                # A withdrawn registration has no address left: it was erased, and mostly because it was somebody else's.
                if kind != "withdrawn" and row.email is not None:
                    recipient = self._recipient_of(row)
                    await self._spend(conn, registration, recipient, row.reference, now)
                    await self._links.notice(conn, registration, kind, recipient[0], now)
                await self._remember(conn, caller, fingerprint, registration, now)
                await self._audit.record(conn, now, f"api:{caller.api_key}", "registration.notice", registration, kind=kind)
            return await self.view(conn, registration)

    async def tell_by_mail(self, conn: AsyncConnection, registration: str, kind: str) -> None:
        """Mail what the channel could not be told. Nothing where that is no longer so, nobody is there to write to, or no mail says it."""
        row, now = await self._row(conn, registration), self._now()
        notice = next((each for each in NOTICES if each == kind == row.status), None)
        if notice is not None and row.email is not None:
            await self._links.notice(conn, registration, notice, self._recipient_of(row)[0], now)
            await self._audit.record(conn, now, "system", "registration.notice", registration, kind=kind)

    async def withdraw(self, registration: str, api_key: str, channels: frozenset[str] = frozenset()) -> None:
        """Void the links and erase the data; the caller knows, so no event tells it. Raises NotFound, Closed (active)."""
        async with self._database.writing() as conn:
            await self._seen(conn, registration, channels)
            await self._database.lock(conn, _lock(registration))
            row = await self._row(conn, registration)
            if row.status == "active":
                raise Closed
            if row.status != "withdrawn":
                now = self._now()
                await end(conn, registration, "withdrawn", now)
                await self._audit.record(conn, now, f"api:{api_key}", "registration.withdrawn", registration)

    async def disown(self, conn: AsyncConnection, registration: str, now: datetime) -> None:
        """Do what "Bukan saya" asks: every open registration with this address ends, it is left in peace, and the chats are told.

        The caller holds the locks of `same_address`.
        """
        row = await self._row(conn, registration)
        recipient = self._recipient_of(row)
        await self._database.lock(conn, *_locks(recipient))
        until = now + self._config.timings.suppress_for
        await conn.execute(suppressions.delete().where(suppressions.c.email_index.in_(recipient)))
        await conn.execute(suppressions.insert().values(email_index=recipient[0], since=now, until=until))
        ended = await self.same_address(conn, self.email_of(registration, row.email))
        for one in ended:
            await end(conn, one, "withdrawn", now)
            await self._events.happened(conn, one, "registration.withdrawn", "withdrawn", now)
        for one in ended:
            await self._audit.record(conn, now, "person", "registration.disowned", one)

    async def same_address(self, conn: AsyncConnection, email: str) -> list[str]:
        """The open registrations with this address, in the order in which their locks are taken."""
        whose = registrations.c.email_index.in_(self._vault.indexes("email", email))
        same = sa.and_(whose, registrations.c.status.in_(("pending", "expired")))
        return list(await conn.scalars(sa.select(registrations.c.id).where(same).order_by(registrations.c.id)))

    async def expire(self, link: str, _attempt: int) -> Again | None:
        """The timer of a link: when it was the last one, the registration is expired and the chat is told."""
        async with self._database.writing() as conn:
            registration, row = await self._of_link(conn, link)
            now = self._now()
            expiry = await newest_expiry(conn, registration)
            if row.status != "pending" or expiry is None:
                return None
            if expiry > now:
                # Another link took over and has its own timer; this one is asked again only if it was merely early.
                return Again((expiry - now).total_seconds()) if await self._is_newest(conn, link, registration) else None
            await conn.execute(registrations.update().where(registrations.c.id == registration).values(status="expired"))
            await self._events.happened(conn, registration, "registration.expired", "expired", now)
            await self._audit.record(conn, now, "system", "registration.expired", registration)
        return None

    async def purge(self, link: str, _attempt: int) -> Again | None:
        """The last timer of a link: a registration that nobody activated is erased."""
        async with self._database.writing() as conn:
            registration, row = await self._of_link(conn, link)
            now = self._now()
            expiry = await newest_expiry(conn, registration)
            if row.status not in ("pending", "expired") or row.erased_at is not None or expiry is None:
                return None
            due = expiry + self._config.timings.purge_after
            if due > now:
                return Again((due - now).total_seconds()) if await self._is_newest(conn, link, registration) else None
            await end(conn, registration, "expired", now)
            await self._audit.record(conn, now, "system", "registration.purged", registration)
        return None

    async def resend_at(self, conn: AsyncConnection, registration: str) -> datetime | None:
        """When the next mail may go to the same address; None when there is nothing left to mail."""
        row = await self._row(conn, registration)
        if row.email is None or row.status not in ("pending", "expired"):
            return None
        free = await free_at(
            conn, registration=registration, recipient=self._recipient_of(row), cooldown=self._cooldown, now=row.created_at
        )
        return free.at

    @property
    def _cooldown(self) -> timedelta:
        return timedelta(seconds=self._config.resend_cooldown_seconds)

    async def _spend(
        self,
        conn: AsyncConnection,
        registration: str | None,
        recipient: tuple[bytes, ...],
        chat: str,
        now: datetime,
        *,
        cooldown: bool = True,
    ) -> None:
        await self._database.lock(conn, *_locks(recipient), *([f"chat:{chat}"] if chat else []))
        wait = self._cooldown if cooldown else timedelta(0)
        free = await free_at(conn, registration=registration, recipient=recipient, cooldown=wait, now=now, chat=chat)
        free = await self._operator.free_at(conn, free, now)
        if free.limit is not None:
            raise LimitReached.of(free.limit, (free.at - now).total_seconds())

    def _recipient(self, email: str) -> tuple[bytes, ...]:
        return self._vault.indexes("email", mailbox(email))

    def _recipient_of(self, row: sa.Row[Any]) -> tuple[bytes, ...]:
        return self._recipient(self.email_of(row.id, row.email))

    async def _row(self, conn: AsyncConnection, registration: str) -> sa.Row[Any]:
        row = (await conn.execute(registrations.select().where(registrations.c.id == registration))).one_or_none()
        if row is None:
            raise NotFound
        return row

    async def _open(self, conn: AsyncConnection, registration: str) -> sa.Row[Any]:
        await self._database.lock(conn, _lock(registration))
        row = await self._row(conn, registration)
        if row.status not in ("pending", "expired") or row.erased_at is not None:
            raise Closed
        return row

    async def _of_link(self, conn: AsyncConnection, link: str) -> tuple[str, sa.Row[Any]]:
        registration: str = (await conn.execute(sa.select(links.c.registration_id).where(links.c.id == link))).scalar_one()
        await self._database.lock(conn, _lock(registration))
        return registration, await self._row(conn, registration)

    async def _is_newest(self, conn: AsyncConnection, link: str, registration: str) -> bool:
        newest = sa.select(links.c.id).where(links.c.registration_id == registration)
        return await conn.scalar(newest.order_by(links.c.expires_at.desc(), links.c.id).limit(1)) == link

    def _fingerprint(self, what: str, body: str) -> tuple[bytes, ...]:
        # Keyed: a plain hash of a body would let whoever reads the table test guesses of its personal data.
        return self._vault.indexes("idempotency", f"{what} {body}")

    async def _said_before(self, conn: AsyncConnection, caller: Caller, fingerprint: tuple[bytes, ...]) -> str | None:
        await self._database.lock(conn, f"idempotency:{caller.api_key}:{caller.key}")
        known = (
            await conn.execute(
                sa.select(idempotency.c.registration_id, idempotency.c.fingerprint).where(
                    idempotency.c.api_key == caller.api_key, idempotency.c.key == caller.key
                )
            )
        ).one_or_none()
        if known is None:
            return None
        if bytes(known.fingerprint) not in fingerprint:
            raise KeyReused
        found: str = known.registration_id
        return found

    @staticmethod
    async def _remember(
        conn: AsyncConnection, caller: Caller, fingerprint: tuple[bytes, ...], registration: str, now: datetime
    ) -> None:
        await conn.execute(
            idempotency.insert().values(
                api_key=caller.api_key,
                key=caller.key,
                fingerprint=fingerprint[0],
                registration_id=registration,
                created_at=now,
            )
        )

    async def view(self, conn: AsyncConnection, registration: str) -> RegistrationView:
        """As it stands in this transaction. Raises NotFound."""
        row = await self._row(conn, registration)
        mail = (
            await conn.execute(
                sa.select(mails.c.state, mails.c.queued_at, mails.c.accepted_at)
                .where(
                    mails.c.registration_id == registration,
                    sa.or_(mails.c.kind.is_(None), mails.c.kind.not_in(NOTICES.values())),
                )
                .order_by(mails.c.queued_at.desc(), mails.c.id)
                .limit(1)
            )
        ).one()
        return RegistrationView(
            id=registration,
            status=row.status,
            email_masked="" if row.email is None else mask_email(self.email_of(registration, row.email)),
            created_at=row.created_at,
            mail_state=mail.state,
            mail_queued_at=mail.queued_at,
            mail_accepted_at=mail.accepted_at,
            link_expires_at=await newest_expiry(conn, registration) if row.status in ("pending", "expired") else None,
            resend_available_at=await self.resend_at(conn, registration),
        )

    def email_of(self, registration: str, sealed: bytes) -> str:
        return self._vault.open("registrations", "email", registration, sealed)


def _lock(registration: str) -> str:
    return f"registration:{registration}"


def _locks(recipient: tuple[bytes, ...]) -> list[str]:
    return sorted(f"recipient:{each.hex()}" for each in recipient)
