"""One field of a registration in the clear, for somebody of the operator's who has a reason: counted, and written down first.

Lives here: what may be asked of whom, and how often. Must not live here: who may ask (`access.py`: a key for this alone; the helpdesk looks
at its agents' roles). What an account holds is its owner's: nothing of an active registration is shown, nor of one that was erased.
"""

from __future__ import annotations

from typing import Final, Literal

from backend.audit import Audit
from backend.clock import Clock
from backend.database import Database
from backend.errors import Closed, Later, NotFound
from backend.tables import registrations
from backend.throttle import Counting
from backend.vault import Vault

Revealable = Literal["full_name", "nik", "phone", "email"]
# Of one actor, and of a key whoever it names: a stolen one does not read the whole table in an afternoon.
_ACTOR: Final = "60 per hour"
_KEY: Final = "600 per hour"


class Reveals:
    def __init__(self, database: Database, vault: Vault, audit: Audit, throttle: Counting, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._audit = audit
        self._throttle = throttle
        self._now = clock

    async def reveal(
        self, registration: str, field: Revealable, *, reason: str, actor: str, api_key: str, channels: frozenset[str]
    ) -> str:
        """The field as it was registered. `actor` is whoever asks, by the caller's own name for them.

        Raises NotFound, Closed (active, withdrawn or erased), Later.
        """
        for rate, *who in ((_ACTOR, "reveal", api_key, actor), (_KEY, "reveal", api_key)):
            if wait := await self._throttle.wait(rate, *who):
                raise Later(wait)
        async with self._database.writing() as conn:
            row = (await conn.execute(registrations.select().where(registrations.c.id == registration))).one_or_none()
            if row is None or (channels and row.channel not in channels):
                raise NotFound
            sealed = getattr(row, field)
            if row.status not in ("pending", "expired") or sealed is None:
                raise Closed
            detail = {"field": field, "reason": reason, "by": actor}
            await self._audit.record(conn, self._now(), f"api:{api_key}", "registration.revealed", registration, **detail)
            return self._vault.open("registrations", field, registration, sealed)
