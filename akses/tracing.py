"""Traces, where the operator has configured OpenTelemetry; nothing at all where not.

Lives here: a span around each call of a part, around each request that is served, and a trace carried from process to process (W3C Trace
Context). Must not live here: where spans go. Only OpenTelemetry's API is used: an operator installs
the SDK and an exporter and starts the product with `opentelemetry-instrument` (docs/runbook.md). A span bears the name of the call, of
the request (`akses/request_id.py`) and of the error's type; no argument and no error's text, which could be somebody's data.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, Final, TypeVar, cast

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    NoOpTracerProvider,
    ProxyTracerProvider,
    Span,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    TracerProvider,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from akses import request_id

T = TypeVar("T")
NAME: Final = "akses"
_W3C: Final = TraceContextTextMapPropagator()
_CARRIED: Final = frozenset(name.encode() for name in _W3C.fields)


def tracer(provider: TracerProvider | None = None) -> Tracer | None:
    """The tracer of the provider that this process was started with (or of this one), None where there is none."""
    provider = provider or trace.get_tracer_provider()
    return None if isinstance(provider, ProxyTracerProvider | NoOpTracerProvider) else provider.get_tracer(NAME)


def traced(part: T, kind: str, tracing: Tracer | None) -> T:
    """The part with a span "kind.method" around each of its coroutine methods; the part itself where nothing is traced."""
    return part if tracing is None else cast("T", _Traced(part, kind, tracing))


@contextmanager
def span(name: str, tracing: Tracer, behind: Context | None = None, kind: SpanKind = SpanKind.INTERNAL) -> Iterator[Span]:
    """Everything within as one span, behind the one in hand or that of `behind`."""
    with tracing.start_as_current_span(name, behind, kind, record_exception=False, set_status_on_exception=False) as current:
        if (request := request_id.current()) is not None:
            current.set_attribute("akses.request", request)
        try:
            yield current
        except BaseException as error:
            current.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


class Traces:
    """A trace goes on in other processes: what calls out carries it along, what is called goes on from there (`backend/traces.py`)."""

    def __init__(self, tracing: Tracer | None) -> None:
        self._tracing = tracing

    @property
    def on(self) -> bool:
        return self._tracing is not None

    def carried(self) -> dict[str, str]:
        """The headers that carry the trace in hand along; none where there is none."""
        headers: dict[str, str] = {}
        if self._tracing is not None:
            _W3C.inject(headers)
        return headers

    @contextmanager
    def span(self, name: str, carried: Mapping[str, str]) -> Iterator[None]:
        if self._tracing is None:
            yield
            return
        with span(name, self._tracing, _W3C.extract(carried), SpanKind.CONSUMER):
            yield


class TracedHttp:
    """An ASGI layer: each request is a span behind the one that its caller carried along. `route_of` names a path without its contents."""

    def __init__(self, app: ASGIApp, tracing: Tracer, route_of: Callable[[str], str]) -> None:
        self._app = app
        self._tracing = tracing
        self._route_of = route_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route = self._route_of(scope["path"])
        carried = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"] if name in _CARRIED}
        with span(f"http.{route}", self._tracing, _W3C.extract(carried), SpanKind.SERVER) as current:
            current.set_attribute("http.request.method", scope["method"])

            async def noting(message: Message) -> None:
                if message["type"] == "http.response.start":
                    current.set_attribute("http.response.status_code", message["status"])
                await send(message)

            await self._app(scope, receive, noting)


class _Traced:
    """Stands before a part and passes everything on."""

    def __init__(self, part: object, kind: str, tracing: Tracer) -> None:
        self._part = part
        self._kind = kind
        self._tracing = tracing

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        if not inspect.iscoroutinefunction(found):
            return found
        method = cast("Callable[..., Awaitable[Any]]", found)

        @wraps(method)
        async def call(*args: Any, **kwargs: Any) -> Any:
            with span(f"{self._kind}.{name}", self._tracing):
                return await method(*args, **kwargs)

        self.__dict__[name] = call  # found without asking here the next time
        return call
