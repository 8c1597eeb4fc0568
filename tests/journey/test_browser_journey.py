"""The whole guide by hand in a real Chromium, on a phone's width and on a desk's: looked at, listened to, and examined by axe.

Leaves pictures of every screen, dark and light, in .artifacts/screens/<width>/.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

from tests.journey.people import PASSWORD, Details
from tests.product import PATIENCE, ROOT, Product
from tests.transcripts import FOLDER, VARYING, Transcript, button, compare

pytestmark = pytest.mark.journey

SCREENS = ROOT / ".artifacts" / "screens"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
SCHEMES: Final[tuple[Literal["dark", "light"], ...]] = ("dark", "light")
TOO_SMALL = """
[...document.querySelectorAll('button, .button, .input')]
  .filter((each) => each.checkVisibility() && (each.offsetHeight < 44 || each.offsetWidth < 44)).map((each) => each.outerHTML)
"""
# Whatever moves has come to rest, but for what moves for ever; the chat has scrolled to where it wants to be.
STILL = """
async () => {
  const passing = document.getAnimations().filter((each) => each.effect.getComputedTiming().iterations !== Infinity);
  await Promise.all(passing.map((each) => each.finished.catch(() => null)));
  const view = document.querySelector('#view') ?? document.scrollingElement;
  for (let at = -1, frames = 0; frames < 12; frames = view.scrollTop === at ? frames + 1 : 0) {
    at = view.scrollTop;
    await new Promise(requestAnimationFrame);
  }
}
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    assert program is not None, "Chromium is not installed: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        yield browser
        browser.close()


class Visit:
    """One person's browser. It notes every complaint of its console and network, and every request that leaves the product."""

    def __init__(self, context: BrowserContext, url: str, screens: Path) -> None:
        self._context = context
        self._url = url
        self._screens = screens
        self._count = 0
        self._examining = False
        self.complaints: list[str] = []
        self.findings: list[str] = []
        context.set_default_timeout(PATIENCE * 1000)
        context.on("console", self._heard)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("request", self._asked)
        context.on("requestfailed", self._failed)
        context.on("response", self._answered)
        shutil.rmtree(screens, ignore_errors=True)

    def _heard(self, message: ConsoleMessage) -> None:
        # axe looks into the frame of the mail, which lets no script in and says so.
        if message.type in {"error", "warning"} and not self._examining:
            self.complaints.append(f"console: {message.text} {message.location['url']}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((f"{self._url}/", "data:")):
            self.complaints.append(f"another host: {request.url}")

    def _failed(self, request: Request) -> None:
        # Leaving a page ends what it keeps asking for.
        asking = (f"{self._url}/chat/api/events", f"{self._url}/inbox/api/messages")
        if not (request.url.startswith(asking) and request.failure == "net::ERR_ABORTED"):
            self.complaints.append(f"failed: {request.method} {request.url} {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status}: {response.url}")

    def sees(self, page: Page, name: str) -> None:
        """Pictures of what is there now, by night and by day; and is it fit for everybody?"""
        self._count += 1
        page.bring_to_front()
        found: list[Any] = []
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            page.evaluate(STILL)
            page.screenshot(path=self._screens / f"{self._count:02}-{name}-{scheme}.png", full_page=True)
            self._examining = True
            found += Axe().run(page).response["violations"]
            self._examining = False
        self.findings += [
            f"{name}: {violation['id']}: {node['html'][:160]}"
            for violation in found
            if violation["impact"] in {"serious", "critical"}
            for node in violation["nodes"]
        ]
        if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
            self.findings.append(f"{name}: wider than the screen")
        self.findings += [f"{name}: smaller than a finger: {html}" for html in page.evaluate(TOO_SMALL)]


class Chat:
    """The chat in one tab, as its person uses it; all is written down."""

    def __init__(self, page: Page, transcript: Transcript) -> None:
        self.page = page
        self._transcript = transcript
        self._noted: set[str] = set()

    def presses(self, label: str) -> None:
        self._transcript.did(button(label))
        self.page.locator("#log").get_by_role("button", name=label, exact=True, disabled=False).last.click()

    def says(self, words: str) -> None:
        self._transcript.did(words)
        answer = self.page.locator("#answer")
        answer.fill(words)
        answer.press("Enter")

    def shows(self, words: str) -> None:
        """Wait for a bubble of ours that holds this, and write down what is new."""
        expect(self.page.locator(".chat-bot", has_text=words).last).to_be_visible(timeout=PATIENCE * 1000)
        expect(self.page.locator("#typing")).to_be_hidden()
        for bubble in self.page.locator(".chat-bot").all():
            seq = bubble.get_attribute("data-seq") or ""
            if seq not in self._noted:
                self._noted.add(seq)
                self._transcript.bubble(_words_of(bubble), _buttons_of(bubble))

    @property
    def text(self) -> str:
        return self.page.locator("#log").inner_text()


def _words_of(bubble: Locator) -> str:
    notice, progress = bubble.locator(".chat-notice"), bubble.locator(".chat-progress > span").first
    step = f"{progress.inner_text()} \N{MIDDLE DOT} " if progress.count() else ""
    words = step + bubble.locator(".chat-text").inner_text()
    return f"{notice.inner_text()}\n\n{words}" if notice.count() else words


def _buttons_of(bubble: Locator) -> list[str]:
    found = bubble.locator(".chat-actions > *").all()
    return [button((each.inner_text()).partition("\n")[0].strip(), each.get_attribute("href") or "") for each in found]


def page_words(page: Page) -> str:
    """The main part of a page as it is read."""
    lines = (line.strip() for line in page.locator("main").inner_text().splitlines())
    return "\n\n".join(filter(None, lines))


@pytest.mark.parametrize("width", [360, 1280])
def test_a_newcomer_registers_activates_and_logs_in(chromium: Browser, product: Product, width: int) -> None:
    person = Details()
    phone = width < 500
    context = chromium.new_context(
        base_url=product.url,
        viewport={"width": width, "height": 740 if phone else 800},
        is_mobile=phone,
        has_touch=phone,
        locale="id-ID",
        timezone_id="Asia/Jakarta",
    )
    visit = Visit(context, product.url, SCREENS / str(width))
    transcript = Transcript(
        "# The whole guide in the web chat\n\nFrom the front page to the account, as played by tests/journey/test_browser_journey.py.",
        VARYING,
    )

    # The front page leads to the chat.
    tab = context.new_page()
    tab.goto("/")
    visit.sees(tab, "home")
    transcript.heading("The chat")
    tab.get_by_role("main").get_by_role("link", name="Daftar", exact=True).click()
    chat = Chat(tab, transcript)
    chat.shows("Selamat datang")
    visit.sees(tab, "greeting")

    # One question after the other; what is wrong is said.
    chat.presses("Setuju")
    chat.shows("Pilih tipe registrasi")
    visit.sees(tab, "kind")
    chat.presses("Individu Lokal")
    chat.shows("Siapa nama lengkap Anda?")
    visit.sees(tab, "name")
    chat.says(person.name)
    chat.shows("Berapa NIK Anda?")
    visit.sees(tab, "nik")
    chat.says("12345")
    chat.shows("kurang 11")
    visit.sees(tab, "nik-refused")
    chat.says(person.nik)
    chat.shows("Berapa nomor handphone Anda?")
    visit.sees(tab, "phone")
    chat.says(person.phone)
    chat.shows("Apa alamat e-mail Anda?")
    visit.sees(tab, "email")
    chat.says(person.email)
    chat.shows("Informasi Anda")
    visit.sees(tab, "summary")
    chat.presses("Aktivasi")
    chat.shows("Terima kasih sudah melakukan pendaftaran")
    visit.sees(tab, "thanks")

    # The mail, in another tab; the chat stays open and untouched.
    mail = context.new_page()
    mail.goto("/inbox")
    expect(mail.locator("a.mail").first).to_be_visible()
    visit.sees(mail, "inbox")
    mail.locator("a.mail").first.click()
    frame = mail.frame_locator("iframe.mail-html")
    expect(frame.get_by_role("link", name="Link Aktivasi", exact=True)).to_be_visible()
    visit.sees(mail, "mail")
    words = product.mail(person.email)
    transcript.heading("The mail")
    transcript.bubble(f"{words['subject']}\n\n{words['text'].strip()}")

    # The password, twice.
    with context.expect_page() as opened:
        frame.get_by_role("link", name="Link Aktivasi", exact=True).click()
    page = opened.value
    expect(page.get_by_label("Ketik kata kunci", exact=True)).to_be_visible()
    visit.sees(page, "password")
    transcript.heading("The page behind the link", page_words(page))
    page.get_by_label("Ketik kata kunci", exact=True).fill("rahasia")
    page.get_by_label("Ketik ulang kata kunci", exact=True).fill("rahasia")
    visit.sees(page, "password-weak")
    page.get_by_label("Ketik kata kunci", exact=True).fill(PASSWORD)
    page.get_by_label("Ketik ulang kata kunci", exact=True).fill(PASSWORD)
    page.get_by_label("Saya adalah orang yang namanya tertera").check()
    visit.sees(page, "password-strong")
    page.get_by_role("button", name="Aktifkan Akun Saya").click()
    page.wait_for_url("**/aktivasi/selesai")
    expect(page.get_by_role("heading", name="Selamat!")).to_be_visible()
    expect(page.get_by_text("Akun Anda sudah aktif")).to_be_visible()
    visit.sees(page, "congratulations")
    transcript.heading("After Aktifkan Akun Saya", page_words(page))

    # The open chat says so by itself.
    transcript.heading("Meanwhile in the chat, by itself")
    chat.shows("Selamat! Akun Anda sudah aktif")
    visit.sees(tab, "chat-active")
    assert chat.text.count("Selamat! Akun Anda sudah aktif") == 1
    expect(tab.locator("#log").get_by_role("link", name="Beranda")).to_have_attribute("href", f"{product.url}/")

    # Beranda, and in.
    page.get_by_role("link", name="Beranda").click()
    page.get_by_role("main").get_by_role("link", name="Masuk", exact=True).click()
    expect(page.get_by_role("heading", name="Masuk")).to_be_visible()
    visit.sees(page, "log-in")
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Kata sandi", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Masuk", exact=True).click()
    page.wait_for_url("**/akun")
    expect(page.get_by_text(person.name)).to_be_visible()
    visit.sees(page, "account")
    transcript.heading("The account page after Beranda and Masuk", page_words(page))

    context.close()
    assert visit.complaints == []
    assert visit.findings == []
    compare(FOLDER / "journey-web.md", transcript.text)
