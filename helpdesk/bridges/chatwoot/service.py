"""The bridge to Chatwoot, built: what carries, what brings back, and the address that Chatwoot rings at.

Lives here: construction. Must not live here: settings, or running any of it (`akses/`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import httpx2
from starlette.routing import BaseRoute

from dialogs.texts import Language
from helpdesk.bridges.carrier import Carrier
from helpdesk.bridges.chatwoot.bridge import NAME, ChatwootBridge
from helpdesk.bridges.chatwoot.client import Chatwoot
from helpdesk.bridges.chatwoot.config import ChatwootConfig
from helpdesk.bridges.chatwoot.inbound import Inbound
from helpdesk.bridges.chatwoot.people import People
from helpdesk.bridges.chatwoot.webhook import routes
from helpdesk.bridges.chatwoot.words import Words
from helpdesk.service import Helpdesk


@dataclass(frozen=True, slots=True)
class ChatwootService:
    """`carrier.run` and `inbound.run` are to be run beside, `routes` to be served; `close` when all that has ended."""

    carrier: Carrier
    inbound: Inbound
    routes: Sequence[BaseRoute]
    close: Callable[[], Awaitable[None]]


def build(
    config: ChatwootConfig,
    desk: Helpdesk,
    transport: httpx2.AsyncBaseTransport | None = None,
    *,
    language: Language = "id",
    failed: Callable[[str, str], None] = lambda *_: None,
) -> ChatwootService:
    """`transport` is how Chatwoot is reached; `language` that of the notes there; `failed` is told of every failure, by bridge and code."""
    client, words, book = Chatwoot(config, transport), Words(language), desk.book(NAME)
    people, staff = People(client), desk.people

    def aligned(conversation: int) -> None:
        inbound.ring(conversation)

    bridge = ChatwootBridge(client, people, words, aligned)
    carrier = desk.carrier(bridge, book, failed)
    inbound = Inbound(
        client,
        bridge,
        people,
        desk.deeds(book),
        book,
        staff.agents,
        staff.accounts,
        words,
        sweeps=lambda: carrier.holding,
        failed=failed,
    )
    return ChatwootService(carrier, inbound, routes(config, inbound.ring, failed), client.close)
