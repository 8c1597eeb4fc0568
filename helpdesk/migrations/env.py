"""Alembic's entry: runs the versions on the connection that `helpdesk.migrations` hands in, inside its transaction."""

from __future__ import annotations

from alembic import context

from helpdesk.migrations import VERSIONS
from helpdesk.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSIONS,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
