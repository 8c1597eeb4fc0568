"""Calls that nobody waits for: all are made over a few connections, and whatever becomes of one harms nobody."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from bot.channels.telegram import courtesies
from bot.channels.telegram.codec import Call
from bot.channels.telegram.courtesies import CONNECTIONS, WAITING, Courtesies
from tests.redis_servers import free_port

TOKEN = "7000000001:AAinvented"
CALL = Call("answerCallbackQuery", {"callback_query_id": "77"})


class Server:
    """Answers every request with `answer`; None leaves it without one."""

    def __init__(self) -> None:
        self.answer: bytes | None = b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"ok":true}'
        self.got: list[bytes] = []
        self.connections = 0
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                self.got.append(head.split(b" ")[1] + b" " + await reader.readexactly(length))
                if self.answer is not None:
                    writer.write(self.answer)
        writer.close()

    @contextlib.asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for writer in self._writers:
                writer.transport.abort()
            await asyncio.sleep(0.01)


async def until(done: object, seconds: float = 5) -> None:
    for _ in range(int(seconds / 0.01)):
        if done():  # type: ignore[operator]
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to that")


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    async with server.listening():
        yield server


async def test_many_at_once_are_all_made_over_a_few_kept_connections(server: Server) -> None:
    calls = Courtesies(TOKEN, f"http://127.0.0.1:{server.port}/base")
    for _ in range(3):
        for _ in range(100):
            calls.send(CALL)
        await until(lambda: len(server.got) % 100 == 0 and server.got)
    await until(lambda: len(server.got) == 300)
    assert set(server.got) == {f'/base/bot{TOKEN}/answerCallbackQuery {{"callback_query_id":"77"}}'.encode()}
    assert server.connections <= CONNECTIONS
    await calls.close()


async def test_one_too_many_is_not_made_and_that_is_all(server: Server) -> None:
    server.answer = None
    calls = Courtesies(TOKEN, f"http://127.0.0.1:{server.port}")
    for _ in range(CONNECTIONS + WAITING + 100):
        calls.send(CALL)
    await until(lambda: len(server.got) == CONNECTIONS)
    await calls.close()


async def test_a_refusal_and_a_broken_answer_are_told_without_the_token_and_the_next_call_is_made(server: Server) -> None:
    calls = Courtesies(TOKEN, f"http://127.0.0.1:{server.port}")
    with capture_logs() as logs:
        for answer in (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}", b"what?\r\n\r\n"):
            server.answer = answer
            calls.send(CALL)
            await until(lambda: logs and not calls._busy)
    assert [entry["method"] for entry in logs] == ["answerCallbackQuery"] * 2
    assert logs[0]["code"] == 400
    assert TOKEN not in str(logs)
    server.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    for count in (3, 4):
        calls.send(CALL)
        await until(lambda count=count: len(server.got) == count)
    await calls.close()


async def test_a_server_that_is_not_there_costs_the_calls_and_nothing_else() -> None:
    server, port = Server(), free_port()
    calls = Courtesies(TOKEN, f"http://127.0.0.1:{port}")
    with capture_logs() as logs:
        calls.send(CALL)
        await until(lambda: logs)
    async with server.listening(port):
        calls.send(CALL)
        await until(lambda: server.got)
        await calls.close()


async def test_an_answer_that_does_not_come_frees_its_place(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courtesies, "PATIENCE_SECONDS", 0.2)
    server.answer = None
    calls = Courtesies(TOKEN, f"http://127.0.0.1:{server.port}")
    with capture_logs() as logs:
        calls.send(CALL)
        await until(lambda: logs)
    assert not calls._busy
    await calls.close()


async def test_closing_lets_what_is_under_way_end(server: Server) -> None:
    calls = Courtesies(TOKEN, f"http://127.0.0.1:{server.port}")
    calls.send(CALL)
    await until(lambda: server.connections)
    calls.send(CALL)
    await calls.close(grace=5)
    await until(lambda: len(server.got) >= 1)
    assert not calls._busy
