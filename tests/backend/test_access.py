"""Keys with less than everything: a reader only looks, and the registrations of another channel do not exist."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from akses.keyring import Keyring
from backend.access import ApiKey, ApiKeyInvalid
from tests.backend.stage import API_KEY, BODY, Stage, stage_on

TELEGRAM = "a-key-for-telegram-alone"
WEB = "a-key-for-web-and-terminal"
READER = "a-key-for-an-overview"
REVEALER = "a-key-for-the-helpdesk"
TELEGRAM_REVEALER = "a-key-for-telegram-s-helpdesk"
WRITTEN = (
    f"channel:telegram:{TELEGRAM}",
    f"channel:web+terminal:{WEB}",
    f"read:*:{READER}",
    f"reveal:*:{REVEALER}",
    f"reveal:telegram:{TELEGRAM_REVEALER}",
)
KEYS = tuple(ApiKey.parse(key) for key in WRITTEN)
ASKED = {"field": "nik", "reason": "identity", "actor": "agent:1a2b"}


@pytest.fixture
async def scoped(sqlite_url: str, keyring: Keyring) -> AsyncIterator[Stage]:
    async with stage_on(sqlite_url, keyring, role="web", scoped_keys=KEYS) as stage:
        yield stage


async def ask(stage: Stage, key: str, method: str, path: str, **request: Any) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {key}", **stage.key()}
    return await stage.http.request(method, f"/api/v1/registrations{path}", headers=headers, **request)


async def test_a_channel_s_key_registers_for_its_channels_only(scoped: Stage) -> None:
    for key, channel, status in (
        (TELEGRAM, "telegram", 202),
        (TELEGRAM, "web", 403),
        (WEB, "web", 202),
        (WEB, "terminal", 202),
        (WEB, "telegram", 403),
    ):
        answer = await ask(scoped, key, "POST", "", json=BODY | {"channel": channel})
        assert answer.status_code == status, (key, channel)
        if status == 403:
            assert answer.json()["code"] == "forbidden"


async def test_a_registration_of_another_channel_is_answered_like_one_that_never_was(scoped: Stage) -> None:
    made = (await ask(scoped, WEB, "POST", "", json=BODY)).json()["id"]
    everything = (
        ("GET", "", {}),
        ("POST", "/resend", {}),
        ("PUT", "/email", {"json": {"email": "a@example.com"}}),
        ("POST", "/notices", {"json": {"kind": "active"}}),
        ("DELETE", "", {}),
    )
    for method, path, request in everything:
        theirs = await ask(scoped, TELEGRAM, method, f"/{made}{path}", **request)
        unknown = await ask(scoped, TELEGRAM, method, f"/{'0' * 32}{path}", **request)
        assert (theirs.status_code, theirs.content) == (404, unknown.content), (method, path)
    assert (await ask(scoped, WEB, "GET", f"/{made}")).json()["status"] == "pending"


async def test_a_reader_looks_at_everything_and_changes_nothing(scoped: Stage) -> None:
    made = (await ask(scoped, WEB, "POST", "", json=BODY)).json()["id"]
    assert (await ask(scoped, READER, "GET", f"/{made}")).status_code == 200
    assert [each["id"] for each in (await ask(scoped, READER, "GET", "")).json()["items"]] == [made]
    for method, path, request in (
        ("POST", "", {"json": BODY}),
        ("POST", f"/{made}/resend", {}),
        ("PUT", f"/{made}/email", {"json": {"email": "a@example.com"}}),
        ("DELETE", f"/{made}", {}),
    ):
        refused = await ask(scoped, READER, method, path, **request)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


async def test_a_field_in_the_clear_takes_a_key_for_that_which_is_good_for_nothing_else(scoped: Stage) -> None:
    made = (await ask(scoped, WEB, "POST", "", json=BODY)).json()["id"]
    for key in (WEB, READER, TELEGRAM, API_KEY):
        refused = await ask(scoped, key, "POST", f"/{made}/reveal", json=ASKED)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert str(BODY["nik"]) not in refused.text
    shown = await ask(scoped, REVEALER, "POST", f"/{made}/reveal", json=ASKED)
    assert (shown.status_code, shown.json()) == (200, {"field": "nik", "value": BODY["nik"]})
    assert shown.headers["cache-control"] == "no-store"
    for method, path, request in (
        ("GET", "", {}),
        ("GET", f"/{made}", {}),
        ("POST", "", {"json": BODY}),
        ("POST", f"/{made}/resend", {}),
        ("PUT", f"/{made}/email", {"json": {"email": "a@example.com"}}),
        ("DELETE", f"/{made}", {}),
    ):
        assert (await ask(scoped, REVEALER, method, path, **request)).status_code == 403, (method, path)
    theirs = await ask(scoped, TELEGRAM_REVEALER, "POST", f"/{made}/reveal", json=ASKED)
    unknown = await ask(scoped, TELEGRAM_REVEALER, "POST", f"/{'0' * 32}/reveal", json=ASKED)
    assert (theirs.status_code, theirs.content) == (404, unknown.content)


async def test_each_field_that_was_shown_is_a_line_of_the_audit_with_who_and_why_and_not_with_what(scoped: Stage) -> None:
    made = (await ask(scoped, WEB, "POST", "", json=BODY)).json()["id"]
    for field in ("full_name", "nik", "phone", "email"):
        body = {"field": field, "reason": "complaint", "actor": "agent:1a2b"}
        assert (await ask(scoped, REVEALER, "POST", f"/{made}/reveal", json=body)).status_code == 200
    for wrong in ({"field": "password"}, {"reason": "Because I can"}, {"actor": ""}, {"also": "nik"}):
        assert (await ask(scoped, REVEALER, "POST", f"/{made}/reveal", json=ASKED | wrong)).status_code == 422
    told = [line for line in await scoped.backend.audit.lines(limit=50) if line.action == "registration.revealed"]
    assert [(line.subject, line.actor, line.detail) for line in reversed(told)] == [
        (made, f"api:{KEYS[3].id}", {"field": field, "reason": "complaint", "by": "agent:1a2b"})
        for field in ("full_name", "nik", "phone", "email")
    ]
    for private in ("3174095708900001", "Siti", "81234567890", "siti.rahmawati"):
        assert private not in repr(told)
    await scoped.backend.audit.chain()
    assert (await scoped.backend.audit.verify()).holds


async def test_nothing_is_shown_of_what_was_erased_or_is_an_accounts(scoped: Stage) -> None:
    made = (await ask(scoped, WEB, "POST", "", json=BODY)).json()["id"]
    found = await scoped.backend.subjects.find("registration", made)
    await scoped.backend.subjects.erase(found, "operator")
    for field in ("full_name", "nik", "phone", "email"):
        refused = await ask(scoped, REVEALER, "POST", f"/{made}/reveal", json=ASKED | {"field": field})
        assert (refused.status_code, refused.json()["code"]) == (409, "closed")


async def test_one_who_looks_at_many_is_made_to_wait_and_another_is_not(scoped: Stage) -> None:
    made = (await ask(scoped, WEB, "POST", "", json=BODY)).json()["id"]

    async def asked(actor: str) -> httpx2.Response:
        return await ask(scoped, REVEALER, "POST", f"/{made}/reveal", json=ASKED | {"actor": actor})

    for _ in range(60):
        assert (await asked("agent:eager")).status_code == 200
    slowed = await asked("agent:eager")
    assert (slowed.status_code, slowed.json()["code"]) == (429, "limit")
    assert 0 < int(slowed.headers["retry-after"]) <= 3600
    assert str(BODY["nik"]) not in slowed.text
    assert (await asked("agent:calm")).status_code == 200


async def test_a_channel_s_key_reports_no_mails_that_came_back(scoped: Stage) -> None:
    report = {"message_id": "<act-1@ksei.co.id>", "status": "5.1.1"}
    for key, status in ((TELEGRAM, 403), (READER, 403), ("an-api-key-of-the-tests", 204)):
        answer = await scoped.http.post("/api/v1/bounces", json=report, headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == status


async def test_a_list_has_pages_and_holds_the_key_s_channels_alone(scoped: Stage) -> None:
    made: dict[str, list[str]] = {"web": [], "telegram": []}
    for number in range(7):
        channel = "web" if number % 2 else "telegram"
        body = BODY | {"channel": channel, "email": f"p{number}@example.com", "reference": f"{channel}:{number}"}
        made[channel].insert(0, (await scoped.http.post("/api/v1/registrations", json=body, headers=scoped.key())).json()["id"])
    found: list[str] = []
    after = ""
    while True:
        page = (await ask(scoped, TELEGRAM, "GET", f"?limit=3{after}")).json()
        found += [each["id"] for each in page["items"]]
        assert len(page["items"]) <= 3
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert found == made["telegram"]
    await ask(scoped, WEB, "DELETE", f"/{made['web'][0]}")
    withdrawn = (await ask(scoped, READER, "GET", "?status=withdrawn")).json()["items"]
    assert [each["id"] for each in withdrawn] == made["web"][:1]
    assert [each["id"] for each in (await ask(scoped, READER, "GET", "?channel=web")).json()["items"]] == made["web"]
    assert (await ask(scoped, TELEGRAM, "GET", "?channel=web")).json() == {"items": [], "next": None}
    assert (await ask(scoped, TELEGRAM, "GET", f"?after={made['web'][0]}")).status_code == 404
    for wrong in ("?limit=0", "?limit=51", "?limit=x", "?status=gone", "?channel=A"):
        assert (await ask(scoped, READER, "GET", wrong)).status_code == 422
    for private in ("p0@", "3174095708900001", "Siti", "81234567890"):
        assert private not in (await ask(scoped, READER, "GET", "")).text


@pytest.mark.parametrize(
    "written",
    [
        "just-a-key-without-a-role",
        "admin:*:0123456789abcdef",
        "read::0123456789abcdef",
        "read:Web:0123456789abcdef",
        "read:*:short",
    ],
)
def test_a_key_that_is_not_written_so_is_refused_and_not_repeated(written: str) -> None:
    with pytest.raises(ApiKeyInvalid) as refused:
        ApiKey.parse(written)
    assert written.rpartition(":")[2] not in str(refused.value)


async def test_what_is_refused_is_logged_without_saying_whom(scoped: Stage) -> None:
    with capture_logs() as told:
        await ask(scoped, "a-key-that-nobody-was-given", "GET", "")
        await ask(scoped, READER, "POST", "", json=BODY)
        await ask(scoped, TELEGRAM, "POST", "", json=BODY)
        for _ in range(7):
            await scoped.backend.accounts.authenticate(str(BODY["email"]), "Bukan^Sandi-Itu-31", ip="192.0.2.9")
    refused = [
        (line["event"], line.get("why"), line.get("api_key")) for line in told if line["event"].startswith(("api.", "login."))
    ]
    assert refused[:3] == [
        ("api.refused", "unauthorized", None),
        ("api.refused", "forbidden", KEYS[2].id),
        ("api.refused", "forbidden", KEYS[0].id),
    ]
    assert {event for event, _, _ in refused[3:]} == {"login.failed", "login.slowed"}
    for private in ("a-key-that", READER, TELEGRAM, str(BODY["email"]), "192.0.2.9", "Bukan^"):
        assert private not in repr(told)
