"""The page inside Telegram in a real Chromium: framed as Telegram's web client frames it, and as a phone's Telegram opens it."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, BrowserContext, Frame, Page, Route, expect

from backend.init_data import Bot
from tests.backend.pages.site import GOOD_PASSWORD, Site, running
from tests.fakes import telegram_launch as telegram

CLIENT = "https://web.telegram.org/k/"
CODE = re.compile(r"^ {4}([0-9A-Z]{4}-[0-9A-Z]{4})\s*$", re.MULTILINE)
LIGHT = {
    "bg_color": "#ffffff",
    "secondary_bg_color": "#f4f4f5",
    "section_bg_color": "#ffffff",
    "text_color": "#000000",
    "hint_color": "#a8a8a8",
    "subtitle_text_color": "#999999",
    "link_color": "#2481cc",
    "button_color": "#40a7e3",
    "button_text_color": "#ffffff",
}
DARK = {
    "bg_color": "#17212b",
    "secondary_bg_color": "#232e3c",
    "section_bg_color": "#17212b",
    "text_color": "#f5f5f5",
    "hint_color": "#708499",
    "subtitle_text_color": "#708499",
    "link_color": "#6ab3f3",
    "button_color": "#5288c1",
    "button_text_color": "#ffffff",
}
# What a web client does: it frames the page, remembers what the page says, and tells it when its own back button is pressed.
PARENT = """<!doctype html><meta charset=utf-8><style>html,body,iframe{margin:0;border:0;width:100%;height:100%}</style>
<iframe id=app></iframe><script>
  window.heard = [];
  const app = document.getElementById("app");
  window.addEventListener("message", event => event.source === app.contentWindow && window.heard.push(JSON.parse(event.data)));
  window.tell = (eventType, eventData) => app.contentWindow.postMessage(JSON.stringify({eventType, eventData}), "*");
  window.open_app = address => { app.src = address; };
</script>"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("telegram"), telegram=Bot(telegram.BOT, telegram.TOKEN)) as found:
        yield found


@dataclass(frozen=True)
class Person:
    """Somebody with a chat and a registration in it; `code` stands in their mail."""

    user: int
    registration: str
    code: str


@pytest.fixture
def person(site: Site) -> Person:
    user = secrets.randbelow(10**9) + 1
    email = f"orang{user}@contoh.example"
    made = site.register_in("telegram", f"telegram:{user}", email=email)
    found = CODE.search(site.mailbox.next(email))
    assert found is not None
    return Person(user, made, found[1])


def address(site: Site, user: int, theme: dict[str, str], *, language: str = "id") -> str:
    data = telegram.launch(user, at=site.clock().timestamp())
    return (
        f"{site.url}/telegram/app?lang={language}#tgWebAppData={quote(data, safe='')}&tgWebAppVersion=9.1&tgWebAppPlatform=web"
        f"&tgWebAppThemeParams={quote(json.dumps(theme), safe='')}"
    )


@dataclass
class Client:
    """Telegram's web client with our page in its frame."""

    tab: Page
    site: Site
    asked: list[str] = field(default_factory=list)

    def open(self, user: int, theme: dict[str, str] = LIGHT, *, language: str = "id") -> Frame:
        self.tab.goto(CLIENT)
        self.tab.evaluate("address => window.open_app(address)", address(self.site, user, theme, language=language))
        expect(self.tab.frame_locator("#app").locator("[data-screen=list]")).to_be_visible()
        return self.frame

    @property
    def frame(self) -> Frame:
        return next(frame for frame in self.tab.frames if frame.url.startswith(self.site.url))

    def heard(self, kind: str) -> list[Any]:
        return [each["eventData"] for each in self.tab.evaluate("window.heard") if each["eventType"] == kind]

    def back_is_shown(self) -> bool:
        return bool(self.heard("web_app_setup_back_button")[-1]["is_visible"])


# A frame of another site may not even look at what a browser keeps for it.
KEPT = """() => ["localStorage", "sessionStorage"].flatMap(where => {
  try { return Object.keys(window[where]); } catch { return []; }
}).concat(location.hash)"""


def reach_this_machine(context: BrowserContext, origin: str) -> None:
    """Chromium asks before a page of the internet may frame one of this machine; the product's own is on the internet, too."""
    context.grant_permissions(["local-network-access"], origin=origin)


@pytest.fixture
def client(chromium: Browser, site: Site) -> Iterator[Client]:
    """On a phone's width. Fails the test when the page asks another host, breaks its own rules, or keeps anything."""
    context = chromium.new_context(viewport={"width": 360, "height": 740}, locale="id-ID")
    reach_this_machine(context, "https://web.telegram.org")
    tab = context.new_page()
    found, said = Client(tab, site), []

    def telegram_org(route: Route) -> None:
        route.fulfill(body=PARENT, content_type="text/html")

    tab.route("https://web.telegram.org/**", telegram_org)
    tab.on("request", lambda request: found.asked.append(request.url))
    tab.on("console", lambda message: said.append(message.text) if "Content Security Policy" in message.text else None)
    tab.on("pageerror", lambda error: said.append(str(error)))
    yield found
    kept = [frame.evaluate(KEPT) for frame in tab.frames if frame.url.startswith(site.url)]
    cookies = context.cookies()
    context.close()
    assert cookies == []
    assert [url for url in found.asked if not url.startswith((site.url, CLIENT))] == []
    assert said == []
    assert all(each == [""] for each in kept)


def test_a_registration_is_activated_without_leaving_telegram(client: Client, person: Person, site: Site) -> None:
    page = client.open(person.user)
    assert client.heard("web_app_ready")
    assert client.heard("web_app_expand")
    assert not client.back_is_shown()
    page.get_by_role("button", name="Ketik kode dari").click()
    expect(page.get_by_role("heading", name="Ketik kode dari")).to_be_focused()
    assert client.back_is_shown()
    page.get_by_label("Kode", exact=True).fill("2222-2222")
    page.get_by_role("button", name="Lanjutkan").click()
    expect(page.get_by_text("Kode tidak cocok.")).to_be_visible()
    page.get_by_label("Kode", exact=True).fill(person.code.lower())
    page.get_by_role("button", name="Lanjutkan").click()
    expect(page.get_by_role("heading", name="Tentukan kata sandi")).to_be_focused()
    expect(page.get_by_text("S*** W***")).to_be_visible()
    assert client.heard("web_app_setup_closing_behavior")[-1] == {"need_confirmation": True}
    page.get_by_label("Ketik kata kunci").fill("pendek")
    page.get_by_role("button", name="Aktifkan Akun Saya").click()
    expect(page.locator("[data-rule=length]")).to_have_attribute("data-state", "broken")
    page.get_by_label("Ketik kata kunci").fill(GOOD_PASSWORD)
    expect(page.get_by_text("Kekuatan: sangat kuat", exact=True)).to_be_visible()
    page.get_by_label("Ketik ulang kata kunci").fill(GOOD_PASSWORD)
    page.get_by_role("button", name="Tampilkan kata sandi").first.click()
    expect(page.get_by_label("Ketik kata kunci")).to_have_attribute("type", "text")
    page.get_by_role("button", name="Aktifkan Akun Saya").click()
    expect(page.get_by_text("Centang persetujuan")).to_be_visible()
    page.get_by_label("Ketik kata kunci").fill(GOOD_PASSWORD)
    page.get_by_label("Ketik ulang kata kunci").fill(GOOD_PASSWORD)
    page.get_by_label("Saya adalah orang").check()
    page.get_by_role("button", name="Aktifkan Akun Saya").click()
    expect(page.get_by_role("heading", name="Selamat!")).to_be_visible()
    page.get_by_role("button", name="Kembali ke chat").click()
    page.wait_for_function("() => true")
    assert client.heard("web_app_close")
    assert site.run(site.backend.registrations.status(person.registration)).status == "active"


def test_the_back_button_of_telegram_leads_to_the_list_and_links_are_telegrams_to_open(client: Client, person: Person) -> None:
    page = client.open(person.user)
    page.get_by_role("button", name="Ketik kode dari").click()
    expect(page.locator("[data-screen=code]")).to_be_visible()
    client.tab.evaluate("window.tell('back_button_pressed', {})")
    expect(page.locator("[data-screen=list]")).to_be_visible()
    assert not client.back_is_shown()
    page.get_by_role("link", name="Pemberitahuan privasi").click()
    assert client.heard("web_app_open_link") == [{"url": f"{client.site.url}/privasi"}]
    assert len(client.tab.context.pages) == 1


@pytest.mark.parametrize(("theme", "scheme", "system"), [(LIGHT, "light", "dark"), (DARK, "dark", "light")])
def test_the_page_wears_the_colours_of_telegram_and_can_be_read_in_them(
    client: Client, person: Person, theme: dict[str, str], scheme: str, system: Any
) -> None:
    client.tab.emulate_media(color_scheme=system)
    page = client.open(person.user, theme)
    page.get_by_role("button", name="Ketik kode dari").click()
    expect(page.locator("[data-screen=code]")).to_be_visible()
    worn = page.evaluate(
        """() => {
          const style = getComputedStyle(document.documentElement);
          const rgb = name => style.getPropertyValue(name).match(/\\d+/g).map(Number);
          const light = ([r, g, b]) => {
            const [x, y, z] = [r, g, b].map(p => p / 255 <= 0.04045 ? p / 255 / 12.92 : ((p / 255 + 0.055) / 1.055) ** 2.4);
            return 0.2126 * x + 0.7152 * y + 0.0722 * z;
          };
          const contrast = (a, b) => {
            const [low, high] = [light(rgb(a)), light(rgb(b))].sort((x, y) => x - y);
            return (high + 0.05) / (low + 0.05);
          };
          const pairs = [["--ink", "--raised"], ["--ink", "--surface"], ["--ink-muted", "--raised"], ["--ink-muted", "--surface"],
            ["--accent", "--raised"], ["--accent", "--surface"], ["--on-accent", "--accent"], ["--on-accent-soft", "--accent-soft"]];
          return {raised: rgb("--raised"), scheme: style.colorScheme, good: style.getPropertyValue("--good-soft"),
            least: Math.min(...pairs.map(([a, b]) => contrast(a, b)))};
        }"""
    )
    assert worn["raised"] == [int(theme["section_bg_color"][at : at + 2], 16) for at in (1, 3, 5)]
    assert worn["scheme"] == scheme
    assert worn["good"] == {"light": "#e3f2e8", "dark": "#15301f"}[scheme], (
        "what Telegram has no colour for is of the same scheme"
    )
    assert worn["least"] >= 4.5
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    other = DARK if theme is LIGHT else LIGHT
    client.tab.evaluate("theme => window.tell('theme_changed', {theme_params: theme})", other)
    page.wait_for_function(
        "scheme => document.documentElement.style.colorScheme === scheme", arg="dark" if scheme == "light" else "light"
    )


def test_without_a_connection_what_was_typed_stays(client: Client, person: Person) -> None:
    page = client.open(person.user, language="en")
    page.get_by_role("button", name="Type the code from the").click()
    page.get_by_label("Code", exact=True).fill(person.code)
    client.tab.route("**/kode", lambda route: route.abort())
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_role("alert")).to_contain_text("No connection.")
    expect(page.get_by_label("Code", exact=True)).to_have_value(person.code)
    client.tab.unroute("**/kode")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("[data-screen=password]")).to_be_visible()


def test_kirim_ulang_tells_the_true_rest_and_then_mails(client: Client, person: Person, site: Site) -> None:
    page = client.open(person.user)
    page.get_by_role("button", name="Kirim Ulang").click()
    expect(page.get_by_role("alert")).to_contain_text("Silakan coba lagi dalam 15 menit")
    site.clock.ahead += site.backend.config.timings.resend_after
    page.get_by_role("button", name="Kirim Ulang").click()
    expect(page.get_by_role("status")).to_contain_text("baru sedang dikirim.")
    assert CODE.search(site.mailbox.next(f"orang{person.user}@contoh.example"))


def test_a_reloaded_page_says_to_open_it_again_from_the_chat(client: Client, person: Person) -> None:
    page = client.open(person.user)
    with page.expect_navigation():
        client.tab.evaluate("window.tell('reload_iframe', null)")
    expect(client.frame.get_by_role("heading", name="Halaman ini sudah berakhir")).to_be_visible()
    assert client.heard("iframe_will_reload")
    client.frame.get_by_role("button", name="Tutup").click()
    client.frame.wait_for_function("() => true")
    assert client.heard("web_app_close")


def test_nobody_but_telegram_frames_it_and_outside_it_says_where_it_opens(
    chromium: Browser, site: Site, person: Person
) -> None:
    context = chromium.new_context(locale="id-ID")
    reach_this_machine(context, "https://jahat.example")
    tab = context.new_page()
    tab.route("https://jahat.example/**", lambda route: route.fulfill(body=PARENT, content_type="text/html"))
    tab.goto("https://jahat.example/")
    tab.evaluate("address => window.open_app(address)", address(site, person.user, LIGHT))
    tab.wait_for_function("() => window.frames.length === 1")
    tab.wait_for_load_state("networkidle")
    assert tab.evaluate("window.heard") == []
    tab.goto(f"{site.url}/telegram/app")
    expect(tab.get_by_role("heading", name="Buka dari chat Telegram Anda")).to_be_visible()
    context.close()


def test_a_phones_telegram_speaks_through_its_own_function(chromium: Browser, site: Site, person: Person) -> None:
    context = chromium.new_context(viewport={"width": 360, "height": 740}, locale="id-ID")
    tab = context.new_page()
    tab.add_init_script(
        "window.told = []; window.TelegramWebviewProxy = {postEvent: (type, data) => window.told.push([type, JSON.parse(data)])};"
    )
    tab.goto(address(site, person.user, DARK))
    tab.get_by_role("button", name="Ketik kode dari").click()
    expect(tab.locator("[data-screen=code]")).to_be_visible()
    tab.evaluate("window.Telegram.WebView.receiveEvent('back_button_pressed', null)")
    expect(tab.locator("[data-screen=list]")).to_be_visible()
    told = [kind for kind, _ in tab.evaluate("window.told")]
    assert {"web_app_ready", "web_app_expand", "web_app_request_theme", "web_app_setup_back_button"} <= set(told)
    assert "tgWebAppData" not in tab.url
    context.close()
