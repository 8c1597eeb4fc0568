"""What is thrown away once a day: ended sessions, old keys and delays, what budgets no longer need, the oldest audit, finished jobs.

Must not live here: erasing registrations; each has its own timer (`registrations.py`).
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import sqlalchemy as sa
import structlog

from backend.audit import Audit
from backend.clock import Clock
from backend.config import BackendConfig
from backend.database import Database
from backend.jobs import Again, Jobs
from backend.tables import (
    account_mails,
    account_sessions,
    idempotency,
    links,
    login_throttle,
    mails,
    password_links,
    password_requests,
    phone_checks,
    registrations,
    sms,
    suppressions,
    visits,
)

log = structlog.get_logger(__name__)

TIDY: Final = "tidy_up"
DAY: Final = timedelta(days=1)
KEYS_KEPT: Final = timedelta(days=30)
MAILS_KEPT: Final = timedelta(days=30)
# Whom a mail went to, as a keyed hash for the budgets, and which chat a closed registration came from.
TRACES_KEPT: Final = timedelta(days=30)
JOBS_KEPT: Final = timedelta(days=3)
DEAD_LETTERS_KEPT: Final = timedelta(days=30)
# A run forgets at most so many times so many records and then asks for another run: millions a day must not hold one job for minutes.
BATCHES: Final = 20
BATCH: Final = 1000


class Housekeeping:
    def __init__(self, config: BackendConfig, database: Database, jobs: Jobs, audit: Audit, clock: Clock) -> None:
        self._session_life = config.timings.session_life
        self._database = database
        self._jobs = jobs
        self._audit = audit
        self._now = clock

    async def tidy(self, day: str, _attempt: int) -> Again | None:
        """The handler of one day's job; it asks for the next day's."""
        now = self._now()
        async with self._database.writing() as conn:
            await conn.execute(account_sessions.delete().where(account_sessions.c.created_at < now - self._session_life))
            await conn.execute(idempotency.delete().where(idempotency.c.created_at < now - KEYS_KEPT))
            await conn.execute(login_throttle.delete().where(login_throttle.c.failed_at < now - DAY))
            await conn.execute(password_requests.delete().where(password_requests.c.queued_at < now - DAY))
            await conn.execute(password_links.delete().where(password_links.c.expires_at < now - DAY))
            await conn.execute(account_mails.delete().where(account_mails.c.expires_at < now - MAILS_KEPT))
            # Messages are what a phone's budget is counted by: a day long.
            gone = sa.select(phone_checks.c.id).where(phone_checks.c.created_at < now - 2 * DAY)
            await conn.execute(sms.delete().where(sms.c.check_id.in_(gone)))
            await conn.execute(phone_checks.delete().where(phone_checks.c.created_at < now - 2 * DAY))
            coded = sa.and_(links.c.code_hash.is_not(None), links.c.expires_at < now - DAY)
            await conn.execute(links.update().where(coded).values(code_hash=None))
            await conn.execute(visits.delete().where(visits.c.opened_at < now - DAY))
            await conn.execute(suppressions.delete().where(suppressions.c.until < now))
            seen = mails.c.recipient_index.is_not(None)
            await conn.execute(mails.update().where(seen, mails.c.queued_at < now - TRACES_KEPT).values(recipient_index=None))
            closed = sa.and_(registrations.c.closed_at < now - TRACES_KEPT, registrations.c.reference != "")
            await conn.execute(registrations.update().where(closed).values(reference=""))
            tomorrow = date.fromisoformat(day) + DAY
            await self._jobs.enqueue(conn, TIDY, tomorrow.isoformat(), delay=DAY.total_seconds())
        pruned, head = await self._audit.prune(now), await self._audit.head()
        if head is not None:
            # Kept wherever the logs are kept: whoever cuts the newest lines off the table cannot cut them off there.
            log.info("audit.head", entry=head.position, mac=head.mac, pruned=pruned)
        for _ in range(BATCHES):
            ended = {"done_before": now - JOBS_KEPT, "dead_before": now - DEAD_LETTERS_KEPT}
            if await self._jobs.forget(**ended, limit=BATCH) < BATCH:
                return None
        return Again(1)
