"""Traces tell the way and the time of a turn when an operator wants them, without a word of what was said; else they cost nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NoOpTracerProvider, SpanKind, StatusCode, Tracer
from starlette.applications import Starlette

import backend
from akses import request_id, tracing
from akses.keyring import Keyring
from akses.metrics import route_of
from backend.app import create_app
from backend_client.client import BackendClient
from bot import status_webhook
from bot.conversation import Conversation
from bot.stores.memory import MemoryStore
from dialogs.effects import Show
from dialogs.events import ButtonPressed, Started, TextSent
from tests.backend.stage import API_KEY, SECRET, Clock, served, stage_on, token_in, until
from tests.bot.test_turns import Bot, Screenful
from tests.services import fresh_database, postgres_cluster

CHAT = Conversation("web", "siti")
ANSWERS = ("Siti Rahmawati", "3171234501900001", "081234567890", "siti.rahmawati@example.com")
# All that a span of ours may say.
ATTRIBUTES = {"akses.request", "http.request.method", "http.response.status_code"}


@dataclass
class Spans:
    """A provider as an operator's, whose exporter keeps what it is given."""

    exporter: InMemorySpanExporter
    tracer: Tracer

    def ended(self, name: str = "") -> Sequence[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if not name or span.name == name]


@pytest.fixture
def spans() -> Spans:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = tracing.tracer(provider)
    assert tracer is not None
    return Spans(exporter, tracer)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/accounts.db"
        return
    with postgres_cluster() as cluster, fresh_database(cluster, "traced") as url:
        backend.migrate(url)
        yield url


class Part:
    kind = "a part"

    async def twice(self, number: int, *, plus: int = 0) -> int:
        return 2 * number + plus

    async def breaks(self, nik: str) -> None:
        raise ValueError(f"{nik} is taken")

    def at_once(self) -> str:
        return "now"


async def test_each_call_of_a_traced_part_is_a_span_and_works_as_before(spans: Spans) -> None:
    part = tracing.traced(Part(), "store", spans.tracer)
    with request_id.named("request.one"):
        assert await part.twice(3, plus=1) == 7
    assert (part.at_once(), part.kind) == ("now", "a part")
    (span,) = spans.ended()
    assert (span.name, dict(span.attributes or {})) == ("store.twice", {"akses.request": "request.one"})
    assert span.status.status_code is StatusCode.UNSET


async def test_an_error_is_told_by_its_type_alone_and_still_raised(spans: Spans) -> None:
    with pytest.raises(ValueError, match="is taken"):
        await tracing.traced(Part(), "backend", spans.tracer).breaks("3171234567890123")
    (span,) = spans.ended()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "ValueError")
    assert (list(span.events), dict(span.attributes or {})) == ([], {})


async def test_without_a_provider_a_part_is_itself_and_nothing_is_carried() -> None:
    """Nothing configures one here, so nothing stands between the callers and the part."""
    part = Part()
    assert tracing.tracer() is None
    assert tracing.tracer(NoOpTracerProvider()) is None
    assert tracing.traced(part, "store", tracing.tracer()) is part
    traces = tracing.Traces(None)
    with traces.span("job.work", {}):
        assert (traces.on, traces.carried()) == (False, {})


@asynccontextmanager
async def traced_product(url: str, tracer: Tracer | None) -> AsyncIterator[tuple[Bot, Screenful, list[str]]]:
    """Bot and backend, with HTTP between them both ways, as the composition root puts tracing into them; and the mailed links."""
    async with AsyncExitStack() as stack:
        traces, route = tracing.Traces(tracer), Starlette()
        chat_side = tracing.TracedHttp(route, tracer, route_of) if tracer else route
        hook = await stack.enter_async_context(served(chat_side))
        stage = await stack.enter_async_context(
            stage_on(url, Keyring.parse(Keyring.generate()), traces=traces, status_webhook_url=f"{hook}/status/webhook")
        )
        app = create_app(stage.backend)
        address = await stack.enter_async_context(served(tracing.TracedHttp(app, tracer, route_of) if tracer else app))
        client = await stack.enter_async_context(BackendClient(address, api_key=API_KEY, trace=traces.carried))
        screens = Screenful()
        bot = Bot(MemoryStore(), Clock(), screens, tracing.traced(client, "backend", tracer))
        turns = tracing.traced(bot.turns, "turn", tracer)
        route.router.routes += status_webhook.routes(turns, (SECRET,))
        links: list[str] = []
        yield bot, screens, links
        await until(lambda: stage.smtp.taken)
        links.append(token_in((await stage.smtp.mails(1))[0]))


async def registers(bot: Bot, screens: Screenful) -> None:
    await bot.happens(Started(), "e0")
    for number, act in enumerate(("agree", "kind.individu_lokal", *ANSWERS, "activate"), 1):
        (*_, (_, _, shown)) = screens.got
        assert isinstance(shown, Show)
        event = TextSent(act, f"m{number}") if act in ANSWERS else ButtonPressed(shown.screen.token, act)
        await bot.happens(event, f"e{number}")
    await bot.settles()


async def test_one_trace_goes_from_the_hand_off_through_backend_and_worker_back_to_the_chat(
    spans: Spans, database: str
) -> None:
    async with traced_product(database, spans.tracer) as (bot, screens, _):
        await registers(bot, screens)
        await until(lambda: len(spans.ended("turn.take")) == 1)
    (create,) = spans.ended("backend.create")
    (http,) = spans.ended("http.api.v1")
    (mail,) = spans.ended("job.send_mail")
    (told,) = spans.ended("job.deliver_event")
    (heard,) = spans.ended("http.status.webhook")
    (taken,) = spans.ended("turn.take")
    way = (create, http, mail, told, heard, taken)
    assert len({span.context.trace_id for span in way if span.context}) == 1
    for before, after in pairwise(way):
        assert before.context is not None
        assert after.parent is not None
        assert after.parent.span_id == before.context.span_id, f"{after.name} does not follow {before.name}"
    assert [http.kind, mail.kind, heard.kind] == [SpanKind.SERVER, SpanKind.CONSUMER, SpanKind.SERVER]
    assert dict(http.attributes or {})["http.response.status_code"] == 202


async def test_no_span_says_anything_of_the_person(spans: Spans, tmp_path: Path) -> None:
    async with traced_product(f"sqlite:///{tmp_path}/accounts.db", spans.tracer) as (bot, screens, links):
        await registers(bot, screens)
        await until(lambda: spans.ended("turn.take"))
    for span in spans.ended():
        assert set(span.attributes or {}) <= ATTRIBUTES
        assert list(span.events) == []
        told = span.to_json()
        assert [secret for secret in (*ANSWERS, "+6281234567890", *links) if secret in told] == []
