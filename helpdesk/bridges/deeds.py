"""What people do at the other end of a bridge, done: with the rights, the versions and the audit of the console.

Lives here: from a `Deed` to `helpdesk/acting.py`. Must not live here: what a deed comes to there, or how its outcome is told (the bridge).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import assert_never

from helpdesk.acting import Acting, NotAllowed, Owned, Stands, Unfit, ref_of, stands
from helpdesk.agents import Agent, Agents
from helpdesk.bridges.accounts import Account, Accounts
from helpdesk.bridges.book import Book
from helpdesk.bridges.port import Deed, NoTicket, Stranger, TicketOver
from helpdesk.panel import Look
from helpdesk.reading import Chat, Reading, Ticket
from helpdesk.records import note_id
from helpdesk.texts import text


@dataclass(frozen=True, slots=True)
class Done:
    """Who did it, on which ticket; `value` is what was revealed, and for nobody else's eyes."""

    agent: Agent
    ticket: Ticket
    value: str = ""


class Deeds:
    """Of one bridge."""

    def __init__(self, book: Book, agents: Agents, accounts: Accounts, acting: Acting, reading: Reading, look: Look) -> None:
        self._book = book
        self._agents = agents
        self._accounts = accounts
        self._acting = acting
        self._reading = reading
        self._look = look

    async def do(self, deed: Deed) -> Done:
        """Carry it out, once. Raises Stranger, NoTicket, TicketOver; NotAllowed, Owned and Unfit as `acting.py` has them; and what the
        stores raise, whereafter the same deed can be told again.
        """
        ticket = await self._book.ticket_at(deed.place)
        if ticket is None:
            raise NoTicket
        agent = await self.who(deed)
        chat = await self._reading.chat(ticket.chat)
        if chat is None or chat.ticket is None:
            raise NoTicket
        if chat.ticket.id != ticket.id or (ticket.owner == "closed" and deed.what != "note"):
            newer = chat.open
            raise TicketOver(newer.number if newer is not None else 0)
        return Done(agent, ticket, await self._do(deed, agent, ticket, chat))

    async def standing(self, ticket: Ticket) -> Stands | None:
        """Who has it, as the dialog itself says; None where it is over."""
        chat = await self._reading.chat(ticket.chat)
        now = stands(await self._look(chat.conversation)) if chat is not None else None
        return now if now is not None and now.ticket == ticket.id else None

    async def who(self, deed: Deed) -> Agent:
        """Who it is, who may act. Raises Stranger, NotAllowed."""
        account = Account(self._book.name, deed.account)
        agent = await self._accounts.agent(account, deed.login)
        if agent is None:
            raise Stranger(first=await self._accounts.first_met(account))
        if not agent.may("act"):
            raise NotAllowed
        return agent

    async def _do(self, deed: Deed, agent: Agent, ticket: Ticket, chat: Chat) -> str:
        key = hashlib.blake2b(f"{self._book.name}\0{deed.key}".encode(), digest_size=16).hexdigest()
        version = stands(await self._look(chat.conversation)).version if deed.version is None else deed.version
        match deed.what:
            case "take":
                await self._acting.take(chat, agent, version, key)
            case "release":
                await self._acting.release(chat, agent, version, key)
            case "transfer":
                other = await self._agents.by_login(deed.to)
                await self._acting.transfer(chat, agent, version, key, other.id if other is not None else "")
            case "return":
                await self._acting.hand_back(chat, agent, version, key)
            case "close":
                await self._acting.close(chat, agent, version, key, deed.label)
            case "say" | "correct":
                said = deed.text
                if deed.what == "correct":
                    before = await self._book.says(deed.message)
                    if before is None:
                        raise Unfit("not_said")
                    # What was sent stands in the person's chat, in most channels for good: the truth is to say it anew.
                    said = text("en" if chat.language == "en" else "id", "bridge.correction", text=said.strip())
                    if before.strip() in (deed.text.strip(), said):
                        return ""
                ref = ref_of(agent, key)
                answers = await self._book.said_in(deed.answers) if deed.answers else ""
                # Before it is said: by the time that the talk has it, the carrier knows where it comes from.
                await self._book.written(ticket.id, ref, deed.message)
                try:
                    await self._acting.say(chat, agent, version, key, said, answers=answers)
                except (Owned, Unfit):
                    await self._book.unwritten(ref)
                    raise
            case "note":
                await self._book.written(ticket.id, note_id(agent.id, key), deed.message)
                await self._acting.note(chat, agent, key, deed.text)
            case "reveal":
                return await self._acting.reveal(chat, agent, deed.field, deed.reason)
            case _:
                assert_never(deed.what)
        return ""
