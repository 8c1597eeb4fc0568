"""One bubble of the transcript as JSON: what a browser or terminal gets to draw.

Lives here: the shape, how a screen or a person's own words become one, and how a bubble with personal data is masked. Must not
live here: where bubbles are kept (`transcript.py`). Adding an optional member is safe; clients ignore what they do not know.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final, Literal

import msgspec

from bot.channels.web.transcript import Entry
from dialogs.effects import Author, Say
from dialogs.screens import Hint, Screen, Style
from dialogs.secret import looks_like_password

_DOTS: Final = "••••••••"
_EMAIL: Final = re.compile(r"(?P<first>\S)[^\s@]*@(?P<domain>[^\s@]+\.[^\s@]+)")
_NUMBER: Final = re.compile(r"\+?[\d\s().-]+")
_FEWEST_DIGITS, _MOST_DIGITS = 9, 16


class Button(msgspec.Struct, frozen=True, omit_defaults=True):
    id: str
    label: str
    style: Style = "plain"
    url: str = ""


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """`token` is "" on a message that is no screen. `typed` tells what the person wrote from what the person pressed; `name` is that of the
    agent who speaks.
    """

    id: str
    author: Literal["bot", "user", "agent", "system"] = msgspec.field(name="from")
    at: datetime
    text: str
    notice: str = ""
    token: str = ""
    step: str = ""
    actions: tuple[Button, ...] = ()
    hint: Hint | None = None
    progress: tuple[int, int] | None = None
    sensitive: bool = False
    typed: bool = False
    masked: bool = False
    name: str = ""


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Item).decode


def said(id_: str, message: Say, at: datetime) -> bytes:
    """A message of ours that is no screen."""
    return _encode(Item(id=id_, author=message.author, at=at, text=message.text, name=message.name))


def shown(id_: str, screen: Screen, at: datetime, author: Author = "bot") -> bytes:
    """A screen without the buttons that mean nothing here: no browser can vouch for a phone number, or for whose chat a page is."""
    return _encode(
        Item(
            id=id_,
            author=author,
            at=at,
            text=screen.text,
            notice=screen.notice,
            token=screen.token,
            step=screen.step,
            actions=tuple(Button(a.id, a.label, a.style, a.url) for a in screen.actions if not (a.contact or a.app)),
            hint=screen.hint,
            progress=screen.progress,
            sensitive=screen.sensitive,
        )
    )


def answered(id_: str, text: str, at: datetime, *, typed: bool) -> bytes:
    """The person's own bubble: what was typed, or the label of the button that was pressed."""
    return _encode(Item(id=id_, author="user", at=at, text=text, typed=typed))


def redrawn(item: bytes, screen: Screen) -> bytes:
    """An earlier screen of ours with other content, said when it was said."""
    old = _decode(item)
    return shown(old.id, screen, old.at, "system" if old.author == "system" else "bot")


def masked(item: bytes) -> bytes:
    """The person's own bubble without its personal data. Masking twice changes nothing."""
    old = _decode(item)
    return item if old.masked else _encode(msgspec.structs.replace(old, text=mask(old.text), masked=True))


def covered(item: bytes) -> tuple[str, bytes] | None:
    """A screen of ours that showed personal data, as its key and the item without its text; None for any other."""
    old = _decode(item)
    if not old.sensitive:
        return None
    blank = msgspec.structs.replace(old, text=_DOTS, notice="", sensitive=False, token="", actions=(), masked=True)
    return old.id, _encode(blank)


def mask(text: str) -> str:
    """Enough of a number or an e-mail address to recognise it; of anything else nothing, for it may be a password."""
    plain = text.strip()
    if looks_like_password(plain):
        return _DOTS
    digits = "".join(character for character in plain if character.isdigit())
    if _NUMBER.fullmatch(plain) and _FEWEST_DIGITS <= len(digits) <= _MOST_DIGITS:
        kept = 4 if len(digits) >= 12 else 2
        return f"{digits[:kept]}{'*' * (len(digits) - 2 * kept)}{digits[-kept:]}"
    if email := _EMAIL.fullmatch(plain):
        return f"{email['first']}***@{email['domain']}"
    return _DOTS


def wire(entry: Entry) -> bytes:
    """The item as clients get it: with its place and its moment."""
    return b'{"cursor":%d,"seq":%d,%s' % (entry.cursor, entry.seq, entry.item[1:])
