"""What carries the feed over a bridge: in order, ticket by ticket, at least once, and without anybody waiting for it.

Lives here: when something is carried, again or not at all; who of several processes does it. Must not live here: the rows (`book.py`), how
a place is spoken to (the bridge).

The feed only says which tickets have something to tell; what that is, is asked when their turn comes: everything of the talk that does not
stand there yet. So whatever was said while a bridge was away goes together, a crash anywhere repeats at most the one call whose answer was
not written down, and a place that is gone is told anew by forgetting what stood in it. The cursor is the last change before the oldest
ticket that still has something to tell.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot.turns import StoreUnavailable
from helpdesk.bridges.book import Book
from helpdesk.bridges.port import Bridge, BridgeAway, NotTaken, PlaceBusy, PlaceGone
from helpdesk.bridges.views import Views
from helpdesk.feed import Changed, Feed
from helpdesk.masking import known_of

log = structlog.get_logger(__name__)

# A process that died lets go after so long; one that lives says so in time.
LEASE_SECONDS: Final = 30.0
# How often another process that carries is looked after, and the feed where nothing wakes.
POLL_SECONDS: Final = 1.0
# Pauses where a bridge is away and does not say for how long, in seconds; the last one goes on.
PAUSES: Final = (1.0, 2.0, 5.0, 15.0, 30.0, 60.0)
# So many tickets with something to tell are known at a time; the rest waits in the feed.
_TICKETS: Final = 1000
# Things offered at once.
_OFFERED: Final = 50
# How often places are looked for that are to be removed, and again where that failed: in seconds.
_REMOVING: Final = 15.0
_REMOVING_AGAIN: Final = 600.0
# Places that vanish one after the other for one ticket are something else than a place that was removed.
_VANISHING: Final = 3


class _Lost(Exception):
    """Another process holds the bridge by now."""


@dataclass(slots=True)
class _Due:
    """A ticket with something to tell: since which change, and from when on (seconds of the loop)."""

    change: int
    at: float = 0.0


class Carrier:
    """One for each bridge and process; `run` as a task. `failed` is told of every failure, by bridge and code."""

    def __init__(
        self,
        bridge: Bridge,
        book: Book,
        views: Views,
        feed: Feed,
        *,
        failed: Callable[[str, str], None] = lambda *_: None,
        lease: float = LEASE_SECONDS,
    ) -> None:
        self.bridge = bridge
        self.book = book
        self._views = views
        self._feed = feed
        self._failed = failed
        self._lease = lease
        self._me = secrets.token_hex(8)
        self._holding_until = float("-inf")
        self._read = -1
        self._cursor = -1
        self._due: dict[str, _Due] = {}
        self._away_until = float("-inf")
        self._removing_at = float("-inf")
        self._failures = 0
        self._stopping = False
        self._wake = asyncio.Event()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()

    @property
    def holding(self) -> bool:
        """Whether this process carries."""
        return self._holding_until > self._now()

    async def run(self) -> None:
        """Carry until asked to `stop`."""
        async with self._feed.listening() as changed:
            while not self._stopping:
                try:
                    await self.step()
                except _Lost:
                    log.info("bridge.held_elsewhere", bridge=self.bridge.name)
                except (SQLAlchemyError, OSError, StoreUnavailable) as error:
                    self._away(0.0, type(error).__name__)
                except Exception as error:  # noqa: BLE001 - a defect of one bridge shall end neither it nor anything else
                    log.error("bridge.defect", bridge=self.bridge.name, error=type(error).__name__)
                    self._away(0.0, type(error).__name__)
                await self._nap(changed)
        with suppress(SQLAlchemyError, OSError):
            await self.book.let_go(self._me)

    async def _nap(self, changed: asyncio.Queue[Changed]) -> None:
        """Until a ticket has changed, something is due, or another process may have died."""
        waiting = [due.at for due in self._due.values()]
        begun = self._now()
        seconds = min(POLL_SECONDS, max(self._away_until, min(waiting)) - begun) if waiting else POLL_SECONDS
        until = begun + max(0.01, seconds)
        while not self._stopping and (left := until - self._now()) > 0:
            getting = asyncio.ensure_future(changed.get())
            stopping = asyncio.ensure_future(self._wake.wait())
            await asyncio.wait({getting, stopping}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for each in (getting, stopping):
                each.cancel()
            found = [getting.result()] if getting.done() and not getting.cancelled() else []
            while not changed.empty():
                found.append(changed.get_nowait())
            # What the bot says where no human is, is none of a bridge's; nor is anything a process's that does not carry.
            if self.holding and any(change.ticket for change in found):
                return

    # --- one round

    async def step(self) -> bool:
        """Look what is new and carry what is due; whether this process holds the bridge. Raises what the database raises."""
        if not await self._hold():
            return False
        if self._now() >= self._removing_at:
            await self._remove()
        await self._look()
        for ticket, due in list(self._due.items()):
            if self._stopping or self._now() < self._away_until:
                break
            if self._now() < due.at:
                continue
            try:
                await self._ticket(ticket)
            except PlaceBusy as busy:
                due.at = self._now() + busy.retry_after
            except BridgeAway as away:
                self._away(away.retry_after, str(away))
            else:
                # A lease that ended meanwhile has emptied it.
                self._due.pop(ticket, None)
                self._failures = 0
        await self._keep_cursor()
        return True

    async def _hold(self) -> bool:
        """Whether this process carries; what another one has carried meanwhile is not looked at again."""
        if self._holding_until - self._now() > self._lease / 2:
            return True
        held = self._holding_until > self._now()
        begun = self._now()
        cursor = await self.book.hold(self._me, self._lease)
        if cursor is None:
            self._holding_until = float("-inf")
            self._due.clear()
            return False
        if not held:
            await self.book.settle(self.bridge.where)
            self._read = self._cursor = cursor
            self._due.clear()
        self._holding_until = begun + self._lease
        return True

    async def _look(self) -> None:
        while len(self._due) < _TICKETS:
            found = await self._feed.since(self._read)
            for change in found:
                self._read = change.id
                if change.ticket:
                    self._due.setdefault(change.ticket, _Due(change.id))
            if not found:
                return

    async def _keep_cursor(self) -> None:
        cursor = min((due.change - 1 for due in self._due.values()), default=self._read)
        if cursor > self._cursor:
            await self.book.carried_to(cursor, self._me)
            self._cursor = cursor

    # --- one ticket

    async def _ticket(self, ticket: str) -> None:
        """Carry all that this ticket has to tell."""
        alone, vanished = False, 0
        while True:
            if not await self._hold():
                raise _Lost
            session = await self._views.session(ticket)
            standing = await self.book.standing(ticket, known_of(session))
            if standing is None or not (standing.things or standing.place is None):
                return
            view = await self._views.of(standing.ticket, session)
            try:
                if standing.place is None:
                    # Lest a place be found again that is about to go.
                    await self._remove()
                    state = standing.state
                    await self.book.placed(ticket, await self.bridge.open(view), state)
                    continue
                offered = standing.things[:1] if alone else standing.things[:_OFFERED]
                carried = await self.bridge.carry(standing.place, view, offered)
            except PlaceGone:
                vanished += 1
                log.info("bridge.place_gone", bridge=self.bridge.name, ticket=ticket)
                if vanished >= _VANISHING:
                    raise BridgeAway(0.0, "place_gone") from None
                await self.book.gone(ticket)
            except NotTaken as refused:
                if standing.place is None:
                    raise BridgeAway(0.0, refused.code) from None
                if len(offered) == 1:
                    log.warning(
                        "bridge.refused", bridge=self.bridge.name, ticket=ticket, entry=offered[0].id, code=refused.code
                    )
                    self._failed(self.bridge.name, refused.code)
                    await self.book.refused(ticket, offered[0])
                alone = len(offered) > 1
            else:
                alone = False
                await self.book.carried(ticket, offered, carried)

    # --- what was erased

    async def _remove(self) -> None:
        """Take away the places whose talk was erased. One that cannot be holds up nothing, and is tried again; one whose bridge is away
        ends the round, for the talks of others wait.
        """
        pause = _REMOVING
        for place, chat in await self.book.removals():
            try:
                await self.bridge.remove(place, chat)
            except PlaceGone:
                pass
            except PlaceBusy as busy:
                pause = busy.retry_after
                break
            except (BridgeAway, NotTaken) as refused:
                pause = _REMOVING_AGAIN
                self._failed(self.bridge.name, "not_removed")
                log.warning("bridge.not_removed", bridge=self.bridge.name, place=place, why=str(refused))
                if isinstance(refused, BridgeAway):
                    break
                continue
            await self.book.removed(place)
            if not await self._hold():
                break
        self._removing_at = self._now() + pause

    # --- trouble

    def _away(self, seconds: float, why: str) -> None:
        pause = seconds or PAUSES[min(self._failures, len(PAUSES) - 1)]
        self._failures += 1
        self._away_until = self._now() + pause
        self._failed(self.bridge.name, why or "away")
        log.warning("bridge.away", bridge=self.bridge.name, why=why, seconds=round(pause, 1), failures=self._failures)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
