"""The inbox in a real browser: it refreshes itself, its links lead on, and a hostile mail can do nothing."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, Request, async_playwright, expect

from backend.mail.render import render_activation

MakeMail = Callable[..., EmailMessage]
pytestmark = pytest.mark.journey

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Operator:
    public_url: str = "https://pendaftaran.akses.example"
    operator_name: str = "Perusahaan Efek Nusantara Sejahtera Abadi Tbk"
    demo: bool = True


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        await browser.close()


@pytest.fixture
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(viewport={"width": 360, "height": 740})
    yield context
    await context.close()


@pytest.fixture
async def page(context: BrowserContext) -> Page:
    return await context.new_page()


async def test_a_new_mail_appears_by_itself_and_is_announced(inbox, page: Page, mail: MakeMail) -> None:
    await page.goto(f"{inbox.url}/inbox")
    await expect(page.get_by_text("Belum ada surat")).to_be_visible()
    await inbox.send(mail())
    await expect(page.locator("a.mail")).to_have_count(1, timeout=15000)
    await expect(page.get_by_role("status")).to_have_text("Surat baru masuk.")
    await inbox.send(mail())
    await expect(page.get_by_text("diterima 2x")).to_be_visible(timeout=15000)


async def test_without_script_the_list_is_there_and_reloads_itself(inbox, browser: Browser, mail: MakeMail) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{inbox.url}/inbox")
    await inbox.send(mail())
    await expect(page.locator("a.mail")).to_have_count(1, timeout=30000)
    await page.locator("a.mail").click()
    await expect(page.frame_locator("iframe").get_by_text("Aktifkan")).to_be_visible()
    await context.close()


@pytest.mark.parametrize("where", ["html", "text"])
async def test_the_activation_link_opens_an_ordinary_tab_of_its_own(
    inbox, page: Page, context: BrowserContext, mail: MakeMail, where: str
) -> None:
    """Not a sandboxed one, where the password page would not work, and not one that can reach back."""
    link = f"{inbox.url}/aktivasi/akt_abc"
    await inbox.send(mail(text=f"Buka {link}.", html=f'<a href="{link}">Aktifkan</a>'))
    await page.goto(f"{inbox.url}/inbox/{inbox.store.mails()[0].id}")
    link_in = page.frame_locator("iframe").get_by_text("Aktifkan") if where == "html" else page.get_by_role("link", name=link)
    async with context.expect_page() as opening:
        await link_in.click()
    opened = await opening.value
    await opened.wait_for_load_state()
    assert opened.url == link
    assert await opened.evaluate("[self.origin, window.opener, document.referrer]") == [inbox.url, None, ""]
    assert page.url.endswith(inbox.store.mails()[0].id)


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("language", ["id", "en"])
async def test_the_whole_activation_mail_is_seen_without_scrolling_inside_it(
    inbox, browser: Browser, mail: MakeMail, width: int, language: Literal["id", "en"]
) -> None:
    """The sandbox may run no script that would tell its height, so the frame has to be tall enough by itself."""
    rendered = render_activation(
        language=language,
        full_name="Raden Ajeng Siti Rahmawati Kusumaningrum Wiryodiningrat",
        link=f"https://pendaftaran.akses.example/aktivasi/akt_{'k' * 43}",
        expires_at=datetime(2026, 11, 25, 1, 5, tzinfo=UTC),
        config=Operator(),
    )
    await inbox.send(mail(text=rendered.text, html=rendered.html))
    context = await browser.new_context(viewport={"width": width, "height": 740})
    page = await context.new_page()
    await page.goto(f"{inbox.url}/inbox/{inbox.store.mails()[0].id}")
    await expect(page.frame_locator("iframe").get_by_text("helpdesk@ksei.co.id")).to_be_visible()
    frame = page.frames[1]
    assert await frame.evaluate("document.documentElement.scrollHeight <= innerHeight")
    assert await frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await context.close()


BAD = "<script>parent.fetch('/pwned')</script><img src=/pwned onerror=\"fetch('/pwned')\">"
HOSTILE = f"""<html><head><base href="https://evil.example.org/"><meta http-equiv="refresh" content="0;url=/pwned">
<link rel="stylesheet" href="/pwned"><link rel="prefetch" href="/pwned">
<style>@import "/pwned"; body {{ background: url(/pwned) }}</style></head>
<body onload="fetch('/pwned')">{BAD}<svg onload="fetch('/pwned')"></svg><iframe src="/pwned"></iframe><object data="/pwned"></object>
<embed src="/pwned"><video src="/pwned" autoplay></video><form action="/pwned" method="post"><button>Kirim</button></form>
<a href="javascript:fetch('/pwned')">Jahat</a><a href="javascript:parent.document.title='pwned'" target="_top">Atas</a>
<a href="data:text/html,<script>fetch('{{url}}/pwned')</script>">Data</a><p>Selesai</p></body></html>"""


async def test_a_hostile_mail_runs_nothing_sends_nothing_and_leads_nowhere(
    inbox, page: Page, context: BrowserContext, mail: MakeMail
) -> None:
    wanted: list[Request] = []
    held: list[Request] = []  # by the content security policy: these never left the browser
    context.on("request", lambda request: wanted.append(request))  # noqa: PLW0108 (Playwright cannot take a built-in)
    context.on("requestfailed", lambda request: held.append(request) if request.failure == "csp" else None)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    message = mail(
        subject=f"{BAD}<b>tebal</b>",
        text=f'{BAD}\nhttp://a.example/"onmouseover=alert(1)',
        html=HOSTILE.replace("{url}", inbox.url),
    )
    del message["From"], message["Message-ID"]
    message["From"] = f'"{BAD.replace(chr(34), "")}" <a@example.com>'
    message["Message-ID"] = "<'\"><script>fetch('/pwned')</script>@x>"
    await inbox.send(message)

    await page.goto(f"{inbox.url}/inbox")
    title = await page.title()
    await expect(page.locator("a.mail")).to_contain_text("<b>tebal</b>")
    await page.locator("a.mail").click()
    await expect(page.locator("h1")).to_contain_text("<script>")
    frame = page.frame_locator("iframe")
    await expect(frame.get_by_text("Selesai")).to_be_visible()
    for name in ("Jahat", "Atas", "Data"):
        await frame.get_by_text(name).click()
    await frame.get_by_role("button", name="Kirim").click()
    await page.reload()
    await expect(frame.get_by_text("Selesai")).to_be_visible()

    assert any("pwned" in request.url for request in held)
    asked = [request.url for request in wanted if request not in held]
    assert [url for url in asked if "pwned" in url or "evil" in url] == []
    assert {re.sub(r"^(https?://[^/]+).*", r"\1", url) for url in asked if url.startswith("http")} == {inbox.url}
    assert dialogs == []
    assert title == "Kotak masuk"
    assert await page.title() != "pwned"
    for opened in context.pages:
        assert "pwned" not in opened.url


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_every_page_is_accessible_and_fits(inbox, browser: Browser, mail: MakeMail, width: int, scheme: str) -> None:
    long = "direktur.utama.dengan.nama.yang.panjang.sekali@perusahaan-terbuka-indonesia.example.com"
    context = await browser.new_context(viewport={"width": width, "height": 740}, color_scheme=scheme)  # type: ignore[arg-type]
    page = await context.new_page()
    looked: list[str] = []
    for _ in range(2):
        for path in ["/inbox", "/inbox?lang=en", "/inbox/unknown", *(f"/inbox/{caught.id}" for caught in inbox.store.mails())]:
            await page.goto(inbox.url + path)
            violations = (await Axe().run(page)).response["violations"]
            assert [(path, each["id"], each["nodes"][0]["html"]) for each in violations] == []
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
            assert await page.locator("link[rel=icon]").get_attribute("href") == "/assets/favicon.svg"
            looked.append(path)
        await inbox.send(mail(to=long, subject="Aktivasi" + "panjang" * 20))
        await inbox.send(mail(to=long, html=None))
    assert len(looked) == 8
    await context.close()
