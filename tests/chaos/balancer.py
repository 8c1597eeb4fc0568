"""A load balancer as production has one in front of the processes: by path to a pool, round robin, and on to the next when refused.

Lives here: HTTP/1.1 passing through, one request for each connection. Must not live here: any cleverness that a plain balancer lacks. A
request whose connection broke is not sent again (502), and an answer that has begun and broke off breaks off for the caller too.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from typing import Self

LIMIT = 1024 * 1024
END = b"\r\n\r\n"
HOP_BY_HOP = (b"connection:", b"keep-alive:")


class Pool:
    """The ports of the processes of one kind."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = tuple(ports)
        self._turn = itertools.cycle(range(len(self._ports)))

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """A connection to the next process that does not refuse; None when all do."""
        first = next(self._turn)
        for port in (*self._ports[first:], *self._ports[:first]):
            try:
                return await asyncio.open_connection("127.0.0.1", port, limit=LIMIT)
            except ConnectionRefusedError:
                continue
        return None


class Balancer:
    """`pools` by the beginning of the path, the first that fits; listens on a free port when entered."""

    def __init__(self, pools: Mapping[str, Pool]) -> None:
        self._pools = pools
        self._server: asyncio.Server | None = None
        self._under_way: set[asyncio.Task[None]] = set()
        self.port = 0
        self.broken = 0  # requests answered with 502, or whose answer broke off

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=LIMIT, backlog=2048)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            path, request = await _request(reader)
            await self._pass_on(path, request, writer)
        except (OSError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            writer.close()

    async def _pass_on(self, path: str, request: bytes, writer: asyncio.StreamWriter) -> None:
        pool = next(pool for prefix, pool in self._pools.items() if path.startswith(prefix))
        begun = False
        if (upstream := await pool.connect()) is not None:
            up_reader, up_writer = upstream
            try:
                up_writer.write(request)
                while chunk := await up_reader.read(LIMIT):
                    begun = True
                    writer.write(chunk)
                    await writer.drain()
                if begun:
                    return
            except ConnectionError:
                if begun:
                    self.broken += 1
                    raise
            finally:
                up_writer.transport.abort()
        self.broken += 1
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()


async def _request(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    """The path, and the whole request as it goes on."""
    head = (await reader.readuntil(END)).removesuffix(END)
    first, *headers = head.split(b"\r\n")
    named = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in headers)}
    assert b"transfer-encoding" not in named, "no caller of this test sends chunks"
    body = await reader.readexactly(int(named.get(b"content-length", 0)))
    kept = [line for line in headers if not line.lower().startswith(HOP_BY_HOP)]
    return first.split(b" ")[1].decode(), b"\r\n".join((first, *kept, b"Connection: close")) + END + body
