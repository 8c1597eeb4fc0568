"""What a turn asks the world to do: the one vocabulary that the runner carries out.

Lives here: frozen data, one class per kind of effect. Must not live here: carrying them out (`bot/`) or deciding on them
(`dialogs/machine.py`). What comes in is in `dialogs/events.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from dialogs.events import ActivationStatus, TicketReason
from dialogs.frozen import Frozen, field
from dialogs.screens import Screen
from dialogs.texts import Language


class News(Frozen, frozen=True):
    """Which registration a message brings news of, and what: of two such messages that still wait only the newer is worth telling."""

    registration: str
    status: ActivationStatus


# Who speaks: the bot; a helpdesk agent, by name; or the system, which tells what has become of the conversation itself.
Author = Literal["bot", "agent", "system"]


class Say(Frozen, frozen=True):
    """A message that expects no answer and leaves the current screen in force.

    Where an agent speaks, `name` is the agent's, `ref` the desk's id of the message (`MessageFate`), and `answers` the channel's id of the
    person's message that it replies to; a channel that cannot show that sends it as any other.
    """

    text: str
    news: News | None = None
    author: Author = "bot"
    name: str = ""
    ref: str = ""
    answers: str = ""


class Show(Frozen, frozen=True):
    """Send a screen; from now on it is the current one.

    With `until` (UTC) it is worth sending only up to then, and only while no newer message waits behind it: a reminder. `ownership` is
    the version of the conversation's ownership that it was made under: once another holds, the bot's question is not worth sending.
    """

    screen: Screen
    news: News | None = None
    until: datetime | None = None
    author: Author = "bot"
    ownership: int = 0


class Redraw(Frozen, frozen=True):
    """Replace what stands in our own earlier message; a channel that cannot edit leaves it."""

    message: str
    screen: Screen


class DeleteUserMessages(Frozen, frozen=True):
    """Remove the person's own messages that carried personal data, where the channel can.

    With `screens`, what we showed of that data goes as well, where the channel keeps a transcript; without, the form goes on with it.
    """

    messages: tuple[str, ...]
    screens: bool = True


class SubmitRegistration(Frozen, frozen=True):
    """Hand a complete registration to the backend; `handoff` is the Idempotency-Key of every attempt."""

    handoff: str
    kind: str
    full_name: str
    nik: str
    phone: str
    email: str
    language: str
    channel: str
    notice_version: str
    consented_at: datetime


class ResendActivation(Frozen, frozen=True):
    """Ask the backend to mail the activation link again; `request` is the Idempotency-Key."""

    request: str
    registration: str


class ChangeEmail(Frozen, frozen=True):
    """Ask the backend to move a pending registration to another address; `request` is the Idempotency-Key."""

    request: str
    registration: str
    email: str


class WithdrawRegistration(Frozen, frozen=True):
    """Have the backend void the links and erase the data of a registration that is not active; `request` names the answer."""

    request: str
    registration: str


class MakeLink(Frozen, frozen=True):
    """Make a link that takes the open form elsewhere; `LinkMade` tells of it."""


class RedeemLink(Frozen, frozen=True):
    """Fetch the form that this link leads to: `FormBrought` comes of it, or `LinkDead`."""

    token: str


class BringForm(Frozen, frozen=True):
    """Give the form to the chat `to` (`LinkOpened.to`), for it is no longer here: `FormBrought` there. Without a `kind`, answers or
    anything typed there is none to give: `LinkDead`.
    """

    to: str
    name: str = ""
    kind: str = ""
    answers: Mapping[str, str] = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict)


class SetTimer(Frozen, frozen=True):
    """Let `TimerFired(timer)` happen at `at` (UTC); setting a name again moves it. A firing ends the timer, or its turn sets it again."""

    timer: str
    at: datetime


class CancelTimer(Frozen, frozen=True):
    """Forget a timer; one that is not set is no error."""

    timer: str


RelayKind = Literal["text", "edit", "contact", "media", "press", "password"]
Change = Literal[
    "queued",
    "taken",
    "released",
    "transferred",
    "returned",
    "closed",
    "cancelled",
    "finished",
    "timed_out",
    "idled",
    "proposed",
    "unfit",
    "accepted",
    "declined",
    "rated",
]


class OpenTicket(Frozen, frozen=True):
    """Ask for a helpdesk agent; `step` says where the person stands. Where no helpdesk works in this chat, `ticket` is "" and the person
    has been told whom to call.

    `reason` is asked (by word or button), tries (by the button that comes after many refused answers) or taken (an agent stepped in
    unasked). `in_hours` is whether agents are there now.
    """

    reason: TicketReason
    step: str
    ticket: str = ""
    at: datetime | None = None
    language: Language = "id"
    in_hours: bool = True


class Relay(Frozen, frozen=True):
    """One line of a ticket's talk, to the desk: what the person sent while the helpdesk has the conversation, or what an agent said.

    `text` is what was written (a contact's number; "" for a password, which goes nowhere, and for media). `detail` is the kind of media
    or the label of the button pressed. `message` is the channel's id of a person's message (an edit bears that of the message edited),
    `answers` that of the message which it replies to, `ref` the desk's of an agent's.
    """

    ticket: str
    author: Literal["person", "agent"]
    kind: RelayKind
    text: str
    at: datetime
    message: str = ""
    detail: str = ""
    agent: str = ""
    name: str = ""
    ref: str = ""
    answers: str = ""


class DeskChanged(Frozen, frozen=True):
    """Something about a ticket has changed, and is so: `ownership` is the version that holds from here on, `at` when (UTC).

    `what` is queued; taken, released, transferred, returned, closed by an agent (`agent`, `name`: who has it now, or had it last);
    cancelled or finished by the person (in the queue, in the talk); timed_out in the queue, idled with an agent who fell silent; of a
    correction (`detail`: the field) proposed, unfit (`detail`: field and code of the rule), accepted, declined; rated (`detail`: 1 to 5).
    `detail` of closed is the label. `by` is the agent who did it, "" where none did: not always the one who has it.
    """

    ticket: str
    what: Change
    ownership: int
    at: datetime
    agent: str = ""
    name: str = ""
    detail: str = ""
    by: str = ""


Fate = Literal["sent", "unreachable", "refused", "failed", "unknown"]


class MessageFate(Frozen, frozen=True):
    """What became of an agent's message `ref`: sent (`message`: the channel's id), or given up for `reason`: unreachable until the person
    writes again, refused, failed, unknown. Not a turn's: the delivery tells it.
    """

    ref: str
    fate: Fate
    at: datetime
    message: str = ""


class Record(Frozen, frozen=True):
    """One segment of the funnel: what happened at which step, by code, without a byte of personal data.

    `what` is asked (the step came up), answered, doubted, rejected (`code`: the rule), edited, abandoned (`code`: how), handed_off,
    accepted, resent, activated, reminded, or a lesser thing that only its step knows. The step "campaign" is none: there
    `code` names what brought a newcomer.
    """

    step: str
    what: str
    code: str = ""


Message = Say | Show | Redraw | DeleteUserMessages
Request = SubmitRegistration | ResendActivation | ChangeEmail | WithdrawRegistration
Move = MakeLink | RedeemLink | BringForm
ToDesk = OpenTicket | Relay | DeskChanged | MessageFate
Effect = Message | Request | Move | SetTimer | CancelTimer | OpenTicket | Relay | DeskChanged | Record
