"""Traces, where the operator has configured OpenTelemetry; nothing at all where not.

Lives here: a span around each call of a part. Must not live here: where spans go. Only OpenTelemetry's API is used: an operator installs
the SDK and an exporter and starts the product with `opentelemetry-instrument` (docs/runbook.md). A span bears the name of the call, of
the request (`akses/request_id.py`) and of the error's type; no argument and no error's text, which could be somebody's data.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Final, TypeVar, cast

from opentelemetry import trace
from opentelemetry.trace import NoOpTracerProvider, ProxyTracerProvider, Status, StatusCode, Tracer, TracerProvider

from akses import request_id

T = TypeVar("T")
NAME: Final = "akses"


def tracer(provider: TracerProvider | None = None) -> Tracer | None:
    """The tracer of the provider that this process was started with (or of this one), None where there is none."""
    provider = provider or trace.get_tracer_provider()
    return None if isinstance(provider, ProxyTracerProvider | NoOpTracerProvider) else provider.get_tracer(NAME)


def traced(part: T, kind: str, tracing: Tracer | None) -> T:
    """The part with a span "kind.method" around each of its coroutine methods; the part itself where nothing is traced."""
    return part if tracing is None else cast("T", _Traced(part, kind, tracing))


@contextmanager
def span(name: str, tracing: Tracer) -> Iterator[None]:
    """Everything within as one span."""
    with tracing.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as current:
        if (request := request_id.current()) is not None:
            current.set_attribute("akses.request", request)
        try:
            yield
        except BaseException as error:
            current.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


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
