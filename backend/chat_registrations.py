"""The registrations of one chat, as whoever has our page open there sees them: masked, and mailed again at the guide's pace.

Lives here: whose a registration is, and Kirim Ulang with the wait that the chat keeps to as well. Must not live here: visits (`visits.py`),
the code (`activation.py`), the rules of a registration (`registrations.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.audit import Audit
from backend.clock import Clock
from backend.config import Timings
from backend.database import Database
from backend.errors import LimitReached, NotFound
from backend.events import Status
from backend.links import TELEGRAM
from backend.masking import mask_name
from backend.registrations import Registrations, RegistrationView
from backend.tables import accounts, registrations
from backend.vault import Vault

# A secretary's board fits; whoever has more in one chat sees the newest.
SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class ChatRegistration:
    """One of them. `resend_at` is when Kirim Ulang works, not before now; None when nothing will be mailed any more."""

    id: str
    status: Status
    full_name_masked: str
    email_masked: str
    mail_state: Literal["queued", "accepted", "failed"]
    link_expires_at: datetime | None
    resend_at: datetime | None


class ChatRegistrations:
    def __init__(
        self, database: Database, vault: Vault, registrations_: Registrations, audit: Audit, timings: Timings, clock: Clock
    ) -> None:
        self._database = database
        self._vault = vault
        self._registrations = registrations_
        self._audit = audit
        self._timings = timings
        self._now = clock

    async def all(self, chat: str) -> list[ChatRegistration]:
        """Those that are not over, the newest first."""
        wanted = _ROWS.where(registrations.c.reference == chat, registrations.c.email.is_not(None))
        async with self._database.reading() as conn:
            rows = await conn.execute(wanted.order_by(registrations.c.created_at.desc(), registrations.c.id).limit(SHOWN))
            return [await self._view(conn, row) for row in rows]

    async def one(self, chat: str, registration: str) -> ChatRegistration:
        """Raises NotFound, also for what is of another chat."""
        async with self._database.reading() as conn:
            return await self._view(conn, await self._row(conn, chat, registration))

    async def resend(self, chat: str, registration: str) -> None:
        """Mail a new link, with a new code, to the same address. Raises NotFound, Closed, LimitReached."""
        async with self._database.writing() as conn:
            await self._row(conn, chat, registration)
            await self._database.lock(conn, f"registration:{registration}")
            now = self._now()
            free = self._guide(await self._registrations.view(conn, registration))
            if free is not None and free > now:
                raise LimitReached.of("cooldown", (free - now).total_seconds())
            await self._registrations.mail_again(conn, registration, now)
            await self._audit.record(conn, now, "person", "registration.resent", registration)

    async def _row(self, conn: AsyncConnection, chat: str, registration: str) -> sa.Row[Any]:
        wanted = _ROWS.where(registrations.c.id == registration, registrations.c.reference == chat)
        row: sa.Row[Any] | None = (await conn.execute(wanted)).one_or_none()
        if row is None:
            raise NotFound
        return row

    async def _view(self, conn: AsyncConnection, row: sa.Row[Any]) -> ChatRegistration:
        view = await self._registrations.view(conn, row.id)
        moments = [at for at in (view.resend_available_at, self._guide(view)) if at is not None]
        return ChatRegistration(
            id=row.id,
            status=view.status,
            full_name_masked=self._name(row),
            email_masked=view.email_masked,
            mail_state=view.mail_state,
            link_expires_at=view.link_expires_at,
            resend_at=None if view.resend_available_at is None else max(moments),
        )

    def _guide(self, view: RegistrationView) -> datetime | None:
        """Until when the guide has somebody wait for a mail that is on its way; None where nobody need wait."""
        if view.status != "pending" or view.mail_state == "failed":
            return None
        return (view.mail_accepted_at or view.mail_queued_at) + self._timings.resend_after

    def _name(self, row: sa.Row[Any]) -> str:
        if row.full_name is not None:
            return mask_name(self._vault.open("registrations", "full_name", row.id, row.full_name))
        # An active registration's name is in its account alone.
        if row.account is not None:
            return mask_name(self._vault.open("accounts", "full_name", row.account, row.account_name))
        return ""


_ROWS: Final[sa.Select[Any]] = (
    sa.select(
        registrations.c.id,
        registrations.c.full_name,
        accounts.c.id.label("account"),
        accounts.c.full_name.label("account_name"),
    )
    .outerjoin(accounts, accounts.c.registration_id == registrations.c.id)
    .where(registrations.c.channel == TELEGRAM)
)
