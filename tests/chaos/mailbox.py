"""The mail server that takes everything, and the mailbox of everybody.

Lives here: a real SMTP server in the test's own loop. Must not live here: what is in the mails.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Self

from aiosmtpd.smtp import SMTP, Envelope, Session


class Mailbox:
    def __init__(self) -> None:
        self.mails: defaultdict[str, list[EmailMessage]] = defaultdict(list)
        self._came: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._server: asyncio.Server | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.get_running_loop().create_server(
            lambda: SMTP(self, enable_SMTPUTF8=True, hostname="mail.test"), "127.0.0.1", 0, backlog=512
        )
        self.url = f"smtp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's name)
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        for recipient in envelope.rcpt_tos:
            self.mails[recipient].append(mail)
            self._came[recipient].set()
        return "250 OK"

    async def mail(self, recipient: str) -> EmailMessage:
        """The first mail to this address; waits for it."""
        await self._came[recipient].wait()
        return self.mails[recipient][0]
