"""While a process sends what waits for a chat, no other takes it up, however slow the channel is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from bot.channels.port import SEND_SECONDS, Delivery, Sent
from bot.delivery import WORK_SECONDS
from bot.stores.port import Item
from dialogs.effects import Message
from dialogs.events import CommandSent, Started
from tests.bot.test_desk import CHAT, Bot, Page


@dataclass
class Slow(Page):
    """A chat that takes as long as a channel may; the loop of another process looks for work before each answer and after."""

    bot: Bot | None = None
    others: list[Item] = field(default_factory=list)

    async def deliver(self, address: str, message: Message, key: str) -> Delivery:
        assert self.bot is not None
        self.bot.now += timedelta(seconds=SEND_SECONDS - 0.1)
        self.others += [item for _, item in await self.bot.store.due(self.bot.now.timestamp(), WORK_SECONDS, 64)]
        self.seen.append(message)
        return Sent(key)


@pytest.mark.parametrize("messages", [2, 5])
async def test_what_waits_behind_others_in_a_slow_chat_is_taken_up_by_nobody_else(messages: int) -> None:
    bot = Bot(None)
    page = Slow(bot=bot)
    bot.delivery._channels = {"web": page}
    await bot.happens(Started(), delivered=False)
    for _ in range(messages - 1):
        await bot.happens(CommandSent("help"), delivered=False)
    await bot.turns.deliver(CHAT)
    assert len(page.seen) == messages
    assert [item.lane for item in page.others if item.lane == "say"] == []
