"""What can happen to a conversation: the one vocabulary that every channel translates into.

Lives here: frozen data, one class per kind of event. Must not live here: how a channel spells it (`bot/channels/`) or what
is done about it (`dialogs/machine.py`). What a turn answers with is in `dialogs/effects.py`.

`message` is always the channel's own opaque id of the message that carried the event, or "" where it has none; it is kept so
that a message with personal data can be deleted after the hand-off. `answers` is the id of the message that it replies to, "" where it
replies to none.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from dialogs.clock import Zone
from dialogs.frozen import Frozen

MediaKind = Literal["photo", "voice", "video", "sticker", "location", "document", "contact", "other"]
ActivationStatus = Literal["mailed", "mail_failed", "active", "expired", "withdrawn"]
RefusalCode = Literal["refused", "limit", "closed"]
TicketReason = Literal["asked", "tries", "taken"]
DeadLink = Literal["used", "over"]


class Started(Frozen, frozen=True):
    """The person opened the chat or sent /start. `payload` is a deep link's opaque text, never personal data; `zone` is where their
    device says that they are, "" where the channel does not tell or it is elsewhere.
    """

    payload: str = ""
    zone: Zone | Literal[""] = ""


class TextSent(Frozen, frozen=True):
    """A text message, exactly as typed."""

    text: str
    message: str = ""
    answers: str = ""


class ContactShared(Frozen, frozen=True):
    """A contact card. `own` is true only where the channel vouches that it is the sender's own number (Bot API: user_id equal)."""

    phone: str
    own: bool
    message: str = ""


class ButtonPressed(Frozen, frozen=True):
    """A press of `Action.id` on the screen that carried `token`; a token other than the current screen's is stale."""

    token: str
    action: str
    message: str = ""


class MessageEdited(Frozen, frozen=True):
    """The person edited an earlier message of theirs."""

    message: str
    text: str


class MediaSent(Frozen, frozen=True):
    """Something that is neither text nor a contact: a photo, a voice note, a sticker..."""

    kind: MediaKind
    message: str = ""
    answers: str = ""


class CommandSent(Frozen, frozen=True):
    """A slash command without its slash, lower case: start, daftar, status, bantuan, batal, kembali, bahasa..."""

    command: str
    argument: str = ""


class TimerFired(Frozen, frozen=True):
    """A timer set by `SetTimer` came due; it means nothing until the state has been looked at."""

    timer: str


class BackendAccepted(Frozen, frozen=True):
    """The backend took the hand-off; `registration` is its id there, `email_masked` the address as it may be shown."""

    handoff: str
    registration: str
    email_masked: str


class BackendRejected(Frozen, frozen=True):
    """The backend refused a request for good. `request` is the handoff id or the request id that was sent."""

    request: str
    code: RefusalCode
    retry_after: int = 0  # seconds, rounded up; 0 where waiting does not help


class BackendUnavailable(Frozen, frozen=True):
    """The backend cannot be reached; delivery keeps on trying until `final`."""

    request: str
    final: bool = False


class BackendDone(Frozen, frozen=True):
    """A resend, change of e-mail or withdrawal that was asked for has been carried out."""

    request: str
    email_masked: str = ""


class ActivationChanged(Frozen, frozen=True):
    """What the backend says of a registration, by signed webhook. `at` is when it happened there (UTC)."""

    registration: str
    status: ActivationStatus
    at: datetime


# --- a form that goes on elsewhere (`dialogs/moves.py`). `place` is the name of the channel where it was or goes on.


class FormWritten(Frozen, frozen=True):
    """A helpdesk agent, whom the person knows as `name`, has written down what a caller says: what was typed, by field. Nobody is in this
    chat: the form waits in it for the person to take it into their own.
    """

    name: str
    kind: str
    typed: Mapping[str, str]


class LinkMade(Frozen, frozen=True):
    """There is a link that takes the open form elsewhere, once, until `until` (UTC); an earlier one is void. `addresses` are where it
    leads, with the name of the place.
    """

    link: str
    addresses: tuple[tuple[str, str], ...]
    until: datetime


class LinkOpened(Frozen, frozen=True):
    """Somebody has opened the link in the chat `to`, which is the bot's word for it and means nothing here."""

    link: str
    to: str
    place: str


class FormBrought(Frozen, frozen=True):
    """The form that this chat's person has opened a link for: `answers` that were good where it was, by field; `typed` is what was typed
    there and is good only if the person says so. `name` is the agent's who wrote it down, "" where the person did it themselves.
    """

    place: str
    name: str
    kind: str
    answers: Mapping[str, str]
    typed: Mapping[str, str]


class LinkDead(Frozen, frozen=True):
    """The link that was opened here brings nothing: its form went elsewhere or is gone ("used"), or its time is over."""

    why: DeadLink


# --- the helpdesk's. `agent` is the agent's id, `name` what the person is told. `ownership` is the version of the ownership
# (`Session.ownership`) that the agent saw: where it is not the current one, somebody was quicker, and nothing happens. Whether an agent may
# do what they do is the console's to know.


class AgentTookOver(Frozen, frozen=True):
    """An agent answers from here on, asked or unasked; the dialog is frozen, not lost."""

    agent: str
    name: str
    ownership: int


class AgentSaid(Frozen, frozen=True):
    """An agent wrote to the person. Whoever does not have the conversation takes it over by that; `ref` is the desk's own id of the
    message, by which its fate is told (`dialogs.effects.MessageFate`). What its owner says is said whatever version they saw. `answers` is
    the channel's id of the person's message that it replies to, "" where it replies to none.
    """

    agent: str
    name: str
    ownership: int
    text: str
    ref: str
    answers: str = ""


class AgentReturned(Frozen, frozen=True):
    """The agent gave the conversation back; the open question is asked again."""

    agent: str
    ownership: int


class AgentReleased(Frozen, frozen=True):
    """The agent put the conversation back into the queue. `agent` is "" where they may have it no more, and nobody else did it."""

    agent: str
    ownership: int


class AgentTransferred(Frozen, frozen=True):
    """The conversation goes to another agent, `to`, whom the person knows as `name`."""

    agent: str
    to: str
    name: str
    ownership: int


class AgentClosed(Frozen, frozen=True):
    """What was to be settled is settled; `label` is the desk's own word for it. The bot goes on where it stopped."""

    agent: str
    ownership: int
    label: str = ""


class CorrectionProposed(Frozen, frozen=True):
    """An agent proposes a value for a field (an id of `dialogs.fields`). The person alone can put it in."""

    agent: str
    ownership: int
    field: str
    value: str


Event = (
    Started
    | TextSent
    | ContactShared
    | ButtonPressed
    | MessageEdited
    | MediaSent
    | CommandSent
    | TimerFired
    | BackendAccepted
    | BackendRejected
    | BackendUnavailable
    | BackendDone
    | ActivationChanged
    | AgentTookOver
    | AgentSaid
    | AgentReturned
    | AgentReleased
    | AgentTransferred
    | AgentClosed
    | CorrectionProposed
    | FormWritten
    | LinkMade
    | LinkOpened
    | FormBrought
    | LinkDead
)
ByPerson = Started | TextSent | ContactShared | ButtonPressed | MessageEdited | MediaSent | CommandSent
ByAgent = AgentTookOver | AgentSaid | AgentReturned | AgentReleased | AgentTransferred | AgentClosed | CorrectionProposed
