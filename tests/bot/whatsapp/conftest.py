"""A strict Meta, a scripted dialog, and our channel between them, over real HTTP on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from akses.fast_lane import fast_lane
from akses.keyring import Keyring
from bot.channels.whatsapp.intake import Hears
from bot.channels.whatsapp.running import WhatsApp, WhatsAppConfig
from bot.channels.whatsapp.webhook import PATH
from bot.conversation import Conversation
from bot.limits import Buckets
from bot.plain_http import Asgi
from bot.stores.memory import MemoryStore
from bot.stores.port import Store
from tests.bot.telegram.scripted import ScriptedTurns
from tests.fakes.whatsapp import FakeMeta

KEYS = Keyring.generate()


@pytest.fixture
async def meta() -> AsyncIterator[FakeMeta]:
    async with FakeMeta() as fake:
        yield fake


@pytest.fixture
def turns() -> ScriptedTurns:
    return ScriptedTurns()


class Heard:
    """What was told of people and messages."""

    def __init__(self) -> None:
        self.reachable: list[Conversation] = []
        self.failed: list[tuple[Conversation, str, bool]] = []
        self.there: list[str] = []

    async def reached(self, conversation: Conversation) -> None:
        self.reachable.append(conversation)

    async def returned(self, conversation: Conversation, key: str, *, unreachable: bool) -> None:
        self.failed.append((conversation, key, unreachable))

    async def arrived(self, key: str) -> None:
        self.there.append(key)


def config(meta: FakeMeta) -> WhatsAppConfig:
    return WhatsAppConfig(meta.token, meta.phone_id, (meta.app_secret,), meta.verify_token, meta.base_url)


@contextlib.asynccontextmanager
async def running(
    meta: FakeMeta,
    turns: Any,
    *,
    fast: bool = True,
    store: Store | None = None,
    buckets: Buckets | None = None,
    prepare: Callable[[WhatsApp], Hears] | None = None,
    hears: Hears | None = None,
) -> AsyncIterator[WhatsApp]:
    """Our side, started and known to Meta; its webhook reached by the fast lane, or as any ASGI server would.

    `turns` are a script's, and told of their channel, unless `prepare` is there to do what they need before they begin; it says who hears
    of what becomes of messages.
    """
    whatsapp = WhatsApp(config(meta), store or MemoryStore(), Keyring.parse(KEYS), buckets=buckets)
    if prepare is not None:
        hears = prepare(whatsapp)
    else:
        turns.channel = whatsapp.channel
    whatsapp.start(turns, hears or Heard())
    listener = socket.create_server(("127.0.0.1", 0))
    posts = [Route(path, Asgi(plain), methods=["POST"]) for path, plain in whatsapp.posts.items()]
    app = Starlette(routes=[*posts, *whatsapp.routes])
    lane = fast_lane(whatsapp.posts if fast else {})
    server = uvicorn.Server(uvicorn.Config(app, http=lane, log_config=None, lifespan="off", ws="none"))
    served = asyncio.create_task(server.serve([listener]))
    meta.webhook = f"http://127.0.0.1:{listener.getsockname()[1]}{PATH}"
    try:
        yield whatsapp
    finally:
        meta.webhook = ""
        await whatsapp.close()
        server.should_exit = True
        await served


@pytest.fixture
async def whatsapp(meta: FakeMeta, turns: ScriptedTurns) -> AsyncIterator[WhatsApp]:
    async with running(meta, turns) as whatsapp:
        yield whatsapp


@pytest.fixture(params=["fast lane", "asgi"])
async def by_either_lane(request: pytest.FixtureRequest, meta: FakeMeta, turns: ScriptedTurns) -> AsyncIterator[WhatsApp]:
    async with running(meta, turns, fast=request.param == "fast lane") as whatsapp:
        yield whatsapp
