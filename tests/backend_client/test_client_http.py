"""What the client does on the wire, against a server that answers from a script."""

from __future__ import annotations

import asyncio
import io
import logging
import socket
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import msgspec
import pytest
from scripted import Dribble, Hang, Raw, Reply, Scripted, Step, scripted_server

from backend_client.client import MAX_ANSWER_BYTES, BackendClient
from backend_client.errors import (
    BackendError,
    BackendUnreachable,
    KeyReused,
    LimitReached,
    RegistrationClosed,
    RegistrationUnknown,
    RequestRefused,
)
from backend_client.models import NewRegistration, Registration

New = Callable[..., NewRegistration]

REGISTRATION = {
    "id": "r1",
    "status": "pending",
    "email_masked": "s***@example.com",
    "created_at": "2026-11-22T08:00:00Z",
    "mail": {"state": "queued"},
}
OK = Reply(202, msgspec.json.encode(REGISTRATION), {"Content-Type": "application/json"})
UNWELL = Reply(503, b"<html>maintenance</html>")


def problem(status: int, code: str, **more: object) -> Reply:
    body = {"type": "about:blank", "title": "No", "status": status, "code": code} | more
    return Reply(status, msgspec.json.encode(body), {"Content-Type": "application/problem+json"})


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    async with scripted_server() as server:
        yield server


@asynccontextmanager
async def client_of(server: Scripted, **options: object) -> AsyncIterator[BackendClient]:
    quick: dict[str, object] = {"first_wait_seconds": 0.01, "read_seconds": 5.0}
    async with BackendClient(server.url, "key-of-the-bot", **(quick | options)) as client:  # type: ignore[arg-type]
        yield client


async def test_each_call_is_one_request_of_the_contract(server: Scripted, new: New) -> None:
    server.script = [OK, OK, OK, OK, Reply(204)]
    async with client_of(server) as client:
        assert (await client.create(new(), key="k-1")).id == "r1"
        assert (await client.status("r1")).created_at == datetime(2026, 11, 22, 8, tzinfo=UTC)
        await client.resend("r1", key="k-2")
        await client.change_email("r1", "baru@example.org", key="k-3")
        await client.withdraw("r1")
    assert [(asked.line, asked.headers.get("idempotency-key")) for asked in server.asked] == [
        ("POST /api/v1/registrations HTTP/1.1", "k-1"),
        ("GET /api/v1/registrations/r1 HTTP/1.1", None),
        ("POST /api/v1/registrations/r1/resend HTTP/1.1", "k-2"),
        ("PUT /api/v1/registrations/r1/email HTTP/1.1", "k-3"),
        ("DELETE /api/v1/registrations/r1 HTTP/1.1", None),
    ]
    assert msgspec.json.decode(server.asked[0].body, type=NewRegistration) == new()
    assert msgspec.json.decode(server.asked[3].body) == {"email": "baru@example.org"}
    assert {asked.headers["authorization"] for asked in server.asked} == {"Bearer key-of-the-bot"}
    assert {asked.headers.get("content-type") for asked in server.asked if asked.body} == {"application/json"}


async def test_the_connection_is_kept_for_the_next_request(server: Scripted) -> None:
    server.script = [OK, OK, problem(404, "not_found"), OK]
    async with client_of(server) as client:
        await client.status("r1")
        await client.status("r1")
        with pytest.raises(RegistrationUnknown):
            await client.status("r2")
        await client.status("r1")
    assert [asked.connection for asked in server.asked] == [1, 1, 1, 1]


async def test_a_base_url_may_have_a_path_and_a_slash(server: Scripted) -> None:
    server.script = [OK]
    async with BackendClient(f"{server.url}/akses/", "key") as client:
        await client.status("r1")
    assert server.asked[0].line == "GET /akses/api/v1/registrations/r1 HTTP/1.1"


async def test_the_request_id_in_hand_goes_with_the_request_when_it_is_a_plain_word(server: Scripted) -> None:
    server.script = [OK, OK, OK]
    ids = iter(["turn-17", None, "two\r\nX-Evil: 1"])
    async with client_of(server, request_id=lambda: next(ids)) as client:
        for _ in range(3):
            await client.status("r1")
    assert [asked.headers.get("x-request-id") for asked in server.asked] == ["turn-17", None, None]
    assert "x-evil" not in server.asked[2].headers


async def test_what_the_contract_does_not_know_yet_is_ignored(server: Scripted) -> None:
    server.script = [Reply(200, msgspec.json.encode(REGISTRATION | {"new_field": 1}))]
    async with client_of(server) as client:
        assert (await client.status("r1")).id == "r1"


# Trouble that passes

PASSING: dict[str, Step] = {
    "503": UNWELL,
    "500": Reply(500, b"oops"),
    "502-with-a-problem-body": problem(502, "bad_gateway"),
    "408": Reply(408),
    "closed-without-an-answer": Raw(b""),
    "half-an-answer": Raw(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id":'),
    "no-http": Raw(b"220 mail.example.com ESMTP\r\n"),
    "garbled-json": Reply(200, b'{"id": "r1", "status":'),
    "not-utf8": Reply(200, b'{"id": "\xff"}'),
    "html-instead-of-json": Reply(200, b"<html>Welcome</html>"),
    "unknown-status-word": Reply(200, msgspec.json.encode(REGISTRATION | {"status": "sleeping"})),
    "time-without-zone": Reply(200, msgspec.json.encode(REGISTRATION | {"created_at": "2026-11-22T08:00:00"})),
    "missing-field": Reply(200, b'{"id": "r1"}'),
    "empty-body": Reply(200, b""),
    "endless-body": Reply(200, b" " * (MAX_ANSWER_BYTES + 1)),
    "redirect": Reply(302, b"", {"Location": "https://example.org/"}),
    "404-of-a-proxy": Reply(404, b"<html>nginx</html>"),
    "401-of-a-proxy": Reply(401, b"who are you"),
}


@pytest.mark.parametrize("trouble", PASSING.values(), ids=PASSING.keys())
async def test_trouble_that_may_pass_is_tried_again_with_the_same_key_and_body(
    server: Scripted, new: New, trouble: Step
) -> None:
    server.script = [trouble, trouble, OK]
    async with client_of(server) as client:
        assert (await client.create(new(), key="k-1")).id == "r1"
    assert [asked.headers["idempotency-key"] for asked in server.asked] == ["k-1"] * 3
    assert len({asked.body for asked in server.asked}) == 1


@pytest.mark.parametrize("trouble", PASSING.values(), ids=PASSING.keys())
async def test_trouble_that_stays_is_unreachable_after_the_last_attempt(server: Scripted, new: New, trouble: Step) -> None:
    server.script = [trouble] * 9
    async with client_of(server, attempts=2) as client:
        with pytest.raises(BackendUnreachable):
            await client.create(new(), key="k-1")
    assert len(server.asked) == 2


async def test_a_backend_that_says_nothing_is_unreachable_when_the_time_is_over(server: Scripted) -> None:
    server.script = [Hang(), Hang()]
    async with client_of(server, attempts=2, read_seconds=0.05) as client:
        with pytest.raises(BackendUnreachable, match="ReadTimeout"):
            await client.status("r1")
    assert len(server.asked) == 2


async def test_a_backend_that_dribbles_cannot_hold_the_caller_longer_than_the_total(server: Scripted) -> None:
    """Each byte comes in time for the read time-out; only the total ends it."""
    server.script = [Dribble()]
    async with client_of(server, total_seconds=0.5, read_seconds=5) as client:
        async with asyncio.timeout(10):
            with pytest.raises(BackendUnreachable, match=r"0\.5 s"):
                await client.status("r1")
    assert len(server.asked) == 1


async def test_a_refused_connection_is_unreachable(new: New) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port, and it refuses
        port = taken.getsockname()[1]
        async with BackendClient(f"http://127.0.0.1:{port}", "key", attempts=2, first_wait_seconds=0.01) as client:
            with pytest.raises(BackendUnreachable, match="ConnectError"):
                await client.create(new(), key="k-1")


async def test_a_503_is_tried_again_after_the_time_it_asks_for(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    server.script = [Reply(503, b"", {"Retry-After": "1"}), OK]
    async with client_of(server) as client:
        began = asyncio.get_running_loop().time()
        await client.status("r1")
        assert asyncio.get_running_loop().time() - began >= 1  # a lower bound: never asked earlier than allowed


async def test_a_503_that_asks_for_more_time_than_there_is_ends_the_call_at_once(server: Scripted) -> None:
    server.script = [Reply(503, b"", {"Retry-After": "3600"}), OK]
    async with client_of(server) as client:
        async with asyncio.timeout(5):
            with pytest.raises(BackendUnreachable):
                await client.status("r1")
    assert len(server.asked) == 1


async def test_the_callers_own_cancellation_is_a_cancellation(server: Scripted) -> None:
    server.script = [Hang()]
    async with client_of(server) as client:
        call = asyncio.create_task(client.status("r1"))
        await server.has_been_asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call


# Answers that are final


@pytest.mark.parametrize(
    ("reply", "error", "code"),
    [
        (problem(422, "invalid", errors=[{"field": "nik", "code": "length"}]), RequestRefused, "invalid"),
        (problem(401, "unauthorized"), RequestRefused, "unauthorized"),
        (problem(403, "forbidden"), RequestRefused, "forbidden"),
        (problem(413, "too_large"), RequestRefused, "too_large"),
        (problem(404, "not_found"), RegistrationUnknown, "not_found"),
        (problem(409, "closed"), RegistrationClosed, "closed"),
        (problem(409, "key_reused"), KeyReused, "key_reused"),
        (problem(409, "something_new"), RequestRefused, "something_new"),
        (problem(422, "Siti Rahmawati <siti@example.com>"), RequestRefused, "status_422"),
    ],
)
async def test_a_refusal_for_good_is_a_typed_error_and_is_not_sent_again(
    server: Scripted, new: New, reply: Reply, error: type[RequestRefused], code: str
) -> None:
    server.script = [reply, OK]
    async with client_of(server) as client:
        with pytest.raises(RequestRefused) as refusal:
            await client.create(new(), key="k-1")
    assert type(refusal.value) is error
    assert refusal.value.code == code
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("60", 60),
        ("1.2", 2),
        ("0", 60),
        ("0.1", 1),
        (None, 60),
        ("soon", 60),
        ("-5", 60),
        ("nan", 60),
        ("1e400", 60),
        ("86400", 86400),
    ],
)
async def test_a_limit_tells_whole_seconds_rounded_up(server: Scripted, retry_after: str | None, seconds: int) -> None:
    server.script = [Reply(429, problem(429, "too_many").body, {} if retry_after is None else {"Retry-After": retry_after}), OK]
    async with client_of(server) as client:
        with pytest.raises(LimitReached) as limit:
            await client.resend("r1", key="k-1")
    assert limit.value.retry_after == seconds
    assert len(server.asked) == 1


async def test_a_limit_may_tell_a_date(server: Scripted) -> None:
    server.script = [Reply(429, b"", {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)})]
    async with client_of(server) as client:
        with pytest.raises(LimitReached) as limit:
            await client.resend("r1", key="k-1")
    assert 1 <= limit.value.retry_after <= 90


async def test_an_id_that_could_lead_elsewhere_is_never_asked_for(server: Scripted) -> None:
    async with client_of(server) as client:
        for registration in ("..", "../admin", "a/b", "a?b=1", "a#b", "a%2fb", "", "x" * 65, "a\nb"):
            with pytest.raises(RegistrationUnknown):
                await client.withdraw(registration)
    assert server.asked == []


# What must never be seen

CANARIES = ("Kenari Rahasia", "3174095708909999", "+6281299990000", "kenari@example.com", "key-of-the-bot")


async def test_personal_data_and_the_api_key_are_in_no_log_line_and_no_exception(
    server: Scripted, new: New, capsys: pytest.CaptureFixture[str]
) -> None:
    """The backend echoes what was sent in every way that it can, in refusals, in garbled bodies and in headers."""
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    canary = new(full_name=CANARIES[0], nik=CANARIES[1], phone=CANARIES[2], email=CANARIES[3])
    echo = " ".join(CANARIES)
    detailed = {"detail": echo, "title": echo, "errors": [{"field": echo, "code": echo}]}
    replies: list[list[Step]] = [
        [problem(422, "invalid", **detailed)],
        [problem(422, echo)],
        [problem(409, "closed", **detailed)],
        [problem(429, "too_many", **detailed)],
        [Reply(200, msgspec.json.encode(REGISTRATION | {"status": echo}))] * 2,
        [Reply(200, echo.encode())] * 2,
        [Reply(500, echo.encode())] * 2,
        [Reply(302, b"", {"Location": "/elsewhere"})] * 2,
        [Raw(f"HTTP/1.1 {echo}\r\n\r\n".encode())] * 2,
        [Hang()] * 2,
    ]
    try:
        async with client_of(server, attempts=2, read_seconds=0.1) as client:
            calls: list[Callable[[], Awaitable[Registration]]] = [
                lambda: client.create(canary, key="k-1"),
                lambda: client.change_email("r1", CANARIES[3], key="k-2"),
            ]
            for script in replies:
                for call in calls:
                    server.script = list(script)
                    with pytest.raises(BackendError) as raised:
                        await call()
                    lines.write("".join(traceback.format_exception(raised.value)))
                    at: BaseException | None = raised.value
                    while at is not None:
                        lines.write(f"{at} {at!r} {at.args}\n")
                        assert not hasattr(at, "request")
                        at = at.__cause__ or at.__context__
                    assert not server.script
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    printed = capsys.readouterr()
    seen = lines.getvalue() + printed.out + printed.err
    assert "retry_scheduled" in seen  # the log was listened to
    for secret in CANARIES:
        assert secret not in seen
