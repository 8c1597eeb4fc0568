"""The chat's HTTP API, over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from akses.keyring import Keyring
from bot.channels.web.sqlite_transcript import SqliteTranscript
from bot.channels.web.transcript import MemoryTranscript
from bot.conversation import Conversation
from dialogs.effects import Redraw
from dialogs.events import ButtonPressed, CommandSent, Started, TextSent
from dialogs.screens import Screen
from tests.bot.web.web_site import NIK, Opening, Site, eventually

SESSION = "/chat/api/session"
MESSAGES = "/chat/api/messages"
ITEMS = "/chat/api/items"
EVENTS = "/chat/api/events"


async def text(client: httpx2.AsyncClient, words: str, id_: str, since: int = 0) -> httpx2.Response:
    return await client.post(MESSAGES, json={"kind": "text", "id": id_, "text": words, "since": since})


async def agree(client: httpx2.AsyncClient) -> None:
    await client.post(SESSION, json={})
    await client.post(
        MESSAGES, json={"kind": "press", "id": "agree", "token": "t1", "action": "agree", "message": "out-1", "label": "Setuju"}
    )


async def transcript(client: httpx2.AsyncClient, since: int = 0) -> list[dict[str, Any]]:
    response = await client.get(ITEMS, params={"since": since})
    assert response.status_code == 200
    items: list[dict[str, Any]] = response.json()["items"]
    return items


@asynccontextmanager
async def stream(client: httpx2.AsyncClient, since: int = 0, last: str = "") -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """The items of a stream, with None... ended by `ready` marks left out."""
    headers = {"Last-Event-ID": last} if last else {}
    async with client.stream("GET", EVENTS, params={"since": since}, headers=headers) as response:
        assert response.status_code == 200, await response.aread()

        async def events() -> AsyncIterator[dict[str, Any]]:
            kind = "message"
            async for line in response.aiter_lines():
                if line.startswith("event: "):
                    kind = line[7:]
                elif line.startswith("data: "):
                    yield {"ready": True} if kind == "ready" else json.loads(line[6:])
                    kind = "message"

        yield events()


async def until_ready(events: AsyncIterator[dict[str, Any]]) -> list[dict[str, Any]]:
    got = []
    async for event in events:
        if "ready" in event:
            break
        got.append(event)
    return got


# --- sessions


async def test_a_new_session_is_greeted_and_its_cookie_is_out_of_the_reach_of_scripts_and_other_sites(site: Site) -> None:
    async with site.browser() as client:
        response = await client.post(SESSION, json={"language": "en", "payload": "brosur-7"})
        assert response.json() == {"resumed": False}
        cookie = response.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert response.headers["cache-control"] == "no-store"
        (greeting,) = await transcript(client)
        assert (greeting["step"], greeting["from"]) == ("consent", "bot")
    ((conversation, event, _),) = site.turns.taken
    assert (conversation.channel, event, site.turns.languages) == ("web", Started("brosur-7"), ["en"])
    secret = cookie.split("=", 1)[1].split(";")[0]
    assert conversation.address not in secret
    assert secret.split(".")[1] not in str(conversation)


@pytest.mark.parametrize(
    ("told", "zone"), [("Asia/Jayapura", "WIT"), ("Asia/Makassar", "WITA"), ("Europe/Berlin", ""), ("?", "")]
)
async def test_the_browser_s_time_zone_is_told_to_the_dialog_where_it_is_indonesia_s(site: Site, told: str, zone: str) -> None:
    async with site.browser() as client:
        await client.post(SESSION, json={"time_zone": told})
    ((_, event, _),) = site.turns.taken
    assert event == Started(zone=zone)


async def test_a_link_that_is_opened_again_is_opened_again_and_one_that_is_only_tried_again_is_not(site: Site) -> None:
    """The chat may have said: finish the form that is open here, then open the link again."""
    link = f"lanjut-{'k' * 43}"
    async with site.browser() as client:
        await client.post(SESSION, json={})
        for visit in ("v1", "v1", "v2"):
            await client.post(SESSION, json={"payload": link, "id": visit})
    assert len([event for _, event, _ in site.turns.taken if event == Started(link)]) == 2


@pytest.mark.parametrize("payload", ["iklan.google", "promo november", "x" * 65, "caf\u00e9", "c-pameran\n"])
async def test_a_link_with_anything_written_into_it_opens_the_chat(site: Site, payload: str) -> None:
    async with site.browser() as client:
        assert (await client.post(SESSION, json={"payload": payload})).json() == {"resumed": False}
        assert (await transcript(client))[0]["step"] == "consent"
    ((_, event, _),) = site.turns.taken
    assert event == Started()


async def test_over_https_the_cookie_is_bound_to_the_host_and_strict_and_partitioned_in_a_foreign_frame(
    open_site: Opening,
) -> None:
    settings = {"public_url": "https://chat.example.com", "frame_ancestors": ("https://broker.example",)}
    async with open_site(**settings) as site, httpx2.AsyncClient(base_url=site.url) as client:
        own = (await client.post(SESSION, json={})).headers["set-cookie"]
        framed = (await client.post(SESSION, json={"framed": True})).headers["set-cookie"]
    assert own.startswith("__Host-akses_chat=")
    assert "Secure" in own
    assert "SameSite=Strict" in own
    assert "SameSite=None" in framed
    assert "Partitioned" in framed


async def test_a_known_cookie_goes_on_where_it_was_without_a_second_greeting(site: Site) -> None:
    async with site.browser() as client:
        await client.post(SESSION, json={})
        await text(client, "halo", "m1")
        before = await transcript(client)
        assert (await client.post(SESSION, json={})).json() == {"resumed": True}
        assert await transcript(client) == before


async def test_a_known_session_whose_transcript_is_gone_is_greeted_again(site: Site) -> None:
    async with site.browser() as client:
        await client.post(SESSION, json={})
        assert isinstance(site.transcript, MemoryTranscript)
        site.transcript._items.clear()
        await client.post(SESSION, json={})
        assert len(await transcript(client)) == 1


@pytest.mark.parametrize("cookie", ["", "web.chosen-by-somebody.tag", "web..", "x", "web.", "é"])
async def test_a_secret_that_we_did_not_mint_opens_nothing_and_is_replaced(site: Site, cookie: str) -> None:
    headers = [(b"cookie", f"akses_chat={cookie}".encode()), (b"content-type", b"application/json")]
    async with httpx2.AsyncClient(base_url=site.url) as client:
        assert (await client.get(ITEMS, headers=headers)).status_code == 401
        response = await client.post(SESSION, content="{}", headers=headers)
        assert response.json() == {"resumed": False}
        assert f"akses_chat={cookie};" not in response.headers["set-cookie"]


async def test_another_browser_sees_nothing_of_a_conversation(site: Site) -> None:
    async with site.browser() as mine, site.browser() as theirs, site.browser() as nobody:
        await agree(mine)
        await text(mine, "Budi Santoso", "m1")
        await theirs.post(SESSION, json={})
        assert "Budi" not in json.dumps(await transcript(theirs))
        for path in (ITEMS, EVENTS):
            refused = await nobody.get(path)
            assert (refused.status_code, refused.json()["error"]["code"]) == (401, "no_session")
        assert (await text(nobody, "halo", "m1")).status_code == 401


async def test_the_terminal_is_a_channel_of_its_own(site: Site) -> None:
    async with site.browser() as client:
        await client.post(SESSION, json={"client": "terminal"})
        assert len(await transcript(client)) == 1
        assert (await client.post(SESSION, json={"client": "terminal"})).json() == {"resumed": True}
        assert (await client.post(SESSION, json={"client": "web"})).json() == {"resumed": False}
    assert [conversation.channel for conversation, _, _ in site.turns.taken] == ["terminal", "web"]


# --- who may ask


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}],
)
async def test_a_request_from_another_site_changes_nothing(site: Site, headers: dict[str, str]) -> None:
    async with site.browser() as client:
        await client.post(SESSION, json={})
        for path in (SESSION, MESSAGES):
            response = await client.post(path, json={"kind": "text", "id": "m1", "text": "halo"}, headers=headers)
            assert (response.status_code, response.json()["error"]["code"]) == (403, "foreign_origin")
        assert len(await transcript(client)) == 1


async def test_a_form_of_another_site_cannot_post_because_only_json_is_read(site: Site) -> None:
    async with site.browser() as client:
        response = await client.post(SESSION, content="{}", headers={"Content-Type": "text/plain"})
        assert (response.status_code, response.json()["error"]["code"]) == (415, "not_json")


# --- sending


async def test_ten_parallel_copies_of_one_message_are_one_bubble_and_one_turn(site: Site) -> None:
    async with site.browser() as client:
        await agree(client)
        answers = await asyncio.gather(*(text(client, "Budi Santoso", "same") for _ in range(10)))
        assert {answer.status_code for answer in answers} == {202}
        items = await transcript(client)
    assert [item["text"] for item in items if item["from"] == "user"] == ["Setuju", "Budi Santoso"]
    assert [item["step"] for item in items if "step" in item] == ["consent", "name", "nik"]
    assert len([event for _, event, _ in site.turns.taken if isinstance(event, TextSent)]) == 1


async def test_the_answer_to_a_message_carries_the_result_of_its_turn(site: Site) -> None:
    async with site.browser() as client:
        await agree(client)
        seen = (await transcript(client))[-1]["cursor"]
        items = (await text(client, "Budi Santoso", "m1", since=seen)).json()["items"]
    assert [(item["from"], item.get("step")) for item in items] == [("user", None), ("bot", "nik")]
    assert (items[1]["hint"], items[1]["progress"], items[0]["id"]) == ("digits", [2, 4], "m1")


async def test_each_kind_of_input_becomes_its_event(site: Site) -> None:
    async with site.browser() as client:
        await agree(client)
        await text(client, "/bantuan", "m1")
        await text(client, "/BAHASA en", "m2")
        await text(client, "/unknown thing", "m3")
        await text(client, "  Budi  ", "m4")
        await client.post(MESSAGES, json={"kind": "command", "id": "m5", "command": "status"})
        await client.post(MESSAGES, json={"kind": "start", "id": "m6"})
        bubbles = [item["text"] for item in await transcript(client) if item["from"] == "user"]
    assert [(event, id_) for _, event, id_ in site.turns.taken[1:]] == [
        (ButtonPressed("t1", "agree", "out-1"), "web:agree"),
        (CommandSent("bantuan"), "web:m1"),
        (CommandSent("bahasa", "en"), "web:m2"),
        (TextSent("/unknown thing", "m3"), "web:m3"),
        (TextSent("  Budi  ", "m4"), "web:m4"),
        (CommandSent("status"), "web:m5"),
        (Started(), "web:m6"),
    ]
    assert bubbles == ["Setuju", "/bantuan", "/BAHASA en", "/unknown thing", "  Budi  "]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"kind": "text", "id": "m1", "text": "a" * 4097}, 422, "too_long"),
        ({"kind": "text", "id": "m1", "text": " \n "}, 422, "empty"),
        ({"kind": "text", "id": "m1", "text": "a" * 70_000}, 413, "too_large"),
        ({"kind": "text", "id": "no spaces", "text": "a"}, 422, "invalid"),
        ({"kind": "text", "id": "m1\n", "text": "a"}, 422, "invalid"),
        ({"kind": "text", "id": "m1"}, 422, "invalid"),
        ({"kind": "photo", "id": "m1"}, 422, "invalid"),
        ({"kind": "press", "id": "m1", "token": "<script>", "action": "agree"}, 422, "invalid"),
        ({"kind": "text", "id": "m1", "text": "a", "since": -1}, 422, "invalid"),
        ([], 422, "invalid"),
    ],
)
async def test_what_cannot_be_taken_is_refused_in_words_and_leaves_no_trace(
    site: Site, body: object, status: int, code: str
) -> None:
    async with site.browser() as client:
        await client.post(SESSION, json={})
        for language in ("id", "en"):
            response = await client.post(MESSAGES, json=body, params={"lang": language})
            error = response.json()["error"]
            assert (response.status_code, error["code"]) == (status, code)
            assert error["message"]
        assert len(await transcript(client)) == 1
    assert len(site.turns.taken) == 1


async def test_a_lone_surrogate_and_broken_or_endless_json_are_refused_and_4096_characters_are_taken(site: Site) -> None:
    async with site.browser() as client:
        await client.post(SESSION, json={})
        for body in (b'{"kind":"text","id":"m1","text":"\\ud800"}', b'{"kind"', b"\xff", b'{"x":' + b"[" * 20_000):
            response = await client.post(MESSAGES, content=body, headers={"Content-Type": "application/json"})
            assert response.status_code == 422
        assert (await text(client, "\N{GRINNING FACE}" * 4096, "m2")).status_code == 202


async def test_too_many_messages_are_slowed_down_by_session_and_told_for_how_long(open_site: Opening) -> None:
    async with open_site(session_messages="3/minute") as site, site.browser() as fast, site.browser() as other:
        await fast.post(SESSION, json={})
        await other.post(SESSION, json={})
        statuses = [(await text(fast, "halo", f"m{n}")).status_code for n in range(4)]
        assert statuses == [202, 202, 202, 429]
        refused = await text(fast, "halo", "m9")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.headers["retry-after"] in refused.json()["error"]["message"]
        assert (await text(other, "halo", "m1")).status_code == 202


async def test_too_many_new_sessions_from_one_address_are_slowed_down_but_known_ones_go_on(open_site: Opening) -> None:
    async with (
        open_site(address_sessions="2/minute") as site,
        site.browser() as first,
        site.browser() as second,
        site.browser() as third,
    ):
        assert (await first.post(SESSION, json={})).status_code == 200
        assert (await second.post(SESSION, json={})).status_code == 200
        assert (await third.post(SESSION, json={})).status_code == 429
        assert (await first.post(SESSION, json={})).status_code == 200


async def test_while_the_store_is_down_the_answer_is_503_and_the_same_id_later_is_carried_out_once(site: Site) -> None:
    async with site.browser() as client:
        await agree(client)
        site.turns.down = True
        for _ in range(3):
            refused = await text(client, "Budi Santoso", "m1")
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable")
            assert int(refused.headers["retry-after"]) > 0
        site.turns.down = False
        assert (await text(client, "Budi Santoso", "m1")).status_code == 202
        assert (await text(client, "Budi Santoso", "m1")).status_code == 202
        items = await transcript(client)
    assert [item["text"] for item in items if item["from"] == "user"] == ["Setuju", "Budi Santoso"]
    assert [item["step"] for item in items if "step" in item] == ["consent", "name", "nik"]


async def test_a_session_that_cannot_be_greeted_is_not_begun(site: Site) -> None:
    async with site.browser() as client:
        site.turns.down = True
        refused = await client.post(SESSION, json={})
        assert refused.status_code == 503
        assert "set-cookie" not in refused.headers


async def test_a_password_typed_into_the_chat_is_never_written_down(site: Site) -> None:
    async with site.browser() as client:
        await agree(client)
        answered = await text(client, "Rahasia#2026", "m1")
        assert answered.status_code == 202
        assert "Rahasia" not in answered.text
        assert [item["text"] for item in await transcript(client) if item["from"] == "user"] == ["Setuju", "\u2022" * 8]


# --- reading on


async def test_a_stream_replays_the_history_then_brings_news_at_once(site: Site) -> None:
    async with site.browser() as client:
        await agree(client)
        async with asyncio.timeout(10), stream(client) as events:
            assert [item["seq"] for item in await until_ready(events)] == [item["seq"] for item in await transcript(client)]
            await site.news(site.turns.taken[0][0], "Selamat! Akun Anda sudah aktif")
            assert (await anext(events))["text"] == "Selamat! Akun Anda sudah aktif"


async def test_a_stream_that_comes_back_with_the_last_event_id_gets_exactly_what_it_missed(site: Site) -> None:
    async with site.browser() as client:
        await agree(client)
        async with asyncio.timeout(10):
            async with stream(client) as events:
                last = (await until_ready(events))[-1]["cursor"]
            for n in range(4):
                await site.news(site.turns.taken[0][0], f"kabar {n}")
            async with stream(client, since=0, last=str(last)) as events:
                assert [item["text"] for item in await until_ready(events)] == [f"kabar {n}" for n in range(4)]


async def test_a_long_history_comes_whole(site: Site) -> None:
    async with site.browser() as client:
        await client.post(SESSION, json={})
        for n in range(450):
            await site.news(site.turns.taken[0][0], f"kabar {n}")
        async with asyncio.timeout(10), stream(client) as events:
            assert [item["text"] for item in await until_ready(events)][1:] == [f"kabar {n}" for n in range(450)]


async def test_asking_with_a_wait_answers_when_there_is_news(site: Site) -> None:
    async with site.browser() as client:
        await client.post(SESSION, json={})
        last = (await transcript(client))[-1]["cursor"]
        asking = asyncio.create_task(client.get(ITEMS, params={"since": last, "wait": 25}))
        async with asyncio.timeout(10):
            await eventually(lambda: bool(site.api._streams))
            await site.news(site.turns.taken[0][0], "kabar")
            assert [item["text"] for item in (await asking).json()["items"]] == ["kabar"]


async def test_a_stream_says_what_proxies_and_caches_must_know_and_when_to_come_back(site: Site) -> None:
    async with site.browser() as client:
        await client.post(SESSION, json={})
        async with client.stream("GET", EVENTS) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            assert response.headers["cache-control"] == "no-store"
            assert response.headers["x-accel-buffering"] == "no"
            lines = response.aiter_lines()
            assert await anext(lines) == "retry: 1000"


async def test_a_session_cannot_hold_any_number_of_streams_and_a_closed_one_counts_no_more(open_site: Opening) -> None:
    async with open_site(session_streams=2) as site, site.browser() as client, asyncio.timeout(10):
        await client.post(SESSION, json={})
        async with stream(client) as first, stream(client) as second:
            await until_ready(first)
            await until_ready(second)
            assert (await client.get(EVENTS)).status_code == 429
        await eventually(lambda: not site.api._streams)
        async with stream(client) as again:
            assert await until_ready(again)


@pytest.mark.parametrize("since", ["-1", "x", "9" * 30, "1.5", "٣"])
async def test_a_cursor_that_is_no_number_is_refused(site: Site, since: str) -> None:
    async with site.browser() as client:
        await client.post(SESSION, json={})
        assert (await client.get(ITEMS, params={"since": since})).status_code == 422
        assert (await client.get(EVENTS, params={"since": since})).status_code == 422


async def test_a_server_that_stops_does_not_wait_for_its_streams(open_site: Opening) -> None:
    async with asyncio.timeout(10):
        async with open_site() as site:
            client = site.browser()
            await client.post(SESSION, json={})
            running = stream(client)
            await until_ready(await running.__aenter__())
        await running.__aexit__(None, None, None)
        await client.aclose()


# --- personal data


async def test_after_the_hand_off_the_own_bubbles_are_masked_for_a_reload_and_for_whoever_is_looking(
    open_site: Opening, tmp_path: Path, keyring: Keyring
) -> None:
    async with (
        SqliteTranscript(tmp_path / "transcript.db", keyring) as stored,
        open_site(transcript=stored) as site,
        site.browser() as client,
        asyncio.timeout(20),
    ):
        await agree(client)
        async with stream(client) as events:
            shown = {item["seq"]: item for item in await until_ready(events)}
            for n, words in enumerate(("Budi Santoso", NIK, "0812-3456-7890", "budi@example.com")):
                assert (await text(client, words, f"m{n}")).status_code == 202
            while [item["text"] for item in shown.values() if item.get("masked")][3:] == []:
                item = await anext(events)
                if "ready" not in item:
                    shown[item["seq"]] = item
        live = [shown[seq] for seq in sorted(shown)]
        after = sorted(await transcript(client), key=lambda item: item["seq"])
        assert live == after
        assert [item["text"] for item in after if item["from"] == "user"] == [
            "Setuju",
            "••••••••",
            "3171********0001",
            "0812****7890",
            "b***@example.com",
        ]
        assert NIK not in json.dumps(after)


async def test_a_redrawn_screen_stands_where_the_old_one_stood(site: Site) -> None:
    async with site.browser() as client:
        await agree(client)
        conversation = site.turns.taken[0][0]
        screen = (await transcript(client))[0]
        site.turns.say(conversation, Redraw(screen["id"], Screen("t1", "consent", "Sudah disetujui.")))
        await site.turns.deliver(conversation)
        items = await transcript(client)
    assert items[-1]["seq"] == screen["seq"]
    assert (items[-1]["text"], items[-1]["at"], "actions" in items[-1]) == ("Sudah disetujui.", screen["at"], False)


async def test_a_button_that_shares_a_phone_number_is_not_offered_where_nobody_vouches_for_it(site: Site) -> None:
    async with site.browser() as client:
        await agree(client)
        await text(client, "Budi Santoso", "m1")
        await text(client, NIK, "m2")
        phone = (await transcript(client))[-1]
    assert (phone["step"], [action["id"] for action in phone["actions"]]) == ("phone", ["back", "cancel"])


async def test_delivering_while_the_transcript_is_down_asks_for_another_try(tmp_path: Path, keyring: Keyring) -> None:
    from bot.channels.port import Later
    from bot.channels.web.channel import WebChannel
    from dialogs.effects import Say

    closed = SqliteTranscript(tmp_path / "transcript.db", keyring)
    assert isinstance(await WebChannel("web", closed).deliver("a", Say("halo"), "k1"), Later)


async def test_an_unknown_conversation_is_never_made_up_from_a_forged_cookie(site: Site) -> None:
    async with site.browser() as client:
        await client.post(SESSION, json={})
        token = client.cookies["akses_chat"]
    for forged in (token[:-1] + ("A" if token[-1] != "A" else "B"), token.replace("web.", "terminal.", 1)):
        async with httpx2.AsyncClient(base_url=site.url, cookies={"akses_chat": forged}) as thief:
            assert (await thief.get(ITEMS)).status_code == 401
    assert {conversation for conversation, _, _ in site.turns.taken} == {Conversation("web", site.turns.taken[0][0].address)}
