"""The helpdesk, built: its services on one database, one keyring and the one audit.

Lives here: construction. Must not live here: HTTP (`console/`), or any part that is shared with the rest of the product (`ports.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from backend_client.port import Revealing
from bot.conversation import Conversation
from bot.desk import Agents as Dialog
from bot.turns import StoreUnavailable
from helpdesk.acting import Acting
from helpdesk.agents import Agents
from helpdesk.assisting import Assisting, Moving
from helpdesk.bridges.accounts import Accounts
from helpdesk.bridges.book import Book
from helpdesk.bridges.carrier import Carrier
from helpdesk.bridges.deeds import Deeds
from helpdesk.bridges.port import Bridge
from helpdesk.bridges.views import Views
from helpdesk.canned import Canned
from helpdesk.config import DeskConfig
from helpdesk.feed import Feed
from helpdesk.masking import known_of
from helpdesk.numbers import Counting as Numbers
from helpdesk.oidc import Oidc
from helpdesk.panel import Backend, Look, Panels
from helpdesk.ports import Audit, Clock, Counting, Database, Hasher, Judge, Seals, utc_now
from helpdesk.reading import Reading, search_terms
from helpdesk.records import Records
from helpdesk.seals import Cells
from helpdesk.sign_in import SignIn


@dataclass(frozen=True, slots=True)
class People:
    """Who works at the helpdesk: all that is needed without any chat (`akses agents`)."""

    config: DeskConfig
    database: Database
    audit: Audit
    clock: Clock
    agents: Agents
    accounts: Accounts
    sign_in: SignIn
    oidc: Oidc | None


@dataclass(frozen=True, slots=True)
class Helpdesk:
    """What the console is given. `records` is what the chats are given (`bot/desk.py`); `feed.run` is to be run beside."""

    people: People
    records: Records
    reading: Reading
    feed: Feed
    panels: Panels
    acting: Acting
    canned: Canned
    assisting: Assisting
    counting: Numbers

    async def forget(self) -> None:
        """Erase what is over; to be called now and then."""
        await self.people.sign_in.forget()
        await self.records.forget()

    def book(self, bridge: str) -> Book:
        """What is known of this bridge."""
        return Book(bridge, self.people.database, self.reading, self.people.clock)

    def deeds(self, book: Book) -> Deeds:
        """What its far end brings back is done by this."""
        return Deeds(book, self.people.agents, self.people.accounts, self.acting, self.reading, self.panels.look)

    def views(self, bridge: str) -> Views:
        """How a ticket looks there."""
        home, people = self.people.config.public_url, self.people
        return Views(
            bridge, self.reading, self.panels, people.agents, people.accounts, lambda chat: f"{home}/helpdesk/c/{chat}"
        )

    def carrier(self, bridge: Bridge, book: Book, failed: Callable[[str, str], None] = lambda *_: None) -> Carrier:
        """What feeds it; to be run beside. `failed` is told of every failure, by bridge and code."""
        return Carrier(bridge, book, self.views(bridge.name), self.feed, failed=failed)


def people(
    config: DeskConfig,
    database: Database,
    audit: Audit,
    seals: Seals,
    *,
    hasher: Hasher,
    judge: Judge,
    throttle: Counting,
    clock: Clock = utc_now,
) -> People:
    """The helpdesk's people on a database that is migrated."""
    return People(
        config,
        database,
        audit,
        clock,
        Agents(database, audit, clock),
        Accounts(database, audit, clock),
        SignIn(database, audit, seals, hasher, judge, throttle, clock, issuer=f"Helpdesk {config.operator_name}"),
        Oidc(config.oidc, config.public_url, seals, clock) if config.oidc else None,
    )


def records(staff: People, seals: Seals, look: Look) -> tuple[Records, Feed]:
    """What the chats tell things to, and what wakes when they have; before the chats themselves are there, for these need it."""
    cells, feed = Cells(seals), Feed(staff.database)

    async def terms(conversation: Conversation) -> frozenset[bytes]:
        try:
            known = known_of(await look(conversation))
        except StoreUnavailable:
            return frozenset()
        return frozenset(cells.term(term) for value in known for term in search_terms(value))

    return Records(staff.database, staff.audit, cells, staff.clock, terms=terms, wake=feed.wake), feed


def build(
    staff: People,
    seals: Seals,
    kept: tuple[Records, Feed],
    dialog: Dialog,
    look: Look,
    backend: Backend,
    moves: Moving,
    reveals: Revealing | None = None,
) -> Helpdesk:
    """The whole helpdesk, with chats to act on: `dialog` carries an agent's deeds out, `look` shows a conversation as it is, `moves` takes
    forms from one chat to another, `reveals` shows what the backend alone still has.
    """
    written, feed = kept
    reading = Reading(staff.database, Cells(seals), staff.clock)
    acting = Acting(dialog, look, staff.agents, written, reading, backend, reveals, staff.database, staff.audit, staff.clock)
    canned = Canned(staff.database, staff.audit, staff.clock)
    assisting = Assisting(moves, look, staff.database, staff.audit, staff.clock)
    counting = Numbers(staff.database, staff.clock)
    return Helpdesk(staff, written, reading, feed, Panels(look, backend), acting, canned, assisting, counting)
