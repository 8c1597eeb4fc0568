"""Agents, conversations, tickets, what was said, and the feed of changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "desk_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "desk_agents",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("login", sa.String(length=120), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("roles", sa.String(length=80), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column("totp", sa.LargeBinary(), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), nullable=True),
        sa.Column("oidc", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_agents")),
        sa.UniqueConstraint("login", name=op.f("uq_desk_agents_login")),
        sa.UniqueConstraint("oidc", name=op.f("uq_desk_agents_oidc")),
    )
    op.create_table(
        "desk_changes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("what", sa.String(length=12), nullable=False),
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("ticket_id", sa.String(length=60), nullable=True),
        sa.Column("entry_id", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_changes")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_desk_changes_at"), "desk_changes", ["at"], unique=False)
    op.create_table(
        "desk_conversations",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("conversation", sa.String(length=200), nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_conversations")),
        sa.UniqueConstraint("conversation", name=op.f("uq_desk_conversations_conversation")),
    )
    op.create_index(op.f("ix_desk_conversations_seen_at"), "desk_conversations", ["seen_at"], unique=False)
    op.create_table(
        "desk_fates",
        sa.Column("ref", sa.String(length=64), nullable=False),
        sa.Column("fate", sa.String(length=16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resent", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("ref", name=op.f("pk_desk_fates")),
    )
    op.create_table(
        "desk_agent_links",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("agent_id", sa.String(length=32), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["agent_id"], ["desk_agents.id"], name=op.f("fk_desk_agent_links_agent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_agent_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_desk_agent_links_token_hash")),
    )
    op.create_index(op.f("ix_desk_agent_links_agent_id"), "desk_agent_links", ["agent_id"], unique=False)
    op.create_table(
        "desk_canned",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("agent_id", sa.String(length=32), nullable=True),
        sa.Column("title", sa.String(length=60), nullable=False),
        sa.Column("text_id", sa.Text(), nullable=False),
        sa.Column("text_en", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["desk_agents.id"], name=op.f("fk_desk_canned_agent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_canned")),
    )
    op.create_table(
        "desk_recovery_codes",
        sa.Column("agent_id", sa.String(length=32), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["agent_id"], ["desk_agents.id"], name=op.f("fk_desk_recovery_codes_agent_id")),
        sa.PrimaryKeyConstraint("agent_id", "code_hash", name=op.f("pk_desk_recovery_codes")),
    )
    op.create_table(
        "desk_sessions",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("agent_id", sa.String(length=32), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("proven", sa.Boolean(), nullable=False),
        sa.Column("device", sa.String(length=60), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["desk_agents.id"], name=op.f("fk_desk_sessions_agent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_desk_sessions_token_hash")),
    )
    op.create_index(op.f("ix_desk_sessions_agent_id"), "desk_sessions", ["agent_id"], unique=False)
    op.create_table(
        "desk_tickets",
        sa.Column("id", sa.String(length=60), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=8), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("agent_id", sa.String(length=32), nullable=True),
        sa.Column("agent_name", sa.String(length=60), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("owned_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended", sa.String(length=16), nullable=False),
        sa.Column("label", sa.String(length=40), nullable=False),
        sa.Column("rating", sa.Integer(), nullable=True),
        sa.Column("unanswered_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["conversation_id"], ["desk_conversations.id"], name=op.f("fk_desk_tickets_conversation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_tickets")),
        sa.UniqueConstraint("number", name=op.f("uq_desk_tickets_number")),
    )
    op.create_index("ix_desk_tickets_agent", "desk_tickets", ["agent_id", "owner"], unique=False)
    op.create_index(op.f("ix_desk_tickets_conversation_id"), "desk_tickets", ["conversation_id"], unique=False)
    op.create_index("ix_desk_tickets_opened_at", "desk_tickets", ["opened_at"], unique=False)
    op.create_index("ix_desk_tickets_owner", "desk_tickets", ["owner", "opened_at"], unique=False)
    op.create_table(
        "desk_entries",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("ticket_id", sa.String(length=60), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.String(length=8), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("agent_id", sa.String(length=32), nullable=True),
        sa.Column("agent_name", sa.String(length=60), nullable=False),
        sa.Column("ref", sa.String(length=64), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["conversation_id"], ["desk_conversations.id"], name=op.f("fk_desk_entries_conversation_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["desk_tickets.id"], name=op.f("fk_desk_entries_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_entries")),
    )
    op.create_index("ix_desk_entries_conversation_id", "desk_entries", ["conversation_id", "at", "place"], unique=False)
    op.create_index(op.f("ix_desk_entries_ref"), "desk_entries", ["ref"], unique=False)
    op.create_index(op.f("ix_desk_entries_ticket_id"), "desk_entries", ["ticket_id"], unique=False)
    op.create_table(
        "desk_ticket_terms",
        sa.Column("ticket_id", sa.String(length=60), nullable=False),
        sa.Column("term", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["desk_tickets.id"], name=op.f("fk_desk_ticket_terms_ticket_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("ticket_id", "term", name=op.f("pk_desk_ticket_terms")),
    )
    op.create_index(op.f("ix_desk_ticket_terms_term"), "desk_ticket_terms", ["term"], unique=False)
