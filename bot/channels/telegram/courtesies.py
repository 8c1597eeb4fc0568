"""Bot API calls whose answer nobody waits for (answerCallbackQuery on every press), which through a full client would cost more than the
turn itself: HTTP/1.1 over a few kept connections, JSON out, no task and no future.

In a bot that is not ours they go through its own library instead (`Politely`): its connections, its proxy, its server.

Lives here: sending them, at most once; one that fails is told in the log and not repeated, one too many is not made. Must not live here:
any call that somebody needs (`aiogram_binding.py`).
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import Final, NamedTuple, Protocol, cast
from urllib.parse import urlsplit

import httptools
import msgspec
import structlog

from bot.channels.telegram.api import BotApi, BotApiError, address
from bot.channels.telegram.codec import Call

logger = structlog.get_logger(__name__)

CONNECTIONS: Final = 32
WAITING: Final = 256
PATIENCE_SECONDS: Final = 10.0
_JSON: Final = "Content-Type: application/json\r\nContent-Length: "
_encode: Final = msgspec.json.Encoder().encode


class _Request(NamedTuple):
    method: str
    written: bytes


class Courteous(Protocol):
    """Begins calls that may get lost, and ends."""

    def send(self, call: Call) -> None:
        """Begin the call and return at once; inside a running loop."""

    async def close(self, grace: float = 0.0) -> None:
        """Let what is under way end, at most `grace` seconds."""


class Politely:
    """Through a `BotApi`, a task a call."""

    def __init__(self, api: BotApi) -> None:
        self._api = api
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, call: Call) -> None:
        if len(self._tasks) < WAITING:
            self._tasks.add(task := asyncio.get_running_loop().create_task(self._call(call)))
            task.add_done_callback(self._tasks.discard)

    async def _call(self, call: Call) -> None:
        try:
            await self._api.call(call.method, call.params, within=PATIENCE_SECONDS)
        except BotApiError as error:
            Courtesies.failed(call.method, error.code)

    async def close(self, grace: float = 0.0) -> None:
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


class Courtesies:
    """One bot's. `api_base` is that of `address`."""

    def __init__(self, token: str, api_base: str) -> None:
        base = urlsplit(address(api_base).format(token=token))
        self._host = base.hostname or ""
        self._tls = ssl.create_default_context() if base.scheme == "https" else None
        self._port = base.port or (443 if self._tls else 80)
        self._before = f"POST {base.path}/".encode()
        self._after = f" HTTP/1.1\r\nHost: {base.netloc}\r\n{_JSON}".encode()
        self._idle: list[_Connection] = []
        self._busy: set[_Connection] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._waiting: deque[_Request] = deque()
        self._quiet: asyncio.Future[None] | None = None

    def send(self, call: Call) -> None:
        """Begin the call and return at once; inside a running loop."""
        body = _encode(call.params)
        request = _Request(
            call.method, b"%b%b%b%d\r\n\r\n%b" % (self._before, call.method.encode(), self._after, len(body), body)
        )
        if self._idle:
            connection = self._idle.pop()
            self._busy.add(connection)
            connection.send(request)
        elif len(self._waiting) < WAITING:
            self._waiting.append(request)
            if len(self._busy) + len(self._connecting) < CONNECTIONS:
                self._connecting.add(task := asyncio.get_running_loop().create_task(self._connect()))
                task.add_done_callback(self._connecting.discard)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                _, connection = await loop.create_connection(lambda: _Connection(self), self._host, self._port, ssl=self._tls)
        except (OSError, TimeoutError) as error:
            lost, self._waiting = self._waiting, deque()
            for request in lost:
                self.failed(request.method, type(error).__name__)
            return
        self._busy.add(connection)
        self.free(connection)

    def free(self, connection: _Connection) -> None:
        """This connection can take the next call."""
        if self._waiting:
            connection.send(self._waiting.popleft())
            return
        self._busy.discard(connection)
        self._idle.append(connection)
        self._done()

    def gone(self, connection: _Connection) -> None:
        self._busy.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._done()

    @staticmethod
    def failed(method: str, why: int | str) -> None:
        logger.info("telegram.courtesy_failed", method=method, code=why)

    def _done(self) -> None:
        if not self._busy and self._quiet is not None and not self._quiet.done():
            self._quiet.set_result(None)

    async def close(self, grace: float = 0.0) -> None:
        """Let the calls under way end, at most `grace` seconds, and hang up."""
        if self._busy and grace:
            self._quiet = asyncio.get_running_loop().create_future()
            await asyncio.wait({self._quiet}, timeout=grace)
        for task in tuple(self._connecting):
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        for connection in (*self._idle, *self._busy):
            connection.close()


class _Connection(asyncio.Protocol):
    """One kept connection; one call at a time."""

    def __init__(self, owner: Courtesies) -> None:
        self._owner = owner
        self._transport: asyncio.WriteTransport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._method = ""
        self._since = 0.0
        self._look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.WriteTransport, transport)

    def send(self, request: _Request) -> None:
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        self._method = request.method
        self._since = loop.time()
        if self._look is None:
            self._look = loop.call_later(PATIENCE_SECONDS, self._impatient)
        self._transport.write(request.written)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()

    def on_message_complete(self) -> None:
        method, self._method = self._method, ""
        # The Bot API answers 200 if and only if "ok" is true.
        if (status := self._parser.get_status_code()) != 200:
            self._owner.failed(method, status)
        if self._parser.should_keep_alive():
            self._owner.free(self)
        else:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._look is not None:
            self._look.cancel()
        if self._method:
            self._owner.failed(self._method, type(exc).__name__ if exc else "closed")
        self._owner.gone(self)

    def _impatient(self) -> None:
        """Set once and looked at again, instead of set anew for every call."""
        self._look = None
        loop = asyncio.get_running_loop()
        if not self._method:
            return
        left = PATIENCE_SECONDS - (loop.time() - self._since)
        if left <= 0:
            self.close()
        else:
            self._look = loop.call_later(left, self._impatient)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
