"""Texts and what they may measure: messengers count UTF-16 code units, and a text that is too long for one message goes in several.

Lives here: counting and cutting. Must not live here: how much a channel allows (its own folder).
"""

from __future__ import annotations


def units(text: str) -> int:
    """How long it is in UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def split(text: str, most: int) -> list[str]:
    """The text in parts of at most so many units, cut where a reader would: paragraph, line, word, and only then anywhere."""
    if len(text) * 2 <= most:
        return [text] if text.strip() else []
    parts = []
    while len(encoded := text.encode("utf-16-le", "surrogatepass")) > most * 2:
        head = encoded[: most * 2].decode("utf-16-le", "ignore")
        cut = next((at for border in ("\n\n", "\n", " ") if (at := head.rfind(border)) > 0), len(head))
        parts.append(text[:cut])
        text = text[cut:].lstrip()
    parts.append(text)
    return [part for part in parts if part.strip()]
