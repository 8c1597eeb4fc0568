"""What agents do in Chatwoot, brought back: their replies and notes, assignments, Pending and Resolve.

Lives here: looking at a conversation there, and making deeds of what is new in it. Must not live here: what a deed comes to
(`bridges/deeds.py`), requests (`client.py`).

There is one way: `look` reads a conversation and its newest messages. It is done when a webhook rings, and every minute for every open
ticket, because Chatwoot rings once and never again (chatwoot#15920). A message is a deed under its own number, so that it may be seen any
number of times; what differs from the ticket, and the ownership that stands in the conversation is the ticket's (`bridge.py`), is a deed.

Who has changed a status or an assignment is told by no webhook and no answer (chatwoot#15914). So Pending, Resolve, and an assignment that
takes it from somebody are the deed of the agent who has the conversation; where nobody has, they are nobody's and undone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Literal

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot.turns import StoreUnavailable
from dialogs.frozen import replace
from helpdesk.acting import LABELS, NotAllowed, Owned, Stands, Unfit
from helpdesk.agents import Agents
from helpdesk.bridges.accounts import Accounts
from helpdesk.bridges.book import Book, Outcome
from helpdesk.bridges.chatwoot.bridge import ChatwootBridge, number_of, version_of
from helpdesk.bridges.chatwoot.client import Chatwoot, Conversation, Message
from helpdesk.bridges.chatwoot.people import People
from helpdesk.bridges.chatwoot.plain import plain
from helpdesk.bridges.chatwoot.words import Words
from helpdesk.bridges.deeds import Deeds
from helpdesk.bridges.port import BridgeAway, Deed, NoTicket, PlaceGone, Stranger, TicketOver
from helpdesk.reading import Ticket

log = structlog.get_logger(__name__)

SWEEP_SECONDS: Final = 60.0
# After trouble, where the other side does not say for how long.
PAUSE_SECONDS: Final = 5.0
# How often is asked whether it is time for a sweep.
_LOOK_SECONDS: Final = 1.0
# Rings that are remembered; the sweep finds what is beyond.
_RINGS: Final = 1000
_REMEMBERED: Final = 10_000
_PAGE: Final = 100
_GIVEN_UP: Final = frozenset({"unreachable", "refused", "failed", "unknown"})
_ENDS: Final[dict[str, Literal["return", "close"]]] = {"pending": "return", "resolved": "close"}


class Refused(Exception):
    """What was done there was not done here; the text is why, for whoever did it."""


class Inbound:
    """One a process; `run` as a task. `sweeps` is whether this process looks without having been rung; `failed` is told of every
    failure, by bridge and code.
    """

    def __init__(
        self,
        chatwoot: Chatwoot,
        bridge: ChatwootBridge,
        people: People,
        deeds: Deeds,
        book: Book,
        agents: Agents,
        accounts: Accounts,
        words: Words,
        sweeps: Callable[[], bool],
        failed: Callable[[str, str], None] = lambda *_: None,
    ) -> None:
        self._chatwoot = chatwoot
        self._bridge = bridge
        self._people = people
        self._deeds = deeds
        self._book = book
        self._agents = agents
        self._accounts = accounts
        self._words = words
        self._sweeps = sweeps
        self._failed = failed
        # Conversations to be looked at, each with the oldest message that rang (0: none did).
        self._rung: dict[int, int] = {}
        # Up to which message each has been looked at; forgotten, they are looked at from their beginning, and nothing is done twice.
        self._seen: dict[int, int] = {}
        self._swept_at = float("-inf")
        self._looking = False
        self._stop = asyncio.Event()
        self._wake = asyncio.Event()

    def ring(self, conversation: int, message: int = 0) -> None:
        """Something has happened there, to this message if to any."""
        known = self._rung.get(conversation, 0)
        if conversation in self._rung or len(self._rung) < _RINGS:
            self._rung[conversation] = min(known, message) if known and message else known or message
            self._wake.set()

    def stop(self) -> None:
        self._stop.set()
        self._wake.set()

    @property
    def idle(self) -> bool:
        return not self._rung and not self._looking

    async def run(self) -> None:
        """Look until asked to `stop`."""
        while not self._stop.is_set():
            self._wake.clear()
            pause = 0.0
            try:
                await self.step()
            except BridgeAway as away:
                self._away(str(away))
                pause = away.retry_after or PAUSE_SECONDS
            except (SQLAlchemyError, OSError, StoreUnavailable) as error:
                self._away(type(error).__name__)
                pause = PAUSE_SECONDS
            # While the other side is away, rings are remembered and no reason to come earlier.
            with suppress(TimeoutError):
                async with asyncio.timeout(pause or _LOOK_SECONDS):
                    await (self._stop if pause else self._wake).wait()

    def _away(self, why: str) -> None:
        self._failed(self._book.name, why or "away")
        log.warning("chatwoot.away", why=why)

    async def step(self) -> None:
        """Look where it rang, and everywhere when it is time. What could not be looked at is kept."""
        now = asyncio.get_running_loop().time()
        if self._sweeps() and now - self._swept_at >= SWEEP_SECONDS:
            places = [number_of(place) for place in await self._book.open_places()]
            self._seen = {number: seen for number, seen in self._seen.items() if number in places}
            for number in places:
                self._rung.setdefault(number, 0)
            self._swept_at = now
        for number in list(self._rung):
            self._looking = True
            message = self._rung.pop(number)
            try:
                await self.look(number, message)
            except PlaceGone:
                log.info("chatwoot.conversation_gone")
            except (BridgeAway, SQLAlchemyError, OSError, StoreUnavailable):
                self.ring(number, message)
                raise
            except Exception as error:  # noqa: BLE001 - one conversation shall not keep the others from being looked at
                log.error("chatwoot.defect", error=type(error).__name__)
                self._failed(self._book.name, type(error).__name__)
            finally:
                self._looking = False

    async def look(self, number: int, message: int = 0) -> None:
        """Bring back what is new in this conversation; `message` is the oldest that is known to be. One that is nobody's is let be."""
        ticket = await self._book.ticket_at(str(number))
        if ticket is None:
            return
        # The conversation first: whatever was said before it was resolved is then among the messages.
        found, now = await self._chatwoot.conversation(number), await self._deeds.standing(ticket)
        spoke = await self._messages(number, ticket, message)
        if now is not None and version_of(found, ticket.number) == now.version:
            await self._state(found, ticket, now, spoke)

    # --- what was written

    async def _messages(self, number: int, ticket: Ticket, rang: int) -> int | None:
        """Who was the last to say something that was said, if anybody was."""
        after = await self._after(number, ticket, rang)
        if after is None:
            return None
        if len(self._seen) > _REMEMBERED:
            self._seen.clear()
        outcomes = await self._book.outcomes(ticket.id)
        spoke: int | None = None
        while True:
            messages = await self._chatwoot.messages(number, after)
            for message in messages:
                if await self._message(number, message, outcomes.get(str(message.id))):
                    spoke = message.by_person
                after = message.id
                self._seen[number] = max(after, self._seen.get(number, 0))
            if len(messages) < _PAGE:
                return spoke

    async def _after(self, number: int, ticket: Ticket, rang: int) -> int | None:
        """After which message to look; None where there is nothing to look for."""
        seen = self._seen.get(number)
        if seen is None and ticket.owner != "closed":
            place = await self._book.place_of(ticket.id)
            seen = int(place.first) if place is not None and place.first.isdecimal() else None
        if seen is None:
            return rang - 1 if rang else None
        return min(seen, rang - 1) if rang else seen

    async def _message(self, number: int, message: Message, outcome: Outcome | None) -> bool:
        """Whether somebody said it now."""
        who = message.by_person
        if who is None or message.deleted:
            return False
        key = str(message.id)
        if outcome is not None:
            # It was taken. Where it then did not reach its person and was marked so, "sent" again is the button to try once more.
            if message.private or outcome.told not in _GIVEN_UP or message.status != "sent":
                return False
            key = f"{message.id}.{outcome.times}"
        elif message.status == "failed" and self._words.is_ours(message.error):
            return False
        text = plain(message.content or "")
        # Two strokes begin a note at every bridge.
        note = message.private or text.startswith("//")
        words = text.removeprefix("//") if note else text
        what: Literal["note", "say"] = "note" if note else "say"
        deed = Deed(what, key, str(number), str(who), message=str(message.id), answers=message.answers, text=words)
        try:
            if message.attachments and not text:
                raise Refused(self._words.of_any("text_only"))  # noqa: TRY301 - refused as everything else is
            await self._do(deed, who)
        except Refused as refused:
            if not message.private:
                await self._chatwoot.mark(number, message.id, "failed", self._words("unsent", why=str(refused)))
            return False
        if message.attachments and not note:
            await self._chatwoot.say(number, self._words.of_any("text_only"), private=True)
        return not note

    # --- what was done

    async def _state(self, found: Conversation, ticket: Ticket, now: Stands, spoke: int | None) -> None:
        """What differs from who has it. `spoke` has it since, if nobody had."""
        ours, login = await self._owner(now)
        has = ours if now.owner == "human" else spoke
        try:
            if found.assignee not in (ours, has):
                has = ours = await self._assigned(found, now, ours, login)
            if found.status in _ENDS:
                await self._ended(found, now, has)
        except Refused as refused:
            if await self._deeds.standing(ticket) != now:
                # It is another's by now, and the conversation is being brought in line with that.
                return
            await self._bridge.restore(found, ours)
            await self._chatwoot.say(found.id, self._words("undone", why=str(refused)), private=True)

    async def _owner(self, now: Stands) -> tuple[int | None, str]:
        """The Chatwoot user who has the conversation, and the name by which that agent signs in."""
        agent = await self._agents.find(now.agent) if now.owner == "human" else None
        if agent is None:
            return None, ""
        bound = next((each.account for each in await self._accounts.of(agent) if each.bridge == self._book.name), "")
        return await self._bridge.assignee(bound, agent.login), agent.login

    async def _assigned(self, found: Conversation, now: Stands, ours: int | None, login: str) -> int | None:
        """The assignee there is another than ours: whoever has it by that. Raises Refused."""
        theirs, at = found.assignee, f"{found.id}.{now.version}"
        if theirs is None:
            await self._do(Deed("release", f"{at}.release", str(found.id), str(ours), login, version=now.version), ours)
        elif ours is None:
            await self._do(Deed("take", f"{at}.take.{theirs}", str(found.id), str(theirs), version=now.version), theirs)
        else:
            to = await self._agent(found.id, theirs)
            deed = Deed("transfer", f"{at}.give.{theirs}", str(found.id), str(ours), login, to=to, version=now.version)
            await self._do(deed, ours)
        return theirs

    async def _agent(self, number: int, person: int) -> str:
        """The login of the agent whom this Chatwoot user is. Raises Refused."""
        try:
            return (await self._deeds.who(Deed("take", "", str(number), str(person), await self._address(person)))).login
        except NotAllowed:
            raise Refused(self._words.unfit("transfer")) from None
        except Stranger:
            raise Refused(self._words("nobodys", name=await self._name(person))) from None

    async def _ended(self, found: Conversation, now: Stands, has: int | None) -> None:
        """Pending or resolved there. Raises Refused."""
        what = _ENDS[found.status]
        if has is None:
            raise Refused(self._words("elsewhere", name=now.name) if now.owner == "human" else self._words("first_take"))
        label = next((label for label in LABELS if label in found.labels), LABELS[0]) if what == "close" else ""
        # Of what holds now: it may have become theirs a moment ago.
        await self._do(Deed(what, f"{found.id}.{now.version}.{what}.{has}", str(found.id), str(has), label=label), has)

    # --- deeds

    async def _do(self, deed: Deed, who: int | None) -> None:
        """Raises Refused; a stranger is told in the conversation what to do, once."""
        number = number_of(deed.place)
        login = deed.login or (await self._address(who) if who is not None else "")
        try:
            await self._deeds.do(replace(deed, login=login))
        except Stranger as stranger:
            name = await self._name(who)
            if stranger.first:
                await self._chatwoot.say(number, self._words.stranger(name, confirmed=bool(login)), private=True)
            raise Refused(self._words("nobodys", name=name)) from None
        except Owned as owned:
            raise Refused(self._words.owned(owned.owner, owned.name)) from None
        except NotAllowed:
            raise Refused(self._words.of_any("not_allowed")) from None
        except Unfit as unfit:
            raise Refused(self._words.unfit(unfit.code)) from None
        except TicketOver as over:
            raise Refused(self._words.over(over.number)) from None
        except NoTicket:
            return

    async def _address(self, person: int) -> str:
        """The address that Chatwoot has seen confirmed; "" for none."""
        found = await self._people.numbered(person)
        return found.email if found is not None and found.confirmed else ""

    async def _name(self, person: int | None) -> str:
        found = await self._people.numbered(person) if person is not None else None
        return found.name if found is not None else "—"
