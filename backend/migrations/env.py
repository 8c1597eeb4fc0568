"""Alembic's entry: runs the versions on the connection that `backend.migrations` hands in, inside its transaction."""

from __future__ import annotations

from alembic import context

from backend.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
