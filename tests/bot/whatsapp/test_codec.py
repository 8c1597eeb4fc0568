"""What a webhook says: every item of a batch once, each for what it is, and nothing that could be sent makes the reading fail."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.whatsapp.codec import SHARES, Batch, FromPerson, Renamed, Status, Who, read_webhook
from dialogs.events import (
    ButtonPressed,
    CommandSent,
    ContactShared,
    Event,
    MediaSent,
    MessageEdited,
    Started,
    TextSent,
)

PHONE_ID = "106540352242922"
NUMBER, USER = "628129000001", "ID.1349120865530274"
TOKEN = "lanjut-" + "aB3_" * 10 + "x-9"


def change(phone_id: str = PHONE_ID, field: str = "messages", **value: Any) -> dict[str, Any]:
    metadata = {"display_phone_number": "6221", "phone_number_id": phone_id}
    return {"field": field, "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}


def delivery(*changes: dict[str, Any]) -> bytes:
    return json.dumps({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [c]} for c in changes]}).encode()


def message(id_: str = "wamid.1", **content: Any) -> dict[str, Any]:
    return {"from": NUMBER, "from_user_id": USER, "id": id_, "timestamp": "1", **content}


def said(**content: Any) -> Event | None:
    (item,) = read_webhook(delivery(change(messages=[message(**content)])), PHONE_ID).items
    assert isinstance(item, FromPerson)
    return item.event


def text(body: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": {"body": body}, **more}


def reply(kind: str, id_: str) -> dict[str, Any]:
    return {"type": "interactive", "interactive": {"type": kind, kind: {"id": id_, "title": "Ya"}}}


def card(*numbers: str, origin: str = "other") -> dict[str, Any]:
    return {"phones": [{"phone": f"+{each}", "wa_id": each} for each in numbers], "origin": origin}


@pytest.mark.parametrize(
    ("content", "event"),
    [
        (text("Halo"), TextSent("Halo", "wamid.1")),
        (text("ya", context={"from": "6221", "id": "wamid.0"}), TextSent("ya", "wamid.1", "wamid.0")),
        (text("/start"), Started()),
        (text("/start c-pameran"), Started("c-pameran")),
        (text("/Status"), CommandSent("status")),
        (text("/bahasa en"), CommandSent("bahasa", "en")),
        (text("/ 12"), TextSent("/ 12", "wamid.1")),
        (text(TOKEN), Started(TOKEN)),
        (text(f"Lanjutkan: {TOKEN}\n"), Started(TOKEN)),
        (text("Daftar c-pameran_jakarta"), Started("c-pameran_jakarta")),
        (text("c-pameran_jakarta ya"), TextSent("c-pameran_jakarta ya", "wamid.1")),
        (text("  "), TextSent("  ", "wamid.1")),
        (text(f"{TOKEN}A"), TextSent(f"{TOKEN}A", "wamid.1")),
        (reply("button_reply", "akses:tok1:agree"), ButtonPressed("tok1", "agree")),
        (reply("list_reply", "akses:tok1:kind.individu_lokal"), ButtonPressed("tok1", "kind.individu_lokal")),
        (reply("button_reply", "v1-agree"), ButtonPressed("", "")),
        (reply("button_reply", SHARES), ContactShared(NUMBER, own=True, message="wamid.1")),
        (reply("button_reply", SHARES) | {"from": "", "from_user_id": "ID.1"}, TextSent("Ya", "wamid.1")),
        ({"type": "button", "button": {"payload": "akses:t:a", "text": "Ya"}}, ButtonPressed("t", "a")),
        ({"type": "button", "button": {"payload": "lain", "text": "Daftar"}}, TextSent("Daftar", "wamid.1")),
        ({"type": "contacts", "contacts": [card(NUMBER)]}, ContactShared(NUMBER, own=True, message="wamid.1")),
        (
            {"type": "contacts", "contacts": [card("6285"), card("6286", NUMBER)]},
            ContactShared(NUMBER, own=True, message="wamid.1"),
        ),
        ({"type": "contacts", "contacts": [card("6285")]}, ContactShared("6285", own=False, message="wamid.1")),
        (
            {"type": "contacts", "contacts": [card("6285", origin="contact_request")]},
            ContactShared("6285", own=False, message="wamid.1"),
        ),
        ({"type": "contacts", "contacts": [{"name": {}}]}, MediaSent("contact", "wamid.1")),
        ({"type": "image", "image": {"id": "1", "caption": "KTP"}}, MediaSent("photo", "wamid.1")),
        ({"type": "audio", "audio": {"id": "1", "voice": True}}, MediaSent("voice", "wamid.1")),
        ({"type": "document", "context": {"id": "wamid.0"}}, MediaSent("document", "wamid.1", "wamid.0")),
        ({"type": "sticker"}, MediaSent("sticker", "wamid.1")),
        ({"type": "location", "location": {"latitude": 1}}, MediaSent("location", "wamid.1")),
        ({"type": "unsupported", "errors": [{"code": 131051}]}, MediaSent("other", "wamid.1")),
        ({"type": "of-next-year"}, MediaSent("other", "wamid.1")),
        ({"type": "text", "text": "no object"}, MediaSent("other", "wamid.1")),
        ({"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": {}}}, MediaSent("other", "wamid.1")),
        ({"type": "reaction", "reaction": {"message_id": "wamid.0", "emoji": "\N{THUMBS UP SIGN}"}}, None),
        ({"type": "revoke", "revoke": {"original_message_id": "wamid.0"}}, None),
        (
            {
                "type": "edit",
                "edit": {"original_message_id": "wamid.0", "message": {"type": "text", "text": {"body": "betul"}}},
            },
            MessageEdited("wamid.0", "betul"),
        ),
        ({"type": "edit", "edit": {"original_message_id": "wamid.0", "message": {"type": "image", "image": {}}}}, None),
        ({"type": "request_welcome"}, Started()),
        ({"type": "system", "system": {"type": "customer_identity_changed"}}, None),
    ],
)
def test_a_message_is_told_for_what_it_is(content: dict[str, Any], event: Event | None) -> None:
    assert said(**content) == event


def test_where_meta_hides_the_number_an_answered_request_is_the_senders_own_and_any_other_card_is_not() -> None:
    def shared(origin: str) -> Event | None:
        hidden = {"from_user_id": USER, "id": "wamid.1", "type": "contacts", "contacts": [card("6285", origin=origin)]}
        (item,) = read_webhook(delivery(change(messages=[hidden])), PHONE_ID).items
        assert isinstance(item, FromPerson)
        return item.event

    assert shared("contact_request") == ContactShared("6285", own=True, message="wamid.1")
    assert shared("other") == ContactShared("6285", own=False, message="wamid.1")


@pytest.mark.parametrize(
    ("named", "contacts", "who"),
    [
        ({"from": NUMBER, "from_user_id": USER}, [], Who(USER, NUMBER)),
        ({"from": NUMBER}, [{"wa_id": NUMBER, "user_id": USER}], Who(USER, NUMBER)),
        ({"from": NUMBER}, [{"wa_id": NUMBER}], Who("", NUMBER)),
        ({"from_user_id": USER}, [{"user_id": USER}], Who(USER, "")),
        ({"from": NUMBER}, [{"wa_id": "6285", "user_id": "ID.9"}, {"wa_id": NUMBER, "user_id": USER}], Who(USER, NUMBER)),
        ({"from": NUMBER, "from_user_id": "62812345"}, [], Who("", NUMBER)),
        ({"from": f"+{NUMBER}"}, [], Who("", NUMBER)),
    ],
)
def test_a_sender_is_named_by_all_that_meta_tells(named: dict[str, str], contacts: list[dict[str, str]], who: Who) -> None:
    raw = {**named, "id": "wamid.1", **text("x")}
    (item,) = read_webhook(delivery(change(messages=[raw], contacts=contacts)), PHONE_ID).items
    assert isinstance(item, FromPerson)
    assert item.who == who


def test_a_changed_number_names_the_person_before_and_now() -> None:
    system = {"type": "user_changed_number", "wa_id": "628555", "user_id": "ID.2", "previous_user_id": USER, "body": "x"}
    assert read_webhook(delivery(change(messages=[message(type="system", system=system)])), PHONE_ID).items == (
        Renamed("wamid.1", Who(USER, NUMBER), Who("ID.2", "628555")),
    )


def test_what_happens_to_another_number_of_the_app_or_in_a_group_is_nobodys_business_here() -> None:
    body = delivery(
        change("999", messages=[message(**text("x"))]),
        change(field="account_update"),
        change(messages=[message(**text("x"), group_id="g1")]),
    )
    assert read_webhook(body, PHONE_ID) == Batch()


def test_ids_go_out_under_the_name_that_they_are_given() -> None:
    body = delivery(change(messages=[message(**text("x", context={"id": "wamid.0"}))]))
    (item,) = read_webhook(body, PHONE_ID, lambda wamid: f"<{wamid}>").items
    assert item == FromPerson("<wamid.1>", Who(USER, NUMBER), TextSent("x", "<wamid.1>", "<wamid.0>"), "wamid.1")


def test_one_item_that_cannot_be_read_costs_no_other() -> None:
    odd = [{"id": 7}, "text", None, {"type": "text"}, {"id": "wamid.9", "type": "text", "from": "not a number"}]
    body = delivery(
        change(
            messages=[message("wamid.1", **text("satu")), *odd, message("wamid.2", **text("dua"))],
            statuses=[{"status": "sent"}],
        ),
        {"field": "messages", "value": "?"},
        change(messages=[message("wamid.3", **text("tiga"))]),
    )
    batch = read_webhook(body, PHONE_ID)
    assert [item.event.text for item in batch.items] == ["satu", "dua", "tiga"]  # type: ignore[union-attr]
    assert batch.unread == len(odd) + 2


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'{"entry": 7}', b"[" * 100_000])
def test_what_is_no_delivery_is_one_thing_unread(body: bytes) -> None:
    assert read_webhook(body, PHONE_ID) == Batch(unread=1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([
        "entry", "changes", "value", "field", "metadata", "phone_number_id", "messages", "statuses", "contacts", "id", "type", "from",
        "text", "body", "interactive", "system", "edit", "errors", "code", "context", "phones",
    ]), inner, max_size=5),
    max_leaves=30,
)  # fmt: skip


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_nothing_makes_the_reading_fail(body: bytes) -> None:
    assert isinstance(read_webhook(body, PHONE_ID), Batch)


@given(st.lists(st.lists(st.lists(JSON | st.integers(0, 9), max_size=4), max_size=3), max_size=3), st.data())
def test_every_item_of_every_batch_is_told_once_and_in_its_order(shape: list[list[list[Any]]], data: st.DataObject) -> None:
    """Whole messages and statuses between whatever else a batch may hold."""
    expected: list[str] = []
    entries = []
    for entry in shape:
        changes = []
        for items in entry:
            kind = data.draw(st.sampled_from(["messages", "statuses"]))
            listed: list[Any] = []
            for item in items:
                if isinstance(item, int) and not isinstance(item, bool):
                    id_ = f"wamid.{len(expected)}"
                    expected.append(id_)
                    listed.append(
                        message(id_, **text("x")) if kind == "messages" else {"id": id_, "status": id_, "errors": [{"code": 1}]}
                    )
                elif not (isinstance(item, dict) and "id" in item):
                    listed.append(item)
            changes.append(change(**{kind: listed}))
        entries.append({"id": "1", "changes": changes})
    batch = read_webhook(json.dumps({"entry": entries}).encode(), PHONE_ID)
    told = [item.status if isinstance(item, Status) else item.id for item in batch.items]
    assert told == expected
