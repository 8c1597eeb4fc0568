"""The webhook's door: who is let in, what is answered inside the response, and what happens when something is down."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from bot.channels.telegram.running import TelegramConfig, TelegramConfigInvalid
from bot.channels.telegram.webhook import PATH, Webhook
from dialogs.effects import Say
from tests.bot.telegram.conftest import SECRET, ReverseProxy, running
from tests.bot.telegram.scripted import ScriptedTurns, until
from tests.fakes.bot_api import FakeBotApi

HEADER = "X-Telegram-Bot-Api-Secret-Token"


def update(text: str, id_: int = 1) -> dict[str, Any]:
    person = {"id": 5, "is_bot": False, "first_name": "Budi"}
    return {"update_id": id_, "message": {"message_id": 1, "from": person, "chat": {"id": 5, "type": "private"}, "text": text}}


@pytest.fixture
async def door(api: FakeBotApi, by_webhook: object) -> AsyncIterator[httpx2.AsyncClient]:
    """A client that speaks to our webhook as anybody on the Internet could."""
    assert api.webhook is not None
    async with httpx2.AsyncClient(base_url=api.webhook.url.removesuffix(PATH), trust_env=False) as client:
        yield client


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(HEADER, "")],
        [(HEADER, "wrong")],
        [(HEADER, SECRET.upper())],
        [(HEADER, SECRET + "x")],
        [(HEADER, SECRET), (HEADER, SECRET)],
        [(HEADER, SECRET), (HEADER, "wrong")],
        [(HEADER, f"{SECRET}, {SECRET}")],
        [(HEADER.replace("-Bot", ""), SECRET)],
    ],
)
async def test_without_exactly_the_secret_the_door_says_401_and_nothing_happens(
    door: httpx2.AsyncClient, api: FakeBotApi, turns: ScriptedTurns, headers: list[tuple[str, str]]
) -> None:
    response = await door.post(PATH, json=update("halo"), headers=headers)
    assert (response.status_code, response.content) == (401, b"")
    assert turns.events == []
    assert api.called("sendMessage") == []


async def test_the_answer_stands_in_the_response_and_takes_no_call(
    door: httpx2.AsyncClient, api: FakeBotApi, turns: ScriptedTurns
) -> None:
    response = await door.post(PATH, json=update("halo"), headers={HEADER: SECRET})
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    assert (answer["method"], answer["chat_id"], answer["text"]) == ("sendMessage", 5, "echo halo")
    assert api.called("sendMessage") == []
    again = await door.post(PATH, json=update("halo"), headers={HEADER: SECRET})
    assert (again.status_code, again.content) == (200, b"")
    assert turns.undelivered(5) == 0


async def test_only_a_post_is_answered(door: httpx2.AsyncClient) -> None:
    assert (await door.get(PATH, headers={HEADER: SECRET})).status_code == 405


async def test_a_body_without_end_is_refused(door: httpx2.AsyncClient, turns: ScriptedTurns) -> None:
    response = await door.post(PATH, content=b"x" * (Webhook.limit + 1), headers={HEADER: SECRET})
    assert response.status_code == 413
    assert turns.events == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"update_id":1}', b'{"update_id":"x","message":{}}', b"\xff"])
async def test_what_cannot_be_read_is_taken_so_that_it_does_not_come_again(door: httpx2.AsyncClient, body: bytes) -> None:
    response = await door.post(PATH, content=body, headers={HEADER: SECRET})
    assert (response.status_code, response.content) == (200, b"")


async def test_a_store_that_is_down_makes_telegram_keep_the_update(door: httpx2.AsyncClient, turns: ScriptedTurns) -> None:
    turns.unavailable = 1
    response = await door.post(PATH, json=update("halo"), headers={HEADER: SECRET})
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) >= 1
    assert (await door.post(PATH, json=update("halo"), headers={HEADER: SECRET})).status_code == 200
    assert turns.texts == ["halo"]


async def test_a_defective_turn_is_not_confirmed(door: httpx2.AsyncClient, turns: ScriptedTurns) -> None:
    turns.defective = {"halo"}
    assert (await door.post(PATH, json=update("halo"), headers={HEADER: SECRET})).status_code == 500
    turns.defective = set()
    assert (await door.post(PATH, json=update("halo"), headers={HEADER: SECRET})).json()["text"] == "echo halo"


async def test_a_turn_of_several_messages_is_sent_in_order_by_calls_and_a_turn_meanwhile_does_not_overtake_it(
    api: FakeBotApi, turns: ScriptedTurns, by_webhook: object
) -> None:
    user = api.user("Budi")
    user.starts()
    await user.sees("started")
    turns.script = lambda event: (Say("satu"), Say("dua")) if event.text == "dua kali" else (Say("tiga"),)
    with api.holding("sendMessage"):
        user.says("dua kali")
        user.says("sekali")
        await until(lambda: len(turns.events) == 3)
        assert [message.text for message in user.answers] == ["started"]
    await user.sees("tiga")
    assert [message.text for message in user.answers] == ["started", "satu", "dua", "tiga"]


async def test_behind_a_reverse_proxy_with_a_path_of_its_own_everything_is_the_same(
    api: FakeBotApi, turns: ScriptedTurns
) -> None:
    async with ReverseProxy() as proxy, running(api, turns, "webhook", proxy=proxy):
        user = api.user("Budi")
        for text in ("satu", "dua"):
            user.says(text)
        await user.sees("echo dua")
        assert api.called("sendMessage") == [call for call in api.called("sendMessage") if call.response]
        async with httpx2.AsyncClient(trust_env=False) as anybody:
            address = f"{proxy.url.rstrip('/')}{PATH}"
            claimed = {"x-forwarded-for": "149.154.160.1"}
            assert (await anybody.post(address, json=update("halo", 9), headers=claimed)).status_code == 401
    assert turns.texts == ["satu", "dua"]


async def test_an_unreachable_bot_gets_its_updates_later(api: FakeBotApi, turns: ScriptedTurns) -> None:
    user = api.user("Budi")
    async with running(api, turns, "webhook"):
        user.starts()
        await user.sees("started")
    user.says("selagi mati")
    await until(lambda: any(each.status == 0 for each in api.delivered))
    async with running(api, turns, "webhook"):
        await user.sees("echo selagi mati")
    assert turns.texts == ["selagi mati"]


def test_the_webhook_and_all_it_imports_know_neither_aiogram_nor_python_telegram_bot() -> None:
    program = (
        "import sys, bot.channels.telegram.webhook, bot.channels.telegram.running\n"
        "sys.exit(bool({'aiogram', 'telegram', 'pydantic'} & {name.partition('.')[0] for name in sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("secret", ["", "spasi tidak boleh", "x" * 257, "tanda!"])
def test_webhook_mode_refuses_to_start_without_a_good_secret(secret: str) -> None:
    with pytest.raises(TelegramConfigInvalid, match="TELEGRAM_WEBHOOK_SECRET"):
        TelegramConfig("1:abc", mode="webhook", webhook_secret=secret, public_url="https://bot.example")


def test_the_endpoint_itself_cannot_be_built_open() -> None:
    with pytest.raises(ValueError, match="secret"):
        Webhook(None, "")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url", ["", "http://bot.example", "https://bot.example:9000", "https:///x", "https://bot.example:x", "bot.example"]
)
def test_webhook_mode_refuses_an_address_that_telegram_will_not_call_and_a_local_server_calls_more(url: str) -> None:
    with pytest.raises(TelegramConfigInvalid, match="PUBLIC_URL"):
        TelegramConfig("1:abc", mode="webhook", webhook_secret="s", public_url=url)
    for fine in ("https://bot.example", "https://bot.example:8443/akses/"):
        TelegramConfig("1:abc", mode="webhook", webhook_secret="s", public_url=fine)
    TelegramConfig("1:abc", "http://127.0.0.1:8081", "webhook", "s", "http://10.0.0.5:9000")


@pytest.mark.parametrize("token", ["", "abc", "1:a b", ":x"])
def test_a_malformed_token_is_named_but_not_told(token: str) -> None:
    with pytest.raises(TelegramConfigInvalid, match="TELEGRAM_BOT_TOKEN") as caught:
        TelegramConfig(token)
    assert not token or token not in str(caught.value).replace("TELEGRAM_BOT_TOKEN", "")
