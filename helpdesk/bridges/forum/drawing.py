"""How a ticket looks in the group: its topic's name, its panel with buttons, and the lines of the talk.

Pure. Everything drawn here has been masked.
"""

from __future__ import annotations

from typing import Any, Final

from dialogs.texts import Language
from helpdesk.acting import LABELS, REASONS
from helpdesk.bridges.port import Closed, Entry, Owner, TicketView
from helpdesk.texts import happened, named, text

# How the data of our buttons begins; what follows is the deed, the version of the ownership that was seen, and what belongs to the deed.
OURS: Final = "desk"
NAME_MAX: Final = 128
# What one message takes, in UTF-16 units, and what lines of the talk are gathered up to.
_UNITS: Final = 4096
TEXT_MAX: Final = 2000
# The colours that a topic may be made with.
COLOURS: Final = {"queued": 0xFB6F5F, "human": 0x8EEE98, "closed": 0x6FB9F0}
# The icons of a topic's later states, as Telegram's own set has them.
ICONS: Final = {
    "queued": "\N{HEAVY EXCLAMATION MARK SYMBOL}",
    "human": "\N{SPEECH BALLOON}",
    "closed": "\N{WHITE HEAVY CHECK MARK}",
}

Keyboard = dict[str, list[list[dict[str, str]]]]


def topic(language: Language, ticket: TicketView) -> str:
    """`#1234 · Budi S. · WA`."""
    parts = (f"#{ticket.number}", ticket.name, named(language, "bridge.channel", ticket.channel))
    return " \N{MIDDLE DOT} ".join(filter(None, parts))[:NAME_MAX]


def panel(language: Language, ticket: TicketView, *, again: bool = False) -> str:
    owner = text(language, "owner.other", name=ticket.agent_name) if ticket.owner == "human" else ""
    lines = [
        *([text(language, "bridge.again"), ""] if again else []),
        topic(language, ticket),
        f"{text(language, 'panel.step')}: {named(language, 'step', ticket.step)}",
        f"{text(language, 'bridge.reason')}: {named(language, 'reason', ticket.reason)}",
        f"{text(language, 'panel.language')}: {named(language, 'language', ticket.language)}",
        owner or text(language, f"owner.{ticket.owner}"),
    ]
    fields = [f"{named(language, 'field', field.id)}: {field.value}" for field in ticket.fields if field.value]
    how = ["", text(language, "bridge.how")] if ticket.owner != "closed" else []
    return "\n".join([*lines, *(["", *fields] if fields else []), *how])


def buttons(language: Language, ticket: TicketView) -> Keyboard:
    """What can be done with it now."""
    version, rows = ticket.version, []
    if ticket.owner == "queued":
        rows.append([_button(text(language, "deed.take"), "take", version)])
    elif ticket.owner == "human":
        rows.append(
            [
                _button(text(language, "deed.hand_back"), "return", version),
                _button(text(language, "bridge.close"), "close", version),
            ]
        )
        see = [
            _button(text(language, "bridge.see", field=named(language, "field", field.id)), "see", version, field.id)
            for field in ticket.fields
            if field.value
        ]
        rows += [see[start : start + 2] for start in range(0, len(see), 2)]
    if ticket.address.startswith("https://"):
        rows.append([{"text": text(language, "bridge.console"), "url": ticket.address}])
    return {"inline_keyboard": rows}


def labels(language: Language, version: int) -> Keyboard:
    """How it ended, before it is closed."""
    rows = [[_button(text(language, f"label.{label}"), "close", version, label)] for label in LABELS]
    return {"inline_keyboard": [*rows, [_button(text(language, "bridge.back"), "back", version)]]}


def reasons(language: Language, version: int, field: str) -> Keyboard:
    """Why a value is to be seen, before it is."""
    rows = [[_button(text(language, f"reveal.{reason}"), "see", version, field, reason)] for reason in REASONS]
    return {"inline_keyboard": [*rows, [_button(text(language, "bridge.back"), "back", version)]]}


def _button(label: str, *data: str | int) -> dict[str, str]:
    return {"text": label, "callback_data": ":".join((OURS, *map(str, data)))}


def line(language: Language, ticket: TicketView, thing: Entry | Owner | Closed) -> str:
    """One line of the talk, with who said it."""
    match thing:
        case Owner(what=what, agent_name=name):
            return f"\N{EM DASH} {happened(language, what, name=name)}"
        case Closed(what=what, agent_name=name, label=label):
            return f"\N{EM DASH} {happened(language, what, name=name, detail=label)}"
        case Entry(author="system", kind=kind, detail=detail, agent_name=name):
            return f"\N{EM DASH} {happened(language, kind, name=name, detail=detail)}"
        case Entry(author="agent", kind=kind, agent_name=name):
            who = text(language, "talk.note", name=name) if kind == "note" else name
            return f"{who}: {thing.text}"
        case Entry():
            return f"{ticket.name or text(language, 'talk.person')}: {_said(language, thing)}"


def _said(language: Language, entry: Entry) -> str:
    match entry.kind:
        case "password":
            return text(language, "talk.password")
        case "media":
            return text(language, "talk.media", kind=named(language, "media", entry.detail))
        case "press":
            return f"{text(language, 'talk.press')} {entry.detail}"
        case "contact":
            return f"{text(language, 'talk.contact')} {entry.text}"
        case "edit":
            return f"{text(language, 'talk.edit')} {entry.text}"
        case _:
            return entry.text


def parts(written: str) -> list[str]:
    """The text in pieces of which each goes into one message: one, but for what somebody wrote at great length."""
    found = []
    while len(written.encode("utf-16-le", "surrogatepass")) > _UNITS * 2:
        cut = max(written.rfind("\n", 0, TEXT_MAX), written.rfind(" ", 0, TEXT_MAX))
        cut = cut if cut > 0 else TEXT_MAX
        found.append(written[:cut])
        written = written[cut:].lstrip()
    return [*found, written]


def message(thread: str, written: str, *, keyboard: Keyboard | None = None, answers: str = "") -> dict[str, Any]:
    """The parameters of sendMessage into a topic."""
    params: dict[str, Any] = {"message_thread_id": int(thread), "text": written, "link_preview_options": {"is_disabled": True}}
    if keyboard is not None and keyboard["inline_keyboard"]:
        params["reply_markup"] = keyboard
    if answers:
        params["reply_parameters"] = {"message_id": int(answers), "allow_sending_without_reply": True}
    return params
