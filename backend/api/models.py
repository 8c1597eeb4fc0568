"""The bodies of the API, checked as strictly as the outside deserves.

Lives here: shapes and limits. Must not live here: what the fields mean to a person; the chat has already asked and confirmed.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

from email_validator import EmailNotValidError, validate_email
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from backend.budgets import Limit
from backend.events import EventType, Status
from backend.registrations import NewRegistration, RegistrationView
from backend.reveals import Revealable

_UNSEEN = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
# As the chat has it (`dialogs/fields/full_name.py`): what a mail program would make a link of.
_LINK = re.compile(r"://|\bwww\.|\b[a-z0-9-]{3,}\.(?:com|net|org|info|co\.id|go\.id|id|me|ly)\b(?!\.)|\bt\.me/", re.IGNORECASE)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d")
_JOINERS = {"\u200c", "\u200d"}
_CLOCKS_APART = timedelta(hours=1)
# The one character that PostgreSQL's texts cannot hold.
_STORABLE: Final = r"^[^\u0000]*$"


def _name(value: str) -> str:
    # The name becomes the salutation of a mail to whoever owns the address: it must not carry a link or hidden characters there.
    if any(unicodedata.category(char) in _UNSEEN and char not in _JOINERS for char in value):
        raise PydanticCustomError("characters", "contains characters that cannot be seen")
    if _LINK.search(value):
        raise PydanticCustomError("link", "contains a web address")
    if not any(char.isalpha() for char in value):
        raise PydanticCustomError("letters", "has no letters")
    return value.strip()


def _email(value: str) -> str:
    if "=?" in value:  # an encoded word (RFC 2047): whoever reads the mail's To sees, and sends to, another address
        raise PydanticCustomError("email", "is not an e-mail address")
    try:
        # Letters before the @ that are not ASCII need every mail server on the way to know them; the chat does not take them either.
        return validate_email(value, check_deliverability=False, test_environment=True, allow_smtputf8=False).normalized
    except EmailNotValidError:
        raise PydanticCustomError("email", "is not an e-mail address") from None


def _instant(value: object) -> object:
    # Else a number, written as such or as text, would be taken for seconds since 1970.
    if not isinstance(value, str) or not _INSTANT.match(value):
        raise PydanticCustomError("instant", "is not a time of RFC 3339")
    return value


# Each format names the rules that a schema cannot say: an address that can exist; a name that has letters, no link and nothing unseen.
Email = Annotated[str, Field(min_length=3, max_length=254, json_schema_extra={"format": "email"}), AfterValidator(_email)]
Name = Annotated[str, Field(min_length=1, max_length=150, json_schema_extra={"format": "person-name"}), AfterValidator(_name)]
WORD: Final = r"^[a-z0-9_-]{1,40}$"
Word = Annotated[str, Field(pattern=WORD)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=False, hide_input_in_errors=True)


class ConsentIn(Body):
    """Which privacy notice was agreed to in the chat, and when."""

    notice_version: Annotated[str, Field(min_length=1, max_length=40, pattern=_STORABLE)]
    given_at: Annotated[AwareDatetime, BeforeValidator(_instant)]


class RegistrationIn(Body):
    """A complete registration. `phone` is E.164; `reference` is opaque here and comes back in every event."""

    kind: Word
    full_name: Name
    nik: Annotated[str, Field(pattern=r"^[0-9]{16}$")]
    phone: Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]
    email: Email
    language: Literal["id", "en"]
    channel: Word
    reference: Annotated[str, Field(min_length=1, max_length=200, pattern=_STORABLE)]
    consent: ConsentIn

    def registration(self, now: datetime) -> NewRegistration:
        """What is to be registered. Raises RequestValidationError for a consent that lies in the future of the backend's clock."""
        if self.consent.given_at > now + _CLOCKS_APART:
            place = ("body", "consent", "given_at")
            raise RequestValidationError([{"type": "future", "loc": place, "msg": "lies in the future", "input": None}])
        return NewRegistration(
            kind=self.kind,
            full_name=self.full_name,
            nik=self.nik,
            phone=self.phone,
            email=self.email,
            language=self.language,
            channel=self.channel,
            reference=self.reference,
            notice_version=self.consent.notice_version,
            consent_at=self.consent.given_at.astimezone(UTC),
        )


class EmailIn(Body):
    """Where the activation mail is to go instead."""

    email: Email


class NoticeIn(Body):
    """News of a registration that its chat could not be told."""

    kind: Literal["active", "expired", "withdrawn"]


class RevealIn(Body):
    """One field to be shown in the clear, why, and to whom: the caller's own name for them, such as "agent:1a2b"."""

    field: Revealable
    reason: Word
    actor: Annotated[str, Field(pattern=r"^[A-Za-z0-9:._-]{1,64}$")]


class RevealedOut(BaseModel):
    """A field as it was registered."""

    field: Revealable
    value: str


class MailOut(BaseModel):
    """The newest activation mail; `accepted_at` is when the mail server took it."""

    state: Literal["queued", "accepted", "failed"]
    accepted_at: datetime | None = None


class RegistrationOut(BaseModel):
    """A registration as its channel may see it: no NIK, no phone, no name, the address masked."""

    id: str
    status: Status
    email_masked: str
    created_at: datetime
    mail: MailOut
    link_expires_at: datetime | None = None
    resend_available_at: datetime | None = None

    @classmethod
    def of(cls, view: RegistrationView) -> RegistrationOut:
        return cls(
            id=view.id,
            status=view.status,
            email_masked=view.email_masked,
            created_at=view.created_at,
            mail=MailOut(state=view.mail_state, accepted_at=view.mail_accepted_at),
            link_expires_at=view.link_expires_at,
            resend_available_at=view.resend_available_at,
        )


class RegistrationPageOut(BaseModel):
    """Registrations, the newest first; `next` is what to ask after for more, null at the end."""

    items: list[RegistrationOut]
    next: str | None = None


class FieldErrorOut(BaseModel):
    field: str
    code: str


class ProblemOut(BaseModel):
    """An error (RFC 9457). Of a 429, `limit` says which limit of mails it is about, and Retry-After for how long.

    `code` is stable: unauthorized, forbidden, invalid, not_found, key_reused, closed, limit, busy, unavailable.
    """

    title: str
    status: int
    code: str
    type: str = "about:blank"
    detail: str = ""
    errors: list[FieldErrorOut] = []
    limit: Limit | None = None


class EventDataOut(BaseModel):
    registration_id: str
    reference: str
    status: Status
    email_masked: str


class StatusEventOut(BaseModel):
    """The body of a status webhook, signed by the Standard Webhooks rules; `timestamp` is when it happened."""

    type: EventType
    timestamp: datetime
    data: EventDataOut
