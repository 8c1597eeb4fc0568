"""The console over HTTP: who may ask for what, what nobody gets to see, and what changes only by its own page."""

from __future__ import annotations

import asyncio
import csv
import html
import io
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa

from bot.conversation import Conversation
from bot.desk import Line
from dialogs.effects import DeskChanged, Relay
from helpdesk.console.headers import CONTENT_SECURITY_POLICY
from helpdesk.reading import Filters
from helpdesk.roles import ROLES
from helpdesk.sign_in import IDLE
from helpdesk.tables import tickets
from tests.helpdesk.stage import Stage, form_token
from tests.helpdesk.test_records import AT, CHAT, SECRET, story

LOOK = {"viewer", "agent", "supervisor"}
ACT = {"agent", "supervisor"}
EVERYBODY = set(ROLES)
# Every address of the console inside a session, and the roles that get through to it.
ADDRESSES: dict[tuple[str, str], set[str]] = {
    ("GET", "/helpdesk"): EVERYBODY,
    ("GET", "/helpdesk/c/{chat}"): LOOK,
    ("GET", "/helpdesk/langsung"): LOOK,
    ("GET", "/helpdesk/daftar.csv"): {"supervisor"},
    ("GET", "/helpdesk/angka"): {"supervisor", "admin"},
    ("POST", "/helpdesk/c/{chat}/ambil"): ACT,
    ("POST", "/helpdesk/c/{chat}/lepas"): ACT,
    ("POST", "/helpdesk/c/{chat}/kembalikan"): ACT,
    ("POST", "/helpdesk/c/{chat}/alihkan"): ACT,
    ("POST", "/helpdesk/c/{chat}/tutup"): ACT,
    ("POST", "/helpdesk/c/{chat}/pesan"): ACT,
    ("POST", "/helpdesk/c/{chat}/ulang"): ACT,
    ("POST", "/helpdesk/c/{chat}/catatan"): ACT,
    ("POST", "/helpdesk/c/{chat}/usul"): ACT,
    ("POST", "/helpdesk/c/{chat}/kirim-tautan"): ACT,
    ("POST", "/helpdesk/c/{chat}/buka"): ACT,
    # Nobody here has the conversation, and only who has it may.
    ("POST", "/helpdesk/c/{chat}/pindah"): set(),
    ("GET", "/helpdesk/bantu"): ACT,
    ("POST", "/helpdesk/bantu"): ACT,
    ("POST", "/helpdesk/bantu/lihat"): ACT,
    ("GET", "/helpdesk/balasan"): {*ACT, "admin"},
    ("POST", "/helpdesk/balasan"): ACT,
    ("POST", "/helpdesk/balasan/hapus"): ACT,
    ("GET", "/helpdesk/saya"): EVERYBODY,
    ("POST", "/helpdesk/saya/sesi"): EVERYBODY,
    ("GET", "/helpdesk/petugas"): {"admin"},
    ("POST", "/helpdesk/petugas"): {"admin"},
    ("POST", "/helpdesk/petugas/{agent}/undang"): {"admin"},
    ("POST", "/helpdesk/petugas/{agent}/tutup"): {"admin"},
    ("POST", "/helpdesk/petugas/{agent}/buka"): {"admin"},
    ("POST", "/helpdesk/petugas/{agent}/peran"): {"admin"},
    ("GET", "/helpdesk/audit"): {"auditor"},
    ("POST", "/helpdesk/keluar"): EVERYBODY,
}
# Every address before a session: the ways in, and no other.
OPEN = {
    (method, f"/helpdesk/{place}")
    for method, places in (
        ("GET", ("masuk", "masuk/kode", "masuk/tautan/{token}", "masuk/oidc", "masuk/oidc/kembali", "undangan/{token}")),
        ("POST", ("masuk", "masuk/kode", "masuk/tautan/{token}", "undangan/{token}")),
    )
    for place in places
}


@pytest.fixture
async def browsers(small_stage: Stage) -> AsyncIterator[dict[str, httpx2.AsyncClient]]:
    """A signed-in browser of each role, and a ticket to look at."""
    for key, what in story()[:5]:
        await small_stage.desk.records.tell(CHAT, what, key)
    async with AsyncExitStack() as stack:
        found = {}
        for role in ROLES:
            agent = await small_stage.agent(f"{role}.uji", role)
            found[role] = await stack.enter_async_context(await small_stage.signed_in(agent))
        yield found


async def addressed(stage: Stage, address: str) -> str:
    (ticket,) = await stage.desk.reading.tickets("all", "")
    victim = await stage.people.agents.by_login("korban") or (await stage.people.agents.add("korban", "Korban", ("viewer",)))[0]
    return address.format(chat=ticket.chat, agent=victim.id)


async def token_of(browser: httpx2.AsyncClient) -> str:
    return form_token(await browser.get("/helpdesk/saya"))


def routed(stage: Stage) -> set[tuple[str, str]]:
    from helpdesk.console import console

    made = console(stage.desk, device=lambda _: "")
    return {
        (method, route.path)  # type: ignore[attr-defined]
        for route in made.routes
        for method in route.methods - {"HEAD"}  # type: ignore[attr-defined]
    }


async def test_the_matrix_names_every_address_there_is(small_stage: Stage) -> None:
    assert routed(small_stage) == set(ADDRESSES) | OPEN


@pytest.mark.parametrize("role", ROLES)
async def test_each_role_gets_through_to_what_it_may_and_to_nothing_else(
    small_stage: Stage, browsers: dict[str, httpx2.AsyncClient], role: str
) -> None:
    browser = browsers[role]
    token = await token_of(browser)
    for (method, address), allowed in ADDRESSES.items():
        place = await addressed(small_stage, address)
        if address.endswith("langsung") and role in allowed:
            async with browser.stream("GET", place) as answer:
                status = answer.status_code
        elif method == "GET":
            status = (await browser.get(place)).status_code
        else:
            form = {"form": token, "version": "2", "key": "k", "text": "", "title": "x", "text_id": "x"}
            status = (await browser.post(place, data=form)).status_code
        assert (status != 403) == (role in allowed), f"{role} {method} {address}: {status}"
        assert status != 500, f"{role} {method} {address}"


async def test_nobody_without_a_session_gets_anything(small_stage: Stage, browsers: dict[str, httpx2.AsyncClient]) -> None:
    assert browsers
    async with small_stage.client() as stranger:
        for method, address in ADDRESSES:
            place = await addressed(small_stage, address)
            answer = await stranger.request(method, place, **({"data": {"form": "x"}} if method == "POST" else {}))
            assert (answer.status_code, answer.headers["location"]) == (303, "/helpdesk/masuk"), address
            told = await stranger.get(place, headers={"Accept": "application/json"}) if method == "GET" else None
            assert told is None or told.status_code == 401


async def test_a_form_counts_only_from_our_own_page_and_this_session(
    small_stage: Stage, browsers: dict[str, httpx2.AsyncClient]
) -> None:
    browser, token = browsers["supervisor"], await token_of(browsers["supervisor"])
    place = await addressed(small_stage, "/helpdesk/c/{chat}/catatan")
    good: dict[str, Any] = {"form": token, "key": "k", "text": "catatan"}
    foreign = [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}]
    for headers in foreign:
        assert (await browser.post(place, data=good, headers=headers)).status_code == 403
    for wrong in ("", "x", await token_of(browsers["agent"])):
        assert (await browser.post(place, data=good | {"form": wrong})).status_code == 403
    assert (await browser.post(place, content=b"{}", headers={"Content-Type": "application/json"})).status_code == 415
    assert (await browser.post(place, data=good | {"text": "x" * 70_000})).status_code == 413
    assert (await browser.post(place, data=good)).status_code == 303
    assert (await small_stage.actions()).count("desk.noted") == 1


async def test_every_answer_says_that_nothing_of_it_is_kept_framed_or_fetched_from_elsewhere(
    small_stage: Stage, browsers: dict[str, httpx2.AsyncClient]
) -> None:
    for place in ("/helpdesk", "/helpdesk/saya", "/helpdesk/masuk", "/helpdesk/c/none", "/helpdesk/daftar.csv"):
        answer = await browsers["supervisor"].get(place)
        assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert small_stage


async def test_nothing_that_people_wrote_reaches_who_has_no_right_to_it(
    small_stage: Stage, browsers: dict[str, httpx2.AsyncClient]
) -> None:
    await small_stage.desk.records.watch([Line(CHAT, "person", SECRET, AT, "nik", "e1.0")])
    press = Relay("S.t1", "person", "press", "", AT, detail="siti@example.com")
    await small_stage.desk.records.tell(CHAT, press, "S.12.0")
    contact = Relay("S.t1", "person", "contact", "+6281234567890", AT)
    await small_stage.desk.records.tell(CHAT, contact, "S.13.0")
    (ticket,) = await small_stage.desk.reading.tickets("all", "")
    places = [f"/helpdesk/c/{ticket.chat}", "/helpdesk/daftar.csv", "/helpdesk/audit", "/helpdesk/petugas", "/helpdesk/balasan"]
    places += [f"/helpdesk?daftar={name}" for name in ("queue", "mine", "all", "live")]
    for role, browser in browsers.items():
        for place in places:
            body = (await browser.get(place)).text
            for secret in ("3174095708900001", "siti@example.com", "0812-3456-7890", "+6281234567890", CHAT.address + '"'):
                assert secret not in body, f"{role} {place}"


async def test_the_list_as_a_file_is_no_formula_and_stands_in_the_audit(small_stage: Stage) -> None:
    for number, name in enumerate(("=cmd|'/c calc'!A1", "+1", "-1", "@x", "Rina"), start=1):
        taken = DeskChanged(f"T.{number}", "taken", 2, AT, "a1", name)
        await small_stage.desk.records.tell(Conversation("web", str(number)), taken, "S.1.0")
    agent = await small_stage.agent("sup", "supervisor")
    async with await small_stage.signed_in(agent) as browser:
        answer = await browser.get("/helpdesk/daftar.csv")
    lines = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [line["agent_name"] for line in lines] == ["Rina", "'@x", "'-1", "'+1", "'=cmd|'/c calc'!A1"]
    assert not any(value.startswith(("=", "+", "-", "@")) for line in lines for value in line.values())
    assert (await small_stage.actions())[-1] == "desk.exported"


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t=", "\r=", "\n=", " =", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
async def test_no_column_of_the_file_begins_a_formula_whatever_came_to_stand_in_it(small_stage: Stage, begins: str) -> None:
    await small_stage.desk.records.tell(CHAT, DeskChanged("T.1", "taken", 2, AT, "a1", "Rina"), "S.1.0")
    columns = {column.name for column in tickets.c if isinstance(column.type, sa.String)} - {
        "id",
        "conversation_id",
        "agent_id",
    }
    evil = f'{begins}HYPERLINK("https://x.example","a,b")'
    async with small_stage.people.database.writing() as conn:
        await conn.execute(tickets.update().values(dict.fromkeys(columns, evil)))
    (line,) = csv.DictReader(io.StringIO(await small_stage.desk.reading.exported(Filters()), newline=""))
    assert {name for name, value in line.items() if value == f"'{evil}"} == columns, "each is there, and is words"


async def walked(browser: httpx2.AsyncClient, place: str) -> list[list[str]]:
    """What each page of a list shows, by its links to the next."""
    pages, seen = list[list[str]](), re.compile(r'class="desk-item" href="[^"?]*/c/([^"?]+)')
    while True:
        page = (await browser.get(place)).text
        pages.append(seen.findall(page))
        if len(pages) > 1:
            assert 'rel="prev"' in page
        following = re.search(r'rel="next" href="([^"]+)"', page)
        if following is None:
            return pages
        place = html.unescape(following[1])


async def test_every_list_goes_on_page_by_page_with_its_filters_to_its_end(small_stage: Stage) -> None:
    sri = await small_stage.agent("sri")
    tell = small_stage.desk.records.tell
    for number in range(120):
        chat, at = Conversation("web" if number < 110 else "telegram", str(number)), AT + timedelta(seconds=number)
        if number < 105:
            await tell(chat, DeskChanged(f"T.{number}", "queued", 1, at), "S.1.0")
        else:
            await tell(chat, DeskChanged(f"T.{number}", "taken", 2, at, sri.id, "Sri"), "S.1.0")
    watched = [Line(Conversation("web", f"bot{number}"), "bot", "Halo", AT, "nik", f"e{number}.0") for number in range(60)]
    await small_stage.desk.records.watch(watched)
    async with await small_stage.signed_in(sri) as browser:
        for query, sizes in (
            ("daftar=queue", [50, 50, 5]),
            ("daftar=mine", [15]),
            ("daftar=all", [50, 50, 20]),
            ("daftar=all&channel=web", [50, 50, 10]),
            ("daftar=all&channel=telegram&owner=human", [10]),
            ("daftar=all&q=sri", [15]),
            ("daftar=live", [50, 10]),
        ):
            pages = await walked(browser, f"/helpdesk?{query}")
            assert [len(page) for page in pages] == sizes, query
            assert len({one for page in pages for one in page}) == sum(sizes), query
        # The talk that is opened from a page has that page of the list beside it, and stays open while the list goes on.
        chat = (await walked(browser, "/helpdesk?daftar=queue"))[2][0]
        opened = await walked(browser, f"/helpdesk/c/{chat}?daftar=queue")
        assert [len(page) for page in opened] == [50, 50, 5]
        # A page that is no more, or never was, is the last there is.
        for strange, first in (("99", 5), ("0", 50), ("-1", 50), ("x", 50), ("9" * 30, 50)):
            assert len((await walked(browser, f"/helpdesk?daftar=queue&hal={strange}"))[0]) == first, strange
        assert "Antrean kosong" not in (await browser.get("/helpdesk?daftar=queue&hal=7")).text
        assert (await walked(browser, "/helpdesk?daftar=mine&hal=3&channel=whatsapp"))[0] == []


async def test_a_value_told_on_the_phone_finds_its_ticket_and_part_of_it_finds_nothing(small_stage: Stage) -> None:
    for key, what in story()[:1]:
        await small_stage.desk.records.tell(CHAT, what, key)
    from helpdesk.reading import Filters, search_terms
    from helpdesk.tables import ticket_terms

    kept = search_terms("siti@example.com") | search_terms("+6281234567890") | search_terms("Siti Rahmawati")
    cells = small_stage.desk.records._cells
    async with small_stage.people.database.writing() as conn:
        await conn.execute(ticket_terms.insert(), [{"ticket_id": "S.t1", "term": cells.term(term)} for term in kept])
    for query in ("Siti@Example.com", "0812 3456 7890", "+62 812-3456-7890", "siti  rahmawati", "#1", "1"):
        assert len(await small_stage.desk.reading.tickets("all", "", Filters(query=query))) == 1, query
    for query in ("siti", "example.com", "08123456", "#2", "%", "_"):
        assert len(await small_stage.desk.reading.tickets("all", "", Filters(query=query))) == 0, query


async def test_who_changes_the_language_stays_at_the_list_that_they_look_at(small_stage: Stage) -> None:
    async with await small_stage.signed_in(await small_stage.agent("sri")) as browser:
        page = (await browser.get("/helpdesk?daftar=all&channel=web&q=a%26b&lang=id")).text
        other = re.search(r'href="([^"]+)" hreflang="en"', page)
        assert other is not None
        english = (await browser.get(f"/helpdesk{html.unescape(other[1])}")).text
    assert '<html lang="en">' in english
    assert 'value="a&amp;b"' in english
    assert re.search(r'aria-current="true">All', english)
    assert '<option value="web" selected>' in english


async def test_how_it_ended_finds_a_ticket_by_the_words_that_agents_read(small_stage: Stage) -> None:
    for key, what in story():
        await small_stage.desk.records.tell(CHAT, what, key)
    await small_stage.desk.records.tell(CHAT, DeskChanged("S.t2", "timed_out", 5, AT), "S.20.0")
    found = {
        query: [ticket.number for ticket in await small_stage.desk.reading.tickets("all", "", Filters(query=query))]
        for query in ("Terselesaikan", "resolved", "ditutup", "tidak terjawab", "nobody answered", "no_answer", "selesai")
    }
    assert found == {
        "Terselesaikan": [1],
        "resolved": [1],
        "ditutup": [1],
        "tidak terjawab": [2],
        "nobody answered": [2],
        "no_answer": [],
        "selesai": [],
    }


async def test_an_open_page_that_connects_again_and_again_keeps_no_session_alive(small_stage: Stage) -> None:
    async with await small_stage.signed_in(await small_stage.agent("sri")) as browser:
        for _ in range(3):
            small_stage.clock.ahead += IDLE / 2
            async with browser.stream("GET", "/helpdesk/langsung?since=0") as answer:
                last = answer.status_code
            look = (await browser.get("/helpdesk", headers={"X-By-Itself": "1"})).status_code
    assert (last, look) == (303, 303)


async def test_a_stream_tells_what_was_missed_and_ends_when_its_agent_is_shut_out(small_stage: Stage) -> None:
    agent = await small_stage.agent("sri")
    for key, what in story()[:3]:
        await small_stage.desk.records.tell(CHAT, what, key)
    first, *rest = await small_stage.desk.feed.since(0)
    async with await small_stage.signed_in(agent) as browser:
        headers = {"Last-Event-ID": str(first.id)}
        async with browser.stream("GET", "/helpdesk/langsung?since=0", headers=headers) as answer, asyncio.timeout(30):
            lines = answer.aiter_lines()
            seen = list[str]()
            async for line in lines:
                seen.append(line)
                if line == "event: ready":
                    break
            assert [line for line in seen if line.startswith("id:")] == [f"id: {change.id}" for change in rest]
            assert "siti" not in "".join(seen)
            await small_stage.people.agents.disable(agent.id)
            await small_stage.desk.records.tell(CHAT, story()[3][1], story()[3][0])
            after = [line async for line in lines]
    assert "event: over" in after
    assert not any(line.startswith("id:") for line in after)
