"""Visits: somebody has our page open inside Telegram, in a chat that Telegram vouches for.

Lives here: opening one with launch data that has not opened any before, and whose chat a visit is. Must not live here: checking the data
(`init_data.py`) or what a visitor sees (`chat_registrations.py`). A visit's token is kept in the memory of the page alone.
"""

from __future__ import annotations

import structlog
from sqlalchemy.exc import IntegrityError

from backend.clock import Clock
from backend.config import Timings
from backend.database import Database
from backend.errors import Refused
from backend.ids import new_token, token_hash
from backend.init_data import Bot, NotFromTelegram, read
from backend.links import TELEGRAM
from backend.tables import visits

log = structlog.get_logger(__name__)


class VisitEnded(Refused):
    """There is no such visit (any more), or the data opens none: the page must be opened again from the chat."""


class Visits:
    def __init__(self, bot: Bot, database: Database, timings: Timings, clock: Clock) -> None:
        self._bot = bot
        self._database = database
        self._life = timings.visit_life
        self._now = clock

    async def open(self, init_data: str) -> str:
        """The token of a new visit. Raises VisitEnded."""
        now, token = self._now(), new_token("akv_")
        try:
            launch = read(init_data, self._bot, now)
        except NotFromTelegram as refused:
            log.warning("visit.refused", why=str(refused))
            raise VisitEnded from None
        try:
            async with self._database.writing() as conn:
                # In a private chat the chat bears the number of its person.
                reference = f"{TELEGRAM}:{launch.user}"
                await conn.execute(
                    visits.insert().values(
                        launch=launch.fingerprint, token_hash=token_hash(token), reference=reference, opened_at=now
                    )
                )
        except IntegrityError:
            log.warning("visit.refused", why="used before")
            raise VisitEnded from None
        return token

    async def chat(self, token: str) -> str:
        """Whose chat this visit is of, as `registrations.reference` has it. Raises VisitEnded."""
        found = visits.select().where(visits.c.token_hash == token_hash(token), visits.c.opened_at > self._now() - self._life)
        async with self._database.reading() as conn:
            row = (await conn.execute(found)).one_or_none()
        if row is None:
            raise VisitEnded
        reference: str = row.reference
        return reference
