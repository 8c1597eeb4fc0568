"""What Prometheus is told: turns, deliveries, requests, durable work, the funnel; counts and times, never a person.

Lives here: the metrics, the thin layers that count at the ports of other parts, and GET /metrics. Must not live here: what a number means
to an operator (`docs/runbook.md`) or who is wired to what (`akses/compose.py`).

Every label takes its values from few: one that is not a short word of letters, or one too many, is counted as "other", so that neither
a mistake nor a stranger can make the number of series grow or put anything personal into one.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from time import monotonic, perf_counter, time
from typing import Final, Generic, TypeVar

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from akses import request_id
from backend.job_records import Stats
from backend_client.errors import (
    BackendUnreachable,
    KeyReused,
    LimitReached,
    RegistrationClosed,
    RegistrationUnknown,
    RequestRefused,
)
from backend_client.models import NewRegistration, Registration
from backend_client.port import Backend
from bot.channels.port import Capabilities, Channel, Delivery
from bot.conversation import Conversation
from bot.stores.port import Backlog
from bot.turns import NOTHING, Answerable, StoreUnavailable, Taken, Turns
from dialogs.effects import Message as ChatMessage
from dialogs.effects import OpenTicket, Record
from dialogs.events import Event
from dialogs.texts import Language
from helpdesk.bridges.book import Book
from helpdesk.numbers import Counting as DeskNumbers

log = structlog.get_logger(__name__)

M = TypeVar("M", Counter, Gauge, Histogram)
Sampled = Mapping[tuple[str, ...], float]
Sample = Callable[[], Awaitable[Sampled]]

OTHER: Final = "other"
# So many different sets of labels one metric may have; the dialog's own come to less than half of it.
MOST: Final = 200
_WORD: Final = re.compile(r"[a-z](?:[a-z_.]|[0-9](?![0-9])){0,39}|[1-5]xx")
# Seconds. A turn takes fractions of a millisecond; what is outside takes tens of milliseconds to seconds.
TURN_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5)
CALL_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)
# Asked for more often than this, what has to be looked up (queues, outbox) is told as it was.
SAMPLE_SECONDS: Final = 5.0
PATIENCE_SECONDS: Final = 2.0
# In WIB, today included: a scrape after midnight still tells of a day.
DESK_DAYS: Final = 2
OUTBOX_SECONDS: Final = 60.0
# The routes of the product, the special before the general; anything else is "other".
ROUTES: Final = (
    "/whatsapp/webhook", "/status/webhook", "/telegram/webhook", "/telegram/app", "/chat/api", "/api/v1", "/aktivasi", "/assets",
    "/helpdesk/chatwoot", "/helpdesk", "/privasi", "/lanjut", "/inbox", "/masuk", "/keluar", "/akun", "/kode", "/chat",
)  # fmt: skip
# Asked by machines all day.
UNCOUNTED: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_REFUSALS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (BackendUnreachable, "unreachable"),
    (LimitReached, "limited"),
    (RegistrationClosed, "closed"),
    (RegistrationUnknown, "unknown"),
    (KeyReused, "key_reused"),
    (RequestRefused, "refused"),
)


class Children(dict[tuple[str, ...], M], Generic[M]):
    """The children of one metric by their labels' values, each bound once: `children["web", "answered"].inc()`."""

    def __init__(self, metric: M) -> None:
        super().__init__()
        self._metric: M = metric

    def __missing__(self, values: tuple[str, ...]) -> M:
        known = tuple(value if not value or _WORD.fullmatch(value) else OTHER for value in values)
        if known != values:
            return self[known]
        if len(self) >= MOST:
            known = (OTHER,) * len(values)
        child: M = self.get(known) or self._metric.labels(*known)
        self[known] = child
        return child


class Looked(Collector):
    """Gauges of what was looked up for this scrape; what could not be looked up is absent, not zero."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._families: dict[str, tuple[str, tuple[str, ...], Sample]] = {}
        self._found: dict[str, Sampled] = {}
        self._at = float("-inf")
        self._looking = asyncio.Lock()

    def add(self, name: str, meaning: str, labels: tuple[str, ...], sample: Sample) -> None:
        self._families[name] = (meaning, labels, sample)

    async def look(self) -> None:
        """Look everything up anew, unless that has just been done."""
        async with self._looking:
            if monotonic() - self._at < SAMPLE_SECONDS:
                return
            await asyncio.gather(*(self._look(name, sample) for name, (_, _, sample) in self._families.items()))
            self._at = monotonic()

    async def _look(self, name: str, sample: Sample) -> None:
        self._found.pop(name, None)
        try:
            async with asyncio.timeout(self._patience):
                self._found[name] = await sample()
        except Exception as error:  # noqa: BLE001 (whatever it is, the others are still to be told)
            log.warning("metrics.not_looked_up", metric=name, error=type(error).__name__)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, (meaning, labels, _) in self._families.items():
            family = GaugeMetricFamily(name, meaning, labels=labels)
            for values, number in list(self._found.get(name, {}).items())[:MOST]:
                family.add_metric([value if not value or _WORD.fullmatch(value) else OTHER for value in values], number)
            yield family


class Metrics:
    """The metrics of one process. Its methods are what the other parts are given; none of them waits or raises.

    `patience` is how many seconds a scrape waits for what it looks up.
    """

    def __init__(self, *, role: str, version: str, patience: float = PATIENCE_SECONDS) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._gauge("akses_build_info", "1, with what runs here", "role", "version").labels(role, version).set(1)
        self.turns_taken = self._counter("akses_turns", "Turns taken", "channel", "outcome")
        self.turn_seconds = self._histogram("akses_turn_seconds", "From event to committed turn", TURN_BUCKETS, "channel")
        self.retried = self._counter("akses_commits_retried", "Turns done again because another process got one in", "channel")
        self.funnel = self._counter("akses_funnel", "What people did at each step of the dialog", "step", "what", "code")
        self.tickets = self._counter("akses_tickets", "Requests for a helpdesk agent", "reason", "step")
        self.bridges = self._counter(
            "akses_desk_bridge_failures", "What a bridge of the helpdesk could not carry", "bridge", "code"
        )
        self.silenced = self._counter("akses_bot_output_suppressed", "Questions of the bot not sent over an agent", "channel")
        self.delivered = self._counter("akses_deliveries", "Messages carried to chats outside the turn", "channel", "outcome")
        self.delivery_seconds = self._histogram("akses_delivery_seconds", "One message to a chat", CALL_BUCKETS, "channel")
        self.requests = self._counter("akses_backend_requests", "Requests of the bot to the backend", "kind", "outcome")
        self.request_seconds = self._histogram("akses_backend_request_seconds", "Such a request", CALL_BUCKETS, "kind")
        self.jobs_done = self._counter("akses_jobs_done", "Attempts at durable work", "job", "outcome")
        self.job_seconds = self._histogram("akses_job_seconds", "One attempt at a job", CALL_BUCKETS, "job")
        self.http = self._counter("akses_http_requests", "HTTP requests answered", "route", "status")
        self.http_seconds = self._histogram("akses_http_seconds", "Until an HTTP answer began", CALL_BUCKETS, "route")
        self.ready = Children(self._gauge("akses_ready", "Whether a part was ready when last asked", "part"))
        self._books: list[Book] = []
        self.looked = Looked(patience)
        self.registry.register(self.looked)

    def _counter(self, name: str, meaning: str, *labels: str) -> Children[Counter]:
        return Children(Counter(name, meaning, labels, registry=self.registry))

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(name, meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Children[Histogram]:
        return Children(Histogram(name, meaning, labels, buckets=buckets, registry=self.registry))

    # --- what other parts call

    def observe(self, conversation: Conversation, effect: Record | OpenTicket) -> None:  # noqa: ARG002 (the runner's hook)
        """The runner's `observe`: one segment of the funnel."""
        if isinstance(effect, OpenTicket):
            self.tickets[effect.reason, effect.step].inc()
        else:
            # Whoever makes a campaign's link chooses its code, so here it is no label; `akses funnel` tells them apart.
            self.funnel[effect.step, effect.what, "" if effect.step == "campaign" else effect.code].inc()

    def lost(self, conversation: Conversation) -> None:
        """The runner's `lost`: a commit came second and the turn is done again."""
        self.retried[conversation.channel,].inc()

    def suppressed(self, conversation: Conversation) -> None:
        """The delivery's `suppressed`: the bot would have spoken over an agent."""
        self.silenced[conversation.channel,].inc()

    def bridge_failed(self, bridge: str, code: str) -> None:
        """A bridge's `failed`: it was away, or refused something; `code` is a status or the kind of failure."""
        self.bridges[bridge, f"{code[0]}xx" if code.isdecimal() and len(code) == 3 else code.lower()].inc()

    def job(self, job: str, outcome: str, seconds: float) -> None:
        """The jobs' `observe`: one attempt is over; `outcome` is done, again or broken."""
        self.jobs_done[job, outcome].inc()
        self.job_seconds[job,].observe(seconds)

    def part_ready(self, part: str, ready: bool) -> None:  # noqa: FBT001 (a probe's answer)
        """The readiness probes' `observe`."""
        self.ready[part.replace(" ", "_"),].set(ready)

    def look_up(self, name: str, meaning: str, labels: tuple[str, ...], sample: Sample) -> None:
        """A gauge that is looked up for each scrape: `sample` gives numbers by the values of `labels`. It may fail or take its time."""
        self.looked.add(name, meaning, labels, sample)

    def watch_outbox(self, backlog: Callable[[float, float], Awaitable[Backlog]]) -> None:
        """The dialog store's outbox: what is to happen within a minute, which is more than anything under way may take."""

        async def items() -> Sampled:
            now = time()
            found = await backlog(now, now + OUTBOX_SECONDS)
            return {("items",): float(found.items), ("seconds_late",): found.late}

        self.look_up("akses_outbox", "Undelivered things, and by how much the most belated is late", ("what",), items)

    def watch_jobs(self, stats: Callable[[], Awaitable[Stats]]) -> None:
        """The durable work of all processes together, by queue or job."""

        async def jobs() -> Sampled:
            found = await stats()
            return {
                **{("waiting", queue): float(count) for queue, count in found.waiting.items()},
                **{("dead", job): float(count) for job, count in found.dead.items()},
                ("running", ""): float(found.running),
                ("late", ""): float(found.late),
            }

        async def oldest() -> Sampled:
            return {(): (await stats()).oldest}

        self.look_up("akses_jobs", "Durable work that is not done, by its state and its queue or job", ("state", "of"), jobs)
        self.look_up("akses_jobs_oldest_seconds", "How long the first in line has been waiting", (), oldest)

    def watch_desk(self, counting: DeskNumbers) -> None:
        """The helpdesk: who waits now, and how it went today and yesterday."""

        async def now() -> Sampled:
            found = await counting.now()
            return {
                ("queue",): float(found.queue),
                ("with_agents",): float(found.with_agents),
                ("oldest_wait_seconds",): found.oldest,
            }

        async def waits() -> Sampled:
            found = await counting.period(DESK_DAYS)
            values = {"median": found.p50, "ninth_decile": found.p90}
            return {(name,): value for name, value in values.items() if value is not None}

        async def places() -> Sampled:
            return {place: float(count) for place, count in (await counting.period(DESK_DAYS)).places.items()}

        async def ratings() -> Sampled:
            return {(f"r{rating}",): float(count) for rating, count in (await counting.period(DESK_DAYS)).ratings.items()}

        self.look_up("akses_desk", "Conversations that wait for an agent or are with one, and the longest wait", ("what",), now)
        meaning = "From the hand-off to an agent's first word, today and yesterday"
        self.look_up("akses_desk_first_response_seconds", meaning, ("quantile",), waits)
        self.look_up("akses_desk_handoffs", "Hand-offs of today and yesterday, by step and reason", ("step", "reason"), places)
        self.look_up("akses_desk_ratings", "Ratings of today's and yesterday's hand-offs, r1 to r5", ("rating",), ratings)

    def watch_bridge(self, book: Book) -> None:
        """How long the oldest thing has been waiting that a bridge has not carried yet."""
        self._books.append(book)
        if len(self._books) > 1:
            return

        async def behind() -> Sampled:
            return {(each.name,): await each.behind() for each in self._books}

        self.look_up("akses_desk_bridge_behind_seconds", "How long the oldest thing waits for the bridge", ("bridge",), behind)

    # --- the layers at the ports

    def turns(self, inner: Turns) -> Turns:
        return CountedTurns(inner, self)

    def channel(self, inner: Channel) -> Channel:
        return CountedChannel(inner, self)

    def backend(self, inner: Backend) -> Backend:
        return CountedBackend(inner, self)

    def app(self, inner: ASGIApp) -> ASGIApp:
        return CountedHttp(inner, self)

    def answers(self, path: str) -> Callable[[int], None]:
        """What the fast lane tells of its answers: counted as all others are, timed as turns."""
        route = route_of(path)
        return lambda status: self.http[route, f"{status // 100}xx"].inc()

    # --- GET /metrics

    async def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        await self.looked.look()
        return await asyncio.to_thread(generate_latest, self.registry)  # some milliseconds that no turn should wait for

    def routes(self, api_keys: tuple[str, ...]) -> list[BaseRoute]:
        """GET /metrics: for this machine itself, or with one of BACKEND_API_KEY as bearer."""

        async def show(request: Request) -> Response:
            if not (from_this_machine(request) or _bears(request, api_keys)):
                return PlainTextResponse("forbidden\n", 403, {"Cache-Control": "no-store"})
            return Response(await self.text(), headers={"Cache-Control": "no-store"}, media_type=CONTENT_TYPE_LATEST)

        return [Route("/metrics", show, methods=["GET"])]


def from_this_machine(request: Request) -> bool:
    """Whether the peer is this machine and speaks for itself: what a proxy passes on is a stranger's."""
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        peer = ipaddress.ip_address(request.client.host)
    except ValueError:
        return False
    return (getattr(peer, "ipv4_mapped", None) or peer).is_loopback


def _bears(request: Request, api_keys: tuple[str, ...]) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    matches = [hmac.compare_digest(key.encode(), given.strip().encode()) for key in api_keys if key]
    return scheme.lower() == "bearer" and any(matches)


class CountedTurns:
    """`Turns`, counted; and named in the logs, where what they come from is no request (polling, timers)."""

    def __init__(self, inner: Turns, metrics: Metrics) -> None:
        self._inner = inner
        self._taken = metrics.turns_taken
        self._seconds = metrics.turn_seconds

    async def take(
        self,
        conversation: Conversation,
        event: Event,
        event_id: str,
        *,
        language: Language | None = None,
        answerable: Answerable | None = None,
    ) -> Taken:
        channel, outcome, began = conversation.channel, "failed", perf_counter()
        try:
            with request_id.at_least():
                taken = await self._inner.take(conversation, event, event_id, language=language, answerable=answerable)
            outcome = "nothing" if taken is NOTHING else "answered" if taken.answer is not None else "committed"
        except StoreUnavailable:
            outcome = "unavailable"
            raise
        finally:
            self._seconds[channel,].observe(perf_counter() - began)
            self._taken[channel, outcome].inc()
        return taken

    async def deliver(self, conversation: Conversation) -> None:
        await self._inner.deliver(conversation)


class CountedChannel:
    """A `Channel`, counted by what became of each message: sent, later, dead, refused."""

    def __init__(self, inner: Channel, metrics: Metrics) -> None:
        self._inner = inner
        self._metrics = metrics

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    def typing(self, address: str) -> None:
        self._inner.typing(address)

    async def deliver(self, address: str, message: ChatMessage, key: str) -> Delivery:
        began = perf_counter()
        outcome = await self._inner.deliver(address, message, key)
        self._metrics.delivery_seconds[self.name,].observe(perf_counter() - began)
        self._metrics.delivered[self.name, type(outcome).__name__.lower()].inc()
        return outcome


T = TypeVar("T")


class CountedBackend:
    """A `Backend`, counted by the kind of request and what came of it, its retries included."""

    def __init__(self, inner: Backend, metrics: Metrics) -> None:
        self._inner = inner
        self._metrics = metrics

    async def create(self, registration: NewRegistration, *, key: str) -> Registration:
        return await self._counted("create", self._inner.create(registration, key=key))

    async def status(self, registration: str) -> Registration:
        return await self._counted("status", self._inner.status(registration))

    async def resend(self, registration: str, *, key: str) -> Registration:
        return await self._counted("resend", self._inner.resend(registration, key=key))

    async def change_email(self, registration: str, email: str, *, key: str) -> Registration:
        return await self._counted("change_email", self._inner.change_email(registration, email, key=key))

    async def withdraw(self, registration: str) -> None:
        await self._counted("withdraw", self._inner.withdraw(registration))

    async def _counted(self, kind: str, call: Awaitable[T]) -> T:
        outcome, began = "ok", perf_counter()
        try:
            return await call
        except BaseException as error:
            outcome = next((name for refusal, name in _REFUSALS if isinstance(error, refusal)), "failed")
            raise
        finally:
            self._metrics.request_seconds[kind,].observe(perf_counter() - began)
            self._metrics.requests[kind, outcome].inc()


class CountedHttp:
    """An ASGI layer that counts answers by route and class of status ("2xx")."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNCOUNTED:
            await self._app(scope, receive, send)
            return
        began, route = perf_counter(), route_of(scope["path"])

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.http[route, f"{message['status'] // 100}xx"].inc()
                self._metrics.http_seconds[route,].observe(perf_counter() - began)
            await send(message)

        await self._app(scope, receive, counting)


def route_of(path: str) -> str:
    """The route's label: never a path as it was asked for, which may hold a token."""
    if path == "/":
        return "home"
    found = next((route for route in ROUTES if path == route or path.startswith(f"{route}/")), "")
    return found.strip("/").replace("/", ".") or OTHER
