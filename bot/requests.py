"""Requests to the backend that turns have committed: made, made again while the backend is away, and answered to the dialog as events.

Lives here: which call each request is, and which event each answer is. Must not live here: HTTP (`backend_client/`) or what the person
is told (`dialogs/news.py`). Every request carries its own Idempotency-Key, so making it twice is making it once.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Mapping
from typing import Final, assert_never

import structlog

from backend_client.errors import (
    BackendUnreachable,
    LimitReached,
    RegistrationClosed,
    RegistrationUnknown,
    RequestRefused,
)
from backend_client.models import Consent, NewRegistration, NoticeKind
from backend_client.port import Backend, Notices
from bot.conversation import Conversation
from bot.delivery import backoff
from bot.turns import Turns
from dialogs.effects import ChangeEmail, News, Request, ResendActivation, SubmitRegistration, WithdrawRegistration
from dialogs.events import ActivationStatus, BackendAccepted, BackendDone, BackendRejected, BackendUnavailable, Event

log = structlog.get_logger(__name__)

# With 1, 2, 4 ... 60 s between them, this many attempts take about a day; then the person is told and asked.
ATTEMPTS: Final = 1440
# Requests under way at a time in one process: a backend that is slow gets slower the more it is asked, until it answers nobody in time.
AT_ONCE: Final = 8
# Who gets no place within this time comes again later, so that nobody waits here longer than an item is theirs.
PLACE_SECONDS: Final = 5.0
_COME_AGAIN_SECONDS: Final = 2.0
# News that a mail can bring as well. That a mail failed, or went, it cannot.
BY_MAIL: Final[Mapping[ActivationStatus, NoticeKind]] = {"active": "active", "expired": "expired", "withdrawn": "withdrawn"}


def key_of(request: Request) -> str:
    """The Idempotency-Key."""
    return request.handoff if isinstance(request, SubmitRegistration) else request.request


class BackendRequests:
    """`notices` tells by mail what a chat could not be told; without it, that is left untold until the chat can be reached."""

    def __init__(self, backend: Backend, turns: Turns, *, notices: Notices | None = None) -> None:
        self._backend = backend
        self._notices = notices
        self._turns = turns
        self._places = asyncio.Semaphore(AT_ONCE)

    async def carry_out(self, conversation: Conversation, request: Request, item: str, attempts: int) -> float | None:
        """None when it is over; else the seconds to wait before the next attempt. `item` names the answer, so that it is told once."""
        key = key_of(request)
        event: Event
        try:
            async with asyncio.timeout(PLACE_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            return _COME_AGAIN_SECONDS
        try:
            event = await self._call(conversation, request, key)
        except BackendUnreachable:
            final = attempts + 1 >= ATTEMPTS
            log.warning("backend.unreachable", what=type(request).__name__, attempts=attempts + 1)
            await self._answer(
                conversation, BackendUnavailable(key, final=final), f"{item} unavailable{' final' if final else ''}"
            )
            return None if final else backoff(attempts)
        except LimitReached as limit:
            event = BackendRejected(key, "limit", limit.retry_after)
        except RegistrationClosed:
            event = BackendRejected(key, "closed")
        except RequestRefused as refused:
            log.warning("backend.refused", what=type(request).__name__, code=refused.code)
            event = BackendRejected(key, "refused")
        finally:
            self._places.release()
        await self._answer(conversation, event, f"{item} answered")
        return None

    async def tell_by_mail(self, news: News, item: str, attempts: int) -> float | None:
        """Have the backend mail news that the chat could not be told. None when that is over; else the seconds to wait.

        `item` is the message's key: it is asked for once, however often this is called.
        """
        if self._notices is None or (kind := BY_MAIL.get(news.status)) is None:
            return None
        key = hashlib.blake2b(f"{item} {news.registration} {kind}".encode(), digest_size=16).hexdigest()
        try:
            await self._notices.notify(news.registration, kind, key=key)
        except BackendUnreachable:
            log.warning("backend.unreachable", what="notice", attempts=attempts + 1)
            return None if attempts + 1 >= ATTEMPTS else backoff(attempts)
        except LimitReached as limit:
            return None if attempts + 1 >= ATTEMPTS else float(limit.retry_after)
        except RequestRefused as refused:
            log.warning("backend.refused", what="notice", code=refused.code)
        else:
            log.info("delivery.told_by_mail", kind=kind)
        return None

    async def _answer(self, conversation: Conversation, event: Event, event_id: str) -> None:
        if (await self._turns.take(conversation, event, event_id)).left:
            await self._turns.deliver(conversation)

    async def _call(self, conversation: Conversation, request: Request, key: str) -> Event:
        match request:
            case SubmitRegistration():
                consent = Consent(request.notice_version, request.consented_at)
                taken = await self._backend.create(
                    NewRegistration(
                        kind=request.kind,
                        full_name=request.full_name,
                        nik=request.nik,
                        phone=request.phone,
                        email=request.email,
                        language="en" if request.language == "en" else "id",
                        channel=request.channel,
                        reference=str(conversation),
                        consent=consent,
                    ),
                    key=key,
                )
                return BackendAccepted(request.handoff, taken.id, taken.email_masked)
            case ResendActivation():
                again = await self._backend.resend(request.registration, key=key)
                return BackendDone(key, again.email_masked)
            case ChangeEmail():
                moved = await self._backend.change_email(request.registration, request.email, key=key)
                return BackendDone(key, moved.email_masked)
            case WithdrawRegistration():
                # One that the backend does not know (any more) is as gone as it can be.
                with contextlib.suppress(RegistrationUnknown):
                    await self._backend.withdraw(request.registration)
                return BackendDone(key)
            case _:
                assert_never(request)
