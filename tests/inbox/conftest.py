"""The inbox as it runs: real SMTP and real HTTP on free ports of loopback, mails in a folder of the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from akses.inbox.catcher import open_catcher
from akses.inbox.pages import routes
from akses.inbox.store import MailStore

SMS_PASSWORD = "known-to-the-product-alone"
DESIGN = Path(__file__).parents[2] / "design"


@dataclass(frozen=True)
class Inbox:
    store: MailStore
    smtp_port: int
    url: str

    async def send(self, mail: EmailMessage | bytes, *, to: str = "siti@example.com") -> None:
        content = mail if isinstance(mail, bytes) else mail.as_bytes()
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=self.smtp_port, start_tls=False) as smtp:
            await smtp.sendmail("akses@ksei.co.id", [to], content)


@asynccontextmanager
async def http_server(app: Starlette) -> AsyncIterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off", ws="none"))
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:  # noqa: ASYNC110 (uvicorn sets no event)
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


async def seen(request: object) -> PlainTextResponse:
    return PlainTextResponse("an ordinary page")


@pytest.fixture
def sms_password() -> str:
    return SMS_PASSWORD


@pytest.fixture
async def inbox(tmp_path: Path) -> AsyncIterator[Inbox]:
    store = MailStore(tmp_path / "inbox")
    app = Starlette(
        routes=[
            *routes(store, operator_name="PT Contoh Sekuritas", sms_password=SMS_PASSWORD),
            Mount("/assets", StaticFiles(directory=DESIGN)),
            Route("/aktivasi/{token}", seen),
        ]
    )
    async with open_catcher(store) as port, http_server(app) as url:
        yield Inbox(store, port, url)


@pytest.fixture
async def web(inbox: Inbox) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=inbox.url) as web:
        yield web


@pytest.fixture
def mail() -> Callable[..., EmailMessage]:
    """Makes an activation mail like the product's; keyword arguments change it, `html=None` leaves that part out."""

    def make(
        *,
        subject: str = "Aktivasi akun AKSes Anda",
        message_id: str = "<act-1@akses.example>",
        text: str = "Yth. Siti,\n\nBuka http://127.0.0.1:1/aktivasi/akt_abc untuk aktivasi.\n",
        html: str
        | None = '<html><head></head><body><p>Yth. Siti,</p><a href="http://127.0.0.1:1/aktivasi/akt_abc">Aktifkan</a></body></html>',
        to: str = "Siti Rahmawati <siti@example.com>",
    ) -> EmailMessage:
        message = EmailMessage()
        message["From"] = "AKSes KSEI <akses@ksei.co.id>"
        message["To"] = to
        message["Subject"] = subject
        message["Date"] = "Sun, 22 Nov 2026 08:00:00 +0700"
        message["Message-ID"] = message_id
        message.set_content(text)
        if html is not None:
            message.add_alternative(html, subtype="html")
        return message

    return make
