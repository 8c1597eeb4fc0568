"""An agent who never opens the console: from a Telegram group, as the product itself is started, by polling and by webhook.

Investors in Telegram and in the web chat ask for a human, are answered from the group, and go on where they stopped.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.backend.stage import until
from tests.fakes.bot_api import FakeBotApi
from tests.fakes.telegram_people import Group, Topic, User
from tests.journey.people import Details, WebPerson
from tests.journey.test_channels_journey import connected
from tests.journey.test_helpdesk import command
from tests.product import PATIENCE, Product
from tests.services import free_port

pytestmark = pytest.mark.journey

TELEGRAM, WEB = Details(name="Tono Gunawan Putra"), Details(name="Wati Kencana Sari", email="wati.sari@example.org")
MODES = [("polling", "aiogram"), ("webhook", "ptb")]


class Agent:
    """Somebody of the helpdesk, in the group."""

    def __init__(self, group: Group, user: User) -> None:
        self.group = group
        self.user = user

    async def topic(self, words: str, *, beside: tuple[int, ...] = ()) -> Topic:
        """Wait for a topic of this name that is none of these."""

        def found() -> Topic | None:
            topics = [each for each in self.group.topics.values() if words in each.name and each.id not in beside]
            return topics[-1] if topics else None

        return await until(found, seconds=PATIENCE)

    async def reads(self, topic: Topic, words: str) -> None:
        try:
            await until(lambda: words in self.group.reads(topic.id) or None, seconds=PATIENCE)
        except TimeoutError:
            raise AssertionError(f"{words!r} did not come; the topic:\n{self.group.reads(topic.id)}") from None

    async def presses(self, topic: Topic, label: str) -> None:
        await until(lambda: label in [name for each in self.group.said(topic.id) for name in each.buttons], seconds=PATIENCE)
        self.group.presses(self.user, label, topic=topic.id)

    def says(self, topic: Topic, words: str, answers: int = 0) -> int:
        return self.group.hears(self.user, words, topic=topic.id, answers=answers)


@pytest.mark.parametrize(("mode", "framework"), MODES)
async def test_an_agent_helps_from_the_group_and_the_investors_go_on_where_they_stopped(
    tmp_path: Path, mode: str, framework: str
) -> None:
    async with FakeBotApi() as api:
        api.group_minute = 60.0
        group = api.forum("Helpdesk AKSes")
        port = free_port()
        settings = {
            "PORT": str(port),
            "TELEGRAM_BOT_TOKEN": api.token,
            "TELEGRAM_API_BASE": api.base,
            "TELEGRAM_MODE": mode,
            "TELEGRAM_FRAMEWORK": framework,
            "TELEGRAM_WEBHOOK_SECRET": "a-secret_of-36-characters-0123456789",
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "HELPDESK_GROUP": str(group.chat.id),
        }
        product = Product(tmp_path, **settings)
        await asyncio.to_thread(product.start)
        try:
            await connected(api, mode)
            await walk(api, group, product)
        finally:
            await asyncio.to_thread(product.kill)
        assert product.faults == []
        received = json.dumps(
            [dict(call.params) for call in api.calls if call.params.get("chat_id") == group.chat.id], ensure_ascii=False
        )
        for value in ("Gunawan", "Putra", "Kencana", TELEGRAM.nik, WEB.nik, "98765432", WEB.email):
            assert value not in received, value
        assert api.floods == 0


async def walk(api: FakeBotApi, group: Group, product: Product) -> None:
    rina, stranger = Agent(group, api.user("Rina")), Agent(group, api.user("Siapa"))
    await command(product, "agents", "add", "rina", "--name", "Rina", "--role", "agent")
    said = await command(product, "agents", "account", "rina", f"telegram:{rina.user.id}")
    assert said == f"telegram:{rina.user.id} is Rina.\n"

    # In Telegram, at the question for the NIK.
    tono = api.user("Tono")
    tono.starts()
    await tono.sees("Selamat datang")
    tono.presses("Setuju")
    await tono.sees("Pilih tipe registrasi")
    tono.presses("Individu Lokal")
    await tono.sees("Siapa nama lengkap Anda?")
    tono.says(TELEGRAM.name)
    await tono.sees("Berapa NIK Anda?")
    tono.says("petugas")
    first = await rina.topic("Tono P. · TG")
    await rina.reads(first, "Langkah: NIK")
    tono.says(f"NIK saya {TELEGRAM.nik}, benar begitu?")
    await rina.reads(first, "benar begitu?")

    # Somebody who is no agent is told so, and nothing of theirs gets out.
    stranger.says(first, "Saya bantu ya")
    await rina.reads(first, f"akses agents account NAMA_PENGGUNA telegram:{stranger.user.id}")

    await rina.presses(first, "Ambil alih")
    await tono.sees("Rina")
    (asked,) = [each for each in group.said(first.id) if "benar begitu?" in each.text]
    answer = rina.says(first, "Benar, silahkan lanjut.", answers=asked.id)
    told = await tono.sees("Benar, silahkan lanjut.")
    assert tono.chat.find(told.answers).text.endswith("benar begitu?")  # type: ignore[union-attr]
    group.hears_changed(rina.user, answer, "Benar, silakan lanjut.")
    await tono.sees("Ralat: Benar, silakan lanjut.")
    tono.says("Terima kasih, yang ini?", answers=told.id)
    await rina.reads(first, "yang ini?")
    (thanks,) = [each for each in group.said(first.id) if "yang ini?" in each.text]
    assert thanks.answers == answer, "shown as a reply to what the agent wrote in the group"

    # Meanwhile in the web chat.
    wati = WebPerson(product.url, WEB)
    await asyncio.to_thread(wati.opens)
    for kind, what in WEB.steps[:3]:
        await asyncio.to_thread(wati.does, kind, what)
    await asyncio.to_thread(wati.hears, "Berapa NIK Anda?")
    await asyncio.to_thread(wati.does, "say", "petugas")
    second = await rina.topic("Wati S. · Web")
    # An answer takes it over.
    rina.says(second, "Halo Ibu, ada apa?")
    await asyncio.to_thread(wati.hears, "Halo Ibu, ada apa?")
    await asyncio.to_thread(wati.does, "say", f"E-mail saya {WEB.email}")
    await rina.reads(second, "***@example.org")

    # Given back, the bot asks its question again, and the investor goes on to the end.
    await rina.presses(first, "Kembalikan ke bot")
    await tono.sees("Berapa NIK Anda?")
    tono.says(TELEGRAM.nik)
    await tono.sees("Berapa nomor handphone Anda?")
    await rina.presses(second, "Kembalikan ke bot")
    await asyncio.to_thread(wati.hears, "mengembalikan percakapan ini")
    await asyncio.to_thread(wati.does, "say", WEB.nik)
    await asyncio.to_thread(wati.hears, "Berapa nomor handphone Anda?")
    await until(lambda: first.closed and second.closed, seconds=PATIENCE)

    # And once more.
    tono.says("petugas")
    again = await rina.topic("Tono P. · TG", beside=(first.id,))
    rina.says(again, "Ada lagi, Bapak?")
    await tono.sees("Ada lagi, Bapak?")
