"""The shorter way for the paths where every microsecond counts: a whole, plain POST goes from its bytes straight to what answers it.

Lives here: telling such a request from all others, and writing its answer. Everything else, and every request that is in any way unusual
(chunked, upgrading, expecting, several lengths, too long), is uvicorn's, which serves the same paths. Must not live here: what a path
means (`bot/plain_http.py`). An ASGI server's events, scope and cycle cost some 35 us a turn, a third of it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple, cast

import msgspec
import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from akses import request_id
from akses.punctual import HEAD_BYTES, Punctual
from bot.plain_http import Answer, Headers, Plain

log = structlog.get_logger(__name__)

HEAD_LIMIT: Final = HEAD_BYTES  # of a request line and its headers, the same whichever way a request goes
# Requests that have any of these are not plain.
_UNUSUAL: Final = frozenset({b"transfer-encoding", b"connection", b"upgrade", b"expect"})
_LENGTH: Final = b"content-length"
# Lines of plain names and values; no spaces around names, no folded lines, no bare line feeds.
_HEAD: Final = re.compile(rb"(?:[A-Za-z0-9_-]++:[^\r\n\0]*+\r\n)++")


Answered = Callable[[int], None]


class Lane(NamedTuple):
    """What answers a path, and what is told the status of every answer."""

    plain: Plain
    answered: Answered


class Whole(msgspec.Struct, frozen=True, gc=False):
    """A whole request, and the bytes behind it."""

    headers: Headers
    body: bytes
    rest: bytes


def read(data: bytes, start: int, limit: int) -> Whole | int | None:
    """The request whose headers begin at `start`; the number of bytes that it needs while some are missing; None if it is not plain.

    Strict, so that no two readers can take it differently (RFC 9112, 6.3 and 11.2): one length, written in digits; no spaces around
    names; no bare line feeds.
    """
    end = data.find(b"\r\n\r\n", start)
    if end < 0 or end - start > HEAD_LIMIT or not _HEAD.fullmatch(data, start, end + 2):
        return None
    lines = (line.partition(b":") for line in data[start:end].split(b"\r\n"))
    headers = [(name.lower(), value.strip(b" \t")) for name, _, value in lines]
    length = -1
    for name, value in headers:
        if name == _LENGTH:
            if length >= 0 or not value.isdigit():
                return None
            length = int(value)
        elif name in _UNUSUAL and (name != b"connection" or value.lower() != b"keep-alive"):
            return None
    if not 0 <= length <= limit:
        return None
    stop = end + 4 + length
    if len(data) < stop:
        return stop
    return Whole(headers, data[end + 4 : stop], data[stop:])


@lru_cache(maxsize=64)  # the server's own headers change once a second, with the date
def _head(status: int, servers: tuple[tuple[bytes, bytes], ...], headers: Headers) -> bytes:
    return STATUS_LINE[status] + b"".join(b"%b: %b\r\n" % line for line in (*servers, *headers))


class FastLane(Punctual):
    """One connection. Requests are taken one after the other, whichever way they go, so that answers keep their order."""

    def __init__(self, lanes: Mapping[bytes, Lane], **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._lanes = lanes
        self._held = b""  # the beginning of a plain request, or what came behind one that is being answered
        self._need = 0  # bytes that the held one has when it is whole
        self._asked: tuple[Lane, Whole] | None = None  # what is being answered
        self._task: asyncio.Task[None] | None = None  # of the whole connection: one for each request would cost 4 us
        self._wake: asyncio.Future[None] | None = None
        self._theirs = False  # a request is uvicorn's from its first byte to the end of its answer
        self._read = True  # ... and has been read to its end
        self._last = 0.0
        self._closing = False

    # --- what comes in

    def data_received(self, data: bytes) -> None:
        if self._asked is not None:
            self._held += data
            if len(self._held) > HEAD_LIMIT:
                self.transport.pause_reading()
            return
        if self._held:
            data = self._held + data
            if len(data) < self._need:
                self._held = data
                return
            self._held = b""
        if not self._theirs:
            line = data.find(b"\r\n", 0, 256)
            lane = self._lanes.get(data[:line])
            if lane is not None:
                whole = read(data, line + 2, lane.plain.limit)
                if isinstance(whole, Whole):
                    self._held = whole.rest
                    self._asked = lane, whole
                    if self._wake is not None:
                        self._wake.set_result(None)
                        self._wake = None
                    else:
                        self._task = self.loop.create_task(self._serve())
                    return
                if whole is not None:
                    self._held, self._need = data, whole
                    self._patience()
                    return
        self._theirs = True
        super().data_received(data)

    def on_message_begin(self) -> None:
        self._read = False
        super().on_message_begin()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._read = True
        self._ours_again()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._ours_again()

    def _ours_again(self) -> None:
        self._theirs = not (self._read and not self.pipeline and self.cycle.response_complete)

    # --- what goes out

    async def _serve(self) -> None:
        """Answer one plain request after the other, until the connection is lost."""
        while self._asked is not None:
            await self._answer(*self._asked)
            self._asked = None
            if self.transport.is_closing():
                return
            if self._held:
                data, self._held, self._need = self._held, b"", 0
                self.transport.resume_reading()
                wake = self._wake = self.loop.create_future()
                self.data_received(data)
            else:
                wake = self._wake = self.loop.create_future()
            await wake

    async def _answer(self, lane: Lane, whole: Whole) -> None:
        request_id.begin(whole.headers)
        try:
            answer = await lane.plain.answer(whole.headers, whole.body)
        except Exception as error:  # noqa: BLE001 - it should have answered; this one request fails, and its connection goes on
            log.error("http.answer_failed", error=type(error).__name__)
            answer = Answer(500)
        lane.answered(answer.status)
        transport = self.transport
        here = not transport.is_closing()
        if here:
            transport.write(self._written(answer))
        if answer.after is not None:
            answer.after(here)
        self.server_state.total_requests += 1
        self._last = self.loop.time()
        if self._closing:
            transport.close()
        elif self.timeout_keep_alive_task is None:
            self._patience()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._wake is not None and self._asked is None:
            self._wake.set_result(None)  # nothing is asked any more
            self._wake = None

    def _written(self, answer: Answer) -> bytes:
        head = _head(answer.status, tuple(self.server_state.default_headers), answer.headers)
        end = b"connection: close\r\n" if self._closing else b""
        return b"%b%bcontent-length: %d\r\n\r\n%b" % (head, end, len(answer.body), answer.body)

    # --- how long a connection may be idle, and its end

    def _patience(self) -> None:
        if self.timeout_keep_alive_task is None and not self.transport.is_closing():
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        """The timer is set once and looks again, instead of being set anew for every request."""
        self.timeout_keep_alive_task = None
        left = self.timeout_keep_alive - (self.loop.time() - self._last)
        if self._asked is not None:
            left = self.timeout_keep_alive
        if left > 0.1:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    def shutdown(self) -> None:
        if self._asked is not None:
            self._closing = True
        else:
            super().shutdown()


def fast_lane(
    posts: Mapping[str, Plain], answers: Callable[[str], Answered] = lambda _: lambda _: None
) -> type[asyncio.Protocol]:
    """What uvicorn is given as its HTTP protocol. `answers` gives what is told the status of every answer that goes this way, by path."""
    lanes = {f"POST {path} HTTP/1.1".encode(): Lane(plain, answers(path)) for path, plain in posts.items()}
    make: Callable[..., FastLane] = partial(FastLane, lanes)
    return cast("type[asyncio.Protocol]", make)
