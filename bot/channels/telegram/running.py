"""Telegram, switched on: what the composition root builds, starts and closes.

Lives here: configuration, set-up at Telegram, starting and stopping. Must not live here: anything that happens for an update.
Three steps, because the runner needs the channel and the channel's input needs the runner:
`telegram = Telegram(config)`; give `telegram.channel` to the runner; `telegram.start(turns)`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import structlog

from bot.channels.telegram.api import CLOUD, BotApi, BotApiError
from bot.channels.telegram.channel import TelegramChannel
from bot.channels.telegram.codec import ALLOWED_UPDATES
from bot.channels.telegram.courtesies import Courtesies
from bot.channels.telegram.intake import Heard, Intake, Reached, pause
from bot.channels.telegram.introduction import Introductions, introduce
from bot.channels.telegram.polling import Polling
from bot.channels.telegram.webhook import PATH, Webhook
from bot.limits import Buckets, Limiter, LocalBuckets
from bot.plain_http import Plain
from bot.turns import Turns
from bot.where import where

logger = structlog.get_logger(__name__)

MAX_CONNECTIONS: Final = 100
CLOUD_PORTS: Final = (443, 80, 88, 8443)
_TOKEN: Final = re.compile(r"\d+:[A-Za-z0-9_-]+")
_API_BASE: Final = re.compile(r"https?://[^\s{}]+(?:\{token\}[^\s{}]*)?")
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")
_GRACE: Final = 5.0  # seconds that a delivery under way may take when the process ends


class TelegramConfigInvalid(ValueError):
    """A setting of Telegram is missing or malformed; the text names the setting, never its value."""


@dataclass(frozen=True, slots=True)
class TelegramConfig:
    """Raises TelegramConfigInvalid. `public_url` and `webhook_secret` matter in webhook mode only; `desk` is the helpdesk's group."""

    token: str = field(repr=False)
    api_base: str = CLOUD
    mode: Literal["polling", "webhook"] = "polling"
    webhook_secret: str = field(default="", repr=False)
    public_url: str = ""
    framework: Literal["aiogram", "ptb"] = "aiogram"
    desk: int = 0

    @property
    def bot_id(self) -> str:
        """The bot's own number at Telegram; no secret."""
        return self.token.partition(":")[0]

    @property
    def webhook(self) -> dict[str, Any]:
        """The parameters of setWebhook: nobody's waiting message is ever thrown away by it."""
        return {
            "url": self.public_url.rstrip("/") + PATH,
            "secret_token": self.webhook_secret,
            "allowed_updates": list(ALLOWED_UPDATES),
            "max_connections": MAX_CONNECTIONS,
            "drop_pending_updates": False,
        }

    def __post_init__(self) -> None:
        if not _TOKEN.fullmatch(self.token):
            raise TelegramConfigInvalid("TELEGRAM_BOT_TOKEN is not a token as BotFather writes it (digits:letters)")
        if not _API_BASE.fullmatch(self.api_base):
            raise TelegramConfigInvalid("TELEGRAM_API_BASE is not an http(s) address, with nothing in braces but {token}")
        if self.mode == "webhook":
            if not _SECRET.fullmatch(self.webhook_secret):
                raise TelegramConfigInvalid("TELEGRAM_WEBHOOK_SECRET must be 1 to 256 of A-Z a-z 0-9 _ - in webhook mode")
            if not self._can_be_called():
                raise TelegramConfigInvalid(
                    "PUBLIC_URL must be an https:// address on port 443, 80, 88 or 8443 in webhook mode: Telegram calls no other "
                    "(a local Bot API server does: TELEGRAM_API_BASE)"
                )

    def _can_be_called(self) -> bool:
        try:
            url = urlsplit(self.public_url)
            port = url.port or 443
        except ValueError:
            return False
        if not self.api_base.startswith(CLOUD):
            return url.scheme in ("http", "https") and bool(url.hostname)
        return url.scheme == "https" and bool(url.hostname) and port in CLOUD_PORTS


def connect(config: TelegramConfig) -> BotApi:
    """The Bot API through the chosen library, which is imported here: that takes seconds, so call it in a thread."""
    if config.framework == "ptb":
        from bot.channels.telegram.ptb_binding import PtbApi

        return PtbApi.to(config.token, config.api_base)
    from bot.channels.telegram.aiogram_binding import AiogramApi

    return AiogramApi.to(config.token, config.api_base)


class _Connection:
    """The Bot API while its library is still being imported: a call waits for it."""

    def __init__(self) -> None:
        self.there = asyncio.Event()
        self._api: BotApi | None = None
        self._failure: BotApiError | None = None

    def open(self, api: BotApi) -> None:
        self._api = api
        self.there.set()

    def fail(self, error: BotApiError) -> None:
        self._failure = error
        self.there.set()

    async def call(self, method: str, params: dict[str, Any], *, within: float | None = None) -> Any:
        await self.there.wait()
        if self._failure is not None or self._api is None:
            raise self._failure or BotApiError(0, "not connected")
        return await self._api.call(method, params, within=within)

    async def close(self) -> None:
        if self._api is not None:
            await self._api.close()


class Telegram:
    """One bot. `introductions` is how it presents itself, by language; without them that is left as it is.

    `buckets` count what is sent; without them this process counts for itself alone.
    """

    def __init__(
        self,
        config: TelegramConfig,
        *,
        introductions: Introductions | None = None,
        connect: Callable[[TelegramConfig], BotApi] = connect,
        buckets: Buckets | None = None,
    ) -> None:
        self._config = config
        self._introductions = introductions or {}
        self._connect = connect
        self._api = _Connection()
        self._intake: Intake | None = None
        self._life: asyncio.Task[None] | None = None
        self._introducing: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[None] | None = None
        self._desk = config.desk
        self._courtesies = Courtesies(config.token, config.api_base)
        self.limiter = Limiter(buckets or LocalBuckets())
        self.channel = TelegramChannel(self._api, self.limiter, connected=self._api.there.is_set, courtesies=self._courtesies)
        self.posts: Mapping[str, Plain] = {}

    def start(
        self,
        turns: Turns,
        *,
        reached: Reached | None = None,
        blocked: Reached | None = None,
        heard_at_desk: Heard | None = None,
    ) -> None:
        """Begin, inside a running loop; returns at once. In webhook mode `posts` holds the endpoint from here on.

        `reached` is told of people who can be written to again (`OutboxDelivery.reached`), `blocked` of those who cannot any more,
        `heard_at_desk` of everything in the helpdesk's group.

        The library is imported and Telegram told of commands and webhook in the background, as often as the network needs.
        """
        self._intake = Intake(turns, self.channel, self._courtesies, reached, blocked)
        self._intake.desk, self._intake.heard_at_desk = self._desk if heard_at_desk else 0, heard_at_desk
        if self._config.mode == "webhook":
            self.posts = {PATH: Webhook(self._intake, self._config.webhook_secret)}
        self._ready = asyncio.get_running_loop().create_future()
        self._life = asyncio.create_task(self._live(self._intake, self._ready))

    async def call(self, method: str, params: dict[str, Any], *, within: float) -> Any:
        """One call of this bot, for a part beside the channel. Raises BotApiError, also where the bot is not connected yet."""
        if not self._api.there.is_set():
            raise BotApiError(0, "not connected", arrived=False)
        return await self._api.call(method, params, within=within)

    def moved(self, desk: int) -> None:
        """The helpdesk's group is this one from now on."""
        self._desk = desk
        if self._intake is not None and self._intake.heard_at_desk is not None:
            self._intake.desk = desk

    def start_link(self, payload: str) -> str:
        """The address that opens this bot with a payload; "" until Telegram has told the bot's name."""
        name = self._intake.username if self._intake is not None else ""
        return f"https://t.me/{name}?start={payload}" if name else ""

    async def ready(self) -> None:
        """Wait until Telegram knows of us. Raises BotApiError where it refuses the token or the set-up for good."""
        assert self._ready is not None, "start first"
        await asyncio.shield(self._ready)

    async def close(self) -> None:
        """Stop receiving, let what is under way end, hang up."""
        ending = [task for task in (self._life, self._introducing) if task is not None]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        if self._intake is not None:
            await self._intake.close(_GRACE)
        await self._api.close()

    async def _live(self, intake: Intake, ready: asyncio.Future[None]) -> None:
        try:
            self._api.open(await asyncio.to_thread(self._connect, self._config))
            await self._set_up(intake)
            ready.set_result(None)
            logger.info("telegram.ready", mode=self._config.mode, username=intake.username)
            if self._introductions:
                self._introducing = asyncio.create_task(introduce(self._api, self._introductions))
            if self._config.mode == "polling":
                await Polling(self._api, intake).run()
        except Exception as error:  # noqa: BLE001 - nobody awaits this task, so whatever ends it is told here and in `ready`
            failure = error if isinstance(error, BotApiError) else BotApiError(0, type(error).__name__)
            logger.error("telegram.stopped", reason=failure.description, where=where(error))
            self._api.fail(failure)
            if not ready.done():
                ready.set_exception(error)
                ready.exception()  # whoever waits gets it; nobody waiting is no second error
        finally:
            if not ready.done():
                ready.cancel()

    async def _set_up(self, intake: Intake) -> None:
        intake.username = (await self._insist("getMe", {})).get("username", "")
        if self._config.mode == "webhook":
            await self._insist("setWebhook", self._config.webhook)
        else:
            await self._insist("deleteWebhook", {"drop_pending_updates": False})

    async def _insist(self, method: str, params: dict[str, Any]) -> Any:
        """Call until it is done: trouble of the network or of Telegram is waited out, a refusal is raised."""
        failures = 0
        while True:
            try:
                return await self._api.call(method, params)
            except BotApiError as error:
                if 400 <= error.code < 500 and error.code != 429:
                    raise
                failures += 1
                logger.warning(
                    "telegram.set_up_failed",
                    method=method,
                    code=error.code,
                    failures=failures,
                )
                await asyncio.sleep(max(error.retry_after, pause(failures)))
