"""A backend over HTTP: `port.Backend` spoken as `/api/v1`, with time-outs, bounded retries and typed errors.

Lives here: requests, retries, and how an answer becomes a value or an error. Must not live here: what is asked and when
(`bot/`), the shapes (`models.py`), the incoming status webhooks (`events.py`). Personal data is in the bodies of requests only:
never in a URL, a log line or the text of an exception.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Final, NoReturn, Self, TypeVar
from urllib.parse import urlencode

import httpx2
import msgspec
import stamina

from backend_client.errors import (
    BackendUnreachable,
    KeyReused,
    LimitReached,
    RegistrationClosed,
    RegistrationUnknown,
    RequestRefused,
)
from backend_client.models import (
    EmailChange,
    FieldName,
    NewRegistration,
    Notice,
    NoticeKind,
    Page,
    Problem,
    Registration,
    RegistrationState,
    Reveal,
    Revealed,
)

MAX_ANSWER_BYTES: Final = 64 * 1024
_DEFAULT_WAIT_SECONDS: Final = 60  # a 429 that does not say how long: the contract's shortest cooldown
_KEEP_ALIVE_SECONDS: Final = 4  # under the 5 s after which uvicorn closes an idle connection in the middle of our next request
_REGISTRATION_ID: Final = re.compile(r"[A-Za-z0-9]{1,64}")
_CODE: Final = re.compile(r"[a-z][a-z0-9_.]{0,63}")
_REQUEST_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")

# Their lines quote what comes over the wire (a status line, a reason), and a broken backend may put there what it was sent.
for _library in ("httpx2", "httpcore2"):
    logging.getLogger(_library).setLevel(logging.WARNING)

_Answer = TypeVar("_Answer")
_decode_page: Final = msgspec.json.Decoder(Page).decode
_decode_registration: Final = msgspec.json.Decoder(Registration).decode
_decode_revealed: Final = msgspec.json.Decoder(Revealed).decode
_decode_problem: Final = msgspec.json.Decoder(Problem).decode


class _NotWell(Exception):
    """An attempt failed in a way that another may mend; `wait` is the seconds the backend asked for, None if it did not."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class BackendClient:
    """One per process: it keeps connections alive. Use it with `async with`, or call `close`.

    `base_url` is the backend's root (BACKEND_URL); `/api/v1` is added here. `api_key` goes out as a bearer token. One call
    takes at most `total_seconds`, its retries and waits included, and at most `attempts` attempts of `connect_seconds` +
    `read_seconds` each; the defaults are small because a durable outbox stands behind every caller. `request_id`, when given,
    names the request in hand (X-Request-ID), so that both sides' logs can be read together; `trace`, when given, tells the headers that
    carry the trace in hand along (W3C Trace Context).

    Every request may be sent twice: GET, DELETE and a field in the clear by nature, the others because of their Idempotency-Key. Only
    BackendUnreachable is ever retried. Proxies and credentials of the environment are ignored: the API key goes to `base_url`
    and nowhere else.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        connect_seconds: float = 2.0,
        read_seconds: float = 5.0,
        total_seconds: float = 12.0,
        attempts: int = 3,
        first_wait_seconds: float = 0.1,
        request_id: Callable[[], str | None] | None = None,
        trace: Callable[[], Mapping[str, str]] | None = None,
    ) -> None:
        self._total_seconds = total_seconds
        self._attempts = attempts
        self._first_wait_seconds = first_wait_seconds
        self._request_id = request_id
        self._trace = trace
        self._http = httpx2.AsyncClient(
            base_url=f"{base_url.rstrip('/')}/api/v1/",
            headers={"Authorization": f"Bearer {api_key}", "Accept": "application/json, application/problem+json"},
            timeout=httpx2.Timeout(read_seconds, connect=connect_seconds, pool=connect_seconds),
            limits=httpx2.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=_KEEP_ALIVE_SECONDS),
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the kept connections. Calling it twice is no error."""
        await self._http.aclose()

    async def create(self, registration: NewRegistration, *, key: str) -> Registration:
        return await self._call(_registration, "POST", "registrations", body=msgspec.json.encode(registration), key=key)

    async def status(self, registration: str) -> Registration:
        return await self._call(_registration, "GET", _path(registration))

    async def registrations(
        self,
        *,
        status: RegistrationState | None = None,
        channel: str | None = None,
        after: str | None = None,
        limit: int = 20,
    ) -> Page:
        asked = {"status": status, "channel": channel, "after": after, "limit": limit}
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        return await self._call(_page, "GET", f"registrations?{query}")

    async def resend(self, registration: str, *, key: str) -> Registration:
        return await self._call(_registration, "POST", f"{_path(registration)}/resend", key=key)

    async def change_email(self, registration: str, email: str, *, key: str) -> Registration:
        body = msgspec.json.encode(EmailChange(email))
        return await self._call(_registration, "PUT", f"{_path(registration)}/email", body=body, key=key)

    async def notify(self, registration: str, kind: NoticeKind, *, key: str) -> Registration:
        body = msgspec.json.encode(Notice(kind))
        return await self._call(_registration, "POST", f"{_path(registration)}/notices", body=body, key=key)

    async def reveal(self, registration: str, field: FieldName, *, reason: str, actor: str) -> str:
        body = msgspec.json.encode(Reveal(field, reason, actor))
        return await self._call(_value, "POST", f"{_path(registration)}/reveal", body=body)

    async def withdraw(self, registration: str) -> None:
        await self._call(_nothing, "DELETE", _path(registration))

    async def _call(
        self, read: Callable[[bytes], _Answer], method: str, path: str, *, body: bytes | None = None, key: str | None = None
    ) -> _Answer:
        headers = dict(self._trace()) if self._trace is not None else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        if self._request_id is not None and (request_id := self._request_id()) and _REQUEST_ID.fullmatch(request_id):
            headers["X-Request-ID"] = request_id

        deadline = asyncio.get_running_loop().time() + self._total_seconds

        def again(failure: Exception) -> bool | float:
            if not isinstance(failure, _NotWell):
                return False
            if failure.wait is None:
                return True
            # Waiting longer than we may last is a failure already; the outbox behind us waits better.
            return failure.wait if asyncio.get_running_loop().time() + failure.wait < deadline else False

        # Errors are raised outside the except blocks, so that no library's exception, which holds the request, hangs on ours.
        try:
            async with asyncio.timeout_at(deadline):
                async for attempt in stamina.retry_context(
                    on=again,
                    attempts=self._attempts,
                    timeout=self._total_seconds,
                    wait_initial=self._first_wait_seconds,
                    wait_jitter=self._first_wait_seconds,
                    wait_max=1.0,
                ):
                    with attempt:
                        return read(await self._attempt(method, path, body, headers))
        except TimeoutError:
            reason = f"no whole answer within {self._total_seconds:g} s"
        except _NotWell as failure:
            reason = str(failure)
        raise BackendUnreachable(reason)

    async def _attempt(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> bytes:
        answer = b""
        try:
            async with self._http.stream(method, path, content=body, headers=headers) as response:
                async for chunk in response.aiter_bytes():
                    answer += chunk
                    if len(answer) > MAX_ANSWER_BYTES:
                        break
        except (httpx2.HTTPError, httpx2.StreamError) as failure:
            reason = type(failure).__name__
        else:
            if len(answer) > MAX_ANSWER_BYTES:
                raise _NotWell(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
            if response.is_success:
                return answer
            _refuse(response.status_code, response.headers.get("Retry-After"), answer)
        raise _NotWell(reason)


def _path(registration: str) -> str:
    """Where the registration lives; an id that no backend can have given is unknown without asking."""
    if not _REGISTRATION_ID.fullmatch(registration):
        raise RegistrationUnknown("not_found")
    return f"registrations/{registration}"


def _page(answer: bytes) -> Page:
    try:
        return _decode_page(answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    raise _NotWell("the answer is not what the contract says")


def _registration(answer: bytes) -> Registration:
    try:
        return _decode_registration(answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    raise _NotWell("the answer is not what the contract says")


def _value(answer: bytes) -> str:
    try:
        return _decode_revealed(answer).value
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    raise _NotWell("the answer is not what the contract says")


def _nothing(answer: bytes) -> None:
    """An answer whose body says nothing that is not in its status."""


def _refuse(status: int, retry_after: str | None, answer: bytes) -> NoReturn:
    """Make an error of an answer that is not a success.

    A 4xx without a problem body did not come from the backend but from something between (a proxy, another program on the
    port), so it says nothing about the registration: the request may be sent again.
    """
    if status >= 500:
        raise _NotWell(f"status {status}", _seconds(retry_after) if status == 503 else None)
    try:
        problem = _decode_problem(answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        problem = None
    if status == 429:
        wait = max(1, math.ceil(_seconds(retry_after) or _DEFAULT_WAIT_SECONDS))
        raise LimitReached(wait, limit=problem.limit if problem else None)
    if problem is None or status < 400 or status in {408, 425}:
        raise _NotWell(f"status {status}")
    # `title`, `detail` and whatever else a backend writes may quote what was sent; the stable code may not.
    code = problem.code if _CODE.fullmatch(problem.code) else f"status_{status}"
    match status, code:
        case 404, _:
            raise RegistrationUnknown(code)
        case 409, "closed":
            raise RegistrationClosed(code)
        case 409, "key_reused":
            raise KeyReused(code)
        case _:
            raise RequestRefused(code)


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After in seconds, from a number or an HTTP date; None when there is none or it cannot be read."""
    if retry_after is None:
        return None
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", retry_after):
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
