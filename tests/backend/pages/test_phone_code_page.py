"""The page that asks for the code from the phone, spoken to over HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx2
import pytest

from tests.backend.pages.site import GOOD_PASSWORD, Site, running
from tests.backend.pages.test_account_page import form_of, log_in


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site that asks for a code at the first log-in."""
    with running(tmp_path_factory.mktemp("first-login"), phone_otp="first-login") as found:
        yield found


def enter(client: httpx2.Client, code: str) -> httpx2.Response:
    return client.post("/kode", data={"form": form_of(client.get("/kode").text), "code": code})


def test_the_first_log_in_asks_for_the_code_and_only_then_opens_a_session(site: Site) -> None:
    phone = "+6281300000001"
    invited = site.register("Budi Santoso", phone=phone)
    site.activate(invited)
    with site.client() as client:
        entered = log_in(client, invited.email, GOOD_PASSWORD)
        assert (entered.status_code, entered.headers["location"]) == (303, "/kode")
        assert client.get("/akun").headers["location"] == "/masuk", "not yet"
        page = client.get("/kode").text
        assert "0813-****-0001" in page
        assert "81300000001" not in page
        assert 'autocomplete="one-time-code"' in page
        code = site.code(phone)
        wrong = enter(client, f"{(int(code) + 1) % 10**6:06}")
        assert wrong.status_code == 422
        assert "Sisa percobaan: 4" in wrong.text
        right = enter(client, code)
        assert (right.status_code, right.headers["location"]) == (303, "/akun")
        assert "Terverifikasi" in client.get("/akun").text
        assert client.get("/kode").status_code == 410
    with site.client() as client:
        assert log_in(client, invited.email, GOOD_PASSWORD).headers["location"] == "/akun", "once is enough"


def test_a_code_without_its_browser_is_worth_nothing(site: Site) -> None:
    phone = "+6281300000002"
    invited = site.register("Budi Santoso", phone=phone)
    site.activate(invited)
    with site.client() as client, site.client() as other:
        log_in(client, invited.email, GOOD_PASSWORD)
        code = site.code(phone)
        assert other.post("/kode", data={"code": code}).status_code == 410
        assert client.post("/kode", data={"code": code}).status_code == 403
        assert client.post("/kode", data={"code": code, "form": "x"}).status_code == 403
        assert enter(client, code).status_code == 303


def test_whoever_logs_in_once_more_within_the_minute_enters_the_code_that_they_have(site: Site) -> None:
    phone = "+6281300000005"
    invited = site.register("Budi Santoso", phone=phone)
    site.activate(invited)
    with site.client() as client, site.client() as elsewhere:
        log_in(client, invited.email, GOOD_PASSWORD)
        code = site.code(phone)
        again = log_in(elsewhere, invited.email, GOOD_PASSWORD)
        assert (again.status_code, again.headers["location"]) == (303, "/kode?kode=lama")
        page = elsewhere.get("/kode?kode=lama").text
        assert "Kode yang baru saja dikirim masih berlaku" in page
        assert client.get("/kode").status_code == 410, "one browser at a time"
        assert enter(elsewhere, code).headers["location"] == "/akun"


def test_a_new_code_is_sent_after_a_minute_and_before_that_the_time_is_told(site: Site) -> None:
    phone = "+6281300000003"
    invited = site.register("Budi Santoso", phone=phone)
    site.activate(invited)
    with site.client() as client:
        log_in(client, invited.email, GOOD_PASSWORD)
        site.code(phone)
        page = client.get("/kode").text
        assert re.search(r"Kode baru dapat dikirim mulai .* WIB", page)
        early = client.post("/kode/kirim-ulang", data={"form": form_of(page)})
        assert early.status_code == 429
        assert 0 < int(early.headers["retry-after"]) <= 60
        assert "Kode yang baru saja dikirim masih berlaku" in early.text
        assert 'action="/kode"' in early.text
        site.clock.ahead += site.clock.ahead.resolution * 61_000_000
        again = client.post("/kode/kirim-ulang", data={"form": form_of(page)})
        assert (again.status_code, again.headers["location"]) == (303, "/kode?kode=baru")
        assert "Kode baru sudah dikirim" in client.get("/kode?kode=baru").text
