"""What Telegram says and how our messages look there, written once: update bytes -> `Update`, `Message` -> Bot API calls.

Lives here: pure translation, no I/O, no framework, no state. Must not live here: receiving (`webhook.py`, `polling.py`),
sending (`aiogram_binding.py`), or what an answer comes to (`dialogs/`). Facts: https://core.telegram.org/bots/api (10.3).
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from bot.channels.lengths import split, units
from dialogs.effects import DeleteUserMessages, Message, Redraw, Say, Show
from dialogs.events import (
    ButtonPressed,
    CommandSent,
    ContactShared,
    Event,
    MediaKind,
    MediaSent,
    MessageEdited,
    Started,
    TextSent,
)
from dialogs.screens import Action, Moment, Screen
from dialogs.texts import Language

ALLOWED_UPDATES: Final = (
    "message",
    "edited_message",
    "callback_query",
    "my_chat_member",
)
TEXT_UNITS: Final = 4096  # UTF-16 code units in a message's text
DELETE_AT_ONCE: Final = 100  # ids in one deleteMessages
SHORT_LABEL: Final = 16  # characters: two buttons of at most this fit side by side on a phone
# One of the six message effects that any bot may use; the Bot API lists none, MTProto's messages.getAvailableEffects does.
PARTY: Final = "5046509860389126442"
PHONE_EXAMPLE: Final = "0812-3456-7890"  # what the empty input field shows where a phone number is asked for
OURS: Final = "akses:"  # how the data of our buttons begins, in a bot that has others as well
CHECK_MARK: Final = "\N{CHECK MARK}"  # says "taken" in every language

# ---------------------------------------------------------------------------------------------------------- what comes in


class FromPerson(msgspec.Struct, frozen=True, gc=False):
    """Something that a person did in their private chat. `event` is None where there is nothing to do but to acknowledge.

    `callback` is the id to give answerCallbackQuery, or "". `language` is a hint, None where Telegram gives none.
    """

    update_id: int
    chat: int
    event: Event | None
    callback: str = ""
    language: Language | None = None


class InGroup(msgspec.Struct, frozen=True, gc=False):
    """Something said where others read along; nothing of it is kept. `invite` when the bot was called by name or command."""

    update_id: int
    chat: int
    message: int
    invite: bool
    callback: str = ""
    language: Language | None = None


class Reachable(msgspec.Struct, frozen=True, gc=False):
    """The person unblocked (`yes`) or blocked the bot."""

    update_id: int
    chat: int
    yes: bool


class FromDesk(msgspec.Struct, frozen=True, gc=False):
    """Something in the helpdesk's own group, whatever it is; its bridge reads `body` itself."""

    update_id: int
    chat: int
    body: bytes


Update = FromPerson | InGroup | Reachable | FromDesk


class _User(msgspec.Struct, gc=False):
    id: int
    is_bot: bool = False
    language_code: str | None = None


class _Chat(msgspec.Struct, gc=False):
    id: int
    type: str = ""


class _Contact(msgspec.Struct, gc=False):
    phone_number: str = ""
    user_id: int | None = None


class _Replied(msgspec.Struct, gc=False):
    message_id: int


_ABSENT: Final = msgspec.Raw()


class _Message(msgspec.Struct, gc=False):
    message_id: int
    chat: _Chat
    sender: _User | None = msgspec.field(name="from", default=None)
    text: str | None = None
    contact: _Contact | None = None
    reply_to_message: _Replied | None = None
    forward_origin: msgspec.Raw = _ABSENT
    photo: msgspec.Raw = _ABSENT
    voice: msgspec.Raw = _ABSENT
    video: msgspec.Raw = _ABSENT
    video_note: msgspec.Raw = _ABSENT
    animation: msgspec.Raw = _ABSENT
    sticker: msgspec.Raw = _ABSENT
    location: msgspec.Raw = _ABSENT
    document: msgspec.Raw = _ABSENT
    pinned_message: msgspec.Raw = _ABSENT
    message_auto_delete_timer_changed: msgspec.Raw = _ABSENT
    write_access_allowed: msgspec.Raw = _ABSENT
    chat_background_set: msgspec.Raw = _ABSENT
    forum_topic_created: msgspec.Raw = _ABSENT
    forum_topic_edited: msgspec.Raw = _ABSENT
    forum_topic_closed: msgspec.Raw = _ABSENT
    forum_topic_reopened: msgspec.Raw = _ABSENT


class _CallbackQuery(msgspec.Struct, gc=False):
    id: str
    sender: _User = msgspec.field(name="from")
    message: _Message | None = None
    data: str | None = None


class _Member(msgspec.Struct, gc=False):
    status: str = ""


class _MemberUpdated(msgspec.Struct, gc=False):
    chat: _Chat
    new_chat_member: _Member


class _Update(msgspec.Struct, gc=False):
    update_id: int
    message: _Message | None = None
    edited_message: _Message | None = None
    callback_query: _CallbackQuery | None = None
    my_chat_member: _MemberUpdated | None = None


_decode = msgspec.json.Decoder(_Update).decode
_COMMAND: Final = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@([A-Za-z0-9_]{3,32}))?(?:\s+(.*))?", re.DOTALL)
_GROUP_COMMANDS: Final = frozenset({"start", "daftar"})
# An animation comes with `document` as well, so the narrower word is looked for first.
_MEDIA: Final[tuple[tuple[str, MediaKind], ...]] = (
    ("photo", "photo"),
    ("voice", "voice"),
    ("video", "video"),
    ("video_note", "video"),
    ("animation", "video"),
    ("sticker", "sticker"),
    ("location", "location"),
    ("document", "document"),
)
# Telegram's own notes about the chat, nothing that the person said. What is unknown counts as said: nobody shall meet silence.
_SERVICE: Final = (
    "pinned_message",
    "message_auto_delete_timer_changed",
    "write_access_allowed",
    "chat_background_set",
    "forum_topic_created",
    "forum_topic_edited",
    "forum_topic_closed",
    "forum_topic_reopened",
)


def read_update(body: bytes, username: str = "", desk: int = 0) -> Update | None:
    """What an update says. None for one that is unreadable or of no concern; never raises.

    `username` is the bot's own, without "@": a command addressed to another bot is nobody's business here. `desk` is the helpdesk's group.
    """
    try:
        update = _decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if (message := update.message) is not None:
        if message.chat.type == "private":
            return FromPerson(
                update.update_id,
                message.chat.id,
                _said(message, username),
                "",
                _language(message.sender),
            )
        if message.chat.id == desk:
            return FromDesk(update.update_id, desk, body)
        return _in_group(update.update_id, message, username)
    if (query := update.callback_query) is not None:
        if desk and query.message is not None and query.message.chat.id == desk:
            return FromDesk(update.update_id, desk, body)
        return _pressed(update.update_id, query)
    if (message := update.edited_message) is not None and message.chat.type == "private" and message.text is not None:
        event = MessageEdited(str(message.message_id), message.text)
        return FromPerson(update.update_id, message.chat.id, event, "", _language(message.sender))
    if message is not None and message.chat.id == desk:
        return FromDesk(update.update_id, desk, body)
    if (member := update.my_chat_member) is not None and member.chat.type == "private":
        return Reachable(update.update_id, member.chat.id, member.new_chat_member.status == "member")
    return None


def _language(user: _User | None) -> Language | None:
    if user is None or not user.language_code:
        return None
    return "en" if user.language_code.lower().partition("-")[0] == "en" else "id"


def _said(message: _Message, username: str) -> Event | None:
    text, id_ = message.text, str(message.message_id)
    if text is not None:
        if text.startswith("/") and (command := _COMMAND.fullmatch(text.rstrip())):
            name, bot, argument = command[1].lower(), command[2], command[3] or ""
            if bot and username and bot.lower() != username.lower():
                return None
            return Started(argument) if name == "start" else CommandSent(name, argument)
        return TextSent(text, id_, _answers(message))
    if (contact := message.contact) is not None:
        own = contact.user_id is not None and message.sender is not None and contact.user_id == message.sender.id
        return ContactShared(contact.phone_number, own and not _present(message.forward_origin), id_)
    for name, kind in _MEDIA:
        if _present(getattr(message, name)):
            return MediaSent(kind, id_, _answers(message))
    if any(_present(getattr(message, name)) for name in _SERVICE):
        return None
    return MediaSent("other", id_, _answers(message))


def _answers(message: _Message) -> str:
    return str(message.reply_to_message.message_id) if message.reply_to_message else ""


def _present(raw: msgspec.Raw) -> bool:
    return bytes(raw) not in (b"", b"null")


def _pressed(update_id: int, query: _CallbackQuery) -> Update:
    chat, id_ = (query.message.chat, query.message.message_id) if query.message else (_Chat(query.sender.id, "private"), 0)
    if chat.type != "private" or chat.id != query.sender.id:
        return InGroup(update_id, chat.id, id_, invite=False, callback=query.id)
    # Data that is not ours (a keyboard of an older version, an empty game button) is a press on a screen that is gone: stale.
    token, colon, action = (query.data or "").removeprefix(OURS).partition(":")
    event = ButtonPressed(token if colon else "", action, str(id_) if id_ else "")
    return FromPerson(update_id, chat.id, event, query.id, _language(query.sender))


def _in_group(update_id: int, message: _Message, username: str) -> InGroup:
    text = message.text or ""
    invite = False
    if message.sender is not None and not message.sender.is_bot:
        command = _COMMAND.match(text)
        if command and command[1].lower() in _GROUP_COMMANDS:
            invite = not command[2] or command[2].lower() == username.lower()
        elif username:
            invite = bool(re.search(rf"@{re.escape(username)}\b", text, re.IGNORECASE))
    return InGroup(
        update_id,
        message.chat.id,
        message.message_id,
        invite,
        "",
        _language(message.sender),
    )


# ---------------------------------------------------------------------------------------------------------- what goes out


class Call(NamedTuple):
    """A Bot API method and its parameters, ready to be written as JSON."""

    method: str
    params: dict[str, Any]


_NO_PREVIEW: Final = {"is_disabled": True}


def draw(chat: int, message: Message, *, keyboard_up: bool = False) -> tuple[Call, ...]:
    """The calls that carry one message, in order; empty where there is nothing to do.

    An inline and a reply keyboard cannot share a message, and a reply keyboard goes only with a message of its own. Hence the rule: a
    screen with a contact button is drawn with a reply keyboard alone (its other buttons send their labels as text). While such a keyboard
    is up, the questions that follow replace it by theirs, the summary and its menu leave it (its words still mean the same there), and the
    next screen without buttons removes it: no extra bubble, no extra call. Only a screen that leaves the form takes a bubble to remove it.
    """
    match message:
        case Show(screen, news):
            calls = _show(chat, screen, keyboard_up=keyboard_up)
            if screen.moments:
                _told_by_their_clock(calls, screen.moments)
            return _celebrated(calls) if news is not None and news.status == "active" else calls
        case Say(text, news, name=name):
            calls = _send(chat, f"{name}:\n{text}" if name else text, protect=False, markup=None)
            if calls and message.answers.isdecimal():
                reply = {"message_id": int(message.answers), "allow_sending_without_reply": True}
                calls[0].params["reply_parameters"] = reply
            return _celebrated(calls) if news is not None and news.status == "active" else calls
        case Redraw(id_, screen):
            return _redraw(chat, id_, screen)
        case DeleteUserMessages(messages):
            ids = [int(each) for each in messages if each.isdecimal()]
            return tuple(
                Call(
                    "deleteMessages",
                    {
                        "chat_id": chat,
                        "message_ids": ids[start : start + DELETE_AT_ONCE],
                    },
                )
                for start in range(0, len(ids), DELETE_AT_ONCE)
            )


def _celebrated(calls: tuple[Call, ...]) -> tuple[Call, ...]:
    if calls:
        calls[-1].params["message_effect_id"] = PARTY
    return calls


def _told_by_their_clock(calls: tuple[Call, ...], moments: tuple[Moment, ...]) -> None:
    """The words that tell a moment become the time of day on the person's own phone; an older app shows the words."""
    for params in (call.params for call in calls):
        found = ((moment, params["text"].find(moment.words)) for moment in moments)
        entities = [
            {
                "type": "date_time",
                "offset": units(params["text"][:at]),
                "length": units(moment.words),
                "unix_time": int(moment.at.timestamp()),
                "date_time_format": "t",
            }
            for moment, at in found
            if at >= 0
        ]
        if entities:
            params["entities"] = entities


def plain(call: Call) -> Call | None:
    """The call without what only adorns it: colours, an effect, times by the person's clock. None where nothing does."""
    params = {name: value for name, value in call.params.items() if name not in ("message_effect_id", "entities")}
    markup = params.get("reply_markup", {})
    for kind in ("inline_keyboard", "keyboard"):
        if kind in markup:
            rows = [[{name: value for name, value in each.items() if name != "style"} for each in row] for row in markup[kind]]
            params["reply_markup"] = {**markup, kind: rows}
    return Call(call.method, params) if params != call.params else None


def _show(chat: int, screen: Screen, *, keyboard_up: bool) -> tuple[Call, ...]:
    protect = screen.sensitive
    if any(action.contact for action in screen.actions) or (keyboard_up and screen.hint and screen.actions):
        return _send(chat, _body(screen), protect=protect, markup=_reply_keyboard(screen))
    inline = _inline_keyboard(screen)
    gone = {"remove_keyboard": True}
    in_the_form = screen.sensitive or any(action.id == "back" for action in screen.actions)
    if not keyboard_up or (inline and in_the_form):
        return _send(chat, _body(screen), protect=protect, markup=inline)
    if inline is None:
        return _send(chat, _body(screen), protect=protect, markup=gone)
    return (
        *_send(chat, screen.notice or CHECK_MARK, protect=protect, markup=gone),
        *_send(chat, _body(screen, notice=False), protect=protect, markup=inline),
    )


def _redraw(chat: int, message: str, screen: Screen) -> tuple[Call, ...]:
    parts = split(_body(screen), TEXT_UNITS)
    if not message.isdecimal() or not parts:
        return ()
    params: dict[str, Any] = {
        "chat_id": chat,
        "message_id": int(message),
        "text": parts[0],
        "link_preview_options": _NO_PREVIEW,
    }
    if inline := _inline_keyboard(screen):
        params["reply_markup"] = inline
    return (Call("editMessageText", params),)


def _send(chat: int, text: str, *, protect: bool, markup: dict[str, Any] | None) -> tuple[Call, ...]:
    calls = []
    for part in split(text, TEXT_UNITS):
        params: dict[str, Any] = {
            "chat_id": chat,
            "text": part,
            "link_preview_options": _NO_PREVIEW,
        }
        if protect:
            params["protect_content"] = True
        calls.append(Call("sendMessage", params))
    if calls and markup:
        calls[-1].params["reply_markup"] = markup
    return tuple(calls)


def _body(screen: Screen, *, notice: bool = True) -> str:
    text = screen.text if screen.progress is None else f"{screen.progress[0]}/{screen.progress[1]} \N{MIDDLE DOT} {screen.text}"
    above = (screen.notice,) if notice and screen.notice else ()
    addresses = (
        f"{action.label}: {action.url}"
        for action in screen.actions
        if action.url and not action.app and not _reachable_url(action.url)
    )
    return "\n\n".join((*above, text, *addresses))


@lru_cache(maxsize=64)
def _reachable_url(url: str) -> bool:
    """Telegram refuses buttons that lead to this very machine, and no phone could follow them."""
    host = urlsplit(url).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return "." in host and not host.endswith(".localhost")


def _inline_keyboard(screen: Screen) -> dict[str, Any] | None:
    rows: list[list[dict[str, Any]]] = []
    room = False
    for action in screen.actions:
        if action.contact or (action.url and not _reachable_url(action.url)):
            continue
        if action.app and not action.url.startswith("https://"):
            continue  # Telegram opens no other page inside a chat
        short = len(action.label) <= SHORT_LABEL and action.style == "plain"
        if short and room:
            rows[-1].append(_inline_button(screen.token, action))
            room = False
        else:
            rows.append([_inline_button(screen.token, action)])
            room = short
    return {"inline_keyboard": rows} if rows else None


def _inline_button(token: str, action: Action) -> dict[str, Any]:
    button: dict[str, Any] = {"text": action.label}
    if action.app:
        button["web_app"] = {"url": action.url}
    elif action.url:
        button["url"] = action.url
    else:
        button["callback_data"] = f"{OURS}{token}:{action.id}"
    if action.style != "plain":
        button["style"] = action.style
    return button


def _reply_keyboard(screen: Screen) -> dict[str, Any]:
    share: list[list[dict[str, Any]]] = [
        [{"text": action.label, "request_contact": True, "style": "primary"}] for action in screen.actions if action.contact
    ]
    others = [{"text": action.label} for action in screen.actions if not action.contact and not action.url]
    rows = [others[start : start + 2] for start in range(0, len(others), 2)]
    keyboard = {"keyboard": [*share, *rows], "resize_keyboard": True, "one_time_keyboard": True}
    return {**keyboard, "input_field_placeholder": PHONE_EXAMPLE} if screen.hint == "phone" else keyboard
