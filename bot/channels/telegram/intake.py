"""What both ways in, webhook and polling, do with an update: acknowledge the press, take the turn, keep deliveries in order.

Lives here: the common part. Must not live here: HTTP (`webhook.py`) or offsets (`polling.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import structlog

from bot.channels.telegram.api import BotApi, BotApiError
from bot.channels.telegram.channel import NAME, TelegramChannel
from bot.channels.telegram.codec import Call, FromPerson, InGroup, Reachable, Update
from bot.channels.telegram.texts import WORDS
from bot.conversation import Conversation
from bot.turns import Outgoing, StoreUnavailable, Turns
from dialogs.effects import Say, Show
from dialogs.events import ContactShared

logger = structlog.get_logger(__name__)

_COURTESIES_AT_ONCE: Final = 256
_GROUPS_REMEMBERED: Final = 1_000
_GROUP_PAUSE: Final = 60.0  # seconds between two invitations in one group


@dataclass(frozen=True, slots=True)
class Taken:
    """What an update has come to: committed messages of a conversation, or one call that belongs to none."""

    conversation: Conversation | None = None
    outgoing: tuple[Outgoing, ...] = ()
    invitation: Call | None = None


NOTHING: Final = Taken()


def where(error: BaseException) -> str:
    """The line that raised, without the message, which may quote what a person typed."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""


class Intake:
    """One for a running bot. `username` is the bot's own, "" until Telegram has told it."""

    def __init__(self, turns: Turns, channel: TelegramChannel, api: BotApi) -> None:
        self.username = ""
        self._turns = turns
        self._channel = channel
        self._api = api
        self._tasks: set[asyncio.Task[None]] = set()
        self._courtesies = 0
        # Conversations with a delivery under way; true when it must look again before it ends.
        self._delivering: dict[Conversation, bool] = {}
        self._invited: OrderedDict[int, float] = OrderedDict()

    async def take(self, update: Update) -> Taken:
        """Carry out one update up to its commit; a button's spinner is stopped meanwhile, never waited for. Raises StoreUnavailable."""
        match update:
            case FromPerson(update_id, chat, event, callback, language):
                if callback:
                    self.courtesy(Call("answerCallbackQuery", {"callback_query_id": callback}))
                if event is None:
                    return NOTHING
                if isinstance(event, ContactShared):
                    self._channel.keyboard_shown(chat)
                conversation = Conversation(NAME, str(chat))
                return Taken(
                    conversation,
                    await self._turns.take(conversation, event, str(update_id), language=language),
                )
            case InGroup():
                if update.callback:
                    self.courtesy(
                        Call(
                            "answerCallbackQuery",
                            {"callback_query_id": update.callback},
                        )
                    )
                return Taken(invitation=self._invitation(update))
            case Reachable(chat=chat, yes=yes):
                logger.info("telegram.reachable" if yes else "telegram.unreachable")
                if yes:
                    self.deliver(Conversation(NAME, str(chat)))
                return NOTHING

    @asynccontextmanager
    async def answering(self, taken: Taken) -> AsyncIterator[Call | None]:
        """Inside the block the call, if there is one, is written into the webhook's response; the rest is delivered after it.

        Until then the conversation counts as being delivered, so that nothing sends the same message a second time.
        """
        call, keys = self._for_response(taken)
        conversation = taken.conversation
        if conversation is None or not taken.outgoing:
            yield call
            return
        if not keys:
            yield None
            self.deliver(conversation)
            return
        self._delivering[conversation] = len(keys) < len(taken.outgoing)
        try:
            yield call
            await self._turns.delivered(conversation, keys)
        except StoreUnavailable:
            logger.warning("telegram.answer_not_noted")  # it may come a second time; better than not at all
        finally:
            if self._delivering.pop(conversation):
                self.deliver(conversation)

    def _for_response(self, taken: Taken) -> tuple[Call | None, tuple[str, ...]]:
        """The one call that can travel in the response, and the keys of the messages that it carries.

        A response is carried out at some moment after it was read, so only a turn whose new messages are one call may use it: else
        a second message, sent by a call of its own, could overtake the first. The same while an earlier turn is being delivered.
        """
        if taken.conversation is None or not taken.outgoing or taken.conversation in self._delivering:
            return taken.invitation, ()
        new = [each for each in taken.outgoing if isinstance(each.message, Say | Show)]
        chosen = (new or taken.outgoing)[0]
        if len(new) > 1 or len(calls := self._channel.drawn(int(taken.conversation.address), chosen.message)) != 1:
            return None, ()
        self._channel.sent(calls[0])
        return calls[0], (chosen.key,)

    def deliver(self, conversation: Conversation) -> None:
        """Deliver in the background, one delivery of a conversation at a time; asked again meanwhile, it runs once more."""
        if conversation in self._delivering:
            self._delivering[conversation] = True
            return
        self._delivering[conversation] = False
        self._spawn(self._deliver(conversation))

    async def _deliver(self, conversation: Conversation) -> None:
        try:
            while True:
                self._delivering[conversation] = False
                try:
                    await self._turns.deliver(conversation)
                except StoreUnavailable:
                    logger.warning("telegram.delivery_postponed")  # committed, so the delivery loop will find it
                    return
                if not self._delivering[conversation]:
                    return
        finally:
            del self._delivering[conversation]

    def courtesy(self, call: Call) -> None:
        """A call whose loss nobody minds, off the turn's way; above the bound it is simply not made."""
        if self._courtesies < _COURTESIES_AT_ONCE:
            self._courtesies += 1
            self._spawn(self._courteous(call))

    async def _courteous(self, call: Call) -> None:
        try:
            await self._api.call(*call)
        except BotApiError as error:
            logger.info("telegram.courtesy_failed", method=call.method, code=error.code)
        finally:
            self._courtesies -= 1

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
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=grace)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
