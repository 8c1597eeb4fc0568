"""What stands before the API: the key, and a body that is small and arrives in time.

Lives here: checks that need no route. Must not live here: what a route means. It is plain ASGI, so that a refused request costs nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.access import ApiKey
from backend.api.problems import problem

log = structlog.get_logger(__name__)

PREFIX: Final = "/api/v1/"
OPENAPI: Final = "/api/v1/openapi.json"
BODY_BYTES: Final = 64 * 1024
BODY_SECONDS: Final = 10.0
_SCHEME: Final = "bearer "


class ApiGuard:
    """Lets through to `/api/v1` only who has one of the keys; `scope["state"]["api_key"]` is then that key, which may ask this."""

    def __init__(self, app: ASGIApp, keys: Sequence[ApiKey], *, body_seconds: float = BODY_SECONDS) -> None:
        self._app = app
        self._body_seconds = body_seconds
        self._keys = tuple((hashlib.sha256(key.secret.encode()).digest(), key) for key in keys if key.secret)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX) or scope["path"] == OPENAPI:
            await self._app(scope, receive, send)
            return
        caller = self._caller(Headers(scope=scope))
        if caller is None:
            log.warning("api.refused", why="unauthorized")
            refusal = problem(401, "unauthorized", "A valid API key is needed", headers={"WWW-Authenticate": "Bearer"})
            await refusal(scope, receive, send)
            return
        if not caller.may(scope["method"], scope["path"]):
            log.warning("api.refused", why="forbidden", api_key=caller.id)
            await problem(403, "forbidden", "This API key is not for this")(scope, receive, send)
            return
        try:
            body = await asyncio.wait_for(_read(receive), self._body_seconds)
        except TimeoutError:
            await problem(408, "invalid", "The body came too slowly")(scope, receive, send)
            return
        if body is None:
            await problem(413, "invalid", "The body is larger than 64 KiB")(scope, receive, send)
            return
        scope.setdefault("state", {})["api_key"] = caller
        await self._app(scope, _replay(body, receive), send)

    def _caller(self, headers: Headers) -> ApiKey | None:
        sent = headers.getlist("authorization")
        if len(sent) != 1 or sent[0][: len(_SCHEME)].lower() != _SCHEME:
            return None
        digest = hashlib.sha256(sent[0][len(_SCHEME) :].strip().encode("latin-1")).digest()
        found = None
        for known, key in self._keys:  # all of them, always: the time must not tell which was nearly right
            if hmac.compare_digest(known, digest):
                found = key
        return found


async def _read(receive: Receive) -> bytes | None:
    """The whole body; None when it is too large."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
