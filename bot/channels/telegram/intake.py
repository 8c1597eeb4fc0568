"""What both ways in, webhook and polling, do with an update: acknowledge the press, take the turn, keep deliveries in order.

Lives here: the common part. Must not live here: HTTP (`webhook.py`) or offsets (`polling.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import msgspec
import structlog

from bot.channels.telegram.channel import NAME, TelegramChannel
from bot.channels.telegram.codec import Call, FromDesk, FromPerson, InGroup, Reachable, Update
from bot.channels.telegram.courtesies import Courteous
from bot.channels.telegram.texts import WORDS
from bot.conversation import Conversation
from bot.turns import StoreUnavailable, Turns
from bot.where import where
from dialogs.effects import Message
from dialogs.events import ContactShared

logger = structlog.get_logger(__name__)

_GROUPS_REMEMBERED: Final = 1_000
_ANSWERED_REMEMBERED: Final = 10_000
_GROUP_PAUSE: Final = 60.0  # seconds between two invitations in one group
_PAUSES: Final = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)  # seconds; the last one goes on
_TRIES: Final = 4  # of an update that fails for a reason of its own, lest it hold up everybody for ever


class Done(msgspec.Struct, frozen=True, gc=False):
    """What an update has come to: a call to answer with, and the conversation that has messages left to deliver."""

    call: Call | None = None
    left: Conversation | None = None


NOTHING: Final = Done()
Reached = Callable[[Conversation], Awaitable[None]]
# What is told of an update of the helpdesk's group, as Telegram wrote it. It raises nothing.
Heard = Callable[[bytes], Awaitable[None]]


def pause(failures: int) -> float:
    """How long to wait after this many failures in a row (from 1), in seconds."""
    return _PAUSES[min(failures, len(_PAUSES)) - 1]


class Intake:
    """One for a running bot. `courtesies` carries calls that may get lost; `reached` is told of people who can be written to, where that
    may be news, and `blocked` of those who cannot any more. `username` is the bot's own, "" until Telegram has told it. `desk` is the
    helpdesk's group, 0 without one, and `heard_at_desk` is told of all that happens there.
    """

    def __init__(
        self,
        turns: Turns,
        channel: TelegramChannel,
        courtesies: Courteous,
        reached: Reached | None = None,
        blocked: Reached | None = None,
    ) -> None:
        self.username = ""
        self.desk = 0
        self.heard_at_desk: Heard | None = None
        self._turns = turns
        self._channel = channel
        self.courtesies = courtesies
        self._reached = reached
        self._blocked = blocked
        self._tasks: set[asyncio.Task[None]] = set()
        self._invited: OrderedDict[int, float] = OrderedDict()
        self._answered: OrderedDict[int, None] = OrderedDict()

    async def take(self, update: Update, *, answering: bool) -> Done:
        """Carry out one update up to its commit; a button's spinner is stopped meanwhile, never waited for. Raises StoreUnavailable.

        `answering` says that a call can travel in the response to the update; without it every message is left to be delivered.
        """
        match update:
            case FromPerson():
                chat, event = update.chat, update.event
                if update.callback:
                    self.courtesies.send(Call("answerCallbackQuery", {"callback_query_id": update.callback}))
                if event is None or update.update_id in self._answered:
                    return NOTHING
                if isinstance(event, ContactShared):
                    self._channel.keyboard_shown(chat)
                conversation = Conversation(NAME, str(chat))
                drawn: tuple[Call, ...] = ()

                def one_call(message: Message) -> bool:
                    """A message that takes two calls cannot travel in one response; what a server may refuse had better not, unseen."""
                    nonlocal drawn
                    drawn = self._channel.drawn(chat, message)
                    return len(drawn) == 1 and "entities" not in drawn[0].params

                answerable = one_call if answering else None
                taken = await self._turns.take(
                    conversation, event, str(update.update_id), language=update.language, answerable=answerable
                )
                left = conversation if taken.left else None
                if taken.answer is None:
                    if left is None and self._reached is not None:
                        # Nothing to say, or it stands behind what was kept while this chat could not be reached.
                        self._spawn(self._at_ease(self._reached(conversation)))
                    return Done(left=left)
                if not drawn:
                    # The event came again, and nothing was decided anew: the answer is the screen in force.
                    drawn = self._channel.drawn(chat, taken.answer)
                self._channel.sent(drawn[0])
                return Done(drawn[0], left)
            case InGroup():
                if update.callback:
                    self.courtesies.send(
                        Call(
                            "answerCallbackQuery",
                            {"callback_query_id": update.callback},
                        )
                    )
                return Done(self._invitation(update))
            case Reachable():
                self.heard(update)
                return NOTHING
            case FromDesk():
                if self.heard_at_desk is not None:
                    await self.heard_at_desk(update.body)
                return NOTHING

    async def insist(self, update: Update) -> None:
        """Carry out one update without a response to answer in: committed, or given up with an error in the log, when this returns."""
        tries = failures = 0
        while True:
            try:
                done = await self.take(update, answering=False)
            except StoreUnavailable:
                failures += 1
                logger.warning("telegram.store_unavailable", failures=failures)
                await asyncio.sleep(pause(failures))
            except Exception as error:  # noqa: BLE001 - one defective turn must not stop the bot for everybody
                tries += 1
                logger.error("telegram.turn_failed", error=type(error).__name__, where=where(error), tries=tries)
                if tries >= _TRIES:
                    logger.error("telegram.update_given_up", update=update.update_id)
                    return
                await asyncio.sleep(pause(tries))
            else:
                if done.call is not None:
                    self.courtesies.send(done.call)
                if done.left is not None:
                    self.deliver(done.left)
                return

    def heard(self, update: Reachable) -> None:
        """The person has blocked or unblocked the bot."""
        logger.info("telegram.reachable" if update.yes else "telegram.unreachable")
        told = (self._reached or self._turns.deliver) if update.yes else self._blocked
        if told is not None:
            self._spawn(self._at_ease(told(Conversation(NAME, str(update.chat)))))

    def answered(self, update: Update) -> None:
        """The response with the answer has been written: this update is over, should Telegram bring it once more."""
        self._answered[update.update_id] = None
        if len(self._answered) > _ANSWERED_REMEMBERED:
            self._answered.popitem(last=False)

    def deliver(self, conversation: Conversation) -> None:
        """Deliver in the background, so that the response to an update waits for nobody."""
        self._spawn(self._at_ease(self._turns.deliver(conversation)))

    async def _at_ease(self, delivery: Awaitable[None]) -> None:
        try:
            await delivery
        except StoreUnavailable:
            logger.warning("telegram.delivery_postponed")  # committed, so the delivery loop will find it

    def _invitation(self, update: InGroup) -> Call | None:
        now = time.monotonic()
        if not update.invite or not self.username or now - self._invited.get(update.chat, -_GROUP_PAUSE) < _GROUP_PAUSE:
            return None
        self._invited[update.chat] = now
        if len(self._invited) > _GROUPS_REMEMBERED:
            self._invited.popitem(last=False)
        words = WORDS[update.language or "id"]
        return Call(
            "sendMessage",
            {
                "chat_id": update.chat,
                "text": words.group.format(link=f"https://t.me/{self.username}?start=group"),
                "link_preview_options": {"is_disabled": True},
                "reply_parameters": {
                    "message_id": update.message,
                    "allow_sending_without_reply": True,
                },
            },
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error(
                "telegram.background_failed",
                error=type(error).__name__,
                where=where(error),
            )

    async def close(self, grace: float) -> None:
        """Let what is under way end, at most `grace` seconds; the rest is committed and is delivered after the next start."""
        await self.courtesies.close(grace)
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=grace)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
