"""The backends under the contract tests, each with what a test must be able to do around it."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from akses.inbox.catcher import open_catcher
from akses.inbox.store import MailStore
from akses.keyring import Keyring
from backend.access import ApiKey
from backend.activation import Activated
from backend.app import create_app
from backend.config import BackendConfig
from backend.services import Backend as ReferenceBackend
from backend.services import open_backend
from backend_client.client import BackendClient
from backend_client.events import read_event
from backend_client.fake import FakeBackend
from backend_client.models import Registration, StatusEvent
from backend_client.port import Backend, Revealing

COOLDOWN_SECONDS = 5  # long enough for a request on a busy machine, short enough to wait for
PATIENCE_SECONDS = 60


class Subject(Protocol):
    @property
    def backend(self) -> Backend: ...

    @property
    def revealing(self) -> Revealing: ...

    async def wait(self, seconds: int) -> None:
        """Let this much time pass for the backend."""

    async def mails(self, count: int) -> list[str]:
        """The recipients of all activation mails in order, as soon as there are `count`."""

    async def events(self, count: int) -> list[StatusEvent]:
        """All status events that were told, as soon as there are `count`."""

    async def until(self, registration: str, is_so: Callable[[Registration], bool]) -> Registration:
        """The registration, as soon as it is so."""

    async def activate(self, registration: str) -> None:
        """Do what the person does with the newest link."""


@dataclass
class _FakeSubject:
    now: datetime = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
    told: list[StatusEvent] = field(default_factory=list)
    fake: FakeBackend = field(init=False)

    def __post_init__(self) -> None:
        self.fake = FakeBackend(clock=lambda: self.now, on_event=self._hear, cooldown_seconds=COOLDOWN_SECONDS)

    @property
    def backend(self) -> Backend:
        return self.fake

    @property
    def revealing(self) -> Revealing:
        return self.fake

    async def _hear(self, event: StatusEvent) -> None:
        self.told.append(event)

    async def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    async def mails(self, count: int) -> list[str]:
        await self.fake.settle()
        assert len(self.fake.mails) >= count
        return [address for _, address in self.fake.mails]

    async def events(self, count: int) -> list[StatusEvent]:
        await self.fake.settle()
        assert len(self.told) >= count
        return self.told

    async def until(self, registration: str, is_so: Callable[[Registration], bool]) -> Registration:
        await self.fake.settle()
        seen = await self.fake.status(registration)
        assert is_so(seen)
        return seen

    async def activate(self, registration: str) -> None:
        await self.fake.activate(registration)


@asynccontextmanager
async def fake_subject() -> AsyncIterator[Subject]:
    yield _FakeSubject()


@dataclass
class _ReferenceSubject:
    """The reference backend: its own HTTP, SQLite, mail over SMTP and status webhooks over HTTP, all on loopback."""

    backend: Backend
    revealing: Revealing
    inside: ReferenceBackend
    inbox: MailStore
    told: list[StatusEvent]

    async def wait(self, seconds: int) -> None:
        await asyncio.sleep(seconds)

    async def mails(self, count: int) -> list[str]:
        await soon(lambda: len(self.inbox.mails()) >= count)
        return [mail.recipients[0] for mail in reversed(self.inbox.mails())]

    async def events(self, count: int) -> list[StatusEvent]:
        await soon(lambda: len(self.told) >= count)
        return self.told

    async def until(self, registration: str, is_so: Callable[[Registration], bool]) -> Registration:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not is_so(seen := await self.backend.status(registration)):  # noqa: ASYNC110 (it asks over HTTP)
                await asyncio.sleep(0.05)
            return seen

    async def activate(self, registration: str) -> None:
        await self.mails(1)
        [link] = [link for link in self.inbox.mails()[0].links if "/aktivasi/" in link]
        done = await self.inside.activation.activate(
            link.rpartition("/")[2], "Zq7#vLtw9-Pk", notice_version="2026-11", ip="127.0.0.1"
        )
        assert isinstance(done, Activated)


@asynccontextmanager
async def reference_subject(folder: Path) -> AsyncIterator[Subject]:
    told: list[StatusEvent] = []
    secret = f"whsec_{base64.b64encode(os.urandom(24)).decode()}"

    async def hear(request: Request) -> Response:
        told.append(read_event([secret], request.headers, await request.body())[1])
        return Response(status_code=204)

    inbox = MailStore(folder / "inbox")
    async with AsyncExitStack() as stack:
        smtp_port = await stack.enter_async_context(open_catcher(inbox))
        bot_url = await stack.enter_async_context(serve(Starlette(routes=[Route("/status", hear, methods=["POST"])])))
        config = BackendConfig(
            public_url="http://127.0.0.1:1",
            operator_name="PT Contoh Sekuritas",
            demo=True,
            mail_from="AKSes <akses@ksei.co.id>",
            smtp_url=f"smtp://127.0.0.1:{smtp_port}",
            database_url=f"sqlite:///{folder}/accounts.db",
            api_keys=("key-of-the-bot",),
            scoped_keys=(ApiKey.parse("reveal:*:key-of-the-helpdesk"),),
            status_webhook_url=f"{bot_url}/status",
            status_webhook_secrets=(secret,),
            resend_cooldown_seconds=COOLDOWN_SECONDS,
        )
        inside = await stack.enter_async_context(open_backend(config, Keyring.parse(Keyring.generate()), role="all"))
        url = await stack.enter_async_context(serve(create_app(inside)))
        client = await stack.enter_async_context(BackendClient(url, "key-of-the-bot", read_seconds=30, total_seconds=60))
        desk = await stack.enter_async_context(BackendClient(url, "key-of-the-helpdesk", read_seconds=30, total_seconds=60))
        yield _ReferenceSubject(client, desk, inside, inbox, told)


@asynccontextmanager
async def serve(app: ASGIApp) -> AsyncIterator[str]:
    """The app on a free port of loopback, in this loop."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off", ws="none"))
    serving = asyncio.create_task(server.serve())
    try:
        await soon(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


async def soon(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not is_so():  # noqa: ASYNC110 (it asks a process, which sets no event)
            await asyncio.sleep(0.02)
