"""The page inside Telegram, in the whole product: from the chat's button to the news in the chat, without the link of the mail."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from tests.fakes.bot_api import FakeBotApi
from tests.journey.people import PASSWORD, Details
from tests.journey.test_channels_journey import CONGRATULATION, connected
from tests.product import PATIENCE, Product

pytestmark = pytest.mark.journey

PERSON = Details()


@contextmanager
def page(product: Product, address: str) -> Iterator[tuple[httpx2.Client, str]]:
    """What the page's script does with what Telegram gave it: a visit, and the list."""
    parts = urlsplit(address)
    with httpx2.Client(base_url=f"{product.url}{parts.path}", trust_env=False, timeout=PATIENCE) as browser:
        assert "telegram.js" in browser.get(f"{product.url}{parts.path}?{parts.query}").raise_for_status().text
        opened = browser.post("/kunjungan", data={"data": parse_qs(parts.fragment)["tgWebAppData"][0]})
        browser.headers["Authorization"] = f"Bearer {opened.raise_for_status().json()['visit']}"
        yield browser, browser.get("/pendaftaran").raise_for_status().text


def sets_the_password(product: Product, address: str) -> None:
    code = re.search(r"^ {4}([0-9A-Z]{4}-[0-9A-Z]{4})$", product.mail(PERSON.email)["text"], re.MULTILINE)
    assert code is not None
    with page(product, address) as (browser, listed):
        (registration,) = re.findall(r'data-registration="(\w+)"', listed)
        form = {"code": code[1], "password": PASSWORD, "again": PASSWORD, "consent": "2026-11"}
        done = browser.post(f"/pendaftaran/{registration}/aktivasi", data=form)
        assert "Selamat!" in done.raise_for_status().text


def sees_it_active(product: Product, address: str) -> None:
    with page(product, address) as (_, listed):
        assert 'data-status="active"' in listed


async def test_the_button_in_the_chat_leads_to_an_active_account_and_the_chat_is_told(tmp_path: Path) -> None:
    async with FakeBotApi() as fake:
        product = Product(
            tmp_path,
            PUBLIC_URL="https://akses.example",
            TELEGRAM_BOT_TOKEN=fake.token,
            TELEGRAM_API_BASE=fake.base_url,
        )
        try:
            await asyncio.to_thread(product.start)
            await connected(fake, "polling")
            user = fake.user("Ratna")
            user.starts()
            sees = (
                "Selamat datang",
                "Pilih tipe",
                "nama lengkap",
                "NIK",
                "nomor handphone",
                "e-mail",
                "Informasi Anda",
                "Terima kasih",
            )
            await user.sees(sees[0])
            for (how, what), words in zip(PERSON.steps, sees[1:], strict=True):
                user.presses(what) if how == "press" else user.says(what)
                await user.sees(words)
            await asyncio.to_thread(sets_the_password, product, user.opens("Aktifkan di sini"))
            await user.sees(CONGRATULATION)
            await asyncio.to_thread(sees_it_active, product, user.opens("Aktifkan di sini"))
            everything = user.chat.transcript() + product.log
            for secret in ("/aktivasi/akt_", "akv_", "tgWebAppData", "query_id"):
                assert secret not in everything
            assert product.faults == []
        finally:
            await asyncio.to_thread(product.kill)
