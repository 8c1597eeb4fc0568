"""Mails that came back after the mail server had taken them: reading the report, and what follows from it.

Lives here: RFC 3464 reports, and the row of the mail that one is about. Must not live here: how a report gets here (`api/bounces.py`, or
`akses bounce` behind the mailbox of MAIL_FROM), or a refusal at the door (`sending.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, message_from_string
from email.message import Message
from typing import Final

import sqlalchemy as sa
import structlog

from backend.audit import Audit
from backend.clock import Clock
from backend.database import Database
from backend.events import Events
from backend.links import NOTICES
from backend.tables import mails, registrations

log = structlog.get_logger(__name__)

MESSAGE_ID: Final = r"<[!-;=?-~]{1,318}>"
# RFC 3463: 5 is for good; a report of 4 that says "failed" has been tried for as long as the server had patience.
STATUS: Final = r"[45]\.[0-9]{1,3}\.[0-9]{1,3}"


@dataclass(frozen=True, slots=True)
class Bounce:
    """A mail of ours that was not delivered: its Message-ID, and the status code that says why (RFC 3463)."""

    message_id: str
    status: str


def bounces(report: bytes) -> list[Bounce]:
    """What a mail says of mails that failed; empty for one that is no report, and for news of mere delay."""
    read = message_from_bytes(report)
    statuses = [status for part in read.walk() for status in _failures(part)]
    if not statuses:
        return []
    ids = {id_ for part in read.walk() for id_ in _returned(part)} or set(_ids(read, "In-Reply-To", "References"))
    return [Bounce(id_, statuses[0]) for id_ in sorted(ids)]


def _failures(part: Message) -> Iterator[str]:
    if part.get_content_type() != "message/delivery-status":
        return
    for block in part.get_payload():
        assert isinstance(block, Message)
        status = re.search(STATUS, str(block.get("Status", "")))
        if status and str(block.get("Action", "")).strip().lower() == "failed":
            yield status[0]


def _returned(part: Message) -> Iterator[str]:
    """The Message-ID of the mail that a report gives back, whole or its headers."""
    match part.get_content_type():
        case "message/rfc822":
            for inner in part.get_payload():
                assert isinstance(inner, Message)
                yield from _ids(inner, "Message-ID")
        case "text/rfc822-headers":
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)
            yield from _ids(message_from_string(payload.decode("utf-8", "replace")), "Message-ID")
        case _:
            pass


def _ids(message: Message, *headers: str) -> list[str]:
    return [id_ for header in headers for id_ in re.findall(MESSAGE_ID, str(message.get(header, "")))]


class Bounces:
    def __init__(self, database: Database, events: Events, audit: Audit, clock: Clock) -> None:
        self._database = database
        self._events = events
        self._audit = audit
        self._now = clock

    async def take(self, bounce: Bounce) -> bool:
        """Record that a mail came back; whether it is one of ours. Twice is no error.

        The chat is told when nothing newer is on its way to the same registration: then its person waits for nothing.
        """
        async with self._database.writing() as conn:
            found = await conn.execute(
                sa.select(mails, registrations.c.status)
                .join(registrations, registrations.c.id == mails.c.registration_id)
                .where(mails.c.message_id == bounce.message_id)
            )
            row = found.one_or_none()
            if row is None:
                return False
            changed = await conn.execute(
                mails.update()
                .where(mails.c.id == row.id, mails.c.state.in_(("queued", "accepted")))
                .values(state="failed", token=None, reason=f"bounced {bounce.status}")
            )
            if changed.rowcount == 1:
                now = self._now()
                log.warning("mail.bounced", mail=row.id, status=bounce.status)
                await self._audit.record(conn, now, "system", "mail.bounced", row.registration_id, mail=row.id)
                newest = (
                    sa.select(mails.c.id)
                    .where(
                        mails.c.registration_id == row.registration_id,
                        sa.or_(mails.c.kind.is_(None), mails.c.kind.not_in(NOTICES.values())),
                    )
                    .order_by(mails.c.queued_at.desc(), mails.c.id)
                    .limit(1)
                )
                if row.status == "pending" and await conn.scalar(newest) == row.id:
                    await self._events.happened(conn, row.registration_id, "registration.mail_failed", "pending", now)
        return True
