"""How the API says no: application/problem+json with a stable code, and nothing of the inside.

Lives here: from an exception to its answer. Must not live here: the pages' errors (`backend/pages/problems.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from backend.errors import Busy, Closed, Forbidden, KeyReused, Later, LimitReached, NotFound

MEDIA_TYPE: Final = "application/problem+json"
_CODES: Final = {401: "unauthorized", 403: "forbidden", 404: "not_found", 429: "limit", 503: "unavailable"}
_UNAVAILABLE_SECONDS: Final = 2


def problem(
    status: int,
    code: str,
    title: str,
    *,
    errors: Sequence[dict[str, str]] = (),
    retry_after: int | None = None,
    limit: str | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "code": code,
        "detail": "",
        "errors": list(errors),
    }
    if limit is not None:
        body["limit"] = limit
    if retry_after is not None:
        headers = {**(headers or {}), "Retry-After": str(retry_after)}
    return JSONResponse(body, status, headers=headers, media_type=MEDIA_TYPE)


def unavailable() -> JSONResponse:
    return problem(503, "unavailable", "The backend is not well, try again", retry_after=_UNAVAILABLE_SECONDS)


def answer(error: Exception) -> JSONResponse:
    """The answer to anything that was raised."""
    match error:
        case NotFound():
            return problem(404, "not_found", "No such registration")
        case Forbidden():
            return problem(403, "forbidden", "This API key is not for this channel")
        case KeyReused():
            return problem(409, "key_reused", "This Idempotency-Key came before with another request")
        case Closed():
            return problem(409, "closed", "The registration is closed")
        case Busy():
            return problem(503, "busy", "Too much at once, try again", retry_after=error.retry_after)
        case LimitReached():
            why, wait = "Too many mails, try again later", error.retry_after
            return problem(429, "limit", why, retry_after=wait, limit=error.limit)
        case Later():
            return problem(429, "limit", "Too often, try again later", retry_after=error.retry_after)
        case RequestValidationError():
            return problem(422, "invalid", "The request is not valid", errors=[_field(found) for found in error.errors()])
        case HTTPException(status_code=400):  # a body that is no JSON at all is as invalid as one of another shape
            return problem(422, "invalid", "The request is not valid")
        case HTTPException():
            return problem(error.status_code, _CODES.get(error.status_code, "invalid"), error.detail, headers=_headers(error))
        case DBAPIError() | SQLAlchemyError() | OSError() | TimeoutError():
            return unavailable()
        case _:
            return problem(500, "unavailable", "The backend broke, try again", retry_after=_UNAVAILABLE_SECONDS)


def _field(found: dict[str, Any]) -> dict[str, str]:
    # The place and the rule, never the value: it may be personal data.
    place = ".".join(str(part) for part in found["loc"][1:]) or str(found["loc"][0])
    return {"field": place, "code": str(found["type"])}


def _headers(error: HTTPException) -> dict[str, str] | None:
    return dict(error.headers) if error.headers else None
