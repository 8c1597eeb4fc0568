"""The backend under test on a stage of real parts: SQLite or PostgreSQL, an SMTP server, a webhook receiver, HTTP on loopback."""

from __future__ import annotations

import asyncio
import base64
import re
import socket
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx2
import uvicorn
from aiosmtpd.smtp import SMTP, Envelope, Session
from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from akses.keyring import Keyring
from backend.app import create_app
from backend.config import BackendConfig, Timings
from backend.registry import RegistryVerifier
from backend.services import Backend, Role, open_backend
from backend.traces import UNTRACED, Traces

API_KEY = "an-api-key-of-the-tests"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PASSWORD = "Rumah!biru9Laut"
SECONDS = 20.0
BODY: dict[str, Any] = {
    "kind": "individu_lokal",
    "full_name": "Siti Rahmawati",
    "nik": "3174095708900001",
    "phone": "+6281234567890",
    "email": "siti.rahmawati@example.com",
    "language": "id",
    "channel": "web",
    "reference": "web:0123456789abcdef",
    "consent": {"notice_version": "2026-11", "given_at": "2026-11-20T03:04:05Z"},
}
T = TypeVar("T")
TIMINGS = Timings(mail_backoff=(0.1,), hook_backoff=(0.1, 0.1, 0.1, 0.1, 0.1, 0.1))


async def until(look: Callable[[], Awaitable[T | None]] | Callable[[], T | None], *, seconds: float = SECONDS) -> T:
    """What `look` finds, as soon as it finds something."""
    async with asyncio.timeout(seconds):
        while True:
            found = look()
            found = await found if isinstance(found, Awaitable) else found
            if found:
                return found
            await asyncio.sleep(0.02)


class SmtpSink:
    """A real SMTP server that keeps what it takes; `answers` are given to the next messages instead of taking them."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.answers: deque[str] = deque()
        self.on_data: Callable[[], None] = lambda: None
        self._server: asyncio.Server | None = None
        self.port = 0

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        if self.answers:
            return self.answers.popleft()
        self.taken.append(envelope)
        self.on_data()
        return "250 taken"

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: SMTP(self, loop=loop), "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def mails(self, count: int) -> list[EmailMessage]:
        """All mails, as soon as there are `count`."""
        await until(lambda: len(self.taken) >= count)
        return [parsed(envelope) for envelope in self.taken]

    async def token(self, nth: int = -1, *, of: int = 1) -> str:
        """The activation token in one of the mails."""
        mails = await self.mails(of)
        return token_in(mails[nth])


def parsed(envelope: Envelope) -> EmailMessage:
    content = envelope.content
    assert isinstance(content, bytes)
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def token_in(mail: EmailMessage) -> str:
    found = re.findall(r"/aktivasi/(akt_[\w-]{43})\b", text_of(mail))
    assert len(found) == 1, found
    return str(found[0])


@dataclass(frozen=True)
class Hook:
    id: str
    body: bytes
    headers: dict[str, str]
    event: dict[str, Any]


class Receiver:
    """A real webhook receiver; keeps what carries a good signature and answers with `answers`, then 204."""

    def __init__(self) -> None:
        self.heard: list[Hook] = []
        self.answers: deque[int] = deque()

    async def take(self, request: Request) -> Response:
        body = await request.body()
        event = Webhook(SECRET).verify(body, dict(request.headers))
        self.heard.append(Hook(request.headers["webhook-id"], body, dict(request.headers), event))
        return Response(status_code=self.answers.popleft() if self.answers else 204)

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/hook", self.take, methods=["POST"])])

    async def events(self, count: int, *types: str) -> list[Hook]:
        """What was heard of these types (all when none is named), as soon as it is so many."""

        def look() -> list[Hook]:
            return [hook for hook in self.heard if not types or hook.event["type"] in types]

        await until(lambda: len(look()) >= count)
        return look()


class SmsTower:
    """A real HTTP gateway that keeps what it takes; `answers` are given to the next messages instead of taking them."""

    USER, PASSWORD = "gateway", "a:secret/of@it"

    def __init__(self) -> None:
        self.taken: list[dict[str, str]] = []
        self.keys: list[str] = []
        self.answers: deque[int] = deque()

    async def take(self, request: Request) -> Response:
        expected = "Basic " + base64.b64encode(f"{self.USER}:{self.PASSWORD}".encode()).decode()
        if request.headers.get("authorization") != expected:
            return Response(status_code=401)
        self.keys.append(request.headers["idempotency-key"])
        if self.answers:
            return Response(status_code=self.answers.popleft())
        self.taken.append(await request.json())
        return Response(status_code=202)

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/sms", self.take, methods=["POST"])])

    @classmethod
    def url(cls, base: str) -> str:
        return f"{base.replace('://', f'://{cls.USER}:{quote(cls.PASSWORD, safe=str())}@', 1)}/sms"

    async def code(self, nth: int = -1, *, of: int = 1) -> str:
        """The code in one of the messages, as soon as there are `of`."""
        await until(lambda: len(self.taken) >= of)
        return self.taken[nth]["text"][:6]


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """The address of the app, served by uvicorn in this loop."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, lifespan="off", proxy_headers=False, access_log=False, timeout_graceful_shutdown=2)
    )
    task = asyncio.create_task(server._serve([listener]))
    try:
        await until(lambda: server.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()


@asynccontextmanager
async def child(database_url: str, keyring_file: Path, smtp_url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A backend process of its own (`tests/backend/child.py`), dead at the end whatever happened."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.backend.child", database_url, str(keyring_file), smtp_url, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@dataclass
class Clock:
    """The real time, moved by what a test asks for; once stopped it moves by that alone."""

    moved: timedelta = timedelta(0)
    stopped_at: datetime | None = None

    def __call__(self) -> datetime:
        return (self.stopped_at or datetime.now(UTC)) + self.moved

    def stop(self) -> None:
        self.stopped_at = datetime.now(UTC)


@dataclass
class Stage:
    """One backend with its surroundings. `http` speaks to it with the API key."""

    config: BackendConfig
    backend: Backend
    http: httpx2.AsyncClient
    smtp: SmtpSink
    receiver: Receiver
    clock: Clock
    keys: int = field(default=0)

    def key(self) -> dict[str, str]:
        self.keys += 1
        return {"Idempotency-Key": f"key-{self.keys:012d}"}

    async def post(self, key: dict[str, str] | None = None, **changes: Any) -> httpx2.Response:
        return await self.http.post("/api/v1/registrations", json=BODY | changes, headers=key or self.key())

    async def register(self, **changes: Any) -> dict[str, Any]:
        """A new registration's answer."""
        answer = await self.post(**changes)
        assert answer.status_code == 202, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def view(self, registration: str) -> dict[str, Any]:
        answer = await self.http.get(f"/api/v1/registrations/{registration}")
        assert answer.status_code == 200, answer.text
        seen: dict[str, Any] = answer.json()
        return seen

    async def resend(self, registration: str, key: dict[str, str] | None = None) -> httpx2.Response:
        return await self.http.post(f"/api/v1/registrations/{registration}/resend", headers=key or self.key())

    async def put_email(self, registration: str, email: str, key: dict[str, str] | None = None) -> httpx2.Response:
        url = f"/api/v1/registrations/{registration}/email"
        return await self.http.put(url, json={"email": email}, headers=key or self.key())

    async def until_mail(self, registration: str, state: str) -> dict[str, Any]:
        """The registration, as soon as its newest mail is in this state."""

        async def look() -> dict[str, Any] | None:
            seen = await self.view(registration)
            return seen if seen["mail"]["state"] == state else None

        return await until(look)

    async def activate(self, token: str, password: str = PASSWORD, ip: str = "192.0.2.1") -> Any:
        return await self.backend.activation.activate(token, password, notice_version="2026-11", ip=ip)

    def let_pass(self, **time: float) -> None:
        self.clock.moved += timedelta(**time)


@asynccontextmanager
async def stage_on(
    database_url: str,
    keyring: Keyring,
    *,
    role: Role = "all",
    smtp: SmtpSink | None = None,
    traces: Traces = UNTRACED,
    registry: RegistryVerifier | None = None,
    **settings: Any,
) -> AsyncIterator[Stage]:
    """Open everything; `settings` change the configuration."""
    async with AsyncExitStack() as stack:
        sink, receiver, clock = smtp or SmtpSink(), Receiver(), Clock()
        if smtp is None:
            await sink.open()
            stack.push_async_callback(sink.close)
        hook = await stack.enter_async_context(served(receiver.app()))
        config = BackendConfig(
            **(
                {
                    "public_url": "http://127.0.0.1:8000",
                    "operator_name": "Contoh Operator",
                    "demo": True,
                    "mail_from": "akses@ksei.co.id",
                    "smtp_url": sink.url,
                    "database_url": database_url,
                    "api_keys": (API_KEY,),
                    "status_webhook_url": f"{hook}/hook",
                    "status_webhook_secrets": (SECRET,),
                    "timings": TIMINGS,
                }
                | settings
            )
        )
        backend = await stack.enter_async_context(
            open_backend(config, keyring, role=role, clock=clock, registry=registry, traces=traces)
        )
        address = await stack.enter_async_context(served(create_app(backend)))
        headers = {"Authorization": f"Bearer {API_KEY}"}
        http = await stack.enter_async_context(
            httpx2.AsyncClient(base_url=address, headers=headers, trust_env=False, timeout=30)
        )
        yield Stage(config, backend, http, sink, receiver, clock)
