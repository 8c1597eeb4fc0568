"""Telegram as a channel of the bot: draw a message, send it, say what became of it.

Lives here: `TelegramChannel`, and the little it remembers between calls. Must not live here: how things look (`codec.py`) or
HTTP (`aiogram_binding.py`). What it remembers is for looks and may be lost: no dialog depends on it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import structlog

from bot.channels.port import SEND_SECONDS, Capabilities, Delivery, Later, Refused, Sent
from bot.channels.telegram.api import BotApi, BotApiError, outcome
from bot.channels.telegram.codec import Call, draw, plain
from bot.channels.telegram.courtesies import Courteous
from bot.limits import PATIENCE_SECONDS, Limiter, LocalBuckets, notifies
from bot.recent import Recent
from dialogs.effects import Message

logger = structlog.get_logger(__name__)

NAME: Final = "telegram"
_CALL_SECONDS: Final = SEND_SECONDS - PATIENCE_SECONDS
# What is to be sent before the way to the Bot API is open is left for so long to whoever may be quicker: another process.
_CONNECTING_SECONDS: Final = 1.0


class TelegramChannel:
    """The `Channel` port over a `BotApi`. `limiter` is where every message to a chat waits for its place; `connected` says whether the
    Bot API can be called yet; `courtesies` carries what may get lost.
    """

    name: Final = NAME
    capabilities: Final = Capabilities(buttons=100, edit=True, delete=True, contact=True)

    def __init__(
        self,
        api: BotApi,
        limiter: Limiter | None = None,
        *,
        connected: Callable[[], bool] = lambda: True,
        courtesies: Courteous | None = None,
    ) -> None:
        self._api = api
        self._courtesies = courtesies
        self._connected = connected
        self._limiter = limiter or Limiter(LocalBuckets())
        self._keyboards: Recent[int, None] = Recent()
        self._parts_sent: Recent[tuple[int, str], int] = Recent()

    async def deliver(self, address: str, message: Message, key: str) -> Delivery:
        """Send, edit or delete. Tried again, a message of several parts goes on at the first part that is still missing."""
        try:
            chat = int(address)
        except ValueError:
            return Refused("not a chat of Telegram")
        if not self._connected():
            return Later(_CONNECTING_SECONDS)
        calls = self.drawn(chat, message)
        last = ""
        for part in range(min(self._parts_sent.pop((chat, key), 0), len(calls)), len(calls)):
            delivery = await self._call(chat, calls[part], urgent=not notifies(message))
            if not isinstance(delivery, Sent):
                if part:
                    self._parts_sent.put((chat, key), part)
                return delivery
            last = delivery.message or last
        for call in calls:
            self.sent(call)
        return Sent(last)

    def typing(self, address: str) -> None:
        """Telegram shows it for five seconds, or until the next message comes."""
        if self._courtesies is not None and address.isdecimal():
            self._courtesies.send(Call("sendChatAction", {"chat_id": int(address), "action": "typing"}))

    async def _call(self, chat: int, call: Call, *, urgent: bool) -> Delivery:
        try:
            return await self._attempt(chat, call, urgent=urgent)
        except BotApiError as error:
            delivery = outcome(error)
            if isinstance(delivery, Later):
                delivery = await self._slowed(chat, delivery)
            if not isinstance(delivery, Sent):
                logger.info("telegram.not_delivered", method=call.method, code=error.code, outcome=type(delivery).__name__)
            # A server that knows an adornment not, or not any more, shall not cost the person the message.
            if isinstance(delivery, Refused) and (unadorned := plain(call)) is not None:
                return await self._call(chat, unadorned, urgent=urgent)
            return delivery

    async def _attempt(self, chat: int, call: Call, *, urgent: bool) -> Delivery:
        """The call, and of messages to delete those that still can be. Raises BotApiError."""
        try:
            return await self._once(chat, call, urgent=urgent)
        except BotApiError as error:
            ids = sorted(call.params.get("message_ids", ()))
            if not error.undeletable or len(ids) <= 1:
                raise
        # Ids rise with time: everything before `first` is too old, everything from `last` on is gone.
        first, last = 1, len(ids)
        while first < last:
            middle = (first + last) // 2
            newer = Call(call.method, {**call.params, "message_ids": ids[middle:last]})
            try:
                delivery = await self._once(chat, newer, urgent=urgent)
            except BotApiError as error:
                if not error.undeletable:
                    raise
                first = middle + 1
            else:
                if not isinstance(delivery, Sent):
                    return delivery
                last = middle
        return Sent()

    async def _once(self, chat: int, call: Call, *, urgent: bool) -> Delivery:
        if wait := await self._limiter.place(str(chat), urgent=urgent):
            return Later(wait)
        result: Any = await self._api.call(*call, within=_CALL_SECONDS)
        return Sent(str(result.get("message_id", "")) if isinstance(result, dict) else "")

    async def _slowed(self, chat: int, later: Later) -> Later:
        if later.whole_channel:
            await self._limiter.shut(later.seconds)
            return later
        return Later(later.seconds, whole_channel=await self._limiter.flooded(str(chat), later.seconds))

    def drawn(self, chat: int, message: Message) -> tuple[Call, ...]:
        """The calls that this message takes in this chat as it stands."""
        return draw(chat, message, keyboard_up=chat in self._keyboards)

    def sent(self, call: Call) -> None:
        """Remember what a call that is on its way leaves under the input field."""
        markup = call.params.get("reply_markup", {})
        if "keyboard" in markup:
            self.keyboard_shown(call.params["chat_id"])
        elif "remove_keyboard" in markup:
            self._keyboards.pop(call.params["chat_id"], None)

    def keyboard_shown(self, chat: int) -> None:
        """A contact keyboard stands in this chat, as seen by us or by the contact that came from it."""
        self._keyboards.put(chat, None)
