"""A strict Meta for tests: the Graph API of one WhatsApp number over real HTTP on loopback, its webhooks, and the people on its other side.

    async with FakeMeta() as meta:                # meta.base_url is WHATSAPP_API_BASE, meta.settings all of them
        meta.webhook = "http://127.0.0.1:8080/whatsapp/webhook"
        budi = meta.person("Budi")
        budi.says("Halo")
        await budi.sees("Selamat datang")
        budi.presses("Setuju")

As the real one: a webhook is signed over its raw bytes, which escape all that is not ASCII, and brings several things at a time; one that
is not answered by 200 comes again, later than what was sent meanwhile; what becomes of a message is told in any order. It refuses whatever
`whatsapp_rules.py` knows to be wrong, whom it has not heard of for 24 hours, and who writes to one person too fast. Pauses before things
come again are shortened, nothing else is.

Lives here: the server, its people, scripted faults. The rules are in `whatsapp_rules.py`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import itertools
import json
import random
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.fakes import whatsapp_rules as rules
from tests.fakes.whatsapp_rules import Refusal, invalid

PATIENCE = 60.0  # seconds before an awaited message is a failed test
BURST = 45
PAIR_SECONDS = 6.0
_MEDIA = ("image", "audio", "video", "sticker", "location", "document", "order", "unsupported")


@dataclass
class Bubble:
    """A message as it stands in the chat."""

    id: str
    author: str  # "bot" or "person"
    text: str
    body: dict[str, Any] = field(default_factory=dict)
    answers: str = ""  # the message that it replies to

    @property
    def choices(self) -> list[dict[str, Any]]:
        """The buttons or rows that can be pressed: id, title, and a description where there is one."""
        action = self.body.get("interactive", {}).get("action", {})
        return [each["reply"] for each in action.get("buttons", [])] or [
            row for each in action.get("sections", []) for row in each["rows"]
        ]

    @property
    def labels(self) -> list[str]:
        return [each["title"] for each in self.choices]

    @property
    def link(self) -> str:
        return str(self.body.get("interactive", {}).get("action", {}).get("parameters", {}).get("url", ""))


class Person:
    """Somebody with WhatsApp. Each verb puts one message on its way to the bot, without waiting for the answer; the wamid comes back.

    `user` is their BSUID and `number` their phone number; with `hides_number` or `hides_user` Meta does not tell it.
    """

    def __init__(self, meta: FakeMeta, name: str, number: str, user: str) -> None:
        self.name, self.number, self.user = name, number, user
        self.hides_number = self.hides_user = False
        self.bubbles: list[Bubble] = []
        self.window_open = False
        self.unreachable = 0  # the code by which messages to them fail
        self.typing: list[str] = []  # the messages that the typing sign hung on
        self.read: list[str] = []
        self.fast_since = float("-inf")  # when the pair's bucket is as good as new
        self._meta = meta
        self._acted = 0
        self._changed = asyncio.Condition()

    # --- what the person does

    def says(self, text: str, *, answers: str = "") -> str:
        return self._sends(text, {"type": "text", "text": {"body": text}}, answers)

    def presses(self, label: str, *, bubble: Bubble | None = None) -> str:
        """The newest button or row of this label, or an older bubble's."""
        for each in [bubble] if bubble else reversed(self.answers):
            for choice in each.choices:
                if label in (choice["title"], choice.get("description")):
                    return self.chooses(each, choice)
        raise AssertionError(f"there is no button {label!r}; the chat:\n{self.transcript()}")

    def chooses(self, bubble: Bubble, choice: dict[str, Any]) -> str:
        kind = "list_reply" if "sections" in bubble.body["interactive"]["action"] else "button_reply"
        return self._sends(choice["title"], {"type": "interactive", "interactive": {"type": kind, kind: choice}}, bubble.id)

    def shares_contact(self, number: str = "", *, origin: str = "other") -> str:
        number = number or self.number
        phones = [{"phone": f"+{number[:2]} {number[2:5]}-{number[5:]}", "wa_id": number, "type": "CELL"}]
        card = {"name": {"formatted_name": self.name}, "phones": phones, "origin": origin}
        return self._sends("(contact)", {"type": "contacts", "contacts": [card]})

    def sends(self, kind: str) -> str:
        assert kind in _MEDIA
        more = {"errors": [{"code": 131051, "title": "Unsupported"}]} if kind == "unsupported" else {}
        return self._sends(f"({kind})", {"type": kind, kind: {"id": "1234"}, **more})

    def reacts(self, message: str) -> str:
        return self._emits({"type": "reaction", "reaction": {"message_id": message, "emoji": "\N{THUMBS UP SIGN}"}})

    def edits(self, message: str, text: str) -> str:
        edit = {"original_message_id": message, "message": {"type": "text", "text": {"body": text}}}
        return self._emits({"type": "edit", "edit": edit})

    def changes_number(self, number: str, user: str) -> None:
        """Another number, and with it another BSUID: WhatsApp says so in the chat."""
        system: dict[str, Any] = {"type": "user_changed_number", "wa_id": number, "body": "changed"}
        if not self.hides_user:
            system |= {"user_id": user, "previous_user_id": self.user}
        self._meta.emit(
            "messages",
            {"from": self.number, "id": self._meta.new_id(self.number), "timestamp": "1", "type": "system", "system": system},
        )
        self.number, self.user = number, user

    def falls_silent(self) -> None:
        """Nothing for more than 24 hours."""
        self.window_open = False

    # --- what the person sees

    async def sees(self, text: str) -> Bubble:
        """Wait for a message of the bot since the person's last act that holds this text."""
        return await self.until(
            lambda: next((b for b in reversed(self.bubbles[self._acted :]) if b.author == "bot" and text in b.text), None),
            repr(text),
        )

    async def until(self, seen: Callable[[], Bubble | None], what: str) -> Bubble:
        async with self._changed:
            try:
                async with asyncio.timeout(PATIENCE):
                    while (found := seen()) is None:
                        await self._changed.wait()
            except TimeoutError:
                raise AssertionError(f"{what} did not come; the chat:\n{self.transcript()}") from None
            return found

    @property
    def answers(self) -> list[Bubble]:
        return [each for each in self.bubbles if each.author == "bot"]

    def transcript(self) -> str:
        """The chat as it stands: `<` the bot, `>` the person, buttons in brackets."""
        lines = []
        for each in self.bubbles:
            first, *rest = each.text.split("\n")
            lines += [f"{'<' if each.author == 'bot' else '>'} {first}", *(f"  {line}".rstrip() for line in rest)]
            if each.choices:
                opened = "= " if "sections" in each.body["interactive"]["action"] else ""
                lines.append("  " + opened + " ".join(f"[{title}]" for title in each.labels))
            if each.link:
                lines.append(f"  [-> {each.link}]")
        return "\n".join(lines)

    def gets(self, bubble: Bubble) -> None:
        self.bubbles.append(bubble)
        asyncio.get_running_loop().call_soon(asyncio.ensure_future, self._tell())

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _sends(self, text: str, content: dict[str, Any], answers: str = "") -> str:
        context = {"context": {"from": self._meta.number, "id": answers}} if answers else {}
        id_ = self._emits(content | context)
        self.bubbles.append(Bubble(id_, "person", text))
        self._acted = len(self.bubbles)
        return id_

    def _emits(self, content: dict[str, Any]) -> str:
        self.window_open = True
        id_ = self._meta.new_id(self.number)
        named = ({} if self.hides_number else {"from": self.number}) | ({} if self.hides_user else {"from_user_id": self.user})
        self._meta.known[id_] = self
        self._meta.emit("messages", {**named, "id": id_, "timestamp": str(int(time.time())), **content}, self.contact())
        return id_

    def contact(self) -> dict[str, Any]:
        named = ({} if self.hides_number else {"wa_id": self.number}) | ({} if self.hides_user else {"user_id": self.user})
        return {"profile": {"name": self.name}, **named}


@dataclass
class Fault:
    """The next calls to send are refused so, or not answered at all."""

    refusal: Refusal | None
    times: int
    after: bool = False  # once the message was taken


class FakeMeta:
    """One app with one number. With `repeats` every webhook comes twice, with `shuffles` statuses come in any order."""

    def __init__(self) -> None:
        self.token = "EAAfake0token0of0nobody0123456789"
        self.phone_id = "106540352242922"
        self.app_secret = "5f0e1d2c3b4a59687766554433221100"
        self.verify_token = "kata-sandi-webhook"
        self.number = "622150000000"
        self.display_number = "+62 21 5000 0000"
        self.webhook = ""
        self.repeats = self.shuffles = False
        self.tells = True  # what becomes of messages
        self.late_failures = False  # who cannot be reached fails later, by a status
        self.pair_rate = True
        self.people: list[Person] = []
        self.known: dict[str, Person] = {}  # by the ids of what they sent
        self.sent: list[dict[str, Any]] = []  # every message taken
        self.refused: list[tuple[int, dict[str, Any]]] = []
        self.answered: list[int] = []  # the statuses that our webhook answered with
        self.base_url = ""
        self._faults: list[Fault] = []
        self._ids = itertools.count(1)
        self._waiting: list[tuple[str, dict[str, Any], dict[str, Any] | None]] = []
        self._came = asyncio.Event()
        self._held: asyncio.Event | None = None
        self._random = random.Random(7)

    @property
    def settings(self) -> dict[str, str]:
        return {
            "WHATSAPP_TOKEN": self.token,
            "WHATSAPP_PHONE_ID": self.phone_id,
            "WHATSAPP_APP_SECRET": self.app_secret,
            "WHATSAPP_VERIFY_TOKEN": self.verify_token,
            "WHATSAPP_API_BASE": self.base_url,
        }

    def person(self, name: str, number: str = "", user: str = "") -> Person:
        at = len(self.people) + 1
        made = Person(self, name, number or f"62812900{at:05}", user or f"ID.{1349120865530274000 + at}")
        self.people.append(made)
        return made

    def new_id(self, number: str) -> str:
        """As Meta makes them: with the person's number in it."""
        written = (
            b"\x1c\x18"
            + bytes([len(number)])
            + number.encode()
            + b"\x15\x02\x00\x11\x18\x12"
            + f"{next(self._ids):018X}\0".encode()
        )
        return f"wamid.{base64.b64encode(written).decode()}"

    # --- scripted trouble

    def refuse(self, code: int, *, status: int = 400, times: int = 1) -> None:
        self._faults.append(Fault(Refusal(status, code, "scripted"), times))

    def cut(self, *, after: bool, times: int = 1) -> None:
        """No answer: the connection ends, before the message was taken or after."""
        self._faults.append(Fault(None, times, after))

    @contextlib.contextmanager
    def batching(self) -> Iterator[None]:
        """What happens meanwhile comes in one delivery."""
        self._held = asyncio.Event()
        try:
            yield
        finally:
            self._held.set()
            self._held = None

    # --- webhooks

    def emit(self, kind: str, item: dict[str, Any], contact: dict[str, Any] | None = None) -> None:
        self._waiting.append((kind, item, contact))
        self._came.set()

    def change(
        self, kind: str, items: list[dict[str, Any]], contacts: list[dict[str, Any]], phone_id: str = ""
    ) -> dict[str, Any]:
        metadata = {"display_phone_number": self.number, "phone_number_id": phone_id or self.phone_id}
        people = {"contacts": contacts} if contacts else {}
        return {"field": "messages", "value": {"messaging_product": "whatsapp", "metadata": metadata, **people, kind: items}}

    def delivery(self, *changes: dict[str, Any]) -> bytes:
        """The bytes of a webhook as Meta writes them: escaped, also where JSON need not be."""
        whole = {"object": "whatsapp_business_account", "entry": [{"id": "1029384756", "changes": [each]} for each in changes]}
        return json.dumps(whole, ensure_ascii=True).replace("/", "\\/").encode()

    def sign(self, body: bytes, secret: str = "") -> str:
        return "sha256=" + hmac.new((secret or self.app_secret).encode(), body, hashlib.sha256).hexdigest()

    async def posts(self, body: bytes, **headers: str) -> httpx2.Response:
        """Deliver these bytes now, signed unless other headers are given."""
        return await self._http.post(
            self.webhook,
            content=body,
            headers={"content-type": "application/json", **(headers or {"X-Hub-Signature-256": self.sign(body)})},
        )

    async def asks(self, **query: str) -> httpx2.Response:
        """The verification of the webhook's address."""
        return await self._http.get(self.webhook, params={f"hub.{name}": value for name, value in query.items()})

    async def _deliver_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                await self._came.wait()
                if self._held is not None:
                    await self._held.wait()
                self._came.clear()
                waiting, self._waiting = self._waiting, []
                if not self.webhook:
                    await asyncio.sleep(0.01)
                    self._waiting = waiting + self._waiting
                    self._came.set()
                    continue
                if self.shuffles:
                    statuses = [each for each in waiting if each[0] == "statuses"]
                    self._random.shuffle(statuses)
                    waiting = [each for each in waiting if each[0] != "statuses"] + statuses
                body = self.delivery(*self._changes(waiting))
                for _ in range(2 if self.repeats else 1):
                    if not await self._delivered(body):
                        group.create_task(self._again(body))

    def _changes(self, waiting: list[tuple[str, dict[str, Any], dict[str, Any] | None]]) -> Iterator[dict[str, Any]]:
        """Neighbours of one kind share a change, two of them at the most: so there are several entries, too."""
        for kind, group in itertools.groupby(waiting, lambda each: each[0]):
            together = list(group)
            for start in range(0, len(together), 2):
                pair = together[start : start + 2]
                yield self.change(kind, [item for _, item, _ in pair], [contact for _, _, contact in pair if contact])

    async def _delivered(self, body: bytes) -> bool:
        try:
            status = (await self.posts(body)).status_code
        except httpx2.HTTPError:
            status = 0
        self.answered.append(status)
        return status == 200

    async def _again(self, body: bytes) -> None:
        for pause in itertools.chain((0.05, 0.1, 0.2), itertools.repeat(0.5)):
            await asyncio.sleep(pause)
            if await self._delivered(body):
                return

    # --- the Graph API

    async def _messages(self, request: Request) -> Response:
        body: dict[str, Any] = {}
        try:
            self._let_in(request)
            body = await request.json()
            if "status" in body:
                return self._seen(body)
            fault = next((each for each in self._faults if each.times), None)
            if fault is not None:
                fault.times -= 1
                if fault.refusal is not None:
                    raise fault.refusal
                if fault.after:
                    self._take(body)
                return _Cut()
            return JSONResponse(self._take(body))
        except Refusal as refusal:
            self.refused.append((refusal.code, body))
            return JSONResponse(refusal.body, refusal.status)

    async def _about(self, request: Request) -> Response:
        try:
            self._let_in(request)
        except Refusal as refusal:
            return JSONResponse(refusal.body, refusal.status)
        return JSONResponse({"display_phone_number": self.display_number, "id": self.phone_id, "verified_name": "Contoh"})

    def _let_in(self, request: Request) -> None:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            raise Refusal(401, 190, "Invalid OAuth access token")
        if request.path_params["phone_id"] != self.phone_id:
            raise Refusal(400, 100, "Unsupported post request. Object does not exist")

    def _seen(self, body: dict[str, Any]) -> Response:
        rules.fields(body, "status", {"messaging_product", "status", "message_id"}, {"typing_indicator"})
        person = self.known.get(body["message_id"])
        if person is None or body["status"] != "read":
            raise invalid("no such message")
        if body.get("typing_indicator", {"type": "text"}) != {"type": "text"}:
            raise invalid("typing_indicator")
        (person.typing if "typing_indicator" in body else person.read).append(body["message_id"])
        return JSONResponse({"success": True})

    def _take(self, body: dict[str, Any]) -> dict[str, Any]:
        rules.message(body)
        person = self._whom(body)
        if "context" in body and body["context"]["message_id"] not in self.known and not person.bubbles:
            raise invalid("context")
        code = person.unreachable or (0 if person.window_open else 131047)
        if code and not self.late_failures:
            raise Refusal(400, code, "not now")
        if self.pair_rate:
            now = time.monotonic()
            if person.fast_since - now > (BURST - 1) * PAIR_SECONDS:
                raise Refusal(400, 131056, "pair rate limit hit")
            person.fast_since = max(person.fast_since, now) + PAIR_SECONDS
        id_ = self.new_id(person.number)
        self.sent.append(body)
        text = body["text"]["body"] if body["type"] == "text" else body["interactive"]["body"]["text"]
        assert rules.formatted(text) == [], f"WhatsApp formats {rules.formatted(text)}"
        if not code:
            person.gets(Bubble(id_, "bot", text, body, body.get("context", {}).get("message_id", "")))
        for status in ("failed",) if code else ("sent", "delivered", "read"):
            told: dict[str, Any] = {
                "id": id_,
                "status": status,
                "timestamp": str(int(time.time())),
                "recipient_id": person.number,
            }
            if "biz_opaque_callback_data" in body:
                told["biz_opaque_callback_data"] = body["biz_opaque_callback_data"]
            if code:
                told["errors"] = [{"code": code, "title": "failed", "error_data": {"details": "failed"}}]
            if self.tells:
                self.emit("statuses", told)
        name = {"wa_id": person.number} if "to" in body else {"user_id": person.user}
        contacts = [{"input": body.get("to") or body["recipient"], **name}]
        return {"messaging_product": "whatsapp", "contacts": contacts, "messages": [{"id": id_}]}

    def _whom(self, body: dict[str, Any]) -> Person:
        for person in self.people:
            if body.get("to") == person.number or body.get("recipient") == person.user:
                return person
        raise Refusal(400, 131026, "Message undeliverable")

    # --- its life

    async def __aenter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = Starlette(
            routes=[
                Route("/v26.0/{phone_id}/messages", self._messages, methods=["POST"]),
                Route("/v26.0/{phone_id}", self._about, methods=["GET"]),
            ]
        )
        config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._http = httpx2.AsyncClient(timeout=30, trust_env=False)
        self._served = asyncio.create_task(self._server.serve([listener]))
        self._delivering = asyncio.create_task(self._deliver_all())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._delivering.cancel()
        await asyncio.gather(self._delivering, return_exceptions=True)
        self._server.should_exit = True
        await self._served
        await self._http.aclose()


class _Cut(PlainTextResponse):
    """Hangs up instead of answering."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
        raise ConnectionAbortedError
