"""What stands in Chatwoot: a contact for each chat, a conversation for each hand-off, the talk in it, and whose it is.

Lives here: carrying things there, and bringing a conversation there in line with its ticket. Must not live here: requests (`client.py`),
what agents do there (`inbound.py`).

A hand-off is a conversation of its own, as agents know it from every inbox: it ends resolved, however it ended, and the next one of the
same person stands beside it in the contact's history. (An inbox that is locked to one conversation a contact gives the same one again.)

**Whose it is.** Status and assignee there are the agents' as well as ours. So that both can be told apart, the ownership that the
conversation was last brought in line with stands among its custom attributes (`VERSION`): where it is the ticket's, whatever differs is an
agent's doing, and a deed of theirs (`inbound.py`); where it is older, ours is newer, and is put there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from helpdesk.bridges.chatwoot.client import Chatwoot, Conversation
from helpdesk.bridges.chatwoot.people import People
from helpdesk.bridges.chatwoot.words import Words
from helpdesk.bridges.port import Carried, Closed, Entry, Fate, Opened, Owner, Place, PlaceGone, Thing, TicketView

NAME: Final = "chatwoot"
TICKET: Final = "akses_ticket"
VERSION: Final = "akses_version"
_UNTOLD: Final = -1
_ANOTHERS: Final = -2


def version_of(conversation: Conversation, ticket: int) -> int:
    """The ownership of the ticket of this number that it was last brought in line with; -1 where it was with none yet, -2 where all that
    stands there is an earlier ticket's.
    """
    told = conversation.custom_attributes
    return _whole(told.get(VERSION)) if _whole(told.get(TICKET)) == ticket else _ANOTHERS


def _whole(value: object) -> int:
    """Somebody may have had it in their hands there, or an automation."""
    if isinstance(value, int | float):
        return int(value)
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() else _UNTOLD


def number_of(external: str) -> int:
    """Raises PlaceGone for what can be no conversation's number."""
    if not (external.isascii() and external.isdecimal()):
        raise PlaceGone(external)
    return int(external)


def attributes(ticket: TicketView) -> Mapping[str, str | int]:
    """Of a conversation; by these an operator can filter, sort and automate there."""
    return {
        TICKET: ticket.number,
        VERSION: _UNTOLD,
        "akses_channel": ticket.channel,
        "akses_step": ticket.step,
        "akses_reason": ticket.reason,
        "akses_language": ticket.language,
    }


def attributes_of_contact(ticket: TicketView) -> Mapping[str, str]:
    return {"akses_channel": ticket.channel} | {f"akses_{row.id}": row.value for row in ticket.fields if row.value}


class ChatwootBridge:
    """`aligned` is told which conversation has just been brought in line: what an agent did there a moment before is not to wait."""

    name = NAME

    def __init__(
        self, chatwoot: Chatwoot, people: People, words: Words, aligned: Callable[[int], None] = lambda _: None
    ) -> None:
        self._chatwoot = chatwoot
        self._people = people
        self._words = words
        self._aligned = aligned

    # --- the port

    @property
    def where(self) -> str:
        return self._chatwoot.where

    async def open(self, ticket: TicketView) -> str:
        unnamed = self._words.nobody(ticket.number)
        contact = await self._chatwoot.contact(ticket.chat, ticket.name, attributes_of_contact(ticket), unnamed=unnamed)
        for known in await self._chatwoot.conversations(contact):
            if _whole(known.custom_attributes.get(TICKET)) == ticket.number:
                # Made already, and the process ended before that was written down.
                return str(known.id)
        return str((await self._chatwoot.begin(contact, ticket.chat, attributes(ticket))).id)

    async def carry(self, place: Place, ticket: TicketView, things: Sequence[Thing]) -> Carried:
        """One thing a call: each is a message of its own there."""
        number, message = number_of(place.external), 0
        match things[0]:
            case Opened() as opened:
                # The note comes first: opening the conversation is what agents are told of.
                message = await self._chatwoot.say(number, self._words.opened(ticket, again=opened.again), private=True)
                await self._align(number, ticket)
            case Entry() as entry:
                text, private = self._words.entry(entry), entry.author == "system" or entry.kind == "note"
                incoming, answers = entry.author == "person", int(entry.answers) if entry.answers.isdecimal() else 0
                message = await self._chatwoot.say(number, text, incoming=incoming, private=private, answers=answers)
            case Owner() as owner:
                await self._align(number, ticket)
                if owner.what != "queued":
                    message = await self._chatwoot.say(number, self._words.owner(owner), private=True)
            case Closed() as closed:
                await self._close(number, closed)
                message = await self._chatwoot.say(number, self._words.closed(closed), private=True)
            case Fate() as fate:
                await self._mark(number, fate)
        return Carried(1, str(message) if message else "")

    async def remove(self, place: str, chat: str) -> None:
        """The last conversation goes with its contact: by the conversation they are known, so it is there until they are gone; by our own
        name of them, where somebody there has deleted it.
        """
        number = number_of(place)
        try:
            contact = (await self._chatwoot.conversation(number)).contact
        except PlaceGone:
            left = await self._chatwoot.known(chat) if chat else None
            if left is not None and await self._chatwoot.has_no_other(left, number):
                await self._chatwoot.delete_contact(left)
            raise
        if contact is not None and await self._chatwoot.has_no_other(contact, number):
            await self._chatwoot.delete_contact(contact)
        else:
            await self._chatwoot.delete(number)

    async def _mark(self, number: int, fate: Fate) -> None:
        if not fate.message.isdecimal():
            return
        if fate.fate == "sent":
            await self._chatwoot.mark(number, int(fate.message), "delivered")
        else:
            await self._chatwoot.mark(number, int(fate.message), "failed", self._words.fate(fate.fate))

    # --- whose it is

    async def _align(self, number: int, ticket: TicketView) -> None:
        """Bring the conversation in line with its ticket, as it stands now. That a ticket is closed is told by what says so."""
        if ticket.owner == "closed":
            return
        found = await self._chatwoot.conversation(number)
        before = version_of(found, ticket.number)
        if before >= ticket.version:
            return
        wanted = await self.assignee(ticket.agent_account, ticket.agent_login) if ticket.owner == "human" else None
        # Somebody who works there may have resolved it right after they took it: theirs to do, and done when it is looked at next.
        if before < 0 or wanted is None:
            await self.reopen(found)
        # And somebody may have been very quick to take a new one.
        if found.assignee != wanted and not (before == _UNTOLD and wanted is None):
            await self._chatwoot.assign(number, wanted)
        told = {**found.custom_attributes, **attributes(ticket), VERSION: ticket.version}
        await self._chatwoot.set_attributes(number, told)
        self._aligned(number)

    async def reopen(self, found: Conversation) -> None:
        # Snoozed is open as well: an agent has put it off.
        if found.status not in ("open", "snoozed"):
            await self._chatwoot.set_status(found.id, "open")

    async def restore(self, found: Conversation, assignee: int | None) -> None:
        """Open, and this Chatwoot user's: what was done to it there is undone."""
        await self.reopen(found)
        if found.assignee != assignee:
            await self._chatwoot.assign(found.id, assignee)

    async def assignee(self, account: str, login: str) -> int | None:
        """The Chatwoot user whom an agent is: whom they were bound to, or else whose address is their login; None where nobody is."""
        bound = await self._people.numbered(int(account)) if account.isdecimal() else None
        person = bound or await self._people.addressed(login)
        return person.id if person is not None else None

    async def _close(self, number: int, closed: Closed) -> None:
        found = await self._chatwoot.conversation(number)
        if closed.label and closed.label not in found.labels:
            await self._chatwoot.set_labels(number, [*found.labels, closed.label])
        if found.status != "resolved":
            await self._chatwoot.set_status(number, "resolved")
