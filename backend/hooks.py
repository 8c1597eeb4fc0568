"""The webhook job: tells one status event to the bot, signed by the Standard Webhooks rules, until it is taken.

Lives here: the body, the signature, and what the receiver's answer means. Must not live here: when an event is due (`events.py`).
The event's id is its webhook-id in every attempt, so the receiver can say it once. An event that the receiver never took is a dead letter:
an operator replays it when the receiver is well again, and its person is told by mail meanwhile what matters to them.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx2
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection
from standardwebhooks import Webhook

from backend.clock import Clock
from backend.config import BackendConfig
from backend.database import Database
from backend.jobs import Again, Dead
from backend.masking import mask_email
from backend.tables import events, registrations
from backend.traces import UNTRACED, Traces
from backend.vault import Vault

log = structlog.get_logger(__name__)


class StatusWebhook:
    """Needs `status_webhook_url` and at least one secret; `client` is the process's one HTTP client."""

    def __init__(
        self,
        config: BackendConfig,
        database: Database,
        vault: Vault,
        client: httpx2.AsyncClient,
        clock: Clock,
        tell_by_mail: Callable[[AsyncConnection, str, str], Awaitable[None]],
        traces: Traces = UNTRACED,
    ) -> None:
        self._url = config.status_webhook_url
        self._backoff = config.timings.hook_backoff
        self._timeout = config.timings.hook_timeout
        # Each signs, so that a receiver that knows the old secret or the new one alone is told at any moment of a rotation.
        self._signers = [Webhook(secret) for secret in config.status_webhook_secrets]
        self._database = database
        self._vault = vault
        self._client = client
        self._now = clock
        self._tell_by_mail = tell_by_mail
        self._traces = traces

    async def deliver(self, event: str, attempt: int) -> Again | Dead | None:
        """The handler of the webhook job."""
        async with self._database.reading() as conn:
            found = await conn.execute(
                sa.select(events, registrations.c.reference, registrations.c.email)
                .join(registrations, registrations.c.id == events.c.registration_id)
                .where(events.c.id == event, events.c.delivered_at.is_(None))
            )
            row = found.one_or_none()
        if row is None:
            return None
        answer = await self._post(event, self._body(row))
        if isinstance(answer, int) and 200 <= answer < 300:
            async with self._database.writing() as conn:
                delivered = {"delivered_at": self._now(), "abandoned_at": None}
                await conn.execute(events.update().where(events.c.id == event).values(delivered))
            return None
        if answer == httpx2.codes.GONE or attempt > len(self._backoff):
            log.error("hook.abandoned", event_id=event, attempt=attempt, answer=answer)
            await self._abandon(row)
            return Dead(f"receiver: {answer}")
        log.warning("hook.deferred", event_id=event, attempt=attempt, answer=answer)
        return Again(self._backoff[attempt - 1])

    def _body(self, row: sa.Row[Any]) -> str:
        email = row.email and mask_email(self._vault.open("registrations", "email", row.registration_id, row.email))
        data = {
            "registration_id": row.registration_id,
            "reference": row.reference,
            "status": row.status,
            "email_masked": email or "",
        }
        return json.dumps({"type": row.type, "timestamp": row.at.isoformat().replace("+00:00", "Z"), "data": data})

    async def _post(self, event: str, body: str) -> int | str:
        """The status code, or the kind of failure when there was none."""
        at = datetime.now(UTC)  # the receiver compares it with its own clock, so it is the real time whatever `clock` says
        headers = {
            **self._traces.carried(),
            "content-type": "application/json",
            "webhook-id": event,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(signer.sign(event, at, body) for signer in self._signers),
        }
        try:
            answer = await self._client.post(self._url, content=body, headers=headers, timeout=self._timeout)
        except httpx2.HTTPError as error:
            return type(error).__name__
        return answer.status_code

    async def _abandon(self, row: sa.Row[Any]) -> None:
        """Once, however often this is tried: from then on the chat may never hear of it, so its person is told by mail what matters."""
        async with self._database.writing() as conn:
            open_ = sa.and_(events.c.id == row.id, events.c.abandoned_at.is_(None))
            if (await conn.execute(events.update().where(open_).values(abandoned_at=self._now()))).rowcount:
                await self._tell_by_mail(conn, row.registration_id, row.status)
