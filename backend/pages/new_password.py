"""A forgotten password: asking for a link, and the page behind it.

Lives here: forms and redirects. Must not live here: what a link is worth (`backend/new_password.py`). The answer to a request is the same
whether there is an account or not; GET of the link changes nothing.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from backend.client_ip import client_ip, site
from backend.config import BackendConfig
from backend.new_password import NewPassword, ResetEnded, ResetLive
from backend.pages.guard import count_miss, read_form
from backend.pages.language import chosen
from backend.pages.view import View
from backend.passwords import PasswordRefused
from backend.throttle import Counting


class NewPasswordPages:
    def __init__(self, new_password: NewPassword, view: View, config: BackendConfig, throttle: Counting) -> None:
        self._throttle = throttle
        self._new_password = new_password
        self._view = view
        self._config = config

    async def ask_form(self, request: Request) -> Response:
        return self._view.page(request, "forgot", chosen(request))

    async def ask(self, request: Request) -> Response:
        form = await read_form(request)
        household = site(client_ip(request, self._config.trusted_proxies))
        await self._new_password.ask(form.get("email", ""), ip=household)
        return RedirectResponse("/masuk/lupa/terkirim", 303)

    async def asked(self, request: Request) -> Response:
        return self._view.page(request, "forgot_asked", chosen(request))

    async def show(self, request: Request) -> Response:
        """GET of the link: the form, or that it is no longer valid, told before anybody types a password."""
        return self._form(request, await self._look(request))

    async def set(self, request: Request) -> Response:
        """POST of the form: uses the link up."""
        token = request.path_params["token"]
        form = await read_form(request)
        look = await self._look(request)
        if isinstance(look, ResetEnded):
            return self._form(request, look)
        try:
            outcome = await self._new_password.set(token, form.get("password", ""), form.get("again", ""))
        except PasswordRefused as refused:
            return self._form(request, look, broken=refused.rules)
        return (
            self._form(request, outcome) if isinstance(outcome, ResetEnded) else RedirectResponse("/masuk/sandi/selesai", 303)
        )

    async def _look(self, request: Request) -> ResetLive | ResetEnded:
        """What the link is. Raises Later for whoever tries out links; a good link is never kept from anybody."""
        look = await self._new_password.look(request.path_params["token"])
        if isinstance(look, ResetEnded):
            await count_miss(self._throttle, client_ip(request, self._config.trusted_proxies))
        return look

    async def done(self, request: Request) -> Response:
        return self._view.page(request, "reset_done", chosen(request))

    def _form(self, request: Request, look: ResetLive | ResetEnded, *, broken: tuple[str, ...] = ()) -> Response:
        if isinstance(look, ResetEnded):
            return self._view.page(request, "reset_ended", chosen(request), status=410)
        return self._view.page(
            request,
            "reset_form",
            chosen(request, look.language),
            status=422 if broken else 200,
            link=look,
            broken=broken,
            token=request.path_params["token"],
        )
