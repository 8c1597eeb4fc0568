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


class Readiness:
    """What `/readyz` tells: 503 while any probe raises or hangs, and from `stop` on; which part it is stands in the answer, why in the log.

    `probes` may still grow after this is built; `observe` is told what each of them came to, `patience` is in seconds.
    """

    def __init__(
        self,
        probes: Mapping[str, Probe],
        *,
        observe: Callable[[str, bool], None] = lambda *_: None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._probes = probes
        self._patience = patience
        self._observe = observe
        self._stopping = False

    def stop(self) -> None:
        """From now on this process wants no new work: whoever spreads the load sends it elsewhere."""
        self._stopping = True

    async def parts(self) -> dict[str, bool]:
        """Ask every part, all at the same time."""
        names = list(self._probes)
        results = await asyncio.gather(*(self._ask(name, self._probes[name]) for name in names))
        return dict(zip(names, results, strict=True))

    def routes(self) -> list[BaseRoute]:
        async def alive(_: Request) -> Response:
            return PlainTextResponse("ok", headers={"Cache-Control": "no-store"})

        async def ready(_: Request) -> Response:
            parts = {} if self._stopping else await self.parts()
            well = not self._stopping and all(parts.values())
            body = {"ready": well, "parts": parts, **({"stopping": True} if self._stopping else {})}
            return JSONResponse(body, status_code=200 if well else 503, headers={"Cache-Control": "no-store"})

        return [Route("/healthz", alive), Route("/readyz", ready)]

    async def _ask(self, name: str, probe: Probe) -> bool:
        ready = True
        try:
            async with asyncio.timeout(self._patience):
                await probe()
        except Exception as error:  # noqa: BLE001 (whatever it is, the part is not ready)
            log.warning("readiness.failed", part=name, error=type(error).__name__)
            ready = False
        self._observe(name, ready)
        return ready


def routes(probes: Mapping[str, Probe]) -> list[BaseRoute]:
    """`Readiness` without an end."""
    return Readiness(probes).routes()
