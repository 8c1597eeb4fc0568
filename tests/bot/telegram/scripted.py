"""A small dialog in memory in place of the runner: what a channel needs of `Turns`, kept to the letter, with a script for the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from bot.channels.port import Channel, Delivery, Failed, Later, Unknown
from bot.conversation import Conversation
from bot.turns import Answerable, StoreUnavailable, Taken
from dialogs.effects import Message, Say, Show
from dialogs.events import ButtonPressed, CommandSent, ContactShared, Event, Started, TextSent
from dialogs.texts import Language


async def until(true: Callable[[], bool]) -> None:
    """Wait for something that happens beyond an `await`; fails the test if it does not within 10 s."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - what is waited for has no event to wait on
            await asyncio.sleep(0.005)


Script = Callable[[Event], Sequence[Message]]


def echo(event: Event) -> Sequence[Message]:
    """Says back what it was told."""
    match event:
        case TextSent(text):
            return (Say(f"echo {text}"),)
        case Started(payload):
            return (Say(f"started {payload}"),)
        case CommandSent(command, argument):
            return (Say(f"command {command} {argument}"),)
        case ButtonPressed(token, action):
            return (Say(f"pressed {token} {action}"),)
        case ContactShared(phone, own):
            return (Say(f"contact {phone if own else 'of somebody else'}"),)
        case _:
            return (Say(f"event {type(event).__name__}"),)


class ScriptedTurns:
    """One event once, in order; undelivered messages stay until their channel took them, or for ever refused them."""

    def __init__(self, script: Script = echo) -> None:
        self.script = script
        self.channel: Channel | None = None
        self.events: list[tuple[Conversation, Event, str, Language | None]] = []
        self.outcomes: list[Delivery] = []
        self.unavailable = 0  # takes that fail before anything is committed
        self.defective: set[str] = set()  # texts that raise
        self.held: asyncio.Event | None = None  # a commit waits for it
        self.taking = asyncio.Event()
        self._seen: set[str] = set()
        self._newest: dict[tuple[Conversation, str], Message] = {}
        self._pending: dict[Conversation, list[tuple[str, Message]]] = {}
        self._locks: dict[Conversation, asyncio.Lock] = {}

    async def take(
        self,
        conversation: Conversation,
        event: Event,
        event_id: str,
        *,
        language: Language | None = None,
        answerable: Answerable | None = None,
    ) -> Taken:
        self.taking.set()
        if self.held is not None:
            await self.held.wait()
        if self.unavailable:
            self.unavailable -= 1
            raise StoreUnavailable("gone")
        if isinstance(event, TextSent) and event.text in self.defective:
            raise RuntimeError(event.text)
        pending = self._pending.setdefault(conversation, [])
        if event_id in self._seen:
            return Taken(self._newest.get((conversation, event_id)) if answerable else None)
        self._seen.add(event_id)
        self.events.append((conversation, event, event_id, language))
        messages = self.script(event)
        new = [message for message in messages if isinstance(message, Say | Show)]
        answer = new[0] if answerable and not pending and len(new) == 1 and answerable(new[0]) else None
        left = [message for message in messages if message is not answer]
        first = not pending
        pending += [(f"{len(self.events)}.{at}", message) for at, message in enumerate(left)]
        if answer is not None:
            self._newest = {(conversation, event_id): answer}
        return Taken(answer, left=bool(left) and first)

    async def deliver(self, conversation: Conversation) -> None:
        async with self._locks.setdefault(conversation, asyncio.Lock()):
            while pending := self._pending.get(conversation):
                assert self.channel is not None
                key, message = pending[0]
                outcome = await self.channel.deliver(conversation.address, message, key)
                self.outcomes.append(outcome)
                if isinstance(outcome, Later | Failed | Unknown):
                    return
                del pending[0]

    def undelivered(self, chat: int) -> int:
        return len(self._pending.get(Conversation("telegram", str(chat)), []))

    @property
    def texts(self) -> list[str]:
        return [event.text for _, event, _, _ in self.events if isinstance(event, TextSent)]
