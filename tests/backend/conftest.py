"""Fixtures of the backend's tests: databases of both kinds, and the backend on its stage."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

import pytest

import backend
from akses.keyring import Keyring
from tests.backend.stage import Stage, stage_on
from tests.services import fresh_database, postgres_cluster


@pytest.fixture(scope="session")
def postgres_cluster_url() -> Iterator[str]:
    """A cluster with a database `migrated` that others are copied from."""
    with postgres_cluster() as cluster, fresh_database(cluster, "migrated") as template:
        backend.migrate(template)
        yield cluster


@pytest.fixture
def postgres_url(postgres_cluster_url: str) -> Iterator[str]:
    """A migrated PostgreSQL database of the test's own."""
    with fresh_database(postgres_cluster_url, f"test_{secrets.token_hex(6)}", template="migrated") as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite file of the test's own; nothing is in it yet."""
    return f"sqlite:///{tmp_path}/accounts.db"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def keyring_file(tmp_path: Path) -> Path:
    """The keys as another process reads them."""
    file = tmp_path / "keyring"
    file.write_text(Keyring.generate(), encoding="ascii")
    return file


@pytest.fixture
def keyring(keyring_file: Path) -> Keyring:
    return Keyring.parse(keyring_file.read_text(encoding="ascii"))


@pytest.fixture
async def stage(database_url: str, keyring: Keyring) -> AsyncIterator[Stage]:
    """The backend on SQLite, then on PostgreSQL."""
    async with stage_on(database_url, keyring) as opened:
        yield opened


@pytest.fixture
async def small_stage(sqlite_url: str, keyring: Keyring) -> AsyncIterator[Stage]:
    """The backend on SQLite alone, for what does not depend on the database."""
    async with stage_on(sqlite_url, keyring) as opened:
        yield opened


@pytest.fixture
async def api(sqlite_url: str, keyring: Keyring) -> AsyncIterator[Stage]:
    """The backend as a web process: it answers and writes jobs, but nothing does them."""
    async with stage_on(sqlite_url, keyring, role="web") as opened:
        yield opened


class OpenStage(Protocol):
    def __call__(self, **settings: Any) -> AbstractAsyncContextManager[Stage]: ...


@pytest.fixture
def open_stage(database_url: str, keyring: Keyring) -> OpenStage:
    """Opens the backend when the test wants it, also twice on the same database; keyword arguments change its settings."""

    def make(**settings: Any) -> AbstractAsyncContextManager[Stage]:
        return stage_on(database_url, keyring, **settings)

    return make
