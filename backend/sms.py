"""Short messages: the port, and a gateway that takes them over HTTP.

Lives here: one message handed over, and what the gateway's answer means. Must not live here: what a message says or when it is due
(`phone_checks.py`). A gateway that speaks otherwise gets a small adapter in front of it, or another class with this one method.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

import httpx2

# They may answer otherwise in a moment: the request came too slowly, too early, or too often.
_PASSING: Final = frozenset({408, 425, 429})


class SmsUrlInvalid(ValueError):
    """SMS_URL is not https://[user:password@]host/path."""


class SmsRefused(Exception):
    """The gateway will never take this message; `code` is its HTTP status."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


class SmsNotNow(Exception):
    """The gateway cannot be reached or asks to come again; `why` is a status or the kind of failure."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class SmsGateway(Protocol):
    async def send(self, *, message: str, to: str, text: str) -> None:
        """Return when the gateway has taken it. `message` is the same in every attempt, `to` is E.164. Raises SmsRefused, SmsNotNow."""
        ...


@dataclass(frozen=True, slots=True)
class HttpSms:
    """POSTs `{"id", "to", "text"}` as JSON; any 2xx means taken. The URL's user and password become HTTP Basic authentication."""

    url: str
    auth: tuple[str, str] | None
    client: httpx2.AsyncClient
    timeout: float

    @classmethod
    def parse(cls, url: str, client: httpx2.AsyncClient, timeout: float) -> HttpSms:
        """Raises SmsUrlInvalid, without the URL in its text: it may hold a password."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise SmsUrlInvalid("SMS_URL is not an address") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SmsUrlInvalid("SMS_URL is not https://[user:password@]host/path")
        auth = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        bare = parts._replace(netloc=f"{host}:{port}" if port else host).geturl()
        return cls(bare, auth, client, timeout)

    async def send(self, *, message: str, to: str, text: str) -> None:
        """As SmsGateway says; the message's id is the Idempotency-Key too."""
        try:
            answer = await self.client.post(
                self.url,
                json={"id": message, "to": to, "text": text},
                headers={"Idempotency-Key": message},
                auth=self.auth or httpx2.USE_CLIENT_DEFAULT,
                timeout=self.timeout,
            )
        except (httpx2.HTTPError, OSError) as error:
            raise SmsNotNow(type(error).__name__) from None
        if answer.is_success:
            return
        if 400 <= answer.status_code < 500 and answer.status_code not in _PASSING:
            raise SmsRefused(answer.status_code)
        raise SmsNotNow(str(answer.status_code))
