"""The helpdesk's tables, `desk_...`, in the accounts' database.

Lives here: names, types, what is unique. Must not live here: how a version came from the one before (`migrations/`; a test compares the
two). What people wrote is sealed (`seals.py`) and NULL once it was erased. README.md says what other parts may rely on.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

# SQLite numbers rows by itself only in a column that is exactly INTEGER.
_Counted = sa.BigInteger().with_variant(sa.Integer, "sqlite")


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

# --- agents

agents = sa.Table(
    "desk_agents",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    # Lower case; an e-mail address or a name that a person can type.
    sa.Column("login", sa.String(120), nullable=False, unique=True),
    # As colleagues and investors see it.
    sa.Column("name", sa.String(60), nullable=False),
    # Names of roles with commas between them (`roles.py`).
    sa.Column("roles", sa.String(80), nullable=False),
    sa.Column("language", sa.String(2), nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("disabled_at", Utc),
    sa.Column("password_hash", sa.String(200)),
    sa.Column("totp", sa.LargeBinary),
    # The time step of the last code that was taken: no code opens twice.
    sa.Column("totp_step", sa.BigInteger),
    # Issuer and subject of the identity provider, hashed, from the first time they came.
    sa.Column("oidc", sa.LargeBinary, unique=True),
)

# One-time links: an invitation, or the embedded product's way in.
agent_links = sa.Table(
    "desk_agent_links",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("agent_id", sa.ForeignKey("desk_agents.id"), nullable=False, index=True),
    sa.Column("purpose", sa.String(16), nullable=False),
    sa.Column("token_hash", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("expires_at", Utc, nullable=False),
    sa.Column("used_at", Utc),
)

recovery_codes = sa.Table(
    "desk_recovery_codes",
    metadata,
    sa.Column("agent_id", sa.ForeignKey("desk_agents.id"), primary_key=True),
    sa.Column("code_hash", sa.LargeBinary, primary_key=True),
    sa.Column("used_at", Utc),
)

agent_sessions = sa.Table(
    "desk_sessions",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("agent_id", sa.ForeignKey("desk_agents.id"), nullable=False, index=True),
    sa.Column("token_hash", sa.LargeBinary, nullable=False, unique=True),
    # False between the password and the code: good for nothing but the code.
    sa.Column("proven", sa.Boolean, nullable=False),
    sa.Column("device", sa.String(60), nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("seen_at", Utc, nullable=False),
    sa.Column("expires_at", Utc, nullable=False),
)

# --- conversations, tickets, what was said

conversations = sa.Table(
    "desk_conversations",
    metadata,
    # For addresses and logs, where the chat's own would tell who it is.
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("conversation", sa.String(200), nullable=False, unique=True),
    sa.Column("channel", sa.String(40), nullable=False),
    sa.Column("language", sa.String(2), nullable=False),
    sa.Column("step", sa.String(40), nullable=False),
    sa.Column("seen_at", Utc, nullable=False, index=True),
)

tickets = sa.Table(
    "desk_tickets",
    metadata,
    # The dialog's own id of the hand-off.
    sa.Column("id", sa.String(60), primary_key=True),
    # What people call it: #1, #2, ...
    sa.Column("number", sa.Integer, nullable=False, unique=True),
    sa.Column("conversation_id", sa.ForeignKey("desk_conversations.id"), nullable=False, index=True),
    sa.Column("channel", sa.String(40), nullable=False),
    sa.Column("language", sa.String(2), nullable=False),
    sa.Column("reason", sa.String(40), nullable=False),
    sa.Column("step", sa.String(40), nullable=False),
    # queued, human or closed; the version is the dialog's, and never goes back.
    sa.Column("owner", sa.String(8), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("agent_id", sa.String(32)),
    sa.Column("agent_name", sa.String(60), nullable=False),
    sa.Column("opened_at", Utc, nullable=False),
    sa.Column("owned_since", Utc, nullable=False),
    # When an agent first took it, and when one first wrote.
    sa.Column("taken_at", Utc),
    sa.Column("answered_at", Utc),
    sa.Column("closed_at", Utc),
    # How it ended: returned, closed, timeout, cancelled ...
    sa.Column("ended", sa.String(16), nullable=False),
    sa.Column("label", sa.String(40), nullable=False),
    sa.Column("rating", sa.Integer),
    # Since when the person waits for an answer to what they wrote; NULL when they do not.
    sa.Column("unanswered_since", Utc),
    sa.Column("changed_at", Utc, nullable=False),
    sa.Index("ix_desk_tickets_owner", "owner", "opened_at"),
    sa.Index("ix_desk_tickets_agent", "agent_id", "owner"),
    sa.Index("ix_desk_tickets_opened_at", "opened_at"),
)

# By what an agent finds a ticket who was told a value on the phone: keyed hashes, which tell nothing back.
ticket_terms = sa.Table(
    "desk_ticket_terms",
    metadata,
    sa.Column("ticket_id", sa.ForeignKey("desk_tickets.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("term", sa.LargeBinary, primary_key=True, index=True),
)

entries = sa.Table(
    "desk_entries",
    metadata,
    # Made of what brought it, so that it comes once.
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("conversation_id", sa.ForeignKey("desk_conversations.id"), nullable=False),
    # NULL where the bot had the conversation.
    sa.Column("ticket_id", sa.ForeignKey("desk_tickets.id"), index=True),
    # When, and within one moment in which order.
    sa.Column("at", Utc, nullable=False),
    sa.Column("place", sa.BigInteger, nullable=False),
    # person, bot, agent or system
    sa.Column("author", sa.String(8), nullable=False),
    # line (watched), note, opened; a kind of `dialogs.effects.Relay`, or what a `DeskChanged` says
    sa.Column("kind", sa.String(12), nullable=False),
    sa.Column("agent_id", sa.String(32)),
    sa.Column("agent_name", sa.String(60), nullable=False),
    # Of an agent's message: by which its fate is told.
    sa.Column("ref", sa.String(64), index=True),
    # Of a person's message: the channel's own id, which an edit of it bears as well, and that of the message which it replies to.
    sa.Column("message", sa.String(64)),
    sa.Column("answers", sa.String(64)),
    # JSON: text, detail.
    sa.Column("body", sa.LargeBinary),
    sa.Index("ix_desk_entries_conversation_id", "conversation_id", "at", "place"),
)

# What became of agents' messages: apart, because it may be known before the message itself is told.
fates = sa.Table(
    "desk_fates",
    metadata,
    sa.Column("ref", sa.String(64), primary_key=True),
    # sent, unreachable, refused, failed, unknown
    sa.Column("fate", sa.String(16), nullable=False),
    # The channel's own id of the message that was sent.
    sa.Column("message", sa.String(64)),
    sa.Column("at", Utc, nullable=False),
    # Given up, and said again by the agent since.
    sa.Column("resent", sa.Boolean, nullable=False),
)

# The feed: one line for whatever changed, in the order in which it became visible. Its reader remembers the last id.
changes = sa.Table(
    "desk_changes",
    metadata,
    sa.Column("id", _Counted, primary_key=True),
    sa.Column("at", Utc, nullable=False, index=True),
    # opened, owner, entry (a line, a note), fate, rated, line (where the bot has the conversation), erased (the talk)
    sa.Column("what", sa.String(12), nullable=False),
    sa.Column("conversation_id", sa.String(32), nullable=False),
    sa.Column("ticket_id", sa.String(60)),
    sa.Column("entry_id", sa.String(32)),
    # No id is given out twice, also when old lines were forgotten.
    sqlite_autoincrement=True,
)

canned = sa.Table(
    "desk_canned",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    # NULL: everybody's.
    sa.Column("agent_id", sa.ForeignKey("desk_agents.id")),
    sa.Column("title", sa.String(60), nullable=False),
    sa.Column("text_id", sa.Text, nullable=False),
    sa.Column("text_en", sa.Text, nullable=False),
    sa.Column("changed_at", Utc, nullable=False),
)

# --- bridges (`bridges/port.py`)

# One row a bridge: how far it has carried the feed since `began_at`, and which process does so until when.
bridges = sa.Table(
    "desk_bridges",
    metadata,
    sa.Column("name", sa.String(20), primary_key=True),
    sa.Column("cursor", sa.BigInteger, nullable=False),
    sa.Column("began_at", Utc, nullable=False),
    # Which far end it is, in the bridge's own words; and behind a blank where that is by now, where it has moved.
    sa.Column("moved", sa.String(200)),
    sa.Column("held_by", sa.String(40)),
    sa.Column("held_until", Utc),
)

# Where a ticket's talk is there: the bridge's names of the place and of its first message; "" while it is to be made (anew).
bridge_places = sa.Table(
    "desk_bridge_places",
    metadata,
    sa.Column("bridge", sa.ForeignKey("desk_bridges.name"), primary_key=True),
    sa.Column("ticket_id", sa.ForeignKey("desk_tickets.id"), primary_key=True),
    sa.Column("external", sa.String(200), nullable=False),
    sa.Column("first", sa.String(200), nullable=False),
    # new; again, where the one before is gone; open, once the ticket itself has been told there
    sa.Column("state", sa.String(8), nullable=False),
    sa.Index("ix_desk_bridge_places_external", "bridge", "external"),
)

# Places whose talk was erased, until they are gone there as well.
bridge_removals = sa.Table(
    "desk_bridge_removals",
    metadata,
    sa.Column("bridge", sa.ForeignKey("desk_bridges.name"), primary_key=True),
    sa.Column("external", sa.String(200), primary_key=True),
    # Whose talk it was: what the place does not tell any more once somebody there has deleted it.
    sa.Column("chat", sa.String(32)),
)

# What stands there, both ways. `entry` is the entry's id, or of what an agent wrote there its `ref`; `external` is "" where it took no
# message.
bridge_messages = sa.Table(
    "desk_bridge_messages",
    metadata,
    sa.Column("bridge", sa.ForeignKey("desk_bridges.name"), primary_key=True),
    sa.Column("entry", sa.String(64), primary_key=True),
    sa.Column("ticket_id", sa.ForeignKey("desk_tickets.id"), nullable=False, index=True),
    sa.Column("external", sa.String(200), nullable=False),
    # carried, written (there, by an agent), refused, passed (told before the place was there)
    sa.Column("state", sa.String(8), nullable=False),
    # The last word on it that was carried (`desk_fates`).
    sa.Column("fate", sa.String(16), nullable=False),
    sa.Column("at", Utc, nullable=False),
    sa.Index("ix_desk_bridge_messages_external", "bridge", "external"),
)

# Who is who there; without an agent, somebody who was told what to do and may do nothing.
accounts = sa.Table(
    "desk_accounts",
    metadata,
    sa.Column("bridge", sa.String(20), primary_key=True),
    sa.Column("account", sa.String(200), primary_key=True),
    sa.Column("agent_id", sa.ForeignKey("desk_agents.id"), index=True),
    sa.Column("at", Utc, nullable=False),
)

# The channel of a conversation whose chat is not known any more.
GONE: Final = "gone"


def unnamed() -> sa.Update:
    """Forget whose chat a conversation was, but for one that still waits for an answer there, or has one."""
    waiting = sa.select(tickets.c.conversation_id).where(tickets.c.owner != "closed")
    named = ~conversations.c.conversation.startswith(f"{GONE}:")
    nobodys = sa.literal(f"{GONE}:") + conversations.c.id
    return conversations.update().where(named, conversations.c.id.not_in(waiting)).values(conversation=nobodys)


# Every sealed column, for whoever must seal anew; a row's id is part of what it is sealed with (`seals.py`).
SEALED: tuple[tuple[sa.Table, tuple[str, ...]], ...] = ((entries, ("body",)), (agents, ("totp",)))
# Keyed hashes of what is kept nowhere else: they cannot be made anew, and go with the talk of their ticket (`records.py`).
PASSING: tuple[tuple[sa.Table, tuple[str, ...]], ...] = ((ticket_terms, ("term",)),)
