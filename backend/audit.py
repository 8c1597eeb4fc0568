"""Who did what to which record and when: append only, without personal data.

`actor` is "person" (of the account or the link), "api:<key id>" or "system"; `subject` is an id.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.tables import audit


async def record(conn: AsyncConnection, at: datetime, actor: str, action: str, subject: str, **detail: str | int) -> None:
    """Write one line in the transaction of the deed itself."""
    await conn.execute(audit.insert().values(at=at, actor=actor, action=action, subject=subject, detail=detail))
