"""What a turn asks the world to do: the one vocabulary that the runner carries out.

Lives here: frozen data, one class per kind of effect. Must not live here: carrying them out (`bot/`) or deciding on them
(`dialogs/machine.py`). What comes in is in `dialogs/events.py`.
"""

from __future__ import annotations

from datetime import datetime

from dialogs.events import ActivationStatus
from dialogs.frozen import Frozen
from dialogs.screens import Screen


class News(Frozen, frozen=True):
    """Which registration a message brings news of, and what: of two such messages that still wait only the newer is worth telling."""

    registration: str
    status: ActivationStatus


class Say(Frozen, frozen=True):
    """A message that expects no answer and leaves the current screen in force."""

    text: str
    news: News | None = None


class Show(Frozen, frozen=True):
    """Send a screen; from now on it is the current one.

    With `until` (UTC) it is worth sending only up to then, and only while no newer message waits behind it: a reminder.
    """

    screen: Screen
    news: News | None = None
    until: datetime | None = None


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


class SetTimer(Frozen, frozen=True):
    """Let `TimerFired(timer)` happen at `at` (UTC); setting a name again moves it. A firing ends the timer, or its turn sets it again."""

    timer: str
    at: datetime


class CancelTimer(Frozen, frozen=True):
    """Forget a timer; one that is not set is no error."""

    timer: str


class OpenTicket(Frozen, frozen=True):
    """Ask for a helpdesk agent; `step` says where the person stands."""

    reason: str
    step: str


class Record(Frozen, frozen=True):
    """One segment of the funnel: what happened at which step, by code, without a byte of personal data.

    `what` is asked (the step came up), answered, doubted, rejected (`code`: the rule), edited, abandoned (`code`: how), handed_off,
    accepted, resent, activated, reminded, or a lesser thing that only its step knows.
    """

    step: str
    what: str
    code: str = ""


Message = Say | Show | Redraw | DeleteUserMessages
Request = SubmitRegistration | ResendActivation | ChangeEmail | WithdrawRegistration
Effect = Message | Request | SetTimer | CancelTimer | OpenTicket | Record
