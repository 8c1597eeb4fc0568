"""TELEGRAM_API_BASE: Telegram's own server, a local one, and the test environment, for every client that we have."""

from __future__ import annotations

import pytest

from bot.channels.telegram.api import address
from bot.channels.telegram.running import TelegramConfig, TelegramConfigInvalid
from dialogs.effects import Say, Show
from dialogs.events import Started
from dialogs.screens import Action, Screen
from tests.bot.telegram.conftest import running
from tests.bot.telegram.scripted import ScriptedTurns
from tests.fakes.bot_api import FakeBotApi


@pytest.mark.parametrize(
    ("base", "whole"),
    [
        ("https://api.telegram.org", "https://api.telegram.org/bot{token}"),
        ("http://127.0.0.1:8081/", "http://127.0.0.1:8081/bot{token}"),
        ("https://proxy.example/telegram", "https://proxy.example/telegram/bot{token}"),
        ("https://api.telegram.org/bot{token}/test", "https://api.telegram.org/bot{token}/test"),
        ("https://api.telegram.org/bot{token}/test/", "https://api.telegram.org/bot{token}/test"),
    ],
)
def test_a_root_gets_the_token_behind_it_and_a_pattern_is_taken_as_it_is(base: str, whole: str) -> None:
    assert address(base) == whole
    assert TelegramConfig("1:abc", base).api_base == base


@pytest.mark.parametrize(
    "base", ["", "api.telegram.org", "ftp://api.telegram.org", "https://a.example/bot{tokn}", "https://a b"]
)
def test_an_address_that_is_none_is_told_by_the_name_of_its_setting(base: str) -> None:
    with pytest.raises(TelegramConfigInvalid, match="TELEGRAM_API_BASE"):
        TelegramConfig("1:abc", base)


@pytest.mark.parametrize("framework", ["aiogram", "ptb"])
@pytest.mark.parametrize("mode", ["polling", "webhook"])
async def test_a_bot_of_the_test_environment_serves_its_people_there(turns: ScriptedTurns, mode: str, framework: str) -> None:
    screen = Screen("tok", "consent", "Setuju?", actions=(Action("agree", "Setuju"),))
    turns.script = lambda event: (Show(screen),) if isinstance(event, Started) else (Say("satu"), Say("dua"))
    async with FakeBotApi(test=True) as api, running(api, turns, mode, framework=framework):
        user = api.user("Budi")
        user.starts()
        await user.sees("Setuju?")
        callback = user.presses("Setuju")
        await user.sees("dua")
        await user.sees_no_spinner(callback)
