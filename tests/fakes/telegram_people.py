"""The people's side of the fake Telegram: what a user does, and the chat as the user sees it.

Lives here: chats, messages, users, groups. Must not live here: methods and queues (`bot_api.py`) or the Bot API's rules
(`telegram_rules.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from urllib.parse import quote

from tests.fakes import telegram_rules as rules
from tests.fakes.telegram_launch import launch

PATIENCE = 10.0  # seconds before an awaited message is a failed test
Sends = Literal["photo", "voice", "video", "sticker", "location", "document", "poll"]
_CONTENT: dict[Sends, Any] = {
    "photo": [{"file_id": "f1", "file_unique_id": "u1", "width": 90, "height": 90}],
    "voice": {"file_id": "f2", "file_unique_id": "u2", "duration": 2},
    "video": {"file_id": "f3", "file_unique_id": "u3", "width": 90, "height": 90, "duration": 2},
    "sticker": {
        "file_id": "f4",
        "file_unique_id": "u4",
        "type": "regular",
        "width": 512,
        "height": 512,
        "is_animated": False,
        "is_video": False,
    },
    "location": {"latitude": -6.2, "longitude": 106.8},
    "document": {"file_id": "f5", "file_unique_id": "u5"},
    "poll": {
        "id": "1",
        "question": "?",
        "options": [],
        "total_voter_count": 0,
        "is_closed": False,
        "is_anonymous": True,
        "type": "regular",
        "allows_multiple_answers": False,
        "allows_revoting": False,
        "members_only": False,
    },
}


class Telegram(Protocol):
    """What people need of the fake server."""

    bot: dict[str, Any]
    token: str

    def emit(self, kind: str, payload: dict[str, Any], queue: str) -> None:
        """Queue an update for the bot."""

    def new_callback(self, chat: int) -> str:
        """A callback query's id that waits for answerCallbackQuery."""

    def callback_open(self, callback: str) -> bool:
        """Whether the button's spinner still turns."""


@dataclass
class ChatMessage:
    """A message as it stands in the chat now."""

    id: int
    author: Literal["bot", "person", "service"]
    text: str
    markup: dict[str, Any] = field(default_factory=dict)
    protected: bool = False
    edited: bool = False
    deleted: bool = False
    effect: str = ""
    entities: list[dict[str, Any]] = field(default_factory=list)
    thread: int = 0  # the topic's id, in a group with topics
    answers: int = 0  # the message that it replies to
    changed: int = 0  # the chat's change number that touched it last
    date: int = field(default_factory=lambda: int(time.time()))

    @property
    def rows(self) -> list[list[dict[str, Any]]]:
        """The inline buttons."""
        rows: list[list[dict[str, Any]]] = self.markup.get("inline_keyboard", [])
        return rows

    @property
    def buttons(self) -> list[str]:
        """The labels of the inline buttons."""
        return [button["text"] for row in self.rows for button in row]


class Chat:
    """One chat with the bot. `keyboard` is what stands under the input field, None where nothing does."""

    def __init__(self, id_: int, type_: str, title: str) -> None:
        self.id = id_
        self.type = type_
        self.title = title
        self.messages: list[ChatMessage] = []
        self.keyboard: list[list[dict[str, Any]]] | None = None
        self.blocked = False
        self.actions: list[str] = []  # what sendChatAction showed
        self.started = type_ != "private"  # a bot cannot begin a private chat
        self.forum = False
        self.changes = 0
        self._changed = asyncio.Condition()

    def describe(self) -> dict[str, Any]:
        name = {"first_name": self.title} if self.type == "private" else {"title": self.title}
        return {"id": self.id, "type": self.type, **name, **({"is_forum": True} if self.forum else {})}

    def add(self, author: Literal["bot", "person", "service"], text: str, **more: Any) -> ChatMessage:
        message = ChatMessage(len(self.messages) + 1, author, text, **more)
        self.messages.append(message)
        self.touch(message)
        return message

    def touch(self, message: ChatMessage) -> None:
        """Something the person can see has changed."""
        self.changes += 1
        message.changed = self.changes
        asyncio.get_running_loop().call_soon(asyncio.ensure_future, self._tell())

    def find(self, id_: int) -> ChatMessage | None:
        message = self.messages[id_ - 1] if 0 < id_ <= len(self.messages) else None
        return None if message is None or message.deleted else message

    @property
    def visible(self) -> list[ChatMessage]:
        return [message for message in self.messages if not message.deleted]

    async def until(self, seen: Callable[[], ChatMessage | None], what: str) -> ChatMessage:
        """Wait until `seen` finds its message. Fails the test with the whole chat after PATIENCE."""
        async with self._changed:
            try:
                async with asyncio.timeout(PATIENCE):
                    while (found := seen()) is None:
                        await self._changed.wait()
            except TimeoutError:
                raise AssertionError(f"{what} did not come; the chat:\n{self.transcript()}") from None
            return found

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def transcript(self) -> str:
        """The chat as it stands, for golden files too: `<` the bot, `>` the person, buttons in brackets, a row a line."""
        lines = []
        for message in self.visible:
            sign = "<" if message.author == "bot" else ">"
            marks = " (edited)" * message.edited + " (protected)" * message.protected + " (effect)" * bool(message.effect)
            first, *rest = message.text.split("\n")
            lines.append(f"{sign} {first}{marks}")
            lines += [f"  {line}".rstrip() for line in rest]
            lines += ["  " + " ".join(_bracketed(button) for button in row) for row in message.rows]
        if self.keyboard is not None:
            lines += ["= " + " ".join(_bracketed(button) for button in row) for row in self.keyboard]
        return "\n".join(lines)


def _bracketed(button: dict[str, Any]) -> str:
    return f"[{button['text']}{' -> ' + button['url'] if 'url' in button else ''}]"


class User:
    """A person with a phone. Each verb puts one update on its way to the bot and returns without waiting for the answer."""

    def __init__(self, telegram: Telegram, id_: int, name: str, language: str, phone: str) -> None:
        self.id = id_
        self.name = name
        self.language = language
        self.phone = phone
        self.chat = Chat(id_, "private", name)
        self.alerts: list[str] = []  # what answerCallbackQuery showed to this person alone
        self.whispers: dict[int, str] = {}  # messages in groups that this person alone sees
        self._telegram = telegram
        self._acted_at = 0

    def describe(self) -> dict[str, Any]:
        return {"id": self.id, "is_bot": False, "first_name": self.name, "language_code": self.language}

    # --- what the person does

    def starts(self, payload: str = "") -> int:
        """Press START, or open a deep link."""
        rules.start_payload(payload)
        return self.says(f"/start {payload}".rstrip())

    def says(self, text: str, *, answers: int = 0) -> int:
        """Send a text, in reply to the message `answers` if any; the id of the message."""
        command = text.startswith("/") and {
            "entities": [{"type": "bot_command", "offset": 0, "length": len(text.split(maxsplit=1)[0])}]
        }
        return self._message(text, {"text": text, **(command or {}), **self._in_reply_to(answers)})

    def edits(self, message: int, text: str) -> None:
        """Edit an earlier message of their own."""
        found = self._existing(message)
        found.text, found.edited = text, True
        self._acted()
        self._telegram.emit("edited_message", self._payload(found, {"text": text, "edit_date": int(time.time())}), str(self.id))

    def sends(self, kind: Sends) -> int:
        """Send something that is not text."""
        return self._message(f"({kind})", {kind: _CONTENT[kind]})

    def shares_contact(self, *, own: bool = True, forwarded: bool = False, phone: str = "") -> int:
        """Share a contact card: one's own, a friend's, or a forwarded one. As in Telegram, the number may lack its plus."""
        contact: dict[str, Any] = {"phone_number": phone or self.phone, "first_name": self.name}
        contact["user_id"] = self.id if own else self.id + 1
        more = {"forward_origin": {"type": "user", "date": 1, "sender_user": self.describe()}} if forwarded else {}
        return self._message("(contact)", {"contact": contact, **more})

    def presses(self, label: str, *, message: int | None = None) -> str:
        """Press the newest visible button of this label (or an older `message`'s); the callback query's id, "" for a keyboard's."""
        for row in self.chat.keyboard or []:
            for button in row:
                if button["text"] == label and message is None:
                    self.shares_contact() if button.get("request_contact") else self.says(label)
                    return ""
        shown = [self._existing(message)] if message is not None else reversed(self.chat.visible)
        for each in shown:
            for button in (button for row in each.rows for button in row):
                if button["text"] == label and "callback_data" in button:
                    return self._callback(each, button["callback_data"])
        raise AssertionError(f"there is no button {label!r}; the chat:\n{self.chat.transcript()}")

    def opens(self, label: str) -> str:
        """Press the newest visible button of this label that opens a page inside the chat; the page's address as Telegram opens it."""
        for each in reversed(self.chat.visible):
            for button in (button for row in each.rows for button in row):
                if button["text"] == label and "web_app" in button:
                    data = quote(launch(self.id, token=self._telegram.token), safe="")
                    return f"{button['web_app']['url']}#tgWebAppData={data}&tgWebAppVersion=9.1&tgWebAppPlatform=android"
        raise AssertionError(f"there is no page {label!r}; the chat:\n{self.chat.transcript()}")

    def presses_data(self, message: int, data: str) -> str:
        """Press a button whose data is made up: what a client that does not play by the rules can do."""
        return self._callback(self._existing(message), data)

    def blocks(self) -> None:
        """Stop the bot."""
        self.chat.blocked = True
        self._member("member", "kicked")

    def unblocks(self) -> None:
        self.chat.blocked = False
        self._member("kicked", "member")

    # --- what the person sees

    async def sees(self, text: str) -> ChatMessage:
        """Wait for a message of the bot, new or changed since the person's last act, that holds this text."""
        return await self.chat.until(lambda: self._seen(text), repr(text))

    async def sees_no_spinner(self, callback: str) -> None:
        """Wait until the pressed button has been answered."""

        def answered() -> ChatMessage | None:
            return None if self._telegram.callback_open(callback) else self.chat.messages[-1]

        await self.chat.until(answered, f"the answer to callback query {callback}")

    @property
    def answers(self) -> list[ChatMessage]:
        """The visible messages of the bot, oldest first."""
        return [message for message in self.chat.visible if message.author == "bot"]

    def _seen(self, text: str) -> ChatMessage | None:
        for message in reversed(self.answers):
            if message.changed > self._acted_at and text in message.text:
                return message
        return None

    def _acted(self) -> None:
        self._acted_at = self.chat.changes

    def _existing(self, id_: int) -> ChatMessage:
        found = self.chat.find(id_)
        assert found is not None, f"message {id_} is not in the chat"
        return found

    def _in_reply_to(self, answers: int) -> dict[str, Any]:
        if not answers:
            return {}
        found = self._existing(answers)
        by = self._telegram.bot if found.author == "bot" else self.describe()
        told = {"message_id": found.id, "from": by, "chat": self.chat.describe(), "date": found.date, "text": found.text}
        return {"reply_to_message": told}

    def _payload(self, message: ChatMessage, content: dict[str, Any]) -> dict[str, Any]:
        return {
            "message_id": message.id,
            "from": self.describe(),
            "chat": self.chat.describe(),
            "date": message.date,
            **content,
        }

    def _message(self, text: str, content: dict[str, Any]) -> int:
        self.chat.started = True
        message = self.chat.add("person", text)
        self._acted()
        self._telegram.emit("message", self._payload(message, content), str(self.id))
        return message.id

    def _callback(self, message: ChatMessage, data: str) -> str:
        self._acted()
        callback = self._telegram.new_callback(self.id)
        carrier = {
            "message_id": message.id,
            "from": self._telegram.bot,
            "chat": self.chat.describe(),
            "date": message.date,
            "text": message.text,
            "reply_markup": message.markup,
        }
        query = {"id": callback, "from": self.describe(), "message": carrier, "chat_instance": "1", "data": data}
        self._telegram.emit("callback_query", query, f"callback {self.id}")
        return callback

    def _member(self, old: str, new: str) -> None:
        extra = {"kicked": {"until_date": 0}, "member": {}}
        self._telegram.emit(
            "my_chat_member",
            {
                "chat": self.chat.describe(),
                "from": self.describe(),
                "date": int(time.time()),
                "old_chat_member": {"user": self._telegram.bot, "status": old, **extra[old]},
                "new_chat_member": {"user": self._telegram.bot, "status": new, **extra[new]},
            },
            str(self.id),
        )


@dataclass
class Topic:
    """A topic of a group, by the id of the service message that made it."""

    id: int
    name: str
    colour: int = 0
    icon: str = ""
    closed: bool = False
    deleted: bool = False
    by_bot: bool = False


class Group:
    """A chat where others read along. With `forum` it has topics, and `manages_topics` says whether the bot may make them, `deletes`
    whether it may delete what others wrote.
    """

    def __init__(self, telegram: Telegram, id_: int, title: str, type_: str, *, forum: bool = False) -> None:
        self.chat = Chat(id_, type_, title)
        self.chat.forum = forum
        self.topics: dict[int, Topic] = {}
        self.manages_topics = forum
        self.deletes = forum
        self.moved_to = 0
        self.sent_at: list[float] = []  # when the bot's messages of the last minute came
        self._telegram = telegram

    def hears(self, user: User, text: str, *, topic: int = 0, answers: int = 0, **more: Any) -> int:
        """A member says something, in General or in a topic, in answer to a message or not."""
        message = self.chat.add("person", text, thread=topic, answers=answers)
        self._telegram.emit("message", self._payload(user, message, {"text": text, **more}), str(self.chat.id))
        return message.id

    def gets(self, user: User, kind: Sends, *, topic: int) -> int:
        """A member sends something that is not text."""
        message = self.chat.add("person", f"({kind})", thread=topic)
        self._telegram.emit("message", self._payload(user, message, {kind: _CONTENT[kind]}), str(self.chat.id))
        return message.id

    def hears_changed(self, user: User, message: int, text: str) -> None:
        """A member edits what they said."""
        found = self.chat.find(message)
        assert found is not None
        found.text, found.edited = text, True
        self.chat.touch(found)
        content = {"text": text, "edit_date": int(time.time())}
        self._telegram.emit("edited_message", self._payload(user, found, content), str(self.chat.id))

    def presses(self, user: User, label: str, *, topic: int) -> str:
        """A member presses the newest button of this label in a topic; the callback query's id."""
        for each in reversed(self.said(topic)):
            for button in (button for row in each.rows for button in row):
                if button["text"] == label and "callback_data" in button:
                    return self._callback(user, each, button["callback_data"])
        raise AssertionError(f"there is no button {label!r}; the topic:\n{self.reads(topic)}")

    def _callback(self, user: User, message: ChatMessage, data: str) -> str:
        callback = self._telegram.new_callback(user.id)
        carrier = {
            "message_id": message.id,
            "from": self._telegram.bot,
            "chat": self.chat.describe(),
            "date": message.date,
            "text": message.text,
            "reply_markup": message.markup,
            **_topic_of(message),
        }
        query = {"id": callback, "from": user.describe(), "message": carrier, "chat_instance": "1", "data": data}
        self._telegram.emit("callback_query", query, f"callback {user.id}")
        return callback

    def _payload(self, user: User, message: ChatMessage, content: dict[str, Any]) -> dict[str, Any]:
        replied = (
            message.answers or message.thread
        )  # in a topic Telegram names its first message where nothing else was answered
        answered = self.chat.messages[replied - 1] if replied else None
        of_bot = answered is not None and (
            answered.author == "bot" or (answered.id in self.topics and self.topics[answered.id].by_bot)
        )
        who = self._telegram.bot if of_bot else {"id": 1, "is_bot": False, "first_name": "Admin"}
        reply = (
            {"reply_to_message": {"message_id": replied, "from": who, "date": 1, "chat": self.chat.describe()}}
            if replied
            else {}
        )
        return {
            "message_id": message.id,
            "from": user.describe(),
            "chat": self.chat.describe(),
            "date": message.date,
            **_topic_of(message),
            **reply,
            **content,
        }

    # --- topics

    def topic(self, id_: int) -> Topic | None:
        found = self.topics.get(id_)
        return None if found is None or found.deleted else found

    def add_topic(self, name: str, colour: int, icon: str, *, by_bot: bool = False) -> Topic:
        message = self.chat.add("service", f"topic {name}")
        message.thread = message.id
        self.topics[message.id] = topic = Topic(message.id, name, colour, icon, by_bot=by_bot)
        return topic

    def removes(self, topic: int) -> None:
        """An admin deletes a topic with all that stands in it."""
        self.topics[topic].deleted = True
        for each in self.chat.messages:
            if each.thread == topic:
                each.deleted = True

    def closes(self, user: User, topic: int) -> None:
        """An admin closes a topic by hand."""
        self.topics[topic].closed = True
        message = self.chat.add("service", "closed", thread=topic)
        self._telegram.emit("message", self._payload(user, message, {"forum_topic_closed": {}}), str(self.chat.id))

    def said(self, topic: int) -> list[ChatMessage]:
        """What stands in a topic, without Telegram's own notes."""
        return [each for each in self.chat.visible if each.thread == topic and each.author != "service"]

    def reads(self, topic: int) -> str:
        return "\n".join(each.text for each in self.said(topic))

    @property
    def answers(self) -> list[ChatMessage]:
        return [message for message in self.chat.visible if message.author == "bot"]

    async def sees(self, text: str) -> ChatMessage:
        return await self.chat.until(lambda: next((each for each in self.answers if text in each.text), None), repr(text))


def _topic_of(message: ChatMessage) -> dict[str, Any]:
    return {"message_thread_id": message.thread, "is_topic_message": True} if message.thread else {}
