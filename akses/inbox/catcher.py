"""A real SMTP server on this machine's loopback that keeps every mail and forwards none.

Lives here: SMTP. Must not live here: where mails are kept (`store.py`) and how they are shown (`pages.py`).
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from akses.inbox.store import MailStore

MAX_MAIL_BYTES: Final = 5 * 1024 * 1024
_IDLE_SECONDS: Final = 60.0

_log = structlog.get_logger(__name__)
# Its lines name senders and recipients.
logging.getLogger("mail.log").setLevel(logging.WARNING)


class _Handler:
    def __init__(self, store: MailStore) -> None:
        self._store = store

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's name)
        content = envelope.content
        if not isinstance(content, bytes):
            return "554 5.6.0 No content"
        try:
            await asyncio.to_thread(self._store.keep, content, tuple(envelope.rcpt_tos))
        except OSError as failure:
            _log.warning("inbox.mail_not_kept", error=type(failure).__name__)
            return "451 4.3.0 The mail could not be stored; try again later"
        return "250 2.0.0 Kept in the inbox of this machine"


@asynccontextmanager
async def open_catcher(store: MailStore, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
    """Take mail in the running event loop; yields the port (a free one for 0). What was answered with 250 is on disk.

    Raises ValueError for a `host` that is not a loopback address, OSError when the port is taken.
    """
    if not ipaddress.ip_address(host).is_loopback:
        raise ValueError("the built-in inbox takes mail from this machine only")
    loop = asyncio.get_running_loop()

    def session() -> SMTP:
        return SMTP(
            _Handler(store),
            data_size_limit=MAX_MAIL_BYTES,
            enable_SMTPUTF8=True,
            hostname="localhost",  # the default asks the resolver, which may take seconds
            ident="AKSes built-in inbox",
            timeout=_IDLE_SECONDS,
            loop=loop,
        )

    server = await loop.create_server(session, host, port)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
