"""Slow and oversized requests are cut off; whoever is merely unhurried, or listens for long, is not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from akses.fast_lane import FastLane, Lane
from akses.punctual import HEAD_BYTES, REQUEST_BYTES, Punctual
from akses.serve import Server
from bot.plain_http import Answer, Headers


class Quick:
    """A lane that says how much it got."""

    limit = 100_000

    async def answer(self, headers: Headers, body: bytes) -> Answer:
        return Answer(200, b"%d" % len(body))


class Impatient(FastLane):
    arrival_seconds = 0.3


gone: list[str] = []


async def size(request: Request) -> Response:
    try:
        return PlainTextResponse(str(len(await request.body())))
    except ClientDisconnect:
        gone.append("disconnected")
        raise


async def stream(_: Request) -> Response:
    async def words() -> AsyncIterator[bytes]:
        for _ in range(4):
            await asyncio.sleep(0.2)
            yield b"word "

    return StreamingResponse(words())


@pytest.fixture
async def port() -> AsyncIterator[int]:
    app = Starlette(routes=[Route("/size", size, methods=["POST"]), Route("/stream", stream)])
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    lanes = {b"POST /lane HTTP/1.1": Lane(Quick(), lambda _: None)}

    def protocol(**uvicorns: object) -> Impatient:
        return Impatient(lanes, **uvicorns)

    config = uvicorn.Config(app, http=protocol, log_config=None, lifespan="off", timeout_keep_alive=1)  # type: ignore[arg-type]
    server = Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110 (uvicorn sets no event)
        await asyncio.sleep(0.01)
    yield int(listener.getsockname()[1])
    server.should_exit = True
    await task
    listener.close()


async def say(port: int, *parts: bytes, pause: float = 0.1) -> bytes:
    """Everything that comes back until the server hangs up; nothing more is said to one that did."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard = bytearray()

    async def listen() -> None:
        with contextlib.suppress(ConnectionError):
            while part := await reader.read(65536):
                heard.extend(part)

    listening = asyncio.create_task(listen())
    try:
        for part in parts:
            if listening.done():
                break
            with contextlib.suppress(ConnectionError):
                writer.write(part)
                await writer.drain()
            await asyncio.sleep(pause)
        async with asyncio.timeout(20):
            await listening
        return bytes(heard)
    finally:
        listening.cancel()
        writer.close()


async def test_who_says_nothing_is_let_go(port: int) -> None:
    assert await say(port) == b""


@pytest.mark.parametrize("path", [b"/size", b"/lane"])
async def test_a_head_that_trickles_in_is_answered_with_408_and_cut_off(port: int, path: bytes) -> None:
    drops = [b"POST %b HTTP/1.1\r\n" % path] + [b"x-%d: slow\r\n" % at for at in range(20)]
    assert (await say(port, *drops)).startswith(b"HTTP/1.1 408 ")


async def test_a_body_that_trickles_in_is_cut_off_and_whoever_waits_for_it_is_told(port: int) -> None:
    gone.clear()
    head = b"POST /size HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n"
    assert (await say(port, head, *[b"a"] * 20)).startswith(b"HTTP/1.1 408 ")
    assert gone == ["disconnected"]


async def test_empty_lines_instead_of_a_request_keep_nobody(port: int) -> None:
    assert b"200" not in await say(port, *[b"\r\n"] * 20)


async def test_a_head_without_end_is_refused(port: int) -> None:
    head = b"POST /size HTTP/1.1\r\n" + b"x-large: " + b"a" * HEAD_BYTES
    assert (await say(port, head)).startswith(b"HTTP/1.1 431 ")
    many = b"POST /lane HTTP/1.1\r\n" + b"x-a: b\r\n" * (HEAD_BYTES // 7)
    assert (await say(port, many)).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize(
    "head",
    [b"content-length: %d\r\n\r\n" % (10 * REQUEST_BYTES), b"transfer-encoding: chunked\r\n\r\n%x\r\n" % (10 * REQUEST_BYTES)],
)
async def test_a_body_beyond_all_measure_is_refused_before_it_is_there(port: int, head: bytes) -> None:
    body = [b"a" * 65536] * (2 * REQUEST_BYTES // 65536)
    answer = await say(port, b"POST /size HTTP/1.1\r\nhost: x\r\n" + head, *body, pause=0)
    assert answer.startswith(b"HTTP/1.1 413 ") or answer == b"", "the answer may be lost with what was still being sent"
    assert b"200" not in answer


async def test_a_request_in_pieces_that_arrives_in_time_is_answered_and_the_next_one_too(port: int) -> None:
    one = [b"POST /size HTTP/1.1\r\nhost: x\r\ncontent-", b"length: 4\r\n\r\nab", b"cd"]
    last = b"POST /size HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"
    answer = await say(port, *one, *one, last, pause=0.05)
    assert answer.count(b"HTTP/1.1 200 OK") == 3


async def test_an_answer_may_take_its_time(port: int) -> None:
    answer = await say(port, b"GET /stream HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert answer.count(b"word ") == 4


def test_the_server_is_punctual() -> None:
    assert issubclass(FastLane, Punctual)
