"""The dialog that every virtual user walks: eight turns as Telegram or Meta would bring them, and what each answer must show.

Lives here: updates as bytes, and how an answer is recognised. Must not live here: sending or counting (`driver.py`).
"""

from __future__ import annotations

import hmac
import json
import re
from typing import Final, Literal, NamedTuple, Protocol

from dialogs.texts import CATALOGUES

Last = Literal["back", "activate"]


class Turn(NamedTuple):
    """`press` is the action pressed on the screen before, or `text` is typed; `shows` stands in the answer and in no other's."""

    name: str
    shows: str
    text: str = ""
    press: str = ""


def _words(id_: str) -> str:
    """What of a text stands in every language's JSON and form as it is here: its first line, up to what is filled in."""
    return CATALOGUES["id"][id_].format_map(_Anything()).partition("\n")[0].partition("\0")[0]


class _Anything(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "\0"


_TURNS: Final = (
    Turn("start", _words("button.agree"), text="/start"),
    Turn("agree", _words("flow.kind"), press="agree"),
    Turn("kind", _words("full_name.ask"), press="kind"),
    Turn("name", _words("nik.ask"), text="Siti Rahmawati Putri"),
    Turn("NIK", _words("phone.ask"), text="3174025708900003"),
    Turn("phone", _words("email.ask"), text="0812-3456-7890"),
    Turn("e-mail", _words("button.activate"), text="siti.rahmawati@example.com"),
)


def turns(last: Last) -> tuple[Turn, ...]:
    """Seven answers, then a press on the summary: `back` opens the "Ubah ..." menu, `activate` hands the registration to the backend."""
    return (*_TURNS, Turn(f"press {last}", _words("flow.change" if last == "back" else "flow.thanks"), press=last))


# The data of a button as each product and channel writes it: a token, an intent or a prefix may stand before the action, an item after it.
_BUTTON: Final = {
    action: re.compile(rf'"(?:callback_data|id)"\s*:\s*"([^"]*{action if action != "kind" else "kind[.:]individu_lokal"})"')
    for action in ("agree", "kind", "back", "activate")
}


def button(action: str, answer: str) -> str | None:
    """The callback data of this action in an answer's keyboard."""
    found = _BUTTON[action].search(answer)
    return json.loads(f'"{found[1]}"') if found else None


_FROM = '{"id":%d,"is_bot":false,"first_name":"Siti","last_name":"Rahmawati","username":"siti_rahmawati","language_code":"id"}'
_CHAT = '{"id":%d,"first_name":"Siti","last_name":"Rahmawati","username":"siti_rahmawati","type":"private"}'
_TEXT = '{"update_id":%d,"message":{"message_id":%d,"from":' + _FROM + ',"chat":' + _CHAT + ',"date":1795392000,"text":"%s"%s}}'
_COMMAND = ',"entities":[{"offset":0,"length":6,"type":"bot_command"}]'
_PRESS = (
    '{"update_id":%d,"callback_query":{"id":"%d","from":'
    + _FROM
    + ',"message":{"message_id":%d,"from":{"id":123456,"is_bot":true,'
    '"first_name":"AKSes","username":"akses_bot"},"chat":' + _CHAT + ',"date":1795392000,"text":"Pilih tipe registrasi:",'
    '"reply_markup":{"inline_keyboard":[[{"text":"Individu Lokal","callback_data":"kind.individu_lokal"}],'
    '[{"text":"Individu Asing","callback_data":"kind.individu_asing"}],[{"text":"Batal","callback_data":"cancel"}]]}},'
    '"chat_instance":"-4242424242424242424","data":%s}}'
)


def typed(update: int, chat: int, message: int, text: str) -> bytes:
    entities = _COMMAND if text.startswith("/") else ""
    return (_TEXT % (update, message, chat, chat, text, entities)).encode()


def pressed(update: int, chat: int, message: int, data: str) -> bytes:
    return (_PRESS % (update, 4_000_000_000_000_000 + update, chat, message, chat, json.dumps(data))).encode()


class Way(Protocol):
    """How one channel brings what a person does: requests to a bot on `port`, which knows them by `secret`."""

    def __init__(self, port: int, secret: str) -> None: ...

    def typed(self, update: int, chat: int, message: int, text: str) -> bytes: ...

    def pressed(self, update: int, chat: int, message: int, data: str) -> bytes: ...


class Telegram:
    def __init__(self, port: int, secret: str) -> None:
        self._head = _head("/telegram/webhook", port, f"X-Telegram-Bot-Api-Secret-Token: {secret}")

    def typed(self, update: int, chat: int, message: int, text: str) -> bytes:
        return self._whole(typed(update, chat, message, text))

    def pressed(self, update: int, chat: int, message: int, data: str) -> bytes:
        return self._whole(pressed(update, chat, message, data))

    def _whole(self, body: bytes) -> bytes:
        return self._head % len(body) + body


class WhatsApp:
    """People whom Meta names by a BSUID and a number, both made of the chat's."""

    def __init__(self, port: int, secret: str) -> None:
        self._secret = secret.encode()
        self._head = _head("/whatsapp/webhook", port, "X-Hub-Signature-256: sha256=%s")

    def typed(self, update: int, chat: int, message: int, text: str) -> bytes:  # noqa: ARG002 (a way's)
        return self._whole(update, chat, {"type": "text", "text": {"body": text}})

    def pressed(self, update: int, chat: int, message: int, data: str) -> bytes:  # noqa: ARG002 (a way's)
        kind = "list_reply" if "kind." in data else "button_reply"
        return self._whole(
            update, chat, {"type": "interactive", "interactive": {"type": kind, kind: {"id": data, "title": "-"}}}
        )

    def _whole(self, update: int, chat: int, content: dict[str, object]) -> bytes:
        user, number = f"ID.{chat}", f"628{chat}"
        message = {"from": number, "from_user_id": user, "id": f"wamid.{update}", "timestamp": "1795392000", **content}
        value = {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "628110000000", "phone_number_id": PHONE_ID},
            "contacts": [{"profile": {"name": "Siti Rahmawati"}, "wa_id": number, "user_id": user}],
            "messages": [message],
        }
        changes = [{"field": "messages", "value": value}]
        body = json.dumps({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": changes}]}).encode()
        return self._head % (hmac.digest(self._secret, body, "sha256").hex().encode(), len(body)) + body


PHONE_ID: Final = "106540352242922"
WAYS: Final[dict[str, type[Way]]] = {"telegram": Telegram, "whatsapp": WhatsApp}


def _head(path: str, port: int, proof: str) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n{proof}\r\n"
        "Accept-Encoding: gzip, deflate\r\nContent-Length: %d\r\n\r\n"
    ).encode()
