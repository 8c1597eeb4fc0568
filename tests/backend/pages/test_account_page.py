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
        assert person.email in html.replace("<wbr>", "")
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
        [first] = [value for value in jar if value and value.startswith("aks_")]
    with site.client() as client:
        client.cookies.update({"akses": first, "akses-masuk": "of another tab"})
        again = {"form": "of another tab", "email": person.email, "password": GOOD_PASSWORD}
        assert client.post("/masuk", data=again).headers["location"] == "/akun"
    with site.client() as client:
        client.cookies.set("akses", first)
        assert client.get("/akun").headers["location"] == "/masuk"


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


def form_of(html: str) -> str:
    found = re.search(r'name="form" value="([^"]+)"', html)
    assert found is not None
    return found[1]


NEW_PASSWORD = "Gunung tinggi 3 hijau"


@pytest.fixture
def owner(site: Site) -> Invited:
    """Somebody whose account may be changed."""
    invited = site.register("Dewi Lestari")
    assert site.activate(invited).status_code == 303
    return invited


def test_another_password_needs_the_present_one_and_ends_every_other_session(site: Site, owner: Invited) -> None:
    with site.client() as here, site.client() as elsewhere:
        for client in (here, elsewhere):
            log_in(client, owner.email, GOOD_PASSWORD)
        session = here.cookies["akses"]
        form = form_of(here.get("/akun/sandi").text)

        def change(**fields: str) -> httpx2.Response:
            filled = {"form": form, "current": GOOD_PASSWORD, "password": NEW_PASSWORD, "again": NEW_PASSWORD} | fields
            return here.post("/akun/sandi", data=filled)

        wrong = change(current="bukan ini")
        assert wrong.status_code == 422
        assert "Kata sandi Anda yang sekarang tidak cocok" in wrong.text
        weak = change(password="Jakarta2026!", again="Jakarta2026!")
        assert weak.status_code == 422
        assert 'data-broken="common"' in weak.text
        assert "Jakarta2026!" not in weak.text.replace("seperti Jakarta2026!", "")
        assert 'data-broken="personal"' in change(password="Lestari 7 gunung", again="Lestari 7 gunung").text
        assert change(form="of somebody else").status_code == 403
        assert elsewhere.get("/akun").status_code == 200, "nothing has happened so far"
        changed = change()
        assert (changed.status_code, changed.headers["location"]) == (303, "/akun?sandi=baru")
        assert here.cookies["akses"] != session
        assert "Kata sandi sudah diganti" in here.get("/akun?sandi=baru").text
        assert elsewhere.get("/akun").headers["location"] == "/masuk"
    assert "kata sandi" in site.mailbox.next(owner.email).lower()
    with site.client() as client:
        assert log_in(client, owner.email, GOOD_PASSWORD).status_code == 401
        assert log_in(client, owner.email, NEW_PASSWORD).status_code == 303


def test_every_open_session_is_listed_and_can_be_ended(site: Site, owner: Invited) -> None:
    phone = "Mozilla/5.0 (Linux; Android 15; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari/537.36"
    with site.client() as here, site.client(**{"User-Agent": phone}) as pocket, site.client() as third:
        for client in (here, pocket, third):
            log_in(client, owner.email, GOOD_PASSWORD)
        html = here.get("/akun").text
        assert "Chrome, Android" in html
        assert html.count("Perangkat ini") == 1
        [_, session] = re.findall(r'name="sesi" value="(\w+)" aria-label="Keluarkan (?:Chrome, Android|Peramban lain)"', html)
        [of_phone] = re.findall(r'name="sesi" value="(\w+)" aria-label="Keluarkan Chrome, Android"', html)
        for client in (here, pocket, third):
            assert client.cookies["akses"] not in html
        assert here.post("/akun/sesi", data={"sesi": of_phone}).status_code == 403
        assert here.post("/akun/sesi", data={"form": form_of(html), "sesi": of_phone}).headers["location"] == "/akun"
        assert pocket.get("/akun").status_code == 303
        assert third.get("/akun").status_code == 200
        assert here.post("/akun/sesi", data={"form": form_of(html)}).status_code == 303
        assert third.get("/akun").status_code == 303
        assert here.get("/akun").status_code == 200
        assert session


def test_nobody_ends_the_session_of_another_account(site: Site, person: Invited, owner: Invited) -> None:
    with site.client() as mine, site.client() as theirs, site.client() as theirs_too:
        log_in(mine, person.email, GOOD_PASSWORD)
        log_in(theirs, owner.email, GOOD_PASSWORD)
        log_in(theirs_too, owner.email, GOOD_PASSWORD)
        [session] = re.findall(r'name="sesi" value="(\w+)"', theirs.get("/akun").text)
        mine.post("/akun/sesi", data={"form": form_of(mine.get("/akun").text), "sesi": session})
        assert theirs_too.get("/akun").status_code == 200


def test_a_copy_of_the_data_is_complete_and_given_to_the_owner_alone(site: Site, owner: Invited) -> None:
    with site.client() as client:
        log_in(client, owner.email, GOOD_PASSWORD)
        form = form_of(client.get("/akun/data").text)
        assert client.post("/akun/data", data={"form": form, "current": "bukan ini"}).status_code == 422
        answer = client.post("/akun/data", data={"form": form, "current": GOOD_PASSWORD})
    assert answer.headers["content-disposition"] == 'attachment; filename="data-akses.json"'
    assert answer.headers["cache-control"] == "no-store"
    [account] = answer.json()["accounts"]
    assert account["data"]["full_name"] == "Dewi Lestari"
    assert account["data"]["phone"] == "+6281234567890"
    assert len(account["data"]["nik"]) == 16
    assert account["consent"]["notice_version"] == "2026-11"
    assert len(account["sessions"]) == 1
    assert "account.login" in [line["what"] for line in account["done"]]
    assert "password_hash" not in answer.text
    assert "argon2" not in answer.text


def test_the_end_of_an_account_is_asked_for_twice_and_then_complete(site: Site, owner: Invited) -> None:
    with site.client() as client:
        log_in(client, owner.email, GOOD_PASSWORD)
        form = form_of(client.get("/akun/hapus").text)
        assert client.post("/akun/hapus", data={"form": form, "current": GOOD_PASSWORD}).status_code == 422
        assert client.post("/akun/hapus", data={"form": form, "current": "bukan ini", "sure": "ya"}).status_code == 422
        ended = client.post("/akun/hapus", data={"form": form, "current": GOOD_PASSWORD, "sure": "ya"})
        assert (ended.status_code, ended.headers["location"]) == (303, "/akun/terhapus")
        assert "akses" not in client.cookies
        assert "sudah dihapus" in client.get("/akun/terhapus").text
        assert client.get("/akun").headers["location"] == "/masuk"
        assert log_in(client, owner.email, GOOD_PASSWORD).status_code == 401
    assert "e-mail terakhir tentang akun" in " ".join(site.mailbox.next(owner.email).split())
    assert site.status(owner) == "withdrawn"
    again = site.register("Dewi Lestari", email=owner.email)
    assert site.activate(again).status_code == 303


def test_the_pages_of_the_account_lead_to_the_log_in_without_a_session(site: Site) -> None:
    with site.client() as client:
        for path in ("/akun", "/akun/sandi", "/akun/data", "/akun/hapus"):
            assert client.get(path).headers["location"] == "/masuk"
            client.cookies.set("akses", "aks_old")
        for path in ("/akun/sandi", "/akun/sesi", "/akun/data", "/akun/hapus"):
            assert client.post(path, data={"form": "x"}).headers["location"] == "/masuk"


def test_a_forgotten_password_is_replaced_by_mail(site: Site, owner: Invited) -> None:
    with site.client() as client:
        assert "/masuk/lupa" in client.get("/masuk").text
        asked = client.post("/masuk/lupa", data={"email": owner.email})
        stranger = client.post("/masuk/lupa", data={"email": "tidak-ada@contoh.example"})
        assert asked.headers["location"] == stranger.headers["location"] == "/masuk/lupa/terkirim"
        path = site.password_link(owner.email)
        page = client.get(path).text
        assert "D*** L***" in page
        assert owner.email not in page
        assert "81234567890" not in page
        weak = client.post(path, data={"password": "Jakarta2026!", "again": "Jakarta2026!"})
        assert (weak.status_code, 'data-broken="common"' in weak.text) == (422, True)
        done = client.post(path, data={"password": NEW_PASSWORD, "again": NEW_PASSWORD})
        assert (done.status_code, done.headers["location"]) == (303, "/masuk/sandi/selesai")
        assert not any(line.startswith("akses=aks_") for line in done.headers.get_list("set-cookie")), (
            "nobody is logged in by it"
        )
        for again in (client.get(path), client.post(path, data={"password": NEW_PASSWORD, "again": NEW_PASSWORD})):
            assert again.status_code == 410
            assert "/masuk/lupa" in again.text
        assert log_in(client, owner.email, NEW_PASSWORD).status_code == 303


def test_asking_too_often_is_told_with_the_time_to_wait(site: Site) -> None:
    with site.client() as client:
        client.post("/masuk/lupa", data={"email": "sering@contoh.example"})
        answer = client.post("/masuk/lupa", data={"email": "sering@contoh.example"})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert "detik" in answer.text


def test_a_link_of_the_wrong_shape_for_a_new_password_is_a_page_and_no_error(site: Site) -> None:
    with site.client() as client:
        for token in ("akr_x", "akt_" + "x" * 43, "%00", "..%2f", "é"):
            assert client.get(f"/masuk/sandi/{token}").status_code in {404, 410}, token


def test_who_tries_out_links_for_a_new_password_must_wait_and_a_good_one_is_never_kept_from_anybody(
    site: Site, owner: Invited
) -> None:
    with site.client() as client:
        client.post("/masuk/lupa", data={"email": owner.email})
        path = site.password_link(owner.email)
        answers = [client.get(f"/masuk/sandi/akr_{'x' * 40}{at:03}") for at in range(25)]
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) > 0
        assert client.get(path).status_code == 200
