"""Where a mail provider, or whatever reads the mailbox of MAIL_FROM, tells that a mail came back.

Must not live here: what follows (`backend/mail/bounces.py`). It belongs to this backend and not to the contract of all backends: a channel
hears of it as `registration.mail_failed`, like of any mail that cannot be delivered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from backend.access import ApiKey
from backend.api.models import Body
from backend.errors import Forbidden
from backend.mail.bounces import MESSAGE_ID, STATUS, Bounce

if TYPE_CHECKING:
    from backend.mail.bounces import Bounces


class BounceIn(Body):
    """One mail that was not delivered: its Message-ID with its angle brackets, and the enhanced status code (RFC 3463)."""

    message_id: Annotated[str, Field(pattern=f"^{MESSAGE_ID}$")]
    status: Annotated[str, Field(pattern=f"^{STATUS}$")]


def router(bounces: Bounces) -> APIRouter:
    """POST /api/v1/bounces; 204 also for a mail that is none of ours, for a mailbox gets all kinds."""
    api = APIRouter(prefix="/api/v1", include_in_schema=False)

    @api.post("/bounces", status_code=204)
    async def bounced(body: BounceIn, request: Request) -> Response:
        api_key: ApiKey = request.state.api_key
        if api_key.channels:  # a mail is of no channel
            raise Forbidden
        await bounces.take(Bounce(body.message_id, body.status))
        return Response(status_code=204)

    return api
