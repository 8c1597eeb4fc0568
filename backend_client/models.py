"""What the bot tells the backend and what it hears back; the shapes of `/api/v1` and of its status events.

Lives here: typed data. Must not live here: HTTP (`backend_client/client.py`). The frozen contract is
`backend_client/openapi.json`. Times are UTC, written as RFC 3339.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

# A time without its zone is refused at the door, where it is a garbled answer, not hours later in somebody's arithmetic.
Instant = Annotated[datetime, msgspec.Meta(tz=True)]

RegistrationState = Literal["pending", "active", "expired", "withdrawn"]
MailState = Literal["queued", "accepted", "failed"]
NoticeKind = Literal["active", "expired", "withdrawn"]
FieldName = Literal["full_name", "nik", "phone", "email"]
Limit = Literal["cooldown", "registration", "recipient", "chat", "operator"]
EventType = Literal[
    "registration.mailed",
    "registration.mail_failed",
    "registration.activated",
    "registration.expired",
    "registration.withdrawn",
]


class Consent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who asked in the chat saw this version of the privacy notice and agreed at this time."""

    notice_version: str
    given_at: Instant


class NewRegistration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A complete registration. `phone` is E.164; `reference` is opaque to the backend and comes back in every event."""

    kind: str
    full_name: str
    nik: str
    phone: str
    email: str
    language: Literal["id", "en"]
    channel: str
    reference: str
    consent: Consent


class EmailChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a pending registration's mails go from now on."""

    email: str


class Notice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """News of a registration that its chat could not be told, to be told by mail."""

    kind: NoticeKind


class Reveal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A field to be told in the clear, why, and to whom."""

    field: FieldName
    reason: str
    actor: str


class Revealed(msgspec.Struct, frozen=True):
    """A field as it was registered."""

    field: FieldName
    value: str


class Mail(msgspec.Struct, frozen=True):
    """The newest activation mail. `accepted_at` is when the mail server took it, None before that."""

    state: MailState
    accepted_at: Instant | None = None


class Registration(msgspec.Struct, frozen=True):
    """A registration as its channel may see it: no NIK, no phone, no name, the address masked."""

    id: str
    status: RegistrationState
    email_masked: str
    created_at: Instant
    mail: Mail
    link_expires_at: Instant | None = None
    resend_available_at: Instant | None = None


class Page(msgspec.Struct, frozen=True):
    """Registrations, the newest first; `next` is what to ask after for more, None at the end."""

    items: tuple[Registration, ...]
    next: str | None = None


class EventData(msgspec.Struct, frozen=True):
    registration_id: str
    reference: str
    status: RegistrationState
    email_masked: str


class StatusEvent(msgspec.Struct, frozen=True):
    """The body of a status webhook (Standard Webhooks): `timestamp` is when it happened.

    Events may overtake one another on their way; go by `timestamp`, and let nothing that comes later undo "active".
    """

    type: EventType
    timestamp: Instant
    data: EventData


class FieldError(msgspec.Struct, frozen=True):
    field: str
    code: str


class Problem(msgspec.Struct, frozen=True):
    """An error body, application/problem+json (RFC 9457); `code` is ours and stable; `limit` says which limit a 429 is about."""

    title: str
    status: int
    code: str
    type: str = "about:blank"
    detail: str = ""
    errors: tuple[FieldError, ...] = ()
    limit: Limit | None = None
