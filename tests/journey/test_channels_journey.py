"""The guide by Telegram, polled and by webhook, and by the terminal's lines of JSON; the pages as a browser without JavaScript.

Each leaves a transcript that is documentation: tests/transcripts/journey-*.md.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from tests.fakes.bot_api import FakeBotApi
from tests.fakes.telegram_people import ChatMessage, User
from tests.journey.people import Details, activates, link_in, logs_in, pages
from tests.product import PATIENCE, ROOT, Product
from tests.services import free_port
from tests.transcripts import FOLDER, VARYING, Transcript, button, compare

pytestmark = pytest.mark.journey

PERSON = Details()
CONGRATULATION = "Selamat! Akun Anda sudah aktif."


def activate_and_log_in(product: Product) -> None:
    """What happens outside the chat: the mail, its page, the account."""
    with pages(product.url) as browser:
        answer = activates(browser, link_in(product.mail(PERSON.email)))
        assert answer.headers["location"] == "/aktivasi/selesai"
        done = browser.get("/aktivasi/selesai").raise_for_status().text
        assert "Selamat!" in done
        assert "Akun Anda sudah aktif" in done
        assert PERSON.name in logs_in(browser, PERSON.email).text


class Telegram:
    """Somebody's chat with the bot, written down."""

    def __init__(self, user: User, transcript: Transcript) -> None:
        self.user = user
        self.transcript = transcript
        self._noted = 0

    async def starts(self, sees: str) -> None:
        self.transcript.did("/start")
        self.user.starts()
        await self.sees(sees)

    async def says(self, words: str, sees: str) -> None:
        self.transcript.did(words)
        self.user.says(words)
        await self.sees(sees)

    async def presses(self, label: str, sees: str) -> None:
        self.transcript.did(button(label))
        callback = self.user.presses(label)
        await self.sees(sees)
        if callback:
            await self.user.sees_no_spinner(callback)

    async def sees(self, words: str) -> None:
        last = await self.user.sees(words)
        for message in self.user.answers:
            if self._noted < message.id <= last.id:
                self._note(message)
        self._noted = last.id

    def _note(self, message: ChatMessage) -> None:
        inline = [button(each["text"], each.get("url", "")) for row in message.rows for each in row]
        under = [button(each["text"]) for row in message.markup.get("keyboard", []) for each in row]
        marks = "\n\n(This message cannot be forwarded.)" if message.protected else ""
        self.transcript.bubble(message.text + marks, inline or under)


@pytest.mark.parametrize("mode", ["polling", "webhook"])
async def test_by_telegram(tmp_path: Path, mode: str) -> None:
    port = free_port()
    async with FakeBotApi() as fake:
        product = Product(
            tmp_path,
            PORT=str(port),
            PUBLIC_URL=f"http://localhost:{port}",
            TELEGRAM_BOT_TOKEN=fake.token,
            TELEGRAM_API_BASE=fake.base_url,
            TELEGRAM_MODE=mode,
            TELEGRAM_WEBHOOK_SECRET="a-secret_of-36-characters-0123456789",
        )
        try:
            await asyncio.to_thread(product.start)
            await connected(fake, mode)
            transcript = Transcript(
                f"# The guide in Telegram, by {mode}\n\nAs played by tests/journey/test_channels_journey.py.",
                VARYING,
            )
            chat = Telegram(fake.user("Ratna", phone=PERSON.phone), transcript)
            await chat.starts("Selamat datang")
            await chat.presses("Setuju", "Pilih tipe registrasi")
            await chat.presses("Individu Lokal", "Siapa nama lengkap Anda?")
            await chat.says(PERSON.name, "Berapa NIK Anda?")
            await chat.says("12345", "kurang 11")
            await chat.says(PERSON.nik, "Berapa nomor handphone Anda?")
            if mode == "polling":
                await chat.says(PERSON.phone, "Apa alamat e-mail Anda?")
            else:
                chat.user.phone = "6281398765432"
                await chat.presses("Bagikan nomor saya", "Apa alamat e-mail Anda?")
            await chat.says(PERSON.email, "Informasi Anda")
            await chat.presses("Aktivasi", "Terima kasih sudah melakukan pendaftaran")
            await asyncio.to_thread(activate_and_log_in, product)
            transcript.heading("After the password was set on the page", "By itself:")
            await chat.sees(CONGRATULATION)

            await chat.says("status", "sudah dapat dipakai")
            assert (
                "\n".join(message.text for message in chat.user.answers).count(CONGRATULATION) == 2
            )  # and once more after `status`
            transcript.heading("What stays in the chat", f"```text\n{chat.user.chat.transcript()}\n```")
            assert product.faults == []
        finally:
            await asyncio.to_thread(product.kill)
    compare(FOLDER / f"journey-telegram-{mode}.md", transcript.text)


async def connected(fake: FakeBotApi, mode: str) -> None:
    """The bot listens: aiogram is imported beside the start, not before it."""
    async with asyncio.timeout(PATIENCE):
        while not (fake.webhook if mode == "webhook" else fake.called("getUpdates")):  # noqa: ASYNC110 (the fake tells nobody)
            await asyncio.sleep(0.05)


class Terminal:
    """`akses chat --json` as a program drives it, line by line."""

    def __init__(self, process: subprocess.Popen[str], transcript: Transcript) -> None:
        self._process = process
        self._transcript = transcript
        self._lines: Queue[str | None] = Queue()
        self._seen: set[int] = set()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def writes(self, **line: Any) -> None:
        assert self._process.stdin is not None
        self._transcript.did(f"`{json.dumps(line)}`")
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()

    def reads_until(self, step: str) -> None:
        """The lines up to the screen of this step, written down."""
        while True:
            line = self._lines.get(timeout=PATIENCE)
            assert line is not None, f"the chat ended before {step}"
            item = json.loads(line)
            self._note(item)
            if item.get("step") == step and item.get("token"):
                return

    def ends(self) -> int:
        assert self._process.stdin is not None
        self._process.stdin.close()
        code = self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def _note(self, item: dict[str, Any]) -> None:
        changed = item["seq"] in self._seen
        self._seen.add(item["seq"])
        if item["from"] == "user" and not changed:
            return
        step = f"{'/'.join(map(str, item['progress']))} \N{MIDDLE DOT} " if "progress" in item else ""
        words = "\n\n".join(filter(None, (item.get("notice"), step + item["text"])))
        before = f"(What {'the person' if item['from'] == 'user' else 'we'} said before becomes:)\n\n" if changed else ""
        options = (f"[{each['label']}: `{each['id']}`]" for each in item.get("actions", ()) if not each.get("url"))
        ways = (button(each["label"], each["url"]) for each in item.get("actions", ()) if each.get("url"))
        self._transcript.bubble(before + words, (*options, *ways))


@contextmanager
def terminal(product: Product, transcript: Transcript) -> Iterator[Terminal]:
    process = subprocess.Popen(
        [sys.executable, "-m", "akses", "chat", "--json", "--new", "--language", "id"],
        cwd=ROOT,
        env=product.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Terminal(process, transcript)
        finally:
            process.kill()


def test_by_terminal(product: Product) -> None:
    transcript = Transcript(
        "# The guide by `akses chat --json`\n\n"
        "Lines of JSON in, lines of JSON out; of these, the words and the buttons with the ids to press are written down here. "
        "As played by tests/journey/test_channels_journey.py.",
        VARYING,
    )
    with terminal(product, transcript) as chat:
        chat.reads_until("consent")
        for line, step in (
            ({"press": "agree"}, "kind"),
            ({"press": "kind.individu_lokal"}, "full_name"),
            ({"text": PERSON.name}, "nik"),
            ({"text": "12345"}, "nik"),
            ({"text": PERSON.nik}, "phone"),
            ({"text": PERSON.phone}, "email"),
            ({"text": PERSON.email}, "summary"),
            ({"press": "activate"}, "pending"),
        ):
            chat.writes(**line)
            chat.reads_until(step)
        activate_and_log_in(product)
        transcript.heading("After the password was set on the page")
        chat.writes(wait="active", seconds=60)
        chat.reads_until("active")
        assert chat.ends() == 0
    assert CONGRATULATION in transcript.text
    compare(FOLDER / "journey-terminal.md", transcript.text)
