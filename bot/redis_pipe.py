"""One connection to one Redis, shared by every turn of a process: what is asked for in one iteration of the loop leaves in one write,
answers come back in the order of the questions, and nobody waits for anybody else's.

Lives here: bytes in, bytes out, and what a lost connection comes to. Must not live here: what is asked (`bot/stores/redis.py`) or how a
cluster is spoken to (`bot/redis_link.py`). redis-py makes the connection (address, TLS, AUTH, SELECT); from then on its streams, pools and
locks would cost a turn more than the whole rest of it, so the pipe reads and writes by itself, with hiredis for the protocol.

A command whose connection is lost fails, whether Redis has carried it out or not; nothing is sent twice. The next command connects anew.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final, cast

import hiredis
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError

_NOTHING_YET: Final = object()


def _refusal(text: str) -> RedisError:
    return NoScriptError(text) if text.startswith("NOSCRIPT") else ResponseError(text)


class RedisPipe(asyncio.Protocol):
    """`timeout` (seconds) bounds connecting, and how long Redis may be silent while it owes answers.

    Calling it sends one command and gives the future of its answer: bytes, int, list or None; the future raises redis.RedisError.
    """

    def __init__(self, url: str, *, timeout: float) -> None:
        # Version 2 of the protocol: nothing comes unasked.
        self._pool = ConnectionPool.from_url(url, protocol=2, socket_timeout=timeout, socket_connect_timeout=timeout)
        self._timeout = timeout
        self._transport: asyncio.WriteTransport | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._unsent: list[bytes] = []
        self._owed: deque[asyncio.Future[Any]] = deque()
        self._watch: asyncio.TimerHandle | None = None
        self._heard = 0.0
        self._closed = False
        self._reader = self._new_reader()

    @staticmethod
    def _new_reader() -> hiredis.Reader:
        return hiredis.Reader(notEnoughData=_NOTHING_YET, replyError=_refusal)

    def __call__(self, *command: str | bytes | float) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        if self._closed:
            future.set_exception(RedisConnectionError("closed"))
            return future
        unsent = self._unsent
        if not unsent:
            # The first of this iteration; those that come after it in the same iteration leave with it.
            loop.call_soon(self._flush)
        unsent.append(hiredis.pack_command(command))  # type: ignore[arg-type]  # its stub says one word
        self._owed.append(future)
        return future

    def _flush(self) -> None:
        if self._transport is not None:
            unsent, self._unsent = self._unsent, []
            if unsent:
                self._transport.write(unsent[0] if len(unsent) == 1 else b"".join(unsent))
                self._watched()
        elif self._unsent and self._connecting is None:
            self._connecting = asyncio.get_running_loop().create_task(self._connect())

    # --- the connection

    async def _connect(self) -> None:
        connection = cast("AbstractConnection", self._pool.make_connection())  # type: ignore[no-untyped-call]
        try:
            async with asyncio.timeout(self._timeout):
                await connection.connect()  # type: ignore[no-untyped-call]
        except (RedisError, OSError, TimeoutError) as error:
            self._connecting = None
            self._failed(error if isinstance(error, RedisError) else RedisConnectionError(type(error).__name__))
            return
        writer = connection._writer  # noqa: SLF001 (redis-py's connection ends here, and has no other door)
        assert writer is not None
        connection._reader = connection._writer = None  # noqa: SLF001 (ours now, and no longer redis-py's to close)
        self._writer = writer  # it would close the transport when nobody holds it
        transport = writer.transport
        self._reader = self._new_reader()
        transport.set_protocol(self)
        self._connecting = None
        if transport.is_closing() or self._closed:
            transport.abort()
            self._failed(RedisConnectionError("closed"))
            return
        self._transport = transport
        self._flush()

    def data_received(self, data: bytes) -> None:
        self._heard = asyncio.get_running_loop().time()
        reader, owed = self._reader, self._owed
        reader.feed(data)
        try:
            while (reply := reader.gets()) is not _NOTHING_YET:
                future = owed.popleft()
                if future.done():
                    continue  # whoever asked has gone
                if isinstance(reply, RedisError):
                    future.set_exception(reply)
                else:
                    future.set_result(reply)
        except (hiredis.ProtocolError, IndexError):
            # Not the protocol, or an answer to nothing: this connection cannot be trusted with another answer.
            self._drop(RedisConnectionError("protocol"))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (it may quote an address)
        if self._transport is not None:
            self._transport = None
            self._failed(RedisConnectionError("lost"))

    def _drop(self, error: RedisError) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        self._failed(error)

    def _failed(self, error: RedisError) -> None:
        """Everybody who waits is told; what has not been sent never will be."""
        self._unsent = []
        owed, self._owed = self._owed, deque()
        for future in owed:
            if not future.done():
                future.set_exception(error)

    # --- patience

    def _watched(self) -> None:
        if self._watch is None:
            loop = asyncio.get_running_loop()
            self._heard = loop.time()
            self._watch = loop.call_later(self._timeout, self._look)

    def _look(self) -> None:
        """Answers are owed, and none has come for the whole of the timeout."""
        self._watch = None
        if not self._owed or self._transport is None:
            return
        loop = asyncio.get_running_loop()
        silent = loop.time() - self._heard
        if silent >= self._timeout:
            self._drop(RedisConnectionError("timeout"))
        else:
            self._watch = loop.call_later(self._timeout - silent, self._look)

    async def aclose(self) -> None:
        self._closed = True
        if self._watch is not None:
            self._watch.cancel()
        if self._connecting is not None:
            await asyncio.wait({self._connecting})
        self._drop(RedisConnectionError("closed"))
