"""The page inside Telegram: the registrations of one chat, Kirim Ulang, and the password by the code of the mail.

Lives here: from a request of the page's script (`design/telegram.js`) to a piece of HTML that takes the place of the one before. Must not
live here: who the visitor is (`backend/visits.py`), what a code is worth (`backend/activation.py`). A visit's token comes in a header, so
no cookie is needed in Telegram's frame, and no other site can send it; the page itself is the same for everybody.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, assert_never

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from backend.activation import (
    Activated,
    Code,
    LinkExpired,
    LinkLive,
    LinkUnknown,
    LinkUsed,
    NotPossible,
    PhoneNeeded,
    WrongCode,
)
from backend.client_ip import client_ip
from backend.errors import Busy, Closed, Later, LimitReached, NotFound
from backend.pages.guard import read_form
from backend.pages.language import chosen
from backend.pages.view import NOTICE_VERSION, View
from backend.passwords import PasswordRefused, broken_rules
from backend.phone_checks import Check, Proven
from backend.phone_checks import WrongCode as WrongPhoneCode
from backend.visits import VisitEnded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from backend.services import Backend
    from backend.visits import Visits

_BEARER = "Bearer "


class TelegramPages:
    def __init__(self, backend: Backend, view: View) -> None:
        self._backend = backend
        self._activation = backend.activation
        self._registrations = backend.chat_registrations
        self._proxies = backend.config.trusted_proxies
        self._view = view

    async def show(self, request: Request) -> Response:
        """GET of the page: what is the same for everybody, and the script that finds out who is there."""
        return self._view.page(request, "telegram/page", chosen(request))

    async def open(self, request: Request) -> Response:
        """POST of the launch data: a visit."""
        form = await read_form(request)
        try:
            token = await self._visits.open(form.get("data", ""))
        except VisitEnded:
            raise HTTPException(401) from None
        return JSONResponse({"visit": token})

    async def all(self, request: Request) -> Response:
        return await self._list(request, await self._chat(request))

    async def resend(self, request: Request) -> Response:
        """Kirim Ulang; when it is too early, how long it will be."""
        chat = await self._chat(request)
        try:
            await self._registrations.resend(chat, request.path_params["registration"])
        except NotFound:
            raise HTTPException(404) from None
        except Closed:
            return await self._list(request, chat)
        except LimitReached as limit:
            return await self._list(request, chat, limit=limit)
        return await self._list(request, chat, resent=True)

    async def code_form(self, request: Request) -> Response:
        return await self._code_form(request, await self._chat(request))

    async def try_code(self, request: Request) -> Response:
        """POST of a code: the password's form, told that it is wrong before anybody types a password."""
        chat, form = await self._chat(request), await read_form(request)
        code = self._code(request, chat, form)
        match found := await self._found(code):
            case LinkLive():
                return self._password_form(request, code, found)
            case _:
                return await self._code_form(request, chat, refused=found)

    async def activate(self, request: Request) -> Response:
        """POST of code and password: the one act that uses the link up, as the link's own page does it."""
        chat, form = await self._chat(request), await read_form(request)
        code = self._code(request, chat, form)
        password, again = form.get("password", ""), form.get("again", "")
        consented = form.get("consent") == NOTICE_VERSION
        if password != again or not consented:
            found = await self._found(code)
            if not isinstance(found, LinkLive):
                return await self._code_form(request, chat, refused=found)
            broken = await asyncio.to_thread(broken_rules, password, again, found.password_context)
            return self._password_form(request, code, found, broken=broken, consented=consented, answered=True)
        try:
            outcome = await self._activation.activate_with_code(
                code, password, notice_version=NOTICE_VERSION, ip=client_ip(request, self._proxies)
            )
        except NotFound:
            raise HTTPException(404) from None
        except (Busy, LimitReached):
            raise
        except Later as later:
            return await self._code_form(request, chat, refused=later)
        except PasswordRefused as refused:
            found = await self._found(code)
            if not isinstance(found, LinkLive):
                return await self._code_form(request, chat, refused=found)
            return self._password_form(request, code, found, broken=refused.rules, consented=consented, answered=True)
        match outcome:
            case Activated():
                return self._piece(request, "done")
            case PhoneNeeded():
                check = await self._backend.phone_checks.look(outcome.check.token)
                return self._phone_form(request, outcome.check.token, check, problem="" if outcome.check.sent else "unsent")
            case NotPossible():
                return self._piece(request, "impossible", status=409)
            case WrongCode():
                return await self._code_form(request, chat, refused=outcome)
            case LinkUsed() | LinkExpired() | LinkUnknown():
                return await self._list(request, chat)
            case _:
                assert_never(outcome)

    async def disown(self, request: Request) -> Response:
        """POST of Bukan saya: asks once more, because it cannot be undone, and then does it."""
        chat, form = await self._chat(request), await read_form(request)
        code = self._code(request, chat, form)
        found = await self._found(code)
        if not isinstance(found, LinkLive):
            return await self._code_form(request, chat, refused=found)
        if form.get("sure") != "ya":
            return self._piece(request, "disown", link=found, code=code)
        await self._activation.disown_with_code(code)
        return self._piece(request, "disowned")

    async def prove_phone(self, request: Request) -> Response:
        """POST of the code from the phone, where one is asked for before the account becomes active."""
        chat, form = await self._chat(request), await read_form(request)
        token = form.get("check", "")
        outcome = await self._backend.phone_checks.prove(token, form.get("code", ""))
        match outcome:
            case None:
                return self._phone_form(request, token, None)
            case WrongPhoneCode(check):
                return self._phone_form(request, token, check, problem="wrong" if check.code_live else "ended")
            case Proven():
                done = await self._activation.phone_proven(outcome, ip=client_ip(request, self._proxies))
                if isinstance(done, LinkUnknown):
                    return await self._list(request, chat)
                return (
                    self._piece(request, "done")
                    if isinstance(done, Activated)
                    else self._piece(request, "impossible", status=409)
                )
            case _:
                assert_never(outcome)

    async def resend_to_phone(self, request: Request) -> Response:
        await self._chat(request)
        token, checks = (await read_form(request)).get("check", ""), self._backend.phone_checks
        try:
            return self._phone_form(request, token, await checks.resend(token), problem="sent")
        except LimitReached as limit:
            return self._phone_form(request, token, await checks.look(token), problem="unsent", limit=limit)

    @property
    def _visits(self) -> Visits:
        assert self._backend.visits is not None
        return self._backend.visits

    async def _chat(self, request: Request) -> str:
        """Whose chat it is. Raises HTTPException 401."""
        given = request.headers.get("authorization", "")
        try:
            return await self._visits.chat(given.removeprefix(_BEARER) if given.startswith(_BEARER) else "")
        except VisitEnded:
            raise HTTPException(401) from None

    @staticmethod
    def _code(request: Request, chat: str, form: Mapping[str, str]) -> Code:
        return Code(request.path_params["registration"], chat, form.get("code", ""))

    async def _found(self, code: Code) -> LinkLive | WrongCode | Later:
        try:
            return await self._activation.try_code(code)
        except NotFound:
            raise HTTPException(404) from None
        except Later as later:
            return later

    async def _list(self, request: Request, chat: str, *, resent: bool = False, limit: LimitReached | None = None) -> Response:
        headers = {"Retry-After": str(limit.retry_after)} if limit else {}
        return self._piece(
            request,
            "list",
            status=429 if limit else 200,
            headers=headers,
            registrations=await self._registrations.all(chat),
            now=datetime.now(UTC),
            resent=resent,
            limit=limit,
        )

    async def _code_form(self, request: Request, chat: str, *, refused: WrongCode | Later | None = None) -> Response:
        try:
            registration = await self._registrations.one(chat, request.path_params["registration"])
        except NotFound:
            raise HTTPException(404) from None
        if registration.status != "pending":
            return await self._list(request, chat)
        wait = refused.retry_after if isinstance(refused, Later) else None
        return self._piece(
            request,
            "code",
            status=429 if wait else 422 if refused else 200,
            headers={"Retry-After": str(wait)} if wait else {},
            registration=registration,
            wrong=isinstance(refused, WrongCode),
            wait=wait,
        )

    def _password_form(
        self,
        request: Request,
        code: Code,
        link: LinkLive,
        *,
        broken: tuple[str, ...] = (),
        consented: bool = False,
        answered: bool = False,
    ) -> Response:
        return self._piece(
            request,
            "password",
            status=422 if answered else 200,
            code=code,
            link=link,
            broken=broken,
            consented=consented,
            answered=answered,
        )

    def _phone_form(
        self, request: Request, token: str, check: Check | None, *, problem: str = "", limit: LimitReached | None = None
    ) -> Response:
        if check is None:
            return self._piece(request, "phone_gone", status=410)
        return self._piece(
            request,
            "phone",
            status=429 if limit else 422 if problem in ("wrong", "ended") else 200,
            headers={"Retry-After": str(limit.retry_after)} if limit else {},
            check=check,
            token=token,
            problem=problem,
            resend_at=check.resend_at if check.resend_at > datetime.now(UTC) else None,
        )

    def _piece(
        self, request: Request, name: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **facts: Any
    ) -> Response:
        return self._view.page(request, f"telegram/{name}", chosen(request), status=status, headers=headers, **facts)
