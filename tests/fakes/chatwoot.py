"""A strict Chatwoot for tests: its application API over real HTTP on loopback, its webhooks, and the people who work in it.

    async with FakeChatwoot() as chatwoot:        # chatwoot.url, .account, .inbox, .token, .api_token, .secret: the settings
        chatwoot.webhook_url = f"{product}/helpdesk/chatwoot"
        rina = chatwoot.user("Rina", "rina@contoh.id")
        rina.replies(conversation, "Selamat siang")

As the real one (chatwoot/chatwoot, 4.16): an agent bot's token opens its few doors and no other; an inbox with a bot begins conversations
as pending; a bot's pending -> open is a hand-off; contacts have unique identifiers; a message of the contact opens what was resolved; a
webhook goes out once, is given five seconds (here `patience`), is signed under the inbox's secret, and a message whose webhook failed is
marked failed; labels that the account does not have are left out; who asks too often gets 429 in plain text. Whatever it is sent is kept
in `heard`.

Lives here: the server, its people, scripted faults. Must not live here: what the product makes of it.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import re
import socket
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

# Bots, users and contacts are numbered apart, so that a bot may have the number of a user: of the first that a test makes.
BOT = 12
STATUSES = ("open", "resolved", "pending", "snoozed")
_TYPES = {"incoming": 0, "outgoing": 1, "activity": 2, "template": 3}
_E164 = re.compile(r"\+[1-9]\d{1,14}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
# AccessTokenAuthHelper::BOT_ACCESSIBLE_ENDPOINTS, as of 4.13: later ones open a few more.
_FOR_BOTS = frozenset(
    {
        ("POST", "conversations"),
        ("PATCH", "conversations/{id}"),
        ("POST", "conversations/{id}/toggle_status"),
        ("POST", "conversations/{id}/toggle_priority"),
        ("POST", "conversations/{id}/custom_attributes"),
        ("POST", "conversations/{id}/messages"),
        ("POST", "conversations/{id}/assignments"),
    }
)


class Refusal(Exception):
    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(str(status))
        self.status = status
        self.body = body


def _missing() -> Refusal:
    return Refusal(404, {"error": "Resource could not be found"})


def _unauthorized(why: str) -> Refusal:
    return Refusal(401, {"error": why})


def _invalid(message: str, attribute: str) -> Refusal:
    return Refusal(422, {"message": message, "attributes": [attribute]})


@dataclass
class Contact:
    id: int
    name: str
    identifier: str | None
    custom_attributes: dict[str, Any]
    sources: list[str] = field(default_factory=list)


@dataclass
class Line:
    """A message. `sender` is (type, id): user, agent_bot, contact; None where Chatwoot itself speaks."""

    id: int
    conversation: int
    content: str | None
    message_type: str
    private: bool
    sender: tuple[str, int] | None
    status: str = "sent"
    external_error: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    attachments: list[dict[str, Any]] = field(default_factory=list)
    created_at: float = field(default_factory=time.time)


@dataclass
class Talk:
    """A conversation; `id` is its display_id."""

    id: int
    contact: int
    source_id: str
    status: str
    custom_attributes: dict[str, Any]
    assignee: int | None = None
    labels: list[str] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    handed_off: int = 0
    inbox: int = 0  # another than the product's, whose conversation this is not

    def public(self) -> list[str]:
        """What the contact and those who answer said, in order, as "> ..." and "< ...": what an agent reads, without notes."""
        marks = {"incoming": ">", "outgoing": "<"}
        return [
            f"{marks[line.message_type]} {line.content}"
            for line in self.lines
            if line.message_type in marks and not line.private
        ]

    def notes(self) -> list[str]:
        return [line.content or "" for line in self.lines if line.private]


@dataclass
class Fault:
    status: int = 0
    retry_after: int | None = None
    body: str = ""
    times: int = 1
    cut: bool = False
    done: bool = False
    held: asyncio.Event | None = None
    method: str = ""
    path: str = ""


@dataclass(frozen=True)
class Heard:
    """A request that came: without its tokens."""

    method: str
    path: str
    query: str
    body: bytes
    bot: bool


@dataclass
class User:
    """Somebody who works in Chatwoot, with their hands on its pages."""

    chatwoot: FakeChatwoot
    id: int
    name: str
    email: str
    role: str = "agent"
    confirmed: bool = True

    def replies(self, talk: Talk, content: str, **more: Any) -> Line:
        return self.chatwoot.put(talk, content, "outgoing", ("user", self.id), **more)

    def notes(self, talk: Talk, content: str) -> Line:
        return self.chatwoot.put(talk, content, "outgoing", ("user", self.id), private=True)

    def assigns(self, talk: Talk, whom: User | None) -> None:
        self.chatwoot.assign(talk, whom.id if whom else None)

    def takes(self, talk: Talk) -> None:
        self.assigns(talk, self)

    def sets(self, talk: Talk, status: str) -> None:
        self.chatwoot.set_status(talk, status, self.name)

    def labels(self, talk: Talk, *labels: str) -> None:
        self.chatwoot.label(talk, list(labels))

    def retries(self, line: Line) -> None:
        """The button beside a message that failed."""
        assert line.status == "failed", "there is no such button"
        line.status, line.external_error = "sent", ""
        self.chatwoot.ring("message_updated", self.chatwoot.talks[line.conversation], line)


@dataclass
class FakeChatwoot:
    """See the module. `webhook_url` "" sends no webhooks; `lose_webhooks` drops them on their way."""

    secret: str = "sEcReT-of-the-inbox-24ch"
    account: int = 3
    inbox: int = 7
    token: str = "bot-token-of-nobody"
    api_token: str = "admin-token-of-nobody"
    patience: float = 5.0
    webhook_url: str = ""
    lose_webhooks: bool = False
    bot_attached: bool = True
    auto_assign: int | None = None
    locked_to_one: bool = False
    port: int = 0

    def __post_init__(self) -> None:
        self.contacts: dict[int, Contact] = {}
        self.talks: dict[int, Talk] = {}
        self.users: dict[int, User] = {}
        self.account_labels = ["resolved", "no_answer", "call_centre", "not_for_us", "abuse", "vip"]
        self.heard: list[Heard] = []
        self.delivered: list[tuple[str, int]] = []
        self.webhooks: list[tuple[dict[str, str], bytes]] = []
        self._faults: list[Fault] = []
        self._ids = itertools.count(101)
        self._sending: set[asyncio.Task[None]] = set()
        self._served: asyncio.Task[None] | None = None
        self.admin = self.user("Admin", "admin@contoh.id", role="administrator")

    # --- for the test

    def user(self, name: str, email: str, *, role: str = "agent", confirmed: bool = True) -> User:
        user = User(self, 11 + len(self.users), name, email, role, confirmed)
        self.users[user.id] = user
        return user

    @property
    def newest(self) -> Talk:
        return self.talks[max(self.talks)]

    def delete(self, talk: Talk) -> None:
        """An administrator deletes a conversation."""
        del self.talks[talk.id]

    def delete_message(self, line: Line) -> None:
        line.content, line.attributes, line.attachments = "This message was deleted", {"deleted": True}, []
        self.ring("message_updated", self.talks[line.conversation], line)

    def fails(
        self, status: int, times: int = 1, *, retry_after: int | None = None, method: str = "", path: str = "", body: str = ""
    ) -> None:
        """The next requests (of this method, whose path ends so) are answered so, and not carried out."""
        self._faults.append(Fault(status, retry_after, body, times, method=method, path=path))

    def cuts(self, times: int = 1, *, done: bool = False, method: str = "", path: str = "") -> None:
        """The connection breaks before the answer; with `done` the request was carried out."""
        self._faults.append(Fault(times=times, cut=True, done=done, method=method, path=path))

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Nothing is answered until the block is left."""
        fault = Fault(times=1_000_000, held=asyncio.Event())
        self._faults.append(fault)
        try:
            yield
        finally:
            self._faults.remove(fault)
            assert fault.held is not None
            fault.held.set()

    def mends(self) -> None:
        """Whatever was scripted to fail does so no more."""
        self._faults.clear()

    async def quiet(self) -> None:
        """Every webhook that is under way has been answered or given up."""
        while self._sending:
            await asyncio.gather(*self._sending)

    async def rings_again(self, index: int = -1) -> int:
        """A webhook of before, byte by byte; the status that it is answered with."""
        headers, body = self.webhooks[index]
        return await self._post(headers, body)

    # --- what happens in it

    def put(
        self,
        talk: Talk,
        content: str | None,
        message_type: str,
        sender: tuple[str, int] | None,
        *,
        private: bool = False,
        attributes: dict[str, Any] | None = None,
        attachments: list[dict[str, Any]] | None = None,
    ) -> Line:
        line = Line(
            next(self._ids),
            talk.id,
            content,
            message_type,
            private,
            sender,
            attributes=attributes or {},
            attachments=attachments or [],
        )
        talk.lines.append(line)
        if message_type == "incoming" and talk.status in ("resolved", "snoozed"):
            self.set_status(talk, "pending" if talk.status == "resolved" and self.bot_attached else "open", "")
        if message_type in ("incoming", "outgoing", "template"):
            self.ring("message_created", talk, line)
        return line

    def set_status(self, talk: Talk, status: str, by: str) -> None:
        if status == talk.status:
            return
        before, talk.status = talk.status, status
        if by:
            words = {"open": "reopened", "resolved": "marked resolved"}.get(status, f"marked as {status}")
            self._activity(talk, f"Conversation was {words} by {by}")
        if status == "open" and talk.assignee is None and self.auto_assign is not None:
            # As the real one: what changed the assignee on the way swallows the change of status (chatwoot#9277).
            talk.assignee = self.auto_assign
            self.ring("conversation_updated", talk, changed={"assignee_id": [None, talk.assignee]})
            return
        self.ring("conversation_status_changed", talk, changed={"status": [before, status]})

    def assign(self, talk: Talk, user: int | None) -> None:
        if talk.assignee == user:
            return
        before, talk.assignee = talk.assignee, user
        self.ring("conversation_updated", talk, changed={"assignee_id": [before, user]})

    def label(self, talk: Talk, labels: list[str]) -> None:
        talk.labels = [label for label in labels if label in self.account_labels]
        self.ring("conversation_updated", talk, changed={"label_list": [[], talk.labels]})

    def _activity(self, talk: Talk, words: str) -> None:
        talk.lines.append(Line(next(self._ids), talk.id, words, "activity", private=False, sender=None))

    # --- webhooks

    def ring(self, event: str, talk: Talk, line: Line | None = None, changed: dict[str, Any] | None = None) -> None:
        """Once, at once, in no order with others."""
        if not self.webhook_url:
            return
        payload = self._webhook_message(line, talk) if line else self._webhook_talk(talk)
        payload["event"] = event
        if changed is not None:
            payload["changed_attributes"] = [
                {key: {"previous_value": old, "current_value": new}} for key, (old, new) in changed.items()
            ]
        body = json.dumps(payload).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json", "X-Chatwoot-Delivery": str(uuid.uuid4())}
        if self.secret:
            at = str(int(time.time()))
            mac = hmac.new(self.secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
            headers |= {"X-Chatwoot-Timestamp": at, "X-Chatwoot-Signature": f"sha256={mac}"}
        self.webhooks.append((headers, body))
        if self.lose_webhooks:
            return

        async def send() -> None:
            status = await self._post(headers, body)
            self.delivered.append((event, status))
            if not 200 <= status < 300 and line is not None and event in ("message_created", "message_updated"):
                line.status, line.external_error = "failed", f"{status}"

        task = asyncio.get_running_loop().create_task(send())
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _post(self, headers: Mapping[str, str], body: bytes) -> int:
        try:
            answer = await self._http.post(self.webhook_url, content=body, headers=dict(headers), timeout=self.patience)
        except httpx2.HTTPError:
            return 0
        return answer.status_code

    def _webhook_talk(self, talk: Talk) -> dict[str, Any]:
        return {
            "additional_attributes": {},
            "can_reply": True,
            "channel": "Channel::Api",
            "contact_inbox": {"contact_id": talk.contact, "inbox_id": talk.inbox or self.inbox, "source_id": talk.source_id},
            "id": talk.id,
            "inbox_id": talk.inbox or self.inbox,
            "messages": [self._rest_message(line) for line in talk.lines if line.message_type != "activity"][-1:],
            "labels": talk.labels,
            "meta": self._meta(talk),
            "status": talk.status,
            "custom_attributes": talk.custom_attributes,
            "unread_count": 0,
            "account": {"id": self.account, "name": "Panitia"},
        }

    def _webhook_message(self, line: Line, talk: Talk) -> dict[str, Any]:
        payload = {
            "account": {"id": self.account, "name": "Panitia"},
            "additional_attributes": {},
            "content_attributes": line.attributes,
            "content_type": "text",
            "content": line.content,
            "conversation": self._webhook_talk(talk),
            "created_at": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(line.created_at)),
            "id": line.id,
            "inbox": {"id": self.inbox, "name": "AKSes"},
            "message_type": line.message_type,
            "private": line.private,
            "sender": self._sender(line, webhook=True),
            "source_id": None,
        }
        return payload | ({"attachments": line.attachments} if line.attachments else {})

    # --- shapes

    def _sender(self, line: Line, *, webhook: bool = False) -> dict[str, Any] | None:
        if line.sender is None:
            return None
        kind, id_ = line.sender
        if kind == "user":
            user = self.users[id_]
            more = {"email": user.email} if webhook else {"available_name": user.name, "availability_status": "online"}
            return {"id": user.id, "name": user.name, "type": "user", **more}
        if kind == "contact":
            contact = self.contacts[id_]
            return {"id": contact.id, "name": contact.name, "type": "contact", "identifier": contact.identifier}
        return {"id": id_, "name": "AKSes", "type": "agent_bot"}

    def _rest_message(self, line: Line) -> dict[str, Any]:
        shown = {
            "id": line.id,
            "content": line.content,
            "inbox_id": self.inbox,
            "conversation_id": line.conversation,
            "message_type": _TYPES[line.message_type],
            "content_type": "text",
            "status": line.status,
            "content_attributes": line.attributes | ({"external_error": line.external_error} if line.external_error else {}),
            "created_at": int(line.created_at),
            "private": line.private,
            "source_id": None,
        }
        sender = self._sender(line)
        return shown | ({"sender": sender} if sender else {}) | ({"attachments": line.attachments} if line.attachments else {})

    def _meta(self, talk: Talk) -> dict[str, Any]:
        assignee = self.users.get(talk.assignee or 0)
        meta: dict[str, Any] = {"sender": self._rest_contact(self.contacts[talk.contact]), "channel": "Channel::Api"}
        if assignee:
            meta |= {"assignee": self._rest_user(assignee), "assignee_type": "User"}
        return meta | {"hmac_verified": False}

    def _rest_user(self, user: User) -> dict[str, Any]:
        return {
            "id": user.id,
            "account_id": self.account,
            "availability_status": "online",
            "auto_offline": True,
            "confirmed": user.confirmed,
            "email": user.email,
            "provider": "email",
            "available_name": user.name,
            "name": user.name,
            "role": user.role,
            "thumbnail": "",
        }

    def _rest_contact(self, contact: Contact) -> dict[str, Any]:
        return {
            "id": contact.id,
            "name": contact.name,
            "identifier": contact.identifier,
            "email": None,
            "phone_number": None,
            "thumbnail": "",
            "custom_attributes": contact.custom_attributes,
            "contact_inboxes": [{"source_id": source, "inbox": {"id": self.inbox}} for source in contact.sources],
        }

    def _rest_talk(self, talk: Talk) -> dict[str, Any]:
        return {
            "meta": self._meta(talk),
            "id": talk.id,
            "messages": [self._rest_message(line) for line in talk.lines[-1:]],
            "account_id": self.account,
            "uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, str(talk.id))),
            "additional_attributes": {},
            "can_reply": True,
            "custom_attributes": talk.custom_attributes,
            "inbox_id": talk.inbox or self.inbox,
            "labels": talk.labels,
            "muted": False,
            "snoozed_until": None,
            "status": talk.status,
            "priority": None,
        }

    # --- the server

    async def __aenter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        app = Starlette(routes=[Route("/api/v1/accounts/{account:int}/{path:path}", self._serve, methods=methods)])
        config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._http = httpx2.AsyncClient(trust_env=False)
        self._served = asyncio.create_task(self._server.serve([listener]))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for fault in self._faults:
            if fault.held is not None:
                fault.held.set()
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        self._server.should_exit = True
        assert self._served is not None
        await self._served
        await self._http.aclose()

    async def _serve(self, request: Request) -> Response:
        body = await request.body()
        path, given = request.path_params["path"], request.headers.get("api_access_token", "")
        self.heard.append(Heard(request.method, path, request.url.query, body, given == self.token))
        try:
            if given not in (self.token, self.api_token):
                raise _unauthorized("Invalid Access Token")
            fault = self._next_fault(request.method, path)
            if fault is not None and fault.held is not None:
                await fault.held.wait()
            elif fault is not None and fault.cut:
                if fault.done:
                    self._carry_out(request, path, body, bot=given == self.token)
                return _Cut()
            elif fault is not None:
                headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else {}
                words = fault.body or ("Retry later\n" if fault.status == 429 else "<html>nginx</html>")
                return PlainTextResponse(words, fault.status, headers)
            if request.path_params["account"] != self.account:
                raise _missing()
            return JSONResponse(self._carry_out(request, path, body, bot=given == self.token))
        except Refusal as refusal:
            return JSONResponse(refusal.body, refusal.status)

    def _next_fault(self, method: str, path: str) -> Fault | None:
        found = next(
            (each for each in self._faults if each.method in ("", method) and path.endswith(each.path)),
            None,
        )
        if found is not None:
            found.times -= 1
            if not found.times:
                self._faults.remove(found)
        return found

    def _carry_out(self, request: Request, path: str, body: bytes, *, bot: bool) -> Any:
        door = re.sub(r"(?<=/)\d+", "{id}", path)
        if bot and (request.method, door) not in _FOR_BOTS:
            raise _unauthorized("Access to this endpoint is not authorized for bots")
        if bot and not self.bot_attached:
            raise _unauthorized("You are not authorized to access this account")
        given: dict[str, Any] = {}
        if body:
            if request.headers.get("content-type", "").partition(";")[0] != "application/json":
                raise Refusal(400, {"error": "Bad Request"})
            given = json.loads(body)
        ids = [int(number) for number in re.findall(r"(?<=/)\d+", path)]
        match request.method, door:
            case "POST", "contacts":
                return self._make_contact(given)
            case "GET", "contacts/search":
                return self._search(request.query_params.get("q", ""))
            case "PUT", "contacts/{id}":
                return self._update_contact(self._contact(ids[0]), given)
            case "GET", "contacts/{id}/conversations":
                of = sorted(
                    (talk for talk in self.talks.values() if talk.contact == self._contact(ids[0]).id), key=lambda t: -t.id
                )
                return {"payload": [self._rest_talk(talk) for talk in of[:20]]}
            case "POST", "conversations":
                return self._begin(given)
            case "GET", "conversations/{id}":
                return self._rest_talk(self._talk(ids[0]))
            case "DELETE", "conversations/{id}":
                self.delete(self._talk(ids[0]))
                return {}
            case "DELETE", "contacts/{id}":
                contact = self._contact(ids[0])
                for talk in [each for each in self.talks.values() if each.contact == contact.id]:
                    self.delete(talk)
                del self.contacts[contact.id]
                return {}
            case "POST", "conversations/{id}/toggle_status":
                return self._toggle(self._talk(ids[0]), given, bot=bot)
            case "POST", "conversations/{id}/custom_attributes":
                talk = self._talk(ids[0])
                talk.custom_attributes = dict(given.get("custom_attributes", {}))
                self.ring("conversation_updated", talk, changed={"custom_attributes": [{}, talk.custom_attributes]})
                return {"custom_attributes": talk.custom_attributes}
            case "POST", "conversations/{id}/assignments":
                return self._assign(self._talk(ids[0]), given)
            case "POST", "conversations/{id}/labels":
                talk = self._talk(ids[0])
                self.label(talk, given.get("labels", []))
                return {"payload": talk.labels}
            case "GET", "conversations/{id}/labels":
                return {"payload": self._talk(ids[0]).labels}
            case "POST", "conversations/{id}/messages":
                return self._message(self._talk(ids[0]), given, bot=bot)
            case "GET", "conversations/{id}/messages":
                return self._messages(self._talk(ids[0]), request.query_params)
            case "PATCH", "conversations/{id}/messages/{id}":
                return self._mark(self._talk(ids[0]), ids[1], given)
            case "GET", "agents":
                return [self._rest_user(user) for user in self.users.values()]
            case "GET", "inboxes/{id}":
                return self._inbox(ids[0])
            case "GET", "inboxes/{id}/agent_bot":
                self._inbox(ids[0])
                return {"agent_bot": {"id": BOT, "name": "AKSes"} if self.bot_attached else {}}
            case _:
                raise _missing()

    def _inbox(self, inbox: int) -> dict[str, Any]:
        if inbox != self.inbox:
            raise _missing()
        return {"id": self.inbox, "name": "AKSes", "channel_type": "Channel::Api", "webhook_url": self.webhook_url}

    def _contact(self, id_: int) -> Contact:
        if id_ not in self.contacts:
            raise _missing()
        return self.contacts[id_]

    def _talk(self, id_: int) -> Talk:
        if id_ not in self.talks:
            raise _missing()
        return self.talks[id_]

    def _make_contact(self, given: dict[str, Any]) -> Any:
        if given.get("phone_number") and not _E164.fullmatch(given["phone_number"]):
            raise _invalid("Phone number should be in e164 format", "phone_number")
        if given.get("email") and not _EMAIL.fullmatch(given["email"]):
            raise _invalid("Invalid email", "email")
        identifier = given.get("identifier") or None
        if identifier and any(each.identifier == identifier for each in self.contacts.values()):
            raise _invalid("Identifier has already been taken", "identifier")
        self._inbox(given["inbox_id"])
        contact = Contact(next(self._ids), given.get("name", ""), identifier, dict(given.get("custom_attributes", {})))
        contact.sources.append(given.get("source_id") or str(uuid.uuid4()))
        self.contacts[contact.id] = contact
        inbox = {"inbox": {"id": self.inbox}, "source_id": contact.sources[0]}
        return {"payload": {"contact": self._rest_contact(contact), "contact_inbox": inbox}}

    def _update_contact(self, contact: Contact, given: dict[str, Any]) -> Any:
        contact.name = given.get("name", contact.name)
        contact.custom_attributes |= given.get("custom_attributes", {})
        return {"payload": self._rest_contact(contact)}

    def _search(self, query: str) -> Any:
        if not query.strip():
            raise Refusal(422, {"error": "Specify search string with parameter q"})
        found = [
            each for each in self.contacts.values() if query in (each.identifier or "") or query.lower() in each.name.lower()
        ]
        return {"meta": {"count": len(found), "current_page": 1}, "payload": [self._rest_contact(each) for each in found[:15]]}

    def _begin(self, given: dict[str, Any]) -> Any:
        self._inbox(given["inbox_id"])
        contact = self._contact(given["contact_id"])
        if given["source_id"] not in contact.sources:
            if any(given["source_id"] in each.sources for each in self.contacts.values()):
                raise Refusal(422, {"error": "source_id should be unique"})
            contact.sources.append(given["source_id"])
        if self.locked_to_one and (known := next((each for each in self.talks.values() if each.contact == contact.id), None)):
            return self._rest_talk(known)
        status = "pending" if self.bot_attached else given.get("status", "open")
        talk = Talk(next(self._ids), contact.id, given["source_id"], status, dict(given.get("custom_attributes", {})))
        self.talks[talk.id] = talk
        self.ring("conversation_created", talk)
        return self._rest_talk(talk)

    def _toggle(self, talk: Talk, given: dict[str, Any], *, bot: bool) -> Any:
        status = given.get("status")
        if status is not None and status not in STATUSES:
            raise Refusal(422, {"error": f"'{status}' is not a valid status"})
        if bot and talk.status == "pending" and status == "open":
            talk.handed_off += 1
        if status is None:
            status = "resolved" if talk.status == "open" else "open"
        self.set_status(talk, status, "AKSes" if bot else self.admin.name)
        return {"meta": {}, "payload": {"success": True, "conversation_id": talk.id, "current_status": talk.status}}

    def _assign(self, talk: Talk, given: dict[str, Any]) -> Any:
        if "assignee_id" not in given:
            return None
        user = self.users.get(given["assignee_id"] or 0)
        self.assign(talk, user.id if user else None)
        return self._rest_user(user) if user else None

    def _message(self, talk: Talk, given: dict[str, Any], *, bot: bool) -> Any:
        kind = given.get("message_type", "outgoing")
        if kind not in _TYPES:
            raise Refusal(422, {"error": f"'{kind}' is not a valid message_type"})
        content = given.get("content")
        if not isinstance(content, str) or not content.strip():
            raise _invalid("Content can't be blank", "content")
        if len(content) > 150_000:
            raise _invalid("Content is too long (maximum is 150000 characters)", "content")
        sender = ("contact", talk.contact) if kind == "incoming" else ("agent_bot", BOT) if bot else ("user", self.admin.id)
        # Messages::InReplyToMessageBuilder: a number that is no message of this conversation is left out.
        answers = given.get("content_attributes", {}).get("in_reply_to")
        replies = {"in_reply_to": answers} if answers in {line.id for line in talk.lines} else {}
        line = self.put(talk, content, kind, sender, private=bool(given.get("private", False)), attributes=replies)
        return self._rest_message(line) | ({"echo_id": given["echo_id"]} if given.get("echo_id") else {})

    def _messages(self, talk: Talk, query: Mapping[str, str]) -> Any:
        lines = sorted(talk.lines, key=lambda line: line.id)
        after, before = int(query.get("after", 0)), int(query.get("before", 0))
        if after and before:
            lines = [line for line in lines if after <= line.id < before][:1000]
        elif "after" in query:
            lines = [line for line in lines if line.id > after][:100]
        elif before:
            lines = [line for line in lines if line.id < before][-20:]
        else:
            lines = lines[-20:]
        meta = {"labels": talk.labels, "additional_attributes": {}, "contact": self._rest_contact(self.contacts[talk.contact])}
        return {"meta": meta, "payload": [self._rest_message(line) for line in lines]}

    def _mark(self, talk: Talk, id_: int, given: dict[str, Any]) -> Any:
        line = next((line for line in talk.lines if line.id == id_), None)
        if line is None:
            raise _missing()
        if given.get("status") in ("sent", "delivered", "read", "failed") and not (
            line.status == "read" and given["status"] == "delivered"
        ):
            line.status = given["status"]
            line.external_error = given.get("external_error", "") if line.status == "failed" else ""
            if line.message_type != "activity":
                self.ring("message_updated", talk, line)
        return self._rest_message(line)


class _Cut(Response):
    """Begins an answer and never ends it, so that the server closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
