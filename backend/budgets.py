"""How many mails may be caused: for a registration, to an address, from a chat, and by everybody together.

Lives here: the limits, counted over the mails table, so that a restart forgets nothing and every process counts the same. Must not live
here: who is told what. Every mail counts, also one that was suppressed or told an existing customer so; otherwise the limit would tell who
is known.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, get_args

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.tables import mails, registrations

log = structlog.get_logger(__name__)

Limit = Literal["cooldown", "registration", "recipient", "chat", "operator"]
"""Which limit: the pause between two mails, mails for one registration, to one address, from one chat, of the whole product."""
LIMITS: Final[tuple[Limit, ...]] = get_args(Limit)


@dataclass(frozen=True, slots=True)
class Budget:
    mails: int
    within: timedelta


REGISTRATION: Final = (Budget(5, timedelta(hours=1)), Budget(10, timedelta(days=1)))
RECIPIENT: Final = (Budget(10, timedelta(days=1)),)
# A secretary registers a whole board of directors from one chat, and sends to some of them twice.
CHAT: Final = (Budget(20, timedelta(hours=1)), Budget(60, timedelta(days=1)))
# Google's mailboxes have two domains, and a dot in their names means nothing.
_GOOGLE: Final = frozenset({"gmail.com", "googlemail.com"})
_TOLD_EVERY_SECONDS: Final = 60.0
_NEARLY: Final = 0.8


@dataclass(frozen=True, slots=True)
class Free:
    """When the next mail may go, and which limit says so (None: at once)."""

    at: datetime
    limit: Limit | None

    def or_later(self, at: datetime | None, limit: Limit) -> Free:
        return Free(at, limit) if at is not None and at > self.at else self


def mailbox(email: str) -> str:
    """The mailbox that an address leads to: "Budi.S+akses@gmail.com" is "budis@gmail.com".

    For counting and leaving in peace alone; who is who is decided by the address as it was given.
    """
    local, _, domain = email.strip().casefold().rpartition("@")
    local = local.partition("+")[0] or local
    return f"{local.replace('.', '')}@gmail.com" if domain in _GOOGLE else f"{local}@{domain}"


async def free_at(
    conn: AsyncConnection,
    *,
    registration: str | None,
    recipient: Sequence[bytes],
    cooldown: timedelta,
    now: datetime,
    chat: str | None = None,
) -> Free:
    """When the next mail may go; not after `now` means at once. `cooldown` is counted from the registration's newest mail; `recipient` is
    the mailbox's look-up under every index key.
    """
    free = Free(now, None)
    if registration is not None:
        newest = await _queued(conn, mails.c.queued_at, mails.c.registration_id == registration, 1)
        free = free.or_later(None if newest is None else newest + cooldown, "cooldown")
        free = await _within(conn, mails.c.registration_id == registration, REGISTRATION, "registration", free)
    free = await _within(conn, mails.c.recipient_index.in_(recipient), RECIPIENT, "recipient", free)
    if chat:
        of_chat = sa.select(registrations.c.id).where(registrations.c.reference == chat)
        free = await _within(conn, mails.c.registration_id.in_(of_chat), CHAT, "chat", free)
    return free


class Operator:
    """The budget of the whole product: when something goes wrong at our end, the world does not get it by mail."""

    def __init__(self, mails_an_hour: int) -> None:
        self._budget = Budget(mails_an_hour, timedelta(hours=1))
        self._told_at = float("-inf")

    async def free_at(self, conn: AsyncConnection, free: Free, now: datetime) -> Free:
        """`free`, or later when the budget is used up. Nobody waits for anybody here, so a few mails more may slip through."""
        found = await _within(conn, sa.true(), (self._budget,), "operator", free)
        if found is not free:
            self._tell("mail.budget_used_up")
        elif (
            near := await _queued(conn, mails.c.queued_at, sa.true(), max(1, int(self._budget.mails * _NEARLY)))
        ) and near > now - self._budget.within:
            self._tell("mail.budget_nearly_used_up")
        return found

    def _tell(self, what: str) -> None:
        if time.monotonic() - self._told_at >= _TOLD_EVERY_SECONDS:
            self._told_at = time.monotonic()
            log.error(what, mails_an_hour=self._budget.mails)


async def free_within(
    conn: AsyncConnection,
    queued_at: sa.Column[datetime],
    whose: sa.ColumnElement[bool],
    budgets: tuple[Budget, ...],
    now: datetime,
) -> datetime:
    """When these budgets have room for one more of `whose` rows, of any table, counted by `queued_at`; not before `now`."""
    free = now
    for budget in budgets:
        nth = await _queued(conn, queued_at, whose, budget.mails)
        if nth is not None:
            free = max(free, nth + budget.within)
    return free


async def _within(
    conn: AsyncConnection, whose: sa.ColumnElement[bool], budgets: tuple[Budget, ...], limit: Limit, free: Free
) -> Free:
    for budget in budgets:
        # The budget is used up while the n-th newest mail is still inside the window.
        nth = await _queued(conn, mails.c.queued_at, whose, budget.mails)
        free = free.or_later(None if nth is None else nth + budget.within, limit)
    return free


async def _queued(
    conn: AsyncConnection, queued_at: sa.Column[datetime], whose: sa.ColumnElement[bool], nth: int
) -> datetime | None:
    found: datetime | None = await conn.scalar(
        sa.select(queued_at).where(whose).order_by(queued_at.desc()).offset(nth - 1).limit(1)
    )
    return found
