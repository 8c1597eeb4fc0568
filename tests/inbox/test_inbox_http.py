"""What the pages answer, to whom, and with which headers."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from email.message import EmailMessage
from html import unescape
from pathlib import Path

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from akses.inbox.pages import routes
from akses.inbox.store import MailStore, links_of

MakeMail = Callable[..., EmailMessage]

PATHS = ("/inbox", "/inbox/api/messages", "/inbox/static/inbox.css", "/inbox/nothing", "/inbox/nothing/html")


async def test_an_empty_inbox_says_what_to_do(web: httpx2.AsyncClient) -> None:
    page = await web.get("/inbox")
    assert page.status_code == 200
    assert "Belum ada surat" in page.text
    assert (await web.get("/inbox/api/messages")).json() == []


@pytest.mark.parametrize(
    ("query", "words"),
    [("", "DEMONSTRASI. Data tetap di mesin ini."), ("?lang=en", "DEMONSTRATION. Data stay on this machine.")],
)
async def test_every_page_says_that_it_is_a_demonstration_and_who_runs_it(
    inbox, web: httpx2.AsyncClient, mail: MakeMail, query: str, words: str
) -> None:
    await inbox.send(mail())
    for path in ("/inbox", f"/inbox/{inbox.store.mails()[0].id}", "/inbox/nothing"):
        page = (await web.get(path + query)).text
        assert words in page
        assert "PT Contoh Sekuritas" in page


async def test_the_mail_s_page_shows_its_header_and_text_with_links_that_open_beside(
    inbox, web: httpx2.AsyncClient, mail: MakeMail
) -> None:
    await inbox.send(mail())
    page = (await web.get(f"/inbox/{inbox.store.mails()[0].id}")).text
    for words in (
        "AKSes KSEI &lt;akses@ksei.co.id&gt;",
        "Siti Rahmawati &lt;siti@example.com&gt;",
        "&lt;act-1@akses.example&gt;",
        "22 November 2026",
    ):
        assert words in page
    assert '<a href="http://127.0.0.1:1/aktivasi/akt_abc" target="_blank" rel="noopener noreferrer">' in page
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page


async def test_a_mail_without_html_or_without_text_or_without_anything_is_shown(
    inbox, web: httpx2.AsyncClient, mail: MakeMail
) -> None:
    await inbox.send(mail(html=None))
    await inbox.send(b"From: a@example.com\r\nContent-Type: text/html\r\n\r\n<p>Hanya HTML</p>")
    await inbox.send(b"\r\n")
    nothing, html_only, text_only = inbox.store.mails()
    assert "<iframe" not in (await web.get(f"/inbox/{text_only.id}")).text
    assert (await web.get(f"/inbox/{text_only.id}/html")).status_code == 404
    assert "tidak memiliki versi teks" in (await web.get(f"/inbox/{html_only.id}")).text
    assert (await web.get(f"/inbox/{html_only.id}/html")).text.strip().endswith("<p>Hanya HTML</p>")
    assert (await web.get(f"/inbox/{nothing.id}")).status_code == 200


async def test_the_text_part_is_shown_without_the_line_ends_that_only_its_width_caused(
    inbox, web: httpx2.AsyncClient, mail: MakeMail
) -> None:
    paragraph = (
        "Kami tidak pernah meminta kata sandi, PIN, atau kode OTP Anda, baik melalui e-mail, telepon, maupun chat, kapan pun."
    )
    link = "https://a.example/aktivasi/akt_" + "k" * 43
    others = f"Yth. Siti,\n\nLink aktivasi:\n{link}\n\nCall Center (+62)21 515 2855\nBebas pulsa 0800 186 5734\n"
    await inbox.send(mail(text=textwrap.fill(paragraph, 76) + "\n\n" + others))
    caught = inbox.store.mails()[0]
    shown = re.sub(r"<[^>]+>", "", unescape((await web.get(f"/inbox/{caught.id}")).text))
    assert paragraph in shown
    assert others in shown + "\n"
    assert paragraph not in caught.text


async def test_pages_are_never_stored_and_allow_nothing_foreign(inbox, web: httpx2.AsyncClient, mail: MakeMail) -> None:
    await inbox.send(mail())
    own = inbox.store.mails()[0].id
    for path in (*PATHS, f"/inbox/{own}", f"/inbox/{own}/html"):
        headers = (await web.get(path)).headers
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers.get_list("content-security-policy") == [headers["content-security-policy"]]
        assert "unsafe-inline" not in headers["content-security-policy"].replace("style-src 'unsafe-inline'", "")
    assert (await web.get(f"/inbox/{own}/html")).headers["content-security-policy"].startswith("sandbox allow-popups ")
    assert "'unsafe-inline'" not in (await web.get("/inbox")).headers["content-security-policy"]


async def test_asking_again_with_the_etag_costs_nothing_until_a_mail_comes(
    inbox, web: httpx2.AsyncClient, mail: MakeMail
) -> None:
    first = await web.get("/inbox/api/messages")
    again = await web.get("/inbox/api/messages", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["etag"] in (await web.get("/inbox")).text.replace("&#34;", '"')
    await inbox.send(mail())
    assert (await web.get("/inbox/api/messages", headers={"If-None-Match": first.headers["etag"]})).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_the_inbox_can_only_be_read(web: httpx2.AsyncClient, method: str) -> None:
    assert (await web.request(method, "/inbox")).status_code == 405


# Who may look

HERE = ("127.0.0.1", 50000)


async def ask(
    folder: Path, path: str, *, peer: tuple[str, int] | None, **headers: str
) -> tuple[int, bytes, dict[bytes, bytes]]:
    """The answer to a request that comes from `peer`, which loopback cannot play."""
    [app] = [route for route in routes(MailStore(folder), operator_name="PT Contoh") if route.path in {path, "/inbox/{mail}"}][
        :1
    ]
    raw = {"host": "localhost:8080"} | {name.replace("_", "-"): value for name, value in headers.items()}
    scope: Scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "path": path, "raw_path": path.encode(),
        "root_path": "", "query_string": b"", "client": peer, "server": ("0.0.0.0", 8080), "path_params": {"mail": "x"},
        "headers": [(name.encode(), value.encode()) for name, value in raw.items()],
    }  # fmt: skip
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    handle: Callable[[Scope, Receive, Send], object] = app.app
    await handle(scope, receive, send)  # type: ignore[misc]
    return sent[0]["status"], b"".join(part.get("body", b"") for part in sent), dict(sent[0]["headers"])


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
async def test_a_browser_of_this_machine_may_look(tmp_path: Path, peer: str) -> None:
    assert (await ask(tmp_path / "inbox", "/inbox", peer=(peer, 50000)))[0] == 200


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "akses.localhost:8080", "LOCALHOST"])
async def test_a_loopback_name_may_be_used(tmp_path: Path, host: str) -> None:
    assert (await ask(tmp_path / "inbox", "/inbox", peer=HERE, host=host))[0] == 200


@pytest.mark.parametrize("path", ["/inbox", "/inbox/api/messages", "/inbox/nothing"])
@pytest.mark.parametrize("peer", [("192.168.1.20", 50000), ("203.0.113.7", 50000), ("2001:db8::1", 50000), ("unix", 0), None])
async def test_another_machine_is_refused_and_told_why(tmp_path: Path, path: str, peer: tuple[str, int] | None) -> None:
    status, body, headers = await ask(tmp_path / "inbox", path, peer=peer)
    assert status == 403
    assert b"hanya dapat dibuka langsung dari mesin" in body
    assert headers[b"cache-control"] == b"no-store"


@pytest.mark.parametrize("header", ["x_forwarded_for", "forwarded", "x_real_ip", "via", "x_forwarded_host"])
async def test_what_a_proxy_on_this_machine_passes_on_is_refused(tmp_path: Path, header: str) -> None:
    assert (await ask(tmp_path / "inbox", "/inbox", peer=HERE, **{header: "127.0.0.1"}))[0] == 403


@pytest.mark.parametrize(
    "host", ["rebind.example.org:8080", "127.0.0.1.example.org", "localhost.example.org", "192.168.1.5", ""]
)
async def test_a_foreign_name_that_leads_here_is_refused(tmp_path: Path, host: str) -> None:
    """DNS rebinding: a site in the same browser has its own name answered with 127.0.0.1 and would read the mails."""
    assert (await ask(tmp_path / "inbox", "/inbox", peer=HERE, host=host))[0] == 403


# What a stranger may have written

NASTY = (
    b"",
    b"\x00\xff\xfe",
    b"Subject: =?utf-8?q?=FF=FE?=\r\n\r\nx",
    b"Subject: =?nonsense?q?abc?=\r\nFrom: =?utf-8?b?!!!?=\r\nTo: <<>>,;@\r\nDate: tomorrow\r\nMessage-ID: <\r\n\r\nx",
    b"Content-Type: text/plain; charset=klingon\r\n\r\n\xc3\x28",
    b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n%%%%",
    b"Content-Type: text/html\r\n\r\n<![x <!DOCTYPE <a href='http://a'",
    b"Content-Type: multipart/alternative; boundary=\r\n\r\nx",
    b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n--a",
    b"From: \xe9\xe8\r\nSubject: caf\xe9\r\nTo: \xff@\xff\r\n\r\n\xe9",
    b"Date: Thu, 99 Foo 10000 99:99:99 +9999\r\n\r\n",
    b"Date: Sat, 01 Jan 0001 00:00:00 +1400\r\n\r\n",
    b'To: "\r\nFrom: a@[\r\nSubject: ' + b"x" * 20000 + b"\r\n\r\n",
)


@pytest.mark.parametrize("content", NASTY)
async def test_whatever_comes_can_be_listed_and_opened(inbox, web: httpx2.AsyncClient, content: bytes) -> None:
    inbox.store.keep(content, ["siti@example.com", "\udcff@example.com"])
    [caught] = (await web.get("/inbox/api/messages")).json()
    assert (await web.get("/inbox")).status_code == 200
    assert (await web.get(f"/inbox/{caught['id']}")).status_code == 200
    assert (await web.get(f"/inbox/{caught['id']}/html")).status_code in {200, 404}


@given(
    st.binary(max_size=300)
    | st.builds(
        lambda name, value, body: name + b": " + value + b"\r\n\r\n" + body,
        st.sampled_from([b"From", b"To", b"Date", b"Subject", b"Message-ID", b"Content-Type", b"Content-Transfer-Encoding"]),
        st.binary(max_size=80),
        st.binary(max_size=80),
    )
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_make_the_store_fail(tmp_path: Path, content: bytes) -> None:
    store = MailStore(tmp_path / "inbox", kept=1)
    store.keep(content, ["siti@example.com"])
    [caught] = store.mails()
    assert caught.recipients == ("siti@example.com",)
    f"{caught}".encode()


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("Buka http://a.example/x.", ["http://a.example/x"]),
        ("(https://a.example/x), lalu <https://b.example/y>!", ["https://a.example/x", "https://b.example/y"]),
        ("javascript:alert(1) ftp://a.example mailto:a@example.com", []),
        ("http:// https://", []),
    ],
)
def test_links_of_a_text_are_its_web_addresses(text: str, links: list[str]) -> None:
    assert links_of(text) == links


SMS = {"id": "abc123", "to": "+6281234567890", "text": "123456 adalah kode OTP AKSes Anda.\n\n@akses.example #123456"}


async def test_a_short_message_is_kept_beside_the_mails_and_shown_as_one(web: httpx2.AsyncClient, sms_password: str) -> None:
    taken = await web.post("/inbox/api/sms", json=SMS, auth=("inbox", sms_password))
    assert taken.status_code == 204
    listed = (await web.get("/inbox/api/messages")).json()
    assert [(each["kind"], each["to"]) for each in listed] == [("sms", ["+6281234567890"])]
    assert listed[0]["text"].strip() == SMS["text"]
    page = (await web.get("/inbox")).text
    assert page.count('<span class="badge">SMS</span>') == 1
    assert "123456 adalah kode OTP" in (await web.get(f"/inbox/{listed[0]['id']}")).text


@pytest.mark.parametrize(
    ("given", "body", "status"),
    [
        (None, SMS, 401),
        (("inbox", "guessed"), SMS, 401),
        (("inbox", "RIGHT"), {"id": "x"}, 400),
        (("inbox", "RIGHT"), SMS | {"more": 1}, 400),
        (("inbox", "RIGHT"), SMS | {"text": "a" * 20_000}, 413),
    ],
)
async def test_only_the_product_itself_leaves_short_messages_and_only_whole_ones(
    web: httpx2.AsyncClient, given: tuple[str, str] | None, body: dict[str, object], status: int, sms_password: str
) -> None:
    auth = (given[0], given[1].replace("RIGHT", sms_password)) if given else None
    answer = await web.post("/inbox/api/sms", json=body, auth=auth)
    assert answer.status_code == status
    assert (await web.get("/inbox/api/messages")).json() == []


async def test_a_short_message_from_elsewhere_is_refused_even_with_the_password(
    web: httpx2.AsyncClient, sms_password: str
) -> None:
    for headers in ({"Host": "evil.example"}, {"X-Forwarded-For": "203.0.113.9"}):
        assert (await web.post("/inbox/api/sms", json=SMS, auth=("inbox", sms_password), headers=headers)).status_code == 401
