"""The product as a process, for a test or for a whole file of them; its errors are the test's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.product import Product


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    """Started as a newcomer starts it, with nothing set."""
    with Product(tmp_path) as started:
        yield started
        assert started.faults == []
