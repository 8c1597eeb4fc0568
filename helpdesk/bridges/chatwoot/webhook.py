"""POST /helpdesk/chatwoot: where Chatwoot rings. A webhook says that something has happened in a conversation, and is believed no further:
what it was is read from Chatwoot itself (`inbound.py`).

Lives here: whose ring it is, and which conversation it is for. So a webhook that came twice, late, or in another order does no harm, and an
inbox whose secret cannot be had (chatwoot#13809) works as well: then everybody can ring, and gets nothing done by it. Chatwoot waits five
seconds for an answer and never asks again, so it is given at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from helpdesk.bridges.chatwoot.bridge import NAME
from helpdesk.bridges.chatwoot.config import ChatwootConfig
from helpdesk.bridges.chatwoot.signature import Forged, Stale, check

log = structlog.get_logger(__name__)

PATH: Final = "/helpdesk/chatwoot"
# A message has at most 150,000 characters, and comes with its conversation.
LARGEST_BYTES: Final = 2 * 1024 * 1024
_OF_A_MESSAGE: Final = frozenset({"message_created", "message_updated"})
_OF_A_CONVERSATION: Final = frozenset(
    {"conversation_status_changed", "conversation_updated", "conversation_opened", "conversation_resolved"}
)


class _Inbox(msgspec.Struct, frozen=True):
    id: int


class _Of(msgspec.Struct, frozen=True):
    id: int


class _Sender(msgspec.Struct, frozen=True):
    type: str | None = None


class _Event(msgspec.Struct, frozen=True):
    event: str
    id: int = 0
    inbox_id: int = 0
    inbox: _Inbox | None = None
    conversation: _Of | None = None
    sender: _Sender | None = None


# Conversation, and the message that it is about, 0 where it is about none.
Ring = Callable[[int, int], None]


def routes(config: ChatwootConfig, ring: Ring, failed: Callable[[str, str], None] = lambda *_: None) -> Sequence[BaseRoute]:
    """`failed` is told of every ring that was refused."""

    async def receive(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST_BYTES:
                return Response(status_code=413)
        if config.secrets:
            try:
                check(config.secrets, request.headers, body, time.time())
            except (Forged, Stale) as refused:
                log.warning("chatwoot.webhook_refused", reason=type(refused).__name__)
                failed(NAME, type(refused).__name__)
                return Response(status_code=401)
        try:
            event = msgspec.json.decode(body, type=_Event)
        except (msgspec.DecodeError, UnicodeDecodeError):
            # Of something that we know nothing of, or of no Chatwoot at all: either way there is nobody to wait for another try.
            return Response(status_code=200)
        if (event.inbox.id if event.inbox else event.inbox_id) == config.inbox:
            _rung(event, ring)
        return Response(status_code=200)

    return [Route(PATH, receive, methods=["POST"])]


def _rung(event: _Event, ring: Ring) -> None:
    if event.event in _OF_A_CONVERSATION:
        ring(event.id, 0)
    elif event.event in _OF_A_MESSAGE and event.conversation and event.sender and event.sender.type == "user":
        ring(event.conversation.id, event.id)
