"""What every field does to typed text before its own rules look at it.

Lives here: taking out what cannot be seen, folding digits of other scripts, quoting a piece of the input in a sentence. Must
not live here: any rule of one field. Chats and address books wrap copied numbers in direction marks (U+202A ... U+202C), so
invisible characters are removed and not refused; they carry no meaning in any of the four answers.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

# Drawn as nothing although their category is not Cf: joiners, fillers, variation selectors, the blank Braille pattern.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0") | {
    chr(code) for span in (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0)) for code in span
}
# Letters that are taken for digits on a card or in a font.
_LOOKALIKES = str.maketrans({"O": "0", "o": "0", "I": "1", "l": "1", "i": "1", "|": "1"})


def visible(text: str) -> str:
    """The text without characters that are not drawn, and without white space around it."""
    if text.isascii() and text.isprintable():
        return text.strip()
    return "".join(char for char in text if unicodedata.category(char) != "Cf" and char not in _BLANK).strip()


def with_ascii_digits(text: str) -> str:
    """The text with every digit of any script (full-width, Arabic-Indic, superscript...) as 0-9."""
    if text.isascii():
        return text
    return "".join(char if (digit := unicodedata.digit(char, None)) is None else str(digit) for char in text)


def digits_for_lookalikes(text: str) -> str:
    """The text with O read as 0, and I and l read as 1. Only ever a suggestion."""
    return text.translate(_LOOKALIKES)


def listed(chars: Iterable[str], limit: int = 5) -> str:
    """The distinct characters in their order, as they may be quoted in a sentence: "O, l"."""
    distinct = list(dict.fromkeys(chars))
    return ", ".join(distinct[:limit]) + (", …" if len(distinct) > limit else "")


def shortened(text: str, limit: int = 40) -> str:
    """A piece of the input that is safe to quote: one line, not longer than `limit` characters."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
