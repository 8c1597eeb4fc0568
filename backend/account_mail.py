"""Mails about an account: a link to set a new password, that the password was changed, that the account is deleted.

Lives here: writing such a mail in the transaction of its cause, and the job that sends it. Must not live here: when one is due
(`accounts.py`, `new_password.py`), words (`mail/render.py`), SMTP (`mail/smtp.py`). Mails of a registration are `mail/sending.py`'s.
All that a mail needs is sealed in its row and erased when it is sent or given up, so that it can be sent when the account is gone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any, Final

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.clock import Clock
from backend.config import BackendConfig
from backend.database import Database
from backend.ids import new_id, password_link
from backend.jobs import Again, Enqueue, pick
from backend.mail.render import AccountMailKind, render_account
from backend.mail.sending import compose
from backend.mail.smtp import NotNow, Refused, Smtp
from backend.tables import account_mails
from backend.vault import Vault

log = structlog.get_logger(__name__)

SEND_ACCOUNT_MAIL: Final = "send_account_mail"
# News older than this is no longer worth a mail.
_NEWS_LIFE: Final = timedelta(days=3)


class AccountMails:
    def __init__(
        self, config: BackendConfig, database: Database, vault: Vault, jobs: Enqueue, smtp: Smtp, clock: Clock
    ) -> None:
        self._config = config
        self._database = database
        self._vault = vault
        self._jobs = jobs
        self._smtp = smtp
        self._now = clock
        self._domain = config.mail_address.rpartition("@")[2]

    async def write(
        self,
        conn: AsyncConnection,
        account: sa.Row[Any],
        kind: AccountMailKind,
        *,
        token: str = "",
        expires_at: datetime | None = None,
    ) -> None:
        """A mail to the owner of this row of `accounts`, sent when the caller's transaction is committed."""
        mail, now = new_id(), self._now()

        def sealed_anew(column: str) -> bytes:
            plain = self._vault.open("accounts", column, account.id, getattr(account, column))
            return self._vault.seal("account_mails", column, mail, plain)

        await conn.execute(
            account_mails.insert().values(
                id=mail,
                account_id=account.id,
                kind=kind,
                language=account.language,
                message_id=f"<acc-{mail}@{self._domain}>",
                full_name=sealed_anew("full_name"),
                email=sealed_anew("email"),
                token=self._vault.seal("account_mails", "token", mail, token) if token else None,
                state="queued",
                queued_at=now,
                expires_at=expires_at or now + _NEWS_LIFE,
            )
        )
        await self._jobs.enqueue(conn, SEND_ACCOUNT_MAIL, mail)

    async def send(self, mail: str, attempt: int) -> Again | None:
        """The handler of the job."""
        async with self._database.reading() as conn:
            found = account_mails.select().where(account_mails.c.id == mail, account_mails.c.state == "queued")
            row = (await conn.execute(found)).one_or_none()
        if row is None:
            return None
        if row.expires_at <= self._now():
            log.error("mail.failed", mail=mail, reason="expired")
            await self._close(mail, state="failed", reason="expired")
            return None
        try:
            await self._smtp.send(self._message(row))
        except NotNow as error:
            log.warning("mail.deferred", mail=mail, attempt=attempt, why=error.why)
            return Again(pick(self._config.timings.mail_backoff, attempt))
        except Refused as error:
            log.error("mail.failed", mail=mail, reason=f"refused {error.code}")
            await self._close(mail, state="failed", reason=f"refused {error.code}")
            return None
        await self._close(mail, state="accepted", accepted_at=self._now())
        return None

    def _message(self, row: sa.Row[Any]) -> EmailMessage:
        def opened(column: str) -> str:
            return self._vault.open("account_mails", column, row.id, getattr(row, column))

        rendered = render_account(
            kind=row.kind,
            language=row.language,
            full_name=opened("full_name"),
            link=password_link(self._config.public_url, opened("token")) if row.token is not None else "",
            expires_at=row.expires_at,
            config=self._config,
        )
        return compose(rendered, sender=self._config, to=opened("email"), message_id=row.message_id, at=row.queued_at)

    async def _close(self, mail: str, **values: object) -> None:
        erased = dict.fromkeys(("full_name", "email", "token"))
        async with self._database.writing() as conn:
            await conn.execute(
                account_mails.update()
                .where(account_mails.c.id == mail, account_mails.c.state == "queued")
                .values(**erased, **values)
            )
