"""One turn: load, step, commit, answer. (The runner; being written.)"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bot.conversation import Conversation
from dialogs.effects import Message
from dialogs.events import Event
from dialogs.texts import Language


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message that was committed with its turn. `key` is the same at every attempt to deliver it."""

    key: str
    message: Message


class StoreUnavailable(Exception):
    """The dialog store cannot be reached; the channel must answer so that the event is delivered again (503)."""


class Turns(Protocol):
    async def take(
        self, conversation: Conversation, event: Event, event_id: str, *, language: Language | None = None
    ) -> tuple[Outgoing, ...]:
        """Carry out one event, once: an id seen before answers with what is still undelivered of it.

        `language` is the channel's hint for a new conversation. What comes back is committed and not yet delivered: the channel
        either answers with it and calls `delivered`, or calls `deliver`. Raises StoreUnavailable.
        """

    async def delivered(self, conversation: Conversation, keys: tuple[str, ...]) -> None:
        """The channel has answered with these itself."""

    async def deliver(self, conversation: Conversation) -> None:
        """Deliver now what is undelivered of this conversation, in order, through its channel's `deliver`."""
