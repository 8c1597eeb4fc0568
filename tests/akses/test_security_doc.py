"""docs/security.md names tests that exist."""

from __future__ import annotations

import re

import pytest

from tests.product import ROOT

NAMED = sorted(set(re.findall(r"`(test_\w+|tests/[\w./]+)`", (ROOT / "docs" / "security.md").read_text("utf-8"))))
DEFINED = {name for file in (ROOT / "tests").rglob("*.py") for name in re.findall(r"def (test_\w+)", file.read_text("utf-8"))}


@pytest.mark.parametrize("name", NAMED)
def test_what_is_said_to_hold_names_a_test_that_is_there(name: str) -> None:
    assert (ROOT / name).is_file() if "/" in name else name in DEFINED
