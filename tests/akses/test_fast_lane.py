"""The fast lane answers what any HTTP server would, only sooner; whatever is unusual goes the common way."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from akses import request_id
from akses.fast_lane import FastLane, Whole, fast_lane, read
from bot.plain_http import Answer, Asgi, Headers

PATH = "/in/a/hurry"
LIMIT = 200_000


class Echo:
    """Answers with the length and the end of what it got; the body says what else to do."""

    limit = LIMIT

    def __init__(self) -> None:
        self.after: list[bool] = []
        self.go_on = asyncio.Event()
        self.begun = asyncio.Event()

    async def answer(self, headers: Headers, body: bytes) -> Answer:
        self.begun.set()
        if body == b"wait":
            await self.go_on.wait()
        if body == b"break":
            raise RuntimeError("a secret")
        secret = b"".join(value for name, value in headers if name == b"x-secret")
        text = b"%d %s %s %s" % (len(body), body[-20:], secret, (request_id.current() or "").encode())
        return Answer(200, text, ((b"x-by", b"echo"),), self.after.append)


class Door:
    """Raw bytes to the server and back."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def say(self, *parts: bytes, pause: float = 0.02) -> bytes:
        """Everything that comes back until the server hangs up; the last request says so by `Connection: close`."""
        reader, writer = await self.open()
        for part in parts:
            writer.write(part)
            await writer.drain()
            if len(parts) > 1:
                await asyncio.sleep(pause)
        got = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        return got


@pytest.fixture
def echo() -> Echo:
    return Echo()


@contextlib.asynccontextmanager
async def serving(echo: Echo, keep_alive: float = 20) -> AsyncIterator[tuple[Door, uvicorn.Server]]:
    async def other(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"other {request.method} {len(await request.body())}")

    app = Starlette(routes=[Route(PATH, Asgi(echo), methods=["POST"]), Route("/other", other, methods=["GET", "POST"])])
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, http=fast_lane({PATH: echo}), log_config=None, lifespan="off", ws="none", timeout_keep_alive=keep_alive  # type: ignore[arg-type]
    )  # fmt: skip
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve([listener]))
    try:
        yield Door(listener.getsockname()[1]), server
    finally:
        echo.go_on.set()
        server.should_exit = True
        await task


@pytest.fixture
async def door(echo: Echo) -> AsyncIterator[Door]:
    async with serving(echo) as (door, _):
        yield door


def post(body: bytes = b"", *headers: bytes, path: str = PATH, length: bytes | None = None) -> bytes:
    given = length if length is not None else b"%d" % len(body)
    lines = [f"POST {path} HTTP/1.1".encode(), b"Host: x", b"Content-Length: " + given, *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


LAST = post(b"last", b"Connection: close")


def bodies(got: bytes) -> list[bytes]:
    """The bodies of a row of answers."""
    found = []
    while got:
        head, _, got = got.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        found.append(got[:length])
        got = got[length:]
    return found


def first(got: bytes) -> bytes:
    return got.partition(b"\r\n")[0]


async def test_a_plain_request_is_answered_with_everything_an_answer_needs(door: Door, echo: Echo) -> None:
    got = await door.say(post(b"hello", b"X-Secret: s1", b"X-Request-ID: req.from-outside") + LAST)
    head = got.partition(b"\r\n\r\n")[0].lower()
    assert first(got) == b"HTTP/1.1 200 OK"
    assert b"\r\ndate: " in head
    assert b"\r\nx-by: echo" in head
    assert bodies(got)[0] == b"5 hello s1 req.from-outside"
    assert echo.after == [True, True]


async def test_a_request_that_comes_byte_by_byte_is_the_same_request(door: Door) -> None:
    whole = post(b"x" * 40, b"X-Secret: s1") + LAST
    got = await door.say(*(whole[at : at + 7] for at in range(0, len(whole), 7)), pause=0.001)
    assert [body.split(b" ")[0] for body in bodies(got)] == [b"40", b"4"]


async def test_a_long_body_in_many_pieces_arrives_whole(door: Door) -> None:
    got = await door.say(post(b"y" * (LIMIT - 3) + b"end") + LAST)
    assert bodies(got)[0].startswith(b"200000 yyyyyyyyyyyyyyyyyend")


async def test_requests_behind_each_other_are_answered_in_their_order_whichever_way_they_go(door: Door) -> None:
    common = post(b"abc", path="/other")
    chunked = b"POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nfgh\r\n0\r\n\r\n" % PATH.encode()
    got = await door.say(post(b"1") + post(b"22") + common + post(b"333") + chunked + common + LAST)
    assert [body.split(b" ")[0] for body in bodies(got)] == [b"1", b"2", b"other", b"3", b"3", b"other", b"4"]


async def test_after_a_common_request_the_lane_is_open_again(door: Door) -> None:
    got = await door.say(post(b"abc", path="/other"), post(b"22"), post(b"abc", path="/other"), LAST)
    assert [body.split(b" ")[0] for body in bodies(got)] == [b"other", b"2", b"other", b"4"]


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (post(b"a", b"Content-Length: 1", b"Connection: close"), b"400"),
        (post(b"a", b"Transfer-Encoding: chunked", b"Connection: close"), b"400"),
        (post(b"a", b"Connection: close", length=b"+1"), b"400"),
        (post(b"a", b"Connection: close", length=b"1, 1"), b"400"),
        (post(b"a", b"Connection: close", length=b""), b"400"),
        (post(b"a", b"Content-Length : 1"), b"400"),
        (post(b"a", b" folded: 1", b"Connection: close"), b"400"),
        (post(b"a", b"no colon here"), b"400"),
        (post(b"x" * (LIMIT + 1), b"Connection: close"), b"413"),
        (post(b"a", b"Expect: 100-continue", b"Connection: close"), b"100"),
        (post(b"a", b"Connection: close").replace(b"POST", b"GET"), b"405"),
        (post(b"a", b"Connection: close", path="/nowhere"), b"404"),
        (post(b"a").replace(b"HTTP/1.1", b"HTTP/1.0"), b"200"),
    ],
)
async def test_what_is_unusual_is_answered_as_by_any_server(door: Door, request_bytes: bytes, status: bytes) -> None:
    assert first(await door.say(request_bytes)).split(b" ")[1] == status


async def test_a_path_that_breaks_answers_500_tells_nothing_and_the_connection_goes_on(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    got = await door.say(post(b"break") + LAST)
    assert first(got) == b"HTTP/1.1 500 Internal Server Error"
    assert bodies(got)[1].startswith(b"4 last")
    assert "a secret" not in caplog.text


async def test_who_has_hung_up_is_not_written_to_and_the_path_is_told(door: Door, echo: Echo) -> None:
    _, writer = await door.open()
    writer.write(post(b"wait"))
    await echo.begun.wait()
    writer.transport.abort()
    await asyncio.sleep(0.05)
    echo.go_on.set()
    await asyncio.sleep(0.05)
    assert echo.after == [False]


async def test_an_idle_connection_is_let_go_but_not_one_that_is_used_or_waits_for_its_answer(echo: Echo) -> None:
    async with serving(echo, keep_alive=0.4) as (door, _):
        reader, writer = await door.open()
        for _ in range(6):
            writer.write(post(b"again"))
            assert b"200 OK" in await reader.read(1000)
            await asyncio.sleep(0.2)
        writer.write(post(b"wait"))
        await asyncio.sleep(0.9)
        assert not reader.at_eof()
        echo.go_on.set()
        assert b"4 wait" in await reader.read(1000)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_a_body_that_never_comes_is_not_waited_for_for_ever(echo: Echo) -> None:
    async with serving(echo, keep_alive=0.3) as (door, _):
        reader, writer = await door.open()
        writer.write(post(b"half of it", length=b"100"))
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_a_server_that_stops_answers_what_is_under_way_and_hangs_up(echo: Echo) -> None:
    async with serving(echo) as (door, server):
        reader, writer = await door.open()
        writer.write(post(b"wait"))
        await echo.begun.wait()
        server.should_exit = True
        await asyncio.sleep(0.3)
        echo.go_on.set()
        got = await asyncio.wait_for(reader.read(), 5)
        assert b"connection: close" in got.lower()
        assert got.endswith(b"4 wait  " + bodies(got)[0].split(b" ")[-1])
        writer.close()


HEAD = b"Host: x\r\nContent-Length: 5\r\nX: y"


@given(st.integers(0, len(HEAD) + 9))
def test_no_beginning_of_a_request_is_taken_for_the_whole(cut: int) -> None:
    whole = b"POST / HTTP/1.1\r\n" + HEAD + b"\r\n\r\n12345"
    assert not isinstance(read(whole[: 17 + cut - 1], 17, 100), Whole)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_left_to_the_common_way(data: bytes) -> None:
    found = read(data + b"\r\nContent-Length: 2\r\n\r\nab", 0, 10)
    if isinstance(found, Whole):
        names = [name for name, _ in found.headers]
        assert names.count(b"content-length") == 1
        assert not {b"transfer-encoding", b"upgrade", b"expect"} & set(names)
        assert found.body == b"ab"


def test_the_lane_stands_on_what_uvicorn_has() -> None:
    """The names of uvicorn's protocol that the lane overrides or reads; a new version that lacks one must be looked at."""
    for name in ("on_message_begin", "on_message_complete", "on_response_complete", "timeout_keep_alive_handler", "shutdown"):
        assert callable(getattr(FastLane.__mro__[1], name))
