"""WhatsApp, switched on: what the composition root builds, starts and closes.

Lives here: configuration, starting and stopping. Must not live here: anything that happens for a delivery.
Three steps, because the runner needs the channel and the channel's input needs the runner:
`whatsapp = WhatsApp(config, store, keys)`; give `whatsapp.channel` to the runner; `whatsapp.start(turns)`.

Meta is told where to call by whoever sets the app up there (docs/whatsapp.md). It asks first whether the address is ours: `routes`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, urlsplit

import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from bot.channels.whatsapp.channel import LIMITS, WhatsAppChannel
from bot.channels.whatsapp.graph import ROOT, Graph, GraphError
from bot.channels.whatsapp.intake import Hears, Intake
from bot.channels.whatsapp.people import Keys, People
from bot.channels.whatsapp.webhook import PATH, Webhook, challenge
from bot.limits import Buckets, Limiter, LocalBuckets
from bot.plain_http import Plain
from bot.stores.port import Store
from bot.turns import Turns

logger = structlog.get_logger(__name__)

_GRACE: Final = 5.0  # seconds that a delivery under way may take when the process ends
_PAUSES: Final = (1.0, 5.0, 30.0, 300.0)  # seconds; the last one goes on
_CALL_SECONDS: Final = 10.0
_PHONE_ID: Final = re.compile(r"[0-9]{5,20}")
_HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


class WhatsAppConfigInvalid(ValueError):
    """A setting of WhatsApp is missing or malformed; the text names the setting and what to do, never its value."""


@dataclass(frozen=True, slots=True)
class WhatsAppConfig:
    """Raises WhatsAppConfigInvalid. `app_secrets`: any of them verifies. `phone_id` is Meta's id of the number, not the number."""

    token: str = field(repr=False)
    phone_id: str
    app_secrets: tuple[str, ...] = field(repr=False)
    verify_token: str = field(repr=False)
    api_base: str = ROOT

    def __post_init__(self) -> None:
        if not self.token or any(each.isspace() for each in self.token):
            raise WhatsAppConfigInvalid("WHATSAPP_TOKEN is not a token as Meta writes it; copy that of the system user")
        if not _PHONE_ID.fullmatch(self.phone_id):
            raise WhatsAppConfigInvalid(
                "WHATSAPP_PHONE_ID must be the number's id in Meta's WhatsApp Manager (digits), not the number itself"
            )
        if not self.app_secrets:
            raise WhatsAppConfigInvalid(
                "WHATSAPP_APP_SECRET must be the app's secret (App settings, Basic): without it nobody's messages could be told from Meta's"
            )
        if not self.verify_token:
            raise WhatsAppConfigInvalid(
                "WHATSAPP_VERIFY_TOKEN must be a word of your own choice, the same as in the app's webhook settings"
            )
        if urlsplit(self.api_base).scheme not in ("http", "https"):
            raise WhatsAppConfigInvalid("WHATSAPP_API_BASE is not an http(s) address")


class WhatsApp:
    """One number. `buckets` count what is sent; without them this process counts for itself alone."""

    def __init__(
        self,
        config: WhatsAppConfig,
        store: Store,
        keys: Keys,
        *,
        buckets: Buckets | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._config = config
        self._graph = Graph(config.token, config.phone_id, config.api_base)
        self._people = People(store, keys, clock)
        self._intake: Intake | None = None
        self._asking: asyncio.Task[None] | None = None
        self._number = ""
        self.channel = WhatsAppChannel(self._graph, self._people, Limiter(buckets or LocalBuckets(LIMITS)))
        self.posts: Mapping[str, Plain] = {}

    @property
    def routes(self) -> list[BaseRoute]:
        """Where Meta asks whether this address is ours."""

        async def verify(request: Request) -> Response:
            said = challenge(request.query_params, self._config.verify_token)
            return PlainTextResponse(said or "", 403 if said is None else 200, _HEADERS)

        return [Route(PATH, verify, methods=["GET"])]

    def start(self, turns: Turns, delivery: Hears) -> None:
        """Begin, inside a running loop; returns at once. `posts` holds the endpoint from here on.

        `delivery` hears of people who can be written to again, and of what becomes of messages.
        """
        self._intake = Intake(turns, self.channel, self._people, delivery)
        self.posts = {PATH: Webhook(self._intake, self._people, self._config.phone_id, self._config.app_secrets)}
        self._asking = asyncio.create_task(self._ask_for_number())

    def link(self, text: str) -> str:
        """The address that opens the chat with this text written down; "" until Meta has told the number."""
        return f"https://wa.me/{self._number}?text={quote(text, safe='')}" if self._number else ""

    async def close(self) -> None:
        """Let what is under way end, hang up."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        if self._intake is not None:
            await self._intake.close(_GRACE)
        await self._graph.close(_GRACE)

    async def _ask_for_number(self) -> None:
        """Which number people dial is needed for links alone: nobody's chat waits for it."""
        failures = 0
        while not self._number:
            try:
                self._number = await self._graph.number(within=_CALL_SECONDS)
            except GraphError as error:
                logger.warning("whatsapp.number_unknown", status=error.status, code=error.code)
            if not self._number:
                await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
                failures += 1
        logger.info("whatsapp.ready")
