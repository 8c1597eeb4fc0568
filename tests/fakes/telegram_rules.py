"""What the Bot API accepts: parameters by method, keyboards, limits. Stricter than Telegram where a defect would hide.

Lives here: pure checks that raise `Refusal`. Must not live here: chats and queues (`bot_api.py`). Source: the Bot API reference,
10.3, and the server's own sources where the reference is silent.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

Kind = Literal["int", "str", "bool", "json"]


class Refusal(Exception):
    """The answer {"ok": false}: Telegram's code and words."""

    def __init__(self, code: int, description: str, *, retry_after: int = 0, moved_to: int = 0) -> None:
        super().__init__(description)
        self.code, self.description, self.retry_after, self.moved_to = code, description, retry_after, moved_to


def bad(description: str) -> Refusal:
    return Refusal(400, f"Bad Request: {description}")


# Parameter -> kind; those in REQUIRED must be given.
METHODS: Mapping[str, Mapping[str, Kind]] = {
    "getMe": {},
    "getUpdates": {"offset": "int", "limit": "int", "timeout": "int", "allowed_updates": "json"},
    "setWebhook": {
        "url": "str",
        "secret_token": "str",
        "allowed_updates": "json",
        "max_connections": "int",
        "drop_pending_updates": "bool",
    },
    "deleteWebhook": {"drop_pending_updates": "bool"},
    "getWebhookInfo": {},
    "sendMessage": {
        "chat_id": "int",
        "message_thread_id": "int",
        "ephemeral_message_parameters": "json",
        "text": "str",
        "parse_mode": "str",
        "entities": "json",
        "link_preview_options": "json",
        "disable_notification": "bool",
        "protect_content": "bool",
        "message_effect_id": "str",
        "reply_parameters": "json",
        "reply_markup": "json",
    },
    "editMessageText": {
        "chat_id": "int",
        "message_id": "int",
        "text": "str",
        "parse_mode": "str",
        "entities": "json",
        "link_preview_options": "json",
        "reply_markup": "json",
    },
    "editMessageReplyMarkup": {"chat_id": "int", "message_id": "int", "reply_markup": "json"},
    "editEphemeralMessageText": {
        "chat_id": "int",
        "receiver_user_id": "int",
        "ephemeral_message_id": "int",
        "text": "str",
        "parse_mode": "str",
        "entities": "json",
        "link_preview_options": "json",
        "reply_markup": "json",
    },
    "createForumTopic": {"chat_id": "int", "name": "str", "icon_color": "int", "icon_custom_emoji_id": "str"},
    "editForumTopic": {"chat_id": "int", "message_thread_id": "int", "name": "str", "icon_custom_emoji_id": "str"},
    "closeForumTopic": {"chat_id": "int", "message_thread_id": "int"},
    "reopenForumTopic": {"chat_id": "int", "message_thread_id": "int"},
    "deleteForumTopic": {"chat_id": "int", "message_thread_id": "int"},
    "getForumTopicIconStickers": {},
    "getChat": {"chat_id": "int"},
    "getChatMember": {"chat_id": "int", "user_id": "int"},
    "deleteMessage": {"chat_id": "int", "message_id": "int"},
    "deleteMessages": {"chat_id": "int", "message_ids": "json"},
    "answerCallbackQuery": {"callback_query_id": "str", "text": "str", "show_alert": "bool", "url": "str", "cache_time": "int"},
    "sendChatAction": {"chat_id": "int", "action": "str"},
    "getMyName": {"language_code": "str"},
    "getMyDescription": {"language_code": "str"},
    "getMyShortDescription": {"language_code": "str"},
    "getChatMenuButton": {"chat_id": "int"},
    "logOut": {},
    "close": {},
    "setMyCommands": {"commands": "json", "scope": "json", "language_code": "str"},
    "getMyCommands": {"scope": "json", "language_code": "str"},
    "deleteMyCommands": {"scope": "json", "language_code": "str"},
    "setMyName": {"name": "str", "language_code": "str"},
    "setMyDescription": {"description": "str", "language_code": "str"},
    "setMyShortDescription": {"short_description": "str", "language_code": "str"},
    "setChatMenuButton": {"chat_id": "int", "menu_button": "json"},
}
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "setWebhook": ("url",),
    "sendMessage": ("chat_id", "text"),
    "editMessageText": ("chat_id", "message_id", "text"),
    "editMessageReplyMarkup": ("chat_id", "message_id"),
    "editEphemeralMessageText": ("chat_id", "receiver_user_id", "ephemeral_message_id", "text"),
    "createForumTopic": ("chat_id", "name"),
    "editForumTopic": ("chat_id", "message_thread_id"),
    "closeForumTopic": ("chat_id", "message_thread_id"),
    "reopenForumTopic": ("chat_id", "message_thread_id"),
    "deleteForumTopic": ("chat_id", "message_thread_id"),
    "getChat": ("chat_id",),
    "getChatMember": ("chat_id", "user_id"),
    "deleteMessage": ("chat_id", "message_id"),
    "deleteMessages": ("chat_id", "message_ids"),
    "answerCallbackQuery": ("callback_query_id",),
    "sendChatAction": ("chat_id", "action"),
    "setMyCommands": ("commands",),
}
# What a webhook's response may not ask for (Client.cpp of the server).
NOT_IN_A_RESPONSE = frozenset({"setWebhook", "deleteWebhook", "close", "logOut"})

UPDATE_KINDS = frozenset({"message", "edited_message", "callback_query", "my_chat_member", "chat_member", "channel_post"})
_PYTHON: Mapping[Kind, type] = {"int": int, "str": str, "bool": bool}
# Everything that a bot says of itself by language: parameter, and how long it may be in UTF-16 units.
PRESENTED: Mapping[str, tuple[str, int]] = {
    "MyName": ("name", 64),
    "MyDescription": ("description", 512),
    "MyShortDescription": ("short_description", 120),
}
# The effects that any bot may use: fire, like, dislike, heart, party, poop.
EFFECTS = frozenset(
    {
        "5104841245755180586",
        "5107584321108051014",
        "5104858069142078462",
        "5159385139981059251",
        "5046509860389126442",
        "5046589136895476101",
    }
)
CAN_DELETE_SECONDS = 48 * 3600
TOPIC_COLOURS = frozenset({0x6FB9F0, 0xFFD67E, 0xCB86DB, 0x8EEE98, 0xFF93B2, 0xFB6F5F})
# Of Telegram's set of topic icons these; emoji -> the custom emoji's id.
TOPIC_ICONS = {
    "\N{HEAVY EXCLAMATION MARK SYMBOL}": "5379748062124056162",
    "\N{SPEECH BALLOON}": "5417915203100613993",
    "\N{WHITE HEAVY CHECK MARK}": "5237699328843200968",
    "\N{FIRE}": "5312241539987020022",
}
_ENTITIES = frozenset({"bold", "italic", "underline", "strikethrough", "spoiler", "code", "pre", "text_link", "date_time"})
_DATE_TIME = re.compile(r"r|w?[dD]?[tT]?")
_START = re.compile(r"[A-Za-z0-9_-]{0,64}")
_ACTIONS = frozenset({"typing", "upload_photo", "upload_document", "choose_sticker", "find_location"})
_TARGETS = frozenset({"callback_data", "url", "web_app", "copy_text", "switch_inline_query", "disabled"})
_SECRET = re.compile(r"[A-Za-z0-9_-]{0,256}")
_COMMAND = re.compile(r"[a-z0-9_]{1,32}")
_SCOPES = frozenset(
    {"default", "all_private_chats", "all_group_chats", "all_chat_administrators", "chat", "chat_administrators", "chat_member"}
)


def units(text: str) -> int:
    """Length as Telegram counts it: UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


def parameters(method: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Typed parameters of a known method, from JSON values or from the strings of a form."""
    known = METHODS[method]
    typed = {}
    for name, value in given.items():
        if name not in known:
            raise bad(f'unknown parameter "{name}" of {method}')
        typed[name] = _typed(name, known[name], value)
    for name in REQUIRED.get(method, ()):
        if name not in typed:
            raise bad(f"{name.replace('_', ' ')} is empty" if name != "text" else "message text is empty")
    return typed


def _typed(name: str, kind: Kind, value: Any) -> Any:
    if kind == "json":
        try:
            value = msgspec.json.decode(value) if isinstance(value, str) else value
        except msgspec.DecodeError:
            raise bad(f"can't parse {name} JSON object") from None
        if not isinstance(value, dict | list):
            raise bad(f"object expected as {name}")
        return value
    if isinstance(value, str) and kind == "int" and re.fullmatch(r"-?\d+", value):
        return int(value)
    if isinstance(value, str) and kind == "bool" and value.lower() in ("true", "false", "1", "0"):
        return value.lower() in ("true", "1")
    if type(value) is not _PYTHON[kind]:
        raise bad(f"{name} must be {kind}")
    return value


def message_text(params: Mapping[str, Any]) -> str:
    text: str = params["text"].strip()
    if not text:
        raise bad("message text is empty")
    if units(text) > 4096:
        raise bad("message is too long")
    if params.get("parse_mode") not in (None, "HTML", "MarkdownV2"):
        raise bad("unsupported parse_mode")
    _only(
        params.get("link_preview_options", {}),
        {"is_disabled", "url", "prefer_small_media", "prefer_large_media", "show_above_text"},
    )
    _only(params.get("reply_parameters", {}), {"message_id", "chat_id", "allow_sending_without_reply"})
    for entity in params.get("entities", []):
        _entity(entity, params["text"])
    return text


def _entity(entity: Any, text: str) -> None:
    if not isinstance(entity, dict) or entity.get("type") not in _ENTITIES:
        raise bad("can't parse entities: unsupported type specified")
    offset, length = entity.get("offset"), entity.get("length")
    if type(offset) is not int or type(length) is not int or offset < 0 or length < 1 or offset + length > units(text):
        raise bad("can't parse entities: entity out of the text")
    if entity["type"] == "date_time":
        _only(entity, {"type", "offset", "length", "unix_time", "date_time_format"})
        if type(entity.get("unix_time")) is not int or entity["unix_time"] <= 0:
            raise bad("can't parse entities: unix_time must be a positive integer")
        if not _DATE_TIME.fullmatch(entity.get("date_time_format", "")):
            raise bad("can't parse entities: invalid date_time_format")


def effect(params: Mapping[str, Any], *, private: bool) -> str:
    """The effect that a message comes with, "" without one."""
    wanted: str = params.get("message_effect_id", "")
    if wanted and not private:
        raise bad("can't use message effects in the chat")
    if wanted and wanted not in EFFECTS:
        raise bad("EFFECT_ID_INVALID")
    return wanted


def topic_name(params: Mapping[str, Any]) -> str:
    name: str = params["name"].strip()
    if not 1 <= len(name) <= 128:
        raise bad("TOPIC_TITLE_EMPTY" if not name else "TOPIC_TITLE_TOO_LONG")
    return name


def topic_icon(params: Mapping[str, Any]) -> str:
    if params.get("icon_color", 0x6FB9F0) not in TOPIC_COLOURS:
        raise bad("TOPIC_ICON_COLOR_INVALID")
    icon: str = params.get("icon_custom_emoji_id", "")
    if icon and icon not in TOPIC_ICONS.values():
        raise bad("DOCUMENT_INVALID")
    return icon


def ephemeral(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """For whom alone a message is; empty for one that is everybody's."""
    written = params.get("ephemeral_message_parameters", {})
    if written:
        _only(written, {"receiver_user_id", "callback_query_id", "replace_callback_query_message"})
        if type(written.get("receiver_user_id")) is not int:
            raise bad("receiver_user_id must be specified")
    return written  # type: ignore[no-any-return]


def start_payload(payload: str) -> None:
    """What a link t.me/bot?start=... can carry; a person may type anything behind /start, a link cannot."""
    assert _START.fullmatch(payload), f"no link can carry {payload!r}"


def chat_action(params: Mapping[str, Any]) -> None:
    if params["action"] not in _ACTIONS:
        raise bad("wrong parameter action in request")


def presented(method: str, params: Mapping[str, Any]) -> tuple[str, str]:
    """Language and words of setMyName and its like."""
    name, most = PRESENTED[method]
    words: str = params.get(name, "")
    if units(words) > most:
        raise bad(f"{name} is too long")
    return language_code(params), words


def language_code(params: Mapping[str, Any]) -> str:
    code: str = params.get("language_code", "")
    if not re.fullmatch(r"([a-z]{2})?", code):
        raise bad("invalid language code specified")
    return code


def menu_button(written: Any) -> dict[str, Any]:
    if not isinstance(written, dict) or written.get("type") not in ("default", "commands", "web_app"):
        raise bad("can't parse menu button")
    if written["type"] == "web_app" and not written.get("text"):
        raise bad("text of the menu button must be non-empty")
    return written


def markup(written: Any, *, private: bool = True, inline_only: bool = False) -> dict[str, Any]:
    """A keyboard of one of the four kinds, checked to the last button."""
    if not isinstance(written, dict):
        raise bad("object expected as reply markup")
    if "inline_keyboard" in written:
        _only(written, {"inline_keyboard"})
        _inline(written["inline_keyboard"], private)
    elif inline_only:
        raise bad("inline keyboard expected")
    elif "keyboard" in written:
        _only(
            written,
            {"keyboard", "is_persistent", "resize_keyboard", "one_time_keyboard", "input_field_placeholder", "selective"},
        )
        _reply(written["keyboard"], private)
        if not 1 <= units(written.get("input_field_placeholder", "-")) <= 64:
            raise bad("input field placeholder is too long")
    elif "remove_keyboard" in written:
        _only(written, {"remove_keyboard", "selective"})
        if written["remove_keyboard"] is not True:
            raise bad("remove_keyboard must be True")
    elif "force_reply" in written:
        _only(written, {"force_reply", "input_field_placeholder", "selective"})
    else:
        raise bad("can't parse reply keyboard markup")
    return written


def _only(written: Mapping[str, Any], known: set[str]) -> None:
    if unknown := set(written) - known:
        raise bad(f"unknown field {min(unknown)!r}")


def _rows(rows: Any) -> list[list[Any]]:
    if not isinstance(rows, list) or not all(isinstance(row, list) and row for row in rows):
        raise bad("keyboard must be an Array of Arrays")
    if any(len(row) > 8 for row in rows) or sum(map(len, rows)) > 100:
        raise bad("reply markup is too long")
    return rows


def _inline(rows: Any, private: bool) -> None:
    for button in (button for row in _rows(rows) for button in row):
        _only(button, {"text", "style", "icon_custom_emoji_id", *_TARGETS})
        if not button.get("text", "").strip():
            raise bad("inline keyboard button text must be non-empty")
        if len(_TARGETS & set(button)) != 1:
            raise bad("text buttons are unallowed in the inline keyboard")
        _style(button)
        if "callback_data" in button and not 1 <= len(button["callback_data"].encode()) <= 64:
            raise bad("BUTTON_DATA_INVALID")
        if "url" in button:
            _button_url(button["url"])
        if "web_app" in button:
            _web_app(button["web_app"], private)


def _reply(rows: Any, private: bool) -> None:
    for button in (button for row in _rows(rows) for button in row):
        if isinstance(button, str):
            continue
        _only(button, {"text", "style", "icon_custom_emoji_id", "request_contact", "request_location", "web_app"})
        if not button.get("text", "").strip():
            raise bad("keyboard button text must be non-empty")
        _style(button)
        if button.get("request_contact") and not private:
            raise bad("phone number can be requested in private chats only")
        if "web_app" in button:
            _web_app(button["web_app"], private)


def _style(button: Mapping[str, Any]) -> None:
    if button.get("style", "primary") not in ("primary", "success", "danger"):
        raise bad("invalid button style specified")


def _button_url(url: str) -> None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        fine = not ipaddress.ip_address(host).is_loopback
    except ValueError:
        fine = "." in host
    if parts.scheme not in ("http", "https", "tg") or not fine:
        raise bad(f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")


def _web_app(written: Any, private: bool) -> None:
    if not private:
        raise bad("BUTTON_TYPE_INVALID")
    if not isinstance(written, dict) or set(written) != {"url"}:
        raise bad("object expected as web_app")
    url = written["url"]
    _button_url(url)
    if urlsplit(url).scheme != "https":
        raise bad(f"inline keyboard button Web App URL '{url}' is invalid: Only HTTPS links are allowed")


def webhook(params: Mapping[str, Any]) -> None:
    """Real Telegram wants public HTTPS; a local Bot API server also takes http, which here must be loopback."""
    url = urlsplit(params["url"])
    if (
        params["url"]
        and url.scheme != "https"
        and not (url.scheme == "http" and url.hostname in ("127.0.0.1", "localhost", "::1"))
    ):
        raise bad("bad webhook: An HTTPS URL must be provided for webhook")
    if not _SECRET.fullmatch(params.get("secret_token", "")):
        raise bad("secret token contains unallowed characters")
    if not 1 <= params.get("max_connections", 40) <= 100:
        raise bad("max_connections must be between 1 and 100")
    allowed_updates(params.get("allowed_updates", []))


def allowed_updates(kinds: Any) -> None:
    if not isinstance(kinds, list) or not set(kinds) <= UPDATE_KINDS:
        raise bad("can't parse allowed updates")


def commands(params: Mapping[str, Any]) -> None:
    if not isinstance(params["commands"], list) or len(params["commands"]) > 100:
        raise bad("too many commands")
    for each in params["commands"]:
        _only(each, {"command", "description", "is_ephemeral"})
        if not _COMMAND.fullmatch(each.get("command", "")):
            raise bad("BOT_COMMAND_INVALID")
        if not 1 <= units(each.get("description", "")) <= 256:
            raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
    if params.get("scope", {"type": "default"}).get("type") not in _SCOPES:
        raise bad("unsupported BotCommandScope specified")
    language_code(params)
