"""The reference backend: registrations, activation by mail, accounts, and the contract under `/api/v1`.

Lives here: everything that KSEI's own backend team would replace. Must not live here: the chat (`dialogs/`, `bot/`) or where settings
come from (`akses/`); nothing of ours is imported, what is needed comes in by constructor. Start at `services.py` (what is built) and
`app.py` (what is served).
"""

from __future__ import annotations


def migrate(database_url: str) -> None:
    """Bring the database of `database_url` (sqlite:////abs or postgresql://) to this version's schema; quick when it is already.

    Needs the right to create tables. Safe to call from several processes at once.
    """
    from backend.migrations import migrate as bring_up  # imported late: not every user of this package has a database

    bring_up(database_url)
