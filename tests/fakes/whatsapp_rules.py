"""What Meta's Cloud API accepts of a message, and what WhatsApp makes of its text. Stricter than Meta where a defect would hide.

Lives here: pure checks that raise `Refusal`. Must not live here: the server or people (`whatsapp.py`). Source: Meta's reference of the
messages endpoint and of its error codes, v26.0; the help centre's page on formatting.
"""

from __future__ import annotations

import re
from typing import Any


class Refusal(Exception):
    """The answer {"error": ...}: HTTP's status and Meta's code."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    @property
    def body(self) -> dict[str, Any]:
        return {
            "error": {
                "message": f"(#{self.code}) {self.message}",
                "type": "OAuthException",
                "code": self.code,
                "error_data": {"messaging_product": "whatsapp", "details": self.message},
                "fbtrace_id": "Aabcdefghijklmnopqrstuv",
            }
        }


def invalid(message: str) -> Refusal:
    return Refusal(400, 100, message)


def wrong_value(message: str) -> Refusal:
    return Refusal(400, 131009, message)


def fields(given: Any, what: str, needed: set[str], optional: frozenset[str] | set[str] = frozenset()) -> dict[str, Any]:
    """An object with these fields and no others."""
    if not isinstance(given, dict):
        raise invalid(f"{what} is no object")
    if missing := needed - given.keys():
        raise invalid(f"{what} lacks {sorted(missing)}")
    if unknown := given.keys() - needed - optional:
        raise invalid(f"{what} has unknown {sorted(unknown)}")
    return given


def words(given: Any, what: str, most: int) -> str:
    if not isinstance(given, str) or not given.strip():
        raise wrong_value(f"{what} is empty")
    if len(given.encode("utf-16-le")) // 2 > most:
        raise wrong_value(f"{what} is longer than {most}")
    return given


def label(given: Any, what: str, most: int) -> str:
    if given != " ".join(words(given, what, most).split()):
        raise wrong_value(f"{what} begins or ends with a space, or has a line break")
    return str(given)


def message(body: dict[str, Any]) -> None:
    """A message to a person; whom to is not looked at."""
    common = {"messaging_product", "recipient_type", "type"}
    kind = body.get("type")
    if kind not in ("text", "interactive"):
        raise invalid(f"type {kind!r}")
    fields(body, "message", common | {kind}, {"to", "recipient", "biz_opaque_callback_data", "context"})
    if body["messaging_product"] != "whatsapp" or body["recipient_type"] != "individual":
        raise invalid("messaging_product or recipient_type")
    if ("to" in body) == ("recipient" in body):
        raise invalid("one of to and recipient")
    if "biz_opaque_callback_data" in body:
        words(body["biz_opaque_callback_data"], "biz_opaque_callback_data", 512)
    if "context" in body:
        words(fields(body["context"], "context", {"message_id"})["message_id"], "context.message_id", 256)
    if kind == "text":
        text = fields(body["text"], "text", {"body"}, {"preview_url"})
        words(text["body"], "text.body", 4096)
    else:
        interactive(body["interactive"])


def interactive(given: Any) -> None:
    kind = fields(given, "interactive", {"type", "body", "action"})["type"]
    words(fields(given["body"], "body", {"text"})["text"], "body.text", 1024)
    action = given["action"]
    match kind:
        case "button":
            buttons = fields(action, "action", {"buttons"})["buttons"]
            if not 1 <= len(buttons) <= 3:
                raise wrong_value("1 to 3 buttons")
            replies = [fields(fields(each, "button", {"type", "reply"})["reply"], "reply", {"id", "title"}) for each in buttons]
            if any(each["type"] != "reply" for each in buttons):
                raise invalid("buttons of one kind")
            different(replies, 256, 20)
        case "list":
            fields(action, "action", {"button", "sections"})
            label(action["button"], "action.button", 20)
            (section,) = action["sections"]
            rows = fields(section, "section", {"rows"})["rows"]
            if not 1 <= len(rows) <= 10:
                raise wrong_value("1 to 10 rows")
            for row in rows:
                fields(row, "row", {"id", "title"}, {"description"})
                if "description" in row:
                    label(row["description"], "description", 72)
            different(rows, 200, 24)
        case "cta_url":
            parameters = fields(
                fields(action, "action", {"name", "parameters"})["parameters"], "parameters", {"display_text", "url"}
            )
            label(parameters["display_text"], "display_text", 20)
            if action["name"] != "cta_url" or not parameters["url"].startswith("https://"):
                raise wrong_value("url")
        case _:
            raise invalid(f"interactive type {kind!r}")


def different(choices: list[dict[str, Any]], id_most: int, title_most: int) -> None:
    for each in choices:
        label(each["title"], "title", title_most)
        words(each["id"], "id", id_most)
    for name in ("id", "title"):
        if len({each[name] for each in choices}) != len(choices):
            raise wrong_value(f"two of the same {name}")


def formatted(text: str) -> list[str]:
    """What WhatsApp would show bold, slanted, struck through or as code; addresses are links before anything else.

    Marks open at the beginning of a word, several of them one in another, and close at the end of one; marks around nothing stay.
    """
    text = re.sub(r"https?://\S+", "link", text)
    found = []
    for run in re.finditer(r"(?<![^\W_])(?<![*_~`])[*_~`]+(?=\S)", text):
        for at in range(*run.span()):
            mark = re.escape(text[at])
            span = re.compile(rf"{mark}(?=\S)([^\n]*?\S){mark}(?![^\W_])").match(text, at)
            if span and re.search(r"[^\s*_~`]", span[1]):
                found.append(span[0])
    return found
