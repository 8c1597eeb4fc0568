"""How many mails may go to one registration and one address: counted over the mails table, so that a restart forgets nothing.

Every mail counts, also one that was suppressed or told an existing customer so; otherwise the limit would tell who is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.tables import mails


@dataclass(frozen=True, slots=True)
class Budget:
    mails: int
    within: timedelta


REGISTRATION: Final = (Budget(5, timedelta(hours=1)), Budget(10, timedelta(days=1)))
RECIPIENT: Final = (Budget(10, timedelta(days=1)),)


async def free_at(
    conn: AsyncConnection, *, registration: str | None, recipient: bytes, cooldown: timedelta, now: datetime
) -> datetime:
    """When the next mail may go; not after `now` means at once. `cooldown` is counted from the registration's newest mail."""
    free = now
    if registration is not None:
        newest = await _queued(conn, mails.c.queued_at, mails.c.registration_id == registration, 1)
        if newest is not None:
            free = max(free, newest + cooldown)
        free = max(free, await free_within(conn, mails.c.queued_at, mails.c.registration_id == registration, REGISTRATION, now))
    return max(free, await free_within(conn, mails.c.queued_at, mails.c.recipient_index == recipient, RECIPIENT, now))


async def free_within(
    conn: AsyncConnection,
    queued_at: sa.Column[datetime],
    whose: sa.ColumnElement[bool],
    budgets: tuple[Budget, ...],
    now: datetime,
) -> datetime:
    """When these budgets have room for one more of `whose` rows, counted by `queued_at`; not before `now`."""
    free = now
    for budget in budgets:
        # The budget is used up while the n-th newest mail is still inside the window.
        nth = await _queued(conn, queued_at, whose, budget.mails)
        if nth is not None:
            free = max(free, nth + budget.within)
    return free


async def _queued(
    conn: AsyncConnection, queued_at: sa.Column[datetime], whose: sa.ColumnElement[bool], nth: int
) -> datetime | None:
    found: datetime | None = await conn.scalar(
        sa.select(queued_at).where(whose).order_by(queued_at.desc()).offset(nth - 1).limit(1)
    )
    return found
