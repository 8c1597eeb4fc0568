"""The design system's files at /assets/: small, few, and the same for everybody, so they are kept in memory, also compressed.

Lives here: reading them once, what a browser may keep, headers. Must not live here: which file a page uses (`backend/pages/view.py`
names it with `?v=`, a digest of its content, so that it may be kept for ever).
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_ENDINGS: Final = frozenset({".css", ".js", ".svg"})
_WORTH_PACKING: Final = 1024
_ALWAYS: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    packed: bytes | None
    kind: str
    etag: str


class Assets:
    """An ASGI application for one folder, read when it is made; what is added later is not there."""

    def __init__(self, folder: Path) -> None:
        found = (path for path in folder.rglob("*") if path.suffix in _ENDINGS)
        self._files = {path.relative_to(folder).as_posix(): _file(path) for path in found}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        await self._answer(request)(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        name = request.scope["path"].removeprefix(request.scope.get("root_path", "")).lstrip("/")
        file = self._files.get(name)
        if file is None:
            return Response(status_code=404, headers=_ALWAYS)
        if request.method not in ("GET", "HEAD"):
            return Response(status_code=405, headers=_ALWAYS | {"Allow": "GET, HEAD"})
        kept = "public, max-age=31536000, immutable" if request.query_params.get("v") else "no-cache"
        headers = _ALWAYS | {"Cache-Control": kept, "ETag": file.etag}
        if request.headers.get("if-none-match") == file.etag:
            return Response(status_code=304, headers=headers)
        if file.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(file.packed, media_type=file.kind, headers=headers | {"Content-Encoding": "gzip"})
        return Response(file.body, media_type=file.kind, headers=headers)


def _file(path: Path) -> _File:
    body = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    packed = gzip.compress(body, 6, mtime=0) if len(body) >= _WORTH_PACKING else None
    return _File(body, packed, kind, f'"{hashlib.sha256(body).hexdigest()[:20]}"')
