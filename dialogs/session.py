"""Everything that is remembered of one conversation: frozen data, and nothing that could be computed from it.

Lives here: the shape. Must not live here: where the person stands (computed: `dialogs/registration.py`), how it changes
(`dialogs/steps/`), or how it is written down (`bot/sessions.py`). Fields are written by position: a field appended with a default raises
VERSION's minor number, and older code still reads the rest; any other change raises the major one, with an upcaster in
`dialogs/upcasters.py` and a frozen fixture in the tests. During a deploy older code serves newer sessions: it gives back what was appended
to Session itself, and forgets what was appended to a part of it (Draft, Registration ...), so there the default must be good enough; a
conversation with a value that it does not know (an overlay, a status) it leaves to newer code.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from dialogs.clock import Zone
from dialogs.events import ActivationStatus, TicketReason
from dialogs.fields._field import Doubt
from dialogs.frozen import Frozen, field
from dialogs.texts import Language

VERSION: Final = (1, 2)

Overlay = Literal["", "cancel", "restart", "language", "change", "erase", "after_hours"]
Aside = Literal["", "status", "registration"]
RegistrationStatus = Literal["pending", "mail_failed", "active", "expired", "withdrawn"]


class Answer(Frozen, frozen=True):
    """A field's stored value, and the channel's id of the message that carried it."""

    value: str
    message: str = ""


class Consent(Frozen, frozen=True):
    """The version of the privacy notice that was agreed to in the chat, and when (UTC)."""

    notice: str
    at: datetime


class OpenDoubt(Frozen, frozen=True):
    """An unusual answer that waits for the person's word."""

    field: str
    value: str
    doubts: tuple[Doubt, ...]
    suggestion: str = ""
    message: str = ""


class Draft(Frozen, frozen=True):
    """A registration that is being filled in.

    `handoff` is born with the first summary and is the Idempotency-Key of its submission; `attempted` says that it has been sent at
    least once, so that a later change of an answer makes a new one. `sending` is true until the backend's word is in. `typed` are the
    channel's ids of the messages that answered, well or not, so that they can be deleted. `reminded` counts the reminders sent, `muted`
    says that no more are wanted, `erase` that the registration is to be withdrawn as soon as the backend has taken it. `more` are unusual
    answers that wait behind `doubt`: they came in one message.

    `link` is the newest link that takes the form elsewhere, "" where there is none. `brought` says that it came from elsewhere and its
    person has not looked through it yet; `by` is the helpdesk agent who wrote it down. `unproven` says that
    whoever has it now has not shown yet that it is theirs.
    """

    consent: Consent | None = None
    kind: str = ""
    answers: Mapping[str, Answer] = field(default_factory=dict)
    editing: str = ""
    doubt: OpenDoubt | None = None
    tries: int = 0
    handoff: str = ""
    attempted: bool = False
    sending: bool = False
    summary_message: str = ""
    typed: tuple[str, ...] = ()
    reminded: int = 0
    muted: bool = False
    erase: bool = False
    more: tuple[OpenDoubt, ...] = ()
    link: str = ""
    brought: bool = False
    by: str = ""
    unproven: bool = False


class Registration(Frozen, frozen=True):
    """A registration that the backend has taken: what the chat may still know of it.

    `mailed_at` is when the newest mail was accepted for delivery; `asked` since when another is asked for, whose fate is not known yet;
    `erasing` the request that withdraws it, "" where none is under way. `summary` is the channel's id of our summary, which goes on to tell
    how the registration stands; "" where that message is not known.
    """

    id: str
    handoff: str
    name: str
    email_masked: str
    status: RegistrationStatus = "pending"
    mailed_at: datetime | None = None
    requests: int = 0
    asked: datetime | None = None
    erasing: str = ""
    summary: str = ""


class EmailChange(Frozen, frozen=True):
    """The person is typing another address for a registration that was handed off already."""

    registration: str
    doubt: OpenDoubt | None = None
    tries: int = 0


class EarlyNews(Frozen, frozen=True):
    """A status of a registration that this chat has not heard the id of yet: the mail can be quicker than the hand-off's answer."""

    registration: str
    status: ActivationStatus
    at: datetime


Owner = Literal["queued", "human", "closed"]


class Desk(Frozen, frozen=True):
    """The helpdesk's part in the conversation: `ticket` waits in the queue, is with an agent, or is closed and may be rated.

    `since` is when this owner's time began, `opened` when the ticket's did; `step` is where the person stood, `reason` as in
    `dialogs.effects.OpenTicket`. `agent` and `name` are those of the agent who has it, or had it last. `until` is when this
    owner's time ends: the queue's patience, the agent's silence. `correction` is what the agent proposes and the person has not yet
    answered.
    """

    ticket: str
    owner: Owner
    since: datetime
    opened: datetime
    reason: TicketReason
    step: str
    agent: str = ""
    name: str = ""
    until: datetime | None = None
    correction: OpenDoubt | None = None


class Session(Frozen, frozen=True):
    """`id` is random and unique; `serial` counts the screens shown, `handoffs` the hand-offs born: neither ever goes back.

    `version` stays the first field for ever, so that any code can tell whether it can read the rest. `pressed` is the last press that
    was carried out ("token:action"), so that its double is known. `seen` is when the newest screen was shown: the person was here then.
    `zone` is the person's zone as far as their device or a registration told it, "" where none did. `aside` is what the person looks at
    beside an open form: the list of registrations, or the one in `focus`. `desk` is None where the bot has had the conversation all along;
    `ownership` counts the changes of owner between bot, queue and agents, and never goes back.
    """

    version: tuple[int, int] = VERSION
    id: str = ""
    channel: str = ""
    language: Language = "id"
    serial: int = 0
    handoffs: int = 0
    pressed: str = ""
    overlay: Overlay = ""
    draft: Draft | None = None
    email_change: EmailChange | None = None
    registrations: tuple[Registration, ...] = ()
    focus: str = ""
    early: tuple[EarlyNews, ...] = ()
    seen: datetime | None = None
    zone: Zone | Literal[""] = ""
    aside: Aside = ""
    desk: Desk | None = None
    ownership: int = 0

    def registration(self, id_: str) -> Registration | None:
        return next((each for each in self.registrations if each.id == id_), None)
