"""Status events: what happened to a registration, written in the transaction that made it happen, told to the chat by a webhook job.

Lives here: writing the event and asking for its delivery. Must not live here: delivering it (`hooks.py`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.ids import new_id
from backend.jobs import Enqueue
from backend.tables import events

DELIVER: Final = "deliver_event"
Status = Literal["pending", "active", "expired", "withdrawn"]
EventType = Literal[
    "registration.mailed",
    "registration.mail_failed",
    "registration.activated",
    "registration.expired",
    "registration.withdrawn",
]


class Events:
    """`told` is False where nobody listens: events are then kept, not sent."""

    def __init__(self, jobs: Enqueue, *, told: bool) -> None:
        self._jobs = jobs
        self._told = told

    async def happened(self, conn: AsyncConnection, registration: str, kind: EventType, status: Status, at: datetime) -> str:
        """The id of the new event, which is also its webhook-id."""
        event = new_id()
        await conn.execute(events.insert().values(id=event, registration_id=registration, type=kind, status=status, at=at))
        if self._told:
            await self._jobs.enqueue(conn, DELIVER, event)
        return event
