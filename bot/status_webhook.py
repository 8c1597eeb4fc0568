"""Where the backend tells what became of a registration: a signed webhook, verified on its raw bytes, told to the chat once.

Lives here: POST /status/webhook. Must not live here: verifying (`backend_client/events.py`) or the words (`dialogs/news.py`).
The event's `reference` is the conversation that registered; it was given to the backend with the registration.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from backend_client.events import EventForged, EventStale, EventUnreadable, read_event
from backend_client.models import EventType
from bot.conversation import Conversation
from bot.turns import StoreUnavailable, Turns
from dialogs.events import ActivationChanged, ActivationStatus

log = structlog.get_logger(__name__)

MEANING: Final[dict[EventType, ActivationStatus]] = {
    "registration.mailed": "mailed",
    "registration.mail_failed": "mail_failed",
    "registration.activated": "active",
    "registration.expired": "expired",
    "registration.withdrawn": "withdrawn",
}
LARGEST_BYTES: Final = 16 * 1024


def routes(turns: Turns, secrets: Sequence[str]) -> list[BaseRoute]:
    """`secrets` are Standard Webhooks secrets ("whsec_..."); any of them verifies, so that they can be rotated."""

    async def receive(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST_BYTES:
                return Response(status_code=413)
        try:
            event_id, event = read_event(secrets, request.headers, body)
        except (EventForged, EventStale) as refused:
            log.warning("status.refused", reason=type(refused).__name__)
            return Response(status_code=401)
        except EventUnreadable:
            # Of a later version of the backend: taken, because sending it again would not help.
            log.warning("status.unreadable")
            return Response(status_code=204)
        status = MEANING[event.type]
        conversation = Conversation.parse(event.data.reference)
        try:
            taken = await turns.take(
                conversation, ActivationChanged(event.data.registration_id, status, event.timestamp), event_id
            )
        except StoreUnavailable:
            return Response(status_code=503, headers={"Retry-After": "1"})
        if taken.left:
            await turns.deliver(conversation)
        return Response(status_code=204)

    return [Route("/status/webhook", receive, methods=["POST"])]
