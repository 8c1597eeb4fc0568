"""How our messages look in WhatsApp: `Message` -> bodies of the Graph API's `messages`, without the recipient.

Lives here: pure drawing within WhatsApp's limits. Must not live here: reading (`codec.py`) or sending (`channel.py`, `graph.py`).

Each message is billed, so a screen is one bubble wherever it fits: up to three buttons under the text; more of them, or such as look alike
when they are cut to fit, as a list; addresses as lines of the text (a button for an address can share a message with no other). A person's
own number is a button like any other, for Meta tells it with every message (Meta's own kind of button for it cannot stand beside
*Kembali*); their own contact card answers, too.
Nothing that was sent can be changed or removed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from bot.channels.lengths import split, units
from bot.channels.whatsapp.codec import OURS, SHARES
from dialogs.effects import DeleteUserMessages, Message, Redraw, Say, Show
from dialogs.screens import Action, Screen

# UTF-16 code units, the strictest way to count what Meta calls characters.
TEXT_UNITS: Final = 4096
BODY_UNITS: Final = 1024  # of a message with buttons
BUTTONS: Final = 3
BUTTON_UNITS: Final = 20
ROWS: Final = 10
ROW_UNITS: Final = 24
DESCRIPTION_UNITS: Final = 72
# What opens a list. A screen does not say its language, so it is told in both.
CHOICES: Final = "Pilihan / Options"
_ELLIPSIS: Final = "\N{HORIZONTAL ELLIPSIS}"
_HAIR_SPACE: Final = "\N{HAIR SPACE}"

Body = dict[str, Any]


def draw(message: Message, *, quoted: str = "") -> tuple[Body, ...]:
    """The bodies that carry one message, in order; empty where there is nothing that WhatsApp could do. `quoted` is the wamid of the
    person's message that it replies to.
    """
    match message:
        case Say(text, name=name):
            bodies = tuple(map(_text, split(literal(f"{name}:\n{text}" if name else text), TEXT_UNITS)))
            if bodies and quoted:
                bodies[0]["context"] = {"message_id": quoted}
            return bodies
        case Show(screen):
            return tuple(_show(screen))
        case Redraw() | DeleteUserMessages():
            return ()


def _show(screen: Screen) -> Iterator[Body]:
    pressed = [action for action in screen.actions if not (action.url or action.app)]
    ways = [action for action in screen.actions if action.url and not action.app]
    if len(ways) == 1 and not pressed and ways[0].url.startswith("https://"):
        *before, last = _parted(literal(_body(screen)))
        yield from map(_text, before)
        yield _way(last, ways[0])
        return
    above = "\n".join(f"{action.label}: {action.url}" for action in ways)
    text = literal("\n\n".join(filter(None, (_body(screen), above))))
    if not pressed:
        yield from map(_text, split(text, TEXT_UNITS))
    elif len(pressed) <= BUTTONS and len({_cut(action.label, BUTTON_UNITS) for action in pressed}) == len(pressed):
        yield from _buttons(text, screen.token, pressed)
    else:
        yield from _lists(text, screen.token, pressed)


def _body(screen: Screen) -> str:
    text = screen.text if screen.progress is None else f"{screen.progress[0]}/{screen.progress[1]} \N{MIDDLE DOT} {screen.text}"
    return f"{screen.notice}\n\n{text}" if screen.notice else text


def _text(text: str) -> Body:
    return {"type": "text", "text": {"body": text, "preview_url": False}}


def _interactive(kind: str, text: str, action: Body) -> Body:
    return {"type": "interactive", "interactive": {"type": kind, "body": {"text": text}, "action": action}}


def _way(text: str, action: Action) -> Body:
    parameters = {"display_text": shortened([action.label], BUTTON_UNITS)[0], "url": action.url}
    return _interactive("cta_url", text, {"name": "cta_url", "parameters": parameters})


def _buttons(text: str, token: str, actions: Sequence[Action]) -> Iterator[Body]:
    titles = shortened([action.label for action in actions], BUTTON_UNITS)
    whole = [
        f"\N{BULLET} {literal(action.label)}" for action, title in zip(actions, titles, strict=True) if title != action.label
    ]
    *before, last = _parted("\n\n".join(filter(None, (text, "\n".join(whole)))))
    yield from map(_text, before)
    buttons = [
        {"type": "reply", "reply": {"id": _id(token, action), "title": title}}
        for action, title in zip(actions, titles, strict=True)
    ]
    yield _interactive("button", last, {"buttons": buttons})


def _lists(text: str, token: str, actions: Sequence[Action]) -> Iterator[Body]:
    *before, last = _parted(text)
    yield from map(_text, before)
    pages = [actions[start : start + ROWS] for start in range(0, len(actions), ROWS)]
    for number, page in enumerate(pages, 1):
        rows = [
            _row(token, action, title)
            for action, title in zip(page, shortened([a.label for a in page], ROW_UNITS), strict=True)
        ]
        yield _interactive(
            "list", last if number == 1 else f"{number}/{len(pages)}", {"button": CHOICES, "sections": [{"rows": rows}]}
        )


def _id(token: str, action: Action) -> str:
    return SHARES if action.contact else f"{OURS}{token}:{action.id}"


def _row(token: str, action: Action, title: str) -> Body:
    row: Body = {"id": _id(token, action), "title": title}
    return row if title == action.label else {**row, "description": shortened([action.label], DESCRIPTION_UNITS)[0]}


# ------------------------------------------------------------------------------------------------------------------ words


def shortened(labels: Sequence[str], most: int) -> list[str]:
    """The labels, each within so many units and none like another: cut where a word ends, told apart by a number where they must be."""
    made: list[str] = []
    for label in labels:
        title, number = _cut(label, most), 1
        while title in made:
            number += 1
            mark = f" {number}"
            title = _cut(label, most - len(mark)) + mark
        made.append(title)
    return made


def _cut(label: str, most: int) -> str:
    label = " ".join(label.split())
    if units(label) <= most:
        return label
    head = label
    while units(head) > most - 1:
        head = head[:-1]
    # A word that is cut in half costs less than a label of which little is left.
    word = head.rfind(" ")
    if word >= len(head) // 2 and not label[len(head)].isspace():
        head = head[:word]
    return head.rstrip(" ,.:;(") + _ELLIPSIS


def _parted(text: str) -> list[str]:
    """The text in messages of which the last has room for buttons; where it is too long for that, as little as may be is in the last."""
    if units(text) <= BODY_UNITS:
        return [text]
    tail = len(text)
    for border in ("\n\n", "\n", " "):
        at = text.find(border, _from_the_end(text, BODY_UNITS))
        if at >= 0 and text[at:].strip():
            tail = at
            break
    else:
        tail = _from_the_end(text, BODY_UNITS)
    return [*split(text[:tail].rstrip(), TEXT_UNITS), text[tail:].strip()]


def _from_the_end(text: str, most: int) -> int:
    """Where the last so many units begin."""
    at = max(0, len(text) - most)
    while units(text[at:]) > most:
        at += 1
    return at


_ADDRESS: Final = re.compile(r"(https?://\S+)")
# A mark inside a word opens nothing, nor does a run of them: 3171********0001.
_OPENING: Final = re.compile(r"(?<![^\W_])(?<![*_~`])([*_~`]{2,}|[*_~`](?=\S))")


def literal(text: str) -> str:
    """The text as it is read, though WhatsApp knows no way to quote: it makes *bold*, _slanted_, ~struck~ and `code` of what stands tightly
    between two marks. Ours has no markup, so a mark that could open one is held off from its word by a hair's breadth; addresses stay
    whole.
    """
    if not any(text.count(mark) > 1 for mark in "*_~`"):
        return text

    def held_off(found: re.Match[str]) -> str:
        return (
            "".join(f"{mark}{_HAIR_SPACE}" for mark in found[1]) if any(text.count(mark) > 1 for mark in found[1]) else found[0]
        )

    return "".join(part if at % 2 else _OPENING.sub(held_off, part) for at, part in enumerate(_ADDRESS.split(text)))
