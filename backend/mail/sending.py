"""The mail job: writes the one mail of a `mails` row, hands it to the mail server and records that it was taken.

Lives here: which mail is due (an activation, "you are registered already", "not the address on record", a notice, or none because the
address is suppressed), and what follows from the server's answer. Must not live here: SMTP (`smtp.py`), words (`render.py`, templates). If
the process dies after the server took the mail and before that was recorded, the same bytes are sent once more, with the same Message-ID.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, parseaddr
from typing import Any, Final, Literal

import sqlalchemy as sa
import structlog
from email_validator import validate_email
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.audit import Audit
from backend.budgets import mailbox
from backend.clock import Clock
from backend.config import BackendConfig
from backend.database import Database
from backend.events import Events, EventType
from backend.ids import activation_link, written_code
from backend.jobs import Again, pick
from backend.links import mailed_code
from backend.mail.render import RenderedMail, render_activation, render_already_registered, render_mismatch, render_notice
from backend.mail.smtp import NotNow, Refused, Smtp
from backend.registry import RegistryVerifier
from backend.tables import accounts, links, mails, registrations, suppressions
from backend.vault import Vault

log = structlog.get_logger(__name__)

Kind = Literal["activation", "already", "mismatch", "suppressed"]


@dataclass(frozen=True, slots=True)
class _Due:
    """A mail that is to be sent now."""

    kind: Kind
    row: sa.Row[Any]


# News older than this is no longer worth a mail.
_NOTICE_LIFE: Final = timedelta(days=3)
_NOTICE: Final = (
    sa.select(
        mails,
        registrations.c.status,
        registrations.c.language,
        registrations.c.full_name,
        registrations.c.email,
        accounts.c.id.label("account"),
        accounts.c.full_name.label("account_name"),
    )
    .join(registrations, registrations.c.id == mails.c.registration_id)
    .outerjoin(accounts, accounts.c.registration_id == registrations.c.id)
    .where(mails.c.state == "queued")
)


class Mailer:
    def __init__(
        self,
        config: BackendConfig,
        database: Database,
        vault: Vault,
        events: Events,
        smtp: Smtp,
        audit: Audit,
        clock: Clock,
        *,
        registry: RegistryVerifier | None = None,
    ) -> None:
        """Without a `registry` nobody's e-mail is compared with anybody's record."""
        self._config = config
        self._database = database
        self._vault = vault
        self._events = events
        self._smtp = smtp
        self._audit = audit
        self._registry = registry
        self._now = clock

    async def send(self, mail: str, attempt: int) -> Again | None:
        """The handler of the mail job."""
        async with self._database.reading() as conn:
            due = await self._due(conn, mail)
        if due is None:
            return None
        if due.row.token is None or due.row.void_at is not None or due.row.status != "pending":
            await self._fail(due.row, "obsolete", told=False)
            return None
        if due.row.expires_at <= self._now():
            await self._fail(due.row, "expired", told=True)
            return None
        try:
            if due.kind == "suppressed":
                # Taken at the same pace as any other, and not while the server is away: its state must not tell who wants no mail.
                await self._smtp.greet()
            else:
                await self._smtp.send(self._message(due))
        except NotNow as error:
            log.warning("mail.deferred", mail=mail, attempt=attempt, why=error.why)
            return Again(pick(self._config.timings.mail_backoff, attempt))
        except Refused as error:
            await self._fail(due.row, f"refused {error.code}", told=True)
            return None
        await self._accepted(due)
        return None

    async def notify(self, mail: str, attempt: int) -> Again | None:
        """The handler of a notice's job. Nobody is told what became of it: it is itself what a chat could not be told."""
        async with self._database.reading() as conn:
            row = (await conn.execute(_NOTICE.where(mails.c.id == mail))).one_or_none()
            suppressed = row is not None and await self._suppressed(conn, row)
        if row is None:
            return None
        kind = row.kind.removeprefix("notice.")
        if suppressed or row.status != kind or row.email is None:
            await self._close_notice(mail, "failed", reason="suppressed" if suppressed else "obsolete")
            return None
        try:
            await self._smtp.send(self._notice(row, kind))
        except NotNow as error:
            log.warning("mail.deferred", mail=mail, attempt=attempt, why=error.why)
            if row.queued_at + _NOTICE_LIFE <= self._now():
                await self._close_notice(mail, "failed", reason="expired")
                return None
            return Again(pick(self._config.timings.mail_backoff, attempt))
        except Refused as error:
            log.error("mail.failed", mail=mail, reason=f"refused {error.code}")
            await self._close_notice(mail, "failed", reason=f"refused {error.code}")
            return None
        await self._close_notice(mail, "accepted", accepted_at=self._now())
        return None

    def _notice(self, row: sa.Row[Any], kind: Literal["active", "expired"]) -> EmailMessage:
        # An active registration's name is in its account alone.
        name = (
            self._vault.open("registrations", "full_name", row.registration_id, row.full_name)
            if row.full_name is not None
            else self._vault.open("accounts", "full_name", row.account, row.account_name)
        )
        to = self._vault.open("registrations", "email", row.registration_id, row.email)
        rendered = render_notice(kind=kind, language=row.language, full_name=name, config=self._config)
        return compose(rendered, sender=self._config, to=to, message_id=row.message_id, at=row.queued_at)

    async def _close_notice(self, mail: str, state: str, **values: object) -> None:
        async with self._database.writing() as conn:
            await conn.execute(
                mails.update().where(mails.c.id == mail, mails.c.state == "queued").values(state=state, **values)
            )

    async def _suppressed(self, conn: AsyncConnection, row: sa.Row[Any]) -> bool:
        if row.email is None:
            return False
        email = self._vault.open("registrations", "email", row.registration_id, row.email)
        whose = suppressions.c.email_index.in_(self._vault.indexes("email", mailbox(email)))
        found = sa.select(suppressions.c.until).where(whose, suppressions.c.until > self._now())
        return (await conn.execute(found)).first() is not None

    async def _due(self, conn: AsyncConnection, mail: str) -> _Due | None:
        found = await conn.execute(
            sa.select(
                mails,
                links.c.expires_at,
                links.c.void_at,
                links.c.code_hash,
                registrations.c.status,
                registrations.c.language,
                registrations.c.full_name,
                registrations.c.email,
                registrations.c.nik,
            )
            .join(links, links.c.id == mails.c.link_id)
            .join(registrations, registrations.c.id == mails.c.registration_id)
            .where(mails.c.id == mail, mails.c.state == "queued")
        )
        row = found.one_or_none()
        if row is None:
            return None
        return _Due(await self._kind(conn, row), row)

    async def _on_record(self, nik: str, email: str) -> bool:
        """Whether the address is the one on record, or there is no record: directors need not be investors yet (the guide)."""
        return self._registry is None or await self._registry.verify(nik, email) != "differs"

    async def _kind(self, conn: AsyncConnection, row: sa.Row[Any]) -> Kind:
        if await self._suppressed(conn, row):
            return "suppressed"
        if row.nik is None or row.email is None:
            return "activation"  # of one that ended: its mail goes to nobody
        nik, email = (
            self._vault.open("registrations", name, row.registration_id, getattr(row, name)) for name in ("nik", "email")
        )
        niks, emails = self._vault.indexes("nik", nik), self._vault.indexes("email", email)
        # One that was activated between a mail and its repetition is not somebody else's: both mails stay the same.
        known = sa.select(accounts.c.id).where(
            sa.or_(accounts.c.nik_index.in_(niks), accounts.c.email_index.in_(emails)),
            accounts.c.registration_id != row.registration_id,
        )
        if (await conn.execute(known)).first() is not None:
            return "already"
        return "activation" if await self._on_record(nik, email) else "mismatch"

    def _message(self, due: _Due) -> EmailMessage:
        row = due.row
        name = self._vault.open("registrations", "full_name", row.registration_id, row.full_name)
        if due.kind == "activation":
            token = self._vault.open("mails", "token", row.id, row.token)
            rendered = render_activation(
                language=row.language,
                full_name=name,
                link=activation_link(self._config.public_url, token),
                code=written_code(mailed_code(self._vault, row.registration_id, token, row.code_hash))
                if row.code_hash is not None
                else "",
                expires_at=row.expires_at,
                config=self._config,
            )
        elif due.kind == "mismatch":
            rendered = render_mismatch(language=row.language, full_name=name, config=self._config)
        else:
            rendered = render_already_registered(language=row.language, full_name=name, config=self._config)
        to = self._vault.open("registrations", "email", row.registration_id, row.email)
        return compose(rendered, sender=self._config, to=to, message_id=row.message_id, at=row.queued_at)

    async def _accepted(self, due: _Due) -> None:
        row, now = due.row, self._now()
        async with self._database.writing() as conn:
            changed = await conn.execute(
                mails.update()
                .where(mails.c.id == row.id, mails.c.state == "queued")
                .values(state="accepted", accepted_at=now, token=None, kind=due.kind)
            )
            if changed.rowcount == 1:
                await self._tell(conn, row, "registration.mailed", now)

    async def _fail(self, row: sa.Row[Any], reason: str, *, told: bool) -> None:
        now = self._now()
        async with self._database.writing() as conn:
            changed = await conn.execute(
                mails.update()
                .where(mails.c.id == row.id, mails.c.state == "queued")
                .values(state="failed", token=None, reason=reason)
            )
            if changed.rowcount == 1 and told:
                log.error("mail.failed", mail=row.id, reason=reason)
                await self._tell(conn, row, "registration.mail_failed", now)

    async def _tell(self, conn: AsyncConnection, row: sa.Row[Any], what: EventType, now: datetime) -> None:
        status = await conn.scalar(sa.select(registrations.c.status).where(registrations.c.id == row.registration_id))
        await self._events.happened(conn, row.registration_id, what, status or "pending", now)
        await self._audit.record(conn, now, "system", what, row.registration_id, mail=row.id)


def compose(rendered: RenderedMail, *, sender: BackendConfig, to: str, message_id: str, at: datetime) -> EmailMessage:
    """The message with both its parts. The same input gives the same bytes, so that a mail sent twice is one mail to the reader."""
    message = EmailMessage()
    name, address = parseaddr(sender.mail_from)
    message["From"] = formataddr((name or sender.operator_name, address))
    # An international domain is a plain one to every mail server, when it is written so.
    message["To"] = validate_email(to, check_deliverability=False, test_environment=True).ascii_email or to
    message["Subject"] = rendered.subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(rendered.text)
    message.add_alternative(rendered.html, subtype="html")
    message.set_boundary(f"=_{message_id.strip('<>').partition('@')[0]}")
    return message
