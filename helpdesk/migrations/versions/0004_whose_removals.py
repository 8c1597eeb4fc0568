"""Whose talk stood in a place at a bridge that is to be removed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "desk_0004"
down_revision = "desk_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("desk_bridge_removals", sa.Column("chat", sa.String(length=32), nullable=True))
