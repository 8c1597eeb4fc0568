"""A strict Telegram, a scripted dialog, and our channel between them, over real HTTP on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from akses.fast_lane import fast_lane
from bot.channels.telegram.running import Telegram, TelegramConfig
from bot.plain_http import Asgi
from tests.bot.telegram.scripted import ScriptedTurns
from tests.fakes.bot_api import FakeBotApi

SECRET = "a-secret_of-36-characters-0123456789"
Running = Callable[..., AbstractAsyncContextManager[Telegram]]


@pytest.fixture
async def api() -> AsyncIterator[FakeBotApi]:
    async with FakeBotApi() as fake:
        yield fake


@pytest.fixture
def turns() -> ScriptedTurns:
    return ScriptedTurns()


@contextlib.asynccontextmanager
async def running(api: FakeBotApi, turns: ScriptedTurns, mode: str, *, fast: bool = True) -> AsyncIterator[Telegram]:
    """Our side, started and known to Telegram; its webhook reached by the fast lane, or as any ASGI server would."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    telegram = Telegram(TelegramConfig(api.token, api.base, mode, SECRET, url))
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


@pytest.fixture
async def telegram(api: FakeBotApi, turns: ScriptedTurns, mode: str) -> AsyncIterator[Telegram]:
    async with running(api, turns, mode) as telegram:
        yield telegram


@pytest.fixture(params=["fast lane", "asgi"])
async def by_webhook(request: pytest.FixtureRequest, api: FakeBotApi, turns: ScriptedTurns) -> AsyncIterator[Telegram]:
    async with running(api, turns, "webhook", fast=request.param == "fast lane") as telegram:
        yield telegram


@pytest.fixture
async def by_polling(api: FakeBotApi, turns: ScriptedTurns) -> AsyncIterator[Telegram]:
    async with running(api, turns, "polling") as telegram:
        yield telegram
