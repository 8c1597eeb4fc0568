"""Which message a person's replies to, and under which an agent's stands in the chat; places at bridges that are to be removed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "desk_0003"
down_revision = "desk_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("desk_entries", sa.Column("answers", sa.String(length=64), nullable=True))
    op.add_column("desk_fates", sa.Column("message", sa.String(length=64), nullable=True))
    op.create_table(
        "desk_bridge_removals",
        sa.Column("bridge", sa.String(length=20), nullable=False),
        sa.Column("external", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["bridge"], ["desk_bridges.name"], name=op.f("fk_desk_bridge_removals_bridge")),
        sa.PrimaryKeyConstraint("bridge", "external", name=op.f("pk_desk_bridge_removals")),
    )
