"""Conversations written down as Markdown: documentation that is compared with what happens.

A line that begins with `>` is what the person did: words as typed, a button in brackets, anything else in parentheses. What follows is
what came back, bubble by bubble (`---` between two), each with its buttons in brackets below it. To accept what has changed, look at
the difference after

    TRANSCRIPTS=update ./run test tests/dialogs/test_transcripts.py tests/journey

Lives here: writing down and comparing. `dialog/` is played by `tests/dialogs/test_transcripts.py`; `journey-*.md` are left by
`tests/journey/`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from difflib import unified_diff
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
DIALOG = FOLDER / "dialog"
# What differs between two runs of the real product.
VARYING = {
    r"http://localhost:\d+": "https://akses.example",
    r"/aktivasi/akt_[\w-]+": "/aktivasi/(token)",
    r"\w+, \d+ \w+ \d{4}, pukul \d\d\.\d\d WIB": "(hari, tanggal, jam)",
    r"pukul \d\d\.\d\d WIB": "pukul (jam)",
}


def button(label: str, url: str = "") -> str:
    return f"[{label}]({url})" if url else f"[{label}]"


class Transcript:
    """Grows as the conversation goes on. `replacing` names what differs from run to run, as patterns: {r"pukul [0-9.]+": "pukul (jam)"}."""

    def __init__(self, head: str, replacing: Mapping[str, str] | None = None) -> None:
        self._blocks = [head.strip()]
        self._answered = True
        self._replacing = replacing or {}

    def did(self, what: str) -> None:
        """The person typed or pressed something."""
        self._blocks.append(f"> {what}")
        self._answered = False

    def bubble(self, text: str, buttons: Iterable[str] = ()) -> None:
        """Something came back."""
        if self._answered:
            self._blocks.append("---")
        self._answered = True
        self._blocks.append(text)
        if row := " ".join(buttons):
            self._blocks.append(row)

    def heading(self, title: str, words: str = "") -> None:
        """The scene changes."""
        self._blocks += [f"## {title}", words] if words else [f"## {title}"]
        self._answered = False

    @property
    def text(self) -> str:
        text = "\n\n".join(self._blocks) + "\n"
        for varying, fixed in self._replacing.items():
            text = re.sub(varying, fixed, text)
        return text


def compare(path: Path, text: str) -> None:
    """Fail unless this is what the golden file holds; with TRANSCRIPTS=update, make it so."""
    if os.environ.get("TRANSCRIPTS") == "update":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    golden = path.read_text("utf-8") if path.exists() else ""
    difference = unified_diff(golden.splitlines(), text.splitlines(), path.name, "what happened", lineterm="")
    assert text == golden, "\n".join(("the conversation has changed (tests/transcripts/__init__.py):", *difference))
