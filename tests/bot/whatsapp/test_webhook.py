"""The webhook's door: who is let in, what is answered, and what happens when something is down."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json

import pytest
import structlog

from bot.channels.whatsapp.webhook import Webhook
from dialogs.effects import Say
from dialogs.events import TextSent
from tests.bot.telegram.scripted import ScriptedTurns, until
from tests.bot.whatsapp.conftest import running
from tests.fakes.whatsapp import FakeMeta

pytestmark = pytest.mark.usefixtures("by_either_lane")


def message(meta: FakeMeta, text: str = "halo", id_: str = "wamid.1") -> dict[str, object]:
    person = meta.people[0] if meta.people else meta.person("Budi")
    person.window_open = True
    return {
        "from": person.number,
        "from_user_id": person.user,
        "id": id_,
        "timestamp": "1",
        "type": "text",
        "text": {"body": text},
    }


def delivery(meta: FakeMeta, text: str = "halo", id_: str = "wamid.1") -> bytes:
    return meta.delivery(meta.change("messages", [message(meta, text, id_)], []))


async def test_without_the_signature_of_these_very_bytes_the_door_says_401_and_nothing_happens(
    meta: FakeMeta, turns: ScriptedTurns
) -> None:
    body = delivery(meta, "hal\u00f6")
    good = meta.sign(body)
    meant = json.dumps(json.loads(body), ensure_ascii=False).encode()
    for given in (
        "",
        good.removeprefix("sha256="),
        good.upper(),
        good[:-1],
        f"{good}0",
        f"{good},{good}",
        good.replace("sha256", "sha1"),
        meta.sign(body, "another secret"),
        meta.sign(meant),
        meta.sign(body + b" "),
        "sha256=" + hashlib.sha256(body).hexdigest(),
    ):
        response = await meta.posts(body, **{"X-Hub-Signature-256": given})
        assert (response.status_code, response.content) == (401, b"")
    sha1 = "sha1=" + hmac.new(meta.app_secret.encode(), body, "sha1").hexdigest()
    assert (await meta.posts(body, **{"X-Hub-Signature": sha1})).status_code == 401
    assert (await meta.posts(meant, **{"X-Hub-Signature-256": good})).status_code == 401
    assert turns.events == []


async def test_a_signature_over_escaped_letters_is_taken_and_the_letters_arrive(meta: FakeMeta, turns: ScriptedTurns) -> None:
    body = delivery(meta, "Siti N\u00fcrh\u00e4liza / \u6f22\u5b57")
    assert b"\\u00fc" in body
    assert b"\\/" in body
    assert (await meta.posts(body)).status_code == 200
    assert turns.texts == ["Siti N\u00fcrh\u00e4liza / \u6f22\u5b57"]


async def test_meta_is_told_that_the_address_is_ours_and_nobody_else(meta: FakeMeta) -> None:
    answer = await meta.asks(mode="subscribe", verify_token=meta.verify_token, challenge="1158201444")
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff"
    for query in (
        {"mode": "subscribe", "verify_token": "wrong", "challenge": "1"},
        {"mode": "subscribe", "verify_token": "", "challenge": "1"},
        {"mode": "subscribe", "challenge": "1"},
        {"mode": "other", "verify_token": meta.verify_token, "challenge": "1"},
        {"mode": "subscribe", "verify_token": meta.verify_token, "challenge": "x" * 257},
        {},
    ):
        answer = await meta.asks(**query)
        assert (answer.status_code, answer.text) == (403, "")


async def test_a_body_without_end_is_refused(meta: FakeMeta, turns: ScriptedTurns) -> None:
    assert (await meta.posts(b"x" * (Webhook.limit + 1))).status_code == 413
    assert turns.events == []


async def test_what_can_never_be_read_is_taken_and_told_in_the_log_without_a_word_of_it(
    meta: FakeMeta, turns: ScriptedTurns
) -> None:
    odd = {"id": 7, "text": {"body": "rahasia"}}
    with structlog.testing.capture_logs() as logs:
        for body in (b"", b"{rahasia", meta.delivery(meta.change("messages", [odd, message(meta, "halo", "wamid.62812")], []))):
            response = await meta.posts(body)
            assert (response.status_code, response.content) == (200, b"")
    assert [each["event"] for each in logs].count("whatsapp.unreadable") == 3
    assert "rahasia" not in repr(logs)
    assert "62812" not in repr(logs)
    assert turns.texts == ["halo"]


async def test_a_store_that_is_down_makes_meta_keep_the_batch_and_nothing_is_done_twice(
    meta: FakeMeta, turns: ScriptedTurns
) -> None:
    budi = meta.person("Budi")
    turns.unavailable = 3
    with meta.batching():
        for text in ("satu", "dua", "tiga"):
            budi.says(text)
    await budi.sees("echo tiga")
    assert set(meta.answered) == {503, 200}
    assert turns.texts == ["satu", "dua", "tiga"]
    assert [each.text for each in budi.answers] == ["echo satu", "echo dua", "echo tiga"]


async def test_200_is_said_only_when_the_last_turn_of_the_batch_is_committed(meta: FakeMeta, turns: ScriptedTurns) -> None:
    turns.held = asyncio.Event()
    answered = asyncio.create_task(meta.posts(delivery(meta)))
    await turns.taking.wait()
    assert not answered.done()
    turns.held.set()
    assert (await answered).status_code == 200


async def test_a_turn_that_fails_keeps_nobody_elses_and_comes_again(meta: FakeMeta, turns: ScriptedTurns) -> None:
    budi, siti = meta.person("Budi"), meta.person("Siti")
    turns.defective = {"rusak"}
    with structlog.testing.capture_logs() as logs, meta.batching():
        budi.says("rusak")
        siti.says("halo")
    await siti.sees("echo halo")
    await until(lambda: 500 in meta.answered)
    assert "rusak" not in repr(logs)
    turns.defective = set()
    await budi.sees("echo rusak")
    assert sorted(turns.texts) == ["halo", "rusak"]


async def test_a_batch_that_comes_twice_at_once_is_answered_once(meta: FakeMeta, turns: ScriptedTurns) -> None:
    meta.repeats = True
    budi = meta.person("Budi")
    with meta.batching():
        for number in range(5):
            budi.says(f"pesan {number}")
    await budi.sees("echo pesan 4")
    assert turns.texts == [f"pesan {number}" for number in range(5)]
    budi.says("akhir")
    await budi.sees("echo akhir")
    assert [each.text for each in budi.answers] == [f"echo {text}" for text in turns.texts]


async def test_while_we_are_down_meta_waits_and_nothing_is_lost(meta: FakeMeta, turns: ScriptedTurns) -> None:
    budi = meta.person("Budi")
    meta.webhook = "http://127.0.0.1:9/whatsapp/webhook"
    budi.says("selagi mati")
    await until(lambda: 0 in meta.answered)
    async with running(meta, turns):
        await budi.sees("echo selagi mati")
    assert turns.texts == ["selagi mati"]


async def test_another_numbers_messages_and_unknown_statuses_are_acknowledged_and_nothing_else(
    meta: FakeMeta, turns: ScriptedTurns
) -> None:
    statuses = [
        {
            "id": "wamid.9",
            "status": each,
            "recipient_id": "6285",
            "biz_opaque_callback_data": data,
            "errors": [{"code": 131047}],
        }
        for each in ("failed", "read", "sent", "of-next-year", "")
        for data in ("", "x", "ID.1 k")
    ]
    body = meta.delivery(
        meta.change("messages", [message(meta)], [], phone_id="999"),
        meta.change("statuses", statuses, []),
        {"field": "x", "value": {}},
    )
    assert (await meta.posts(body)).status_code == 200
    assert turns.events == []


async def test_a_message_whose_turn_brings_several_is_answered_in_order(meta: FakeMeta, turns: ScriptedTurns) -> None:
    turns.script = lambda event: (Say("satu"), Say("dua")) if isinstance(event, TextSent) else ()
    budi = meta.person("Budi")
    budi.says("a")
    budi.says("b")
    await budi.until(lambda: budi.answers[3] if len(budi.answers) > 3 else None, "four answers")
    assert [each.text for each in budi.answers] == ["satu", "dua"] * 2
