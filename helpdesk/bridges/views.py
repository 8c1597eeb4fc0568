"""A ticket as whoever reads along at the far end of a bridge may see it.

Lives here: making a `TicketView`. Must not live here: what is masked and how (`helpdesk/masking.py`, the fields themselves).
"""

from __future__ import annotations

from collections.abc import Callable

from dialogs.session import Session
from helpdesk.agents import Agents
from helpdesk.bridges.accounts import Accounts
from helpdesk.bridges.port import TicketView
from helpdesk.masking import name_of
from helpdesk.panel import Panels
from helpdesk.reading import Reading, Ticket


class Views:
    """For one bridge; `address` gives where the console shows a chat. Raises StoreUnavailable where the dialog cannot be asked."""

    def __init__(
        self,
        bridge: str,
        reading: Reading,
        panels: Panels,
        agents: Agents,
        accounts: Accounts,
        address: Callable[[str], str],
    ) -> None:
        self._bridge = bridge
        self._agents = agents
        self._accounts = accounts
        self._reading = reading
        self._panels = panels
        self._address = address

    async def session(self, ticket: str) -> Session | None:
        """The dialog's session of the ticket's conversation; None where it has forgotten it."""
        chat = await self._reading.chat_of(ticket)
        return await self._panels.look(chat.conversation) if chat is not None else None

    async def of(self, ticket: Ticket, session: Session | None) -> TicketView:
        agent = await self._agents.find(ticket.agent) if ticket.owner == "human" else None
        bound = await self._accounts.of(agent) if agent is not None else ()
        return TicketView(
            ticket.id,
            ticket.number,
            name_of(session),
            ticket.channel,
            "en" if ticket.language == "en" else "id",
            ticket.step,
            ticket.reason,
            self._panels.fields(session),
            ticket.owner,
            ticket.version,
            ticket.agent_name,
            ticket.opened_at,
            self._address(ticket.chat),
            ticket.chat,
            agent.login if agent is not None else "",
            next((each.account for each in bound if each.bridge == self._bridge), ""),
        )
