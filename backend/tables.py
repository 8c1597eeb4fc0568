"""The tables of the accounts' database.

Lives here: names, types, what is unique. Must not live here: how a version came from the one before (`migrations/`; a test compares
the two). Columns that hold personal data are sealed bytes (`vault.py`), their `_index` neighbours are keyed hashes; both are NULL once
the row was erased. `SEALED` and `PASSING` list them all. The engine of durable work keeps its own tables in the same database.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class Utc(TypeDecorator[datetime]):
    """An aware UTC time; SQLite, which has no time zones, keeps it without one."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

registrations = sa.Table(
    "registrations",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("language", sa.String(2), nullable=False),
    sa.Column("channel", sa.String(40), nullable=False),
    sa.Column("reference", sa.String(200), nullable=False, index=True),
    sa.Column("full_name", sa.LargeBinary),
    sa.Column("nik", sa.LargeBinary),
    sa.Column("nik_index", sa.LargeBinary, index=True),
    sa.Column("phone", sa.LargeBinary),
    sa.Column("phone_index", sa.LargeBinary, index=True),
    sa.Column("email", sa.LargeBinary),
    sa.Column("email_index", sa.LargeBinary, index=True),
    sa.Column("notice_version", sa.String(40), nullable=False),
    sa.Column("consent_at", Utc, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("closed_at", Utc),
    sa.Column("erased_at", Utc),
    # How a channel pages through its own.
    sa.Index("ix_registrations_channel", "channel", "created_at", "id"),
)

links = sa.Table(
    "links",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("registration_id", sa.ForeignKey("registrations.id"), nullable=False, index=True),
    sa.Column("token_hash", sa.LargeBinary, nullable=False, unique=True),
    # The keyed hash of the code that does what the link does, on the page inside the chat alone; NULL where the chat has no such page.
    sa.Column("code_hash", sa.LargeBinary),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("expires_at", Utc, nullable=False),
    sa.Column("used_at", Utc),
    sa.Column("void_at", Utc),
)

mails = sa.Table(
    "mails",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("registration_id", sa.ForeignKey("registrations.id"), nullable=False, index=True),
    sa.Column("link_id", sa.ForeignKey("links.id"), nullable=False),
    sa.Column("recipient_index", sa.LargeBinary, index=True),
    sa.Column("message_id", sa.String(320), nullable=False, unique=True),
    sa.Column("token", sa.LargeBinary),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("kind", sa.String(20)),
    sa.Column("reason", sa.String(40)),
    sa.Column("queued_at", Utc, nullable=False, index=True),
    sa.Column("accepted_at", Utc),
)

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("registration_id", sa.ForeignKey("registrations.id"), nullable=False, unique=True),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("language", sa.String(2), nullable=False),
    sa.Column("full_name", sa.LargeBinary, nullable=False),
    sa.Column("nik", sa.LargeBinary, nullable=False),
    sa.Column("nik_index", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("phone", sa.LargeBinary, nullable=False),
    sa.Column("phone_index", sa.LargeBinary, nullable=False, index=True),
    sa.Column("email", sa.LargeBinary, nullable=False),
    sa.Column("email_index", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("password_hash", sa.String(200), nullable=False),
    sa.Column("notice_version", sa.String(40), nullable=False),
    sa.Column("activated_at", Utc, nullable=False),
    # When a code sent to the phone came back; NULL where none was asked for yet.
    sa.Column("phone_verified_at", Utc),
)

account_sessions = sa.Table(
    "account_sessions",
    metadata,
    sa.Column("token_hash", sa.LargeBinary, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("accounts.id"), nullable=False, index=True),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("seen_at", Utc, nullable=False),
    # "Chrome, Android": enough for its owner to know it again.
    sa.Column("device", sa.String(60)),
)

# Links that set a new password for an account.
password_links = sa.Table(
    "password_links",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("account_id", sa.ForeignKey("accounts.id"), nullable=False, index=True),
    sa.Column("token_hash", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("expires_at", Utc, nullable=False),
    sa.Column("used_at", Utc),
    sa.Column("void_at", Utc),
)

# Who asked for such a link: written for every address, known or not, and counted.
password_requests = sa.Table(
    "password_requests",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("email_index", sa.LargeBinary, nullable=False, index=True),
    sa.Column("origin_index", sa.LargeBinary, nullable=False, index=True),
    sa.Column("queued_at", Utc, nullable=False),
    sa.Column("answered_at", Utc),
)

# Mails about an account; whatever they need is sealed in the row and erased when they are sent, also when the account is gone by then.
account_mails = sa.Table(
    "account_mails",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("account_id", sa.String(32), nullable=False, index=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("language", sa.String(2), nullable=False),
    sa.Column("message_id", sa.String(320), nullable=False, unique=True),
    sa.Column("full_name", sa.LargeBinary),
    sa.Column("email", sa.LargeBinary),
    sa.Column("token", sa.LargeBinary),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.String(40)),
    sa.Column("queued_at", Utc, nullable=False),
    sa.Column("expires_at", Utc, nullable=False),
    sa.Column("accepted_at", Utc),
)

# Somebody who must type a code from their phone before going on: into an account, or to an active one.
phone_checks = sa.Table(
    "phone_checks",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("token_hash", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("purpose", sa.String(16), nullable=False),
    sa.Column("account_id", sa.ForeignKey("accounts.id"), index=True),
    sa.Column("link_id", sa.ForeignKey("links.id"), index=True),
    # What the activation page was told, until the code is there.
    sa.Column("password_hash", sa.String(200)),
    sa.Column("notice_version", sa.String(40)),
    sa.Column("language", sa.String(2), nullable=False),
    sa.Column("phone", sa.LargeBinary),
    sa.Column("phone_index", sa.LargeBinary, nullable=False),
    sa.Column("code_hash", sa.LargeBinary),
    sa.Column("code_expires_at", Utc, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("expires_at", Utc, nullable=False),
    sa.Column("used_at", Utc),
)

sms = sa.Table(
    "sms",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("check_id", sa.ForeignKey("phone_checks.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("phone_index", sa.LargeBinary, nullable=False, index=True),
    sa.Column("code", sa.LargeBinary),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.String(40)),
    sa.Column("queued_at", Utc, nullable=False),
    sa.Column("expires_at", Utc, nullable=False),
    sa.Column("accepted_at", Utc),
)

# Who has our page open inside Telegram. The launch data is the key, so that none opens it twice.
visits = sa.Table(
    "visits",
    metadata,
    sa.Column("launch", sa.LargeBinary, primary_key=True),
    sa.Column("token_hash", sa.LargeBinary, nullable=False, unique=True),
    # Whose chat, as `registrations.reference` has it.
    sa.Column("reference", sa.String(200), nullable=False),
    sa.Column("opened_at", Utc, nullable=False),
)

idempotency = sa.Table(
    "idempotency",
    metadata,
    sa.Column("api_key", sa.String(16), primary_key=True),
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False),
    sa.Column("registration_id", sa.ForeignKey("registrations.id"), nullable=False),
    sa.Column("created_at", Utc, nullable=False),
)

suppressions = sa.Table(
    "suppressions",
    metadata,
    sa.Column("email_index", sa.LargeBinary, primary_key=True),
    sa.Column("since", Utc, nullable=False),
    sa.Column("until", Utc, nullable=False),
)

login_throttle = sa.Table(
    "login_throttle",
    metadata,
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("failed_at", Utc, nullable=False),
    sa.Column("open_at", Utc, nullable=False),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("registration_id", sa.ForeignKey("registrations.id"), nullable=False, index=True),
    sa.Column("type", sa.String(40), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("at", Utc, nullable=False),
    sa.Column("delivered_at", Utc),
    sa.Column("abandoned_at", Utc),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", Utc, nullable=False),
    sa.Column("actor", sa.String(60), nullable=False),
    sa.Column("action", sa.String(60), nullable=False),
    sa.Column("subject", sa.String(60), nullable=False),
    sa.Column("detail", sa.JSON, nullable=False),
    # A keyed hash over this line, none like another (`audit.py`); NULL in lines from before there was one.
    sa.Column("mac", sa.LargeBinary),
    sa.Index("ix_audit_mac", "mac", unique=True),
)

# The order of the audit's lines, each entry bound to the one before it.
audit_chain = sa.Table(
    "audit_chain",
    metadata,
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("line", sa.Integer, nullable=False, unique=True),
    sa.Column("mac", sa.LargeBinary, nullable=False),
)

# Lines that have no place in the chain yet.
audit_loose = sa.Table("audit_loose", metadata, sa.Column("line", sa.Integer, primary_key=True, autoincrement=False))

# What brokers and investment managers know of their investors: keyed hashes of NIK and e-mail, and nothing else.
registry = sa.Table(
    "registry",
    metadata,
    sa.Column("edition", sa.ForeignKey("registry_editions.id"), primary_key=True),
    sa.Column("nik_index", sa.LargeBinary, primary_key=True),
    sa.Column("email_index", sa.LargeBinary, primary_key=True),
)

registry_editions = sa.Table(
    "registry_editions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("begun_at", Utc, nullable=False),
    sa.Column("completed_at", Utc),
    sa.Column("lines", sa.Integer, nullable=False),
)

SEALED: tuple[tuple[sa.Table, tuple[str, ...]], ...] = (
    (registrations, ("full_name", "nik", "phone", "email")),
    (accounts, ("full_name", "nik", "phone", "email")),
    (mails, ("token",)),
    (account_mails, ("full_name", "email", "token")),
    (phone_checks, ("phone",)),
    (sms, ("code",)),
)
"""Every sealed column, for whoever must seal anew or look at all of them; the row's id is part of what it is sealed with. A neighbour named
`_index` is its keyed hash."""

PASSING: tuple[tuple[sa.Table, tuple[str, ...]], ...] = (
    (links, ("code_hash",)),
    (mails, ("recipient_index",)),
    (password_requests, ("email_index", "origin_index")),
    (phone_checks, ("phone_index", "code_hash")),
    (sms, ("phone_index",)),
    (idempotency, ("fingerprint",)),
    (suppressions, ("email_index",)),
    (login_throttle, ("key",)),
)
"""Keyed hashes of what is kept nowhere else: they cannot be made anew, and end within 31 days by themselves (`housekeeping.py`)."""
