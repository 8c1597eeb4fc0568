"""The way in and out: password and code, invitation, one-time link, identity provider, one's own sessions.

Lives here: forms, cookies, redirects. Must not live here: who is let in (`helpdesk/sign_in.py`).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import segno
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from helpdesk.config import DeskConfig
from helpdesk.console.door import SIGN_IN, Door, Form
from helpdesk.console.forms import read_form
from helpdesk.console.view import View
from helpdesk.oidc import Oidc, ProviderRefused
from helpdesk.sign_in import SignIn, SignInRefused, Visit

_STATUS = {"slow": 429, "wrong": 401, "code": 401, "link": 404, "closed": 403, "unknown": 403, "password": 422, "stale": 403}
HOME = "/helpdesk"


class ComingIn:
    """`device` tells a browser's name from a request."""

    def __init__(
        self,
        config: DeskConfig,
        sign_in: SignIn,
        oidc: Oidc | None,
        view: View,
        door: Door,
        device: Callable[[Request], str],
    ) -> None:
        self._config = config
        self._sign_in = sign_in
        self._oidc = oidc
        self._view = view
        self._door = door
        self._cookies = door.cookies
        self._device = device

    # --- every day

    async def form(self, request: Request) -> Response:
        token = self._cookies.session(request)
        if token and await self._sign_in.visit(token) is not None:
            return RedirectResponse(HOME, 303)
        if token and await self._sign_in.half_open(token):
            return RedirectResponse(f"{SIGN_IN}/kode", 303)
        return self._form(request)

    async def password(self, request: Request) -> Response:
        form = await read_form(request)
        login = form.get("login", "")
        if not self._cookies.form_token_matches(request, form.get("form", "")):
            return self._form(request, login=login, refused=SignInRefused("stale"))
        try:
            token = await self._sign_in.password(login, form.get("password", ""), ip=_ip(request), device=self._device(request))
        except SignInRefused as refused:
            return self._form(request, login=login, refused=refused)
        response = RedirectResponse(f"{SIGN_IN}/kode", 303)
        self._cookies.open(response, token)
        return response

    async def code_form(self, request: Request) -> Response:
        if not await self._sign_in.half_open(self._cookies.session(request)):
            return RedirectResponse(SIGN_IN, 303)
        return self._code_form(request)

    async def code(self, request: Request) -> Response:
        form = await read_form(request)
        half = self._cookies.session(request)
        if not self._cookies.session_form_token_matches(half, form.get("form", "")):
            return RedirectResponse(SIGN_IN, 303)
        try:
            token = await self._sign_in.prove(half, form.get("code", ""), device=self._device(request))
        except SignInRefused as refused:
            return RedirectResponse(SIGN_IN, 303) if refused.code == "closed" else self._code_form(request, refused)
        return self._inside(token)

    async def out(self, _: Request, visit: Visit, __: Form) -> Response:
        await self._sign_in.end(visit.token)
        response = RedirectResponse(SIGN_IN, 303)
        self._cookies.close(response)
        return response

    def _inside(self, token: str) -> Response:
        response = RedirectResponse(HOME, 303)
        self._cookies.open(response, token)
        return response

    def _form(self, request: Request, *, login: str = "", refused: SignInRefused | None = None) -> Response:
        return self._unsigned(request, "sign_in", refused, login=login, provider=self._oidc is not None)

    def _code_form(self, request: Request, refused: SignInRefused | None = None) -> Response:
        token = self._cookies.session_form_token(self._cookies.session(request))
        return self._refused_page(request, "code", refused, form_token=token)

    # --- the first time

    async def invitation(self, request: Request) -> Response:
        token = request.path_params["token"]
        try:
            invitation = await self._sign_in.invitation(token)
        except SignInRefused as refused:
            return self._refused_page(request, "link_over", refused)
        return self._unsigned(
            request, "invitation", None, invitation=invitation, picture=_picture(invitation.uri), broken=(), path_token=token
        )

    async def accept(self, request: Request) -> Response:
        form, token = await read_form(request), request.path_params["token"]
        try:
            invitation = await self._sign_in.invitation(token)
            if not self._cookies.form_token_matches(request, form.get("form", "")):
                raise SignInRefused("stale")  # noqa: TRY301 - answered as every other refusal
            opened, codes = await self._sign_in.accept(
                token, form.get("password", ""), form.get("again", ""), form.get("code", ""), device=self._device(request)
            )
        except SignInRefused as refused:
            if refused.code == "link":
                return self._refused_page(request, "link_over", refused)
            return self._unsigned(
                request,
                "invitation",
                refused,
                invitation=invitation,
                picture=_picture(invitation.uri),
                broken=refused.rules,
                path_token=token,
            )
        response = self._view.page(request, "recovery", codes=codes)
        self._cookies.open(response, opened)
        return response

    async def link(self, request: Request) -> Response:
        """GET changes nothing: whatever looks at links before people do uses none up."""
        token = request.path_params["token"]
        try:
            agent = await self._sign_in.link(token)
        except SignInRefused as refused:
            return self._refused_page(request, "link_over", refused)
        return self._unsigned(request, "link", None, agent=agent, path_token=token)

    async def follow(self, request: Request) -> Response:
        form = await read_form(request)
        if not self._cookies.form_token_matches(request, form.get("form", "")):
            return await self.link(request)
        try:
            return self._inside(await self._sign_in.follow(request.path_params["token"], device=self._device(request)))
        except SignInRefused as refused:
            return self._refused_page(request, "link_over", refused)

    # --- by an identity provider

    async def to_provider(self, request: Request) -> Response:
        if self._oidc is None:
            return self._door.problem(request, 404)
        try:
            address, asked = await self._oidc.ask()
        except ProviderRefused:
            return self._form(request, refused=SignInRefused("provider"))
        response = RedirectResponse(address, 303)
        self._cookies.keep_asked(response, asked)
        return response

    async def from_provider(self, request: Request) -> Response:
        if self._oidc is None:
            return self._door.problem(request, 404)
        try:
            person = await self._oidc.answer(str(request.url.query), self._cookies.asked(request))
            token = await self._sign_in.provided(person.issuer, person.subject, person.login, device=self._device(request))
        except ProviderRefused:
            return self._form(request, refused=SignInRefused("provider"))
        except SignInRefused as refused:
            return self._form(request, refused=refused)
        return self._inside(token)

    # --- one's own

    async def own(self, request: Request, visit: Visit) -> Response:
        sessions = await self._sign_in.sessions(visit)
        return self._view.page(
            request, "own", visit, sessions=sessions, form_token=self._cookies.session_form_token(visit.token)
        )

    async def end_others(self, _: Request, visit: Visit, __: Form) -> Response:
        await self._sign_in.end_others(visit)
        return RedirectResponse("/helpdesk/saya", 303)

    # --- pages without a session

    def _unsigned(self, request: Request, template: str, refused: SignInRefused | None, **facts: Any) -> Response:
        token = self._cookies.form_token(request)
        response = self._refused_page(request, template, refused, form_token=token, **facts)
        self._cookies.keep_form_token(response, token)
        return response

    def _refused_page(self, request: Request, template: str, refused: SignInRefused | None, **facts: Any) -> Response:
        code, wait = (refused.code, refused.retry_after) if refused else ("", 0)
        return self._view.page(
            request,
            template,
            status=_STATUS.get(code, 502) if code else 200,
            headers={"Retry-After": str(wait)} if wait else {},
            refused=code,
            wait=wait,
            **facts,
        )


def _ip(request: Request) -> str:
    return request.client.host if request.client else ""


def _picture(uri: str) -> Markup:
    """A QR code as SVG, without styles or scripts of its own; black on white in every scheme, for cameras."""
    out = io.BytesIO()
    segno.make(uri, error="m").save(
        out, kind="svg", scale=5, border=4, dark="#000", light="#fff", xmldecl=False, svgns=False, omitsize=True, svgclass="qr"
    )
    return Markup(out.getvalue().decode())  # noqa: S704 (drawn here, of no text of anybody)
