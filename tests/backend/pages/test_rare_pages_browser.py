"""The pages that few see, in a real Chromium: the code from the phone, a link that has ended, and each refusal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.backend.pages.site import GOOD_PASSWORD, Invited, Site, running
from tests.backend.pages.test_pages_browser import check

LOOKS = [(scheme, width) for scheme in ("light", "dark") for width in (360, 1280)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site that asks for a code at the first log-in."""
    with running(tmp_path_factory.mktemp("rare"), phone_otp="first-login") as found:
        yield found


def in_every_look(page: Page) -> None:
    """Both schemes at both widths, without loading anything anew."""
    for scheme, width in LOOKS:
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
        page.set_viewport_size({"width": width, "height": 800})
        check(page)


def active(site: Site, phone: str) -> Invited:
    invited = site.register("Budi Santoso", phone=phone)
    site.activate(invited)
    return invited


def logs_in(page: Page, invited: Invited) -> None:
    page.goto("/masuk")
    page.get_by_label("E-mail").fill(invited.email)
    page.get_by_label("Kata sandi", exact=True).fill(GOOD_PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/kode")


def test_the_code_from_the_phone_is_asked_for_in_every_look_and_taken_on_the_keyboard_alone(page: Page, site: Site) -> None:
    phone = "+6281311110001"
    logs_in(page, active(site, phone))
    in_every_look(page)
    expect(page.get_by_label("Kode OTP")).to_be_focused()
    page.keyboard.type("000000" if site.code(phone) != "000000" else "111111")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Sisa percobaan: 4")
    in_every_look(page)
    page.keyboard.type(site.code(phone))
    page.keyboard.press("Enter")
    page.wait_for_url("**/akun")
    expect(page.get_by_text("Terverifikasi")).to_be_visible()


def test_the_code_from_the_phone_works_without_javascript(chromium: Browser, site: Site) -> None:
    phone = "+6281311110002"
    invited = active(site, phone)
    context = chromium.new_context(base_url=site.url, locale="id-ID", java_script_enabled=False)
    page = context.new_page()
    logs_in(page, invited)
    first = site.code(phone)
    page.get_by_role("button", name="Kirim ulang kode").click()
    expect(page.get_by_role("status")).to_contain_text("Kode yang baru saja dikirim masih berlaku")
    site.clock.ahead += timedelta(seconds=61)
    page.goto("/kode")
    page.get_by_role("button", name="Kirim ulang kode").click()
    page.wait_for_url("**/kode?kode=baru")
    expect(page.get_by_role("status")).to_contain_text("Kode baru sudah dikirim")
    for _ in range(500):
        if (code := site.code(phone)) != first:
            break
        page.wait_for_timeout(20)
    page.get_by_label("Kode OTP").fill(code)
    page.get_by_role("button", name="Lanjutkan").click()
    page.wait_for_url("**/akun")
    context.close()


def test_what_a_link_has_come_to_is_told_in_every_look(page: Page, site: Site) -> None:
    used, late = active(site, "+6281311110003"), site.register("Joko Susilo")
    page.goto(used.path)
    expect(page.get_by_role("heading", name="Akun sudah aktif")).to_be_visible()
    in_every_look(page)
    site.clock.ahead += timedelta(hours=25)
    page.goto(late.path)
    expect(page.get_by_role("button", name="Kirim Ulang")).to_be_visible()
    in_every_look(page)
    page.get_by_role("button", name="Kirim Ulang").click()
    page.wait_for_url("**/aktivasi/terkirim")


@pytest.mark.parametrize("status", [403, 404, 405, 429, 500])
def test_each_refusal_is_a_page_in_every_look_with_a_way_on(
    page: Page, site: Site, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("of the test")

    path = f"/aktivasi/akt_{'x' * 43}"
    match status:
        case 403:
            page.set_content(f'<form method="post" action="{site.url}/keluar"></form>')
            page.evaluate("document.forms[0].submit()")
            page.wait_for_url("**/keluar")
        case 404:
            page.goto("/no-such-page")
        case 405:
            page.goto("/keluar")
        case 429:
            with site.client() as client:
                while client.get(path).status_code != 429:
                    pass
            page.goto(path)
        case _:
            monkeypatch.setattr(site.backend.activation, "look", broken)
            page.goto(f"/aktivasi/akt_{'y' * 43}")
    expect(page.get_by_role("link", name="Beranda")).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("helpdesk@"))).to_be_visible()
    in_every_look(page)


def test_a_long_name_of_one_word_and_a_long_address_stay_within_a_narrow_screen(page: Page, site: Site) -> None:
    phone = "+6281311110099"
    long = site.register("Wijayakusumaningratsuryadilaga", phone=phone, email=f"{'wijayakusumaningrat' * 3}@contoh.example")
    site.activate(long)
    page.set_viewport_size({"width": 320, "height": 640})  # 200 % of 640
    logs_in(page, long)
    page.keyboard.type(site.code(phone))
    page.keyboard.press("Enter")
    page.wait_for_url("**/akun")
    expect(page.get_by_text("Wijayakusumaningratsuryadilaga")).to_be_visible()
    check(page)
