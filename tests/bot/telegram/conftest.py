"""A strict Telegram, a scripted dialog, and our channel between them, over real HTTP on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Self

import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from akses.fast_lane import fast_lane
from bot.channels.telegram.introduction import introductions
from bot.channels.telegram.running import Telegram, TelegramConfig
from bot.limits import Buckets
from bot.plain_http import Asgi
from tests.bot.telegram.scripted import ScriptedTurns
from tests.fakes.bot_api import FakeBotApi

INTRODUCTIONS = introductions("PT Contoh Sekuritas", demo=False)
SECRET = "a-secret_of-36-characters-0123456789"
Running = Callable[..., AbstractAsyncContextManager[Telegram]]


@pytest.fixture
async def api() -> AsyncIterator[FakeBotApi]:
    async with FakeBotApi() as fake:
        yield fake


@pytest.fixture
def turns() -> ScriptedTurns:
    return ScriptedTurns()


class ReverseProxy:
    """What stands before us in production: it takes a path of its own off, and adds what proxies add. Public at `url`."""

    def __init__(self) -> None:
        self.behind = ""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/akses/"

    async def _pass_on(self, request: Request) -> Response:
        headers = [(name, value) for name, value in request.headers.items() if name not in ("host", "connection")]
        # Whoever calls may have written this header, too.
        added = [("x-forwarded-for", "149.154.160.1, 10.0.0.7"), ("x-forwarded-proto", "https"), ("x-real-ip", "149.154.160.1")]
        path = request.url.path.removeprefix("/akses")
        answer = await self._http.post(self.behind + path, content=await request.body(), headers=[*headers, *added])
        return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))

    async def __aenter__(self) -> Self:
        self._http = httpx2.AsyncClient(trust_env=False)
        app = Starlette(routes=[Route("/akses/{path:path}", self._pass_on, methods=["POST"])])
        self._server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
        self._served = asyncio.create_task(self._server.serve([self._listener]))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        await self._served
        await self._http.aclose()


@contextlib.asynccontextmanager
async def running(
    api: FakeBotApi,
    turns: Any,
    mode: str,
    *,
    fast: bool = True,
    proxy: ReverseProxy | None = None,
    framework: str = "aiogram",
    prepare: Callable[[Telegram], None] | None = None,
    buckets: Buckets | None = None,
) -> AsyncIterator[Telegram]:
    """Our side, started and known to Telegram; its webhook reached by the fast lane, or as any ASGI server would; or through a proxy.

    `turns` are a script's, and told of their channel, unless `prepare` is there to do what they need before they begin.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    if proxy is not None:
        proxy.behind, url = url, proxy.url
    config = TelegramConfig(api.token, api.base, mode, SECRET, url, framework)
    telegram = Telegram(config, introductions=INTRODUCTIONS, buckets=buckets)
    if prepare is not None:
        prepare(telegram)
    else:
        turns.channel = telegram.channel
    telegram.start(turns)
    app = Starlette(routes=[Route(path, Asgi(plain), methods=["POST"]) for path, plain in telegram.posts.items()])
    lane = fast_lane(telegram.posts if fast else {})
    server = uvicorn.Server(uvicorn.Config(app, http=lane, log_config=None, lifespan="off", ws="none"))
    served = asyncio.create_task(server.serve([listener]))
    try:
        await telegram.ready()
        yield telegram
    finally:
        await telegram.close()
        server.should_exit = True
        await served


@pytest.fixture(params=["polling", "webhook"])
def mode(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["aiogram", "ptb"])
def framework(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def telegram(api: FakeBotApi, turns: ScriptedTurns, mode: str, framework: str) -> AsyncIterator[Telegram]:
    async with running(api, turns, mode, framework=framework) as telegram:
        yield telegram


@pytest.fixture(params=["fast lane", "asgi"])
async def by_webhook(request: pytest.FixtureRequest, api: FakeBotApi, turns: ScriptedTurns) -> AsyncIterator[Telegram]:
    async with running(api, turns, "webhook", fast=request.param == "fast lane") as telegram:
        yield telegram


@pytest.fixture
async def by_polling(api: FakeBotApi, turns: ScriptedTurns) -> AsyncIterator[Telegram]:
    async with running(api, turns, "polling") as telegram:
        yield telegram
