"""The fake Telegram is strict: what the real one refuses, it refuses, in the same words."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from tests.bot.telegram.scripted import until
from tests.fakes.bot_api import FakeBotApi

KEYS = {"inline_keyboard": [[{"text": "Ya", "callback_data": "t:a"}]]}


async def call(api: FakeBotApi, method: str, token: str = "", /, **params: Any) -> dict[str, Any]:
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
        response = await client.post(f"{api.base_url}/bot{token or api.token}/{method}", json=params)
        answer: dict[str, Any] = response.json()
        assert answer["ok"] == (response.status_code == 200)
        return answer


async def test_a_wrong_token_and_an_unknown_method_are_refused(api: FakeBotApi) -> None:
    assert (await call(api, "getMe", "1:wrong"))["error_code"] == 401
    assert (await call(api, "sendTelegram"))["error_code"] == 404
    assert (await call(api, "getMe"))["result"]["is_bot"] is True


def keyboard(**button: str) -> dict[str, Any]:
    return {"reply_markup": {"inline_keyboard": [[button]]}}


def entity(**fields: Any) -> dict[str, Any]:
    return {"entities": [{"type": "date_time", "offset": 0, "length": 4, **fields}]}


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"text": ""}, "message text is empty"),
        ({"text": " \n"}, "message text is empty"),
        ({"text": "\N{GRINNING FACE}" * 2049}, "message is too long"),
        ({"chat_id": 1}, "chat not found"),
        ({"colour": "red"}, "unknown parameter"),
        ({"protect_content": "perhaps"}, "protect_content must be bool"),
        (keyboard(text="Ya", callback_data="x" * 65), "BUTTON_DATA_INVALID"),
        (keyboard(text="Ya", callback_data="\N{GRINNING FACE}" * 17), "BUTTON_DATA_INVALID"),
        (keyboard(text="Ya"), "text buttons are unallowed"),
        (keyboard(text="", callback_data="a"), "must be non-empty"),
        (keyboard(text="Ya", url="http://localhost:8000"), "Wrong HTTP URL"),
        (keyboard(text="Ya", web_app={"url": "http://a.example/"}), "Only HTTPS links are allowed"),
        (keyboard(text="Ya", web_app={"url": "https://localhost/"}), "Wrong HTTP URL"),
        (keyboard(text="Ya", web_app={"url": "https://a.example/", "mode": "x"}), "object expected as web_app"),
        (keyboard(text="Ya", callback_data="a", style="green"), "style"),
        (keyboard(text="Ya", callback_data="a", callback="b"), "unknown field"),
        ({"reply_markup": {"keyboard": [["Ya"]], "inline_keyboard": [[]]}}, "Bad Request"),
        ({"reply_markup": {"inline_keyboard": [[{"text": "a", "callback_data": "a"}] * 9]}}, "too long"),
        ({"reply_markup": {"remove_keyboard": False}}, "remove_keyboard"),
        ({"message_effect_id": "1"}, "EFFECT_ID_INVALID"),
        ({"link_preview_options": {"disabled": True}}, "unknown field"),
        (entity(date_time_format="t"), "unix_time"),
        (entity(unix_time=1, date_time_format="x"), "date_time_format"),
        (entity(unix_time=1, length=5), "out of the text"),
        (entity(type="clock"), "unsupported type"),
    ],
)
async def test_a_message_that_telegram_would_refuse_is_refused(api: FakeBotApi, params: dict[str, Any], words: str) -> None:
    user = api.user("Budi")
    user.starts()
    answer = await call(api, "sendMessage", **{"chat_id": user.id, "text": "halo", **params})
    assert (answer["error_code"], words in answer["description"]) == (400, True), answer


async def test_nobody_can_be_written_to_before_they_wrote_or_after_they_blocked(api: FakeBotApi) -> None:
    user = api.user("Budi")
    assert "chat not found" in (await call(api, "sendMessage", chat_id=user.id, text="halo"))["description"]
    user.starts()
    assert (await call(api, "sendMessage", chat_id=user.id, text="halo"))["ok"]
    user.blocks()
    refused = await call(api, "sendMessage", chat_id=user.id, text="halo")
    assert (refused["error_code"], refused["description"]) == (403, "Forbidden: bot was blocked by the user")


async def test_an_edit_must_change_something_of_a_message_of_the_bot_with_inline_buttons(api: FakeBotApi) -> None:
    user = api.user("Budi")
    typed = user.starts() or user.says("halo")
    sent = (await call(api, "sendMessage", chat_id=user.id, text="Tanya", reply_markup=KEYS))["result"]["message_id"]

    async def edit(message_id: int, **params: Any) -> str:
        answer = await call(api, "editMessageText", chat_id=user.id, message_id=message_id, **params)
        return answer.get("description", "")

    assert "message is not modified" in await edit(sent, text="Tanya", reply_markup=KEYS)
    assert "can't be edited" in await edit(typed, text="lain")
    assert "not found" in await edit(999, text="lain")
    assert "inline keyboard expected" in await edit(sent, text="lain", reply_markup={"remove_keyboard": True})
    assert await edit(sent, text="Tanya") == ""
    assert user.chat.transcript() == "> /start\n< Tanya (edited)"


async def test_effects_are_for_private_chats_and_a_chat_action_is_one_of_telegram_s(api: FakeBotApi) -> None:
    user, group = api.user("Budi"), api.group("Direksi")
    user.starts()
    assert (await call(api, "sendMessage", chat_id=user.id, text="halo", message_effect_id="5046509860389126442"))["ok"]
    refused = await call(api, "sendMessage", chat_id=group.chat.id, text="halo", message_effect_id="5046509860389126442")
    assert "can't use message effects" in refused["description"]
    assert "action" in (await call(api, "sendChatAction", chat_id=user.id, action="thinking"))["description"]


async def test_one_message_that_is_too_old_keeps_all_of_its_call(api: FakeBotApi) -> None:
    user = api.user("Budi")
    ids = [user.says("satu"), user.says("dua")]
    user.chat.messages[0].date -= 49 * 3600
    assert (
        "can't be deleted for everyone" in (await call(api, "deleteMessages", chat_id=user.id, message_ids=ids))["description"]
    )
    assert (await call(api, "deleteMessages", chat_id=user.id, message_ids=[*ids[1:], 999]))["ok"]


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("setMyName", {"name": "x" * 65}),
        ("setMyDescription", {"description": "x" * 513}),
        ("setMyShortDescription", {"short_description": "x" * 121}),
        ("setMyName", {"name": "x", "language_code": "english"}),
        ("setChatMenuButton", {"menu_button": {"type": "menu"}}),
    ],
)
async def test_an_introduction_that_telegram_would_not_take_is_refused(
    api: FakeBotApi, method: str, params: dict[str, Any]
) -> None:
    assert (await call(api, method, **params))["error_code"] == 400


def test_no_link_carries_what_telegram_s_links_cannot(api: FakeBotApi) -> None:
    for payload in ("dua kata", "a" * 65, "a.b"):
        with pytest.raises(AssertionError, match="no link can carry"):
            api.user("Budi").starts(payload)


async def test_a_callback_query_can_be_answered_once(api: FakeBotApi) -> None:
    user = api.user("Budi")
    user.starts()
    await call(api, "sendMessage", chat_id=user.id, text="Tanya", reply_markup=KEYS)
    callback = user.presses("Ya")
    assert (await call(api, "answerCallbackQuery", callback_query_id=callback))["ok"]
    assert "query is too old" in (await call(api, "answerCallbackQuery", callback_query_id=callback))["description"]


async def test_a_second_poller_ends_the_first_and_a_webhook_ends_polling(api: FakeBotApi) -> None:
    first = asyncio.create_task(call(api, "getUpdates", timeout=30))
    await until(lambda: bool(api.called("getUpdates")))
    user = api.user("Budi")
    second = asyncio.create_task(call(api, "getUpdates", timeout=30))
    assert (await first)["error_code"] == 409
    user.says("halo")
    assert [update["message"]["text"] for update in (await second)["result"]] == ["halo"]
    assert (await call(api, "setWebhook", url="http://127.0.0.1:9/x"))["ok"]
    assert (await call(api, "getUpdates"))["error_code"] == 409


async def test_updates_stay_until_they_are_confirmed_by_a_higher_offset(api: FakeBotApi) -> None:
    user = api.user("Budi")
    user.says("satu")
    user.says("dua")
    first = (await call(api, "getUpdates", limit=1))["result"]
    assert first == (await call(api, "getUpdates", limit=1))["result"]
    rest = (await call(api, "getUpdates", offset=first[0]["update_id"] + 1))["result"]
    assert [update["message"]["text"] for update in rest] == ["dua"]


@pytest.mark.parametrize(
    "params",
    [
        {"url": "http://example.org/x"},
        {"url": "https://a.example", "secret_token": "a b"},
        {"url": "https://a", "max_connections": 0},
    ],
)
async def test_a_webhook_that_telegram_would_not_take_is_refused(api: FakeBotApi, params: dict[str, Any]) -> None:
    assert (await call(api, "setWebhook", **params))["error_code"] == 400


@pytest.mark.parametrize(
    "command",
    [{"command": "Start", "description": "x"}, {"command": "a-b", "description": "x"}, {"command": "start", "description": ""}],
)
async def test_a_malformed_command_is_refused(api: FakeBotApi, command: dict[str, str]) -> None:
    assert (await call(api, "setMyCommands", commands=[command]))["error_code"] == 400


# --- topics


async def test_a_topic_is_made_changed_and_gone_as_telegrams_are(api: FakeBotApi) -> None:
    group, plain = api.forum("Helpdesk"), api.group("Direksi")
    here = {"chat_id": group.chat.id}
    assert "not a forum" in (await call(api, "createForumTopic", chat_id=plain.chat.id, name="A"))["description"]
    assert "COLOR" in (await call(api, "createForumTopic", **here, name="A", icon_color=1))["description"]
    thread = {"message_thread_id": (await call(api, "createForumTopic", **here, name="A"))["result"]["message_thread_id"]}
    assert (await call(api, "sendMessage", **here, **thread, text="halo"))["result"]["message_thread_id"]
    assert (await call(api, "closeForumTopic", **here, **thread))["ok"]
    assert "TOPIC_NOT_MODIFIED" in (await call(api, "closeForumTopic", **here, **thread))["description"]
    assert (await call(api, "sendMessage", **here, **thread, text="halo"))["ok"], "an administrator may write also then"
    group.manages_topics = False
    assert "TOPIC_CLOSED" in (await call(api, "sendMessage", **here, **thread, text="halo"))["description"]
    assert "rights" in (await call(api, "createForumTopic", **here, name="B"))["description"]
    group.manages_topics = True
    group.removes(thread["message_thread_id"])
    assert "message thread not found" in (await call(api, "sendMessage", **here, **thread, text="halo"))["description"]
    assert "TOPIC_ID_INVALID" in (await call(api, "reopenForumTopic", **here, **thread))["description"]


async def test_the_twenty_first_message_of_a_minute_is_one_too_many_for_a_group(api: FakeBotApi) -> None:
    group = api.forum("Helpdesk")
    api.group_minute = 60.0
    for _ in range(20):
        assert (await call(api, "sendMessage", chat_id=group.chat.id, text="halo"))["ok"]
    refused = await call(api, "createForumTopic", chat_id=group.chat.id, name="A")
    assert (refused["error_code"], api.floods) == (429, 1)
    assert refused["parameters"]["retry_after"] > 50


async def test_a_message_for_one_person_is_seen_by_them_alone_and_by_all_where_the_server_is_older(api: FakeBotApi) -> None:
    group, user = api.forum("Helpdesk"), api.user("Rina")
    alone = {"receiver_user_id": user.id}
    made = await call(api, "sendMessage", chat_id=group.chat.id, text="rahasia", ephemeral_message_parameters=alone)
    number = {"ephemeral_message_id": made["result"]["ephemeral_message_id"]}
    assert made["result"]["message_id"] == 0
    assert (await call(api, "editEphemeralMessageText", chat_id=group.chat.id, **alone, **number, text="sangat rahasia"))["ok"]
    assert (group.answers, list(user.whispers.values())) == ([], ["sangat rahasia"])
    api.whispers = False
    await call(api, "sendMessage", chat_id=group.chat.id, text="rahasia", ephemeral_message_parameters=alone)
    assert [each.text for each in group.answers] == ["rahasia"]
    assert (await call(api, "editEphemeralMessageText", chat_id=group.chat.id, **alone, **number, text="x"))[
        "error_code"
    ] == 404
