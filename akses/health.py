"""Is this process alive (/healthz), and can it do its work (/readyz)?

Lives here: the two routes; readiness really asks each part. Must not live here: what a part is (the composition root names the probes).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

log = structlog.get_logger(__name__)

Probe = Callable[[], Awaitable[object]]
# A part that does not answer within this time is not ready.
PATIENCE_SECONDS: Final = 2.0


def routes(probes: Mapping[str, Probe]) -> list[BaseRoute]:
    """`/readyz` answers 503 while any probe raises or hangs, and names it; details are in the log only."""

    async def alive(_: Request) -> Response:
        return PlainTextResponse("ok", headers={"Cache-Control": "no-store"})

    async def ready(_: Request) -> Response:
        names = list(probes)
        results = await asyncio.gather(*(_probe(name, probes[name]) for name in names))
        parts = dict(zip(names, results, strict=True))
        status = 200 if all(results) else 503
        body = {"ready": status == 200, "parts": parts}
        return JSONResponse(body, status_code=status, headers={"Cache-Control": "no-store"})

    return [Route("/healthz", alive), Route("/readyz", ready)]


async def _probe(name: str, probe: Probe) -> bool:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await probe()
    except Exception as error:  # noqa: BLE001 (whatever it is, the part is not ready)
        log.warning("readiness.failed", part=name, error=type(error).__name__)
        return False
    return True
