"""HTTP without a framework, for the paths that are asked for thousands of times a second: whole requests in, whole answers out.

Lives here: what such a path is (`Plain`), and the same as an ASGI application, for any server. Must not live here: a path's meaning
(`bot/channels/`) or the shorter way past the framework (`akses/fast_lane.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
from starlette.types import Receive, Scope, Send

# Names in lower case, as ASGI has them.
Headers = Sequence[tuple[bytes, bytes]]


class Answer(msgspec.Struct, frozen=True, gc=False):
    """`after` is called once the response has been written (True), or when nobody is there any more to write it to (False)."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    after: Callable[[bool], None] | None = None


class Plain(Protocol):
    """What is behind one path, for POST. `limit`: bytes that a body may have."""

    limit: int

    async def answer(self, headers: Headers, body: bytes) -> Answer:
        """Raises nothing."""


class Asgi:
    """The same as an application for any ASGI server or router."""

    def __init__(self, plain: Plain) -> None:
        self._plain = plain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive, self._plain.limit)
        answer = await self._plain.answer(scope["headers"], body) if body is not None else Answer(413)
        headers = [*answer.headers, (b"content-length", str(len(answer.body)).encode())]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})
        if answer.after is not None:
            answer.after(True)  # noqa: FBT003


async def _read(receive: Receive, limit: int) -> bytes | None:
    """The whole body; None where it is too long or its sender has gone."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        chunk: bytes = message.get("body", b"")
        body += chunk
        if len(body) > limit:
            return None
        if not message.get("more_body", False):
            return body
