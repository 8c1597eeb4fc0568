"""The schema of the migrations is the schema of the code, on both databases."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import backend
from akses.keyring import Keyring
from backend import migrations
from backend.config import BackendConfig
from backend.database import DatabaseInUse, blocking_engine
from backend.services import open_backend
from backend.tables import metadata
from tests.backend.stage import stage_on
from tests.services import fresh_database

OURS = set(metadata.tables) | {"alembic_version"}


def test_the_migrated_database_is_the_one_that_the_code_describes(database_url: str) -> None:
    backend.migrate(database_url)
    engine = blocking_engine(database_url)
    with engine.connect() as conn:
        context = MigrationContext.configure(
            conn, opts={"include_name": lambda name, kind, _parents: kind != "table" or name in OURS, "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []
        assert set(sa.inspect(conn).get_table_names()) >= OURS
    engine.dispose()


def test_the_version_that_the_code_asks_for_is_the_newest_there_is() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_heads() == [migrations.HEAD]


def test_an_up_to_date_database_is_left_alone_and_alembic_is_not_even_imported(sqlite_url: str) -> None:
    backend.migrate(sqlite_url)
    code = "import sys, backend; backend.migrate(sys.argv[1]); sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code, sqlite_url], check=False).returncode == 0


def test_two_processes_may_migrate_at_once(postgres_cluster_url: str) -> None:
    code = "import sys, backend; backend.migrate(sys.argv[1])"
    with fresh_database(postgres_cluster_url, "migrated_twice") as url:
        both = [subprocess.Popen([sys.executable, "-c", code, url]) for _ in range(2)]
        assert [one.wait(60) for one in both] == [0, 0]


async def test_postgresql_that_was_not_migrated_is_refused_with_what_to_do(postgres_cluster_url: str, keyring: Keyring) -> None:
    with fresh_database(postgres_cluster_url, "not_migrated") as url:
        config = BackendConfig("http://x", "x", True, "a@example.com", "smtp://127.0.0.1:9", url, ("k",))
        with pytest.raises(migrations.SchemaOutdated, match="run the migration first"):
            async with open_backend(config, keyring, role="web"):
                pass


async def test_a_sqlite_file_is_one_process_s_alone(sqlite_url: str, keyring: Keyring) -> None:
    async with stage_on(sqlite_url, keyring, role="web"):
        with pytest.raises(DatabaseInUse):
            async with stage_on(sqlite_url, keyring, role="web"):
                pass
    async with stage_on(sqlite_url, keyring, role="web"):
        pass
