"""The rights of the person whom data is about (UU 27/2022 art. 7-9, 30-46): a copy, the end, and who was affected by an incident.

Lives here: finding, copying and erasing everything that is held of somebody. Must not live here: who may ask (`akses/records_cli.py` for
operators, `pages/` for the person). Every use leaves a line in the audit that names records, never the person.
"""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from typing import Any, Final, Literal, Protocol

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.account_mail import AccountMails
from backend.audit import Audit
from backend.budgets import mailbox
from backend.clock import Clock
from backend.database import Database
from backend.events import Events
from backend.links import Links
from backend.tables import (
    account_sessions,
    accounts,
    audit,
    events,
    links,
    mails,
    metadata,
    phone_checks,
    registrations,
    suppressions,
)
from backend.vault import Vault

By = Literal["nik", "email", "phone", "registration", "account"]
Actor = Literal["operator", "person"]
FIELDS: Final = ("full_name", "nik", "phone", "email")
ERASED: Final = dict.fromkeys(("full_name", "nik", "nik_index", "phone", "phone_index", "email", "email_index"))
"""What is written over a registration's personal data."""
_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Subject:
    """What is held of one person: ids of accounts, of registrations (those of the accounts among them) and of talks (`Talks`)."""

    accounts: tuple[str, ...]
    registrations: tuple[str, ...]
    talks: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.accounts or self.registrations or self.talks)


@dataclass(frozen=True, slots=True)
class Erased:
    """How much was erased. What was erased before is not counted again."""

    accounts: int
    registrations: int
    talks: int = 0


class Talks(Protocol):
    """What people said to the operator's own, kept in this database by another part, which the composition root hands in."""

    async def of(self, conn: AsyncConnection, chats: Collection[str], values: Collection[str]) -> tuple[str, ...]:
        """Ids of the talks in these chats, and of those whose person is known by one of these values (NIK, phone, e-mail)."""

    async def copy(self, conn: AsyncConnection, talk: str, *, texts: bool) -> dict[str, Any]:
        """Values that JSON can carry; without `texts` only when and how."""

    async def affected(
        self, conn: AsyncConnection, since: datetime, until: datetime, *, contacts: bool, after: str, limit: int
    ) -> Sequence[dict[str, Any]]:
        """Talks of which something was held between these times, by their `id` from the one behind `after` on, at most so many; values
        that JSON can carry, with `contacts` also the chat.
        """

    async def erase(self, conn: AsyncConnection, talk: str) -> bool:
        """Erase what was said, and whose it was; whether there was anything."""


async def end(conn: AsyncConnection, registration: str, status: str, now: datetime) -> None:
    """Void every link of a registration, stop its mails and erase the personal data."""
    await Links.void_all(conn, links.c.registration_id == registration, now)
    await conn.execute(mails.update().where(mails.c.registration_id == registration).values(token=None))
    own = sa.select(links.c.id).where(links.c.registration_id == registration)
    await conn.execute(
        phone_checks.update()
        .where(phone_checks.c.link_id.in_(own), phone_checks.c.used_at.is_(None))
        .values(used_at=now, phone=None, code_hash=None, password_hash=None)
    )
    await conn.execute(
        registrations.update()
        .where(registrations.c.id == registration)
        .values(status=status, closed_at=now, erased_at=now, **ERASED)
    )


class Subjects:
    def __init__(
        self,
        database: Database,
        vault: Vault,
        events_: Events,
        mails_: AccountMails,
        audit_: Audit,
        clock: Clock,
        *,
        talks: Talks | None = None,
    ) -> None:
        self._database = database
        self._vault = vault
        self._events = events_
        self._mails = mails_
        self._audit = audit_
        self._now = clock
        self._talks = talks

    async def find(self, by: By, value: str) -> Subject:
        """Everybody's records with this NIK, e-mail, phone, or id. Records with one e-mail may have been entered by different people."""
        match by:
            case "registration" | "account":
                is_account, is_registration = accounts.c[_KEY[by]] == value, registrations.c.id == value
                if by == "account":
                    is_registration = registrations.c.id.in_(sa.select(accounts.c.registration_id).where(is_account))
            case _:
                indexes = self._vault.indexes(by, _written(by, value))
                is_account, is_registration = (table.c[f"{by}_index"].in_(indexes) for table in (accounts, registrations))
        values = {_written(by, value)} if by in ("nik", "email", "phone") else set[str]()
        async with self._database.reading() as conn:
            rows = (await conn.execute(accounts.select().where(is_account))).all()
            made = sa.or_(is_registration, registrations.c.id.in_([row.registration_id for row in rows]))
            own = (await conn.execute(registrations.select().where(made).order_by(registrations.c.created_at))).all()
            for table, found in ((accounts, rows), (registrations, own)):
                values |= {value for row in found for value in self._known_by(table, row)}
            chats = {row.reference for row in own if row.reference}
            talks = await self._talks.of(conn, chats, values) if self._talks else ()
        return Subject(tuple(row.id for row in rows), tuple(row.id for row in own), talks)

    async def export(self, subject: Subject, actor: Actor) -> dict[str, Any]:
        """Everything that is held, as values that JSON can carry: data in the clear, consents, mails, sessions, talks, what was done.

        A person gets of their talks when and how, not the words: several people may have spoken in one chat, and that this account's owner
        did is not proven. The operator, who can ask, gets all of it.
        """
        now, talks = self._now(), self._talks
        async with self._database.writing() as conn:
            found = {
                "made_at": _moment(now),
                "accounts": [await self._account(conn, one) for one in subject.accounts],
                "registrations": [await self._registration(conn, one) for one in subject.registrations],
                "talks": [await talks.copy(conn, one, texts=actor == "operator") for one in subject.talks] if talks else [],
            }
            for one in (*subject.accounts, *subject.registrations, *subject.talks):
                await self._audit.record(conn, now, actor, "subject.exported", one)
        return found

    async def erase(self, subject: Subject, actor: Actor) -> Erased:
        """Erase accounts with their sessions, whose owners are told by mail; registrations, whose chats are told when still open; talks."""
        now, erased, closed = self._now(), list[str](), list[str]()
        async with self._database.writing() as conn:
            await self._database.lock(conn, *(f"registration:{one}" for one in sorted(subject.registrations)))
            # With what was activated since they were found, as it is under the lock: no account outlives its registration.
            theirs = sa.or_(accounts.c.id.in_(subject.accounts), accounts.c.registration_id.in_(subject.registrations))
            for account in (await conn.execute(accounts.select().where(theirs))).all():
                await self._mails.write(conn, account, "account_deleted")
                await self._forget(conn, account.id)
                if (await conn.execute(accounts.delete().where(accounts.c.id == account.id))).rowcount:
                    erased.append(account.id)
            for registration in subject.registrations:
                row = (await conn.execute(registrations.select().where(registrations.c.id == registration))).one_or_none()
                if row is None or row.erased_at is not None:
                    continue
                await end(conn, registration, "withdrawn", now)
                # The chat of an active one knows already all that it needs: for it "active" is the last word.
                if row.status != "active":
                    await self._events.happened(conn, registration, "registration.withdrawn", "withdrawn", now)
                closed.append(registration)
            talks = self._talks
            silenced = [one for one in subject.talks if await talks.erase(conn, one)] if talks else []
            for one in silenced:
                await self._audit.record(conn, now, actor, "talk.erased", one)
            for one in erased:
                await self._audit.record(conn, now, actor, "account.erased", one)
            for one in closed:
                await self._audit.record(conn, now, actor, "registration.erased", one)
        return Erased(len(erased), len(closed), len(silenced))

    async def log_out(self, subject: Subject, actor: Actor) -> int:
        """End every session of these accounts; how many there were."""
        async with self._database.writing() as conn:
            mine = account_sessions.c.account_id.in_(subject.accounts)
            ended = (await conn.execute(account_sessions.delete().where(mine))).rowcount
            for one in subject.accounts:
                await self._audit.record(conn, self._now(), actor, "account.logged_out", one)
        return ended

    async def welcome(self, email: str) -> bool:
        """Let registration mail reach a mailbox whose owner had said "Bukan saya" and has changed their mind; whether they had."""
        whose = suppressions.c.email_index.in_(self._vault.indexes("email", mailbox(_written("email", email))))
        async with self._database.writing() as conn:
            lifted = (await conn.execute(suppressions.delete().where(whose))).rowcount > 0
            if lifted:
                await self._audit.record(conn, self._now(), "operator", "address.welcomed", "address")
        return lifted

    async def affected(self, since: datetime, until: datetime, *, contacts: bool) -> AsyncIterator[dict[str, Any]]:
        """Whose data was held between these times, and which of it, for the notice of art. 46; with `contacts` also how to reach them."""
        now = self._now()
        async with self._database.writing() as conn:
            window = {"since": f"{since:%Y-%m-%dT%H:%M:%SZ}", "until": f"{until:%Y-%m-%dT%H:%M:%SZ}"}
            await self._audit.record(conn, now, "operator", "incident.exported", "incident", **window, contacts=int(contacts))
        for table, begun in ((accounts, accounts.c.activated_at), (registrations, registrations.c.created_at)):
            held = [begun <= until]
            if table is registrations:
                erased = registrations.c.erased_at
                # The account speaks for an active one.
                held += [sa.or_(erased.is_(None), erased >= since), registrations.c.status != "active"]
            last = ""
            while True:
                wanted = table.select().where(*held, table.c.id > last).order_by(table.c.id).limit(_PAGE)
                async with self._database.reading() as conn:
                    rows = (await conn.execute(wanted)).all()
                if not rows:
                    break
                for row in rows:
                    last = row.id
                    yield self._line(table, row, contacts=contacts)
        talks, last = self._talks, ""
        while talks:
            async with self._database.reading() as conn:
                told = await talks.affected(conn, since, until, contacts=contacts, after=last, limit=_PAGE)
            if not told:
                break
            for one in told:
                last = one["id"]
                yield {"record": "talk", **one}

    def _line(self, table: sa.Table, row: sa.Row[Any], *, contacts: bool) -> dict[str, Any]:
        kept = self._opened(table, row)
        account = table is accounts
        return {
            "record": "account" if account else "registration",
            "id": row.id,
            # What was erased since was there when the window was open.
            "fields": [*FIELDS, *(["password_hash"] if account else [])],
            "held_since": _moment(row.activated_at if account else row.created_at),
            "erased_at": None if account else _moment(row.erased_at),
            "language": row.language,
            **({"full_name": kept["full_name"], "email": kept["email"], "phone": kept["phone"]} if contacts else {}),
        }

    @staticmethod
    async def _forget(conn: AsyncConnection, account: str) -> None:
        """Whatever belongs to an account goes before it."""
        for table in metadata.sorted_tables:
            for key in table.foreign_keys:
                if key.column.table is accounts:
                    await conn.execute(table.delete().where(key.parent == account))

    async def _account(self, conn: AsyncConnection, account: str) -> dict[str, Any]:
        row = (await conn.execute(accounts.select().where(accounts.c.id == account))).one()
        of_account = account_sessions.select().where(account_sessions.c.account_id == account)
        open_in = await conn.execute(of_account.order_by(account_sessions.c.created_at))
        return {
            "id": account,
            "data": self._opened(accounts, row),
            "kind": row.kind,
            "language": row.language,
            "activated_at": _moment(row.activated_at),
            "phone_verified_at": _moment(row.phone_verified_at),
            "consent": {
                "notice_version": row.notice_version,
                "given_at": _moment(row.activated_at),
                "by": "the person themselves",
            },
            "sessions": [
                {"device": one.device, "opened_at": _moment(one.created_at), "used_at": _moment(one.seen_at)} for one in open_in
            ],
            "done": await self._done(conn, account),
        }

    async def _registration(self, conn: AsyncConnection, registration: str) -> dict[str, Any]:
        row = (await conn.execute(registrations.select().where(registrations.c.id == registration))).one()
        sent = await conn.execute(mails.select().where(mails.c.registration_id == registration).order_by(mails.c.queued_at))
        told = await conn.execute(events.select().where(events.c.registration_id == registration).order_by(events.c.at))
        return {
            "id": registration,
            "status": row.status,
            "data": self._opened(registrations, row),
            "kind": row.kind,
            "language": row.language,
            "channel": row.channel,
            "reference": row.reference,
            "created_at": _moment(row.created_at),
            "closed_at": _moment(row.closed_at),
            "erased_at": _moment(row.erased_at),
            "consent": {
                "notice_version": row.notice_version,
                "given_at": _moment(row.consent_at),
                "by": "whoever asked in the chat",
            },
            "mails": [
                {
                    "kind": mail.kind,
                    "state": mail.state,
                    "queued_at": _moment(mail.queued_at),
                    "accepted_at": _moment(mail.accepted_at),
                }
                for mail in sent
            ],
            "told": [{"event": event.type, "at": _moment(event.at)} for event in told],
            "done": await self._done(conn, registration),
        }

    @staticmethod
    async def _done(conn: AsyncConnection, subject: str) -> list[dict[str, Any]]:
        lines = await conn.execute(audit.select().where(audit.c.subject == subject).order_by(audit.c.id))
        return [{"at": _moment(line.at), "by": line.actor, "what": line.action, "detail": line.detail} for line in lines]

    def _known_by(self, table: sa.Table, row: sa.Row[Any]) -> set[str]:
        """The values that are this person's alone (a name is many people's); what no key opens any more is known by nobody."""
        cells = ((field, getattr(row, field)) for field in FIELDS if field != "full_name")
        opened = (self._vault.open_if_possible(table.name, field, row.id, cell) for field, cell in cells if cell is not None)
        return {value for value in opened if value is not None}

    def _opened(self, table: sa.Table, row: sa.Row[Any]) -> dict[str, str | None]:
        cells = {field: getattr(row, field) for field in FIELDS}
        return {
            field: None if cell is None else self._vault.open(table.name, field, row.id, cell) for field, cell in cells.items()
        }


_KEY: Final = {"registration": "registration_id", "account": "id"}


def _written(by: By, value: str) -> str:
    """The value as it is indexed, from how people write it."""
    value = value.strip()
    if by == "email":
        return parseaddr(value)[1] or value
    digits = "".join(str(unicodedata.decimal(character)) for character in value if character.isdecimal())
    if by == "nik":
        return digits
    # Whatever else is not this country's begins with its own code: 0812..., 812..., 62812..., +62 0812..., 0062812... are one number.
    abroad = "+" in value or digits.startswith("00") or not digits.startswith(("0", "8"))
    digits = digits.lstrip("0")
    if abroad and not digits.startswith("62"):
        return f"+{digits}"
    return f"+62{digits.removeprefix('62').lstrip('0') if abroad else digits}"


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
