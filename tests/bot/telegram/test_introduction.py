"""How the bot presents itself: in both languages, only where it differs, and never in anybody's way."""

from __future__ import annotations

import pytest

from bot.channels.telegram import introduction
from bot.channels.telegram.introduction import introductions
from bot.channels.telegram.texts import WORDS
from dialogs.commands import MENU
from tests.bot.telegram.conftest import INTRODUCTIONS, running
from tests.bot.telegram.scripted import ScriptedTurns, until
from tests.fakes.bot_api import FakeBotApi
from tests.fakes.telegram_rules import PRESENTED, units


def told(api: FakeBotApi, how: str) -> list[str]:
    return [
        call.method
        for call in api.calls
        if call.method.startswith(how) and call.method not in ("getMe", "getUpdates", "setWebhook")
    ]


async def test_name_descriptions_commands_and_menu_are_told_in_both_languages_and_only_once(
    api: FakeBotApi, turns: ScriptedTurns
) -> None:
    async with running(api, turns, "polling"):
        await until(lambda: api.menu_button == {"type": "commands"})
    for language in ("id", "en"):
        code, wanted = "" if language == "id" else language, INTRODUCTIONS[language]
        assert api.presented["MyName", code] == wanted.name
        assert api.presented["MyDescription", code] == wanted.description
        assert api.presented["MyShortDescription", code] == wanted.short_description
        menu = {each["command"]: each["description"] for each in api.commands["all_private_chats", code]}
        assert menu == dict(WORDS[language].commands)
        assert list(menu) == list(MENU)
        assert {"start", "daftar", "status", "bantuan", "batal", "bahasa", "privasi", "hapus"} <= set(menu)
    api.calls.clear()
    async with running(api, turns, "polling"):
        await until(lambda: len(told(api, "get")) == 9)
    assert told(api, "set") == [], "nothing has changed, so nothing is set"


async def test_one_changed_word_is_one_call(api: FakeBotApi, turns: ScriptedTurns) -> None:
    async with running(api, turns, "polling"):
        await until(lambda: api.menu_button == {"type": "commands"})
    api.presented["MyDescription", "en"] = "Something of last year."
    api.calls.clear()
    async with running(api, turns, "polling"):
        await until(lambda: bool(api.called("getChatMenuButton")))
    assert told(api, "set") == ["setMyDescription"]


async def test_a_limit_of_hours_on_the_name_keeps_nobody_waiting(api: FakeBotApi, turns: ScriptedTurns) -> None:
    api.flood("setMyName", retry_after=40_000)
    async with running(api, turns, "polling"):
        user = api.user("Budi")
        user.starts()
        await user.sees("started")
        await until(lambda: bool(api.called("setMyName")))
    assert api.called("setMyDescription") == [], "the rest is left to the next start"


async def test_a_refused_name_leaves_the_rest_to_be_told(api: FakeBotApi, turns: ScriptedTurns) -> None:
    api.refuse("setMyName", 400, "Bad Request: name is not allowed", times=2)
    async with running(api, turns, "webhook"):
        await until(lambda: api.menu_button == {"type": "commands"})
    assert ("MyDescription", "") in api.presented
    assert ("MyName", "") not in api.presented


@pytest.mark.parametrize("operator", ["X", "PT Contoh Sekuritas", "Perusahaan Efek \N{GRINNING FACE} " * 40, ""])
@pytest.mark.parametrize("demo", [False, True])
def test_every_text_fits_its_place_and_names_the_operator_as_far_as_there_is_room(operator: str, demo: bool) -> None:
    for each in introductions(operator, demo=demo).values():
        for text, (_, most) in zip((each.name, each.description, each.short_description), PRESENTED.values(), strict=True):
            assert 0 < units(text) <= most
            assert operator[:12].strip() in text


def test_the_demonstration_says_what_it_is_to_whoever_opens_the_chat() -> None:
    shown = introductions("Demonstrasi AKSes (bukan KSEI)", demo=True)
    assert "Ini demonstrasi" in shown["id"].description
    assert "Demonstrasi AKSes (bukan KSEI)" in shown["id"].name
    assert "bukan KSEI" in shown["en"].short_description
    assert PRESENTED["MyName"][1] == introduction.NAME_UNITS
