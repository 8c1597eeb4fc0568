"""The bots of `examples/` as their owners run them, beside the real backend: the whole guide, a kill on the way, and their own handlers."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.bot_api import FakeBotApi
from tests.journey.people import Details, activates, link_in, pages
from tests.product import PATIENCE, ROOT, Product
from tests.services import free_port

pytestmark = pytest.mark.journey

PERSON = Details()
KEY, SECRET = "key-of-the-brokers-bot", "whsec_Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4"


class Example:
    """One of the bots, in a process of its own."""

    def __init__(self, name: str, folder: Path, fake: FakeBotApi, backend: Product, port: int) -> None:
        self._command = [sys.executable, str(ROOT / "examples" / name)]
        self._fake = fake
        self._log = folder / "bot.log"
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "TELEGRAM_BOT_TOKEN": fake.token,
            "TELEGRAM_API_BASE": fake.base,
            "BACKEND_URL": backend.url,
            "BACKEND_API_KEY": KEY,
            "STATUS_WEBHOOK_SECRET": SECRET,
            "PUBLIC_URL": backend.url,
            "OPERATOR_NAME": "Sekuritas Contoh",
            "DATA_DIR": str(folder / "bot"),
            "PORT": str(port),
        }
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        before = len(self._fake.called("getUpdates"))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 (it is quick)
                self._command, cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )
        async with asyncio.timeout(3 * PATIENCE):  # aiogram alone takes seconds to be imported
            while len(self._fake.called("getUpdates")) == before:
                assert self._process.poll() is None, self.log
                await asyncio.sleep(0.05)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> int:
        assert self._process is not None
        self._process.terminate()
        code = self._process.wait(PATIENCE)
        self._process = None
        return code

    @property
    def log(self) -> str:
        return self._log.read_text("utf-8", "replace")


def activate(backend: Product) -> None:
    with pages(backend.url) as browser:
        activates(browser, link_in(backend.mail(PERSON.email)))


@pytest.mark.parametrize("name", ["aiogram_bot.py", "ptb_bot.py"])
async def test_a_brokers_bot_registers_somebody_and_goes_on_as_before(name: str, tmp_path: Path) -> None:
    port = free_port()
    async with FakeBotApi() as fake:
        backend = Product(
            tmp_path,
            BACKEND_API_KEY=KEY,
            STATUS_WEBHOOK_SECRET=SECRET,
            STATUS_WEBHOOK_URL=f"http://127.0.0.1:{port}/status/webhook",
        )
        bot = Example(name, tmp_path, fake, backend, port)
        try:
            await asyncio.to_thread(backend.start)
            await bot.start()
            user = fake.user("Ratna", phone=PERSON.phone)
            user.starts()
            await user.sees("Selamat datang di Sekuritas Contoh.")
            user.says("/daftar")
            await user.sees("Selamat datang di pendaftaran akun AKSes")
            user.presses("Setuju")
            await user.sees("Pilih tipe registrasi")
            user.presses("Individu Lokal")
            await user.sees("Siapa nama lengkap Anda?")
            user.says(PERSON.name)
            await user.sees("Berapa NIK Anda?")
            user.says("/harga")
            await user.sees("Harga saham apa?")
            user.presses("BBCA")
            await user.sees("BBCA: Rp 9.175")
            user.says(PERSON.nik)
            bot.kill()
            user.says(PERSON.phone)
            await bot.start()
            await user.sees("Apa alamat e-mail Anda?")
            user.says(PERSON.email)
            await user.sees("Informasi Anda")
            user.presses("Aktivasi")
            await user.sees("Terima kasih sudah melakukan pendaftaran")
            await asyncio.to_thread(activate, backend)
            await user.sees("Selamat! Akun Anda sudah aktif.")
            user.says("/kontak")
            await user.sees("Telepon (021) 555-0100")
            user.says("terima kasih")
            await user.sees('Maaf, kami belum mengerti "terima kasih".')
            assert await asyncio.to_thread(bot.stop) == 0, bot.log
            assert backend.faults == []
            for secret in (fake.token, PERSON.nik, PERSON.email, PERSON.name):
                assert secret not in bot.log
        finally:
            bot.kill()
            await asyncio.to_thread(backend.kill)
