"""The code that was sent to somebody's phone: one page for both errands, entering the account and activating it.

Lives here: the form and where it leads. Must not live here: what a code is worth (`backend/phone_checks.py`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import assert_never

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from backend.accounts import Accounts
from backend.activation import Activated, Activation, LinkUnknown, NotPossible
from backend.client_ip import client_ip
from backend.config import BackendConfig
from backend.errors import LimitReached
from backend.pages.device import device
from backend.pages.guard import read_form
from backend.pages.language import chosen
from backend.pages.sessions import Cookies
from backend.pages.view import View
from backend.phone_checks import Begun, Check, PhoneChecks, Proven, WrongCode


def code_page(begun: Begun) -> str:
    """Where a check that was begun is gone on with."""
    return "/kode" if begun.sent else "/kode?kode=lama"


class PhoneCodePages:
    def __init__(
        self, checks: PhoneChecks, accounts: Accounts, activation: Activation, view: View, config: BackendConfig
    ) -> None:
        self._checks = checks
        self._accounts = accounts
        self._activation = activation
        self._view = view
        self._config = config
        self._cookies = Cookies(secure=config.secure_cookies)

    async def show(self, request: Request) -> Response:
        token = self._cookies.check(request)
        check = await self._checks.look(token) if token else None
        if token is None or check is None:
            return self._gone(request)
        problem = {"baru": "sent", "lama": "unsent"}.get(request.query_params.get("kode", ""), "")
        return self._form(request, token, check, problem=problem)

    async def prove(self, request: Request) -> Response:
        """POST: a code."""
        token, code = await self._asked(request)
        outcome = await self._checks.prove(token, code) if token else None
        match outcome:
            case None:
                return self._gone(request)
            case WrongCode(check):
                problem = "wrong" if check.code_live else "ended"
                return self._form(request, token, check, status=422, problem=problem)
            case Proven():
                return await self._proven(request, outcome)
            case _:
                assert_never(outcome)

    async def resend(self, request: Request) -> Response:
        """POST: another code, which ends the one before."""
        token, _ = await self._asked(request)
        try:
            check = await self._checks.resend(token) if token else None
        except LimitReached as limit:
            check = await self._checks.look(token)
            if check is not None:
                return self._form(request, token, check, problem="unsent", limit=limit)
        return self._gone(request) if check is None else RedirectResponse("/kode?kode=baru", 303)

    async def _asked(self, request: Request) -> tuple[str, str]:
        form = await read_form(request)
        token = self._cookies.check(request) or ""
        if token and not self._cookies.session_form_token_matches(token, form.get("form", "")):
            raise HTTPException(403)
        return token, form.get("code", "")

    async def _proven(self, request: Request, proven: Proven) -> Response:
        if proven.purpose == "log_in" and proven.account_id is not None:
            session = await self._accounts.phone_proven(proven, device(request))
            if session is None:
                return self._gone(request)
            response: Response = RedirectResponse("/akun", 303)
            self._cookies.open(response, session)
        else:
            ip = client_ip(request, self._config.trusted_proxies)
            outcome = await self._activation.phone_proven(proven, ip=ip)
            match outcome:
                case Activated():
                    response = RedirectResponse("/aktivasi/selesai", 303)
                case NotPossible():
                    response = self._view.page(request, "link_impossible", chosen(request, proven.language), status=409)
                case LinkUnknown():
                    response = self._view.page(request, "link_unknown", chosen(request, proven.language), status=404)
                case _:
                    assert_never(outcome)
        self._cookies.drop_check(response)
        return response

    def _form(
        self,
        request: Request,
        token: str,
        check: Check,
        *,
        status: int = 200,
        problem: str = "",
        limit: LimitReached | None = None,
    ) -> Response:
        return self._view.page(
            request,
            "phone_code",
            chosen(request, check.language),
            status=429 if limit else status,
            headers={"Retry-After": str(limit.retry_after)} if limit else {},
            check=check,
            problem=problem,
            resend_at=check.resend_at if check.resend_at > datetime.now(UTC) else None,
            form_token=self._cookies.session_form_token(token),
        )

    def _gone(self, request: Request) -> Response:
        return self._view.page(request, "phone_code_gone", chosen(request), status=410)
