"""The registration dialog in a Telegram bot that exists. With aiogram 3:

    from akses.telegram import Registration, registration_router

    registration = Registration()
    dispatcher.include_router(registration_router(registration, bot))

and with python-telegram-bot:

    from akses.telegram import Registration, registration_handlers

    registration = Registration()
    application.add_handlers(registration_handlers(registration, application))

docs/telegram.md says what is taken over and what is left to the bot's own handlers.

Lives here: the composition root of a bot that is not ours, from settings to what its dispatcher or application starts and stops: store,
runner, delivery, the backend's client, and the door for the backend's news. Must not live here: what any part does.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import structlog

_found = importlib.util.find_spec("bot")
if _found is not None and _found.submodule_search_locations is None:
    raise ImportError(
        f"{_found.origin} hides the package of akses that is called bot as well; please give your file another name, such as main.py"
    )

from starlette.applications import Starlette  # noqa: E402 (only once the name `bot` is known to be ours)
from starlette.responses import Response  # noqa: E402
from starlette.types import Receive, Scope, Send  # noqa: E402

from akses.keyring import Keyring  # noqa: E402
from akses.logs import redact  # noqa: E402
from akses.settings import Settings, load  # noqa: E402
from bot.channels.telegram.api import BotApi  # noqa: E402
from bot.channels.telegram.guest import ENTRY, Guest  # noqa: E402
from bot.funnel import Book, Tally  # noqa: E402
from bot.limits import Limiter, Limits, LocalBuckets  # noqa: E402
from bot.stores.port import Store  # noqa: E402

if TYPE_CHECKING:
    from aiogram import Bot, Router
    from telegram.ext import Application, BaseHandler

    from bot.redis_link import RedisLink

__all__ = ["Limits", "Registration", "Settings", "load", "registration_handlers", "registration_router"]

_GRACE_SECONDS: Final = 5.0


class Registration:
    """The dialog for one bot: what its turns need, started and stopped with the bot.

    `settings` are those of `load("guest")`, from the environment (docs/settings.md); SettingsInvalid tells what is missing. While it is
    started it listens on HOST and PORT for the backend's signed news at /status/webhook; with `listen=False` it does not, and `app`
    (ASGI) is to be mounted where the backend reaches it. `limits` are the dialog's share of the messages that Telegram lets the bot send;
    without them it is nearly all, and what the bot sends beside that may meet a 429.

    The router and the handlers start and stop it with their dispatcher or application. Where these are run by hand: `async with
    registration`. Starting twice is starting once.
    """

    def __init__(self, settings: Settings | None = None, *, listen: bool = True, limits: Limits | None = None) -> None:
        _log_as_a_library()
        self.settings = settings or load("guest")
        self._listen = listen
        self._limits = limits or Limits()
        self._guest: Guest | None = None
        self._news: Starlette | None = None
        self._stack: AsyncExitStack | None = None

    def joins(self, api: BotApi, bot_id: int, entry: str) -> Guest:
        """Take up updates and calls of this bot; each registration serves one. Raises ValueError for a second one."""
        if self._guest is not None:
            raise ValueError("a Registration serves one bot; make another one for the next, with a DATA_DIR of its own")
        self._guest = Guest(api, bot_id, entry)
        return self._guest

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application of /status/webhook: 503 while the registration is not started, so that the news come again."""
        await (self._news or Response(status_code=503, headers={"Retry-After": "1"}))(scope, receive, send)

    async def start(self) -> None:
        """Raises OSError when PORT is taken, AlreadyRunning when DATA_DIR is."""
        if self._stack is not None:
            return
        if self._guest is None:
            raise ValueError("a Registration needs a bot: registration_router or registration_handlers")
        self._stack = AsyncExitStack()
        try:
            await self._build(self._guest, self._stack)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Let what is under way end; what is committed goes on after the next start."""
        stack, self._stack, self._news = self._stack, None, None
        if stack is not None:
            await stack.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _build(self, guest: Guest, stack: AsyncExitStack) -> None:
        from akses.compose import running
        from backend_client.client import BackendClient
        from bot import status_webhook
        from bot.channels.telegram.channel import TelegramChannel
        from bot.channels.telegram.intake import Intake
        from bot.conversation import Conversation
        from bot.delivery import OutboxDelivery
        from bot.moves import Links, Moves
        from bot.redis_limits import RedisBuckets
        from bot.requests import BackendRequests
        from bot.sessions import Sessions
        from bot.turns import TurnRunner
        from dialogs.effects import OpenTicket, Record
        from dialogs.profile import Profile

        settings = self.settings
        keyring = Keyring.parse(settings.encryption_keys)
        sessions = Sessions(keyring)
        link, store, book = await self._storage(stack)
        buckets = RedisBuckets(link, str(guest.bot_id), self._limits) if link else LocalBuckets(self._limits)
        channel = TelegramChannel(guest.api, Limiter(buckets), courtesies=guest.politely)
        tally = Tally(book)

        def observe(_: Conversation, what: Record | OpenTicket) -> None:
            if isinstance(what, Record):
                tally.note(what)

        known = settings.telegram_bot
        profile = Profile(
            operator=settings.operator_name,
            home_url=f"{settings.public_base}/",
            privacy_url=f"{settings.public_base}/privasi",
            app_url=f"{settings.public_base}/telegram/app" if known and known.id == guest.bot_id else "",
        )
        runner = TurnRunner(store, sessions, profile, observe=observe)
        delivery = OutboxDelivery(store, sessions, {channel.name: channel})
        runner.deliver_through(delivery)
        client = await stack.enter_async_context(BackendClient(settings.backend_url, api_key=settings.api_keys[0]))
        places: dict[str, Callable[[str], str]] = {"telegram": guest.start_link}
        if settings.redis_url:  # which is then that of `akses bot` too, whose web chat takes forms over
            places["web"] = lambda token: f"{settings.public_base}/chat#{token}"
        moves = Moves(Links(store, keyring), runner, runner, places)
        delivery.connect(runner, BackendRequests(client, runner, notices=client), moves)
        await stack.enter_async_context(running(tally.run(), "funnel", tally.stop))
        await stack.enter_async_context(running(delivery.run(), "delivery", delivery.stop))
        self._news = Starlette(routes=status_webhook.routes(runner, settings.webhook_secrets))
        if self._listen:
            await stack.enter_async_context(self._listening())
        guest.open(runner, Intake(runner, channel, guest.politely, delivery.reached, delivery.blocked))
        stack.push_async_callback(guest.close, _GRACE_SECONDS)

    async def _storage(self, stack: AsyncExitStack) -> tuple[RedisLink | None, Store, Book]:
        """Redis for any number of processes, or two SQLite files for one."""
        from akses.compose import only_one
        from bot.stores.funnel import RedisBook, SqliteBook

        settings = self.settings
        if settings.redis_url:
            from bot.redis_link import RedisLink
            from bot.stores.redis import RedisStore

            link = await RedisLink.open(settings.redis_url)
            stack.push_async_callback(link.close)
            return link, RedisStore(link), RedisBook(link)
        from bot.stores.embedded import EmbeddedStore

        stack.enter_context(only_one(settings.data_dir))
        store = await EmbeddedStore.open(settings.data_dir / "dialog.db")
        stack.push_async_callback(store.close)
        return None, store, SqliteBook(settings.data_dir / "funnel.db")

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        import uvicorn

        from akses.compose import listen
        from akses.serve import Server

        with listen(self.settings) as listening:
            config = uvicorn.Config(
                self.app, interface="asgi3", log_config=None, access_log=False, lifespan="off", ws="none", server_header=False
            )
            server = Server(config)
            serving = asyncio.create_task(server.serve(sockets=[listening]), name="status webhook")
            try:
                yield
            finally:
                server.should_exit = True
                with contextlib.suppress(asyncio.CancelledError):
                    await serving


def registration_router(registration: Registration, bot: Bot, *, entry: str = ENTRY) -> Router:
    """The Router for `dispatcher.include_router`, before or after the bot's own as one likes (before is better: docs/telegram.md).

    `entry` is the command that begins, without its slash, and the deep link (https://t.me/NAME?start=ENTRY).
    """
    from bot.channels.telegram.aiogram_binding import AiogramApi
    from bot.channels.telegram.aiogram_router import router

    return router(registration.joins(AiogramApi(bot), bot.id, entry), bot, registration.start, registration.stop)


def registration_handlers(
    registration: Registration, application: Application[Any, Any, Any, Any, Any, Any], *, entry: str = ENTRY
) -> dict[int, Sequence[BaseHandler[Any, Any, Any]]]:
    """The handlers for `application.add_handlers`, in a group before the bot's own. `entry` as with `registration_router`."""
    from bot.channels.telegram.ptb_binding import PtbApi
    from bot.channels.telegram.ptb_handlers import handlers

    bot = application.bot
    guest = registration.joins(PtbApi(bot), int(bot.token.partition(":")[0]), entry)
    return handlers(guest, application, registration.start, registration.stop)


def _log_as_a_library() -> None:
    """Into the bot's own logging, unless it has told structlog otherwise: a line is an event and its facts, never personal data."""
    if not structlog.is_configured():
        structlog.configure(
            processors=[
                structlog.stdlib.filter_by_level,
                redact,
                structlog.processors.KeyValueRenderer(key_order=["event"]),
            ],
            logger_factory=structlog.stdlib.LoggerFactory(),
            wrapper_class=structlog.stdlib.BoundLogger,
        )
