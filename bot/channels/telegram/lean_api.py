"""Bot API calls of the webhook's hot path: HTTP/1.1 over a few kept connections, JSON out, and nothing in between.

Lives here: the calls whose answer nobody waits for (answerCallbackQuery on every press), which through a full client would cost more than
the turn itself. Everything else goes through the chosen library (`aiogram_binding.py`). At most once: a call that fails is not repeated.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, Final, cast
from urllib.parse import urlsplit

import httptools
import msgspec

from bot.channels.telegram.api import BotApiError

CONNECTIONS: Final = 32
_JSON: Final = "Content-Type: application/json\r\nContent-Length: "
PATIENCE_SECONDS: Final = 10.0
_encode: Final = msgspec.json.Encoder().encode


class _Answer(msgspec.Struct):
    ok: bool = False
    result: Any = None
    error_code: int = 0
    description: str = ""


_decode: Final = msgspec.json.Decoder(_Answer).decode


class _Connection(asyncio.Protocol):
    """One kept connection; one call at a time."""

    def __init__(self) -> None:
        self.closed = False
        self._transport: asyncio.WriteTransport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""
        self._waiting: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.WriteTransport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._fail(exc)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(error)
            self.close()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if not self._parser.should_keep_alive():
            self.close()
        body, self._body = self._body, b""
        self._parser = httptools.HttpResponseParser(self)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(body)

    def _fail(self, error: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionError(type(error).__name__))

    async def exchange(self, request: bytes) -> bytes:
        assert self._transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiting

    def close(self) -> None:
        self.closed = True
        if self._transport is not None:
            self._transport.close()


class LeanApi:
    """BotApi for calls that may get lost. `api_base` is the server's root, without /bot<token>."""

    def __init__(self, token: str, api_base: str) -> None:
        base = urlsplit(api_base)
        self._host = base.hostname or ""
        self._tls = ssl.create_default_context() if base.scheme == "https" else None
        self._port = base.port or (443 if self._tls else 80)
        self._head = (
            f"POST {base.path.rstrip('/')}/bot{token}/".encode(),
            f" HTTP/1.1\r\nHost: {base.netloc}\r\n{_JSON}".encode(),
        )
        self._idle: list[_Connection] = []
        self._places = asyncio.Semaphore(CONNECTIONS)

    async def call(self, method: str, params: dict[str, Any], *, within: float | None = None) -> Any:
        """Raises BotApiError: the API's own no, or code 0 where no answer came."""
        body = _encode(params)
        before, after = self._head
        request = b"%b%b%b%d\r\n\r\n%b" % (before, method.encode(), after, len(body), body)
        try:
            async with self._places, asyncio.timeout(within or PATIENCE_SECONDS):
                answer = _decode(await self._exchange(request))
        except (OSError, TimeoutError, msgspec.DecodeError) as error:
            raise BotApiError(0, type(error).__name__) from None
        if not answer.ok:
            raise BotApiError(answer.error_code, answer.description)
        return answer.result

    async def _exchange(self, request: bytes) -> bytes:
        while self._idle:
            if not (connection := self._idle.pop()).closed:
                break
        else:
            _, connection = await asyncio.get_running_loop().create_connection(
                _Connection, self._host, self._port, ssl=self._tls
            )
        try:
            body = await connection.exchange(request)
        except BaseException:
            connection.close()
            raise
        if not connection.closed:
            self._idle.append(connection)
        return body

    async def close(self) -> None:
        for connection in self._idle:
            connection.close()
        self._idle.clear()
