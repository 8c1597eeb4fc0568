"""The helpdesk on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from akses.keyring import Keyring
from tests.backend.conftest import database_url, keyring, keyring_file, postgres_cluster_url, postgres_url, sqlite_url
from tests.helpdesk.stage import Stage, stage_on

__all__ = ["database_url", "keyring", "keyring_file", "postgres_cluster_url", "postgres_url", "sqlite_url"]


@pytest.fixture
async def stage(database_url: str, keyring: Keyring) -> AsyncIterator[Stage]:
    """The helpdesk on SQLite, then on PostgreSQL."""
    async with stage_on(database_url, keyring) as opened:
        yield opened


@pytest.fixture
async def small_stage(sqlite_url: str, keyring: Keyring) -> AsyncIterator[Stage]:
    """The helpdesk on SQLite alone, for what does not depend on the database."""
    async with stage_on(sqlite_url, keyring) as opened:
        yield opened
