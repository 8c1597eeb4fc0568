"""The page behind the mailed link: two password columns, Aktifkan Akun Saya, and what else a link can turn out to be.

Lives here: from the link's state to a page, and from a form to one call of the service. Must not live here: what a link is worth
(`backend/activation.py`) or which passwords are refused (`backend/passwords.py`). GET and HEAD change nothing; every POST that did
something redirects to an address without the token.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import assert_never

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from backend.activation import Activated, Activation, LinkExpired, LinkLive, LinkUnknown, LinkUsed, NotPossible, PhoneNeeded
from backend.client_ip import client_ip
from backend.config import BackendConfig
from backend.errors import Later
from backend.pages.guard import count_miss, read_form
from backend.pages.language import chosen, remember
from backend.pages.phone_code import code_page
from backend.pages.sessions import Cookies
from backend.pages.view import NOTICE_VERSION, View
from backend.passwords import PasswordRefused, broken_rules
from backend.texts import Language
from backend.throttle import Counting

_Gone = LinkUsed | LinkExpired | LinkUnknown


class ActivationPages:
    def __init__(self, activation: Activation, view: View, config: BackendConfig, throttle: Counting) -> None:
        self._activation = activation
        self._throttle = throttle
        self._view = view
        self._config = config
        self._cookies = Cookies(secure=config.secure_cookies)

    async def show(self, request: Request) -> Response:
        """GET of the link: the form, or why there is none, told before anybody types a password."""
        look = await self._look(request)
        if isinstance(look, LinkLive):
            return self._form(request, look)
        return self._gone(request, look)

    async def activate(self, request: Request) -> Response:
        """POST of the form: the one act that uses the link up."""
        token = request.path_params["token"]
        form = await read_form(request)
        look = await self._look(request)
        if not isinstance(look, LinkLive):
            return self._gone(request, look)
        password, again = form.get("password", ""), form.get("again", "")
        consented = form.get("consent") == NOTICE_VERSION
        # What the service would say too is asked once, unless the page has something to add to it.
        judged = password != again or not consented
        broken = await asyncio.to_thread(broken_rules, password, again, look.password_context) if judged else ()
        if broken or not consented:
            return self._form(request, look, broken=broken, consented=consented, answered=True)
        ip = client_ip(request, self._config.trusted_proxies)
        try:
            outcome = await self._activation.activate(token, password, notice_version=NOTICE_VERSION, ip=ip)
        except PasswordRefused as refused:
            return self._form(request, look, broken=refused.rules, consented=consented, answered=True)
        match outcome:
            case Activated():
                return self._done(request, "/aktivasi/selesai", look.language)
            case PhoneNeeded():
                response = self._done(request, code_page(outcome.check), look.language)
                self._cookies.keep_check(response, outcome.check.token)
                return response
            case NotPossible():
                return self._view.page(request, "link_impossible", chosen(request, look.language), status=409)
            case LinkUsed() | LinkExpired() | LinkUnknown():
                return self._gone(request, outcome)
            case _:
                assert_never(outcome)

    async def _look(self, request: Request) -> LinkLive | _Gone:
        """What the link is. Raises Later for whoever tries out links; a good link is never kept from anybody."""
        look = await self._activation.look(request.path_params["token"])
        if isinstance(look, LinkUnknown):
            await count_miss(self._throttle, client_ip(request, self._config.trusted_proxies))
        return look

    async def done(self, request: Request) -> Response:
        return self._view.page(request, "link_done", chosen(request))

    async def resend(self, request: Request) -> Response:
        """Kirim Ulang on the expired page: a new link to the same address and no other."""
        look = await self._look(request)
        if not isinstance(look, LinkExpired):
            return self._gone_or_live(request, look)
        outcome = await self._activation.resend_expired(request.path_params["token"])
        match outcome:
            case LinkUnknown():
                return self._gone(request, outcome)
            case LinkExpired():
                return self._done(request, "/aktivasi/terkirim", look.language)
            case Later():
                raise outcome
            case _:
                assert_never(outcome)

    async def resent(self, request: Request) -> Response:
        return self._view.page(request, "link_resent", chosen(request))

    async def ask_to_disown(self, request: Request) -> Response:
        """GET of Bukan saya: asks once more, because it cannot be undone."""
        look = await self._look(request)
        match look:
            case LinkLive() | LinkExpired():
                return self._view.page(
                    request,
                    "link_disown",
                    chosen(request, look.language),
                    email=look.email_masked,
                    token=request.path_params["token"],
                )
            case _:
                return self._gone(request, look)

    async def disown(self, request: Request) -> Response:
        """POST of Bukan saya: every link and the registration are void, the address hears no more of it."""
        look = await self._look(request)
        match look:
            case LinkLive() | LinkExpired():
                if not await self._activation.disown(request.path_params["token"]):
                    raise HTTPException(404)
                return self._done(request, "/aktivasi/dibatalkan", look.language)
            case _:
                return self._gone(request, look)

    async def disowned(self, request: Request) -> Response:
        return self._view.page(request, "link_disowned", chosen(request))

    def _form(
        self, request: Request, look: LinkLive, *, broken: tuple[str, ...] = (), consented: bool = False, answered: bool = False
    ) -> Response:
        return self._view.page(
            request,
            "link_form",
            chosen(request, look.language),
            status=422 if answered else 200,
            link=look,
            broken=broken,
            consented=consented,
            answered=answered,
            token=request.path_params["token"],
        )

    def _gone(self, request: Request, look: _Gone) -> Response:
        match look:
            case LinkUsed():
                return self._view.page(request, "link_used", chosen(request), status=410)
            case LinkExpired():
                at, now = look.resend_available_at, datetime.now(UTC)
                if at is None:
                    # Nothing can be sent any more, so this is no better than a link that nobody knows.
                    return self._view.page(request, "link_unknown", chosen(request, look.language), status=410)
                return self._view.page(
                    request,
                    "link_expired",
                    chosen(request, look.language),
                    status=410,
                    email=look.email_masked,
                    wait_until=at if at > now else None,
                    token=request.path_params["token"],
                )
            case LinkUnknown():
                return self._view.page(request, "link_unknown", chosen(request), status=404)
            case _:
                assert_never(look)

    def _gone_or_live(self, request: Request, look: LinkLive | LinkUsed | LinkUnknown) -> Response:
        if isinstance(look, LinkLive):
            # The link works after all (a newer one was never needed): back to its form.
            return RedirectResponse(request.url.path.removesuffix("/kirim-ulang"), 303)
        return self._gone(request, look)

    def _done(self, request: Request, address: str, of_registration: Language) -> Response:
        """On to a page without the token, in the language of this one."""
        response = RedirectResponse(address, 303)
        remember(response, chosen(request, of_registration), secure=self._config.secure_cookies)
        return response
