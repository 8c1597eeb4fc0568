"""Polling: nothing is confirmed before it is committed, and nothing stops the loop for good but a refused token."""

from __future__ import annotations

import asyncio

import pytest

from bot.channels.port import Later
from bot.channels.telegram.api import BotApiError
from bot.channels.telegram.running import Telegram, TelegramConfig
from dialogs.effects import Say
from tests.bot.telegram.conftest import running
from tests.bot.telegram.scripted import ScriptedTurns
from tests.fakes.bot_api import FakeBotApi


async def test_an_update_is_confirmed_only_after_its_commit_and_comes_again_after_a_crash_in_between(api: FakeBotApi) -> None:
    user, crashed, turns = api.user("Budi"), ScriptedTurns(), ScriptedTurns()
    crashed.held = asyncio.Event()
    async with running(api, crashed, "polling"):
        user.says("satu")
        user.says("dua")
        await crashed.taking.wait()
    assert len(api.pending) == 2
    async with running(api, turns, "polling"):
        await user.sees("echo dua")
    assert turns.texts == ["satu", "dua"]


async def test_a_defective_turn_is_given_up_after_some_tries_and_nobody_else_waits_for_ever(
    api: FakeBotApi, turns: ScriptedTurns, by_polling: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.channels.telegram.intake._PAUSES", (0.001,))
    turns.defective = {"racun"}
    unlucky, lucky = api.user("Budi"), api.user("Siti")
    unlucky.says("racun")
    unlucky.says("berikutnya")
    lucky.says("halo")
    await lucky.sees("echo halo")
    await unlucky.sees("echo berikutnya")
    lucky.says("lagi")
    await lucky.sees("echo lagi")


async def test_one_slow_chat_does_not_hold_up_the_commit_of_the_others_in_its_batch(
    api: FakeBotApi, turns: ScriptedTurns
) -> None:
    users = [api.user(f"Orang {number}") for number in range(40)]
    for user in users:
        user.says(f"halo dari {user.id}")
    async with running(api, turns, "polling"):
        for user in users:
            await user.chat.until(lambda user=user: user.answers[0] if user.answers else None, "an answer")
            assert user.answers[0].text == f"echo halo dari {user.id}"


@pytest.mark.parametrize("trouble", ["conflict", "gateway", "flood", "cut"])
async def test_trouble_at_telegram_is_waited_out(api: FakeBotApi, turns: ScriptedTurns, trouble: str) -> None:
    match trouble:
        case "conflict":
            api.refuse("getUpdates", 409, "Conflict: terminated by other getUpdates request", times=2)
        case "gateway":
            api.refuse("getUpdates", 502, "Bad Gateway")
            api.refuse("setMyCommands", 500, "Internal Server Error")
        case "flood":
            api.flood("getMe")
        case "cut":
            api.cut("getMe")
            api.cut("getUpdates")
    user = api.user("Budi")
    user.says("halo")
    async with running(api, turns, "polling"):
        await user.sees("echo halo")
    assert turns.texts == ["halo"]


async def test_a_webhook_of_before_is_taken_down_without_losing_what_waits(api: FakeBotApi, turns: ScriptedTurns) -> None:
    async with running(api, turns, "webhook"):
        assert api.webhook is not None
    user = api.user("Budi")
    user.says("di antaranya")
    async with running(api, turns, "polling"):
        assert api.webhook is None
        await user.sees("echo di antaranya")


async def test_a_refused_token_is_said_at_once_and_a_message_waits_for_a_better_one(
    api: FakeBotApi, turns: ScriptedTurns
) -> None:
    telegram = Telegram(TelegramConfig("1:not_the_token", api.base_url))
    telegram.start(turns)
    with pytest.raises(BotApiError, match="401"):
        await telegram.ready()
    assert await telegram.channel.deliver("5", Say("halo"), "k") == Later(60.0, whole_channel=True)
    await telegram.close()
