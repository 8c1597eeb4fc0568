"""How a registration stands, for the agent beside the talk: step, fields, what was wrong with them, mail and link.

Lives here: what is shown, made of the dialog's session and the backend's word, masked. Must not live here: pages (`console/`). The session
is asked anew for every look: nothing of it is kept here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol

import structlog

from backend_client.errors import BackendUnreachable, RequestRefused
from backend_client.models import Registration as Word
from bot.conversation import Conversation
from dialogs.fields import FIELDS
from dialogs.registration import open_question, state_of, step_id
from dialogs.session import Draft, Registration, Session
from helpdesk.masking import mask_name

log = structlog.get_logger(__name__)

# A page does not wait longer for the backend; without its word the panel says so.
_PATIENCE_SECONDS: Final = 1.5
_SHOWN: Final = 5

Look = Callable[[Conversation], Awaitable[Session | None]]


class Backend(Protocol):
    """What the helpdesk asks of the backend (`backend_client/port.py`); errors as there."""

    async def status(self, registration: str) -> Word: ...

    async def resend(self, registration: str, *, key: str) -> Word: ...


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field of the form: `state` is answered, asked (the open question), doubt (waits for the person's word) or open. `codes` are
    those of the doubts, by which the dialog's own words are found; `tries` how often an answer was refused in a row.
    """

    id: str
    value: str
    state: Literal["answered", "asked", "doubt", "open"]
    codes: tuple[str, ...]
    tries: int


@dataclass(frozen=True, slots=True)
class Handed:
    """A registration that the backend has. `word` is what it says now; None when it did not answer in time."""

    id: str
    name: str
    email: str
    state: str
    mailed_at: datetime | None
    word: Word | None

    @property
    def waits(self) -> bool:
        """Whether it waits for its owner: only then has the backend its fields to show."""
        return self.word is not None and self.word.status in ("pending", "expired")

    def masked(self, field: str) -> str:
        """What is shown of a field before it is asked for; "" for what only the backend knows."""
        return {"full_name": self.name, "email": self.email}.get(field, "")


@dataclass(frozen=True, slots=True)
class Panel:
    """`known` is False when the dialog has forgotten the conversation, or cannot be asked now."""

    known: bool
    step: str = ""
    language: str = ""
    kind: str = ""
    consented_at: datetime | None = None
    fields: tuple[FieldRow, ...] = ()
    handed: tuple[Handed, ...] = ()


class Panels:
    def __init__(self, look: Look, backend: Backend) -> None:
        self.look = look
        self._backend = backend

    async def of(self, session: Session | None) -> Panel:
        if session is None:
            return Panel(known=False)
        newest = session.registrations[-_SHOWN:]
        words = await asyncio.gather(*(self._word(each.id) for each in newest))
        draft = session.draft
        return Panel(
            known=True,
            # While the helpdesk has it, where the form rests.
            step=session.desk.step if session.desk is not None and session.desk.owner != "closed" else step_id(session),
            language=session.language,
            kind=draft.kind if draft else "",
            consented_at=draft.consent.at if draft and draft.consent else None,
            fields=_fields(draft) if draft else (),
            handed=tuple(_handed(each, word) for each, word in zip(newest, words, strict=True))[::-1],
        )

    @staticmethod
    def fields(session: Session | None) -> tuple[FieldRow, ...]:
        """The form's fields alone, masked."""
        return _fields(session.draft) if session is not None and session.draft else ()

    async def _word(self, registration: str) -> Word | None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await self._backend.status(registration)
        except (TimeoutError, BackendUnreachable, RequestRefused) as fault:
            log.info("panel.no_word", fault=type(fault).__name__)
            return None


def _handed(registration: Registration, word: Word | None) -> Handed:
    return Handed(
        registration.id,
        mask_name(registration.name),
        registration.email_masked,
        state_of(registration),
        registration.mailed_at,
        word,
    )


def _fields(draft: Draft) -> tuple[FieldRow, ...]:
    asked = open_question(draft)
    doubts = {doubt.field: doubt for doubt in (*draft.more, draft.doubt) if doubt is not None}
    rows = []
    for field in FIELDS:
        answer, doubt = draft.answers.get(field.id), doubts.get(field.id)
        value = doubt.value if doubt else answer.value if answer else ""
        state: Literal["answered", "asked", "doubt", "open"] = (
            "doubt" if doubt else "asked" if asked == field.id else "answered" if answer else "open"
        )
        codes = tuple(each.code for each in doubt.doubts) if doubt else ()
        tries = draft.tries if asked == field.id or (draft.doubt and draft.doubt.field == field.id) else 0
        rows.append(FieldRow(field.id, field.mask(value) if value else "", state, codes, tries))
    return tuple(rows)


def value_of(session: Session | None, field: str) -> str | None:
    """What the person entered, in the clear and as they proof-read it; None when the dialog does not hold it (any more)."""
    draft = session.draft if session else None
    if draft is None:
        return None
    shown = next((each for each in FIELDS if each.id == field), None)
    answer = draft.answers.get(field)
    doubt = next((each for each in (draft.doubt, *draft.more) if each is not None and each.field == field), None)
    value = answer.value if answer else doubt.value if doubt else ""
    return shown.show(value) if shown is not None and value else None
