"""Places on the way where a test can stop the product in the middle of something: an HTTP gate and a mail server.

    gate.barrier.close("before /api/v1/registrations")
    ...                               # the product makes the call
    with gate.barrier.reached():      # the request waits at the gate: it has not arrived
        product.kill()

Lives here: holding what passes, between the product and itself (BACKEND_URL, STATUS_WEBHOOK_URL) or its mail server (SMTP_URL).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import httpx2
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.product import PATIENCE
from tests.services import free_port

HOP_BY_HOP = {"connection", "content-length", "host", "transfer-encoding", "keep-alive"}


@dataclass
class Barrier:
    """Open until it is closed at one place; then whoever comes there waits until it is opened."""

    _place: str = ""
    _came: threading.Event = field(default_factory=threading.Event)
    _open: threading.Event = field(default_factory=threading.Event)

    def close(self, place: str) -> None:
        self._came.clear()
        self._open.clear()
        self._place = place

    def passing(self, place: str) -> None:
        if place == self._place:
            self._came.set()
            self._open.wait(PATIENCE)

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Wait until somebody stands at the barrier; it is open again when the block ends."""
        try:
            assert self._came.wait(PATIENCE), f"nobody came to {self._place}"
            yield
        finally:
            self._place = ""
            self._open.set()


class HttpGate:
    """Hands every request on to `upstream`; its barrier has the places "before PATH" and "after PATH"."""

    def __init__(self, upstream: str) -> None:
        self.barrier = Barrier()
        barrier = self.barrier

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
                barrier.passing(f"before {self.path}")
                try:
                    answer = httpx2.request(
                        self.command, upstream + self.path, content=body, headers=headers, timeout=PATIENCE, trust_env=False
                    )
                except httpx2.HTTPError:
                    self.close_connection = True
                    return
                barrier.passing(f"after {self.path}")
                try:
                    self.send_response(answer.status_code)
                    for name, value in answer.headers.items():
                        if name.lower() not in HOP_BY_HOP:
                            self.send_header(name, value)
                    self.send_header("content-length", str(len(answer.content)))
                    self.end_headers()
                    self.wfile.write(answer.content)
                except OSError:
                    self.close_connection = True

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on  # noqa: N815 (http.server's names)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's name)
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """A caller that was killed in mid-sentence is what the gate is for."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class MailServer:
    """A real mail server; its barrier has the places "mail" (nothing was taken), "data" (taken, not yet said so) and "quit" (said so)."""

    def __init__(self) -> None:
        self.barrier = Barrier()
        self.mails: list[EmailMessage] = []
        port = free_port()
        self.url = f"smtp://127.0.0.1:{port}"
        self._controller = Controller(self, hostname="127.0.0.1", port=port)

    async def handle_MAIL(  # noqa: N802 (aiosmtpd's name)
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        await asyncio.to_thread(self.barrier.passing, "mail")
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        await asyncio.to_thread(self.barrier.passing, "data")
        return "250 OK"

    async def handle_QUIT(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802
        await asyncio.to_thread(self.barrier.passing, "quit")
        return "221 Bye"

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()
