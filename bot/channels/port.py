"""What a channel offers to the rest of the bot: a name, what it can do, and a way to deliver one message.

Lives here: the shapes. Must not live here: any channel (each has its own folder beside this file; none knows another).
How a channel's input reaches the dialog: it makes an Event of it and calls `Turns.take` (`bot/turns.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dialogs.effects import Message


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the channel can draw and do. `buttons` is how many it can put under a message (0: numbered text instead)."""

    buttons: int
    edit: bool = False
    delete: bool = False
    contact: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """The channel took it; `message` is its id there, "" where it tells none."""

    message: str = ""


@dataclass(frozen=True, slots=True)
class Later:
    """Try again after this many seconds; `whole_channel` when the limit is the channel's and not this chat's."""

    seconds: float
    whole_channel: bool = False


@dataclass(frozen=True, slots=True)
class Dead:
    """This chat cannot be reached until its person writes again: blocked, deactivated, gone."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The channel will never take this message; sending it again cannot help."""

    reason: str


Delivery = Sent | Later | Dead | Refused


class Channel(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> Capabilities: ...

    async def deliver(self, address: str, message: Message, key: str) -> Delivery:
        """Carry one message to the chat. `key` is the same at every attempt; where the channel can, it makes the second one harmless.

        A fault of the network or the channel is an answer (Later), never an exception.
        """
