"""The pages in a real Chromium: whole without JavaScript, on the keyboard, at 360 px, light and dark, and for a screen reader."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.backend.pages.site import GOOD_PASSWORD, Invited, Site
from tests.backend.pages.test_account_page import log_in

STATIC = (
    "/",
    "/privasi",
    "/masuk",
    "/aktivasi/selesai",
    "/aktivasi/terkirim",
    "/aktivasi/dibatalkan",
    "/aktivasi/akt_x",
    "/masuk/lupa",
    "/masuk/lupa/terkirim",
    "/masuk/sandi/akr_x",
    "/masuk/sandi/selesai",
    "/akun/terhapus",
    "/kode",
    "/no-such-page",
)


@pytest.fixture(scope="module")
def invited(site: Site) -> Invited:
    return site.register("Sri Wahyuningsih")


@pytest.fixture
def without_javascript(chromium: Browser, site: Site) -> Iterator[Page]:
    context = chromium.new_context(
        base_url=site.url, locale="id-ID", java_script_enabled=False, viewport={"width": 360, "height": 740}
    )
    yield context.new_page()
    context.close()


def check(page: Page) -> None:
    """No finding of axe, nothing wider than the screen, nothing to touch that is smaller than 44 px (links in text aside)."""
    found = [
        f"{violation['id']}: {node['html'][:120]}"
        for violation in Axe().run(page).response["violations"]
        for node in violation["nodes"]
    ]
    assert found == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    small = "[...document.querySelectorAll('.button, .input, .languages a')].filter(e => e.checkVisibility() && e.offsetHeight < 44)"
    assert page.evaluate(f"{small}.map(e => e.outerHTML)") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_every_page_is_fit_for_everybody(page: Page, invited: Invited, site: Site, scheme: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    for path in (*STATIC, invited.path, f"{invited.path}/bukan-saya"):
        for language in ("id", "en") if width == 360 else ("id",):
            page.goto(f"{path}?lang={language}")
            check(page)
    page.goto(f"{invited.path}?lang=id")
    page.get_by_label("Ketik kata kunci").fill("Rahasia123!")
    expect(page.locator("[data-strength]")).to_have_attribute("data-strength", "1")
    check(page)
    page.get_by_label("Ketik kata kunci").fill("Wahyuningsih#7 laut")
    page.get_by_label("Ketik ulang kata kunci").fill("Wahyuningsih#7 laut")
    page.get_by_role("button", name="Aktifkan Akun Saya").click()
    expect(page.get_by_role("alert")).to_be_visible()
    check(page)
    page.goto("/masuk")
    page.get_by_label("E-mail").fill("tidak-ada@contoh.example")
    page.get_by_label("Kata sandi", exact=True).fill("salah")
    page.get_by_role("button", name="Masuk").click()
    expect(page.get_by_role("alert")).to_be_visible()
    check(page)


def test_the_whole_way_works_without_javascript(without_javascript: Page, site: Site) -> None:
    page, invited = without_javascript, site.register("Budi Santoso")
    page.goto(invited.path)
    expect(page.get_by_role("button", name="Tampilkan kata sandi")).to_have_count(0)
    page.get_by_label("Ketik kata kunci").fill("pendek")
    page.get_by_label("Ketik ulang kata kunci").fill("lain")
    page.get_by_label("Saya adalah orang yang namanya tertera").check()
    page.get_by_role("button", name="Aktifkan Akun Saya").click()
    expect(page.get_by_role("alert")).to_contain_text("Minimal 8 karakter")
    expect(page.get_by_label("Saya adalah orang yang namanya tertera")).to_be_checked()
    page.get_by_label("Ketik kata kunci").fill(GOOD_PASSWORD)
    page.get_by_label("Ketik ulang kata kunci").fill(GOOD_PASSWORD)
    page.get_by_role("button", name="Aktifkan Akun Saya").click()
    page.wait_for_url("**/aktivasi/selesai")
    expect(page.get_by_role("heading", name="Selamat!")).to_be_visible()
    page.get_by_role("link", name="Beranda").click()
    page.get_by_role("link", name="Masuk").click()
    page.get_by_label("E-mail").fill(invited.email)
    page.get_by_label("Kata sandi", exact=True).fill(GOOD_PASSWORD)
    page.get_by_role("button", name="Masuk").click()
    page.wait_for_url("**/akun")
    expect(page.get_by_text("Budi Santoso")).to_be_visible()
    page.get_by_role("button", name="Keluar").click()
    expect(page.get_by_role("link", name="Daftar")).to_be_visible()


def test_the_whole_way_works_on_the_keyboard_alone(page: Page, site: Site) -> None:
    invited = site.register("Rini Kusuma")
    page.goto(invited.path)
    page.get_by_label("Ketik kata kunci").focus()
    page.keyboard.type(GOOD_PASSWORD)
    page.keyboard.press("Tab")  # the field's own button
    page.keyboard.press("Tab")
    page.keyboard.type(GOOD_PASSWORD)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")  # the notice
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/aktivasi/selesai")
    page.emulate_media(reduced_motion="reduce")
    check(page)
    page.goto("/masuk")
    page.get_by_label("E-mail").fill(invited.email)
    page.get_by_label("Kata sandi", exact=True).fill(GOOD_PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/akun")
    check(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_every_page_of_an_account_is_fit_for_everybody(page: Page, site: Site, scheme: str, width: int) -> None:
    owner = site.register("Rini Kusuma")
    site.activate(owner)
    with site.client(**{"User-Agent": "Mozilla/5.0 (iPhone) AppleWebKit/605.1 Version/19.0 Safari/605.1"}) as elsewhere:
        log_in(elsewhere, owner.email, GOOD_PASSWORD)
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    page.goto("/masuk")
    page.get_by_label("E-mail").fill(owner.email)
    page.get_by_label("Kata sandi", exact=True).fill(GOOD_PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/akun")
    for path in ("/akun", "/akun?sandi=baru", "/akun/sandi", "/akun/data", "/akun/hapus"):
        for language in ("id", "en") if width == 360 else ("id",):
            page.goto(f"{path}{'&' if '?' in path else '?'}lang={language}")
            check(page)
    page.goto("/akun/hapus?lang=id")
    page.get_by_label("Saya mengerti").check()
    page.get_by_label("Kata sandi Anda").fill("salah")
    page.get_by_role("button", name="Hapus akun saya").click()
    expect(page.get_by_role("alert")).to_be_visible()
    check(page)
    site.run(site.backend.new_password.ask(owner.email, ip=f"{scheme}{width}"))
    page.goto(site.password_link(owner.email))
    check(page)


def test_a_password_is_changed_with_the_keyboard_alone(page: Page, site: Site) -> None:
    owner = site.register("Rini Kusuma")
    site.activate(owner)
    page.goto("/masuk")
    page.get_by_label("E-mail").focus()
    page.keyboard.type(owner.email)
    page.keyboard.press("Tab")
    page.keyboard.type(GOOD_PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/akun")
    page.get_by_role("link", name="Ganti kata sandi").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/akun/sandi")
    page.get_by_label("Kata sandi sekarang").focus()
    page.keyboard.type(GOOD_PASSWORD)
    for _ in range(2):
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.type("Gunung tinggi 3 hijau")
    page.keyboard.press("Enter")
    page.wait_for_url("**/akun?sandi=baru")
    expect(page.get_by_text("Kata sandi sudah diganti")).to_be_visible()


def test_the_whole_account_works_without_javascript(without_javascript: Page, site: Site) -> None:
    page = without_javascript
    owner = site.register("Rini Kusuma")
    site.activate(owner)
    page.goto("/masuk/lupa")
    page.get_by_label("E-mail").fill(owner.email)
    page.get_by_role("button", name="Kirim tautan").click()
    page.wait_for_url("**/masuk/lupa/terkirim")
    page.goto(site.password_link(owner.email))
    page.get_by_label("Kata sandi baru", exact=True).fill("Gunung tinggi 3 hijau")
    page.get_by_label("Ketik ulang kata sandi baru").fill("Gunung tinggi 3 hijau")
    page.get_by_role("button", name="Simpan kata sandi baru").click()
    page.wait_for_url("**/masuk/sandi/selesai")
    page.get_by_role("main").get_by_role("link", name="Masuk").click()
    page.get_by_label("E-mail").fill(owner.email)
    page.get_by_label("Kata sandi", exact=True).fill("Gunung tinggi 3 hijau")
    page.get_by_role("button", name="Masuk", exact=True).click()
    page.wait_for_url("**/akun")
    page.get_by_role("link", name="Hapus akun").click()
    page.get_by_label("Kata sandi Anda").fill("Gunung tinggi 3 hijau")
    page.get_by_label("Saya mengerti").check()
    page.get_by_role("button", name="Hapus akun saya").click()
    page.wait_for_url("**/akun/terhapus")
    expect(page.get_by_role("heading", name="Akun Anda sudah dihapus")).to_be_visible()


def test_a_page_left_open_with_scripts_sends_nothing_by_itself(page: Page, site: Site) -> None:
    invited = site.register()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method) if request.method != "GET" else None)
    page.goto(invited.path, wait_until="networkidle")
    page.reload(wait_until="networkidle")
    assert sent == []
    assert site.status(invited) == "pending"


def test_a_name_that_is_markup_is_shown_as_a_name(page: Page, site: Site) -> None:
    invited = site.register('<img src=x onerror="document.title=1"> Budi')
    site.activate(invited)
    page.goto("/masuk")
    page.get_by_label("E-mail").fill(invited.email)
    page.get_by_label("Kata sandi", exact=True).fill(GOOD_PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/akun")
    expect(page.get_by_text('<img src=x onerror="document.title=1"> Budi')).to_be_visible()
    assert page.locator("img").count() == 0
