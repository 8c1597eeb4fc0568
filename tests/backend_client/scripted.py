"""A strict HTTP server on loopback that answers from a script and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Asked:
    line: str
    headers: Mapping[str, str]
    body: bytes
    connection: int


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Raw:
    """These bytes, whatever they are, then the connection is closed."""

    bytes: bytes


class Hang:
    """No answer until the client gives up."""


class Dribble:
    """A well-formed answer, one byte every tenth of a second, without end."""


Step = Reply | Raw | Hang | Dribble


class Scripted:
    """Answers request by request; a request beyond the script is answered 599 and shows in `asked`."""

    def __init__(self) -> None:
        self.script: list[Step] = []
        self.asked: list[Asked] = []
        self.has_been_asked = asyncio.Event()
        self.url = ""
        self._connections = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        connection = self._connections
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
                line, *fields = head.rstrip().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.asked.append(Asked(line, headers, body, connection))
                self.has_been_asked.set()
                match self.script.pop(0) if self.script else Reply(599):
                    case Hang():
                        await reader.read()
                        return
                    case Dribble():
                        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n")
                        while not reader.at_eof():
                            writer.write(b" ")
                            await writer.drain()
                            await asyncio.sleep(0.1)
                        return
                    case Raw(answer):
                        writer.write(answer)
                        await writer.drain()
                        return
                    case Reply(status, answer, more):
                        extra = "".join(f"{name}: {value}\r\n" for name, value in more.items())
                        length = "" if status == 204 else f"Content-Length: {len(answer)}\r\n"
                        writer.write(f"HTTP/1.1 {status} X\r\n{length}{extra}\r\n".encode() + answer)
                        await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def scripted_server() -> AsyncIterator[Scripted]:
    scripted = Scripted()
    server = await asyncio.start_server(scripted._serve, "127.0.0.1", 0)
    scripted.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield scripted
    finally:
        server.close()
