"""What a channel offers to the rest of the bot: a name, what it can do, and a way to deliver one message.

Lives here: the shapes. Must not live here: any channel (each has its own folder beside this file; none knows another).
How a channel's input reaches the dialog: it makes an Event of it and calls `Turns.take` (`bot/turns.py`).
"""

from __future__ import annotations

from typing import Final, Protocol

from dialogs.effects import Message, Say, Show
from dialogs.frozen import Frozen

# Waiting for a limit included; whoever delivers a message is known to be at it for `bot.turns.LEASE_SECONDS`.
SEND_SECONDS: Final = 9.0


class Capabilities(Frozen, frozen=True):
    """What the channel can draw and do. `buttons` is how many it can put under a message (0: numbered text instead). With `returns` it may
    say of a message that it took that it did not arrive after all (`OutboxDelivery.returned`).
    """

    buttons: int
    edit: bool = False
    delete: bool = False
    contact: bool = False
    returns: bool = False


class Sent(Frozen, frozen=True):
    """The channel took it; `message` is its id there, "" where it tells none."""

    message: str = ""


class Later(Frozen, frozen=True):
    """A limit, not a fault: try again after this many seconds. `whole_channel` when it is the channel's and not this chat's."""

    seconds: float
    whole_channel: bool = False


class Failed(Frozen, frozen=True):
    """A fault of the network or of the channel; the message was not taken, and may well be the next time."""

    reason: str


class Unknown(Frozen, frozen=True):
    """The message was handed over and no answer came: it may have been taken or not."""

    reason: str


class Dead(Frozen, frozen=True):
    """This chat cannot be reached until its person writes again: blocked, deactivated, gone."""

    reason: str


class Refused(Frozen, frozen=True):
    """The channel will never take this message; sending it again cannot help."""

    reason: str


Delivery = Sent | Later | Failed | Unknown | Dead | Refused


class Channel(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> Capabilities: ...

    def typing(self, address: str) -> None:
        """Show the person that something is under way, where the channel can; returns at once, and may come to nothing."""

    async def deliver(self, address: str, message: Message, key: str) -> Delivery:
        """Carry one message to the chat. `key` is the same at every attempt; where the channel can, it makes the second one harmless.

        A fault of the network or the channel is an answer (Failed, Unknown), never an exception. It answers within SEND_SECONDS.
        """


def missed(message: Message) -> bool:
    """Whether somebody would have to be told should it not arrive: its person of news, an agent of their words."""
    return isinstance(message, Say | Show) and (message.news is not None or (isinstance(message, Say) and bool(message.ref)))
