"""What committed turns left to do: messages to the chats in order, requests to the backend, timers; until each has happened.

Lives here: draining the outbox, waiting and trying again. Must not live here: how a channel sends (`bot/channels/`) or what a request means
(`bot/requests.py`). At least once: a crash between doing and noting it does it again, under the same key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol, assert_never

import structlog

from bot.channels.port import Channel, Dead, Later, Refused, Sent
from bot.conversation import Conversation
from bot.in_order import InOrder
from bot.sessions import Sessions
from bot.stores.port import Item, Store, StoreUnavailable
from bot.turns import LEASE_SECONDS, Turns
from dialogs.effects import ChangeEmail, DeleteUserMessages, Redraw, ResendActivation, Say, Show, SubmitRegistration
from dialogs.events import TimerFired

log = structlog.get_logger(__name__)

# How often the outbox is looked at when nobody wakes the loop: what another process left behind is found within this time.
POLL_SECONDS: Final = 1.0
# How long one item may take before another process may take it up as well.
WORK_SECONDS: Final = 60.0
BATCH: Final = 64
EXPIRE_EVERY_SECONDS: Final = 600.0


class Requests(Protocol):
    """Carries out a request to the backend (`bot/requests.py`)."""

    async def carry_out(
        self, conversation: Conversation, request: SubmitRegistration | ResendActivation | ChangeEmail, item: str, attempts: int
    ) -> float | None:
        """None when it is over, for good or ill; else the seconds to wait before the next attempt. `item` is the request's key here."""


class OutboxDelivery:
    """Run `run()` as one task for each process; `deliver` may be called at any time beside it."""

    def __init__(
        self,
        store: Store,
        sessions: Sessions,
        channels: Mapping[str, Channel],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._channels = channels
        self._clock = clock
        self._wake = asyncio.Event()
        self._stopping = False
        self._in_order = InOrder()
        self._requests: Requests | None = None
        self._turns: Turns | None = None

    def connect(self, turns: Turns, requests: Requests) -> None:
        """Timers and the backend's answers become turns of their own."""
        self._turns, self._requests = turns, requests

    def wake(self) -> None:
        self._wake.set()

    def stop(self) -> None:
        """Let `run` return when what it has taken up is done."""
        self._stopping = True
        self._wake.set()

    async def deliver(self, conversation: Conversation) -> None:
        """Send the undelivered messages of one conversation, oldest first, until none is left; one that must wait holds back the rest.

        To be called only by who has them: by the commit's outcome FIRST, or by their lease.
        """
        try:
            async with self._in_order(conversation):
                more = True
                while more:
                    messages = [item for item in await self._store.pending(str(conversation)) if item.lane == "say"]
                    more = False
                    for position, item in enumerate(messages):
                        again = await self._say(conversation, item)
                        if again is not None:
                            await self._hold(conversation, messages[position:], again)
                            return
                        more = await self._store.done(str(conversation), (item.key,))
        except StoreUnavailable:
            log.warning("delivery.store_unavailable", channel=conversation.channel)

    async def run(self) -> None:
        """Drain until asked to `stop`."""
        next_expiry = 0.0
        while not self._stopping:
            try:
                self._wake.clear()
                now = self._clock().timestamp()
                if now >= next_expiry:
                    await self._store.expire(now)
                    next_expiry = now + EXPIRE_EVERY_SECONDS
                batch = await self._store.due(now, WORK_SECONDS, BATCH)
                await self._work(batch)
                if len(batch) < BATCH:
                    await self._nap()
            except StoreUnavailable:
                log.warning("delivery.store_unavailable")
                await asyncio.sleep(POLL_SECONDS)
            except Exception:
                # One item that cannot be worked must not stop everybody's; its lease brings it back, and the log shows it.
                log.exception("delivery.failed")
                await asyncio.sleep(POLL_SECONDS)

    async def _nap(self) -> None:
        if self._stopping:
            return
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _work(self, batch: Sequence[tuple[str, Item]]) -> None:
        by_conversation: dict[Conversation, list[Item]] = {}
        for name, item in batch:
            by_conversation.setdefault(Conversation.parse(name), []).append(item)
        async with asyncio.TaskGroup() as group:
            for conversation, items in by_conversation.items():
                group.create_task(self._work_one(conversation, items))

    async def _work_one(self, conversation: Conversation, items: list[Item]) -> None:
        try:
            if any(item.lane == "say" for item in items):
                await self.deliver(conversation)
            for item in items:
                match item.lane:
                    case "say":
                        pass
                    case "do":
                        await self._do(conversation, item)
                    case "timer":
                        await self._fire(conversation, item)
                    case _:
                        assert_never(item.lane)
        except StoreUnavailable:
            log.warning("delivery.store_unavailable", channel=conversation.channel)
        except Exception:
            log.exception("delivery.item_failed", channel=conversation.channel)

    async def _say(self, conversation: Conversation, item: Item) -> float | None:
        """None when this one is over and the next may follow; else the seconds to wait before it is tried again."""
        channel = self._channels.get(conversation.channel)
        message = self._sessions.read_effect(str(conversation), item.key, item.body)
        assert isinstance(message, Say | Show | Redraw | DeleteUserMessages)
        # A channel that is switched off keeps its messages until it is on again.
        outcome = await channel.deliver(conversation.address, message, item.key) if channel else Later(60.0)
        match outcome:
            case Sent():
                return None
            case Later(seconds):
                return max(seconds, backoff(item.attempts))
            case Dead(reason) | Refused(reason):
                log.warning("delivery.undeliverable", channel=conversation.channel, reason=reason, what=type(message).__name__)
                return None
            case _:
                assert_never(outcome)

    async def _hold(self, conversation: Conversation, waiting: Sequence[Item], seconds: float) -> None:
        """Put off a message and those behind it together, so that none of them brings the first up too early."""
        due = self._clock().timestamp() + seconds
        for item in waiting:
            await self._store.postpone(str(conversation), item.key, due, item.attempts + 1)

    async def _do(self, conversation: Conversation, item: Item) -> None:
        assert self._requests is not None
        request = self._sessions.read_effect(str(conversation), item.key, item.body)
        assert isinstance(request, SubmitRegistration | ResendActivation | ChangeEmail)
        again = await self._requests.carry_out(conversation, request, item.key, item.attempts)
        if again is None:
            await self._store.done(str(conversation), (item.key,))
        else:
            await self._store.postpone(str(conversation), item.key, self._clock().timestamp() + again, item.attempts + 1)

    async def _fire(self, conversation: Conversation, item: Item) -> None:
        assert self._turns is not None
        timer = item.key.removeprefix("timer ")
        taken = await self._turns.take(conversation, TimerFired(timer), f"{item.key} {item.due}")
        await self._store.done(str(conversation), (item.key,))
        if taken.left:
            await self._turns.deliver(conversation)


def backoff(attempts: int, *, first: float = 1.0, longest: float = 60.0) -> float:
    """Seconds before the next attempt: doubling from `first` to `longest`."""
    return float(min(longest, first * 2 ** min(attempts, 16)))


assert POLL_SECONDS < LEASE_SECONDS < WORK_SECONDS
