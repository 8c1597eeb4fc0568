"""A code from the phone before the account becomes active, spoken to over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.backend.pages.site import GOOD_PASSWORD, Site, running
from tests.backend.pages.test_account_page import log_in
from tests.backend.pages.test_pages_browser import check
from tests.backend.pages.test_phone_code_page import enter


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site that asks for a code before an account becomes active."""
    with running(tmp_path_factory.mktemp("activation"), phone_otp="activation") as found:
        yield found


def test_activation_leads_to_an_address_without_the_link_and_ends_with_the_code(site: Site) -> None:
    phone = "+6281300000004"
    invited = site.register("Rini Kusuma", phone=phone)
    with site.client() as client:
        sent = client.post(invited.path, data={"password": GOOD_PASSWORD, "again": GOOD_PASSWORD, "consent": "2026-11"})
        assert (sent.status_code, sent.headers["location"]) == (303, "/kode")
        assert site.status(invited) == "pending"
        assert client.get(invited.path).status_code == 200, "the link still lives"
        done = enter(client, site.code(phone))
        assert (done.status_code, done.headers["location"]) == (303, "/aktivasi/selesai")
        assert site.status(invited) == "active"
        assert client.get("/akun").headers["location"] == "/masuk", "nobody is logged in by it"
        assert log_in(client, invited.email, GOOD_PASSWORD).headers["location"] == "/akun"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_of_the_code_is_fit_for_everybody_and_done_with_the_keyboard(
    page: Page, site: Site, scheme: str, width: int
) -> None:
    phone = f"+628130001{width}{len(scheme)}"
    invited = site.register("Rini Kusuma", phone=phone)
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    page.goto(invited.path)
    page.get_by_label("Ketik kata kunci").fill(GOOD_PASSWORD)
    page.get_by_label("Ketik ulang kata kunci").fill(GOOD_PASSWORD)
    page.get_by_label("Saya adalah orang").check()
    page.get_by_role("button", name="Aktifkan Akun Saya").click()
    page.wait_for_url("**/kode")
    expect(page.get_by_label("Kode OTP")).to_be_focused()
    check(page)
    code = site.code(phone)
    page.keyboard.type(f"{(int(code) + 1) % 10**6:06}")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    check(page)
    page.get_by_label("Kode OTP").focus()
    page.keyboard.type(code)
    page.keyboard.press("Enter")
    page.wait_for_url("**/aktivasi/selesai")
