"""A strict Telegram for tests: the Bot API over real HTTP on loopback, with the people on its other side.

    async with FakeBotApi() as telegram:          # telegram.base is TELEGRAM_API_BASE, telegram.token the token
        budi = telegram.user("Budi")
        budi.starts()
        await budi.sees("Selamat datang")
        budi.presses("Setuju")

As the real one: updates wait for a poll or go to the webhook, one at a time for each chat's queue and for each person's queue of
button presses (so a text and a press of one person can overtake each other); a webhook that does not say 2xx gets the update
again; a method in its response is carried out, silently; two pollers, or a poller beside a webhook, get 409. It refuses whatever
`telegram_rules.py` knows to be wrong. Retry pauses are shortened, nothing else is.

Lives here: the server, its methods, the queues, scripted faults. People are in `telegram_people.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx2
import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.fakes import telegram_rules as rules
from tests.fakes.telegram_people import Chat, Group, User
from tests.fakes.telegram_rules import Refusal, bad

TOKEN = "7000000001:AAfake_token_of_nobody-0123456789abcde"
_NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)


@dataclass(frozen=True, slots=True)
class Called:
    """A method that the bot called. `response` when it stood in the response to a webhook."""

    method: str
    params: Mapping[str, Any]
    response: bool = False


@dataclass(slots=True)
class Fault:
    """What goes wrong with `times` calls of a method, `after` so many went well: an error answer, a connection that is cut, a wait.

    With `done` the connection is cut after the call was carried out. `page` is what a proxy answers in Telegram's stead, with its status.
    """

    method: str
    times: int = 1
    after: int = 0
    error: Refusal | None = None
    cut: bool = False
    done: bool = False
    held: asyncio.Event | None = None
    page: tuple[int, str] | None = None


@dataclass(slots=True)
class FloodControl:
    """Telegram's own limits, to the letter: at most 30 calls to chats in any second, and in a chat one a second after a short burst.

    `refused` counts the calls that broke them; `times` is when each call that was let through came, in seconds of the loop.
    """

    whole: int = 30
    chat_burst: int = 4
    refused: int = 0
    times: list[float] = field(default_factory=list)
    _chats: dict[int, float] = field(default_factory=dict)

    def check(self, chat: int) -> None:
        """Raises the 429 that Telegram would answer with."""
        now = asyncio.get_running_loop().time()
        full_again = max(self._chats.get(chat, now), now) + 1
        if full_again - now > self.chat_burst:
            self._refuse(full_again - now - self.chat_burst)
        if len(self.times) >= self.whole and now - self.times[-self.whole] < 1:
            self._refuse(1 - (now - self.times[-self.whole]))
        self._chats[chat] = full_again
        self.times.append(now)

    def _refuse(self, seconds: float) -> None:
        self.refused += 1
        retry_after = math.ceil(seconds)
        raise Refusal(429, f"Too Many Requests: retry after {retry_after}", retry_after=retry_after)


@dataclass(slots=True)
class Webhook:
    url: str
    secret: str
    max_connections: int


@dataclass(slots=True)
class Pending:
    """An update that the bot has not confirmed."""

    id: int
    queue: str
    update: dict[str, Any]


@dataclass(slots=True)
class Delivered:
    """One attempt to hand an update to the webhook. `status` is 0 where no answer came."""

    update_id: int
    status: int
    body: bytes = b""


@dataclass
class FakeBotApi:
    """See the module. `retry_unit` is what counts as Telegram's second between two attempts at a webhook, in seconds."""

    token: str = TOKEN
    username: str = "akses_uji_bot"
    retry_unit: float = 0.01
    calls: list[Called] = field(default_factory=list)
    delivered: list[Delivered] = field(default_factory=list)
    commands: dict[tuple[str, str], list[dict[str, str]]] = field(default_factory=dict)
    presented: dict[tuple[str, str], str] = field(default_factory=dict)  # ("MyName", language) and its like -> the words
    menu_button: dict[str, Any] = field(default_factory=lambda: {"type": "default"})
    webhook: Webhook | None = None
    allowed: list[str] = field(default_factory=list)
    flood_control: FloodControl | None = None
    slow_seconds: float = 0.0  # every answer takes so long
    group_minute: float = (
        0.0  # what counts as the minute in which a group takes 20 messages, in seconds; 0: it takes any number
    )
    floods: int = 0  # calls that a group did not take for that
    whispers: bool = True  # knows messages for one person alone; a server that is older overlooks what it does not know
    test: bool = False  # the test environment: a server of its own, at /bot<token>/test/<method>

    def __post_init__(self) -> None:
        self.bot: dict[str, Any] = {
            "id": int(self.token.partition(":")[0]),
            "is_bot": True,
            "first_name": "AKSes (uji)",
            "username": self.username,
        }
        self.pending: list[Pending] = []
        self._users: dict[int, User] = {}
        self._groups: dict[int, Group] = {}
        self._callbacks: dict[str, int] = {}
        self._faults: list[Fault] = []
        self._ids = itertools.count(500_001)
        self._new = asyncio.Event()
        self._poll: asyncio.Future[None] | None = None
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._served: asyncio.Task[None] | None = None

    # --- for the test: people and faults

    def user(self, name: str, *, id_: int | None = None, language: str = "id", phone: str = "6281234567890") -> User:
        """A new person, who has not written to the bot yet."""
        user = User(self, id_ or 900_000_000 + len(self._users) + 1, name, language, phone)
        self._users[user.id] = user
        return user

    def group(self, title: str, *, type_: str = "supergroup") -> Group:
        """A group, supergroup or channel with the bot in it."""
        group = Group(self, -1_000_000_000_000 - len(self._groups) - 1, title, type_)
        self._groups[group.chat.id] = group
        return group

    def forum(self, title: str) -> Group:
        """A group with topics, and the bot in it as an administrator who may manage them."""
        group = Group(self, -1_000_000_000_000 - len(self._groups) - 1, title, "supergroup", forum=True)
        self._groups[group.chat.id] = group
        return group

    def migrates(self, group: Group) -> Group:
        """The group becomes another one, as when a plain group gets topics; the old id says so for ever."""
        became = Group(self, group.chat.id - 1_000, group.chat.title, "supergroup", forum=True)
        self._groups[became.chat.id] = became
        group.moved_to = became.chat.id
        return became

    def flood(self, method: str, retry_after: int = 1, times: int = 1) -> None:
        """429 Too Many Requests."""
        error = Refusal(429, f"Too Many Requests: retry after {retry_after}", retry_after=retry_after)
        self._faults.append(Fault(method, times, error=error))

    def refuse(self, method: str, code: int, description: str, times: int = 1, after: int = 0) -> None:
        """Any error answer, in Telegram's words: 403 "Forbidden: bot was blocked by the user", 502 "Bad Gateway"..."""
        self._faults.append(Fault(method, times, after, Refusal(code, description)))

    def cut(self, method: str, times: int = 1) -> None:
        """The connection breaks before the answer; the call is not carried out."""
        self._faults.append(Fault(method, times, cut=True))

    def cut_after(self, method: str, times: int = 1) -> None:
        """The call is carried out, and then the connection breaks before the answer."""
        self._faults.append(Fault(method, times, cut=True, done=True))

    def page(self, method: str, status: int, html: str = "<html><body>nginx</body></html>", times: int = 1) -> None:
        """A proxy on the way answers with a page of its own; the call does not arrive."""
        self._faults.append(Fault(method, times, page=(status, html)))

    @contextlib.contextmanager
    def holding(self, method: str) -> Iterator[None]:
        """Calls of this method wait for their answer until the block is left."""
        fault = Fault(method, 1_000_000, held=asyncio.Event())
        self._faults.append(fault)
        try:
            yield
        finally:
            self._faults.remove(fault)
            assert fault.held is not None
            fault.held.set()

    def called(self, method: str) -> list[Called]:
        return [call for call in self.calls if call.method == method]

    def redeliver(self, update: Mapping[str, Any]) -> None:
        """Put an update of before on its way again, with the id it had: what a lost 200 leads to."""
        payload = dict(update)
        kind = next(key for key in payload if key != "update_id")
        self._enqueue(Pending(payload["update_id"], _queue_of(kind, payload[kind]), payload))

    # --- for the people's side

    def emit(self, kind: str, payload: dict[str, Any], queue: str) -> None:
        if self.allowed and kind not in self.allowed:
            return
        id_ = next(self._ids)
        self._enqueue(Pending(id_, queue, {"update_id": id_, kind: payload}))

    def new_callback(self, chat: int) -> str:
        callback = str(7_000_000_000_000 + len(self._callbacks) + 1)
        self._callbacks[callback] = chat
        return callback

    def callback_open(self, callback: str) -> bool:
        return self._callbacks[callback] != 0

    # --- the server

    async def __aenter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        path = "/bot{token}/test/{method}" if self.test else "/bot{token}/{method}"
        self.base = f"{self.base_url}/bot{{token}}/test" if self.test else self.base_url
        app = Starlette(routes=[Route(path, self._serve, methods=["GET", "POST"])])
        self._server = uvicorn.Server(
            uvicorn.Config(app, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=1)
        )
        self._http = httpx2.AsyncClient(timeout=30, trust_env=False, limits=httpx2.Limits(max_connections=100))
        self._served = asyncio.create_task(self._server.serve([listener]))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for fault in self._faults:
            if fault.held is not None:
                fault.held.set()
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)
        workers = list(self._workers.values())
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        self._server.should_exit = True
        assert self._served is not None
        await self._served
        await self._http.aclose()

    async def _serve(self, request: Request) -> Response:
        if request.path_params["token"] != self.token:
            return _answer(Refusal(401, "Unauthorized"))
        method = request.path_params["method"]
        if method not in rules.METHODS:
            return _answer(Refusal(404, "Not Found"))
        try:
            params = rules.parameters(method, await _given(request))
            self.calls.append(Called(method, params))
            if self.slow_seconds:
                await asyncio.sleep(self.slow_seconds)
            if self.flood_control is not None and "chat_id" in params:
                self.flood_control.check(params["chat_id"])
            fault = next((fault for fault in self._faults if fault.method == method), None)
            self._group_limit(method, params)
            if fault is not None and fault.after:
                fault.after -= 1
            elif fault is not None:
                fault.times -= 1
                if not fault.times:
                    self._faults.remove(fault)
                if fault.done:
                    await self._carry_out(method, params)
                if fault.cut:
                    return _Cut()
                if fault.page is not None:
                    return HTMLResponse(fault.page[1], fault.page[0])
                if fault.error is not None:
                    raise fault.error
                if fault.held is not None:
                    await fault.held.wait()
            return JSONResponse({"ok": True, "result": await self._carry_out(method, params)})
        except Refusal as refusal:
            return _answer(refusal)

    async def _carry_out(self, method: str, params: dict[str, Any]) -> Any:
        match method:
            case "getMe":
                return {
                    **self.bot,
                    "can_join_groups": True,
                    "can_read_all_group_messages": False,
                    "supports_inline_queries": False,
                }
            case "getUpdates":
                return await self._get_updates(params)
            case "setWebhook":
                return self._set_webhook(params)
            case "deleteWebhook":
                return self._set_webhook({"url": "", **params})
            case "getWebhookInfo":
                return self._webhook_info()
            case "sendMessage":
                return self._send(params)
            case "editMessageText" | "editMessageReplyMarkup":
                return self._edit(params)
            case "editEphemeralMessageText":
                return self._edit_whisper(params)
            case "createForumTopic":
                return self._create_topic(params)
            case "editForumTopic" | "closeForumTopic" | "reopenForumTopic":
                return self._change_topic(method, params)
            case "deleteForumTopic":
                group, topic = self._group(params), self._group(params).topic(params["message_thread_id"])
                if not group.deletes:
                    raise bad("not enough rights to delete messages")
                if topic is None:
                    raise bad("TOPIC_ID_INVALID")
                group.removes(topic.id)
                return True
            case "getForumTopicIconStickers":
                return [
                    {"emoji": emoji, "custom_emoji_id": id_, "type": "custom_emoji"} for emoji, id_ in rules.TOPIC_ICONS.items()
                ]
            case "getChat":
                return self._chat(params).describe()
            case "getChatMember":
                group = self._group(params)
                rights = {"can_manage_topics": group.manages_topics, "can_delete_messages": group.deletes}
                status = {"status": "administrator", **rights} if group.manages_topics else {"status": "member"}
                return {**status, "user": self.bot}
            case "deleteMessage" | "deleteMessages":
                return self._delete(params)
            case "answerCallbackQuery":
                return self._answer_callback(params)
            case "setMyCommands":
                rules.commands(params)
                self.commands[_menu(params)] = params["commands"]
                return True
            case "getMyCommands":
                return self.commands.get(_menu(params), [])
            case "deleteMyCommands":
                self.commands.pop(_menu(params), None)
                return True
            case "sendChatAction":
                rules.chat_action(params)
                self._chat(params).actions.append(params["action"])
                return True
            case "getMyName" | "getMyDescription" | "getMyShortDescription":
                what, code = method.removeprefix("get"), rules.language_code(params)
                # A language without words of its own shows those for all; a bot's name is at first what BotFather was told.
                first = self.bot["first_name"] if what == "MyName" else ""
                words = self.presented.get((what, code)) or self.presented.get((what, "")) or first
                return {rules.PRESENTED[what][0]: words}
            case "setMyName" | "setMyDescription" | "setMyShortDescription":
                what = method.removeprefix("set")
                code, words = rules.presented(what, params)
                self.presented[what, code] = words
                return True
            case "getChatMenuButton":
                return self.menu_button
            case "setChatMenuButton":
                self.menu_button = rules.menu_button(params.get("menu_button", {"type": "default"}))
                return True
            case _:
                return True

    # --- methods

    def _chat(self, params: Mapping[str, Any]) -> Chat:
        id_ = params["chat_id"]
        owner = self._users.get(id_) or self._groups.get(id_)
        if owner is None or not owner.chat.started:
            raise bad("chat not found")
        if isinstance(owner, Group) and owner.moved_to:
            raise Refusal(400, "Bad Request: group chat was upgraded to a supergroup chat", moved_to=owner.moved_to)
        if owner.chat.blocked:
            raise Refusal(403, "Forbidden: bot was blocked by the user")
        return owner.chat

    def _group(self, params: Mapping[str, Any]) -> Group:
        self._chat(params)
        if params["chat_id"] not in self._groups:
            raise bad("the chat is not a forum")
        return self._groups[params["chat_id"]]

    def _group_limit(self, method: str, params: Mapping[str, Any]) -> None:
        """A group takes 20 messages a minute, Telegram's own notes of a topic among them."""
        group = self._groups.get(params.get("chat_id", 0))
        notes = ("createForumTopic", "editForumTopic", "closeForumTopic", "reopenForumTopic")
        if group is None or not self.group_minute or method not in ("sendMessage", *notes):
            return
        now = asyncio.get_running_loop().time()
        group.sent_at = [at for at in group.sent_at if now - at < self.group_minute]
        if len(group.sent_at) >= 20:
            self.floods += 1
            wait = math.ceil(self.group_minute - (now - group.sent_at[0]))
            raise Refusal(429, f"Too Many Requests: retry after {wait}", retry_after=wait)
        group.sent_at.append(now)

    def _create_topic(self, params: Mapping[str, Any]) -> dict[str, Any]:
        group = self._group(params)
        if not group.chat.forum:
            raise bad("the chat is not a forum")
        if not group.manages_topics:
            raise bad("not enough rights to create a topic")
        topic = group.add_topic(
            rules.topic_name(params), params.get("icon_color", 0x6FB9F0), rules.topic_icon(params), by_bot=True
        )
        return {"message_thread_id": topic.id, "name": topic.name, "icon_color": topic.colour}

    def _change_topic(self, method: str, params: Mapping[str, Any]) -> bool:
        group = self._group(params)
        topic = group.topic(params["message_thread_id"])
        if not group.manages_topics:
            raise bad("not enough rights to manage topics")
        if topic is None:
            raise bad("TOPIC_ID_INVALID")
        now = (topic.name, topic.icon, topic.closed)
        if method == "editForumTopic":
            topic.name = params.get("name") or topic.name
            topic.icon = rules.topic_icon(params) if "icon_custom_emoji_id" in params else topic.icon
        else:
            topic.closed = method == "closeForumTopic"
        if now == (topic.name, topic.icon, topic.closed):
            raise bad("TOPIC_NOT_MODIFIED")
        group.chat.add("service", method, thread=topic.id)
        return True

    def _whisper(self, params: Mapping[str, Any], receiver: Mapping[str, Any], text: str) -> dict[str, Any]:
        user = self._users.get(receiver["receiver_user_id"])
        if params["chat_id"] not in self._groups or user is None:
            raise bad("USER_NOT_PARTICIPANT")
        if (callback := receiver.get("callback_query_id")) and not self._callbacks.get(callback):
            raise bad("query is too old and response timeout expired or query ID is invalid")
        number = len(user.whispers) + 1
        user.whispers[number] = text
        return {
            "message_id": 0,
            "ephemeral_message_id": number,
            "date": int(time.time()),
            "chat": self._chat(params).describe(),
        }

    def _edit_whisper(self, params: Mapping[str, Any]) -> bool:
        if not self.whispers:
            raise Refusal(404, "Not Found")
        user = self._users.get(params["receiver_user_id"])
        if user is None or params["ephemeral_message_id"] not in user.whispers:
            raise bad("message to edit not found")
        user.whispers[params["ephemeral_message_id"]] = rules.message_text(params)
        return True

    def _thread(self, params: Mapping[str, Any]) -> int:
        """The topic that a message goes to; 0 for General."""
        thread: int = params.get("message_thread_id", 0)
        if not thread:
            return 0
        group = self._groups.get(params["chat_id"])
        topic = group.topic(thread) if group is not None else None
        if group is None or topic is None:
            raise bad("message thread not found")
        if topic.closed and not group.manages_topics:
            raise bad("TOPIC_CLOSED")
        return thread

    def _send(self, params: Mapping[str, Any]) -> dict[str, Any]:
        text = rules.message_text(params)
        chat = self._chat(params)
        thread = self._thread(params)
        if (receiver := rules.ephemeral(params)) and self.whispers:
            return self._whisper(params, receiver, text)
        effect = rules.effect(params, private=chat.type == "private")
        markup = rules.markup(params["reply_markup"], private=chat.type == "private") if "reply_markup" in params else {}
        if "keyboard" in markup:
            chat.keyboard = [[{"text": b} if isinstance(b, str) else b for b in row] for row in markup["keyboard"]]
        elif "remove_keyboard" in markup:
            chat.keyboard = None
        message = chat.add(
            "bot",
            text,
            markup=markup,
            protected=params.get("protect_content", False),
            effect=effect,
            entities=params.get("entities", []),
            thread=thread,
            answers=params.get("reply_parameters", {}).get("message_id", 0),
        )
        return self._describe(chat, message.id)

    def _edit(self, params: Mapping[str, Any]) -> dict[str, Any]:
        chat = self._chat(params)
        message = chat.find(params["message_id"])
        if message is None:
            raise bad("message to edit not found")
        if message.author != "bot" or (message.markup and "inline_keyboard" not in message.markup):
            raise bad("message can't be edited")
        text = rules.message_text(params) if "text" in params else message.text
        private = chat.type == "private"
        markup = rules.markup(params["reply_markup"], private=private, inline_only=True) if "reply_markup" in params else {}
        if (text, markup.get("inline_keyboard", [])) == (message.text, message.rows):
            raise bad(_NOT_MODIFIED)
        message.text, message.markup, message.edited = text, markup, True
        chat.touch(message)
        return self._describe(chat, message.id)

    def _delete(self, params: Mapping[str, Any]) -> bool:
        chat = self._chat(params)
        ids = params["message_ids"] if "message_ids" in params else [params["message_id"]]
        if not isinstance(ids, list) or not 1 <= len(ids) <= 100 or not all(type(id_) is int for id_ in ids):
            raise bad("message identifiers are not specified")
        found = [message for id_ in ids if (message := chat.find(id_)) is not None]
        if any(message.date < time.time() - rules.CAN_DELETE_SECONDS for message in found):
            # One that is too old keeps all of them.
            raise bad("message can't be deleted for everyone")
        if "message_id" in params and not found:
            raise bad("message to delete not found")
        for message in found:
            message.deleted = True
            chat.touch(message)
        return True

    def _answer_callback(self, params: Mapping[str, Any]) -> bool:
        chat = self._callbacks.get(params["callback_query_id"], 0)
        if not chat:
            raise bad("query is too old and response timeout expired or query ID is invalid")
        if rules.units(params.get("text", "")) > 200:
            raise bad("MESSAGE_TOO_LONG")
        self._callbacks[params["callback_query_id"]] = 0
        if (person := self._users.get(chat)) is not None and params.get("text"):
            person.alerts.append(params["text"])
        if (user := self._users.get(chat)) is not None and user.chat.messages:
            user.chat.touch(user.chat.messages[-1])
        return True

    def _describe(self, chat: Chat, id_: int) -> dict[str, Any]:
        message = chat.messages[id_ - 1]
        described = {
            "message_id": id_,
            "from": self.bot,
            "chat": chat.describe(),
            "date": message.date,
            "text": message.text,
        }
        if message.rows:
            described["reply_markup"] = message.markup
        if message.thread:
            described |= {"message_thread_id": message.thread, "is_topic_message": True}
        if message.protected:
            described["has_protected_content"] = True
        return described

    # --- updates by polling

    async def _get_updates(self, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        if self.webhook is not None:
            raise Refusal(
                409,
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
            )
        if not 1 <= (limit := params.get("limit", 100)) <= 100:
            raise bad("limit must be between 1 and 100")
        if "allowed_updates" in params:
            rules.allowed_updates(params["allowed_updates"])
            self.allowed = params["allowed_updates"]
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._poll = mine
        self.pending = [each for each in self.pending if each.id >= params.get("offset", 0)]
        loop = asyncio.get_running_loop()
        until = loop.time() + params.get("timeout", 0)
        while not self.pending and (left := until - loop.time()) > 0:
            self._new.clear()
            came: asyncio.Future[Any] = asyncio.ensure_future(self._new.wait())
            ends: set[asyncio.Future[Any]] = {came, mine}
            await asyncio.wait(ends, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            came.cancel()
            if mine.done():
                raise Refusal(
                    409, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
                )
        mine.cancel()
        return [each.update for each in self.pending[:limit]]

    # --- updates by webhook

    def _webhook_info(self) -> dict[str, Any]:
        info = {"url": "", "has_custom_certificate": False, "pending_update_count": len(self.pending)}
        if self.webhook is None:
            return info
        more = {"url": self.webhook.url, "max_connections": self.webhook.max_connections, "allowed_updates": self.allowed}
        if failed := next((each for each in reversed(self.delivered) if not 200 <= each.status < 300), None):
            words = f"Wrong response from the webhook: {failed.status}" if failed.status else "Connection refused"
            more |= {"last_error_date": int(time.time()), "last_error_message": words}
        return info | more

    def _set_webhook(self, params: Mapping[str, Any]) -> bool:
        rules.webhook(params)
        if params.get("drop_pending_updates"):
            self.pending.clear()
        if not params["url"]:
            self.webhook = None
            return True
        if "allowed_updates" in params:
            self.allowed = params["allowed_updates"]
        self.webhook = Webhook(params["url"], params.get("secret_token", ""), params.get("max_connections", 40))
        for each in self.pending:
            self._work(each.queue)
        return True

    def _enqueue(self, pending: Pending) -> None:
        self.pending.append(pending)
        self.pending.sort(key=lambda each: each.id)
        self._new.set()
        if self.webhook is not None:
            self._work(pending.queue)

    def _work(self, queue: str) -> None:
        if queue not in self._workers:
            self._workers[queue] = asyncio.create_task(self._push(queue))

    async def _push(self, queue: str) -> None:
        """Hand one queue's updates to the webhook, one after the other."""
        try:
            while (webhook := self.webhook) and (mine := [each for each in self.pending if each.queue == queue]):
                attempt = 0
                while not await self._hand_over(webhook, mine[0]):
                    pause = 0 if attempt == 0 else min(2**attempt, 60)
                    attempt += 1
                    await asyncio.sleep(pause * self.retry_unit)
                    if (webhook := self.webhook) is None:
                        return
                self.pending.remove(mine[0])
        finally:
            del self._workers[queue]

    async def _hand_over(self, webhook: Webhook, pending: Pending) -> bool:
        headers = {"content-type": "application/json"}
        if webhook.secret:
            headers["X-Telegram-Bot-Api-Secret-Token"] = webhook.secret
        try:
            response = await self._http.post(webhook.url, content=msgspec.json.encode(pending.update), headers=headers)
        except httpx2.HTTPError:
            self.delivered.append(Delivered(pending.id, 0))
            return False
        self.delivered.append(Delivered(pending.id, response.status_code, response.content))
        if not response.is_success:
            return False
        if response.content:
            await self._carry_out_response(response.headers.get("content-type", ""), response.content)
        return True

    async def _carry_out_response(self, content_type: str, body: bytes) -> None:
        """What stands in the response is carried out; nobody learns what came of it, but `calls` shows what was asked."""
        assert content_type.startswith("application/json"), f"a response of type {content_type!r} is not read"
        given = msgspec.json.decode(body, type=dict[str, Any])
        if not (method := given.pop("method", "")):
            return  # aiogram's handler says {} where it has nothing to say
        if method.startswith("get") or method in rules.NOT_IN_A_RESPONSE:
            return
        params = rules.parameters(method, given)
        self.calls.append(Called(method, params, response=True))
        with contextlib.suppress(Refusal):
            await self._carry_out(method, params)


class _Cut(Response):
    """Begins an answer and never ends it, so that the server closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})


async def _given(request: Request) -> dict[str, Any]:
    kind = request.headers.get("content-type", "")
    if kind.startswith("application/json"):
        try:
            return msgspec.json.decode(await request.body(), type=dict[str, Any])
        except msgspec.MsgspecError:
            raise bad("can't parse JSON object") from None
    if kind.startswith(("application/x-www-form-urlencoded", "multipart/form-data")):
        return dict(await request.form())
    return dict(request.query_params)


def _answer(refusal: Refusal) -> Response:
    body: dict[str, Any] = {"ok": False, "error_code": refusal.code, "description": refusal.description}
    if refusal.retry_after:
        body["parameters"] = {"retry_after": refusal.retry_after}
    if refusal.moved_to:
        body["parameters"] = {"migrate_to_chat_id": refusal.moved_to}
    return JSONResponse(body, refusal.code)


def _menu(params: Mapping[str, Any]) -> tuple[str, str]:
    return params.get("scope", {"type": "default"})["type"], params.get("language_code", "")


def _queue_of(kind: str, payload: Mapping[str, Any]) -> str:
    return f"callback {payload['from']['id']}" if kind == "callback_query" else str(payload["chat"]["id"])
