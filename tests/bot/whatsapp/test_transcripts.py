"""The golden transcripts in WhatsApp: every conversation of `tests/transcripts/dialog/` read off a strict Meta.

As in Telegram (`tests/bot/telegram/test_transcripts.py`): each is first played without a channel, which tells what the person does and must
then read; then a person at the fake Meta does the same, the product's own runner, store, delivery and channel in between. Whatever the
dialog says must stand in the chat: each word and button once, in order. Nothing is edited or deleted there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from akses.keyring import Keyring
from bot.channels.whatsapp.codec import OURS
from bot.channels.whatsapp.drawing import Body, draw
from bot.channels.whatsapp.running import WhatsApp
from bot.conversation import Conversation as Chat
from bot.delivery import OutboxDelivery
from bot.limits import LocalBuckets
from bot.sessions import Memory, Sessions
from bot.stores.memory import MemoryStore
from bot.stores.port import Commit
from bot.turns import KEEP_SECONDS, TurnRunner
from dialogs.effects import Effect, Say, Show
from dialogs.events import ButtonPressed, CommandSent, ContactShared, Event, MediaSent, MessageEdited, Started, TextSent
from dialogs.session import Session
from tests.bot.telegram.hosts import KEYS, UNLIMITED
from tests.bot.telegram.scripted import until
from tests.bot.telegram.test_transcripts import AT_ONCE, PERSONS, Switchboard, Written, written
from tests.bot.whatsapp.conftest import Heard, running
from tests.bot.whatsapp.test_drawing import choices, words
from tests.fakes.whatsapp import PATIENCE, Bubble, FakeMeta
from tests.transcripts import DIALOG

# Conversations that no person can have there.
NOT_THERE = {
    "48-media": "a contact is no medium there, but an answer",
    "58-nothing-typed": "after ten days the product has forgotten whoever typed nothing",
}
FILES = [path for path in sorted(DIALOG.glob("*.md")) if path.stem not in NOT_THERE]
KINDS = {"photo": "image", "voice": "audio", "other": "unsupported"}


class Play:
    """One transcript, carried out in WhatsApp."""

    def __init__(self, meta: FakeMeta, switchboard: Switchboard, whatsapp: WhatsApp, written: Written) -> None:
        self._written = written
        self._now: datetime = written.acts[0][1]
        self.person = meta.person("Budi")
        self._chat = Chat("whatsapp", self.person.user)
        self._store, self._sessions = MemoryStore(), Sessions(Keyring.parse(KEYS))
        self._runner = TurnRunner(self._store, self._sessions, written.profile, clock=lambda: self._now)
        self._runner.deliver_through(
            OutboxDelivery(self._store, self._sessions, {"whatsapp": whatsapp.channel}, clock=lambda: self._now)
        )
        self._switchboard = switchboard
        switchboard.runners[self._chat.address] = self._runner
        self._theirs: dict[str, str] = {}  # what the transcript's ids are in this chat
        self._shown: list[Bubble] = []

    async def through(self) -> None:
        name = str(self._chat)
        session = Session(id="S3ss10n", channel="whatsapp", language=self._written.language)
        state = self._sessions.write(name, 1, Memory(session))
        await self._store.commit(Commit(name, 0, state, (), (), self._now.timestamp(), KEEP_SECONDS))
        for number, (event, now, effects) in enumerate(self._written.acts):
            self._now = now
            self.person.window_open = True
            before = len(self.person.answers)
            if isinstance(event, PERSONS):
                taken = self._switchboard.taken[self._chat.address]
                self._does(event)
                await until(lambda: self._switchboard.taken[self._chat.address] > taken)  # noqa: B023
            elif (await self._runner.take(self._chat, event, f"elsewhere {number}")).left:
                await self._runner.deliver(self._chat)
            await self._reads(effects, before, event)
            await self._settled()

    async def _settled(self) -> None:
        """All that was to be said has been taken by Meta, and nothing was said that nobody expected; only then does time go on."""
        count = len(self.person.answers)
        async with asyncio.timeout(PATIENCE):
            while any(item.lane == "say" for item in await self._store.pending(str(self._chat))):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        assert len(self.person.answers) == count

    def _does(self, event: Event) -> None:
        person = self.person
        match event:
            case Started(payload):
                person.says(f"/start {payload}".rstrip())
            case TextSent(text, id_):
                self._theirs[id_] = person.says(text)
            case CommandSent(command, argument):
                person.says(f"/{command} {argument}".rstrip())
            case ButtonPressed(token, action):
                with_buttons = [each for each in person.answers if each.choices]
                person.chooses(with_buttons[-1], {"id": f"{OURS}{token}:{action}", "title": "(press)"})
            case ContactShared(phone, own, id_):
                digits = phone.removeprefix("+")
                if own:
                    person.number = digits
                self._theirs[id_] = person.shares_contact(digits)
            case MediaSent(kind):
                person.sends(KINDS.get(kind, kind))
            case MessageEdited(id_, text):
                person.edits(self._theirs[id_], text)

    async def _reads(self, effects: Iterable[Effect], before: int, event: Event) -> None:
        sent: list[Body] = []
        for effect in effects:
            if isinstance(effect, Say | Show):
                sent += draw(effect)
        await self.person.until(
            lambda: self.person.bubbles[-1] if len(self.person.answers) >= before + len(sent) else None,
            f"{len(sent)} answers to {event!r}",
        )
        new = self.person.answers[before:]
        assert [(each.text, each.labels) for each in new] == [
            (words(body), [choice["title"] for choice in choices(body)]) for body in sent
        ], f"after {event!r}:\n{self.person.transcript()}"


async def test_every_conversation_reads_in_whatsapp_as_it_is_written_down(meta: FakeMeta) -> None:
    meta.pair_rate = False
    switchboard = Switchboard()
    places = asyncio.Semaphore(AT_ONCE)
    wrong: dict[str, str] = {}

    def prepare(whatsapp: WhatsApp) -> Heard:
        switchboard.channel = whatsapp.channel
        return Heard()

    async with running(meta, switchboard, buckets=LocalBuckets(UNLIMITED), prepare=prepare) as whatsapp:

        async def one(path: Path) -> None:
            async with places:
                try:
                    await Play(meta, switchboard, whatsapp, written(path)).through()
                except (AssertionError, LookupError) as error:
                    wrong[path.stem] = str(error)

        async with asyncio.TaskGroup() as group:
            for path in FILES:
                group.create_task(one(path))
    assert len(FILES) > 70
    assert not wrong, "\n\n".join(f"{name}: {what}" for name, what in wrong.items())
    assert meta.refused == []


def test_of_what_whatsapp_cannot_do_nothing_is_left_out_of_the_list() -> None:
    assert {path.stem for path in DIALOG.glob("*.md")} - {path.stem for path in FILES} == set(NOT_THERE)
