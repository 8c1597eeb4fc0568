"""Bridges: how far each has carried, its places and messages, and who is who there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "desk_0002"
down_revision = "desk_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("desk_entries", sa.Column("message", sa.String(length=64), nullable=True))
    op.create_table(
        "desk_bridges",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("moved", sa.String(length=200), nullable=True),
        sa.Column("held_by", sa.String(length=40), nullable=True),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_desk_bridges")),
    )
    op.create_table(
        "desk_bridge_places",
        sa.Column("bridge", sa.String(length=20), nullable=False),
        sa.Column("ticket_id", sa.String(length=60), nullable=False),
        sa.Column("external", sa.String(length=200), nullable=False),
        sa.Column("first", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.ForeignKeyConstraint(["bridge"], ["desk_bridges.name"], name=op.f("fk_desk_bridge_places_bridge")),
        sa.ForeignKeyConstraint(["ticket_id"], ["desk_tickets.id"], name=op.f("fk_desk_bridge_places_ticket_id")),
        sa.PrimaryKeyConstraint("bridge", "ticket_id", name=op.f("pk_desk_bridge_places")),
    )
    op.create_index("ix_desk_bridge_places_external", "desk_bridge_places", ["bridge", "external"], unique=False)
    op.create_table(
        "desk_bridge_messages",
        sa.Column("bridge", sa.String(length=20), nullable=False),
        sa.Column("entry", sa.String(length=64), nullable=False),
        sa.Column("ticket_id", sa.String(length=60), nullable=False),
        sa.Column("external", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("fate", sa.String(length=16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["bridge"], ["desk_bridges.name"], name=op.f("fk_desk_bridge_messages_bridge")),
        sa.ForeignKeyConstraint(["ticket_id"], ["desk_tickets.id"], name=op.f("fk_desk_bridge_messages_ticket_id")),
        sa.PrimaryKeyConstraint("bridge", "entry", name=op.f("pk_desk_bridge_messages")),
    )
    op.create_index("ix_desk_bridge_messages_external", "desk_bridge_messages", ["bridge", "external"], unique=False)
    op.create_index(op.f("ix_desk_bridge_messages_ticket_id"), "desk_bridge_messages", ["ticket_id"], unique=False)
    op.create_table(
        "desk_accounts",
        sa.Column("bridge", sa.String(length=20), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("agent_id", sa.String(length=32), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["desk_agents.id"], name=op.f("fk_desk_accounts_agent_id")),
        sa.PrimaryKeyConstraint("bridge", "account", name=op.f("pk_desk_accounts")),
    )
    op.create_index(op.f("ix_desk_accounts_agent_id"), "desk_accounts", ["agent_id"], unique=False)
