"""The schema of the helpdesk's migrations is the schema of its code, on both databases, beside the backend's."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import backend
from akses.desk import migrate
from backend.database import blocking_engine
from helpdesk import migrations
from helpdesk.tables import metadata

OURS = set(metadata.tables)


def test_the_migrated_helpdesk_is_the_one_that_the_code_describes(database_url: str) -> None:
    backend.migrate(database_url)
    migrate(database_url)
    engine = blocking_engine(database_url)
    with engine.connect() as conn:
        context = MigrationContext.configure(
            conn,
            opts={
                "include_name": lambda name, kind, _parents: kind != "table" or name in OURS,
                "compare_type": True,
                "version_table": migrations.VERSIONS,
            },
        )
        assert compare_metadata(context, metadata) == []
        assert set(sa.inspect(conn).get_table_names()) >= OURS
    engine.dispose()


def test_the_version_that_the_code_asks_for_is_the_newest_there_is() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_heads() == [migrations.HEAD]


def test_a_database_without_a_helpdesk_is_refused_with_what_to_do(sqlite_url: str) -> None:
    engine = blocking_engine(sqlite_url)
    with engine.connect() as conn, pytest.raises(migrations.DeskOutdated, match="run the migration first"):
        migrations.require_current(conn)
    engine.dispose()
