"""docs/security.md and docs/testing.md name tests and transcripts that exist."""

from __future__ import annotations

import re

import pytest

from tests.product import ROOT
from tests.transcripts import DIALOG

SECURITY = (ROOT / "docs" / "security.md").read_text("utf-8")
HELD = (ROOT / "docs" / "testing.md").read_text("utf-8").partition("## Where it is held")[2]
NAMED = sorted(set(re.findall(r"`(test_\w+|tests/[\w./]+)`", SECURITY + HELD)))
TRANSCRIPTS = sorted(set(re.findall(r"`(\d[\w-]+)`", HELD)))
DEFINED = {name for file in (ROOT / "tests").rglob("*.py") for name in re.findall(r"def (test_\w+)", file.read_text("utf-8"))}


@pytest.mark.parametrize("name", NAMED)
def test_what_is_said_to_hold_names_a_test_that_is_there(name: str) -> None:
    assert (ROOT / name).is_file() if "/" in name else name in DEFINED


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_what_is_said_to_hold_names_a_transcript_that_is_there(name: str) -> None:
    assert (DIALOG / f"{name}.md").is_file()


def test_every_pain_is_held_by_something() -> None:
    rows = [line for line in HELD.splitlines() if line.startswith("| ") and "`" in line]
    assert len(rows) >= 30
    for row in rows:
        assert all(name in (*NAMED, *TRANSCRIPTS) for name in re.findall(r"`([^`]+)`", row)), row
