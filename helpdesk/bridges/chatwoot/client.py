"""Chatwoot's application API (`/api/v1/accounts/{account}`), as much of it as the bridge asks for.

Lives here: requests, and what an answer means: a value, or one of the port's errors. Must not live here: what is told there and when
(`bridge.py`, `inbound.py`). Shapes as in chatwoot/chatwoot `app/views/api/v1` and `app/controllers/api/v1/accounts`; what is not named is
ignored. An agent bot's token opens a few doors only (AccessTokenAuthHelper::BOT_ACCESSIBLE_ENDPOINTS); the rest takes a person's.
No text of an answer gets into an error: Chatwoot quotes what it was sent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal, TypeVar

import httpx2
import msgspec

from helpdesk.bridges.chatwoot.config import ChatwootConfig
from helpdesk.bridges.port import BridgeAway, NotTaken, PlaceGone

_CONNECT_SECONDS: Final = 3.0
_READ_SECONDS: Final = 10.0
_LARGEST_BYTES: Final = 8 * 1024 * 1024
# A refusal that only an operator can end (a token, a right) is looked at again after so long.
_MISCONFIGURED_SECONDS: Final = 60.0
_LONGEST_WAIT_SECONDS: Final = 3600.0
_PASSING: Final = frozenset({408, 425, 429})

Status = Literal["open", "pending", "resolved", "snoozed"]
# `message_type` as a number; in a webhook it is the word.
INCOMING: Final = 0
OUTGOING: Final = 1


class Sender(msgspec.Struct, frozen=True):
    """Who wrote a message: `type` is user, agent_bot, contact or another machine's name."""

    id: int | None = None
    type: str | None = None


class Message(msgspec.Struct, frozen=True):
    id: int
    message_type: int
    content: str | None = None
    private: bool = False
    status: str | None = None
    sender: Sender | None = None
    content_attributes: dict[str, Any] | None = None
    attachments: list[Any] = msgspec.field(default_factory=list)

    @property
    def by_person(self) -> int | None:
        """The number of the Chatwoot user who wrote this to the contact or as a note; None where nobody of flesh did."""
        if self.message_type != OUTGOING or self.sender is None or self.sender.type != "user":
            return None
        return self.sender.id

    @property
    def error(self) -> str:
        """Why it is marked failed, if it is."""
        return str((self.content_attributes or {}).get("external_error") or "")

    @property
    def answers(self) -> str:
        """The number of the message that this replies to, "" where it replies to none."""
        number = (self.content_attributes or {}).get("in_reply_to")
        return str(number) if isinstance(number, int) else ""

    @property
    def deleted(self) -> bool:
        return bool((self.content_attributes or {}).get("deleted"))


class Assignee(msgspec.Struct, frozen=True):
    id: int
    type: str | None = None


class Meta(msgspec.Struct, frozen=True):
    assignee: Assignee | None = None
    assignee_type: str | None = None
    sender: Sender | None = None


class Conversation(msgspec.Struct, frozen=True):
    """`id` is the number that people see (display_id)."""

    id: int
    status: Status
    inbox_id: int
    meta: Meta = msgspec.field(default_factory=Meta)
    labels: list[str] = msgspec.field(default_factory=list)
    custom_attributes: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def assignee(self) -> int | None:
        """The Chatwoot user who has it; a bot is nobody."""
        if self.meta.assignee is None or (self.meta.assignee_type or self.meta.assignee.type or "User").lower() != "user":
            return None
        return self.meta.assignee.id

    @property
    def contact(self) -> int | None:
        """Whose conversation it is."""
        return self.meta.sender.id if self.meta.sender is not None else None


class Person(msgspec.Struct, frozen=True):
    """A user of the account. `confirmed` is that the address is theirs; Chatwoot lets nobody change it without confirming again."""

    id: int
    email: str = ""
    name: str = ""
    available_name: str = ""
    confirmed: bool = False


class _Contact(msgspec.Struct, frozen=True):
    id: int
    identifier: str | None = None


class _ContactMade(msgspec.Struct, frozen=True):
    contact: _Contact


class _Made(msgspec.Struct, frozen=True):
    payload: _ContactMade


class _Found(msgspec.Struct, frozen=True):
    payload: list[_Contact]


class _Conversations(msgspec.Struct, frozen=True):
    payload: list[Conversation]


class _Messages(msgspec.Struct, frozen=True):
    payload: list[Message]


class _Numbered(msgspec.Struct, frozen=True):
    id: int


class _Fault(msgspec.Struct, frozen=True):
    error: str


_Shape = TypeVar("_Shape")


class Chatwoot:
    """One a process: it keeps connections alive, until `close`. Whatever it does may raise BridgeAway; what is of one conversation
    PlaceGone as well, and what writes NotTaken.
    """

    def __init__(self, config: ChatwootConfig, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._config = config
        self.where = f"{config.url}/{config.account}/{config.inbox}"
        self._http = httpx2.AsyncClient(
            base_url=f"{config.url}/api/v1/accounts/{config.account}/",
            headers={"Accept": "application/json"},
            timeout=httpx2.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS, pool=_CONNECT_SECONDS),
            transport=transport,
            trust_env=False,
        )

    async def close(self) -> None:
        await self._http.aclose()

    # --- contacts

    async def contact(self, identifier: str, name: str, attributes: Mapping[str, str], *, unnamed: str = "") -> int:
        """The contact of this identifier, made where there is none yet; what is told is brought up to date. A new one without a `name`
        is called `unnamed`.
        """
        told = {"custom_attributes": dict(attributes), **({"name": name} if name else {})}
        ours = {"inbox_id": self._config.inbox, "source_id": identifier, "identifier": identifier}
        try:
            made = await self._api(_Made, "POST", "contacts", {"name": unnamed} | told | ours)
        except NotTaken:
            known = await self.known(identifier)
            if known is None:
                raise
            await self._api(_Nothing, "PUT", f"contacts/{known}", told)
            return known
        return made.payload.contact.id

    async def known(self, identifier: str) -> int | None:
        """The contact of this identifier; None where there is none."""
        found = await self._api(_Found, "GET", "contacts/search", query={"q": identifier})
        return next((each.id for each in found.payload if each.identifier == identifier), None)

    async def conversations(self, contact: int) -> Sequence[Conversation]:
        """Those of this contact in our inbox, the newest first."""
        ours = [each for each in await self._conversations(contact) if each.inbox_id == self._config.inbox]
        return sorted(ours, key=lambda each: each.id, reverse=True)

    async def has_no_other(self, contact: int, conversation: int) -> bool:
        """Whether this contact has no conversation but this one, in any inbox: somebody there may have merged them with another contact."""
        return all(each.id == conversation for each in await self._conversations(contact))

    async def _conversations(self, contact: int) -> Sequence[Conversation]:
        return (await self._api(_Conversations, "GET", f"contacts/{contact}/conversations")).payload

    # --- conversations

    async def begin(self, contact: int, source: str, attributes: Mapping[str, Any]) -> Conversation:
        """A new conversation of this contact; where the inbox has a bot it begins as pending."""
        body = {
            "inbox_id": self._config.inbox,
            "contact_id": contact,
            "source_id": source,
            "status": "pending",
            "custom_attributes": dict(attributes),
        }
        return await self._bot(Conversation, "POST", "conversations", body)

    async def conversation(self, conversation: int) -> Conversation:
        return await self._of(conversation, Conversation, "GET", "")

    async def set_status(self, conversation: int, status: Status) -> None:
        await self._of(conversation, _Nothing, "POST", "toggle_status", {"status": status}, bot=True)

    async def assign(self, conversation: int, person: int | None) -> None:
        await self._of(conversation, _Nothing, "POST", "assignments", {"assignee_id": person}, bot=True)

    async def set_attributes(self, conversation: int, attributes: Mapping[str, Any]) -> None:
        """All of them: what is not among these is gone."""
        await self._of(conversation, _Nothing, "POST", "custom_attributes", {"custom_attributes": dict(attributes)}, bot=True)

    async def set_labels(self, conversation: int, labels: Sequence[str]) -> None:
        """All of them; a label that the account does not have is left out by Chatwoot."""
        await self._of(conversation, _Nothing, "POST", "labels", {"labels": list(labels)})

    async def delete(self, conversation: int) -> None:
        """With all its messages; an administrator may (Chatwoot 4.4 and later)."""
        await self._of(conversation, _Nothing, "DELETE", "")

    async def delete_contact(self, contact: int) -> None:
        """With all their conversations. Raises PlaceGone where they are gone already."""
        try:
            await self._call(_Nothing, "DELETE", f"contacts/{contact}")
        except _Missing:
            raise PlaceGone(str(contact)) from None

    # --- messages

    async def say(
        self, conversation: int, text: str, *, incoming: bool = False, private: bool = False, answers: int = 0
    ) -> int:
        """The number of the new message: the contact's (`incoming`), or the bot's, as a note where it is private; `answers` is that of
        the message which it is shown in reply to, if any.
        """
        body: dict[str, Any] = {
            "content": text,
            "message_type": "incoming" if incoming else "outgoing",
            "private": private,
            "content_type": "text",
        }
        if answers:
            body["content_attributes"] = {"in_reply_to": answers}
        return (await self._of(conversation, _Numbered, "POST", "messages", body, bot=True)).id

    async def messages(self, conversation: int, after: int) -> Sequence[Message]:
        """Those with a greater number, oldest first, at most 100."""
        found = await self._of(conversation, _Messages, "GET", "messages", query={"after": str(after)})
        return sorted((each for each in found.payload if each.id > after), key=lambda each: each.id)

    async def mark(self, conversation: int, message: int, status: Literal["delivered", "failed"], error: str = "") -> None:
        """What became of a message, for the marks beside it."""
        body = {"status": status, **({"external_error": error} if error else {})}
        await self._of(conversation, _Nothing, "PATCH", f"messages/{message}", body)

    # --- people, and the inbox

    async def people(self) -> Sequence[Person]:
        return await self._api(list[Person], "GET", "agents")

    # --- requests

    async def _of(
        self,
        conversation: int,
        shape: type[_Shape],
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        bot: bool = False,
    ) -> _Shape:
        """Something of one conversation."""
        try:
            return await self._call(shape, method, f"conversations/{conversation}/{path}".rstrip("/"), body, query, bot=bot)
        except _Missing:
            raise PlaceGone(str(conversation)) from None

    async def _api(
        self,
        shape: type[_Shape],
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
    ) -> _Shape:
        try:
            return await self._call(shape, method, path, body, query)
        except _Missing:
            raise BridgeAway(_MISCONFIGURED_SECONDS, "404") from None

    async def _bot(self, shape: type[_Shape], method: str, path: str, body: Mapping[str, Any]) -> _Shape:
        try:
            return await self._call(shape, method, path, body, bot=True)
        except _Missing:
            raise BridgeAway(_MISCONFIGURED_SECONDS, "404") from None

    async def _call(
        self,
        shape: type[_Shape],
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        *,
        bot: bool = False,
    ) -> _Shape:
        headers = {"api_access_token": self._config.token if bot else self._config.api_token}
        answer = b""
        try:
            async with self._http.stream(method, path, json=body, params=query, headers=headers) as response:
                async for chunk in response.aiter_bytes():
                    answer += chunk
                    if len(answer) > _LARGEST_BYTES:
                        raise BridgeAway(why="too_large")
        except (httpx2.HTTPError, httpx2.StreamError) as fault:
            raise BridgeAway(why=type(fault).__name__) from None
        if response.is_success:
            return _read(shape, answer)
        raise _refused(response.status_code, response.headers.get("Retry-After"), answer)


class _Nothing(msgspec.Struct, frozen=True):
    """An answer whose body tells nothing that its status does not."""


class _Missing(Exception):
    """Chatwoot itself says that there is no such thing."""


def _read(shape: type[_Shape], answer: bytes) -> _Shape:
    if shape is _Nothing:
        return shape()
    try:
        return msgspec.json.decode(answer, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # A page of something between, or a Chatwoot that speaks otherwise.
        raise BridgeAway(why="unreadable") from None


def _refused(status: int, retry_after: str | None, answer: bytes) -> Exception:
    """The error that an answer is which is no success."""
    if status >= 500 or status in _PASSING:
        return BridgeAway(_seconds(retry_after), str(status))
    if status == 404:
        try:
            msgspec.json.decode(answer, type=_Fault)
        except (msgspec.DecodeError, UnicodeDecodeError):
            # Not Chatwoot's own: a proxy before it, while it is away.
            return BridgeAway(why="404")
        return _Missing()
    if status in (401, 403) or status < 400:
        return BridgeAway(_MISCONFIGURED_SECONDS, str(status))
    return NotTaken(str(status))


def _seconds(retry_after: str | None) -> float:
    """Retry-After, from a number or an HTTP date; 0 when it says nothing that can be read."""
    if retry_after is None:
        return 0.0
    if re.fullmatch(r"\d{1,9}", retry_after):
        return min(float(retry_after), _LONGEST_WAIT_SECONDS)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    if moment.tzinfo is None:
        return 0.0
    return min(max(0.0, math.ceil((moment - datetime.now(UTC)).total_seconds())), _LONGEST_WAIT_SECONDS)
