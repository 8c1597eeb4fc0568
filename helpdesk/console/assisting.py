"""Registering a caller: the form, and the link that takes it to their own chat, as text and as a code.

Lives here: reading the form, drawing the pages. Must not live here: what may be typed and what becomes of it (`helpdesk/assisting.py`).
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bot.move_page import place, qr
from bot.moves import Offer
from dialogs.fields import FIELDS
from helpdesk.acting import NotAllowed, Unfit
from helpdesk.assisting import OPEN_KINDS, Assisting
from helpdesk.console.door import Door, Form
from helpdesk.console.view import View
from helpdesk.sign_in import Visit

if TYPE_CHECKING:
    from helpdesk.service import Helpdesk

PAGE: Final = "/helpdesk/bantu"


class Callers:
    def __init__(self, desk: Helpdesk, assisting: Assisting, view: View, door: Door) -> None:
        self._reading = desk.reading
        self._assisting = assisting
        self._view = view
        self._door = door

    async def form(self, request: Request, visit: Visit) -> Response:
        return self._form(request, visit)

    async def begin(self, request: Request, visit: Visit, form: Form) -> Response:
        try:
            offer = await self._assisting.begin(visit.agent, form.get("kind", ""), form, form.get("key", ""))
        except Unfit as unfit:
            return self._form(request, visit, status=422, problem=unfit.code, given=form)
        unusual = self._assisting.judged(visit.agent, form).unusual
        return self._offered(request, visit, offer, state="waiting", unusual=unusual)

    async def move(self, request: Request, visit: Visit, form: Form) -> Response:
        """A link for the form that is open in a conversation."""
        chat = await self._reading.chat(request.path_params["chat"])
        if chat is None:
            raise HTTPException(404)
        try:
            offer = await self._assisting.move(chat, visit.agent, form.get("key", ""))
        except NotAllowed:
            raise HTTPException(403) from None
        except Unfit as unfit:
            return self._form(request, visit, status=422, problem=unfit.code)
        return self._offered(request, visit, offer, state="waiting", back=f"/helpdesk/c/{chat.id}")

    async def look(self, request: Request, visit: Visit, form: Form) -> Response:
        """Whether the link has been opened. By a form, so that the token stands in no address."""
        token = form.get("token", "")
        offer = Offer(token, (), visit.agent.created_at)
        return self._offered(request, visit, offer, state=await self._assisting.state(token), back=_own(form.get("back", "")))

    def _form(
        self, request: Request, visit: Visit, *, status: int = 200, problem: str = "", given: Form | None = None
    ) -> Response:
        given = given or {}
        return self._page(
            request,
            visit,
            "assist",
            status=status,
            problem=problem,
            given=given,
            refused=self._assisting.judged(visit.agent, given).refused,
            kinds=OPEN_KINDS,
            fields=[(field.id, field.hint) for field in FIELDS],
            key=given.get("key") or secrets.token_urlsafe(16),
        )

    def _offered(
        self, request: Request, visit: Visit, offer: Offer, *, state: str, unusual: tuple[str, ...] = (), back: str = ""
    ) -> Response:
        return self._page(
            request,
            visit,
            "assisted",
            offer=offer,
            addresses=[each for each in offer.addresses if each[0] != "qr"],
            state=state,
            unusual=unusual,
            back=back,
            # Drawn here, of an address of ours.
            qr=lambda address: Markup(qr(address)),  # noqa: S704
            place=lambda name: place(self._view.language(request, visit), name),
        )

    def _page(self, request: Request, visit: Visit, template: str, *, status: int = 200, **facts: Any) -> Response:
        token = self._door.cookies.session_form_token(visit.token)
        return self._view.page(request, template, visit, status=status, form_token=token, **facts)


def _own(address: str) -> str:
    return address if address.startswith("/helpdesk/c/") and "//" not in address else ""
