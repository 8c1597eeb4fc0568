"""Which status webhooks are believed; the signature is made here by hand, not by the library that checks it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest

from backend_client.events import EventForged, EventStale, EventUnreadable, read_event
from backend_client.fake import signed
from backend_client.models import EventData, StatusEvent

OLD, NEW, STRANGER = (f"whsec_{base64.b64encode(bytes([n]) * 24).decode()}" for n in (1, 2, 3))
BODY = (
    b'{"type":"registration.activated","timestamp":"2026-11-22T08:00:00Z","data":{"registration_id":"r-1",'
    b'"reference":"web:abc","status":"active","email_masked":"s***@example.com"}}'
)
EVENT = StatusEvent(
    "registration.activated", datetime(2026, 11, 22, 8, tzinfo=UTC), EventData("r-1", "web:abc", "active", "s***@example.com")
)


def headers_of(
    body: bytes = BODY, *, secret: str = NEW, at: datetime | None = None, webhook_id: str = "msg_1"
) -> dict[str, str]:
    stamp = str(int((at or datetime.now(UTC)).timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.digest(key, f"{webhook_id}.{stamp}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }


def test_a_signed_and_fresh_event_is_believed() -> None:
    assert read_event([NEW], headers_of(), BODY) == ("msg_1", EVENT)


def test_header_names_may_be_in_any_case() -> None:
    assert read_event([NEW], {name.title(): value for name, value in headers_of().items()}, BODY) == ("msg_1", EVENT)


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_during_a_rotation_both_secrets_are_believed(secret: str) -> None:
    assert read_event([NEW, OLD], headers_of(secret=secret), BODY) == ("msg_1", EVENT)


def test_a_sender_may_sign_with_two_secrets_at_once() -> None:
    headers = headers_of(secret=STRANGER)
    headers["webhook-signature"] += " " + headers_of(secret=OLD)["webhook-signature"]
    assert read_event([OLD], headers, BODY) == ("msg_1", EVENT)


def test_the_fakes_signature_is_believed_and_says_the_same() -> None:
    headers, body = signed(EVENT, secret=OLD, webhook_id="msg_2")
    assert read_event([NEW, OLD], headers, body) == ("msg_2", EVENT)


def forged() -> dict[str, tuple[dict[str, str], bytes]]:
    good = headers_of()
    return {
        "strange-secret": (headers_of(secret=STRANGER), BODY),
        "body-with-one-byte-changed": (good, BODY.replace(b"active", b"pendin", 1)),
        "body-written-anew": (good, BODY.replace(b",", b", ")),
        "empty-body": (good, b""),
        "not-utf8": (good, b"\xff" + BODY),
        "another-id": (good | {"webhook-id": "msg_2"}, BODY),
        "another-time": (good | {"webhook-timestamp": str(int(good["webhook-timestamp"]) + 1)}, BODY),
        "no-headers": ({}, BODY),
        **{f"without-{name}": ({key: value for key, value in good.items() if key != name}, BODY) for name in good},
        "time-is-no-number": (good | {"webhook-timestamp": "now"}, BODY),
        "time-is-nan": (good | {"webhook-timestamp": "nan"}, BODY),
        "time-without-end": (good | {"webhook-timestamp": "1e999"}, BODY),
        "signature-without-version": (good | {"webhook-signature": good["webhook-signature"].removeprefix("v1,")}, BODY),
        "signature-of-another-version": (good | {"webhook-signature": good["webhook-signature"].replace("v1", "v2")}, BODY),
        "signature-is-no-base64": (good | {"webhook-signature": "v1,%%%"}, BODY),
        "signature-not-ascii": (good | {"webhook-signature": "v1,é"}, BODY),
        "signature-cut": (good | {"webhook-signature": good["webhook-signature"][:-8]}, BODY),
        "empty-signature": (good | {"webhook-signature": "v1,"}, BODY),
    }


@pytest.mark.parametrize("how", forged())
def test_what_our_backend_did_not_sign_is_forged(how: str) -> None:
    # Made now and not when the tests were collected, which may be longer ago than an event stays fresh.
    headers, body = forged()[how]
    with pytest.raises(EventForged) as refusal:
        read_event([NEW, OLD], headers, body)
    assert "r-1" not in str(refusal.value)


@pytest.mark.parametrize("age", [timedelta(minutes=6), timedelta(days=2), timedelta(minutes=-6)])
def test_an_event_whose_time_is_not_ours_is_stale_though_it_is_signed(age: timedelta) -> None:
    with pytest.raises(EventStale):
        read_event([NEW], headers_of(at=datetime.now(UTC) - age), BODY)


@pytest.mark.parametrize("age", [timedelta(minutes=4), timedelta(minutes=-4)])
def test_clocks_may_differ_by_some_minutes(age: timedelta) -> None:
    assert read_event([NEW], headers_of(at=datetime.now(UTC) - age), BODY) == ("msg_1", EVENT)


@pytest.mark.parametrize("body", [b'{"type":"registration.invented"}', b"null", b"[]", BODY.replace(b"activated", b"liked")])
def test_a_signed_event_of_a_kind_that_we_do_not_know_is_not_called_forged(body: bytes) -> None:
    with pytest.raises(EventUnreadable):
        read_event([NEW], headers_of(body), body)


def test_without_any_secret_nobody_is_believed() -> None:
    with pytest.raises(ValueError, match="secret"):
        read_event([], headers_of(), BODY)
