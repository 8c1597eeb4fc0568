"""Log-in, account and log-out, spoken to over HTTP."""

from __future__ import annotations

import re

import httpx2
import pytest

from tests.backend.pages.site import GOOD_PASSWORD, Invited, Site


@pytest.fixture(scope="module")
def person(site: Site) -> Invited:
    invited = site.register("Budi Santoso")
    assert site.activate(invited).status_code == 303
    return invited


def log_in(client: httpx2.Client, email: str, password: str) -> httpx2.Response:
    form = re.search(r'name="form" value="([^"]+)"', client.get("/masuk").text)
    assert form is not None
    return client.post("/masuk", data={"form": form[1], "email": email, "password": password})


def test_the_right_pair_leads_to_the_account_with_masked_numbers_and_out_again(site: Site, person: Invited) -> None:
    with site.client() as client:
        entered = log_in(client, person.email, GOOD_PASSWORD)
        assert (entered.status_code, entered.headers["location"]) == (303, "/akun")
        html = client.get("/akun").text
        assert "Budi Santoso" in html
        assert person.email in html
        assert "Aktif" in html
        assert "0812-****-7890" in html
        assert "31710155" not in html
        assert "81234567890" not in html
        assert client.get("/masuk").headers["location"] == "/akun"
        session = client.cookies["akses"]
        form = re.search(r'name="form" value="([^"]+)"', html)
        assert form is not None
        assert client.post("/keluar", data={"form": "of somebody else"}).status_code == 403
        left = client.post("/keluar", data={"form": form[1]})
        assert (left.status_code, left.headers["location"]) == (303, "/")
        assert "akses" not in client.cookies
        client.cookies.set("akses", session)
        assert client.get("/akun").headers["location"] == "/masuk"


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(site: Site, person: Invited) -> None:
    with site.client() as client:
        entered = log_in(client, person.email, GOOD_PASSWORD)
    [cookie] = [line for line in entered.headers.get_list("set-cookie") if line.startswith("akses=")]
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert "Max-Age" not in cookie
    assert "Secure" not in cookie


def test_every_log_in_opens_a_new_session_and_ends_the_one_before(site: Site, person: Invited) -> None:
    with site.client() as client:
        client.cookies.set("akses", "chosen-by-somebody-else")
        log_in(client, person.email, GOOD_PASSWORD)
        jar = [cookie.value for cookie in client.cookies.jar if cookie.name == "akses"]
        assert any(value and value.startswith("aks_") for value in jar)


def test_the_answer_does_not_tell_whether_the_address_or_the_password_is_wrong(site: Site, person: Invited) -> None:
    bodies = set()
    for email, password in ((person.email, "salah"), ("tidak-ada@contoh.example", GOOD_PASSWORD), (person.email, "x" * 500)):
        with site.client() as client:
            answer = log_in(client, email, password)
        assert answer.status_code == 401
        assert "E-mail atau kata sandi tidak cocok" in answer.text
        assert f'value="{email}"' in answer.text, "the address is kept"
        assert password not in answer.text
        bodies.add(re.sub(r'(name="form" value|id="email" name="email" value)="[^"]*"', "", answer.text))
    assert len(bodies) == 1


def test_a_form_without_its_secret_is_shown_again_and_tries_nothing(site: Site, person: Invited) -> None:
    for cookies, form in (
        ({}, {}),
        ({"akses-masuk": "a"}, {"form": "b"}),
        ({}, {"form": ""}),
        ({"akses-masuk": ""}, {"form": ""}),
    ):
        with site.client() as client:
            client.cookies.update(cookies)
            answer = client.post("/masuk", data={"email": person.email, "password": GOOD_PASSWORD, **form})
        assert answer.status_code == 403
        assert "Halaman ini sudah lama terbuka" in answer.text
        assert not any(line.startswith("akses=") for line in answer.headers.get_list("set-cookie"))


def test_after_many_wrong_passwords_the_page_tells_how_long_to_wait(site: Site) -> None:
    with site.client() as client:
        answers = [log_in(client, "berulang@contoh.example", f"salah{at}") for at in range(12)]
    slowed = [answer for answer in answers if answer.status_code == 429]
    assert slowed
    for answer in slowed:
        seconds = int(answer.headers["retry-after"])
        assert f"coba lagi dalam {seconds} detik" in answer.text


def test_the_account_page_without_a_session_leads_to_the_log_in(site: Site) -> None:
    with site.client() as client:
        assert client.get("/akun").headers["location"] == "/masuk"
        client.cookies.set("akses", "aks_" + "x" * 43)
        assert client.get("/akun").headers["location"] == "/masuk"


def test_beranda_and_log_in_lead_nowhere_else_whatever_the_address_says(site: Site, person: Invited) -> None:
    with site.client(Host="jahat.example") as client:
        assert "jahat.example" not in client.get("/aktivasi/selesai?next=//jahat.example").text
        entered = log_in(client, person.email, GOOD_PASSWORD)
        assert entered.headers["location"] == "/akun"
