"""The pages for what went wrong: they say what happened, that nothing was lost, and what to do next, and nothing of the inside.

Lives here: from an exception to a page. Must not live here: the API's problem+json (`backend/api/`).
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from backend.budgets import Limit
from backend.database import code_of
from backend.errors import Busy, Later, LimitReached
from backend.pages.guard import require_own_page
from backend.pages.language import chosen
from backend.pages.view import View

Endpoint = Callable[[Request], Awaitable[Response]]

_log = structlog.get_logger(__name__)
_WITH_WORDS: Final = {400, 401, 403, 404, 405, 413, 429, 500, 503}


class Problems:
    """Wraps pages so that whatever they raise becomes a page, made of this `template`."""

    def __init__(self, view: View, public_url: str, template: str = "problem") -> None:
        self._view = view
        self._template = template
        self._public_url = public_url

    def page(self, request: Request, status: int, *, retry_after: int | None = None, limit: Limit | None = None) -> Response:
        """The page of this status; one without words of its own reads like its class (400 or 500). `limit` of mails: which was reached."""
        worded = status if status in _WITH_WORDS else (400 if status < 500 else 500)
        headers = {"Retry-After": str(retry_after)} if retry_after is not None else {}
        return self._view.page(
            request,
            self._template,
            chosen(request),
            status=status,
            headers=headers,
            problem=worded,
            retry_after=retry_after,
            limit=limit,
        )

    def guard(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint, answering only our own forms, with a page for every exception."""

        async def guarded(request: Request) -> Response:
            try:
                if request.method not in {"GET", "HEAD"}:
                    require_own_page(request, self._public_url)
                return await endpoint(request)
            except Later as later:
                limit = later.limit if isinstance(later, LimitReached) else None
                return self.page(request, 503 if isinstance(later, Busy) else 429, retry_after=later.retry_after, limit=limit)
            except HTTPException as refused:
                return self.page(request, refused.status_code)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody reads it
            except Exception as error:  # noqa: BLE001 (what it was is logged below)
                # The path may hold a link's token and the text of an exception may hold what somebody typed: neither is logged.
                frames = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
                _log.error(
                    "page.failed", method=request.method, error=type(error).__qualname__, code=code_of(error), frames=frames
                )
                return self.page(request, 500)

        return guarded
