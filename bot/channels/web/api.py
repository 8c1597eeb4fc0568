"""The chat's HTTP API: open a session, send, and read on, by stream or by asking.

Lives here: reading requests, refusing bad ones, making events of them, writing out the transcript. Must not live here: what an event
leads to (`Turns`), the page and its files (`pages.py`).

    POST /chat/api/session    {"client"?, "language"?, "payload"?, "framed"?,   200 {"resumed"}     the cookie is the session
                               "time_zone"?, "id"?}                                                IANA name, for decent hours; `id`: of
                                                                                                   one opening of a link (payload)
    POST /chat/api/messages   {"kind": "text", "id", "text"}                    202 {"items"}       `id`: chosen by the client; the
                              {"kind": "press", "id", "token", "action",                            same id is carried out once;
                               "message"?, "label"?}                                              `message`: id of the item pressed
                              {"kind": "command", "id", "command", "argument"?} each may carry "since", the cursor known
                              {"kind": "start", "id"}
    GET  /chat/api/events     ?since= or Last-Event-ID                          text/event-stream   one item an event, id = cursor
    GET  /chat/api/items      ?since=&wait=                                     200 {"items"}       waits up to so many seconds

Errors are {"error": {"code", "message"}} in the language of ?lang= or the session's request, with Retry-After where waiting helps.
A request that changes something must be JSON and come from our own origin (Sec-Fetch-Site, Origin); a client that is no browser
sends neither.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Final, TypeVar
from urllib.parse import urlsplit

import msgspec
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from bot.channels.web import items
from bot.channels.web.channel import user_key
from bot.channels.web.config import WebConfig
from bot.channels.web.sessions import Client, Sessions, Tags
from bot.channels.web.throttle import Throttle, site
from bot.channels.web.transcript import Clock, Entry, Transcript, TranscriptUnavailable, utc_now
from bot.channels.web.words import error_text, language_of
from bot.conversation import Conversation
from bot.turns import StoreUnavailable, Turns
from dialogs.clock import NAMES as ZONE_NAMES
from dialogs.commands import WORDS as COMMAND_WORDS
from dialogs.commands import named
from dialogs.events import ButtonPressed, CommandSent, Event, Started, TextSent
from dialogs.moves import is_link
from dialogs.secret import looks_like_password
from dialogs.texts import Language

_log: Final = structlog.get_logger(__name__)

MOST_CHARACTERS: Final = 4096
_MOST_BYTES: Final = 64 * 1024
_PAGE: Final = 200
_HEARTBEAT_SECONDS: Final = 15.0
_MOST_WAIT_SECONDS: Final = 25.0
_RETRY_SECONDS: Final = 2
_MOST_SAFE_INTEGER: Final = 2**53
# What a link may bring along (?start=). Whatever else somebody has written into one, who follows it is greeted.
_PAYLOAD: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

Id = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{1,64}\Z")]
Cursor = Annotated[int, msgspec.Meta(ge=0, lt=_MOST_SAFE_INTEGER)]


class OpenSession(msgspec.Struct, frozen=True):
    id: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{0,64}\Z")] = ""
    client: Client = "web"
    language: Language | None = None
    payload: str = ""
    framed: bool = False
    time_zone: Annotated[str, msgspec.Meta(max_length=64)] = ""


class _Sent(msgspec.Struct, frozen=True, tag_field="kind"):
    id: Id
    since: Cursor = 0


class Text(_Sent, frozen=True, tag="text", kw_only=True):
    text: str


class Press(_Sent, frozen=True, tag="press", kw_only=True):
    token: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9]{1,16}\Z")]
    action: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    message: Annotated[str, msgspec.Meta(max_length=128)] = ""
    label: Annotated[str, msgspec.Meta(max_length=128)] = ""


class Command(_Sent, frozen=True, tag="command", kw_only=True):
    command: Annotated[str, msgspec.Meta(pattern=r"\A[a-z_]{1,32}\Z")]
    argument: Annotated[str, msgspec.Meta(max_length=64)] = ""


class Start(_Sent, frozen=True, tag="start"):
    pass


Message = Text | Press | Command | Start
T = TypeVar("T")
_read_message: Final = msgspec.json.Decoder(Message).decode
_read_session: Final = msgspec.json.Decoder(OpenSession).decode
Endpoint = Callable[[Request], Awaitable[Response]]


class Refusal(Exception):
    """The request is answered with this error."""

    def __init__(self, status: int, code: str, *, retry_after: int = 0, **facts: str | int) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.facts = facts


def _json(status: int, body: bytes) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}
    return Response(body, status, headers, "application/json")


def _refused(refusal: Refusal, language: Language) -> Response:
    message = error_text(language, refusal.code, **refusal.facts)
    response = _json(refusal.status, msgspec.json.encode({"error": {"code": refusal.code, "message": message}}))
    if refusal.retry_after:
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


def _page(entries: list[Entry]) -> bytes:
    return b'{"items":[%s]}' % b",".join(map(items.wire, entries))


def _event(message: Message) -> Event:
    match message:
        case Press(token=token, action=action, message=carrier):
            return ButtonPressed(token, action, carrier)
        case Command(command=command, argument=argument):
            return CommandSent(command, argument)
        case Start():
            return Started()
        case Text(text=text, id=id_):
            word, _, argument = text.strip().removeprefix("/").partition(" ")
            if text.strip().startswith("/") and word.casefold() in COMMAND_WORDS:
                return CommandSent(word.casefold(), argument.strip())
            return TextSent(text, id_)


def _from_our_own_page(request: Request) -> bool:
    """Browsers tell where a request comes from; one that says nothing is no browser and has no cookie but its own."""
    if (fetched := request.headers.get("sec-fetch-site")) is not None:
        return fetched in ("same-origin", "none")
    if (origin := request.headers.get("origin")) is None:
        return True
    return urlsplit(origin).netloc == request.headers.get("host", "")


class WebApi:
    """Serves the conversations of the channels "web" and "terminal" out of one transcript."""

    def __init__(self, transcript: Transcript, turns: Turns, tags: Tags, config: WebConfig, clock: Clock = utc_now) -> None:
        self._transcript = transcript
        self._turns = turns
        self._config = config
        self._clock = clock
        self._sessions = Sessions(tags, https=config.https)
        self._throttle = Throttle()
        self._streams: Counter[Conversation] = Counter()
        self._closing = asyncio.Event()

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/chat/api/session", self._answering(self._open), methods=["POST"]),
            Route("/chat/api/messages", self._answering(self._take), methods=["POST"]),
            Route("/chat/api/events", self._answering(self._events), methods=["GET"]),
            Route("/chat/api/items", self._answering(self._items), methods=["GET"]),
        ]

    def close(self) -> None:
        """End all streams, so that a server that waits for its connections can stop; the browsers connect again by themselves."""
        self._closing.set()

    # --- what all requests have in common

    def _answering(self, endpoint: Endpoint) -> Endpoint:
        async def answer(request: Request) -> Response:
            try:
                return await endpoint(request)
            except Refusal as refusal:
                return _refused(refusal, self._language(request))
            except (StoreUnavailable, TranscriptUnavailable) as fault:
                _log.warning("web.unavailable", path=request.url.path, fault=type(fault).__name__)
                return _refused(Refusal(503, "unavailable", retry_after=_RETRY_SECONDS), self._language(request))

        return answer

    @staticmethod
    def _language(request: Request) -> Language:
        return language_of(request.query_params.get("lang"))

    def _session(self, request: Request) -> Conversation:
        conversation = self._sessions.conversation(request.cookies)
        if conversation is None:
            raise Refusal(401, "no_session")
        return conversation

    async def _body(self, request: Request, read: Callable[[bytes], T]) -> T:
        if not _from_our_own_page(request):
            raise Refusal(403, "foreign_origin")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refusal(415, "not_json")
        body = b""
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise Refusal(413, "too_large", most=MOST_CHARACTERS)
        except ClientDisconnect:
            raise Refusal(400, "invalid") from None
        try:
            return read(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Refusal(422, "invalid") from None

    async def _slow_down(self, rate: str, *who: str) -> None:
        if seconds := await self._throttle.wait(rate, *who):
            raise Refusal(429, "slow_down", retry_after=seconds, seconds=seconds)

    @staticmethod
    def _site(request: Request) -> str:
        return site(request.client.host if request.client else "")

    # --- opening and sending

    async def _open(self, request: Request) -> Response:
        wanted = await self._body(request, _read_session)
        known = self._sessions.conversation(request.cookies)
        if known is not None and known.channel == wanted.client:
            token = request.cookies[self._sessions.cookie]
        else:
            await self._slow_down(self._config.address_sessions, "sessions", self._site(request))
            token = self._sessions.mint(wanted.client)
            known = None
        conversation = known or self._sessions.conversation({self._sessions.cookie: token})
        assert conversation is not None
        # Also greeted when a known session has nothing (any more) to show: a chat is never an empty page. A link that takes a form along
        # is opened in a known session too: once for each time that somebody opens it, however often that is tried.
        payload = wanted.payload if _PAYLOAD.fullmatch(wanted.payload) else ""
        link = is_link(payload)
        if link or known is None or not await self._transcript.since(conversation, 0, 1):
            started = Started(payload, ZONE_NAMES.get(wanted.time_zone, ""))
            id_ = f"start-{wanted.id or payload}" if link else secrets.token_urlsafe(16)
            await self._carry_out(conversation, started, id_, wanted.language)
        response = _json(200, msgspec.json.encode({"resumed": known is not None}))
        framed = wanted.framed and bool(self._config.frame_ancestors)
        response.headers["Set-Cookie"] = self._sessions.set_cookie(token, foreign_frame=framed)
        return response

    async def _take(self, request: Request) -> Response:
        conversation = self._session(request)
        message = await self._body(request, _read_message)
        if isinstance(message, Text):
            if not message.text.strip():
                raise Refusal(422, "empty")
            if len(message.text) > MOST_CHARACTERS:
                raise Refusal(422, "too_long", length=len(message.text), most=MOST_CHARACTERS)
        await self._slow_down(self._config.address_messages, "messages", self._site(request))
        await self._slow_down(self._config.session_messages, str(conversation))
        await self._show_own(conversation, message)
        await self._carry_out(conversation, _event(message), message.id, None)
        return _json(202, _page(await self._transcript.since(conversation, message.since, _PAGE)))

    async def _show_own(self, conversation: Conversation, message: Message) -> None:
        """Before the turn, so that a reload shows what was sent however the turn ends; a password is written down nowhere."""
        match message:
            case Text(id=id_, text=text):
                own = items.answered(
                    id_, text, self._clock(), typed=named(text) is None and isinstance(_event(message), TextSent)
                )
                if looks_like_password(text):
                    own = items.masked(own)
            case Press(id=id_, label=label) if label:
                own = items.answered(id_, label, self._clock(), typed=False)
            case _:
                return
        await self._transcript.append(conversation, user_key(id_), own)

    async def _carry_out(self, conversation: Conversation, event: Event, id_: str, language: Language | None) -> None:
        taken = await self._turns.take(conversation, event, f"{conversation.channel}:{id_}", language=language)
        if taken.left:
            await self._turns.deliver(conversation)

    # --- reading on

    @staticmethod
    def _cursor(request: Request) -> int:
        """Where the client stands; a stream that reconnects says it in Last-Event-ID, which is newer than its address."""
        written = request.headers.get("last-event-id") or request.query_params.get("since") or "0"
        if not (written.isascii() and written.isdecimal()) or int(written) >= _MOST_SAFE_INTEGER:
            raise Refusal(422, "invalid")
        return int(written)

    async def _items(self, request: Request) -> Response:
        conversation, cursor = self._session(request), self._cursor(request)
        written = request.query_params.get("wait", "0")
        if not (written.isascii() and written.isdecimal()) or len(written) > 3:
            raise Refusal(422, "invalid")
        if seconds := min(float(written), _MOST_WAIT_SECONDS):
            self._free_slot(conversation)
            with self._slot(conversation):
                await self._wait(conversation, cursor, seconds)
        return _json(200, _page(await self._transcript.since(conversation, cursor, _PAGE)))

    async def _events(self, request: Request) -> Response:
        conversation, cursor = self._session(request), self._cursor(request)
        await self._transcript.since(conversation, cursor, 1)  # a transcript that is down is a 503, not a broken stream
        self._free_slot(conversation)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}
        return StreamingResponse(self._stream(conversation, cursor), headers=headers, media_type="text/event-stream")

    def _free_slot(self, conversation: Conversation) -> None:
        if self._streams[conversation] >= self._config.session_streams:
            raise Refusal(429, "slow_down", retry_after=_RETRY_SECONDS, seconds=_RETRY_SECONDS)

    @contextmanager
    def _slot(self, conversation: Conversation) -> Iterator[None]:
        self._streams[conversation] += 1
        try:
            yield
        finally:
            self._streams[conversation] -= 1
            self._streams += Counter()  # drops what has come to zero

    async def _stream(self, conversation: Conversation, cursor: int) -> AsyncIterator[bytes]:
        """What was missed, then `ready`, then what comes; a comment as heartbeat keeps proxies from closing."""
        with self._slot(conversation):
            yield b"retry: 1000\n\n"
            ready = False
            while not self._closing.is_set():
                try:
                    entries = await self._transcript.since(conversation, cursor, _PAGE)
                    for entry in entries:
                        cursor = entry.cursor
                        yield b"id: %d\ndata: %s\n\n" % (cursor, items.wire(entry))
                    if len(entries) == _PAGE:
                        continue
                    yield b": \n\n" if ready else b"event: ready\ndata: {}\n\n"
                    ready = True
                    await self._wait(conversation, cursor, _HEARTBEAT_SECONDS)
                except TranscriptUnavailable as fault:
                    _log.warning("web.stream_broken", fault=str(fault))
                    return

    async def _wait(self, conversation: Conversation, cursor: int, seconds: float) -> None:
        """Until there is more, the time is over, or the server stops."""
        waits = {
            asyncio.ensure_future(self._transcript.wait(conversation, cursor, seconds)),
            asyncio.ensure_future(self._closing.wait()),
        }
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in done:
                wait.result()
        finally:
            for wait in waits:
                wait.cancel()
