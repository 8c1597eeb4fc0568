"""/hapus, from the press to the backend: what is erased is gone here and there, and what cannot be is told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from backend_client.errors import RegistrationUnknown
from backend_client.fake import FakeBackend
from bot.stores.port import Store
from dialogs.effects import DeleteUserMessages, Message, Say, Show
from dialogs.events import CommandSent
from tests.bot.test_turns import CHAT, KEYS, Bot, Clock, Screenful, registered


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def backend(clock: Clock) -> FakeBackend:
    return FakeBackend(clock=clock)


@pytest.fixture
def bot(store: Store, clock: Clock, backend: FakeBackend) -> Bot:
    return Bot(store, clock, Screenful(), backend)


def words(message: Message) -> str:
    return message.screen.body if isinstance(message, Show) else message.text if isinstance(message, Say) else ""


async def handed_off(bot: Bot) -> str:
    await bot.fills_in()
    await bot.presses("activate", "e7")
    await bot.settles()
    (registration,) = registered(bot.backend)
    return registration


async def erases(bot: Bot, number: int = 1) -> None:
    await bot.happens(CommandSent("hapus"), f"h{number}")
    await bot.presses("erase_all", f"y{number}")


async def test_a_registration_is_withdrawn_at_the_backend_and_forgotten_here(
    bot: Bot, backend: FakeBackend, store: Store
) -> None:
    registration = await handed_off(bot)
    await erases(bot)
    await bot.settles()
    assert (await backend.status(registration)).status == "withdrawn"
    assert backend.data(registration) is None
    assert "datanya dihapus" in words(bot.channel.got[-1][2])
    loaded = await store.load(str(CHAT), bot.clock().timestamp())
    assert loaded.state is not None
    plain = KEYS.open(loaded.state, f"session {CHAT} {loaded.revision}".encode())
    assert b"Siti" not in plain
    assert b"example.com" not in plain
    assert await store.pending(str(CHAT)) == []


async def test_while_the_backend_is_away_the_withdrawal_waits_and_then_happens(bot: Bot, backend: FakeBackend) -> None:
    registration = await handed_off(bot)
    backend.down = True
    await erases(bot)
    await bot.settles()
    assert await bot.step() == "erasing"
    backend.down = False
    bot.clock.now += timedelta(minutes=5)
    await bot.settles()
    assert (await backend.status(registration)).status == "withdrawn"
    assert await bot.step() == "idle"


async def test_an_account_that_has_become_active_meanwhile_is_not_claimed_to_be_erased(bot: Bot, backend: FakeBackend) -> None:
    registration = await handed_off(bot)
    await backend.activate(registration)
    await erases(bot)
    await bot.settles()
    assert await bot.step() == "active"
    assert "tidak ikut terhapus" in words(bot.channel.got[-1][2])


async def test_a_registration_that_the_backend_does_not_know_is_as_gone_as_it_can_be(bot: Bot, backend: FakeBackend) -> None:
    await handed_off(bot)
    backend.fail_next(RegistrationUnknown("not_found"))
    await erases(bot)
    await bot.settles()
    assert await bot.step() == "idle"


async def test_a_hand_off_under_way_is_withdrawn_when_it_arrives(bot: Bot, backend: FakeBackend) -> None:
    await bot.fills_in()
    backend.down = True
    await bot.presses("activate", "e7")
    await bot.settles()
    await erases(bot)
    backend.down = False
    bot.clock.now += timedelta(minutes=5)
    await bot.settles()
    (registration,) = registered(backend)
    assert (await backend.status(registration)).status == "withdrawn"
    assert await bot.step() == "idle"


async def test_what_was_typed_leaves_the_chat_with_the_form(bot: Bot) -> None:
    await bot.fills_in()
    await erases(bot)
    (deleted,) = [message for _, _, message in bot.channel.got if isinstance(message, DeleteUserMessages)]
    assert deleted.messages == ("m0", "m1", "m2", "m3")
    assert deleted.screens
