"""The page behind the mailed link, spoken to over HTTP as a browser without JavaScript would."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from html import unescape

import pytest

from backend.config import Timings
from tests.backend.pages.site import GOOD_PASSWORD, Invited, Site

SCANNERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) SafeLinks",
    "BarracudaCentral/1.0",
    "TelegramBot (like TwitterBot)",
    "WhatsApp/2.23",
)


@pytest.fixture
def invited(site: Site) -> Invited:
    return site.register("Sri Wahyuningsih Kusuma")


def broken(html: str) -> list[str]:
    return re.findall(r'data-broken="(\w+)"', html)


def test_the_form_has_the_guides_labels_and_shows_only_masked_data(site: Site, invited: Invited) -> None:
    with site.client() as client:
        answer = client.get(invited.path)
    html = unescape(answer.text)
    assert answer.status_code == 200
    assert re.search(r'<label for="password">Ketik kata kunci</label>', html)
    assert re.search(r'<label for="again">Ketik ulang kata kunci</label>', html)
    assert re.search(r'<button class="[^"]*" type="submit">Aktifkan Akun Saya</button>', html)
    assert html.count('autocomplete="new-password"') == 2
    assert "S*** W*** K***" in html
    assert "o***@contoh.example" in html
    for secret in ("Wahyuningsih", invited.email, "31710155", "81234567890"):
        assert secret not in html
    assert "set-cookie" not in answer.headers


def test_looking_fifty_times_changes_nothing(site: Site, invited: Invited) -> None:
    for at in range(50):
        with site.client(**{"User-Agent": SCANNERS[at % len(SCANNERS)], "Purpose": "prefetch"}) as client:
            answer = client.request("HEAD" if at % 3 == 0 else "GET", invited.path)
            assert answer.status_code == 200
            assert client.get(f"{invited.path}/bukan-saya").status_code == 200
    assert site.status(invited) == "pending"
    assert site.activate(invited).status_code == 303


def test_activation_ends_on_a_page_without_the_token_and_opens_no_session(site: Site, invited: Invited) -> None:
    with site.client() as client:
        answer = client.post(invited.path, data={"password": GOOD_PASSWORD, "again": GOOD_PASSWORD, "consent": "2026-11"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/aktivasi/selesai")
        assert "akses" not in answer.headers["set-cookie"]
        html = client.get("/aktivasi/selesai").text
    assert "Selamat!" in html
    assert "Akun Anda sudah aktif" in html
    assert re.search(r'<a class="button" href="/">.*?Beranda</a>', html, re.DOTALL)
    assert site.status(invited) == "active"


@pytest.mark.parametrize(
    ("password", "again", "rules"),
    [
        ("", "", ["length", "lower", "upper", "digit", "special"]),
        ("xK9!mmQ", "xK9!mmQ", ["length"]),
        ("XK9!MMQZ", "XK9!MMQZ", ["lower"]),
        ("xk9!mmqz", "xk9!mmqz", ["upper"]),
        ("xKq!mmQz", "xKq!mmQz", ["digit"]),
        ("xK9wmmQz", "xK9wmmQz", ["special"]),
        ("xK9!mmQz", "xK9!mmQz ", ["same"]),
        ("aB3!xQ7?" * 16 + "z", "aB3!xQ7?" * 16 + "z", ["too_long"]),
        ("Jakarta2026!", "Jakarta2026!", ["common"]),
        ("xK9!kusumaQ", "xK9!kusumaQ", ["personal"]),
    ],
)
@pytest.mark.parametrize(("language", "words"), [("id", "Akun belum aktif"), ("en", "The account is not active yet")])
def test_a_refused_password_is_answered_with_every_broken_rule_and_is_not_repeated(
    site: Site, refused: Invited, password: str, again: str, rules: list[str], language: str, words: str
) -> None:
    with site.client() as client:
        form = {"password": password, "again": again, "consent": "2026-11"}
        answer = client.post(f"{refused.path}?lang={language}", data=form)
    assert answer.status_code == 422
    assert broken(answer.text) == rules
    assert words in answer.text
    assert not re.search(r'type="password"[^>]* value=', answer.text)
    # (The rule about common passwords names this one as its example.)
    assert password in ("", "Jakarta2026!") or password not in unescape(answer.text)
    assert re.search(r'name="consent"[^>]* checked', answer.text), "the tick is kept"
    assert site.status(refused) == "pending"


@pytest.fixture(scope="module")
def refused(site: Site) -> Invited:
    return site.register("Sri Wahyuningsih Kusuma")


@pytest.mark.parametrize("consent", [{}, {"consent": ""}, {"consent": "2020-01"}])
def test_without_consent_to_this_version_of_the_notice_nothing_is_activated(
    site: Site, refused: Invited, consent: dict[str, str]
) -> None:
    with site.client() as client:
        answer = client.post(refused.path, data={"password": GOOD_PASSWORD, "again": GOOD_PASSWORD, **consent})
    assert answer.status_code == 422
    assert broken(answer.text) == ["consent"]
    assert not re.search(r'name="consent"[^>]* checked', answer.text)
    assert site.status(refused) == "pending"


@pytest.mark.parametrize(
    "password", ["  Kunang 7 terbang  ", "Kunang%20+7&=terbang", "Kunang-7\u00a0té\U0001f600rbang", "Ku\u0301nang7 terbang"]
)
def test_a_password_is_taken_exactly_as_typed(site: Site, password: str) -> None:
    invited = site.register()
    assert site.activate(invited, password).status_code == 303
    for typed, matches in ((password, True), (password.strip() + "x", False)):
        outcome = site.run(site.backend.accounts.authenticate(invited.email, typed, ip="192.0.2.1"))
        assert (type(outcome).__name__ == "Account") is matches


def test_of_fifty_at_once_one_succeeds_and_the_others_hear_that_the_account_is_active(site: Site, invited: Invited) -> None:
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: site.activate(invited), range(50)))
    outcomes = sorted(answer.status_code for answer in answers)
    assert outcomes.count(303) == 1
    assert set(outcomes) == {303, 410}
    assert all("silakan masuk" in answer.text for answer in answers if answer.status_code == 410)


def test_a_used_link_says_that_the_account_is_active_and_leads_to_the_log_in(site: Site, invited: Invited) -> None:
    site.activate(invited)
    with site.client() as client:
        for answer in (client.get(invited.path), site.activate(invited), client.get(f"{invited.path}/bukan-saya")):
            assert answer.status_code == 410
            assert "Akun sudah aktif, silakan masuk" in answer.text
            assert re.search(r'href="/masuk">.*?Masuk</a>', answer.text, re.DOTALL)


def test_unknown_cut_and_void_links_answer_alike_and_help(site: Site, invited: Invited) -> None:
    void = site.register()
    site.run(site.backend.activation.disown(void.path.rpartition("/")[2]))
    paths = (
        void.path,
        invited.path[:-1],
        invited.path + "x",
        invited.path.swapcase().replace("/AKTIVASI", "/aktivasi"),
        "/aktivasi/%00",
        "/aktivasi/é",
    )
    with site.client() as client:
        answers = [client.get(path) for path in paths]
    assert [answer.status_code for answer in answers] == [404] * len(paths)
    bodies = {re.sub(r'href="[^"]*\?lang=en"', "", answer.text) for answer in answers}
    assert len(bodies) == 1
    assert "tautan terpotong saat disalin" in bodies.pop()


def test_somebody_elses_active_nik_is_told_on_the_page_only_after_the_password(site: Site) -> None:
    first, second = site.register(nik="3171015502991234"), site.register(nik="3171015502991234")
    assert site.activate(first).status_code == 303
    answer = site.activate(second)
    assert answer.status_code in {404, 409}
    assert "dapat" in answer.text
    assert site.status(second) != "active"


def test_not_me_asks_once_more_and_then_voids_everything(site: Site, invited: Invited) -> None:
    with site.client() as client:
        asked = client.get(f"{invited.path}/bukan-saya")
        assert f'method="post" action="{invited.path}/bukan-saya"' in asked.text
        assert site.status(invited) == "pending"
        # No chat may tell that an address wants no mail, so whoever would wait for one in vain is told here.
        peace = f"Selama {Timings().suppress_for.days} hari kami tidak mengirim e-\u2060mail pendaftaran"
        assert peace in asked.text
        assert peace in client.get("/aktivasi/dibatalkan").text
        done = client.post(f"{invited.path}/bukan-saya", data={})
        assert (done.status_code, done.headers["location"]) == (303, "/aktivasi/dibatalkan")
        assert "Pendaftaran sudah dibatalkan" in client.get("/aktivasi/dibatalkan").text
        assert client.get(invited.path).status_code == 404
        assert client.post(f"{invited.path}/bukan-saya", data={}).status_code == 404
    assert site.activate(invited).status_code == 404
    assert site.status(invited) == "withdrawn"


def test_the_page_speaks_the_language_of_the_registration_and_so_does_its_result(site: Site) -> None:
    invited = site.register(language="en")
    with site.client(**{"Accept-Language": "id"}) as client:
        assert "Type the password again" in client.get(invited.path).text
        client.post(invited.path, data={"password": GOOD_PASSWORD, "again": GOOD_PASSWORD, "consent": "2026-11"})
        assert "Congratulations!" in client.get("/aktivasi/selesai").text


def test_an_expired_link_is_told_before_anybody_types_and_sends_a_new_one_to_the_same_address(
    site: Site, invited: Invited
) -> None:
    site.clock.ahead += timedelta(hours=25)
    with site.client() as client:
        told = client.get(invited.path)
        assert told.status_code == 410
        assert "Masa berlaku tautan ini sudah lewat" in told.text
        assert "o***@contoh.example" in told.text
        assert 'type="password"' not in told.text
        assert site.activate(invited).status_code == 410
        sent = client.post(f"{invited.path}/kirim-ulang", data={})
        assert (sent.status_code, sent.headers["location"]) == (303, "/aktivasi/terkirim")
        assert "Tautan baru sedang dikirim" in client.get("/aktivasi/terkirim").text
        newer = site.link(invited.email)
        assert newer != invited.path
        assert client.get(newer).status_code == 200
        again = client.post(f"{newer}/kirim-ulang", data={})
        assert (again.status_code, again.headers["location"]) == (303, newer)


def test_a_second_new_link_too_soon_is_refused_with_the_time_to_wait(site: Site, invited: Invited) -> None:
    site.clock.ahead += timedelta(hours=25)
    with site.client() as client:
        assert client.post(f"{invited.path}/kirim-ulang", data={}).status_code == 303
        refused = client.post(f"{invited.path}/kirim-ulang", data={})
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert re.search(r"Silakan coba lagi dalam \d+ detik", refused.text)
