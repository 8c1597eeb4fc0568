"""Handing one message to the mail server, and what its answer means.

Lives here: the SMTP URL, the connection, the split between "try again" and "never". Must not live here: what a mail says (`render.py`)
or which mail is due (`sending.py`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import aiosmtplib

_PORTS: Final = {"smtp": 25, "smtps": 465}
# The server speaks of this message or this recipient; anything else it says is about us or itself and may pass.
_ABOUT_THE_MAIL: Final = (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError, aiosmtplib.SMTPRecipientRefused)


class SmtpUrlInvalid(ValueError):
    """SMTP_URL is not smtp://[user:password@]host[:port] or smtps://..."""


class Refused(Exception):
    """The server will never take this mail; `code` is what it said."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


class NotNow(Exception):
    """The server cannot be reached or asks to come again; `why` is a code or the kind of failure."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Smtp:
    """One mail server. A connection a mail: mails are rare and a kept connection would have to be watched."""

    host: str
    port: int
    username: str | None
    password: str | None
    tls: bool
    timeout: float

    @classmethod
    def parse(cls, url: str, timeout: float) -> Smtp:
        """Raises SmtpUrlInvalid, without the URL in its text: it may hold a password."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            raise SmtpUrlInvalid("the port of SMTP_URL is no number") from None
        if parts.scheme not in _PORTS or not parts.hostname:
            raise SmtpUrlInvalid("SMTP_URL is not smtp://[user:password@]host[:port] or smtps://...")
        return cls(
            host=parts.hostname,
            port=port or _PORTS[parts.scheme],
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            tls=parts.scheme == "smtps",
            timeout=timeout,
        )

    async def send(self, message: EmailMessage) -> None:
        """Return when the server has taken the message. Raises Refused, NotNow."""
        async with self._answered():
            await aiosmtplib.send(message, **self._how)

    async def greet(self) -> None:
        """Come as far as before a message, and leave. Raises Refused, NotNow.

        For a mail that is not to be sent: it takes as long, and waits for a server that is away, like any other.
        """
        async with self._answered(), aiosmtplib.SMTP(**self._how):
            pass

    @property
    def _how(self) -> dict[str, Any]:
        # A password never travels in the clear; without one TLS is used where the server offers it.
        start_tls = None if self.tls or self.password is None else True
        return {
            "hostname": self.host,
            "port": self.port,
            "username": self.username,
            "password": self.password,
            "use_tls": self.tls,
            "start_tls": False if self.tls else start_tls,
            "timeout": self.timeout,
        }

    @asynccontextmanager
    async def _answered(self) -> AsyncIterator[None]:
        """What the server says, as what it means."""
        try:
            yield
        except aiosmtplib.SMTPRecipientsRefused as error:
            code = max(refusal.code for refusal in error.recipients)
            raise (Refused(code) if code >= 500 else NotNow(str(code))) from None
        except _ABOUT_THE_MAIL as error:
            raise (Refused(error.code) if error.code >= 500 else NotNow(str(error.code))) from None
        except aiosmtplib.SMTPResponseException as error:
            raise NotNow(str(error.code)) from None
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise NotNow(type(error).__name__) from None
