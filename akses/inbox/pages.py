"""The pages and the JSON of the built-in inbox, for this machine's own browser.

Lives here: routes, what may be seen by whom, headers. Must not live here: words (`texts/`), markup (`templates/`), mails
(`store.py`). A mail is a stranger's HTML: it is shown in a sandbox of its own, without script, network or our origin.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import re
import tomllib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any, Final

import jinja2
import msgspec
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from akses.inbox.store import CaughtMail, MailStore, links_of

_HERE: Final = Path(__file__).parent
_ICONS: Final = _HERE.parents[1] / "design" / "icons"
_LANGUAGES: Final = ("id", "en")
_TEXTS: Final[dict[str, dict[str, Any]]] = {
    language: tomllib.loads((_HERE / "texts" / f"{language}.toml").read_text("utf-8")) for language in _LANGUAGES
}
_STATIC: Final = {"inbox.css": "text/css", "inbox.js": "text/javascript"}
_PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# No script, no request to anywhere, no origin; only links, in tabs of their own that are ordinary pages again.
_MAIL_POLICY: Final = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _PAGE_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
# Where one of these is there, somebody else's request was passed on by something on this machine.
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_WIB: Final = timezone(timedelta(hours=7))
# Where the mails of this product break the lines of their text.
_WRAPPED_AT: Final = 76
_SMS_BYTES: Final = 16 * 1024
_DOCTYPE: Final = re.compile(r"\s*(<!doctype[^>]*>)?", re.IGNORECASE)


def routes(store: MailStore, *, operator_name: str, sms_password: str = "") -> list[BaseRoute]:
    """`/inbox` and below. `operator_name` (OPERATOR_NAME) is named on every page.

    Short messages are taken at `/inbox/api/sms` as a gateway takes them, from whoever knows `sms_password`; "" takes none.
    """
    pages = _Pages(store, operator_name)
    gateway = [Route("/inbox/api/sms", _Sms(store, sms_password), methods=["POST"])] if sms_password else []
    own = [Middleware(_OwnMachineOnly, refusal=pages.forbidden)]
    return [
        *gateway,
        Route("/inbox", pages.list, middleware=own),
        Route("/inbox/api/messages", pages.messages, middleware=own),
        Route("/inbox/static/{name}", pages.static, middleware=own),
        Route("/inbox/{mail}", pages.mail, middleware=own),
        Route("/inbox/{mail}/html", pages.html, middleware=own),
    ]


class _SmsIn(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    to: str
    text: str


class _Sms:
    """The gateway's side of SMS_URL: JSON in, 204 when it is kept."""

    def __init__(self, store: MailStore, password: str) -> None:
        self._store = store
        self._expected = b"Basic " + base64.b64encode(f"inbox:{password}".encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._take(Request(scope, receive)))(scope, receive, send)

    async def _take(self, request: Request) -> Response:
        given = request.headers.get("authorization", "").encode("latin-1")
        if not _from_here(request) or not hmac.compare_digest(given, self._expected):
            return Response(status_code=401)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _SMS_BYTES:
                return Response(status_code=413)
        try:
            sms = msgspec.json.decode(body, type=_SmsIn)
        except msgspec.MsgspecError:
            return Response(status_code=400)
        await asyncio.to_thread(self._store.keep_sms, sms.id, sms.to, sms.text)
        return Response(status_code=204)


class _OwnMachineOnly:
    """Lets in a request that comes from this machine and asks for it by a loopback name, and adds the headers of every answer.

    The name is checked because a page of any site may have its own name resolved to 127.0.0.1 and then read answers as its own.
    """

    def __init__(self, app: ASGIApp, refusal: Callable[[Request], ASGIApp]) -> None:
        self._app = app
        self._refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                more = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [*message["headers"], *(header for header in more if header[0] not in there)]
            await send(message)

        request = Request(scope)
        app = self._app if _from_here(request) else self._refusal(request)
        await app(scope, receive, send_with_headers)


def _from_here(request: Request) -> bool:
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    host = request.url.hostname or ""
    return _is_loopback(request.client.host) and (host == "localhost" or host.endswith(".localhost") or _is_loopback(host))


def _is_loopback(address: str) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback


class _Pages:
    def __init__(self, store: MailStore, operator_name: str) -> None:
        self._store = store
        self._operator = operator_name
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader([_HERE / "templates", _ICONS]), autoescape=True, undefined=jinja2.StrictUndefined
        )

    async def list(self, request: Request) -> Response:
        mails = await self._mails()
        groups: dict[str, tuple[CaughtMail, int]] = {}
        for mail in mails:
            newest, copies = groups.get(mail.message_id or mail.id, (mail, 0))
            groups[mail.message_id or mail.id] = (newest, copies + 1)
        return self._page(request, "list.html", groups=list(groups.values()), etag=_etag(mails))

    async def mail(self, request: Request) -> Response:
        mails = await self._mails()
        mail = _find(mails, request)
        if mail is None:
            return self._unknown(request)
        copies = [other for other in mails if other.id == mail.id or (mail.message_id and other.message_id == mail.message_id)]
        return self._page(request, "mail.html", mail=mail, copies=copies, pieces=_pieces(_unwrapped(mail.text)))

    async def html(self, request: Request) -> Response:
        mail = _find(await self._mails(), request)
        if mail is None or mail.html is None:
            return self._unknown(request)
        # First of all elements, so that it is the one that counts; the parser makes the head around it.
        body = _DOCTYPE.sub(lambda doctype: f'{doctype[0]}<base target="_blank">', mail.html, count=1)
        return Response(body, media_type="text/html", headers={"Content-Security-Policy": _MAIL_POLICY})

    async def messages(self, request: Request) -> Response:
        mails = await self._mails(request.query_params.get("to", ""))
        etag = _etag(mails)
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"ETag": etag})
        listed = [
            {
                "id": mail.id,
                "kind": mail.kind,
                "from": mail.sender,
                "to": list(mail.recipients),
                "subject": mail.subject,
                "date": mail.date,
                "received_at": mail.received_at,
                "message_id": mail.message_id,
                "text": mail.text,
                "links": mail.links,
            }
            for mail in mails
        ]
        return Response(msgspec.json.encode(listed), media_type="application/json", headers={"ETag": etag})

    async def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _STATIC:
            return self._unknown(request)
        return FileResponse(_HERE / "static" / name, media_type=_STATIC[name])

    def forbidden(self, request: Request) -> Response:
        texts = _TEXTS[_language(request)]
        return self._page(
            request, "sorry.html", status=403, heading=texts["forbidden_title"], words=texts["forbidden"], back=False
        )

    def _unknown(self, request: Request) -> Response:
        texts = _TEXTS[_language(request)]
        words = texts["unknown"].format(kept=self._store.kept)
        return self._page(request, "sorry.html", status=404, heading=texts["unknown_title"], words=words, back=True)

    async def _mails(self, recipient: str = "") -> tuple[CaughtMail, ...]:
        return await asyncio.to_thread(self._store.mails, recipient)

    def _page(self, request: Request, template: str, *, status: int = 200, **values: object) -> Response:
        language = _language(request)
        environment = self._templates.overlay()
        environment.filters = environment.filters | {"moment": partial(_moment, _TEXTS[language])}
        html = environment.get_template(template).render(
            texts=_TEXTS[language],
            language=language,
            operator=self._operator,
            query="" if language == _LANGUAGES[0] else f"?lang={language}",
            **values,
        )
        return Response(html, status_code=status, media_type="text/html")


def _language(request: Request) -> str:
    asked = request.query_params.get("lang", "")
    return asked if asked in _LANGUAGES else _LANGUAGES[0]


def _find(mails: Sequence[CaughtMail], request: Request) -> CaughtMail | None:
    return next((mail for mail in mails if mail.id == request.path_params["mail"]), None)


def _etag(mails: Sequence[CaughtMail]) -> str:
    return f'"{hashlib.sha256(" ".join(mail.id for mail in mails).encode()).hexdigest()[:20]}"'


def _moment(texts: dict[str, Any], moment: datetime) -> str:
    """In Western Indonesian Time, as the mails themselves tell the time."""
    local = moment.astimezone(_WIB)
    return str(texts["moment"]).format(
        day=local.day, month=texts["months"][local.month - 1], year=local.year, hour=f"{local:%H}", minute=f"{local:%M}"
    )


def _unwrapped(text: str) -> str:
    """The text without the line ends that only its width caused, so that a narrow screen can break it anew.

    Such a line could not have taken the next word. A link is never broken, so a line before or after it ended where it should.
    """
    shown: list[str] = []
    before = ""
    for line in text.splitlines():
        word = line.partition(" ")[0]
        wrapped = (
            before and word and len(before) + 1 + len(word) > _WRAPPED_AT >= len(before) and not links_of(before + " " + word)
        )
        if wrapped:
            shown[-1] += f" {line}"
        else:
            shown.append(line)
        before = line
    return "\n".join(shown)


def _pieces(text: str) -> list[tuple[str, bool]]:
    """The text cut into (words, is it a link)."""
    pieces: list[tuple[str, bool]] = []
    at = 0
    for link in links_of(text):
        start = text.index(link, at)
        pieces += [(text[at:start], False), (link, True)]
        at = start + len(link)
    return [*pieces, (text[at:], False)]
