"""How the schema came to be: Alembic's environment, its versions, and the one function that brings a database up to date.

Lives here: changes of the schema, oldest first in `versions/`. Must not live here: the tables as they are today (`backend/tables.py`).
To change the schema: change `tables.py`, add a version, set HEAD; a test compares all three on both databases.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from dbos import DBOS

from backend.database import blocking_engine, is_sqlite, plain_url

HEAD: Final = "0004"
_LOCK: Final = 3354_0001


class SchemaOutdated(RuntimeError):
    """The database has another version's schema; run the migration (`akses migrate`) first."""


def _version(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return found


def require_current(connection: sa.Connection) -> None:
    """Raises SchemaOutdated."""
    found = _version(connection)
    if found != HEAD:
        raise SchemaOutdated(f"the database is at schema {found or 'none'}, this version needs {HEAD}: run the migration first")


def migrate(database_url: str) -> None:
    """Bring up both schemas: ours, and that of the engine of durable work."""
    engine = blocking_engine(database_url)
    try:
        with engine.begin() as connection:
            if not is_sqlite(database_url):
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            if _version(connection) != HEAD:
                _upgrade(connection)
    finally:
        engine.dispose()
    DBOS.migrate(plain_url(database_url))


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command  # imported late: 0.1 s that an up-to-date start does not need
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
