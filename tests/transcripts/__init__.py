"""Conversations written down as Markdown: documentation that is compared with what happens.

`./run transcripts` accepts what has changed; look at the difference. How they are written: docs/testing.md.

Lives here: comparing. Must not live here: writing down (`dialogs/testing/transcript.py`). `dialog/` is played by
`tests/dialogs/test_transcripts.py`; `journey-*.md` are left by `tests/journey/`.
"""

from __future__ import annotations

import os
from difflib import unified_diff
from pathlib import Path

from dialogs.testing import Transcript, button

__all__ = ["DIALOG", "FOLDER", "VARYING", "Transcript", "button", "compare"]

FOLDER = Path(__file__).resolve().parent
DIALOG = FOLDER / "dialog"
# What differs between two runs of the real product, or cannot be seen.
VARYING = {
    r"\u2060": "",  # keeps "e-mail" on one line of a page
    r"http://localhost:\d+": "https://akses.example",
    r"/aktivasi/akt_[\w-]+": "/aktivasi/(token)",
    r"\w+, \d+ \w+ \d{4}, pukul \d\d\.\d\d WIB": "(hari, tanggal, jam)",
    r"pukul \d\d\.\d\d WIB": "pukul (jam)",
}


def compare(path: Path, text: str) -> None:
    """Fail unless this is what the golden file holds; with TRANSCRIPTS=update, make it so."""
    if os.environ.get("TRANSCRIPTS") == "update":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    golden = path.read_text("utf-8") if path.exists() else ""
    difference = unified_diff(golden.splitlines(), text.splitlines(), path.name, "what happened", lineterm="")
    assert text == golden, "\n".join(("the conversation has changed (to accept it: ./run transcripts):", *difference))
