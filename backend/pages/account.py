"""Log-in, the account and what its owner can do there, log-out.

Lives here: forms, cookies, redirects. Must not live here: who may log in and how often one may try (`backend/accounts.py`), what is known
of a person (`backend/subjects.py`). Whatever cannot be taken back, or shows data in the clear, asks for the password once more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from backend.accounts import Account, Accounts, PhoneNeeded, SlowDown, WrongCredentials
from backend.client_ip import client_ip, site
from backend.config import BackendConfig
from backend.pages.device import device
from backend.pages.guard import read_form
from backend.pages.language import chosen
from backend.pages.phone_code import code_page
from backend.pages.sessions import Cookies
from backend.pages.view import View
from backend.passwords import PasswordRefused
from backend.subjects import Subjects


@dataclass(frozen=True, slots=True)
class _Visit:
    """Somebody with an open session. `token` is the session's."""

    token: str
    account: Account


class AccountPages:
    def __init__(self, accounts: Accounts, subjects: Subjects, view: View, config: BackendConfig) -> None:
        self._accounts = accounts
        self._subjects = subjects
        self._view = view
        self._config = config
        self._cookies = Cookies(secure=config.secure_cookies)

    async def log_in_form(self, request: Request) -> Response:
        if await self._visit(request) is not None:
            return RedirectResponse("/akun", 303)
        return self._form(request)

    async def log_in(self, request: Request) -> Response:
        form = await read_form(request)
        email, password = form.get("email", ""), form.get("password", "")
        if not self._cookies.form_token_matches(request, form.get("form", "")):
            return self._form(request, status=403, email=email, problem="stale")
        outcome = await self._accounts.authenticate(email, password, ip=self._ip(request))
        match outcome:
            case Account():
                token = await self._accounts.open_session(outcome, device(request))
                if token is None:
                    return self._form(request, status=401, email=email, problem="wrong")
                await self._end_session(request)
                response = RedirectResponse("/akun", 303)
                self._cookies.open(response, token)
                return response
            case PhoneNeeded():
                response = RedirectResponse(code_page(outcome.check), 303)
                self._cookies.keep_check(response, outcome.check.token)
                return response
            case WrongCredentials():
                return self._form(request, status=401, email=email, problem="wrong")
            case SlowDown():
                return self._form(request, status=429, email=email, problem="slow", retry_after=outcome.retry_after)
            case _:
                assert_never(outcome)

    async def show(self, request: Request) -> Response:
        visit = await self._visit(request)
        if visit is None:
            return self._log_in_first(request)
        sessions = await self._accounts.sessions(visit.account.id, visit.token)
        return self._page(request, "account", visit, sessions=sessions, changed=request.query_params.get("sandi") == "baru")

    async def password_form(self, request: Request) -> Response:
        visit = await self._visit(request)
        return self._log_in_first(request) if visit is None else self._page(request, "account_password", visit, broken=())

    async def change_password(self, request: Request) -> Response:
        """POST: the present password, and twice the new one."""
        form = await read_form(request)
        visit = await self._visit(request, form)
        if visit is None:
            return self._log_in_first(request)
        if (refusal := await self._unconfirmed(request, "account_password", visit, form, broken=())) is not None:
            return refusal
        try:
            token = await self._accounts.change_password(
                visit.account, form.get("password", ""), form.get("again", ""), device=device(request)
            )
        except PasswordRefused as refused:
            return self._page(request, "account_password", visit, status=422, broken=refused.rules)
        if token is None:
            return self._log_in_first(request)
        response = RedirectResponse("/akun?sandi=baru", 303)
        self._cookies.open(response, token)
        return response

    async def end_sessions(self, request: Request) -> Response:
        """POST: log out one other device, or all others."""
        form = await read_form(request)
        visit = await self._visit(request, form)
        if visit is None:
            return self._log_in_first(request)
        if session := form.get("sesi", ""):
            await self._accounts.end_session(visit.account.id, session)
        else:
            await self._accounts.end_other_sessions(visit.account.id, visit.token)
        return RedirectResponse("/akun", 303)

    async def export_form(self, request: Request) -> Response:
        visit = await self._visit(request)
        return self._log_in_first(request) if visit is None else self._page(request, "account_export", visit)

    async def export(self, request: Request) -> Response:
        """POST: everything that is kept of this person, as a file."""
        form = await read_form(request)
        visit = await self._visit(request, form)
        if visit is None:
            return self._log_in_first(request)
        if (refusal := await self._unconfirmed(request, "account_export", visit, form)) is not None:
            return refusal
        found = await self._subjects.export(await self._subjects.find("account", visit.account.id), "person")
        return Response(
            json.dumps(found, ensure_ascii=False, indent=2),
            media_type="application/json",
            headers={"Content-Disposition": 'attachment; filename="data-akses.json"'},
        )

    async def delete_form(self, request: Request) -> Response:
        visit = await self._visit(request)
        return self._log_in_first(request) if visit is None else self._page(request, "account_delete", visit)

    async def delete(self, request: Request) -> Response:
        """POST: the end of the account."""
        form = await read_form(request)
        visit = await self._visit(request, form)
        if visit is None:
            return self._log_in_first(request)
        if form.get("sure") != "ya":
            return self._page(request, "account_delete", visit, status=422, problem="unsure")
        if (refusal := await self._unconfirmed(request, "account_delete", visit, form)) is not None:
            return refusal
        await self._subjects.erase(await self._subjects.find("account", visit.account.id), "person")
        response = RedirectResponse("/akun/terhapus", 303)
        self._cookies.close(response)
        return response

    async def deleted(self, request: Request) -> Response:
        return self._view.page(request, "account_deleted", chosen(request))

    async def log_out(self, request: Request) -> Response:
        form = await read_form(request)
        session = self._cookies.session(request)
        if session is not None and not self._cookies.session_form_token_matches(session, form.get("form", "")):
            raise HTTPException(403)
        await self._end_session(request)
        response = RedirectResponse("/", 303)
        self._cookies.close(response)
        return response

    async def _visit(self, request: Request, form: Mapping[str, str] | None = None) -> _Visit | None:
        """Who has a session; with a form, whose form it is too. Raises HTTPException 403 for a form of somebody else's."""
        session = self._cookies.session(request)
        account = await self._accounts.session(session) if session else None
        if session is None or account is None:
            return None
        if form is not None and not self._cookies.session_form_token_matches(session, form.get("form", "")):
            raise HTTPException(403)
        return _Visit(session, account)

    async def _unconfirmed(
        self, request: Request, template: str, visit: _Visit, form: Mapping[str, str], **facts: Any
    ) -> Response | None:
        """The page once more when the password that was asked for is not the right one; None when it is."""
        outcome = await self._accounts.confirm(visit.account, form.get("current", ""), ip=self._ip(request))
        match outcome:
            case "confirmed":
                return None
            case WrongCredentials():
                return self._page(request, template, visit, status=422, problem="wrong_password", **facts)
            case SlowDown():
                return self._page(
                    request, template, visit, status=429, problem="slow", retry_after=outcome.retry_after, **facts
                )
            case _:
                assert_never(outcome)

    def _page(
        self,
        request: Request,
        template: str,
        visit: _Visit,
        *,
        status: int = 200,
        problem: str = "",
        retry_after: int | None = None,
        **facts: Any,
    ) -> Response:
        return self._view.page(
            request,
            template,
            chosen(request, visit.account.language),
            status=status,
            headers={"Retry-After": str(retry_after)} if retry_after is not None else {},
            account=visit.account,
            problem=problem,
            retry_after=retry_after,
            form_token=self._cookies.session_form_token(visit.token),
            **facts,
        )

    def _log_in_first(self, request: Request) -> Response:
        response = RedirectResponse("/masuk", 303)
        if self._cookies.session(request) is not None:
            self._cookies.close(response)
        return response

    def _ip(self, request: Request) -> str:
        # All addresses of one household count as one: an IPv6 customer has more of them than there are passwords.
        return site(client_ip(request, self._config.trusted_proxies))

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
