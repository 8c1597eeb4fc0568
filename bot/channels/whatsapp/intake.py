"""What is done with a batch of a webhook: every turn taken in its order, then answered, and what became of our messages told.

Lives here: the order of things. Must not live here: HTTP (`webhook.py`), what a batch says (`codec.py`) or who is who (`people.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, Final, Protocol

import structlog

from bot.channels.whatsapp.channel import NAME, WhatsAppChannel
from bot.channels.whatsapp.codec import Batch, FromPerson, Renamed, Status
from bot.channels.whatsapp.graph import UNREACHABLE
from bot.channels.whatsapp.people import People
from bot.channels.whatsapp.slip import Slip
from bot.conversation import Conversation
from bot.turns import StoreUnavailable, Turns
from bot.where import where

logger = structlog.get_logger(__name__)

FAILED: Final = "failed"
ARRIVED: Final = frozenset({"delivered", "read"})


class Hears(Protocol):
    """Who is told what becomes of people and messages (`OutboxDelivery`, which says what each is)."""

    async def reached(self, conversation: Conversation) -> None: ...

    async def returned(self, conversation: Conversation, key: str, *, unreachable: bool) -> None: ...

    async def arrived(self, key: str) -> None: ...


class Intake:
    """`delivery` hears of people who have just been there and are owed no answer, and of messages that did not arrive, or did."""

    def __init__(self, turns: Turns, channel: WhatsAppChannel, people: People, delivery: Hears) -> None:
        self._turns = turns
        self._channel = channel
        self._people = people
        self._delivery = delivery
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, batch: Batch) -> None:
        """Carry out every item; all that it brings is committed when this returns, and is being delivered.

        Chats do not wait for each other; one that fails does not keep the others. Raises what failed, StoreUnavailable before all else:
        then the whole batch is to come again, and what was done is not done twice.
        """
        chats: dict[Conversation, list[FromPerson]] = {}
        for item in batch.items:
            # Who is who is settled in the order of the items: the next one may be somebody's first under another name.
            match item:
                case FromPerson():
                    conversation = Conversation(NAME, await self._people.chat_of(item.who))
                    chats.setdefault(conversation, []).append(item)
                case Renamed(id_, before, now):
                    await self._people.renamed(before, now, id_)
                    logger.info("whatsapp.renamed")
                case Status():
                    pass
        work: list[Coroutine[Any, Any, None]] = [self._talk(conversation, items) for conversation, items in chats.items()]
        work += [self._became(item) for item in batch.items if isinstance(item, Status)]
        outcomes = await asyncio.gather(*work, return_exceptions=True)
        errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        for error in errors:
            if not isinstance(error, StoreUnavailable):
                logger.error("whatsapp.turn_failed", error=type(error).__name__, where=where(error))
        if errors:
            raise next((error for error in errors if isinstance(error, StoreUnavailable)), errors[0])

    async def _talk(self, conversation: Conversation, items: list[FromPerson]) -> None:
        """The items of one chat, in their order; delivery begins whatever becomes of the later ones."""
        left = False
        try:
            for item in items:
                if item.event is not None:
                    left = (await self._turns.take(conversation, item.event, item.id)).left or left
                    self._channel.seen(conversation.address, item.id, item.wamid)
        finally:
            if left:
                self._spawn(self._turns.deliver(conversation))
            else:
                # Nothing to say, or it stands behind what was kept while this chat could not be reached.
                self._spawn(self._delivery.reached(conversation))

    async def _became(self, status: Status) -> None:
        """What became of one of our messages; said again, late, in any order or of nothing that we know, it changes nothing."""
        slip = Slip.read(status.data)
        if status.status == FAILED:
            logger.info("whatsapp.returned", code=status.code)
            if slip is not None:
                conversation = Conversation(NAME, slip.address)
                await self._delivery.returned(conversation, slip.key, unreachable=status.code in UNREACHABLE)
        elif status.status in ARRIVED and slip is not None and slip.missed:
            await self._delivery.arrived(slip.key)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.create_task(self._at_ease(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _at_ease(self, work: Awaitable[None]) -> None:
        try:
            await work
        except StoreUnavailable:
            logger.warning("whatsapp.delivery_postponed")  # committed, so the delivery loop will find it
        except Exception as error:  # noqa: BLE001 - nobody awaits this task
            logger.error("whatsapp.background_failed", error=type(error).__name__, where=where(error))

    async def close(self, grace: float) -> None:
        """Let what is under way end, at most `grace` seconds; the rest is committed and is delivered after the next start."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=grace)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
