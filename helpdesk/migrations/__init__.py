"""How the helpdesk's schema came to be: its own Alembic versions, beside the backend's in the same database.

Lives here: changes of the schema, oldest first in `versions/`. Must not live here: the tables as they are today (`helpdesk/tables.py`).
To change the schema: change `tables.py`, add a version, set HEAD; a test compares all three on both databases.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import sqlalchemy as sa

HEAD: Final = "desk_0004"
VERSIONS: Final = "desk_version"
_LOCK: Final = 3354_0007


class DeskOutdated(RuntimeError):
    """The database has another version's helpdesk; run the migration (`akses migrate`) first."""


def _version(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table(VERSIONS):
        return None
    found: str | None = connection.scalar(sa.text(f"SELECT version_num FROM {VERSIONS}"))  # noqa: S608 (a constant)
    return found


def require_current(connection: sa.Connection) -> None:
    """Raises DeskOutdated."""
    found = _version(connection)
    if found != HEAD:
        raise DeskOutdated(f"the helpdesk is at schema {found or 'none'}, this version needs {HEAD}: run the migration first")


def migrate(engine: sa.Engine) -> None:
    """Bring the helpdesk's schema up to date. The engine is disposed of by the caller."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if _version(connection) != HEAD:
            _upgrade(connection)


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command  # imported late: 0.1 s that an up-to-date start does not need
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
