"""The golden transcripts in Telegram: every conversation of `tests/transcripts/dialog/` read off a strict Bot API, through both libraries
and in both modes.

Each is first played without a channel (`dialogs.testing`), which tells what the person does and must then read. Then a person in the fake
Telegram does the same, the product's own runner, store, delivery and channel in between; what happens elsewhere (the backend's answers,
timers, agents) is given to the runner at its place. Whatever the dialog says must stand in the chat: each word and button once, in order,
edited where it was edited, gone where it was deleted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from akses.keyring import Keyring
from bot.channels.telegram.codec import OURS, Call, draw
from bot.channels.telegram.running import Telegram
from bot.conversation import Conversation as Chat
from bot.delivery import OutboxDelivery
from bot.limits import LocalBuckets
from bot.sessions import Memory, Sessions
from bot.stores.memory import MemoryStore
from bot.stores.port import Commit
from bot.turns import KEEP_SECONDS, Taken, TurnRunner
from dialogs.effects import DeleteUserMessages, Effect, Message, Redraw, Say, Show
from dialogs.events import (
    ButtonPressed,
    CommandSent,
    ContactShared,
    Event,
    MediaSent,
    MessageEdited,
    Started,
    TextSent,
)
from dialogs.session import Session
from dialogs.testing import Conversation, played
from tests.bot.telegram.conftest import running
from tests.bot.telegram.hosts import KEYS, UNLIMITED
from tests.bot.telegram.scripted import until
from tests.fakes.bot_api import FakeBotApi
from tests.fakes.telegram_people import PATIENCE, ChatMessage, User
from tests.transcripts import DIALOG

AT_ONCE = 8
# Conversations that no person can have there.
NOT_THERE = {
    "45-edit-after-the-hand-off": "what is edited was deleted from the chat by then",
    "48-media": "a contact is no medium there, but an answer",
    "110-helpdesk-password-to-an-agent": "what is edited was deleted from the chat by then",
    "58-nothing-typed": "after ten days the product has forgotten whoever typed nothing",
}
FILES = [path for path in sorted(DIALOG.glob("*.md")) if path.stem not in NOT_THERE]
PERSONS = ButtonPressed | CommandSent | ContactShared | MediaSent | MessageEdited | Started | TextSent


@dataclass
class Written(Conversation):
    """A conversation that keeps what happened and what came of it, event by event."""

    acts: list[tuple[Event, datetime, tuple[Effect, ...]]] = field(default_factory=list)

    def happens(self, event: Event) -> tuple[Effect, ...]:
        effects = super().happens(event)
        self.acts.append((event, self.now, effects))
        return effects


class Switchboard:
    """The runner of each chat, under the address that the channel calls it by."""

    def __init__(self) -> None:
        self.runners: dict[str, TurnRunner] = {}
        self.taken: Counter[str] = Counter()
        self.channel: Any = None

    async def take(self, conversation: Chat, *args: Any, **more: Any) -> Taken:
        taken = await self.runners[conversation.address].take(conversation, *args, **more)
        self.taken[conversation.address] += 1
        return taken

    async def deliver(self, conversation: Chat) -> None:
        await self.runners[conversation.address].deliver(conversation)


class Play:
    """One transcript, carried out in Telegram."""

    def __init__(self, api: FakeBotApi, switchboard: Switchboard, telegram: Telegram, written: Written) -> None:
        self._api = api
        self._written = written
        self._now = written.acts[0][1]
        self.user: User = api.user("Budi", language=written.language)
        self.user.chat.started = True
        self._chat = Chat("telegram", str(self.user.id))
        self._store, self._sessions = MemoryStore(), Sessions(Keyring.parse(KEYS))
        self._runner = TurnRunner(self._store, self._sessions, written.profile, clock=lambda: self._now)
        self._runner.deliver_through(
            OutboxDelivery(self._store, self._sessions, {"telegram": telegram.channel}, clock=lambda: self._now)
        )
        self._switchboard = switchboard
        switchboard.runners[str(self.user.id)] = self._runner
        # What the transcript's ids are in this chat.
        self._theirs: dict[str, int] = {}
        self._ours: dict[str, int] = {}
        self._shown = 0
        self._said = 0

    async def through(self) -> None:
        session = Session(id="S3ss10n", channel="telegram", language=self._written.language)
        name = str(self._chat)
        state = self._sessions.write(name, 1, Memory(session))
        await self._store.commit(Commit(name, 0, state, (), (), self._now.timestamp(), KEEP_SECONDS))
        for number, (event, now, effects) in enumerate(self._written.acts):
            self._now = now
            before, keyboard_up = len(self.user.chat.messages), self.user.chat.keyboard is not None
            if isinstance(event, PERSONS):
                taken = self._switchboard.taken[self._chat.address]
                self._does(event)
                before = len(self.user.chat.messages)
                await until(lambda: self._switchboard.taken[self._chat.address] > taken)  # noqa: B023
            elif (await self._runner.take(self._chat, event, f"elsewhere {number}")).left:
                await self._runner.deliver(self._chat)
            await self._reads(effects, before, keyboard_up, event)
            await self._settled()

    async def _settled(self) -> None:
        """All that was to be said has been taken by Telegram, and nothing was said that nobody expected; only then does time go on."""
        count = len(self.user.chat.messages)
        async with asyncio.timeout(PATIENCE):
            while any(item.lane == "say" for item in await self._store.pending(str(self._chat))):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        assert len(self.user.chat.messages) == count

    def _does(self, event: Event) -> None:
        user = self.user
        match event:
            case Started(payload):
                user.starts(payload)
            case TextSent(text, id_):
                self._theirs[id_] = user.says(text)
            case CommandSent(command, argument):
                user.says(f"/{command} {argument}".rstrip())
            case ButtonPressed(token, action, carrier):
                message = self._ours.get(carrier) or user.answers[-1].id
                user.presses_data(message, f"{OURS}{token}:{action}")
            case ContactShared(phone, own, id_):
                self._theirs[id_] = user.shares_contact(own=own, phone=phone)
            case MediaSent(kind):
                user.sends("poll" if kind == "other" else kind)
            case MessageEdited(id_, text):
                user.edits(self._theirs[id_], text)

    async def _reads(self, effects: Iterable[Effect], before: int, keyboard_up: bool, event: Event) -> None:
        sent: list[Call] = []
        for effect in effects:
            match effect:
                case Say() | Show():
                    calls = self._drawn(effect, keyboard_up=keyboard_up)
                    for call in calls:
                        markup = call.params.get("reply_markup", {})
                        keyboard_up = "keyboard" in markup or (keyboard_up and "remove_keyboard" not in markup)
                    sent += calls
                    if isinstance(effect, Show):
                        self._shown += 1
                        self._ours[f"bot{self._shown}"] = before + len(sent)
                    self._says_it(effect, calls)
                case Redraw(id_, screen) if id_ in self._ours and "keyboard" not in self._message(self._ours[id_]).markup:
                    # One that carries a keyboard for the input field cannot be edited there.
                    await self._shows(self._ours[id_], self._drawn(Redraw(str(self._ours[id_]), screen)))
                case DeleteUserMessages(ids):
                    await self._gone({self._theirs[id_] for id_ in ids if id_ in self._theirs})
                case _:
                    pass
        await self._until(lambda: len(self.user.chat.messages) >= before + len(sent), f"{len(sent)} answers to {event!r}")
        new = self.user.chat.messages[before:]
        assert [(each.text, _labels(each.markup)) for each in new] == [
            (call.params["text"], _labels(call.params.get("reply_markup", {}))) for call in sent
        ], f"after {event!r}:\n{self.user.chat.transcript()}"

    def _drawn(self, message: Message, *, keyboard_up: bool = False) -> tuple[Call, ...]:
        return draw(self.user.id, message, keyboard_up=keyboard_up)

    @staticmethod
    def _says_it(effect: Say | Show, calls: tuple[Call, ...]) -> None:
        """The channel leaves out nothing that the transcript says."""
        words = "\n\n".join(call.params["text"] for call in calls)
        labels = [label for call in calls for label in _labels(call.params.get("reply_markup", {}))]
        if isinstance(effect, Say):
            assert effect.text in words
            return
        screen = effect.screen
        assert screen.text in words
        assert screen.notice in words
        for action in screen.actions:
            assert action.label in labels or f"{action.label}: {action.url}" in words

    async def _shows(self, message: int, calls: tuple[Call, ...]) -> None:
        for call in calls:
            await self._until(lambda: self._message(message).text == call.params["text"], f"the edit of message {message}")  # noqa: B023

    async def _gone(self, messages: set[int]) -> None:
        await self._until(lambda: all(self._message(id_).deleted for id_ in messages), f"the end of {messages}")

    def _message(self, id_: int) -> ChatMessage:
        return self.user.chat.messages[id_ - 1]

    async def _until(self, seen: Any, what: str) -> None:
        await self.user.chat.until(lambda: self.user.chat.messages[-1] if seen() else None, what)


def _labels(markup: dict[str, Any]) -> list[str]:
    rows = markup.get("inline_keyboard") or markup.get("keyboard") or []
    return [button["text"] for row in rows for button in row]


def written(path: Path) -> Written:
    return played(path.read_text("utf-8"), Written())  # type: ignore[return-value]


async def test_every_conversation_reads_in_telegram_as_it_is_written_down(api: FakeBotApi, framework: str, mode: str) -> None:
    switchboard = Switchboard()
    places = asyncio.Semaphore(AT_ONCE)
    wrong: dict[str, str] = {}
    async with running(api, switchboard, mode, framework=framework, buckets=LocalBuckets(UNLIMITED)) as telegram:

        async def one(path: Path) -> None:
            async with places:
                try:
                    await Play(api, switchboard, telegram, written(path)).through()
                except (AssertionError, LookupError) as error:
                    wrong[path.stem] = str(error)

        async with asyncio.TaskGroup() as group:
            for path in FILES:
                group.create_task(one(path))
    assert len(FILES) > 70
    assert not wrong, "\n\n".join(f"{name}: {what}" for name, what in wrong.items())
