"""Traces tell the way and the time of a turn when an operator wants them, without a word of what was said; else they cost nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry.trace import (
    NonRecordingSpan,
    NoOpTracer,
    NoOpTracerProvider,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    TracerProvider,
    use_span,
)

from akses import request_id, tracing


class Span(NonRecordingSpan):
    def __init__(self, name: str) -> None:
        super().__init__(SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1)))
        self.name, self.attributes, self.status, self.exceptions = name, {}, StatusCode.UNSET, []  # type: ignore[var-annotated]
        self.description: str | None = None
        self.ended = False

    def set_attribute(self, key: str, value: Any) -> None:
        self.attributes[key] = value

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        assert isinstance(status, Status)
        self.status, self.description = status.status_code, status.description

    def record_exception(self, exception: BaseException, *args: Any, **kwargs: Any) -> None:
        self.exceptions.append(exception)

    def is_recording(self) -> bool:
        return True

    def end(self, end_time: int | None = None) -> None:
        self.ended = True


class Tracer(NoOpTracer):
    """Keeps every span that was begun, as an SDK's tracer would send it."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    @contextmanager
    def start_as_current_span(self, name: str, *args: Any, **kwargs: Any) -> Iterator[Span]:  # type: ignore[override]
        span = Span(name)
        self.spans.append(span)
        record, status = kwargs.get("record_exception", True), kwargs.get("set_status_on_exception", True)
        with use_span(span, end_on_exit=True, record_exception=record, set_status_on_exception=status):
            yield span


class Part:
    kind = "a part"

    async def twice(self, number: int, *, plus: int = 0) -> int:
        return 2 * number + plus

    async def breaks(self, nik: str) -> None:
        raise ValueError(f"{nik} is taken")

    def at_once(self) -> str:
        return "now"


async def test_each_call_of_a_traced_part_is_a_span_and_works_as_before() -> None:
    tracer = Tracer()
    part = tracing.traced(Part(), "store", tracer)
    with request_id.named("request.one"):
        assert await part.twice(3, plus=1) == 7
    assert (part.at_once(), part.kind) == ("now", "a part")
    (span,) = tracer.spans
    assert (span.name, span.attributes, span.ended, span.status) == (
        "store.twice",
        {"akses.request": "request.one"},
        True,
        StatusCode.UNSET,
    )


async def test_an_error_is_told_by_its_type_alone_and_still_raised() -> None:
    tracer = Tracer()
    with pytest.raises(ValueError, match="is taken"):
        await tracing.traced(Part(), "backend", tracer).breaks("3171234567890123")
    (span,) = tracer.spans
    assert (span.status, span.description, span.exceptions, span.attributes) == (StatusCode.ERROR, "ValueError", [], {})


async def test_without_a_provider_a_part_is_itself() -> None:
    """Nothing configures one here, so nothing stands between the callers and the part."""
    part = Part()
    assert tracing.tracer() is None
    assert tracing.traced(part, "store", tracing.tracer()) is part


async def test_a_configured_provider_gives_the_tracer_and_one_that_does_nothing_gives_none() -> None:
    class Configured(TracerProvider):
        def get_tracer(self, name: str, *args: Any, **kwargs: Any) -> Tracer:
            assert name == "akses"
            return given

    given = Tracer()
    assert tracing.tracer(Configured()) is given
    assert tracing.tracer(NoOpTracerProvider()) is None
