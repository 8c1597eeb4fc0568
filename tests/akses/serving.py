"""An ASGI application on a free port of this machine, for a client over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import uvicorn
from starlette.types import ASGIApp

from akses.serve import Server
from tests.services import free_port


@asynccontextmanager
async def served(app: ASGIApp, *, http: Any = "auto") -> AsyncIterator[httpx2.AsyncClient]:
    """`http` is uvicorn's, or the fast lane."""
    port = free_port()
    config = uvicorn.Config(app, host="127.0.0.1", port=port, http=http, log_config=None, lifespan="off", access_log=False)
    server = Server(config)
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            assert not task.done(), "the server did not start"
            await asyncio.sleep(0.01)
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        await task
