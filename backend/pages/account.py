"""Log-in, the account, log-out.

Lives here: forms, cookies, redirects. Must not live here: who may log in and how often one may try (`backend/accounts.py`).
"""

from __future__ import annotations

from typing import assert_never

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from backend.accounts import Account, Accounts, SlowDown, WrongCredentials
from backend.client_ip import client_ip
from backend.config import BackendConfig
from backend.pages.guard import read_form
from backend.pages.language import chosen
from backend.pages.sessions import Cookies
from backend.pages.view import View


class AccountPages:
    def __init__(self, accounts: Accounts, view: View, config: BackendConfig) -> None:
        self._accounts = accounts
        self._view = view
        self._config = config
        self._cookies = Cookies(secure=config.secure_cookies)

    async def log_in_form(self, request: Request) -> Response:
        if await self._account(request) is not None:
            return RedirectResponse("/akun", 303)
        return self._form(request)

    async def log_in(self, request: Request) -> Response:
        form = await read_form(request)
        email, password = form.get("email", ""), form.get("password", "")
        if not self._cookies.form_token_matches(request, form.get("form", "")):
            return self._form(request, status=403, email=email, problem="stale")
        outcome = await self._accounts.authenticate(email, password, ip=client_ip(request, self._config.trusted_proxies))
        match outcome:
            case Account():
                await self._end_session(request)
                response = RedirectResponse("/akun", 303)
                self._cookies.open(response, await self._accounts.open_session(outcome.id))
                return response
            case WrongCredentials():
                return self._form(request, status=401, email=email, problem="wrong")
            case SlowDown():
                return self._form(request, status=429, email=email, problem="slow", retry_after=outcome.retry_after)
            case _:
                assert_never(outcome)

    async def show(self, request: Request) -> Response:
        session = self._cookies.session(request)
        account = await self._account(request)
        if session is None or account is None:
            return RedirectResponse("/masuk", 303)
        language = chosen(request, account.language)
        return self._view.page(
            request, "account", language, account=account, form_token=self._cookies.session_form_token(session)
        )

    async def log_out(self, request: Request) -> Response:
        form = await read_form(request)
        session = self._cookies.session(request)
        if session is not None and not self._cookies.session_form_token_matches(session, form.get("form", "")):
            raise HTTPException(403)
        await self._end_session(request)
        response = RedirectResponse("/", 303)
        self._cookies.close(response)
        return response

    async def _account(self, request: Request) -> Account | None:
        session = self._cookies.session(request)
        return await self._accounts.session(session) if session else None

    async def _end_session(self, request: Request) -> None:
        session = self._cookies.session(request)
        if session:
            await self._accounts.close_session(session)

    def _form(
        self, request: Request, *, status: int = 200, email: str = "", problem: str = "", retry_after: int | None = None
    ) -> Response:
        token = self._cookies.form_token(request)
        response = self._view.page(
            request,
            "log_in",
            chosen(request),
            status=status,
            headers={"Retry-After": str(retry_after)} if retry_after is not None else {},
            email=email,
            problem=problem,
            retry_after=retry_after,
            form_token=token,
        )
        self._cookies.keep_form_token(response, token)
        return response
