"""The chat page in a real Chromium: by mouse, by keyboard alone, over a lost connection, in somebody else's page."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from dialogs.effects import Redraw
from dialogs.events import ButtonPressed, CommandSent, TextSent
from dialogs.screens import Screen
from tests.bot.web.web_site import NIK, Opening, Site, free_port, serving

ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
STATIC = Path(__file__).resolve().parents[3] / "bot" / "channels" / "web" / "static"


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGS)
        yield browser
        await browser.close()


@pytest.fixture
async def context(chromium: Browser) -> AsyncIterator[BrowserContext]:
    context = await chromium.new_context(viewport={"width": 360, "height": 740}, timezone_id="Asia/Jakarta")
    context.set_default_timeout(10_000)
    yield context
    await context.close()


@pytest.fixture
async def page(context: BrowserContext) -> AsyncIterator[Page]:
    """A page on which nothing may go wrong unnoticed: no script error, nothing that its own security policy refuses."""
    page = await context.new_page()
    wrong: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error" and "ERR_" not in message.text and "the server responded" not in message.text:
            wrong.append(message.text)

    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", heard)
    yield page
    assert not wrong


async def type_in(page: Page, *answers: str) -> None:
    """Each answer typed once the one before it was taken."""
    for answer in answers:
        steps = await page.locator(".chat-bot").count()
        await page.locator("#answer").fill(answer)
        await page.keyboard.press("Enter")
        await expect(page.locator(".chat-bot")).to_have_count(steps + 1)


async def agree(page: Page, url: str, query: str = "") -> None:
    await page.goto(f"{url}/chat{query}")
    await page.get_by_role("button", name="Setuju").click()
    await expect(page.get_by_text("Siapa nama lengkap")).to_be_visible()


async def seriously_wrong(page: Page) -> list[str]:
    results = await Axe().run(page)
    return [
        f"{violation['id']}: {violation['nodes'][0]['html']}"
        for violation in results.response["violations"]
        if violation["impact"] in ("serious", "critical")
    ]


async def test_the_whole_form_by_mouse_and_keyboard_ends_with_masked_bubbles_and_a_reload_shows_the_same(
    site: Site, page: Page
) -> None:
    await agree(page, site.url)
    await type_in(page, "Budi Santoso", NIK, "0812-3456-7890", "budi@example.com")
    await expect(page.get_by_text("Terima kasih sudah melakukan pendaftaran.")).to_be_visible()
    masked = ["Setuju", "••••••••", "3171********0001", "0812****7890", "b***@example.com"]
    await expect(page.locator(".chat-own .chat-text")).to_have_text(masked)
    before = await page.locator(".chat-text").all_inner_texts()
    await page.reload()
    await expect(page.locator(".chat-state")).to_have_attribute("data-state", "online")
    assert await page.locator(".chat-text").all_inner_texts() == before
    assert NIK not in await page.content()


async def test_the_keyboard_alone_is_enough(site: Site, page: Page) -> None:
    await page.goto(f"{site.url}/chat")
    await expect(page.get_by_role("button", name="Setuju")).to_be_visible()
    await page.locator("#answer").focus()
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Shift+Tab")
    await expect(page.get_by_role("button", name="Setuju")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Siapa nama lengkap")).to_be_visible()
    await expect(page.locator("#answer")).to_be_focused()
    await page.keyboard.type("Budi Santoso")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Berapa NIK Anda?")).to_be_visible()
    await expect(page.locator("#answer")).to_be_focused()


async def test_news_do_not_take_the_focus_or_what_is_being_typed(site: Site, page: Page) -> None:
    await agree(page, site.url)
    await page.locator("#answer").fill("Budi San")
    await site.news(site.turns.taken[0][0], "Selamat! Akun Anda sudah aktif")
    await expect(page.get_by_text("Selamat!")).to_be_visible()
    await expect(page.locator("#answer")).to_be_focused()
    await expect(page.locator("#answer")).to_have_value("Budi San")


async def test_only_the_newest_screens_buttons_work_and_a_double_tap_is_one_press(site: Site, page: Page) -> None:
    await page.goto(f"{site.url}/chat")
    await page.get_by_role("button", name="Setuju").dblclick()
    await expect(page.get_by_text("Siapa nama lengkap")).to_be_visible()
    await expect(page.get_by_role("button", name="Setuju")).to_be_disabled()
    await expect(page.get_by_role("button", name="Kembali")).to_be_enabled()
    presses = [event for _, event, _ in site.turns.taken if isinstance(event, ButtonPressed)]
    assert presses == [ButtonPressed("t1", "agree", "out-1")]


async def test_the_field_is_labelled_and_its_keyboard_fits_the_question(site: Site, page: Page) -> None:
    await agree(page, site.url)
    expected = (
        ("Nama lengkap", "text", "name", "Budi Santoso"),
        ("NIK", "numeric", "off", NIK),
        ("Nomor handphone", "tel", "tel", "0812-3456-7890"),
        ("E-mail", "email", "email", "budi@example.com"),
    )
    for label, mode, autocomplete, answer in expected:
        field = page.get_by_label(label, exact=True)
        await expect(field).to_have_attribute("inputmode", mode)
        await expect(field).to_have_attribute("autocomplete", autocomplete)
        await type_in(page, answer)
    await expect(page.get_by_label("Pesan Anda")).to_be_visible()


async def test_a_refused_answer_is_marked_at_the_field_and_a_command_is_no_refusal(site: Site, page: Page) -> None:
    await agree(page, site.url)
    await type_in(page, "Budi Santoso", "123")
    field = page.get_by_label("NIK", exact=True)
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(field).to_have_accessible_description(re.compile("NIK terdiri dari 16 digit"))
    await expect(page.locator(".chat-notice[data-refused]")).to_have_count(1)
    await type_in(page, "/help")
    await expect(field).to_have_attribute("aria-invalid", "false")
    await expect(page.locator(".chat-notice[data-refused]")).to_have_count(1)


async def test_a_word_where_only_buttons_answer_is_no_refusal(site: Site, page: Page) -> None:
    await page.goto(f"{site.url}/chat")
    await expect(page.get_by_role("button", name="Setuju")).to_be_enabled()
    await type_in(page, "warna biru")
    await expect(page.get_by_text("Silakan pilih salah satu tombol")).to_be_visible()
    await expect(page.locator(".chat-notice[data-refused]")).to_have_count(0)


async def test_a_long_message_is_read_from_its_top_and_a_reader_who_scrolled_back_is_not_moved(site: Site, page: Page) -> None:
    await agree(page, site.url)
    conversation = site.turns.taken[0][0]
    await site.news(conversation, "Awal yang panjang\n" + "baris\n" * 60)
    await expect(page.get_by_text("Awal yang panjang")).to_be_in_viewport(ratio=0.1)
    await page.get_by_role("button", name="Ke bawah").click()
    await expect(page.locator(".chat-message").last.locator("time")).to_be_in_viewport()
    await expect(page.locator("#newest")).to_be_hidden()
    for n in range(5):
        await site.news(conversation, f"kabar {n}")
    await expect(page.get_by_text("kabar 4")).to_be_in_viewport()
    await page.locator("#view").hover()
    await page.mouse.wheel(0, -1500)
    await expect(page.get_by_text("kabar 4")).not_to_be_in_viewport()
    await site.news(conversation, "kabar terakhir")
    await expect(page.get_by_role("button", name="Pesan baru")).to_be_visible()
    await expect(page.get_by_text("kabar terakhir")).not_to_be_in_viewport()
    await page.get_by_role("button", name="Pesan baru").click()
    await expect(page.get_by_text("kabar terakhir")).to_be_in_viewport()


async def test_progress_links_and_who_runs_it_are_shown(site: Site, page: Page) -> None:
    await page.goto(f"{site.url}/chat")
    link = page.get_by_role("link", name="Baca kebijakan")
    await expect(link).to_have_attribute("href", "/privasi")
    await expect(link).to_have_attribute("rel", "noopener noreferrer")
    await expect(page.get_by_role("banner")).to_contain_text("Demonstrasi: data Anda tetap di mesin ini.")
    await expect(page.get_by_role("banner")).to_contain_text("Dioperasikan oleh Tim Contoh")
    await page.get_by_role("button", name="Setuju").click()
    await expect(page.get_by_text("Langkah 1 dari 4")).to_be_attached()
    await expect(page.locator("time").last).to_have_text(re.compile(r"^\d\d[.:]\d\d$"))


async def test_a_production_page_does_not_call_itself_a_demonstration(open_site: Opening, page: Page) -> None:
    async with open_site(demo=False) as site:
        await page.goto(f"{site.url}/chat")
        await expect(page.get_by_role("banner")).to_contain_text("Dioperasikan oleh Tim Contoh")
        await expect(page.get_by_role("banner")).not_to_contain_text("Demonstrasi")


async def test_the_log_is_announced_only_once_the_history_stands(site: Site, page: Page) -> None:
    await page.goto(f"{site.url}/chat")
    log = page.get_by_role("log")
    await expect(log).to_have_attribute("aria-live", "polite")
    await expect(log.get_by_text("Asisten AKSes")).to_have_count(1)


async def test_a_message_written_while_the_server_is_away_arrives_once_when_it_is_back(open_site: Opening, page: Page) -> None:
    async with open_site() as before:
        await agree(page, before.url)
    await page.locator("#answer").fill("Budi Santoso")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Belum terkirim, mencoba lagi…")).to_be_visible()
    await expect(page.locator(".chat-state")).not_to_have_attribute("data-state", "online")
    port = int(before.url.rsplit(":", 1)[1])
    async with open_site(turns=before.turns, transcript=before.transcript, port=port) as after:
        await expect(page.get_by_text("Berapa NIK Anda?")).to_be_visible(timeout=20_000)
        await expect(page.locator(".chat-state")).to_have_attribute("data-state", "online", timeout=20_000)
        await expect(page.locator(".chat-own", has_text="Budi Santoso")).to_have_count(1)
        await after.news(after.turns.taken[0][0], "Kabar sesudahnya")
        await expect(page.get_by_text("Kabar sesudahnya")).to_be_visible()
        assert len([event for _, event, _ in after.turns.taken if isinstance(event, TextSent)]) == 1


async def test_who_was_offline_for_a_moment_is_told_when_that_is_over(site: Site, context: BrowserContext, page: Page) -> None:
    await agree(page, site.url)
    await expect(page.locator("#state")).to_have_text("Tersambung")
    await context.set_offline(True)
    await expect(page.locator("#state")).to_have_text("Anda sedang luring")
    await context.set_offline(False)
    await expect(page.locator("#state")).to_have_text("Tersambung")


async def test_while_the_store_is_down_the_page_says_that_it_is_trying_and_sends_by_itself(site: Site, page: Page) -> None:
    await agree(page, site.url)
    site.turns.down = True
    await page.locator("#answer").fill("Budi Santoso")
    await page.keyboard.press("Enter")
    await expect(page.locator("#typing")).to_be_visible()
    site.turns.down = False
    await expect(page.get_by_text("Berapa NIK Anda?")).to_be_visible()
    await expect(page.locator("#typing")).to_be_hidden()
    await expect(page.locator(".chat-own", has_text="Budi Santoso")).to_have_count(1)


async def test_a_text_that_is_too_long_is_refused_in_words_and_given_back(site: Site, page: Page) -> None:
    await agree(page, site.url)
    await page.locator("#answer").fill("a" * 4097)
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Pesan Anda terlalu panjang (4097 karakter).")).to_be_in_viewport()
    await expect(page.locator("#answer")).to_have_value("a" * 4097)
    await expect(page.get_by_role("button", name="Kembali")).to_be_enabled()


async def test_where_streams_are_held_back_the_page_asks_instead(site: Site, page: Page) -> None:
    await page.clock.install()
    await page.route("**/chat/api/events*", lambda _: None)  # never answered
    async with page.expect_request("**/chat/api/events*"):
        await page.goto(f"{site.url}/chat")
    await page.clock.run_for(11_000)
    await expect(page.get_by_role("button", name="Setuju")).to_be_visible()
    await site.news(site.turns.taken[0][0], "Kabar tanpa aliran")
    await expect(page.get_by_text("Kabar tanpa aliran")).to_be_visible()


async def test_a_redrawn_screen_is_replaced_on_the_open_page(site: Site, page: Page) -> None:
    await agree(page, site.url)
    conversation = site.turns.taken[0][0]
    first = await site.transcript.since(conversation, 0, 1)
    assert b'"out-1"' in first[0].item
    site.turns.say(conversation, Redraw("out-1", Screen("t1", "consent", "Sudah disetujui.")))
    await site.turns.deliver(conversation)
    await expect(page.locator(".chat-message").first).to_contain_text("Sudah disetujui.")
    await expect(page.get_by_text("Selamat datang")).to_have_count(0)


async def test_markup_in_a_text_is_text(site: Site, page: Page) -> None:
    await agree(page, site.url)
    await site.news(site.turns.taken[0][0], "<img src=x onerror=alert(1)> <b>tebal</b>")
    await expect(page.get_by_text("<b>tebal</b>")).to_be_visible()
    assert await page.locator("#log img").count() == 0


async def test_an_address_in_our_words_can_be_followed_and_in_a_persons_it_is_words(site: Site, page: Page) -> None:
    await agree(page, site.url)
    await type_in(page, "https://orang.example/x")
    await site.news(site.turns.taken[0][0], "Buka https://akses.example/lanjut/k-1; lalu pindai.")
    addresses = page.locator(".chat-text a")
    await expect(addresses).to_have_text(["https://akses.example/lanjut/k-1"])
    await expect(addresses).to_have_attribute("href", "https://akses.example/lanjut/k-1")
    await expect(addresses).to_have_attribute("rel", "noopener noreferrer")


async def test_pasted_lines_do_not_run_together(site: Site, context: BrowserContext, page: Page) -> None:
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    await agree(page, site.url)
    await page.evaluate("navigator.clipboard.writeText('Budi Santoso\\n3171234501900001\\n')")
    await page.locator("#answer").focus()
    await page.keyboard.press("Control+V")
    await expect(page.locator("#answer")).to_have_value("Budi Santoso, 3171234501900001")


async def test_the_other_language_is_one_press_away_and_the_dialog_is_told(site: Site, page: Page) -> None:
    await agree(page, site.url)
    await page.get_by_role("link", name="English").click()
    await expect(page).to_have_url(re.compile("lang=en"))
    await expect(page.get_by_role("heading")).to_have_text("Register for AKSes")
    await expect(page.get_by_role("button", name="Setuju")).to_be_visible()
    assert CommandSent("bahasa", "en") in [event for _, event, _ in site.turns.taken]


async def test_everything_to_touch_is_44_pixels_and_nothing_is_wider_than_a_small_phone(site: Site, page: Page) -> None:
    await agree(page, site.url)
    await type_in(page, "Budi Santoso")
    for target in await page.locator("button:visible, input:visible, a:visible:not(.skip)").all():
        box = await target.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44, await target.evaluate("element => element.outerHTML")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious(site: Site, chromium: Browser, width: int, scheme: str) -> None:
    context = await chromium.new_context(
        viewport={"width": width, "height": 740},
        color_scheme=scheme,  # type: ignore[arg-type]
        reduced_motion="reduce",
    )
    page = await context.new_page()
    await agree(page, site.url)
    assert await seriously_wrong(page) == []
    await type_in(page, "Budi Santoso", "123", NIK, "0812-3456-7890", "budi@example.com")
    assert await seriously_wrong(page) == []
    await context.close()


async def test_without_javascript_the_page_says_what_to_do(site: Site, chromium: Browser) -> None:
    context = await chromium.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{site.url}/chat")
    note = page.locator(".chat-noscript")
    await expect(note).to_be_visible()
    await expect(note).to_contain_text("memerlukan JavaScript")
    await expect(note).to_contain_text("0800 186 5734")
    await expect(page.locator("#answer")).to_be_hidden()
    await context.close()


async def test_the_page_allows_no_script_or_style_but_its_own_files(site: Site) -> None:
    async with site.browser() as client:
        page = await client.get("/chat")
        policy = page.headers["content-security-policy"]
        for part in (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "base-uri 'none'",
            "frame-ancestors 'self'",
        ):
            assert part in policy
        assert "unsafe" not in policy
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["cache-control"] == "no-store"
        for path in re.findall(r'(?:src|href)="(/[^"]+)"', page.text):
            assert (await client.get(path)).status_code == 200, path
        assert (await client.get("/chat/static/../api.py")).status_code == 404
        assert (await client.get("/chat/static/none.js")).status_code == 404


async def test_the_page_is_kept_to_https_where_it_is_reached_so_and_opens_no_window_to_others(open_site: Opening) -> None:
    for address, kept in (("https://chat.example.com", True), ("http://localhost:8080", False)):
        async with open_site(public_url=address) as site, httpx2.AsyncClient(base_url=site.url) as client:
            page = await client.get("/chat")
        assert ("strict-transport-security" in page.headers) is kept
        assert page.headers["cross-origin-opener-policy"] == "same-origin"


def test_the_widgets_script_stays_small() -> None:
    assert sum((STATIC / name).stat().st_size for name in ("chat.js", "embed.js")) <= 25_000


# --- in somebody else's page


def broker(chat: str) -> Starlette:
    async def page(_: Request) -> HTMLResponse:
        head = "<!doctype html><html lang=id><title>Broker</title>"
        policy = {"Content-Security-Policy": f"default-src 'none'; script-src {chat}; frame-src {chat}"}
        return HTMLResponse(f'{head}<h1>Halaman broker</h1><script src="{chat}/chat/embed.js" async></script>', headers=policy)

    return Starlette(routes=[Route("/", page)])


async def test_one_script_tag_puts_the_chat_on_another_page_and_esc_closes_it(open_site: Opening, page: Page) -> None:
    port = free_port()
    host = f"http://127.0.0.1:{port}"
    async with open_site(frame_ancestors=(host,)) as site, serving(broker(site.url), port):
        await page.goto(host)
        launcher = page.get_by_role("button", name="Daftar AKSes")
        await launcher.click()
        chat = page.frame_locator("iframe")
        await chat.get_by_role("button", name="Setuju").click()
        await expect(chat.get_by_text("Siapa nama lengkap")).to_be_visible()
        await chat.locator("#answer").fill("Budi Santoso")
        await page.keyboard.press("Escape")
        await expect(launcher).to_be_focused()
        await expect(page.locator("iframe")).to_be_hidden()
        await launcher.press("Enter")
        await expect(chat.locator("#answer")).to_have_value("Budi Santoso")
        await expect(chat.locator("#answer")).to_be_focused()
        await chat.get_by_role("button", name="Tutup percakapan").click()
        await expect(page.locator("iframe")).to_be_hidden()


async def test_a_page_that_is_not_allowed_cannot_show_the_chat(open_site: Opening, context: BrowserContext) -> None:
    port = free_port()
    async with open_site(frame_ancestors=("https://broker.example",)) as site, serving(broker(site.url), port):
        page = await context.new_page()
        refused: list[str] = []
        page.on("console", lambda message: refused.append(message.text))
        await page.goto(f"http://127.0.0.1:{port}")
        await page.get_by_role("button", name="Daftar AKSes").click()
        await expect(page.locator("iframe")).to_be_visible()
        await expect(page.frame_locator("iframe").get_by_role("button", name="Setuju")).to_have_count(0)
        assert site.turns.taken == []
