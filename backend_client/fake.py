"""A backend in memory, for tests: yours too, when you put the dialog into a bot of your own.

Lives here: `FakeBackend`, which is `port.Backend` with the contract's meaning (it passes the same tests as the real one), the
controls by which a test makes things happen, and `signed`, which makes a status webhook of an event. Must not live here: mail,
SQL, HTTP.

    backend = FakeBackend(on_event=tell_my_bot)  # an async function of one StatusEvent
    registration = await backend.create(new, key="k1")
    await backend.settle()                      # the mail is accepted now, and registration.mailed was told
    await backend.activate(registration.id)     # as if the person had set the password
"""

from __future__ import annotations

import asyncio
import itertools
import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from standardwebhooks import Webhook

from backend_client.errors import (
    BackendError,
    BackendUnreachable,
    KeyReused,
    LimitReached,
    RegistrationClosed,
    RegistrationUnknown,
    RequestRefused,
)
from backend_client.models import (
    EventData,
    EventType,
    FieldName,
    Mail,
    MailState,
    NewRegistration,
    NoticeKind,
    Page,
    Registration,
    RegistrationState,
    StatusEvent,
)

_MOST_A_PAGE: Final = 50
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_WORD: Final = re.compile(r"[a-z0-9_-]{1,40}")
_LINK: Final = r"://|\bwww\.|\b[a-z0-9-]{3,}\.(?:com|net|org|info|co\.id|go\.id|id|me|ly)\b(?!\.)|\bt\.me/"
_NAME: Final = re.compile(rf"(?=.{{1,150}}$)(?=.*[^\W\d_])(?!.*(?:{_LINK})).+", re.IGNORECASE)
_NIK: Final = re.compile(r"[0-9]{16}")
_PHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_ACTOR: Final = re.compile(r"[A-Za-z0-9:._-]{1,64}")
_EMAIL: Final = re.compile(r"(?=.{3,254}$)[^@\s]+@[^@\s]+")
_REFERENCE: Final = re.compile(r".{1,200}", re.DOTALL)
_NOTICE_VERSION: Final = re.compile(r".{1,40}", re.DOTALL)


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class _Record:
    id: str
    new: NewRegistration | None  # None once withdrawn: the data are erased
    reference: str
    channel: str
    email: str
    created_at: datetime
    mail: Mail
    link_expires_at: datetime | None = None
    resend_available_at: datetime | None = None
    state: RegistrationState = "pending"


@dataclass(slots=True)
class FakeBackend:
    """Everything in memory; nothing survives it. Not for several event loops.

    `clock` gives the time (UTC, aware); a test that waits moves it instead. `on_event` is called with each status event, one
    after the other, after the request that caused it was answered, as a webhook would be: `settle` waits until all have been
    told.

    Controls to set at any time: `down` (nothing is reached), `slow_seconds` (every answer takes that long), `lose_answers` (the
    request is carried out and the answer lost), `mail_outcome` ("accepted" and "failed" happen by themselves; "queued" waits
    for `finish_mail`). To look at: `mails` (registration id and address of every activation mail), `notices` (registration id
    and kind of every notice that was mailed), `reveals` (registration id, field, reason and actor of every field that was told in
    the clear) and `data` (what was registered).
    """

    clock: Callable[[], datetime] = _utc_now
    on_event: Callable[[StatusEvent], Awaitable[None]] | None = None
    cooldown_seconds: int = 60
    link_hours: int = 24
    down: bool = False
    lose_answers: bool = False
    slow_seconds: float = 0.0
    mail_outcome: MailState = "accepted"
    mails: list[tuple[str, str]] = field(default_factory=list)
    notices: list[tuple[str, NoticeKind]] = field(default_factory=list)
    reveals: list[tuple[str, FieldName, str, str]] = field(default_factory=list)
    _records: dict[str, _Record] = field(init=False, default_factory=dict)
    _keys: dict[str, tuple[object, str]] = field(init=False, default_factory=dict)
    _failures: list[BackendError] = field(init=False, default_factory=list)
    _pending: list[Callable[[], Awaitable[None]]] = field(init=False, default_factory=list)
    _teller: asyncio.Task[None] | None = field(init=False, default=None)
    _numbers: itertools.count[int] = field(init=False, default_factory=lambda: itertools.count(1))

    # The port

    async def create(self, registration: NewRegistration, *, key: str) -> Registration:
        async with self._request():
            known = self._known(key, registration)
            if known is None:
                _check_registration(registration)
                now = self.clock()
                record = _Record(
                    id=f"reg{next(self._numbers)}",
                    new=registration,
                    reference=registration.reference,
                    channel=registration.channel,
                    email=registration.email,
                    created_at=now,
                    mail=Mail("queued"),
                )
                self._records[record.id] = record
                self._send_mail(record)
                known = self._remember(key, registration, record)
            return self._view(known)

    async def status(self, registration: str) -> Registration:
        async with self._request():
            return self._view(self._record(registration))

    async def registrations(
        self,
        *,
        status: RegistrationState | None = None,
        channel: str | None = None,
        after: str | None = None,
        limit: int = 20,
    ) -> Page:
        async with self._request():
            if not 1 <= limit <= _MOST_A_PAGE:
                raise RequestRefused("invalid")
            newest = list(reversed(self._records.values()))
            if after is not None:
                newest = newest[newest.index(self._record(after)) + 1 :]
            views = [self._view(self._record(record.id)) for record in newest if channel in (None, record.channel)]
            found = [view for view in views if status in (None, view.status)]
            return Page(tuple(found[:limit]), found[limit - 1].id if len(found) > limit else None)

    async def resend(self, registration: str, *, key: str) -> Registration:
        async with self._request():
            known = self._known(key, ("resend", registration))
            if known is None:
                known = self._open_record(registration)
                self._check_cooldown(known)
                self._send_mail(known)
                self._remember(key, ("resend", registration), known)
            return self._view(known)

    async def change_email(self, registration: str, email: str, *, key: str) -> Registration:
        async with self._request():
            known = self._known(key, ("email", registration, email))
            if known is None:
                known = self._open_record(registration)
                _check(_EMAIL, email)
                known.email = email
                self._send_mail(known)
                self._remember(key, ("email", registration, email), known)
            return self._view(known)

    async def notify(self, registration: str, kind: NoticeKind, *, key: str) -> Registration:
        async with self._request():
            known = self._known(key, ("notice", registration, kind))
            if known is None:
                known = self._record(registration)
                if known.state != kind:
                    raise RegistrationClosed("closed")
                if known.email:
                    self._check_cooldown(known)
                    self.notices.append((known.id, kind))
                self._remember(key, ("notice", registration, kind), known)
            return self._view(known)

    async def reveal(self, registration: str, field: FieldName, *, reason: str, actor: str) -> str:
        async with self._request():
            _check(_WORD, reason)
            _check(_ACTOR, actor)
            record = self._open_record(registration)
            if record.new is None:
                raise RegistrationClosed("closed")
            self.reveals.append((registration, field, reason, actor))
            return record.email if field == "email" else str(getattr(record.new, field))

    async def withdraw(self, registration: str) -> None:
        async with self._request():
            record = self._record(registration)
            if record.state == "active":
                raise RegistrationClosed("closed")
            self._close(record, "withdrawn")

    # What a test makes happen

    def fail_next(self, *errors: BackendError) -> None:
        """The next requests raise these, one each, and do nothing else."""
        self._failures.extend(errors)

    def data(self, registration: str) -> NewRegistration | None:
        """What was registered; None once withdrawn. Raises RegistrationUnknown."""
        return self._record(registration).new

    async def activate(self, registration: str) -> None:
        """The person opened the link and set a password. Raises RegistrationUnknown, RegistrationClosed."""
        record = self._open_record(registration)
        self._close(record, "active")
        await self._tell_and_settle(record, "registration.activated")

    async def disown(self, registration: str) -> None:
        """The owner of the mailbox pressed "Bukan saya". Raises RegistrationUnknown, RegistrationClosed."""
        record = self._open_record(registration)
        self._close(record, "withdrawn")
        await self._tell_and_settle(record, "registration.withdrawn")

    async def expire(self, registration: str) -> None:
        """The newest link ran out. Raises RegistrationUnknown, RegistrationClosed."""
        record = self._open_record(registration)
        record.state = "expired"
        await self._tell_and_settle(record, "registration.expired")

    async def finish_mail(self, registration: str, state: MailState = "accepted", *, at: datetime | None = None) -> None:
        """The mail server took the newest mail (at `at`, or now), or refused it for good ("failed")."""
        record = self._record(registration)
        await self.settle()
        await self._finish_mail(record, state, at)

    async def settle(self) -> None:
        """Return when every mail has its outcome and every event has been told. Raises what `on_event` raised."""
        while (teller := self._teller) is not None:
            try:
                await asyncio.shield(teller)
            finally:
                if self._teller is teller and teller.done():
                    self._teller = None

    # Inside

    @asynccontextmanager
    async def _request(self) -> AsyncIterator[None]:
        """A request on its way: it may not arrive, may take its time, and its answer may get lost."""
        if self.slow_seconds:
            await asyncio.sleep(self.slow_seconds)
        if self.down:
            raise BackendUnreachable
        if self._failures:
            raise self._failures.pop(0)
        try:
            yield
        finally:
            if self.lose_answers:
                raise BackendUnreachable from None

    def _known(self, key: str, body: object) -> _Record | None:
        _check(_KEY, key)
        if key not in self._keys:
            return None
        first, registration = self._keys[key]
        if first != body:
            raise KeyReused("key_reused")
        return self._records[registration]

    def _remember(self, key: str, body: object, record: _Record) -> _Record:
        self._keys[key] = (body, record.id)
        return record

    def _record(self, registration: str) -> _Record:
        try:
            record = self._records[registration]
        except KeyError:
            raise RegistrationUnknown("not_found") from None
        if record.state == "pending" and record.link_expires_at is not None and self.clock() >= record.link_expires_at:
            record.state = "expired"
        return record

    def _open_record(self, registration: str) -> _Record:
        record = self._record(registration)
        if record.state in {"active", "withdrawn"}:
            raise RegistrationClosed("closed")
        return record

    def _check_cooldown(self, record: _Record) -> None:
        if record.resend_available_at is not None and (left := record.resend_available_at - self.clock()) > timedelta():
            raise LimitReached(math.ceil(left.total_seconds()), limit="cooldown")

    def _close(self, record: _Record, state: RegistrationState) -> None:
        record.state = state
        record.link_expires_at = record.resend_available_at = None
        if state == "withdrawn":
            record.new, record.email = None, ""

    def _send_mail(self, record: _Record) -> None:
        now = self.clock()
        record.state = "pending"
        record.mail = Mail("queued")
        record.link_expires_at = now + timedelta(hours=self.link_hours)
        record.resend_available_at = now + timedelta(seconds=self.cooldown_seconds)
        self.mails.append((record.id, record.email))
        if (outcome := self.mail_outcome) != "queued":
            self._later(lambda: self._finish_mail(record, outcome, None))

    async def _finish_mail(self, record: _Record, state: MailState, at: datetime | None) -> None:
        if record.state != "pending":
            return
        record.mail = Mail(state, (at or self.clock()) if state == "accepted" else None)
        if state != "queued":
            await self._tell(record, "registration.mailed" if state == "accepted" else "registration.mail_failed")

    async def _tell_and_settle(self, record: _Record, kind: EventType) -> None:
        self._later(lambda: self._tell(record, kind))
        await self.settle()

    async def _tell(self, record: _Record, kind: EventType) -> None:
        if self.on_event is not None:
            data = EventData(record.id, record.reference, record.state, _mask(record.email))
            await self.on_event(StatusEvent(kind, self.clock(), data))

    def _later(self, what: Callable[[], Awaitable[None]]) -> None:
        self._pending.append(what)
        if self._teller is None or self._teller.done():
            self._teller = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while self._pending:
            await self._pending.pop(0)()

    def _view(self, record: _Record) -> Registration:
        return Registration(
            id=record.id,
            status=record.state,
            email_masked=_mask(record.email),
            created_at=record.created_at,
            mail=record.mail,
            link_expires_at=record.link_expires_at,
            resend_available_at=record.resend_available_at,
        )


def signed(event: StatusEvent, *, secret: str, webhook_id: str, at: datetime | None = None) -> tuple[dict[str, str], bytes]:
    """Headers and body of the status webhook that tells `event`, signed with `secret` ("whsec_...") at `at` (now)."""
    body, moment = msgspec.json.encode(event), at or _utc_now()
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, moment, body.decode()),
    }
    return headers, body


def _check_registration(new: NewRegistration) -> None:
    """The contract's own hard rules, which a dialog has checked long before."""
    _check(_WORD, new.kind)
    _check(_NAME, new.full_name)
    _check(_NIK, new.nik)
    _check(_PHONE, new.phone)
    _check(_EMAIL, new.email)
    _check(_WORD, new.channel)
    _check(_REFERENCE, new.reference)
    _check(_NOTICE_VERSION, new.consent.notice_version)


def _check(rule: re.Pattern[str], value: str) -> None:
    if not rule.fullmatch(value):
        raise RequestRefused("invalid")


def _mask(email: str) -> str:
    local, at, domain = email.partition("@")
    return f"{local[:1] if len(local) > 2 else ''}***@{domain}" if at else ""
