"""What becomes of a message: sent, later, dead, refused; and that the token is never told."""

from __future__ import annotations

import logging
import socket
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from bot.channels.port import Capabilities, Dead, Delivery, Failed, Later, Refused, Sent, Unknown
from bot.channels.telegram.aiogram_binding import AiogramApi
from bot.channels.telegram.channel import TelegramChannel
from bot.channels.telegram.running import Telegram, TelegramConfig
from bot.limits import Limiter, LocalBuckets, Wait
from dialogs.effects import DeleteUserMessages, Message, News, Redraw, Say, Show
from dialogs.screens import Action, Screen
from tests.bot.telegram.scripted import ScriptedTurns, until
from tests.fakes.bot_api import TOKEN, FakeBotApi
from tests.fakes.telegram_people import User


@pytest.fixture
async def user(api: FakeBotApi, by_polling: Telegram) -> User:
    user = api.user("Budi")
    user.starts()
    await user.sees("started")
    return user


async def test_a_message_that_was_taken_tells_its_id(by_polling: Telegram, user: User) -> None:
    assert await by_polling.channel.deliver(str(user.id), Say("halo"), "k") == Sent(str(user.answers[-1].id))


async def test_before_the_way_to_telegram_is_open_a_message_is_left_to_another_process(api: FakeBotApi) -> None:
    just_started = Telegram(TelegramConfig(token=TOKEN, api_base=api.base_url))
    assert await just_started.channel.deliver(str(api.user("Budi").id), Say("halo"), "k") == Later(1.0)
    assert api.calls == []


async def test_somebody_who_blocked_the_bot_is_dead_to_it(by_polling: Telegram, user: User) -> None:
    user.chat.blocked = True
    assert await by_polling.channel.deliver(str(user.id), Say("halo"), "k") == Dead("blocked")


@pytest.mark.parametrize(
    ("code", "description", "delivery"),
    [
        (403, "Forbidden: user is deactivated", Dead("deactivated")),
        (400, "Bad Request: chat not found", Dead("gone")),
        (400, "Bad Request: message is too strange", Refused("Bad Request: message is too strange")),
        (502, "Bad Gateway", Failed("Bad Gateway")),
        (401, "Unauthorized", Later(60.0, whole_channel=True)),
    ],
)
async def test_errors_are_told_apart(
    api: FakeBotApi, by_polling: Telegram, user: User, code: int, description: str, delivery: Delivery
) -> None:
    api.refuse("sendMessage", code, description)
    assert await by_polling.channel.deliver(str(user.id), Say("halo"), "k") == delivery


async def test_a_flood_limit_is_waited_for_as_long_as_telegram_says_and_then_the_message_goes(
    api: FakeBotApi, by_polling: Telegram, user: User
) -> None:
    other = api.user("Siti")
    other.starts()
    await other.sees("started")
    api.flood("sendMessage", retry_after=7)
    assert await by_polling.channel.deliver(str(user.id), Say("halo"), "k") == Later(7)
    again = await by_polling.channel.deliver(str(user.id), Say("halo"), "k")
    assert isinstance(again, Later)
    assert 6 < again.seconds <= 7
    assert len(api.called("sendMessage")) == 3, "known without asking"
    assert isinstance(await by_polling.channel.deliver(str(other.id), Say("halo"), "o"), Sent), "the other chat does not wait"


async def test_a_short_flood_limit_is_sat_out(api: FakeBotApi, by_polling: Telegram, user: User) -> None:
    api.flood("sendMessage", retry_after=1)
    assert await by_polling.channel.deliver(str(user.id), Say("halo"), "k") == Later(1)
    assert isinstance(await by_polling.channel.deliver(str(user.id), Say("halo"), "k"), Sent)
    assert [message.text for message in user.answers].count("halo") == 1


async def test_a_second_flood_limit_soon_after_the_first_is_the_whole_bot_s(
    api: FakeBotApi, by_polling: Telegram, user: User
) -> None:
    other = api.user("Siti")
    other.starts()
    await other.sees("started")
    api.flood("sendMessage", retry_after=30, times=2)
    assert await by_polling.channel.deliver(str(user.id), Say("halo"), "k") == Later(30)
    assert await by_polling.channel.deliver(str(other.id), Say("halo"), "o") == Later(30, whole_channel=True)
    third = await by_polling.channel.deliver("5", Say("halo"), "t")
    assert isinstance(third, Later)
    assert third.seconds > 29


async def test_a_connection_that_breaks_before_the_answer_leaves_it_unknown(
    api: FakeBotApi, by_polling: Telegram, user: User
) -> None:
    api.cut("sendMessage")
    assert isinstance(await by_polling.channel.deliver(str(user.id), Say("halo"), "k"), Unknown)


async def test_a_server_that_is_not_there_has_not_taken_the_message() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    api = AiogramApi.to(TOKEN, f"http://127.0.0.1:{port}")
    try:
        assert isinstance(await TelegramChannel(api).deliver("5", Say("halo"), "k"), Failed)
    finally:
        await api.close()


async def test_a_long_message_goes_on_at_the_part_that_is_missing(api: FakeBotApi, by_polling: Telegram, user: User) -> None:
    message = Say("awal\n\n" * 800 + "akhir")
    api.refuse("sendMessage", 502, "Bad Gateway", after=1)
    assert isinstance(await by_polling.channel.deliver(str(user.id), message, "k"), Failed)
    assert len(user.answers) == 2
    assert isinstance(await by_polling.channel.deliver(str(user.id), message, "k"), Sent)
    assert [each.text[-5:].strip() for each in user.answers[1:]] == ["awal", "akhir"]


async def test_what_had_to_wait_comes_when_the_person_unblocks_the_bot(
    api: FakeBotApi, turns: ScriptedTurns, user: User
) -> None:
    api.refuse("sendMessage", 502, "Bad Gateway")
    user.says("halo")
    await until(lambda: turns.outcomes[-1:] == [Failed("Bad Gateway")])
    user.blocks()
    user.unblocks()
    await user.sees("echo halo")


async def test_a_redraw_that_changes_nothing_counts_as_done(by_polling: Telegram, user: User) -> None:
    screen = Screen("t", "s", "Status: menunggu", actions=(Action("a", "Ya"),))
    sent = await by_polling.channel.deliver(str(user.id), Show(screen), "k")
    assert isinstance(sent, Sent)
    assert isinstance(await by_polling.channel.deliver(str(user.id), Redraw(sent.message, screen), "r"), Sent)
    assert isinstance(await by_polling.channel.deliver(str(user.id), Redraw("99999", screen), "r2"), Sent), "it is gone already"


async def test_what_a_server_does_not_know_of_adornments_does_not_cost_the_message(
    api: FakeBotApi, by_polling: Telegram, user: User
) -> None:
    screen = Screen("t", "s", "Setuju?", actions=(Action("a", "Ya", "success"),))
    api.refuse("sendMessage", 400, "Bad Request: invalid button style specified")
    assert isinstance(await by_polling.channel.deliver(str(user.id), Show(screen), "k"), Sent)
    assert "style" not in user.answers[-1].rows[0][0]
    api.refuse("sendMessage", 400, "Bad Request: message is too strange", times=2)
    assert isinstance(await by_polling.channel.deliver(str(user.id), Show(screen), "k2"), Refused)


@pytest.mark.parametrize(("count", "too_old"), [(2, 1), (7, 0), (7, 3), (7, 7), (100, 1), (100, 99), (1, 1)])
async def test_messages_that_are_too_old_to_be_deleted_do_not_keep_the_others(
    api: FakeBotApi, by_polling: Telegram, user: User, count: int, too_old: int
) -> None:
    typed = [user.chat.add("person", f"rahasia {number}") for number in range(count)]
    for message in typed[:too_old]:
        message.date -= 49 * 3600
    ids = tuple(str(message.id) for message in typed)
    assert isinstance(await by_polling.channel.deliver(str(user.id), DeleteUserMessages(ids), "k"), Sent)
    assert [message.deleted for message in typed] == [False] * too_old + [True] * (count - too_old)
    assert len(api.called("deleteMessages")) <= 8, "the place where the old ones end is found by halves"


async def test_typing_is_shown_and_an_address_of_another_channel_is_left_alone(by_polling: Telegram, user: User) -> None:
    by_polling.channel.typing("bukan-angka")
    by_polling.channel.typing(str(user.id))
    await until(lambda: user.chat.actions == ["typing"])


async def test_an_address_of_another_channel_is_refused(by_polling: Telegram) -> None:
    assert isinstance(await by_polling.channel.deliver("bukan-angka", Say("halo"), "k"), Refused)
    assert by_polling.channel.capabilities == Capabilities(buttons=100, edit=True, delete=True, contact=True)


async def test_the_token_stands_in_no_log_and_no_error(
    api: FakeBotApi, by_polling: Telegram, user: User, turns: ScriptedTurns, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as logs:
        for break_it in (
            lambda: api.cut("sendMessage"),
            lambda: api.refuse("sendMessage", 500, f"failed at /bot{TOKEN}/sendMessage"),
            lambda: api.refuse("sendMessage", 400, f"failed at /bot{TOKEN}/sendMessage"),
        ):
            break_it()
            outcome = await by_polling.channel.deliver(str(user.id), Say("halo"), "k")
            assert TOKEN not in repr(outcome)
    assert logs
    assert TOKEN not in repr(logs) + caplog.text


@pytest.mark.parametrize(
    ("message", "urgent"),
    [
        (Say("Sebentar."), True),
        (Show(Screen("t", "s", "Terima kasih.")), True),
        (Redraw("7", Screen("t", "s", "NIK: 3171********0001")), True),
        (DeleteUserMessages(("7",)), True),
        (Say("Akun aktif.", News("r1", "active")), False),
        (Show(Screen("t", "s", "Akun aktif."), News("r1", "active")), False),
        (Show(Screen("t", "s", "Masih menunggu."), until=datetime(2026, 11, 24, tzinfo=UTC)), False),
    ],
)
async def test_an_answer_goes_before_news_whichever_process_delivers_it(message: Message, urgent: bool) -> None:
    class Api:
        async def call(self, *_: Any, **__: Any) -> dict[str, int]:
            return {"message_id": 8}

        async def close(self) -> None: ...

    class Places(LocalBuckets):
        async def take(self, chat: str, *, urgent: bool) -> Wait | None:
            asked.append(urgent)
            return await super().take(chat, urgent=urgent)

    asked: list[bool] = []
    channel = TelegramChannel(Api(), Limiter(Places()))
    assert isinstance(await channel.deliver("5", message, "k"), Sent)
    assert asked == [urgent]
