"""Waiting for a database that is not there yet, when a process starts.

Lives here: how long and how often. A database that restarts is back in seconds, and a process that waits for it is quicker back than one
that is started over and over; one that stays away is a fault that the supervisor and the operator must see, so the wait has an end.
"""

from __future__ import annotations

import asyncio
from typing import Final

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import OperationalError

from backend.database import Database, code_of

log = structlog.get_logger(__name__)

PATIENCE_SECONDS: Final = 60.0
FIRST_WAIT: Final = 0.25
LONGEST_WAIT: Final = 5.0
_ANSWER_SECONDS: Final = 5.0


class DatabaseUnreachable(RuntimeError):
    """The database did not answer for a minute: it is down, or DATABASE_URL does not lead to it."""


async def until_it_answers(database: Database, *, patience: float = PATIENCE_SECONDS) -> None:
    """Return when the database answers. Raises DatabaseUnreachable when it has not for `patience` seconds."""
    loop = asyncio.get_running_loop()
    end, wait = loop.time() + patience, FIRST_WAIT
    while True:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS), database.reading() as conn:
                await conn.execute(sa.text("SELECT 1"))
                return
        except (OperationalError, OSError, TimeoutError) as error:
            left = end - loop.time()
            code = code_of(error)  # enough to tell "away" from "not let in"
            if left <= 0:
                log.error("database.unreachable", error=type(error).__name__, code=code, waited=patience)
                raise DatabaseUnreachable(f"the database has not answered for {patience:.0f} seconds") from None
            log.warning("database.awaited", error=type(error).__name__, code=code, seconds_left=round(left))
        await asyncio.sleep(min(wait, left))
        wait = min(wait * 2, LONGEST_WAIT)
