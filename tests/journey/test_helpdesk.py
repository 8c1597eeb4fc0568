"""Two agents in two browsers, investors in Telegram, web chat and terminal, all at once; and the console looked at, by axe too.

Leaves pictures in .artifacts/screens/helpdesk/.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests.fakes.bot_api import FakeBotApi
from tests.journey.people import Details
from tests.journey.test_channels_journey import connected
from tests.product import PATIENCE, ROOT, Product

pytestmark = pytest.mark.journey

SCREENS: Final = ROOT / ".artifacts" / "screens" / "helpdesk"
ARGS: Final = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
TOO_SMALL: Final = """
[...document.querySelectorAll('.button, .input, .desk-tabs a, .desk-nav a')]
  .filter((each) => each.checkVisibility() && each.offsetHeight < 44).map((each) => each.outerHTML)
"""
WEB, TELEGRAM, TERMINAL = (
    Details(name="Wati Kencana Sari"),
    Details(name="Tono Gunawan Putra"),
    Details(name="Yuli Permata Hati"),
)
# Markup in every way that people could try it, as words of a message.
XSS: Final = (
    "<img src=x onerror=\"document.title='broken'\">",
    "<script>document.title='broken'</script>",
    '"><svg onload="document.title=\'broken\'">',
    "{{ 7*7 }} ${7*7} {% raw %}",
    "javascript:document.title='broken'",
    "</li></ol><style>body{display:none}</style>",
    "\u202eterbalik\u202c \u0000\ud83d",
)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGS)
        yield browser
        await browser.close()


async def context(browser: Browser, product: Product, complaints: list[str], **options: Any) -> BrowserContext:
    """A browser of somebody's own; it notes what breaks, and whoever asks another host or breaks the page's rules."""
    made = await browser.new_context(base_url=product.url, locale="id-ID", **options)
    made.set_default_timeout(PATIENCE * 1000)
    made.on("weberror", lambda error: complaints.append(str(error.error)))
    made.on("console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None)
    made.on("request", lambda asked: None if asked.url.startswith(product.url) else complaints.append(asked.url))
    return made


async def command(product: Product, *words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "akses", *words, cwd=ROOT, env=product.environment, stdout=PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()


async def signs_in(page: Page, product: Product) -> None:
    """By the link that the start prints."""
    found = re.findall(r"http\S+(/helpdesk/masuk/tautan/\S+)", product.log)
    await page.goto(found[-1])
    await page.get_by_role("button", name="Masuk").click()
    await page.wait_for_url("**/helpdesk")


async def accepts(page: Page, link: str) -> None:
    """An invitation: password and authenticator."""
    import pyotp

    await page.goto(link)
    secret = await page.locator(".desk-secret").inner_text()
    await page.get_by_label("Kata sandi", exact=True).fill("Kunang-kunang 7 terbang")
    await page.get_by_label("Ketik ulang kata sandi").fill("Kunang-kunang 7 terbang")
    await page.get_by_label("Kode yang ditampilkan aplikasi").fill(pyotp.TOTP(secret).now())
    await page.get_by_role("button", name="Simpan dan masuk").click()
    await page.get_by_role("link", name="Sudah saya simpan").click()
    await page.wait_for_url("**/helpdesk")


class WebInvestor:
    def __init__(self, page: Page) -> None:
        self.page = page

    async def says(self, words: str) -> None:
        await self.page.get_by_role("textbox").fill(words)
        await self.page.keyboard.press("Enter")

    async def sees(self, words: str) -> None:
        await expect(self.page.get_by_text(words).last).to_be_visible(timeout=PATIENCE * 1000)

    async def begins(self) -> None:
        await self.page.goto("/chat")
        await self.page.get_by_role("button", name="Setuju").click()
        await self.page.get_by_role("button", name="Individu Lokal").click()
        await self.sees("Siapa nama lengkap Anda?")
        await self.says(WEB.name)
        await self.sees("Berapa NIK Anda?")


class TerminalInvestor:
    """`akses chat --json`."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.lines: list[dict[str, Any]] = []

    async def writes(self, **line: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line).encode() + b"\n")
        await self._process.stdin.drain()

    async def until(self, seen: Callable[[dict[str, Any]], bool]) -> None:
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while True:
                line = json.loads(await self._process.stdout.readline())
                self.lines.append(line)
                if seen(line):
                    return

    async def step(self, name: str) -> None:
        await self.until(lambda line: line.get("step") == name and bool(line.get("token")))

    async def sees(self, words: str) -> None:
        await self.until(lambda line: words in f"{line.get('notice', '')} {line['text']}")

    async def begins(self) -> None:
        await self.step("consent")
        await self.writes(press="agree")
        await self.step("kind")
        await self.writes(press="kind.individu_lokal")
        await self.step("full_name")
        await self.writes(text=TERMINAL.name)
        await self.step("nik")


@asynccontextmanager
async def terminal(product: Product) -> AsyncIterator[TerminalInvestor]:
    words = ("-m", "akses", "chat", "--json", "--new", "--language", "id")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, cwd=ROOT, env=product.environment, stdin=PIPE, stdout=PIPE
    )
    try:
        yield TerminalInvestor(process)
    finally:
        process.kill()
        await process.wait()


async def opens(page: Page, channel: str) -> None:
    """The queue's ticket of this channel, which appears by itself."""
    item = page.locator(".desk-item", has_text=channel).first
    await item.click(timeout=PATIENCE * 1000)
    await page.wait_for_url("**/helpdesk/c/**")


async def answers(page: Page, words: str) -> None:
    await page.get_by_label("Pesan untuk investor").fill(words)
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".desk-agent", has_text=words)).to_be_visible(timeout=PATIENCE * 1000)


async def test_two_agents_and_three_investors_at_once(tmp_path: Path) -> None:
    SCREENS.mkdir(parents=True, exist_ok=True)
    complaints: list[str] = []
    async with FakeBotApi() as fake:
        product = Product(tmp_path, TELEGRAM_BOT_TOKEN=fake.token, TELEGRAM_API_BASE=fake.base_url)
        try:
            await asyncio.to_thread(product.start)
            invited = await command(product, "agents", "add", "rina", "--name", "Rina", "--role", "agent")
            link = re.search(r"http\S+(/helpdesk/undangan/\S+)", invited)
            assert link is not None
            async with chromium() as browser, terminal(product) as yuli:
                wide = {"viewport": {"width": 1280, "height": 800}}
                demo = await (await context(browser, product, complaints, **wide)).new_page()
                rina = await (await context(browser, product, complaints, **wide)).new_page()
                wati = WebInvestor(await (await context(browser, product, complaints)).new_page())
                tono = fake.user("Tono")
                await asyncio.gather(signs_in(demo, product), accepts(rina, link[1]))
                for page in (demo, rina):
                    await expect(page.locator("[data-state]")).to_have_text("Langsung", timeout=PATIENCE * 1000)

                async def telegram_begins() -> None:
                    tono.starts()
                    await tono.sees("Selamat datang")
                    tono.presses("Setuju")
                    await tono.sees("Pilih tipe registrasi")
                    tono.presses("Individu Lokal")
                    await tono.sees("Siapa nama lengkap Anda?")
                    tono.says(TELEGRAM.name)
                    await tono.sees("Berapa NIK Anda?")

                await connected(fake, "polling")
                await asyncio.gather(wati.begins(), yuli.begins(), telegram_begins())
                # All three ask for a human; the queue shows them to both agents without a reload.
                tono.says("petugas")
                await asyncio.gather(wati.says("petugas"), yuli.writes(text="petugas"))
                for page in (demo, rina):
                    await expect(page.locator(".desk-item")).to_have_count(3, timeout=PATIENCE * 1000)
                await rina.screenshot(path=SCREENS / "queue.png")

                # Both go for the same one: one has it, the other is told by whom.
                await asyncio.gather(opens(demo, "Web chat"), opens(rina, "Web chat"))
                await asyncio.gather(*(page.get_by_role("button", name="Ambil alih").click() for page in (demo, rina)))
                for page in (demo, rina):
                    header = page.locator("#kepala")
                    await expect(header).to_contain_text(re.compile("Anda yang menangani|Ditangani"), timeout=PATIENCE * 1000)
                won = [page for page in (demo, rina) if "Anda yang" in await page.locator("#kepala").inner_text()]
                assert len(won) == 1
                (lost,) = {demo, rina} - set(won)
                (winner,) = won
                name = "Rina" if winner is rina else "Petugas Demo"
                await expect(lost.locator("#kepala")).to_contain_text(f"Ditangani {name}")

                # The loser takes Telegram, the winner the terminal as well; messages go both ways, in order.
                await lost.goto("/helpdesk")
                await opens(lost, "Telegram")
                await lost.get_by_role("button", name="Ambil alih").click()
                await expect(lost.locator("#kepala")).to_contain_text("Anda yang menangani", timeout=PATIENCE * 1000)
                await answers(winner, "Halo dari meja satu")
                await answers(lost, "Halo dari meja dua")
                await asyncio.gather(wati.sees("Halo dari meja satu"), tono.sees("Halo dari meja dua"))
                for number in range(3):
                    await wati.says(f"web {number}")
                    tono.says(f"telegram {number}")
                for page, word in ((winner, "web"), (lost, "telegram")):
                    lines = page.locator(".desk-person", has_text=re.compile(f"{word} [0-2]"))
                    await expect(lines).to_have_count(3, timeout=PATIENCE * 1000)
                    said = await page.locator(".desk-person .desk-bubble").all_inner_texts()
                    assert [line for line in said if line.startswith(word)] == [f"{word} {number}" for number in range(3)]
                # Nothing of one in the other's.
                assert "telegram" not in await winner.locator("#percakapan").inner_text()
                assert "web 0" not in await lost.locator("#percakapan").inner_text()
                assert "meja satu" not in tono.chat.transcript()
                assert "meja dua" not in await wati.page.locator("body").inner_text()

                # Whatever a person writes is words.
                for payload in XSS:
                    await wati.says(payload)
                await expect(winner.locator(".desk-person", has_text="terbalik")).to_be_visible(timeout=PATIENCE * 1000)
                await winner.reload()
                assert "broken" not in await winner.title()
                assert await winner.locator("#percakapan img, #percakapan script, #percakapan style").count() == 0
                assert "{{ 7*7 }}" in await winner.locator("#percakapan").inner_text()
                assert WEB.name not in await winner.content()

                await examine(winner)

                # Handed back, the bot asks its open question again; the terminal still waits in the queue and is taken by a reply.
                await winner.get_by_role("button", name="Kembalikan ke bot").click()
                await wati.page.locator("text=Berapa NIK Anda?").nth(1).wait_for()
                await winner.goto("/helpdesk")
                await opens(winner, "Terminal")
                await answers(winner, "Selamat siang di terminal")
                await yuli.sees("Selamat siang di terminal")
                await lost.get_by_text("Lainnya").click()
                await lost.get_by_role("button", name="Tutup percakapan").click()
                await expect(lost.locator("#percakapan")).to_contain_text("menutup percakapan", timeout=PATIENCE * 1000)
                assert complaints == []
                assert product.faults == []
            proven = await command(product, "audit", "verify")
            assert "The chain holds." in proven
        finally:
            await asyncio.to_thread(product.kill)


async def examine(page: Page) -> None:
    """Light and dark, on a phone and on a desk: nothing serious of axe, nothing wider than the screen, nothing too small to touch."""
    for scheme in ("light", "dark"):
        for width in (360, 1280):
            await page.set_viewport_size({"width": width, "height": 800})
            await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
            found = [
                f"{violation['id']}: {node['html'][:160]}"
                for violation in (await Axe().run(page)).response["violations"]
                if violation["impact"] in {"serious", "critical"}
                for node in violation["nodes"]
            ]
            assert found == [], f"{scheme} {width}"
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{scheme} {width}"
            assert await page.evaluate(TOO_SMALL) == []
            await page.screenshot(path=SCREENS / f"chat-{scheme}-{width}.png", full_page=True)
    await page.set_viewport_size({"width": 1280, "height": 800})
    await page.emulate_media(color_scheme="light")
