"""Conversations as documentation: each file of `tests/transcripts/dialog/` is played, and must read as it did."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialogs.testing import played
from tests.transcripts import DIALOG, compare

FILES = sorted(DIALOG.glob("*.md"))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_the_conversation_reads_as_it_is_written_down(path: Path) -> None:
    compare(path, played(path.read_text("utf-8")).transcript.text)


def test_there_are_conversations_to_play() -> None:
    assert len(FILES) >= 15
