"""Who may come through: every route of the console passes here first.

Lives here: the session, the right that a route asks for, a form's origin and token, and what is answered when something is not as it must
be. Must not live here: what a route does. A script of ours (it asks for application/json) is answered in JSON, a browser with a page.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from bot.turns import StoreUnavailable
from helpdesk.config import DeskConfig
from helpdesk.console.cookies import Cookies
from helpdesk.console.forms import read_form, require_own_page
from helpdesk.console.headers import ConsoleHeaders
from helpdesk.console.view import View
from helpdesk.roles import Right
from helpdesk.sign_in import SignIn, Visit
from helpdesk.texts import text

log = structlog.get_logger(__name__)

Form = Mapping[str, str]
Seen = Callable[[Request, Visit], Awaitable[Response]]
Done = Callable[[Request, Visit, Form], Awaitable[Response]]
Open = Callable[[Request], Awaitable[Response]]

SIGN_IN: Final = "/helpdesk/masuk"
# What our script sends along with what it asks for by itself, so that an open page alone does not keep a session alive.
BY_ITSELF: Final = "x-by-itself"
_RETRY_SECONDS: Final = "2"
_KNOWN: Final = frozenset({400, 403, 404, 409, 413, 415, 429, 503})


class Door:
    def __init__(self, config: DeskConfig, sign_in: SignIn, view: View) -> None:
        self._config = config
        self._sign_in = sign_in
        self._view = view
        self.cookies = Cookies(https=config.https)
        self._headers = [Middleware(ConsoleHeaders, https=config.https)]

    # --- the kinds of routes

    def open(self, path: str, endpoint: Open, method: str = "GET") -> Route:
        """A route for everybody. A POST must come from our own page."""

        async def come(request: Request) -> Response:
            if request.method == "POST":
                require_own_page(request, self._config.public_url)
            return await endpoint(request)

        return self._route(path, come, method)

    def see(self, path: str, right: Right | None, endpoint: Seen, *, by_itself: bool = False) -> Route:
        """A route that shows something to those who have the right; None: to every agent. `by_itself`: only our script asks for it."""

        async def come(request: Request) -> Response:
            visit = await self._visit(request, touch=not by_itself and BY_ITSELF not in request.headers)
            if visit is None:
                return self._sign_in_first(request)
            self.require(visit, right)
            return await endpoint(request, visit)

        return self._route(path, come, "GET")

    def do(self, path: str, right: Right | None, endpoint: Done) -> Route:
        """A route that changes something, by a form of the agent's own session."""

        async def come(request: Request) -> Response:
            require_own_page(request, self._config.public_url)
            form = await read_form(request)
            visit = await self._visit(request)
            if visit is None:
                return self._sign_in_first(request)
            if not self.cookies.session_form_token_matches(visit.token, form.get("form", "")):
                raise HTTPException(403)
            self.require(visit, right)
            return await endpoint(request, visit, form)

        return self._route(path, come, "POST")

    @staticmethod
    def require(visit: Visit, right: Right | None) -> None:
        """Raises HTTPException 403 for an agent who has not this right."""
        if right is not None and not visit.agent.may(right):
            raise HTTPException(403)

    def _route(self, path: str, come: Open, method: str) -> Route:
        return Route(path, partial(self._answer, come), methods=[method], middleware=self._headers, include_in_schema=False)

    async def _visit(self, request: Request, *, touch: bool = True) -> Visit | None:
        token = self.cookies.session(request)
        return await self._sign_in.visit(token, touch=touch) if token else None

    # --- what is answered when something is not as it must be

    async def _answer(self, come: Open, request: Request) -> Response:
        try:
            return await come(request)
        except HTTPException as error:
            return self.problem(request, error.status_code)
        except (StoreUnavailable, SQLAlchemyError, OSError) as error:
            log.warning("helpdesk.unavailable", fault=type(error).__name__)
            response = self.problem(request, 503)
            response.headers["Retry-After"] = _RETRY_SECONDS
            return response
        except Exception as error:  # noqa: BLE001 - whatever it is, an agent gets a page and the log a place
            # Where it broke, not what it says: the text of an error may hold personal data.
            frames = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-5:]]
            log.error("helpdesk.failed", error=type(error).__qualname__, frames=frames)
            return self.problem(request, 500)

    def problem(self, request: Request, status: int) -> Response:
        name = str(status) if status in _KNOWN else "500"
        if wants_json(request):
            language = self._view.language(request, None)
            return JSONResponse({"error": {"code": name, "message": text(language, f"problem.{name}.text")}}, status)
        return self._view.page(request, "problem", status=status, name=name)

    def _sign_in_first(self, request: Request) -> Response:
        if wants_json(request):
            return self.problem(request, 401)
        if (
            request.method == "GET"
            and request.headers.get("sec-fetch-site") == "cross-site"
            and not self.cookies.session(request)
        ):
            # A link on another site opened this: the browser keeps a Strict cookie back until the page itself asks.
            return self._view.page(request, "again")
        response: Response = RedirectResponse(SIGN_IN, 303)
        if self.cookies.session(request) and request.method == "POST":
            self.cookies.close(response)
        return response


def wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")
