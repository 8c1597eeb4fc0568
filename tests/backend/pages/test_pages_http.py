"""What every page answers, whoever asks: headers, languages, methods, forms of strangers."""

from __future__ import annotations

import re

import pytest

from tests.backend.pages.site import Site

PAGES = {
    "/": 200,
    "/privasi": 200,
    "/masuk": 200,
    "/akun": 303,
    "/aktivasi/selesai": 200,
    "/aktivasi/terkirim": 200,
    "/aktivasi/dibatalkan": 200,
    "/aktivasi/akt_unknown": 404,
    "/aktivasi/akt_unknown/bukan-saya": 404,
    "/masuk/lupa": 200,
    "/masuk/lupa/terkirim": 200,
    "/masuk/sandi/akr_unknown": 410,
    "/masuk/sandi/selesai": 200,
    "/kode": 410,
    "/akun/sandi": 303,
    "/akun/data": 303,
    "/akun/hapus": 303,
    "/akun/terhapus": 200,
    "/no-such-page": 404,
}


@pytest.mark.parametrize(("path", "status"), PAGES.items())
def test_every_page_forbids_what_is_not_its_own(site: Site, path: str, status: int) -> None:
    with site.client() as client:
        for method in ("GET", "HEAD"):
            answer = client.request(method, path)
            assert answer.status_code == status
            policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
            assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
            assert set(policy.values()) == {"'none'", "'self'"}
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cross-origin-opener-policy"] == "same-origin"
            assert "strict-transport-security" not in answer.headers


@pytest.mark.parametrize("path", [path for path, status in PAGES.items() if status != 303])
def test_no_page_has_inline_script_or_style_or_names_another_host(site: Site, path: str) -> None:
    with site.client() as client:
        html = client.get(path).text
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", html)
    assert not re.search(r"<script(?![^>]*\ssrc=)", html)
    assert re.findall(r"(?:href|src|action)=\"(?!/|#|mailto:|tel:)", html) == []
    assert re.findall(r"(?:href|src|action)=\"//", html) == []


@pytest.mark.parametrize("path", [path for path, status in PAGES.items() if status != 303])
@pytest.mark.parametrize(
    ("language", "operator"), [("id", "Dioperasikan oleh Panitia Uji Coba"), ("en", "Operated by Panitia Uji Coba")]
)
def test_every_page_names_its_operator_and_says_that_it_is_a_demonstration(
    site: Site, path: str, language: str, operator: str
) -> None:
    with site.client(**{"Accept-Language": language}) as client:
        answer = client.get(path)
    assert operator in answer.text
    assert re.search("DEMONSTRASI" if language == "id" else "DEMONSTRATION", answer.text)
    assert f'<html lang="{language}">' in answer.text
    assert answer.headers["content-language"] == language


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "id"),
        ("id", "id"),
        ("en-US,en;q=0.9", "en"),
        ("id-ID,id;q=0.9,en;q=0.8", "id"),
        ("en;q=0.5,id;q=0.9", "id"),
        ("de,fr;q=0.7", "id"),
        ("de,en;q=0.3", "en"),
        ("en;q=0", "id"),
        ("en;q=x", "id"),
        ("*", "id"),
    ],
)
def test_the_browsers_language_counts_and_indonesian_is_the_rest(site: Site, accepted: str, language: str) -> None:
    with site.client(**{"Accept-Language": accepted}) as client:
        assert f'<html lang="{language}">' in client.get("/").text


def test_the_switch_is_remembered_and_stronger_than_the_browser(site: Site) -> None:
    with site.client() as client:
        assert 'href="/?lang=en"' in client.get("/").text
        assert '<html lang="en">' in client.get("/?lang=en").text
        assert '<html lang="en">' in client.get("/masuk").text
        assert '<html lang="id">' in client.get("/masuk?lang=id").text
        assert '<html lang="id">' in client.get("/?lang=<script>").text


def test_home_leads_to_the_chat_and_to_the_log_in(site: Site) -> None:
    with site.client() as client:
        html = client.get("/").text
    assert re.search(r'<a class="button" href="/chat">.*?Daftar</a>', html, re.DOTALL)
    assert re.search(r'href="/masuk">.*?Masuk</a>', html, re.DOTALL)
    for contact in ("(+62)21 515 2855", "0800 186 5734", "helpdesk@ksei.co.id"):
        assert contact in html


@pytest.mark.parametrize("language", ["id", "en"])
def test_the_privacy_notice_names_law_operator_and_version(site: Site, language: str) -> None:
    with site.client() as client:
        html = client.get(f"/privasi?lang={language}").text
    for named in ("2026-11", "27", "20", "3 x 24", "Panitia Uji Coba", "Telegram", "WhatsApp", "NIK"):
        assert named in html


STRANGERS: list[dict[str, str]] = [
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://jahat.example"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
    {"Origin": "https://jahat.example"},
    {"Origin": "http://127.0.0.1"},
]


@pytest.mark.parametrize(
    "path",
    [
        "/masuk",
        "/keluar",
        "/aktivasi/akt_x",
        "/aktivasi/akt_x/bukan-saya",
        "/aktivasi/akt_x/kirim-ulang",
        "/masuk/lupa",
        "/masuk/sandi/akr_x",
        "/kode",
        "/kode/kirim-ulang",
        "/akun/sandi",
        "/akun/sesi",
        "/akun/data",
        "/akun/hapus",
    ],
)
@pytest.mark.parametrize("headers", STRANGERS)
def test_a_form_of_another_site_is_refused(site: Site, path: str, headers: dict[str, str]) -> None:
    with site.client(**headers) as client:
        answer = client.post(path, data={"password": "x"})
    assert answer.status_code == 403
    assert "Formulir ini tidak dikirim dari halaman kami" in answer.text


def test_a_form_too_large_or_of_another_kind_or_broken_is_refused_with_a_page(site: Site) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    bodies: list[tuple[int, bytes, dict[str, str]]] = [
        (413, b"password=" + b"a" * 17_000, form),
        (415, b'{"password": "x"}', {"Content-Type": "application/json"}),
        (400, b"password=%ff%fe", form),
        (400, b"a&" * 40, form),
        (400, "password=é".encode("latin-1"), form),
    ]
    with site.client() as client:
        for status, body, headers in bodies:
            answer = client.post("/aktivasi/akt_x", content=body, headers=headers)
            assert (answer.status_code, "<h1>" in answer.text) == (status, True)


def test_an_unfit_method_is_answered_with_a_page(site: Site) -> None:
    with site.client() as client:
        answer = client.put("/masuk")
    assert answer.status_code == 405
    assert "<h1>" in answer.text
    assert answer.headers["referrer-policy"] == "no-referrer"
