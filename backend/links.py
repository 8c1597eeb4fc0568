"""Activation links: a new one with its mail and its timers, when one is still good, and mails about what became of it.

Lives here: the life of a link. Must not live here: who may ask for one (`registrations.py`) or what the page does with it
(`activation.py`). Of a registration the newest three live, so that a late mail still works after "Kirim Ulang".
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.config import BackendConfig
from backend.ids import code_of, new_id, new_token, token_hash
from backend.jobs import Enqueue
from backend.tables import links, mails
from backend.vault import Vault

SEND_MAIL: Final = "send_mail"
SEND_NOTICE: Final = "send_notice"
EXPIRE: Final = "expire_registration"
PURGE: Final = "purge_registration"
LIVE_LINKS: Final = 3
Notice = Literal["active", "expired"]
# `mails.kind` of a mail that brings no link.
NOTICES: Final[dict[Notice, str]] = {"active": "notice.active", "expired": "notice.expired"}


# The channel whose chats have a page of ours, as `registrations.channel` has it.
TELEGRAM: Final = "telegram"


def link_codes(vault: Vault, token: str) -> tuple[str, ...]:
    """The code that stands in the mail beside the link, by each index key, the newest first.

    It comes of the token and a key, so it need not be kept until the mail is sent.
    """
    return tuple(map(code_of, vault.indexes("link code", token)))


def code_hashes(vault: Vault, registration: str, code: str) -> tuple[bytes, ...]:
    """What is kept of a code (the first): keyed, because 40 bits are soon tried against a plain hash, and bound to its registration."""
    return vault.indexes("code", f"{registration} {code}")


def mailed_code(vault: Vault, registration: str, token: str, kept: bytes) -> str:
    """The code of which `kept` is the hash, whichever keys were the first when its link was made."""
    return next(code for code in link_codes(vault, token) if bytes(kept) in code_hashes(vault, registration, code))


class Links:
    """Writes links, always in the caller's transaction."""

    def __init__(self, config: BackendConfig, vault: Vault, jobs: Enqueue) -> None:
        self._config = config
        self._vault = vault
        self._jobs = jobs
        self._domain = config.mail_address.rpartition("@")[2]

    async def issue(self, conn: AsyncConnection, registration: str, channel: str, recipient: bytes, now: datetime) -> None:
        """A new link, its mail, and the timers that end it. The token is kept, sealed, until the mail is accepted."""
        life = timedelta(hours=self._config.link_hours)
        link, mail, token = new_id(), new_id(), new_token()
        has_page = self._config.telegram is not None and channel == TELEGRAM
        await conn.execute(
            links.insert().values(
                id=link,
                registration_id=registration,
                token_hash=token_hash(token),
                code_hash=code_hashes(self._vault, registration, link_codes(self._vault, token)[0])[0] if has_page else None,
                created_at=now,
                expires_at=now + life,
            )
        )
        await self._keep_newest(conn, registration, now)
        await conn.execute(
            mails.insert().values(
                id=mail,
                registration_id=registration,
                link_id=link,
                recipient_index=recipient,
                message_id=f"<act-{mail}@{self._domain}>",
                token=self._vault.seal("mails", "token", mail, token),
                state="queued",
                queued_at=now,
            )
        )
        await self._jobs.enqueue(conn, SEND_MAIL, mail)
        await self._jobs.enqueue(conn, EXPIRE, link, delay=life.total_seconds())
        await self._jobs.enqueue(conn, PURGE, link, delay=(life + self._config.timings.purge_after).total_seconds())

    async def notice(self, conn: AsyncConnection, registration: str, kind: Notice, recipient: bytes, now: datetime) -> None:
        """A mail without a link of its own: what became of the newest one."""
        newest = sa.select(links.c.id).where(links.c.registration_id == registration)
        mail = new_id()
        await conn.execute(
            mails.insert().values(
                id=mail,
                registration_id=registration,
                link_id=await conn.scalar(newest.order_by(links.c.created_at.desc(), links.c.id).limit(1)),
                recipient_index=recipient,
                message_id=f"<note-{mail}@{self._domain}>",
                state="queued",
                kind=NOTICES[kind],
                queued_at=now,
            )
        )
        await self._jobs.enqueue(conn, SEND_NOTICE, mail)

    async def _keep_newest(self, conn: AsyncConnection, registration: str, now: datetime) -> None:
        newest = sa.select(links.c.id).where(links.c.registration_id == registration, links.c.void_at.is_(None))
        live = list(await conn.scalars(newest.order_by(links.c.created_at.desc(), links.c.id)))
        if len(live) > LIVE_LINKS:
            await conn.execute(links.update().where(links.c.id.in_(live[LIVE_LINKS:])).values(void_at=now))

    @staticmethod
    async def void_all(conn: AsyncConnection, whose: sa.ColumnElement[bool], now: datetime) -> None:
        """None of these links activates anything any more."""
        await conn.execute(
            links.update().where(whose, links.c.used_at.is_(None), links.c.void_at.is_(None)).values(void_at=now)
        )


async def newest_expiry(conn: AsyncConnection, registration: str) -> datetime | None:
    """When the last of its links ends, whatever became of them: a decoy's life must look like any other's."""
    found: datetime | None = await conn.scalar(
        sa.select(links.c.expires_at)
        .where(links.c.registration_id == registration)
        .order_by(links.c.expires_at.desc())
        .limit(1)
    )
    return found
