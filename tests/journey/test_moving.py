"""A form goes from the web chat to Telegram and back, through the whole product: its links, its page with codes, and a browser."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx2
import pytest
from playwright.async_api import async_playwright

from tests.bot.web.test_widget import ARGS
from tests.fakes.bot_api import FakeBotApi
from tests.journey.people import Details, WebPerson
from tests.journey.test_channels_journey import connected
from tests.product import PATIENCE, Product
from tests.services import free_port

pytestmark = pytest.mark.journey

PERSON = Details()


def token_of(text: str) -> str:
    found = re.findall(r"lanjut-[\w-]{43}", text)
    assert found, text
    return str(found[-1])


async def test_a_form_goes_from_the_web_chat_to_telegram_and_back_into_a_browser(tmp_path: Path) -> None:
    port = free_port()
    async with FakeBotApi() as fake:
        product = Product(
            tmp_path,
            PORT=str(port),
            PUBLIC_URL=f"http://localhost:{port}",
            TELEGRAM_BOT_TOKEN=fake.token,
            TELEGRAM_API_BASE=fake.base_url,
        )
        try:
            await asyncio.to_thread(product.start)
            await connected(fake, "polling")
            desk = WebPerson(product.url)
            await asyncio.to_thread(begins, desk)
            token = token_of(desk.read[-1])
            assert f"https://t.me/{fake.bot['username']}?start={token}" in desk.read[-1]
            assert f"/chat#{token}" in desk.read[-1], "an address whose servers and logs never see the token"
            await asyncio.to_thread(shows_codes, product.url, token)

            phone = fake.user("Ratna")
            phone.starts(token)
            await phone.sees("2 dari 4 data terisi")
            assert not any(PERSON.nik in message.text.replace(" ", "") for message in phone.answers)
            phone.presses("Setuju")
            await phone.sees("4 digit terakhir NIK")
            phone.says(PERSON.nik[-4:])
            await phone.sees("Apakah semuanya benar?")
            phone.presses("Ya, sudah benar")
            await phone.sees("Berapa nomor handphone Anda?")
            await asyncio.to_thread(desk.hears, "dilanjutkan di sana")

            thief = WebPerson(product.url)
            await asyncio.to_thread(thief.opens)
            await asyncio.to_thread(thief.does, "say", f"/start {token}")
            await asyncio.to_thread(thief.hears, "sudah dipakai")

            phone.says("/pindah")
            back = token_of((await phone.sees("hanya bisa dipakai sekali")).text)
            await in_a_browser(f"{product.url}/chat#{back}")
            await phone.sees("Formulir ini sudah dibuka di chat web")
            assert product.faults == []
            assert token not in product.log
        finally:
            await asyncio.to_thread(product.kill)


def begins(person: WebPerson) -> None:
    person.opens()
    for kind, what in PERSON.steps[:4]:
        person.does(kind, what)
    person.does("say", "pindah")
    person.hears("hanya bisa dipakai sekali")


def shows_codes(url: str, token: str) -> None:
    with httpx2.Client(base_url=url, trust_env=False, timeout=PATIENCE) as client:
        page = client.get(f"/lanjut/{token}").raise_for_status()
        assert page.text.count("<svg") == 2
        assert page.headers["referrer-policy"] == "no-referrer"
        altered = token[:-5] + ("AAAAA" if not token.endswith("AAAAA") else "BBBBB")
        dead = client.get(f"/lanjut/{altered}")
        assert (dead.status_code, 'href="/chat">Daftar<' in dead.text) == (404, True), "whoever comes too late can begin anew"
        assert "<svg" in client.get(f"/lanjut/{token}").text, "looking opens nothing"


async def in_a_browser(address: str) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGS)
        page = await browser.new_page()
        await page.goto(address)
        await page.get_by_text("Formulir Anda dari Telegram").wait_for(timeout=PATIENCE * 1000)
        assert "lanjut-" not in page.url, "the token does not stay in the address"
        await page.reload()
        await page.get_by_text("Formulir Anda dari Telegram").wait_for(timeout=PATIENCE * 1000)
        assert await page.get_by_text("sudah dipakai").count() == 0
        await browser.close()
