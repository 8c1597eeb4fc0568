"""Behind a load balancer every request comes from it: whom it speaks for is what counts, and only a proxy that we know may say so.

Lives here: putting the true client where every part looks for it. Must not live here: which hop is believed (`backend/client_ip.py`).
"""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.client_ip import client_ip


class BehindProxies:
    """Wraps the application; `trusted` are the addresses or networks of the proxies."""

    def __init__(self, app: ASGIApp, trusted: tuple[str, ...]) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            port = scope["client"][1] if scope.get("client") else 0
            scope["client"] = (client_ip(HTTPConnection(scope), self._trusted), port)
        await self._app(scope, receive, send)
