"""A chain through the audit, the registry of investors, and what budgets and pages of a list look things up by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


# The audit is append only for every program, ours too; what the law no longer asks for may go (`backend/audit.py`).
_GUARDS = {
    "sqlite": (
        "CREATE TRIGGER audit_no_change BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append only'); END",
        (
            "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit WHEN OLD.at > datetime('now', '-5 years')"
            " BEGIN SELECT RAISE(ABORT, 'the audit is append only'); END"
        ),
        (
            "CREATE TRIGGER audit_chain_no_change BEFORE UPDATE ON audit_chain"
            " BEGIN SELECT RAISE(ABORT, 'the audit is append only'); END"
        ),
        (
            "CREATE TRIGGER audit_chain_no_delete BEFORE DELETE ON audit_chain"
            " WHEN EXISTS (SELECT 1 FROM audit WHERE audit.id = OLD.line)"
            " BEGIN SELECT RAISE(ABORT, 'the audit is append only'); END"
        ),
    ),
    "postgresql": (
        (
            "CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF TG_OP = 'DELETE' AND OLD.at < now() - interval '5 years' THEN RETURN OLD; END IF;"
            " RAISE EXCEPTION 'the audit is append only'; END $$"
        ),
        "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_append_only()",
        "CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()",
        (
            "CREATE FUNCTION audit_chain_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF TG_OP = 'DELETE' AND NOT EXISTS (SELECT 1 FROM audit WHERE audit.id = OLD.line) THEN RETURN OLD; END IF;"
            " RAISE EXCEPTION 'the audit is append only'; END $$"
        ),
        (
            "CREATE TRIGGER audit_chain_append_only BEFORE UPDATE OR DELETE ON audit_chain FOR EACH ROW"
            " EXECUTE FUNCTION audit_chain_append_only()"
        ),
        (
            "CREATE TRIGGER audit_chain_no_truncate BEFORE TRUNCATE ON audit_chain FOR EACH STATEMENT"
            " EXECUTE FUNCTION audit_chain_append_only()"
        ),
    ),
}


def upgrade() -> None:
    op.add_column("audit", sa.Column("mac", sa.LargeBinary(), nullable=True))
    op.create_index("ix_audit_mac", "audit", ["mac"], unique=True)
    op.create_table(
        "audit_chain",
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit_chain")),
        sa.UniqueConstraint("line", name=op.f("uq_audit_chain_line")),
    )
    op.create_table(
        "audit_loose",
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("line", name=op.f("pk_audit_loose")),
    )
    for guard in _GUARDS[op.get_bind().dialect.name]:
        op.execute(guard)
    with op.batch_alter_table("mails") as mails:
        mails.alter_column("recipient_index", existing_type=sa.LargeBinary(), nullable=True)
    op.create_index(op.f("ix_mails_queued_at"), "mails", ["queued_at"], unique=False)
    op.create_index(op.f("ix_registrations_reference"), "registrations", ["reference"], unique=False)
    op.create_index("ix_registrations_channel", "registrations", ["channel", "created_at", "id"], unique=False)
    op.create_table(
        "registry_editions",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registry_editions")),
    )
    op.create_table(
        "registry",
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("nik_index", sa.LargeBinary(), nullable=False),
        sa.Column("email_index", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["edition"], ["registry_editions.id"], name=op.f("fk_registry_edition")),
        sa.PrimaryKeyConstraint("edition", "nik_index", "email_index", name=op.f("pk_registry")),
    )
