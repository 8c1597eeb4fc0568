"""The composition root: from settings to a running product. The only place that knows every concrete part.

Lives here: building and wiring, for one process of each role. Must not live here: what any part does.

`run` is everything in one process on SQLite; `web` is the backend's API and pages, `worker` its durable work, `bot` the chats. The bot
speaks to the backend over HTTP and the backend to the bot by signed webhook, also inside one process: there is one way, not two.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import structlog
from opentelemetry.trace import Tracer
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from akses import health, proxies, request_id, tracing
from akses.assets import Assets
from akses.keyring import Keyring
from akses.metrics import Metrics, route_of
from akses.settings import Settings
from akses.version import version
from bot.channels.web.transcript import Transcript, TranscriptUnavailable, utc_now
from bot.conversation import Conversation
from bot.funnel import Book
from bot.plain_http import Asgi, Plain
from bot.stores.port import Store
from dialogs.effects import OpenTicket, Record

if TYPE_CHECKING:
    from akses.simulator import Simulator
    from backend.config import BackendConfig
    from bot.channels.telegram.running import Telegram, TelegramConfig
    from bot.channels.whatsapp.running import WhatsApp
    from bot.redis_link import RedisLink
    from helpdesk.bridges.forum.hearing import Hearing
    from helpdesk.service import Helpdesk, People

log = structlog.get_logger(__name__)

Role = Literal["run", "web", "worker", "bot"]
FORGET_EVERY_SECONDS: Final = 3600.0
# So long an investor may wait for an agent who is none any more, before the queue has them.
FREE_EVERY_SECONDS: Final = 5.0
# What runs beside the application may finish for so long; the rest is committed, and the next start or another process takes it up.
GRACE_SECONDS: Final = 5.0
DESIGN: Final = Path(__file__).resolve().parent.parent / "design"


class AlreadyRunning(Exception):
    """Another process works on this DATA_DIR."""


@dataclass(frozen=True, slots=True)
class Served:
    """A running product: the application to serve, those of its paths that are in a hurry and what counts their answers, whom to tell
    first that the process is to stop, and the address that lets the embedded product's owner into the helpdesk.
    """

    app: ASGIApp
    posts: Mapping[str, Plain]
    answers: Callable[[str], Callable[[int], None]]
    on_stop: tuple[Callable[[], None], ...]
    way_in: str = ""


@dataclass(slots=True)
class Parts:
    """What has been built of one process, to be served and then let go in reverse order by its stack."""

    settings: Settings
    keyring: Keyring
    stack: AsyncExitStack
    metrics: Metrics
    tracer: Tracer | None
    routes: list[BaseRoute] = field(default_factory=list)
    posts: dict[str, Plain] = field(default_factory=dict)
    probes: dict[str, health.Probe] = field(default_factory=dict)
    rest: ASGIApp | None = None
    simulator: Simulator | None = None
    on_stop: list[Callable[[], None]] = field(default_factory=list)
    way_in: str = ""

    @property
    def clock(self) -> Callable[[], datetime]:
        return self.simulator.now if self.simulator else utc_now


def listen(settings: Settings) -> socket.socket:
    """The listening socket, before anything else: what is built needs its port, and early callers wait in its queue."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError:
        listening.close()
        raise
    listening.listen(2048)
    settings.port = listening.getsockname()[1]
    return listening


@contextlib.contextmanager
def only_one(data_dir: Path) -> Iterator[None]:
    """Hold DATA_DIR for this process: SQLite files and the engine's id are for one. The kernel lets go when the process dies."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise AlreadyRunning(str(data_dir)) from None
    try:
        yield
    finally:
        os.close(lock)


@asynccontextmanager
async def composed(settings: Settings, role: Role) -> AsyncIterator[Served]:
    """Everything of this role, started, to be served at `settings.port`. Raises AlreadyRunning."""
    async with AsyncExitStack() as stack:
        if settings.embedded:
            stack.enter_context(only_one(settings.data_dir))
        metrics = Metrics(role=role, version=version())
        parts = Parts(settings, Keyring.parse(settings.encryption_keys), stack, metrics, tracing.tracer())
        if role == "run" and settings.embedded:
            from akses.simulator import Simulator

            parts.simulator = Simulator()
        if role == "run" and (not settings.smtp_url or (settings.embedded and not settings.sms_url)):
            await _inbox(parts)
        if role in ("run", "web", "worker"):
            await _backend(parts, role)
        if role in ("run", "bot"):
            await _bot(parts, helped=role == "run" or bool(settings.database_url))
        readiness = health.Readiness(parts.probes, observe=metrics.part_ready)
        parts.routes += readiness.routes()
        parts.routes += metrics.routes(settings.api_keys)
        parts.routes.append(Mount("/assets", Assets(DESIGN)))
        if parts.rest is not None:
            parts.routes.append(Mount("/", parts.rest))
        parts.routes[:0] = [Route(path, Asgi(plain), methods=["POST"]) for path, plain in parts.posts.items()]
        counted: ASGIApp = metrics.app(Starlette(routes=parts.routes))
        if parts.tracer is not None:
            counted = tracing.TracedHttp(counted, parts.tracer, route_of)
        app: ASGIApp = request_id.RequestIds(counted)
        if settings.trusted:
            app = proxies.BehindProxies(app, settings.trusted)
        yield Served(app, parts.posts, metrics.answers, (readiness.stop, *parts.on_stop), parts.way_in)


async def _inbox(parts: Parts) -> None:
    """The built-in catcher, read at /inbox: real SMTP on a free port of this machine, and what an SMS gateway takes over HTTP."""
    from akses.inbox.catcher import open_catcher
    from akses.inbox.pages import routes
    from akses.inbox.store import MailStore

    settings = parts.settings
    store = MailStore(settings.data_dir / "inbox")
    if not settings.smtp_url:
        settings.smtp_url = f"smtp://127.0.0.1:{await parts.stack.enter_async_context(open_catcher(store))}"
    password = "" if settings.sms_url else secrets.token_urlsafe(32)
    if password:
        settings.sms_url = f"{settings.local_base.replace('://', f'://inbox:{password}@', 1)}/inbox/api/sms"
    parts.routes += routes(store, operator_name=settings.operator_name, sms_password=password)


def backend_config(settings: Settings) -> BackendConfig:
    """The reference backend's part of the settings."""
    from backend.config import BackendConfig

    return BackendConfig(
        public_url=settings.public_base,
        operator_name=settings.operator_name,
        demo=settings.embedded,
        mail_from=settings.mail_from,
        # A command that sends no mail need not be told by whom it would be sent.
        smtp_url=settings.smtp_url or "smtp://127.0.0.1",
        database_url=settings.accounts_url,
        api_keys=settings.api_keys,
        scoped_keys=settings.scoped_keys,
        phone_otp=settings.phone_otp,
        sms_url=settings.sms_url if settings.phone_otp != "off" else "",
        status_webhook_url=settings.status_webhook_url or f"{settings.local_base}/status/webhook",
        status_webhook_secrets=settings.webhook_secrets,
        outbound_networks=settings.allowed_networks,
        check_registry=settings.registry == "table",
        mails_an_hour=settings.mails_per_hour,
        redis_url=settings.redis_url,
        telegram=settings.telegram_bot,
    )


def telegram_config(settings: Settings) -> TelegramConfig:
    """The Telegram bot's part of the settings. Raises TelegramConfigInvalid."""
    from bot.channels.telegram.running import TelegramConfig

    return TelegramConfig(
        token=settings.telegram_bot_token,
        api_base=settings.telegram_api_base,
        mode=settings.telegram_mode,
        webhook_secret=settings.telegram_webhook_secret,
        public_url=settings.public_base,
        framework=settings.telegram_framework,
        desk=settings.desk_group,
    )


async def _backend(parts: Parts, role: Role) -> None:
    """The reference backend: accounts, mail, pages, API."""
    from akses import desk
    from backend import migrate
    from backend.app import create_app
    from backend.services import open_backend

    settings = parts.settings
    if role == "run" and not (settings.backend_url or settings.reveal_key):
        # Who asks and who answers are in this one process: nobody else needs to know the key.
        made = f"reveal:*:{secrets.token_urlsafe(32)}"
        settings.backend_scoped_keys = ",".join(filter(None, (settings.backend_scoped_keys, made)))
    config = backend_config(settings)
    if settings.embedded:
        await asyncio.to_thread(migrate, config.database_url)
    backend_role: Literal["all", "web", "worker"] = "worker" if role == "worker" else "web" if role == "web" else "all"
    backend = await parts.stack.enter_async_context(
        open_backend(
            config,
            parts.keyring,
            role=backend_role,
            clock=parts.clock,
            observe=parts.metrics.job,
            traces=tracing.Traces(parts.tracer),
            talks=desk.held(parts.keyring),
        )
    )
    if parts.simulator:
        parts.simulator.waiting.append(backend.jobs.forward)
    if role != "web":
        parts.metrics.watch_jobs(backend.jobs.stats)
    parts.probes["accounts"] = backend.ready
    if role != "worker":
        parts.rest = create_app(backend)


async def _staff(parts: Parts) -> People:
    """Who works at the helpdesk."""
    from akses import desk

    settings = parts.settings
    if settings.embedded:
        await asyncio.to_thread(desk.migrate, settings.accounts_url)
    staff = await parts.stack.enter_async_context(desk.open_people(settings, parts.keyring, clock=parts.clock))
    if settings.embedded:
        parts.way_in = await desk.way_in(staff)
    return staff


async def _console(parts: Parts, desk: Helpdesk) -> None:
    """The agents' console, and what keeps it live and short."""
    from backend.pages.device import device
    from helpdesk.console import console

    made = console(desk, device=device)
    parts.routes += made.routes
    parts.on_stop.append(made.close)
    await parts.stack.enter_async_context(running(desk.feed.run(), "helpdesk feed", desk.feed.stop))
    await parts.stack.enter_async_context(running(tidying(desk), "helpdesk expiry"))
    await parts.stack.enter_async_context(running(freeing(desk), "helpdesk freeing"))


async def _desk_group(parts: Parts, desk: Helpdesk, telegram: Telegram) -> Hearing:
    """The helpdesk's Telegram group: what carries the talk there, and who is told of what comes back."""
    from akses.forum import desk_group

    made = desk_group(desk, telegram, parts.settings.desk_group, parts.metrics.bridge_failed)
    parts.metrics.watch_bridge(made.carrier.book)
    parts.stack.push_async_callback(made.hearing.close)
    await parts.stack.enter_async_context(running(made.watch(), "helpdesk group's place"))
    await parts.stack.enter_async_context(running(made.carrier.run(), "helpdesk group", made.carrier.stop))
    return made.hearing


async def _chatwoot(parts: Parts, desk: Helpdesk) -> None:
    """Hand-offs in an inbox of Chatwoot too, and what its agents do brought back."""
    from akses.desk import chatwoot_config
    from backend.outbound import PinnedTransport
    from helpdesk.bridges.chatwoot.service import build

    settings, metrics = parts.settings, parts.metrics
    transport = PinnedTransport(settings.allowed_networks)
    bridge = build(chatwoot_config(settings), desk, transport, failed=metrics.bridge_failed)
    parts.stack.push_async_callback(bridge.close)
    parts.routes += bridge.routes
    metrics.watch_bridge(bridge.carrier.book)
    await parts.stack.enter_async_context(running(bridge.inbound.run(), "from Chatwoot", bridge.inbound.stop))
    await parts.stack.enter_async_context(running(bridge.carrier.run(), "to Chatwoot", bridge.carrier.stop))


async def _bot(parts: Parts, *, helped: bool) -> None:
    """The chats: store, runner, delivery, channels; and the helpdesk that steps into them, where there is one."""
    from backend_client.client import BackendClient
    from bot import move_page, status_webhook
    from bot.channels.port import Channel
    from bot.channels.web.api import WebApi
    from bot.channels.web.channel import WebChannel
    from bot.channels.web.config import WebConfig
    from bot.channels.web.routes import routes as web_routes
    from bot.channels.web.sessions import Sessions as WebSessions
    from bot.delivery import OutboxDelivery
    from bot.desk import Agents
    from bot.funnel import Tally
    from bot.live import Live
    from bot.moves import Links, Moves
    from bot.requests import BackendRequests
    from bot.sessions import Sessions
    from bot.turns import TurnRunner
    from dialogs.profile import Profile
    from helpdesk import service as helpdesk
    from helpdesk.masking import known_of, mask

    settings, keyring, stack = parts.settings, parts.keyring, parts.stack
    # The chats' own store first: it is said at once when that is away, while the accounts' database is waited for.
    link, kept, transcript, book = await _dialog_storage(parts)
    staff = await _staff(parts) if helped else None
    profile = Profile(
        operator=settings.operator_name,
        home_url=f"{settings.public_base}/",
        privacy_url=f"{settings.public_base}/privasi",
        app_url=f"{settings.public_base}/telegram/app" if settings.telegram_bot else "",
        demo=settings.embedded,
        office=settings.office if staff else None,
    )
    store = tracing.traced(kept, "store", parts.tracer)
    sessions = Sessions(keyring)
    metrics = parts.metrics
    channels: dict[str, Channel] = {
        name: metrics.channel(WebChannel(name, transcript, parts.clock)) for name in ("web", "terminal")
    }
    telegram = None
    if settings.telegram_bot_token:
        from bot.channels.telegram.introduction import introductions
        from bot.channels.telegram.running import Telegram
        from bot.redis_limits import RedisBuckets

        account = telegram_config(settings)
        telegram = Telegram(
            account,
            introductions=introductions(settings.operator_name, demo=settings.embedded),
            buckets=RedisBuckets(link, account.bot_id) if link else None,
        )
        channels[telegram.channel.name] = metrics.channel(telegram.channel)
    whatsapp = None
    if settings.whatsapp_token:
        from akses import whatsapp as on_whatsapp

        whatsapp = on_whatsapp.build(settings, kept, keyring, link, parts.clock)
        channels[whatsapp.channel.name] = metrics.channel(whatsapp.channel)

    async def asking(key: str) -> BackendClient:
        address, trace = settings.backend_url or settings.local_base, tracing.Traces(parts.tracer).carried
        return await stack.enter_async_context(BackendClient(address, key, request_id=request_id.current, trace=trace))

    client = await asking(settings.api_keys[0])
    tally = Tally(book)

    def observe(conversation: Conversation, what: Record | OpenTicket) -> None:
        metrics.observe(conversation, what)
        if isinstance(what, Record):
            tally.note(what)

    runner = TurnRunner(store, sessions, profile, clock=parts.clock, observe=observe, lost=metrics.lost)
    turns = metrics.turns(tracing.traced(runner, "turn", parts.tracer))
    desk = helpdesk.records(staff, keyring, runner.session) if staff else None
    delivery = OutboxDelivery(
        store, sessions, channels, clock=parts.clock, desk=desk[0] if desk else None, suppressed=metrics.suppressed
    )
    runner.deliver_through(delivery)
    traced = tracing.traced(client, "backend", parts.tracer)
    backend = metrics.backend(traced)
    if parts.simulator:
        turns = parts.simulator.watching(turns, runner.session, helpdesk=profile.office is not None)
        backend = parts.simulator.failing(backend)
        parts.simulator.sleeping.append(delivery.wake)
    moves = Moves(Links(kept, keyring, parts.clock), turns, runner, _places(settings, telegram, whatsapp), parts.clock)
    delivery.connect(turns, request_id.NamedRequests(BackendRequests(backend, turns, notices=traced)), moves)
    parts.routes += move_page.routes(
        moves, operator=settings.operator_name, demo=settings.embedded, https=settings.public_base.startswith("https://")
    )
    hearing = None
    if staff and desk:
        live = Live(desk[0], lambda session, text: mask(text, known_of(session)))
        runner.watched_by(live.note)
        await stack.enter_async_context(running(live.run(), "live view", live.stop))
        acting = Agents(turns, runner)
        stack.push_async_callback(acting.close)
        reveals = tracing.traced(await asking(settings.reveal_key), "backend", parts.tracer) if settings.reveal_key else None
        if parts.simulator and reveals:
            reveals = parts.simulator.failing(reveals)
        built = helpdesk.build(staff, keyring, desk, acting, runner.session, backend, moves, reveals)
        metrics.watch_desk(built.counting)
        await _console(parts, built)
        if telegram is not None and settings.desk_group:
            hearing = await _desk_group(parts, built, telegram)
        if settings.chatwoot_url:
            await _chatwoot(parts, built)
    await stack.enter_async_context(running(tally.run(), "funnel", tally.stop))
    await stack.enter_async_context(running(delivery.run(), "delivery", delivery.stop))
    metrics.watch_outbox(kept.backlog)
    await stack.enter_async_context(running(forgetting(transcript), "transcript expiry"))
    if telegram is not None:
        telegram.start(
            turns,
            reached=delivery.reached,
            blocked=delivery.blocked,
            heard_at_desk=hearing.heard if hearing is not None else None,
        )
        stack.push_async_callback(telegram.close)
        parts.posts |= telegram.posts
    if whatsapp is not None:
        whatsapp.start(turns, delivery)
        stack.push_async_callback(whatsapp.close)
        parts.posts |= whatsapp.posts
        parts.routes += whatsapp.routes
    config = WebConfig(
        public_url=settings.public_base,
        operator_name=settings.operator_name,
        demo=settings.embedded,
        frame_ancestors=settings.framing_origins,
    )
    api = WebApi(transcript, turns, keyring, config, parts.clock)
    if parts.simulator:
        parts.routes += parts.simulator.routes(settings.api_keys, WebSessions(keyring, https=config.https).conversation)
    parts.on_stop.append(api.close)
    parts.routes += web_routes(api, config)
    parts.routes += status_webhook.routes(turns, settings.webhook_secrets)
    parts.probes["dialog store"] = lambda: store.load("probe", 0.0)


def _places(settings: Settings, telegram: Telegram | None, whatsapp: WhatsApp | None) -> dict[str, Callable[[str], str]]:
    """Where a form can go on, by the names of `dialogs/texts/*/move.toml`; the address of each for a token."""
    places: dict[str, Callable[[str], str]] = {"telegram": telegram.start_link} if telegram is not None else {}
    if whatsapp is not None:
        places["whatsapp"] = whatsapp.link
    # Behind the #: no log of any server gets to see it.
    places["web"] = lambda token: f"{settings.public_base}/chat#{token}"
    places["qr"] = lambda token: f"{settings.public_base}/lanjut/{token}"
    return places


async def _dialog_storage(parts: Parts) -> tuple[RedisLink | None, Store, Transcript, Book]:
    """Redis for any number of processes, or three SQLite files for one."""
    from bot.stores.funnel import RedisBook, SqliteBook

    settings, stack = parts.settings, parts.stack
    if settings.redis_url:
        from bot import redis_link
        from bot.channels.web.redis_transcript import RedisTranscript
        from bot.stores.redis import RedisStore

        link = await redis_link.RedisLink.open(settings.redis_url)
        stack.push_async_callback(link.close)
        return link, RedisStore(link), RedisTranscript(link, parts.keyring), RedisBook(link)
    from bot.channels.web.sqlite_transcript import SqliteTranscript
    from bot.stores.embedded import EmbeddedStore

    store = await EmbeddedStore.open(settings.data_dir / "dialog.db")
    stack.push_async_callback(store.close)
    transcript = await stack.enter_async_context(SqliteTranscript(settings.data_dir / "transcript.db", parts.keyring))
    return None, store, transcript, SqliteBook(settings.data_dir / "funnel.db")


async def forgetting(transcript: Transcript) -> None:
    """Erase transcripts that nobody has added to for as long as a conversation is kept."""
    from bot.turns import KEEP_SECONDS

    while True:
        with contextlib.suppress(TranscriptUnavailable):
            await transcript.expire(datetime.now(UTC) - timedelta(seconds=KEEP_SECONDS))
        await asyncio.sleep(FORGET_EVERY_SECONDS)


async def tidying(desk: Helpdesk) -> None:
    """Erase what the helpdesk has kept long enough."""
    while True:
        try:
            await desk.forget()
        except (SQLAlchemyError, OSError) as error:
            log.warning("helpdesk.not_tidied", error=type(error).__name__)
        await asyncio.sleep(FORGET_EVERY_SECONDS)


async def freeing(desk: Helpdesk) -> None:
    """Let nobody wait for an agent who was shut out: at the command line, too, which has no chats."""
    while True:
        try:
            await desk.acting.free()
        except (SQLAlchemyError, OSError) as error:
            log.warning("helpdesk.not_freed", error=type(error).__name__)
        await asyncio.sleep(FREE_EVERY_SECONDS)


@asynccontextmanager
async def running(work: Coroutine[None, None, None], name: str, stop: Callable[[], None] | None = None) -> AsyncIterator[None]:
    """Run a coroutine beside the application, and end it with it: asked to `stop` it may end what it has begun."""
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        if stop is not None:
            stop()
            await asyncio.wait({task}, timeout=GRACE_SECONDS)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
