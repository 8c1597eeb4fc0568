"""What people and networks do at once: quick messages, a tap beside a text, updates that come again, and restarts in between.

The same for the bot of its own, through both libraries and in both modes, and for the dialog in bots of either kind.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from akses.keyring import Keyring
from akses.telegram import Registration
from bot.channels.telegram.running import Telegram
from bot.delivery import OutboxDelivery
from bot.sessions import Sessions
from bot.stores.embedded import EmbeddedStore
from bot.turns import TurnRunner
from dialogs.profile import Profile
from tests.bot.telegram.conftest import running
from tests.bot.telegram.hosts import KEYS, KINDS, UNLIMITED, Hearing, hosted, settings
from tests.fakes.bot_api import FakeBotApi
from tests.fakes.telegram_people import User

RESTARTS = 2
OWN = ("aiogram: polling", "aiogram: webhook", "ptb: polling", "ptb: webhook")


@asynccontextmanager
async def own(kind: str, api: FakeBotApi, folder: Path) -> AsyncIterator[None]:
    """The bot of its own: the channel on a real runner, store and delivery."""
    framework, _, mode = kind.partition(": ")
    store, sessions = await EmbeddedStore.open(folder / "dialog.db"), Sessions(Keyring.parse(KEYS))
    runner = TurnRunner(store, sessions, Profile("PT Contoh Sekuritas", "https://akses.example/", "https://akses.example/p"))

    def prepare(telegram: Telegram) -> None:
        runner.deliver_through(OutboxDelivery(store, sessions, {"telegram": telegram.channel}))

    async with running(api, runner, mode, framework=framework, prepare=prepare):
        yield
    await store.close()


class Bot:
    """A bot that can be stopped and started again on what it has kept."""

    def __init__(self, kind: str, api: FakeBotApi, folder: Path) -> None:
        self._kind = kind
        self._api = api
        self._folder = folder
        self._life: AbstractAsyncContextManager[None] | None = None
        self.hearing = Hearing()

    async def start(self) -> None:
        if self._kind in OWN:
            self._life = own(self._kind, self._api, self._folder)
        else:
            self._life = hosted(self._kind, self._api, Registration(settings(self._folder), limits=UNLIMITED), self.hearing)
        await self._life.__aenter__()

    async def stop(self) -> None:
        life, self._life = self._life, None
        if life is not None:
            await life.__aexit__(None, None, None)

    async def restart(self) -> None:
        await self.stop()
        await self.start()


@pytest.fixture(params=[*OWN, *KINDS])
async def bot(request: pytest.FixtureRequest, api: FakeBotApi, tmp_path: Path) -> AsyncIterator[Bot]:
    bot = Bot(request.param, api, tmp_path)
    await bot.start()
    yield bot
    await bot.stop()


class Sender:
    """Somebody whose every update is kept, to come again."""

    def __init__(self, api: FakeBotApi, user: User) -> None:
        self._api = api
        self.user = user
        self.updates: list[dict[str, Any]] = []

    def says(self, text: str) -> None:
        self.user.says(text)
        self._keep()

    def presses(self, label: str, message: int) -> None:
        self.user.presses(label, message=message)
        self._keep()

    def _keep(self) -> None:
        self.updates.append(max(self._api.pending, key=lambda each: each.id).update)

    def all_again(self) -> None:
        for update in self.updates:
            self._api.redeliver(update)

    async def has(self, answers: int) -> None:
        await self.user.chat.until(
            lambda: self.user.answers[-1] if len(self.user.answers) >= answers else None, f"the answer number {answers}"
        )


async def test_right_fields_in_order_and_nothing_twice(bot: Bot, api: FakeBotApi) -> None:
    user = api.user("Budi")
    budi = Sender(api, user)
    user.says("/daftar")
    consent = await user.sees("Selamat datang")
    user.presses("Setuju")
    await user.sees("Pilih tipe")
    user.presses("Individu Lokal")
    await user.sees("Siapa nama lengkap Anda?")
    before = len(user.answers)
    for text in ("123", "Budi Santoso", "456", "3171234501900001"):
        budi.says(text)
    budi.presses("Setuju", consent.id)  # a tap on a question of before, beside what is typed
    budi.all_again()
    await bot.restart()
    for text in ("0812", "0812-9876-5432", "budi@", "budi@example.com"):
        budi.says(text)
    budi.presses("Setuju", consent.id)
    budi.all_again()
    await budi.has(before + 10)
    await bot.restart()
    budi.all_again()
    user.says("/bahasa")
    await user.sees("Pilih bahasa")
    new = [message.text for message in user.answers[before:]]
    assert 11 <= len(new) <= 11 + RESTARTS, "eight texts, two taps, one command: an answer each"
    # What a restart has cut off from Telegram's answer, or from ours, is sent once more: the same message behind itself, or the question in
    # force. No turn is taken twice.
    once = [text for text, _ in itertools.groupby(new)]
    for words in (
        "Anda mengetik 3 angka",
        "Nama Lengkap sudah kami catat",
        "kurang 13",
        "NIK sudah kami catat",
        "4 digit",
        "Nomor Handphone sudah kami catat",
        "sesudah tanda @ belum ada",
    ):
        assert sum(words in text for text in once) == 1, words
    summaries = [text for text in new if "Informasi Anda" in text]
    for answer in ("Budi Santoso", "3171 2345 0190 0001", "0812-9876-5432", "budi@example.com"):
        assert answer in summaries[-1]
    assert bot.hearing.texts == []


@pytest.mark.parametrize("kind", ["aiogram: webhook", "ptb: webhook"])
async def test_a_thousand_starts_of_one_chat_hold_up_nobody_else(kind: str, api: FakeBotApi, tmp_path: Path) -> None:
    async with own(kind, api, tmp_path):
        flood, siti = api.user("Banjir"), api.user("Siti")
        for _ in range(1000):
            flood.says("/start")
        siti.says("/start")
        await siti.sees("Selamat datang")
        siti.presses("Setuju")
        await siti.sees("Pilih tipe")
        siti.presses("Individu Lokal")
        await siti.sees("Siapa nama lengkap Anda?")
        for answer in ("Siti Rahmawati", "3171234501900001", "0812-3456-7890", "siti@example.com"):
            siti.says(answer)
        await siti.sees("Informasi Anda")
        assert len(api.pending) > 100, "the flood is still going on"
        assert len(siti.answers) == 7, "every answer once"
