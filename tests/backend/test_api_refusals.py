"""How the API says no: every refusal is problem+json with its stable code, and repeats nothing of what was sent."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import psycopg
import pytest
from starlette.types import Receive, Scope, Send

from akses.keyring import Keyring
from backend import openapi
from backend.access import ApiKey
from backend.api.guard import ApiGuard
from backend_client.models import Problem
from tests.backend.stage import API_KEY, BODY, SECONDS, Stage, served, stage_on


def problem(answer: Any) -> Problem:
    assert answer.headers["content-type"] == "application/problem+json"
    found = msgspec.json.decode(answer.content, type=Problem)
    assert found.status == answer.status_code
    return found


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "Bearer wrong")],
        [("Authorization", f"Bearer {API_KEY}x")],
        [("Authorization", f"Basic {API_KEY}")],
        [("Authorization", API_KEY)],
        [("Authorization", "Bearer")],
        [("Authorization", f"Bearer {API_KEY}"), ("Authorization", f"Bearer {API_KEY}")],
    ],
    ids=["none", "wrong", "longer", "basic", "bare", "empty", "twice"],
)
async def test_without_a_valid_key_nothing_is_read_or_done(api: Stage, headers: list[tuple[str, str]]) -> None:
    del api.http.headers["authorization"]
    for method, path in (
        ("POST", "registrations"),
        ("GET", "registrations/abc"),
        ("DELETE", "registrations/abc"),
        ("GET", "x"),
    ):
        answer = await api.http.request(method, f"/api/v1/{path}", headers=headers, content=b"{")
        assert (answer.status_code, problem(answer).code) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_each_of_several_keys_opens(sqlite_url: str, keyring: Keyring) -> None:
    async with stage_on(sqlite_url, keyring, api_keys=("first", API_KEY)) as stage:
        await stage.register()
        stage.http.headers["authorization"] = "bearer first"
        await stage.register()


WRONG = [
    ("nik", "317409570890000", "nik", "string_pattern_mismatch"),
    ("nik", "3174095708900001\n", "nik", "string_pattern_mismatch"),
    ("nik", "\u0663174095708900001", "nik", "string_pattern_mismatch"),
    ("nik", 3174095708900001, "nik", "string_type"),
    ("phone", "081234567890", "phone", "string_pattern_mismatch"),
    ("phone", "+62812345678901234", "phone", "string_pattern_mismatch"),
    ("email", "siti", "email", "email"),
    ("email", "sítí@example.com", "email", "email"),
    ("email", "=?utf-8?q?siti?=@example.com", "email", "email"),
    ("email", "siti@example.com\r\nBcc: x@example.org", "email", "email"),
    ("email", "a" * 300 + "@example.com", "email", "string_too_long"),
    ("reference", "web:\0", "reference", "string_pattern_mismatch"),
    (
        "consent",
        {"notice_version": "\0", "given_at": "2026-11-20T03:04:05Z"},
        "consent.notice_version",
        "string_pattern_mismatch",
    ),
    ("full_name", "", "full_name", "string_too_short"),
    ("full_name", "   ", "full_name", "letters"),
    ("full_name", "x" * 151, "full_name", "string_too_long"),
    ("full_name", "Siti\r\nBcc: x@example.org", "full_name", "characters"),
    ("full_name", "Siti \u202eitiS", "full_name", "characters"),
    ("full_name", "Anda menang http://example.org", "full_name", "link"),
    ("full_name", "Kunjungi WWW.example.org", "full_name", "link"),
    ("full_name", "Anda menang di hadiah.com", "full_name", "link"),
    ("full_name", None, "full_name", "string_type"),
    ("kind", "Individu Lokal", "kind", "string_pattern_mismatch"),
    ("language", "jv", "language", "literal_error"),
    ("channel", "", "channel", "string_pattern_mismatch"),
    ("reference", "r" * 201, "reference", "string_too_long"),
    ("consent", {"notice_version": "1"}, "consent.given_at", "missing"),
    ("consent", {"notice_version": "1", "given_at": 1763600000}, "consent.given_at", "instant"),
    ("consent", {"notice_version": "1", "given_at": "1763600000"}, "consent.given_at", "instant"),
    ("consent", {"notice_version": "1", "given_at": "2026-11-20T03:04:05"}, "consent.given_at", "timezone_aware"),
    ("consent", {"notice_version": "1", "given_at": "2999-01-01T00:00:00Z"}, "consent.given_at", "future"),
    ("status", "active", "status", "extra_forbidden"),
    ("id", "00000000000000000000000000000000", "id", "extra_forbidden"),
]


@pytest.mark.parametrize(
    ("name", "value", "field", "code"), WRONG, ids=[f"{case[0]}-{case[3]}-{nth}" for nth, case in enumerate(WRONG)]
)
async def test_a_field_that_breaks_the_contract_is_named_and_never_repeated(
    api: Stage, name: str, value: Any, field: str, code: str
) -> None:
    answer = await api.http.post("/api/v1/registrations", json=BODY | {name: value}, headers=api.key())
    found = problem(answer)
    assert (answer.status_code, found.code) == (422, "invalid")
    assert [(error.field, error.code) for error in found.errors] == [(field, code)]
    if isinstance(value, str) and len(value) > 6:
        assert value[:7] not in answer.text.replace(name, "")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b"[" * 20_000, b'{"nik": "\\ud800"}', b"null"],
    ids=["empty", "cut", "list", "text", "not-utf-8", "deep", "surrogate", "null"],
)
async def test_a_body_that_is_no_registration_is_invalid(api: Stage, content: bytes) -> None:
    headers = {**api.key(), "Content-Type": "application/json"}
    answer = await api.http.post("/api/v1/registrations", content=content, headers=headers)
    assert answer.status_code in {400, 422}
    assert problem(answer).code == "invalid"


@pytest.mark.parametrize(
    "key", [None, "", "x" * 65, "with space", "titik.koma", "é"], ids=["none", "empty", "long", "space", "dot", "accent"]
)
async def test_writing_needs_a_well_formed_idempotency_key(api: Stage, key: str | None) -> None:
    headers = [] if key is None else [(b"idempotency-key", key.encode())]
    for method, path, body in (
        ("POST", "registrations", BODY),
        ("POST", "registrations/abc/resend", None),
        ("PUT", "registrations/abc/email", {"email": "a@example.com"}),
    ):
        answer = await api.http.request(method, f"/api/v1/{path}", json=body, headers=headers)
        found = problem(answer)
        assert (answer.status_code, found.code) == (422, "invalid")
        assert [error.field for error in found.errors] == ["Idempotency-Key"]


async def test_a_body_over_64_kib_is_refused_before_it_is_understood(api: Stage) -> None:
    async def endless() -> Any:
        for _ in range(70):
            yield b" " * 1024

    for content in (b" " * (64 * 1024 + 1), endless()):
        answer = await api.http.post("/api/v1/registrations", content=content, headers=api.key())
        assert (answer.status_code, problem(answer).code) == (413, "invalid")


async def test_what_is_unknown_is_not_found(api: Stage) -> None:
    unknown = "0" * 32
    for answer in (
        await api.http.get(f"/api/v1/registrations/{unknown}"),
        await api.http.delete(f"/api/v1/registrations/{unknown}"),
        await api.resend(unknown),
        await api.put_email(unknown, "a@example.com"),
        await api.http.get("/api/v1/accounts"),
        await api.http.get("/api/v1/registrations/"),
    ):
        assert (answer.status_code, problem(answer).code) == (404, "not_found")


async def test_a_method_that_does_not_exist_is_invalid(api: Stage) -> None:
    for method in ("PUT", "PATCH", "TRACE"):
        answer = await api.http.request(method, "/api/v1/registrations")
        assert (answer.status_code, problem(answer).code) == (405, "invalid")


async def test_the_machinery_is_not_on_show(api: Stage) -> None:
    for path in ("/docs", "/redoc", "/openapi.json", "/.git/config"):
        assert (await api.http.get(path)).status_code == 404


async def test_a_database_that_is_gone_is_said_to_be_unavailable_for_now(
    postgres_url: str, postgres_cluster_url: str, keyring: Keyring
) -> None:
    async with stage_on(postgres_url, keyring, role="web") as stage:
        made = await stage.register()
        with psycopg.connect(postgres_cluster_url, autocommit=True) as conn:
            conn.execute(f'DROP DATABASE "{postgres_url.rpartition("/")[2]}" WITH (FORCE)')  # type: ignore[arg-type]
        for answer in (await stage.post(), await stage.http.get(f"/api/v1/registrations/{made['id']}")):
            assert (answer.status_code, problem(answer).code) == (503, "unavailable")
            assert int(answer.headers["retry-after"]) >= 1
            assert "psycopg" not in answer.text


async def test_the_contract_is_served_without_a_key_and_is_the_frozen_one(api: Stage) -> None:
    """When this fails the contract changed: if that is meant, `python -m backend.openapi` writes it down."""
    frozen = json.loads(openapi.FROZEN.read_text(encoding="utf-8"))
    assert json.loads(openapi.written()) == frozen
    answer = await api.http.get("/api/v1/openapi.json", headers={"Authorization": ""})
    assert answer.status_code == 200
    assert answer.json() == frozen


def test_the_frozen_contract_holds_together() -> None:
    """Every operation names its refusals as problems, and every reference leads somewhere."""
    contract = json.loads(openapi.FROZEN.read_text(encoding="utf-8"))
    operations = [spec for path in contract["paths"].values() for spec in path.values()]
    assert {operation["operationId"] for operation in operations} == {
        "createRegistration",
        "getRegistration",
        "listRegistrations",
        "resendActivation",
        "changeEmail",
        "withdrawRegistration",
        "createNotice",
        "revealField",
    }
    for operation in operations:
        refusals = {status: answer["content"] for status, answer in operation["responses"].items() if int(status) >= 400}
        assert {"401", "422", "503"} <= set(refusals)
        assert all(set(content) == {"application/problem+json"} for content in refusals.values())
        assert operation["security"]
    for reference in {part.split('"')[0] for part in json.dumps(contract).split('"$ref": "#/components/schemas/')[1:]}:
        assert reference in contract["components"]["schemas"]


async def test_a_body_that_comes_too_slowly_is_given_up() -> None:
    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("the body was not complete")

    async with served(ApiGuard(never, (ApiKey(API_KEY),), body_seconds=0.2)) as address:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
        head = (
            f"POST /api/v1/registrations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {API_KEY}\r\nContent-Length: 9\r\n\r\n{{"
        )
        writer.write(head.encode())
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SECONDS)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answer
