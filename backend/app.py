"""The backend's web application: the API under `/api/v1` and the pages.

Lives here: putting the two together, and who answers what was raised. Must not live here: routes themselves (`api/`, `pages/`), static
files or other parts of the product (the composition root mounts those).
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any, Final

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.telemetry import TelemetryConfig
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import ExceptionHandler

from backend.access import ApiKey
from backend.api import bounces, problems
from backend.api.guard import OPENAPI, ApiGuard
from backend.api.models import FieldErrorOut, ProblemOut, StatusEventOut
from backend.api.routes import router
from backend.database import code_of
from backend.errors import Refused
from backend.pages import problem_page, routes
from backend.registrations import Registrations
from backend.reveals import Reveals
from backend.services import Backend

log = structlog.get_logger(__name__)

API_VERSION = "1"


class Application(FastAPI):
    """FastAPI with the contract's additions: the problem body and the status webhook."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = contract(self)
        return self.openapi_schema


# What the framework would tell an operator's OpenTelemetry by itself holds whole paths (a link's token), what was sent and the texts of
# errors; ours tells the route and the status (`akses/tracing.py`).
_SILENT: Final[TelemetryConfig] = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


def _bare() -> Application:
    return Application(
        telemetry=_SILENT,
        title="AKSes registration backend",
        version=API_VERSION,
        openapi_url=OPENAPI,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )


def contract(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of the API."""
    found = get_openapi(title=app.title, version=app.version, routes=app.routes, webhooks=app.webhooks.routes)
    schemas = found["components"]["schemas"]
    for model in (ProblemOut, FieldErrorOut):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schema.pop("$defs", None)
        schemas[model.__name__] = schema
    # FastAPI describes its own 422 body wherever none is named; ours is always a problem.
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for webhook in found.get("webhooks", {}).values():
        webhook["post"]["responses"].pop("422", None)  # what a receiver answers is its own
    return found


def api_only(registrations: Registrations, reveals: Reveals) -> Application:
    """The application without pages, also without a running backend: enough to write the contract down."""
    app = _bare()
    app.include_router(router(registrations, reveals))

    @app.webhooks.post("status", operation_id="statusEvent", status_code=204)
    async def status(body: StatusEventOut) -> None:
        """Sent for every status event, signed by the Standard Webhooks rules; `webhook-id` is the same in every attempt."""

    return app


def _methods(contract: dict[str, Any], path: str) -> str:
    """What may be asked of this address: of several routes with one path, the router's own answer names only the first one's."""
    found = [methods for address, methods in contract["paths"].items() if compile_path(address)[0].match(path)]
    return ", ".join(sorted({method.upper() for methods in found for method in methods}))


def create_app(backend: Backend) -> FastAPI:
    """The API and the pages of this backend."""
    app = api_only(backend.registrations, backend.reveals)
    app.include_router(bounces.router(backend.bounces))
    app.router.routes.extend(routes(backend))
    config = backend.config
    app.add_middleware(ApiGuard, keys=(*map(ApiKey, config.api_keys), *config.scoped_keys))

    async def answer(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException | RequestValidationError | Refused):
            # Where it broke, not what it says: the text of an error may hold personal data, the path a token.
            frames = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-5:]]
            kind, code = type(error).__qualname__, code_of(error)
            log.error("request.failed", method=request.method, error=kind, code=code, frames=frames)
        if request.url.path.startswith("/api/"):
            answered = problems.answer(error)
            if answered.status_code == 405 and (methods := _methods(app.openapi(), request.url.path)):
                answered.headers["Allow"] = methods
            return answered
        return problem_page(backend.config, request, error)

    handled: tuple[type[Exception], ...] = (HTTPException, RequestValidationError, Refused, SQLAlchemyError, OSError, Exception)
    handler: ExceptionHandler = answer
    for kind in handled:
        app.add_exception_handler(kind, handler)
    return app
