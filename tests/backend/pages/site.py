"""The real pages on a real port: the reference backend on SQLite, its mails caught over SMTP."""

from __future__ import annotations

import asyncio
import queue
import re
import secrets
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any, Literal

import httpx2
import uvicorn
from aiosmtpd.smtp import SMTP, Envelope
from starlette.applications import Starlette

from akses.assets import Assets
from akses.keyring import Keyring
from backend.app import create_app
from backend.config import BackendConfig
from backend.registrations import Caller, NewRegistration
from backend.services import Backend, open_backend
from tests.backend.stage import SmsTower
from tests.backend.stage import served as sms_gateway

DESIGN = Path(__file__).resolve().parents[3] / "design"
GOOD_PASSWORD = "Kunang-kunang 7 terbang"
PATIENCE = 30


class Clock:
    """The backend's time, which a test can move on."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Mailbox:
    """What arrived, by recipient."""

    def __init__(self) -> None:
        self._arrived: dict[str, queue.Queue[str]] = {}

    async def handle_DATA(self, _server: SMTP, _session: object, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's name)
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        body = message.get_body(("plain",))
        assert body is not None
        for recipient in envelope.rcpt_tos:
            self._of(recipient).put(body.get_content())
        return "250 OK"

    def next(self, recipient: str) -> str:
        """The text of the next mail to this address; waits for it."""
        return self._of(recipient).get(timeout=PATIENCE)

    def _of(self, recipient: str) -> queue.Queue[str]:
        return self._arrived.setdefault(recipient, queue.Queue())


@dataclass(frozen=True)
class Invited:
    """A registration that was mailed; `path` is its link's."""

    id: str
    email: str
    path: str


@dataclass
class Site:
    url: str
    backend: Backend
    mailbox: Mailbox
    tower: SmsTower
    clock: Clock
    run: Callable[[Coroutine[Any, Any, Any]], Any]

    def client(self, **headers: str) -> httpx2.Client:
        return httpx2.Client(
            base_url=self.url,
            follow_redirects=False,
            trust_env=False,
            timeout=PATIENCE,
            headers={"Accept-Language": "id", **headers},
        )

    def register(
        self,
        name: str = "Sri Wahyuningsih",
        *,
        language: Literal["id", "en"] = "id",
        nik: str = "",
        email: str = "",
        phone: str = "+6281234567890",
    ) -> Invited:
        """Register somebody invented and wait for the mail."""
        email = email or f"orang{secrets.token_hex(4)}@contoh.example"
        made = self.register_in("web", secrets.token_hex(8), name=name, language=language, nik=nik, email=email, phone=phone)
        return Invited(made, email, self.link(email))

    def register_in(
        self,
        channel: str,
        reference: str,
        *,
        email: str,
        name: str = "Sri Wahyuningsih",
        language: Literal["id", "en"] = "id",
        nik: str = "",
        phone: str = "+6281234567890",
    ) -> str:
        """Register somebody invented in this chat; the registration's id."""
        new = NewRegistration(
            kind="individu_lokal",
            full_name=name,
            nik=nik or f"31710155{secrets.randbelow(10**8):08}",
            phone=phone,
            email=email,
            language=language,
            channel=channel,
            reference=reference,
            notice_version="2026-11",
            consent_at=datetime.now(UTC),
        )
        view = self.run(self.backend.registrations.create(new, Caller(api_key="pages", key=secrets.token_hex(8))))
        return str(view.id)

    def link(self, email: str) -> str:
        """The path of the link in the next mail to this address."""
        found = re.search(r"^http\S+?(/aktivasi/\S+)\s*$", self.mailbox.next(email), re.MULTILINE)
        assert found is not None
        return found[1]

    def status(self, invited: Invited) -> str:
        return str(self.run(self.backend.registrations.status(invited.id)).status)

    def password_link(self, email: str) -> str:
        """The path of the link for a new password in the next mail to this address."""
        found = re.search(r"^http\S+?(/masuk/sandi/\S+)\s*$", self.mailbox.next(email), re.MULTILINE)
        assert found is not None
        return found[1]

    def code(self, phone: str) -> str:
        """The newest code sent to this phone; waits for the first."""
        for _ in range(PATIENCE * 50):
            texts = [message["text"] for message in self.tower.taken if message["to"] == phone]
            if texts:
                return texts[-1][:6]
            time.sleep(0.02)
        raise AssertionError("no code came")

    def activate(self, invited: Invited, password: str = GOOD_PASSWORD) -> httpx2.Response:
        with self.client() as client:
            return client.post(invited.path, data={"password": password, "again": password, "consent": "2026-11"})


def free_socket() -> socket.socket:
    found = socket.socket()
    found.bind(("127.0.0.1", 0))
    return found


@asynccontextmanager
async def serving(folder: Path, operator: dict[str, Any]) -> AsyncIterator[tuple[str, Backend, Mailbox, SmsTower, Clock]]:
    mailbox, tower, clock, web = Mailbox(), SmsTower(), Clock(), free_socket()
    loop = asyncio.get_running_loop()
    smtp = await loop.create_server(lambda: SMTP(mailbox, hostname="penerima.example"), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{web.getsockname()[1]}"
    config = BackendConfig(
        **{
            "public_url": url,
            "operator_name": "Panitia Uji Coba",
            "demo": True,
            "mail_from": "AKSes <akses@contoh.example>",
            "smtp_url": f"smtp://127.0.0.1:{smtp.sockets[0].getsockname()[1]}",
            "database_url": f"sqlite:////{str(folder / 'accounts.sqlite').lstrip('/')}",
            "api_keys": ("pages",),
            **operator,
        }
    )
    async with (
        sms_gateway(tower.app()) as base,
        open_backend(
            replace(config, sms_url=tower.url(base)), Keyring.parse(Keyring.generate()), role="all", clock=clock
        ) as backend,
    ):
        app: Starlette = create_app(backend)
        app.mount("/assets", Assets(DESIGN))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", proxy_headers=False))
        served = loop.create_task(server.serve(sockets=[web]))
        try:
            yield url, backend, mailbox, tower, clock
        finally:
            server.should_exit = True
            await served
            web.close()
            smtp.close()
            await smtp.wait_closed()


@contextmanager
def running(folder: Path, **operator: Any) -> Iterator[Site]:
    """The site, in a thread with a loop of its own, so that tests and Playwright can be plain and synchronous."""
    ready: queue.Queue[Site | BaseException] = queue.Queue()
    stop = threading.Event()

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
            return asyncio.run_coroutine_threadsafe(coroutine, loop).result(PATIENCE)

        async with serving(folder, operator) as (url, backend, mailbox, tower, clock):
            ready.put(Site(url, backend, mailbox, tower, clock, run))
            await asyncio.to_thread(stop.wait)

    def serve() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            ready.put(error)
            raise

    thread = threading.Thread(target=serve)
    thread.start()
    found = ready.get(timeout=PATIENCE)
    if isinstance(found, BaseException):
        raise found
    try:
        yield found
    finally:
        stop.set()
        thread.join(PATIENCE)
