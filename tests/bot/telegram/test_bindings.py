"""aiogram and python-telegram-bot behind one port: the same answers, the same errors, and the token in none of them."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator

import pytest

from bot.channels.port import Failed, Unknown
from bot.channels.telegram.api import BotApi, BotApiError, outcome
from bot.channels.telegram.running import TelegramConfig, connect
from tests.fakes.bot_api import TOKEN, FakeBotApi
from tests.fakes.telegram_people import User


def told(error: BaseException) -> str:
    """All that a log of this error could hold, what it was raised from included."""
    chain = [error]
    while (more := chain[-1].__cause__) is not None:
        chain.append(more)
    return " ".join(f"{each!r} {each} {vars(each)}" for each in chain)


@pytest.fixture
async def binding(api: FakeBotApi, framework: str) -> AsyncIterator[BotApi]:
    binding = connect(TelegramConfig(TOKEN, api.base, framework=framework))
    yield binding
    await binding.close()


@pytest.fixture
async def user(api: FakeBotApi) -> User:
    user = api.user("Budi")
    user.starts()
    return user


async def refused(binding: BotApi, method: str, params: dict[str, object], within: float = 5) -> BotApiError:
    with pytest.raises(BotApiError) as caught:
        await binding.call(method, params, within=within)
    assert TOKEN not in told(caught.value)
    return caught.value


async def test_a_result_is_the_plain_data_that_the_bot_api_gave(binding: BotApi, api: FakeBotApi, user: User) -> None:
    assert (await binding.call("getMe", {}))["username"] == api.username
    rows = {"inline_keyboard": [[{"text": "Ya", "callback_data": "t:yes", "style": "success"}]]}
    sent = await binding.call(
        "sendMessage",
        {
            "chat_id": user.id,
            "text": "Halo & <b>apa</b> kabar? \N{WAVING HAND SIGN}",
            "reply_markup": rows,
            "protect_content": True,
            "link_preview_options": {"is_disabled": True},
        },
        within=5,
    )
    assert sent["message_id"] == user.answers[-1].id
    assert user.answers[-1].text == "Halo & <b>apa</b> kabar? \N{WAVING HAND SIGN}"
    assert user.answers[-1].rows == rows["inline_keyboard"]
    assert user.answers[-1].protected
    (update,) = await binding.call("getUpdates", {"timeout": 0, "allowed_updates": ["message"]}, within=5)
    assert update["message"]["text"] == "/start"
    assert await binding.call("deleteMessages", {"chat_id": user.id, "message_ids": [sent["message_id"]]}, within=5) is True


@pytest.mark.parametrize(
    ("code", "description"),
    [
        (400, "Bad Request: chat not found"),
        (400, "Bad Request: message is not modified"),
        (401, "Unauthorized"),
        (403, "Forbidden: bot was blocked by the user"),
        (403, "Forbidden: user is deactivated"),
        (404, "Not Found"),
        (409, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"),
    ],
)
async def test_a_refusal_keeps_its_code_and_words(
    binding: BotApi, api: FakeBotApi, user: User, code: int, description: str
) -> None:
    api.refuse("sendMessage", code, description)
    error = await refused(binding, "sendMessage", {"chat_id": user.id, "text": "halo"})
    assert error.code == code
    # python-telegram-bot leaves out the word that names the code.
    assert description.rpartition(": ")[2].lower() in error.description.lower()
    assert error.arrived


@pytest.mark.parametrize("code", [500, 502, 503, 504])
async def test_a_fault_of_the_server_is_one(binding: BotApi, api: FakeBotApi, user: User, code: int) -> None:
    api.refuse("sendMessage", code, "Internal trouble")
    error = await refused(binding, "sendMessage", {"chat_id": user.id, "text": "halo"})
    assert error.code >= 500
    assert isinstance(outcome(error), Failed)


@pytest.mark.parametrize("seconds", [1, 7, 3700])
async def test_a_flood_limit_says_how_long_to_wait(binding: BotApi, api: FakeBotApi, user: User, seconds: int) -> None:
    api.flood("sendMessage", retry_after=seconds)
    error = await refused(binding, "sendMessage", {"chat_id": user.id, "text": "halo"})
    assert (error.code, error.retry_after) == (429, seconds)


async def test_a_group_that_has_become_another_says_which(binding: BotApi, api: FakeBotApi) -> None:
    group = api.group("Direksi")
    became = api.migrates(group)
    error = await refused(binding, "sendMessage", {"chat_id": group.chat.id, "text": "halo"})
    assert (error.code, error.moved_to) == (400, became.chat.id)


@pytest.mark.parametrize("status", [200, 403, 404, 502])
async def test_a_page_of_a_proxy_is_no_answer_of_telegram_whatever_its_status(
    binding: BotApi, api: FakeBotApi, user: User, status: int
) -> None:
    api.page("sendMessage", status)
    error = await refused(binding, "sendMessage", {"chat_id": user.id, "text": "halo"})
    assert (error.code, error.arrived) == (0, True)
    assert "nginx" not in told(error)
    assert isinstance(outcome(error), Unknown), "nobody is taken for one who has blocked the bot"


async def test_a_call_that_hangs_ends_in_its_time_and_may_have_arrived(binding: BotApi, api: FakeBotApi, user: User) -> None:
    with api.holding("sendMessage"):
        error = await refused(binding, "sendMessage", {"chat_id": user.id, "text": "halo"}, within=1)
    assert (error.code, error.arrived) == (0, True)
    assert (await binding.call("getMe", {}))["is_bot"], "the next call goes"


async def test_a_connection_that_breaks_may_have_brought_the_call(binding: BotApi, api: FakeBotApi, user: User) -> None:
    api.cut("sendMessage")
    error = await refused(binding, "sendMessage", {"chat_id": user.id, "text": "halo"})
    assert (error.code, error.arrived) == (0, True)


async def test_a_server_that_is_not_there_has_got_nothing(framework: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    binding = connect(TelegramConfig(TOKEN, f"http://127.0.0.1:{port}", framework=framework))
    error = await refused(binding, "getMe", {})
    assert (error.code, error.arrived) == (0, False)
    await binding.close()


async def test_a_wrong_token_is_refused_as_such(api: FakeBotApi, framework: str) -> None:
    binding = connect(TelegramConfig("7000000001:AAwrong", api.base, framework=framework))
    with pytest.raises(BotApiError) as caught:
        await binding.call("getMe", {})
    assert caught.value.code == 401
    assert "AAwrong" not in told(caught.value)
    await binding.close()


async def test_the_library_writes_neither_the_token_nor_what_was_sent_into_the_log(
    binding: BotApi, api: FakeBotApi, user: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await binding.call("sendMessage", {"chat_id": user.id, "text": "NIK Anda 3171********0001"}, within=5)
    api.refuse("sendMessage", 400, f"Bad Request: failed at /bot{TOKEN}/sendMessage")
    await refused(binding, "sendMessage", {"chat_id": user.id, "text": "NIK Anda 3171********0001"})
    assert TOKEN not in caplog.text
    assert "3171" not in caplog.text
