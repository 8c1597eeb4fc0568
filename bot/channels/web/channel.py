"""Delivering to a browser or a terminal: writing into the transcript that its person reads.

Lives here: what becomes of each kind of message. Must not live here: how it reaches the browser (`routes.py`). The web chat and
the terminal chat are two channels, "web" and "terminal", because a consent names the channel it was given in; they differ in the name only.
"""

from __future__ import annotations

from typing import Final, assert_never

import structlog

from bot.channels.port import Capabilities, Delivery, Later, Sent
from bot.channels.web import items
from bot.channels.web.transcript import Clock, Transcript, TranscriptUnavailable, utc_now
from bot.conversation import Conversation
from dialogs.effects import DeleteUserMessages, Message, Redraw, Say, Show

_log: Final = structlog.get_logger(__name__)
_RETRY_SECONDS: Final = 2.0
_PAGE: Final = 200


def user_key(message: str) -> str:
    """The transcript's key of a person's own bubble; ours go by the key of their delivery."""
    return f"me:{message}"


class WebChannel:
    """A `Channel` (`bot/channels/port.py`). The id of a message is the key it was delivered under."""

    capabilities: Final = Capabilities(buttons=20, edit=True, delete=True)

    def __init__(self, name: str, transcript: Transcript, clock: Clock = utc_now) -> None:
        self.name = name
        self._transcript = transcript
        self._clock = clock

    def typing(self, address: str) -> None:
        """Nothing: the page shows by itself that an answer is awaited."""

    async def deliver(self, address: str, message: Message, key: str) -> Delivery:
        """Write the message into the transcript; the streams of whoever looks at it wake up. A key that was written is not again."""
        conversation = Conversation(self.name, address)
        try:
            await self._write(conversation, message, key)
        except TranscriptUnavailable as fault:
            _log.warning("web.deliver_failed", channel=self.name, fault=str(fault))
            return Later(_RETRY_SECONDS, whole_channel=True)
        return Sent(key)

    async def _cover(self, conversation: Conversation) -> None:
        """Our own screens that showed personal data for proof-reading, the earlier summaries among them, are covered with it."""
        cursor = 0
        while entries := await self._transcript.since(conversation, cursor, _PAGE):
            cursor = entries[-1].cursor
            for entry in entries:
                if (covered := items.covered(entry.item)) is not None:
                    await self._transcript.replace(conversation, *covered)

    async def _write(self, conversation: Conversation, message: Message, key: str) -> None:
        match message:
            case Say():
                await self._transcript.append(conversation, key, items.said(key, message, self._clock()))
            case Show(screen, author=author):
                await self._transcript.append(conversation, key, items.shown(key, screen, self._clock(), author))
            case Redraw(earlier, screen):
                if old := await self._transcript.get(conversation, earlier):
                    await self._transcript.replace(conversation, earlier, items.redrawn(old, screen))
            case DeleteUserMessages(messages, screens):
                for named in map(user_key, messages):
                    if old := await self._transcript.get(conversation, named):
                        await self._transcript.replace(conversation, named, items.masked(old))
                if screens:
                    await self._cover(conversation)
            case _:
                assert_never(message)
