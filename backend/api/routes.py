"""The addresses of the API: from HTTP to the service and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import structlog
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.security import HTTPBearer

from backend.access import ApiKey
from backend.api.models import (
    WORD,
    EmailIn,
    NoticeIn,
    ProblemOut,
    RegistrationIn,
    RegistrationOut,
    RegistrationPageOut,
    RevealedOut,
    RevealIn,
)
from backend.api.problems import MEDIA_TYPE
from backend.errors import Forbidden
from backend.events import Status
from backend.registrations import Caller

if TYPE_CHECKING:
    from backend.registrations import Registrations
    from backend.reveals import Reveals

log = structlog.get_logger(__name__)

# Only so that the contract names it: the key itself is checked before any route (`guard.py`).
_BEARER = HTTPBearer(auto_error=False, description="One of the operator's API keys")

Key = Annotated[
    str,
    Header(alias="Idempotency-Key", pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Once per intention; repeat it on a retry"),
]
ID: Final = r"^[A-Za-z0-9]{1,64}$"
MOST_A_PAGE: Final = 50
Id = Annotated[str, Path(pattern=ID)]

_SAYS = {
    401: "No valid API key (unauthorized)",
    403: "The key is not for this (forbidden): its role, or another channel's",
    404: "No such registration (not_found)",
    409: "Idempotency-Key of another request (key_reused), or the registration is not, or no longer, in the state for this (closed)",
    413: "Body over 64 KiB (invalid)",
    422: "The request breaks the contract (invalid); `errors` says where",
    429: "Too many mails, or fields in the clear (limit); Retry-After says when",
    503: "Not well (unavailable) or too much at once (busy); Retry-After says when",
}


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    schema = {"schema": {"$ref": f"#/components/schemas/{ProblemOut.__name__}"}}
    return {status: {"description": _SAYS[status], "content": {MEDIA_TYPE: schema}} for status in statuses}


def _caller(request: Request, key: str) -> Caller:
    api_key: ApiKey = request.state.api_key
    return Caller(api_key=api_key.id, key=key, channels=api_key.channels)


def router(registrations: Registrations, reveals: Reveals) -> APIRouter:
    """The routes, bound to this backend's registrations."""
    api = APIRouter(prefix="/api/v1", dependencies=[Depends(_BEARER)])

    @api.post(
        "/registrations",
        status_code=202,
        operation_id="createRegistration",
        responses=_problems(401, 403, 409, 413, 422, 429, 503),
    )
    async def create(body: RegistrationIn, request: Request, key: Key) -> RegistrationOut:
        """Take a registration and mail its activation link. New, known and mismatching data are answered alike."""
        api_key: ApiKey = request.state.api_key
        if not api_key.sees(body.channel):
            log.warning("api.refused", why="forbidden", api_key=api_key.id)
            raise Forbidden
        return RegistrationOut.of(await registrations.create(body.registration(registrations.now()), _caller(request, key)))

    @api.get("/registrations", operation_id="listRegistrations", responses=_problems(401, 404, 422, 503))
    async def page(
        request: Request,
        status: Annotated[Status | None, Query(description="Only those in this state")] = None,
        channel: Annotated[str | None, Query(pattern=WORD, description="Only those of this channel")] = None,
        after: Annotated[str | None, Query(pattern=ID, description="The `next` of the page before")] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_A_PAGE)] = 20,
    ) -> RegistrationPageOut:
        """The registrations of the key's channels, the newest first, a page at a time."""
        api_key: ApiKey = request.state.api_key
        views, more = await registrations.page(api_key.channels, status=status, channel=channel, after=after, limit=limit)
        return RegistrationPageOut(items=[RegistrationOut.of(view) for view in views], next=more)

    @api.get("/registrations/{registration}", operation_id="getRegistration", responses=_problems(401, 404, 422, 503))
    async def status(registration: Id, request: Request) -> RegistrationOut:
        """Its state now."""
        return RegistrationOut.of(await registrations.status(registration, request.state.api_key.channels))

    @api.post(
        "/registrations/{registration}/resend",
        status_code=202,
        operation_id="resendActivation",
        responses=_problems(401, 403, 404, 409, 422, 429, 503),
    )
    async def resend(registration: Id, request: Request, key: Key) -> RegistrationOut:
        """Mail a new link to the same address; an expired registration comes back to life."""
        return RegistrationOut.of(await registrations.resend(registration, _caller(request, key)))

    @api.put(
        "/registrations/{registration}/email",
        status_code=202,
        operation_id="changeEmail",
        responses=_problems(401, 403, 404, 409, 413, 422, 429, 503),
    )
    async def change_email(registration: Id, body: EmailIn, request: Request, key: Key) -> RegistrationOut:
        """Void every link and mail a new one to another address."""
        return RegistrationOut.of(await registrations.change_email(registration, body.email, _caller(request, key)))

    @api.post(
        "/registrations/{registration}/notices",
        status_code=202,
        operation_id="createNotice",
        responses=_problems(401, 403, 404, 409, 413, 422, 429, 503),
    )
    async def notify(registration: Id, body: NoticeIn, request: Request, key: Key) -> RegistrationOut:
        """Tell the person by mail what their chat could not be told. An address that wants no mail, or is erased, gets none."""
        return RegistrationOut.of(await registrations.notify(registration, body.kind, _caller(request, key)))

    @api.post(
        "/registrations/{registration}/reveal",
        operation_id="revealField",
        responses=_problems(401, 403, 404, 409, 413, 422, 429, 503),
    )
    async def reveal(registration: Id, body: RevealIn, request: Request, response: Response) -> RevealedOut:
        """One field in the clear, of a registration that waits for its owner. Takes a key of the role `reveal`; each is in the audit."""
        api_key: ApiKey = request.state.api_key
        value = await reveals.reveal(
            registration, body.field, reason=body.reason, actor=body.actor, api_key=api_key.id, channels=api_key.channels
        )
        response.headers["Cache-Control"] = "no-store"
        return RevealedOut(field=body.field, value=value)

    @api.delete(
        "/registrations/{registration}",
        status_code=204,
        operation_id="withdrawRegistration",
        responses=_problems(401, 403, 404, 409, 422, 503),
    )
    async def withdraw(registration: Id, request: Request) -> Response:
        """Void the links and erase the data of a registration that is not active. Twice is no error."""
        api_key: ApiKey = request.state.api_key
        await registrations.withdraw(registration, api_key.id, api_key.channels)
        return Response(status_code=204)

    return api
