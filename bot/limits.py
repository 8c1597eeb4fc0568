"""How fast a channel may be written to: so many messages a second in all, so many for each chat, answers before notifications.

Lives here: the rates, who goes first, the queue for a free place, and counting inside one process (`LocalBuckets`). Must not live here:
counting between processes (`bot/redis_limits.py`) or what a channel's errors mean (its own adapter).

A bucket is counted by the generic cell rate algorithm: one number, the time at which the bucket would be as good as new. In any T seconds
it lets at most `burst + T * per_second` messages through. Notifications must leave a part of the burst untouched, so that an answer finds
a free place at once, in whichever process it is, however many notifications wait.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from dialogs.effects import Message, Say, Show

# An answer that can go within this time is waited for; for anything later there is the outbox.
PATIENCE_SECONDS: Final = 3.0
# A second flood error so soon after the pause of the first is not one chat's: the whole bot pauses.
FLOOD_MEMORY_SECONDS: Final = 5.0
_SWEEP_AT: Final = 10_000
_NOTHING: Final = 1e-6  # seconds; less is what floating point makes of none


def notifies(message: Message) -> bool:
    """Whether nobody waits for it: news and reminders. All else answers somebody, or stands before an answer in their chat."""
    return isinstance(message, Say | Show) and (
        message.news is not None or (isinstance(message, Show) and message.until is not None)
    )


@dataclass(frozen=True, slots=True)
class Rate:
    """In any T seconds at most `burst + T * per_second`. Of the burst, notifications leave `reserve` to answers."""

    per_second: float
    burst: int
    reserve: int = 0

    @property
    def interval(self) -> float:
        """Seconds between two messages when the burst is used up."""
        return 1 / self.per_second

    def ahead(self, *, urgent: bool) -> float:
        """How far in the future, in seconds, the bucket may be good as new and a message still go."""
        return (self.burst - 1 - (0 if urgent else self.reserve)) * self.interval


@dataclass(frozen=True, slots=True)
class Limits:
    """A channel's rates. The defaults are Telegram's (30/s a bot, 1/s a chat with short bursts, 20 a minute a group) with head-room: 28 in
    the worst second, 20 in a group's worst minute.
    """

    whole: Rate = Rate(25, 3, reserve=2)
    chat: Rate = Rate(1, 3)
    # A chat whose id is negative: 20 a minute.
    group: Rate = Rate(0.3, 2)

    def of(self, chat: str) -> Rate:
        return self.group if chat.startswith("-") else self.chat


@dataclass(frozen=True, slots=True)
class Wait:
    """No place for so many seconds; `chat` when it is this chat's own limit and others may go on."""

    seconds: float
    chat: bool


class Buckets(Protocol):
    """Counts. Whatever it says holds for everybody who counts in the same place."""

    @property
    def limits(self) -> Limits: ...

    async def take(self, chat: str, *, urgent: bool) -> Wait | None:
        """Take a place in the chat's and in the whole channel's bucket now, or none in either and say how long to wait."""

    async def close_for(self, chat: str | None, seconds: float) -> None:
        """Nobody gets a place in this chat (None: in the whole channel) for so many seconds."""


def loop_time() -> float:
    return asyncio.get_running_loop().time()


class LocalBuckets:
    """Counts for this process. `clock` gives seconds that never go back."""

    def __init__(self, limits: Limits = Limits(), *, clock: Callable[[], float] = loop_time) -> None:
        self.limits = limits
        self._clock = clock
        self._whole = float("-inf")
        self._chats: dict[str, float] = {}

    async def take(self, chat: str, *, urgent: bool) -> Wait | None:
        wait = self.look(chat, urgent=urgent)
        if wait is None:
            self.spend(chat)
        return wait

    def look(self, chat: str, *, urgent: bool) -> Wait | None:
        """What `take` would say."""
        now, limits = self._clock(), self.limits
        if (wait := self._chats.get(chat, now) - now - limits.of(chat).ahead(urgent=urgent)) > _NOTHING:
            return Wait(wait, chat=True)
        if (wait := self._whole - now - limits.whole.ahead(urgent=urgent)) > _NOTHING:
            return Wait(wait, chat=False)
        return None

    def spend(self, chat: str) -> None:
        now = self._clock()
        self._whole = max(self._whole, now) + self.limits.whole.interval
        self._chats[chat] = max(self._chats.get(chat, now), now) + self.limits.of(chat).interval
        if len(self._chats) > _SWEEP_AT:
            self._chats = {each: new for each, new in self._chats.items() if new > now}

    async def close_for(self, chat: str | None, seconds: float) -> None:
        self.close(chat, seconds)

    def close(self, chat: str | None, seconds: float) -> None:
        now = self._clock()
        if chat is None:
            self._whole = max(self._whole, now + seconds + self.limits.whole.ahead(urgent=True))
        else:
            self._chats[chat] = max(self._chats.get(chat, now), now + seconds + self.limits.of(chat).ahead(urgent=True))


Place = asyncio.Future[float]


@dataclass(order=True, slots=True)
class _Waiting:
    rank: tuple[Literal[0, 1], int]
    chat: str = field(compare=False)
    until: float = field(compare=False)
    place: Place = field(compare=False)

    @property
    def urgent(self) -> bool:
        return self.rank[0] == 0


class Limiter:
    """The queue for a place: answers first, then notifications; within each, first come, first served, and a chat that must wait for its
    own limit holds up nobody else.
    """

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets
        self._queue: list[_Waiting] = []
        self._numbers = itertools.count()
        self._came = asyncio.Event()
        self._server: asyncio.Task[None] | None = None
        self._turned_away_to = float("-inf")
        self._flooded_until = float("-inf")

    async def place(self, chat: str, *, urgent: bool) -> float:
        """0 when the message may go now, having waited for that if need be; else the seconds after which to come again.

        Those who are sent away are given times apart from each other, so that they do not all come back at once.
        """
        now = loop_time()
        ahead = len(self._queue) if not urgent else sum(each.urgent for each in self._queue)
        if ahead * self._buckets.limits.whole.interval > PATIENCE_SECONDS:
            return self._another_time(now)
        mine = _Waiting((0 if urgent else 1, next(self._numbers)), chat, now + PATIENCE_SECONDS, asyncio.Future())
        self._queue.append(mine)
        self._queue.sort()
        self._came.set()
        if self._server is None or self._server.done():
            self._server = asyncio.create_task(self._serve_all())
        try:
            return await mine.place
        finally:
            if mine in self._queue:
                self._queue.remove(mine)

    async def flooded(self, chat: str, seconds: float) -> bool:
        """The channel said that it is too much, and for how long: this chat pauses, or, when it said so just before, everybody.

        True when everybody pauses.
        """
        now = loop_time()
        again = now < self._flooded_until
        self._flooded_until = max(self._flooded_until, now + seconds + FLOOD_MEMORY_SECONDS)
        await self._buckets.close_for(None if again else chat, seconds)
        return again

    async def rest(self, chat: str, seconds: float) -> None:
        """The channel said that it is too much for this chat, and leaves no doubt that it is this chat alone."""
        await self._buckets.close_for(chat, seconds)

    async def shut(self, seconds: float) -> None:
        """Nothing goes at all for so many seconds."""
        await self._buckets.close_for(None, seconds)

    def _another_time(self, now: float, at_least: float = PATIENCE_SECONDS) -> float:
        self._turned_away_to = max(self._turned_away_to, now + at_least) + self._buckets.limits.whole.interval
        return self._turned_away_to - now

    async def _serve_all(self) -> None:
        try:
            await self._serve()
        finally:
            # Whatever ends it, nobody is left waiting for it.
            for each in list(self._queue):
                self._settle(each, PATIENCE_SECONDS)

    async def _serve(self) -> None:
        """Give out places until nobody waits."""
        closed: dict[str, float] = {}  # chats whose own limit is reached, and until when
        while self._queue:
            self._came.clear()
            now = loop_time()
            closed = {chat: until for chat, until in closed.items() if until > now}
            next_look = min(closed.values(), default=now + PATIENCE_SECONDS)
            for each in list(self._queue):
                if each.chat in closed or each.place.done():
                    continue
                wait = await self._buckets.take(each.chat, urgent=each.urgent)
                if wait is None:
                    self._settle(each, 0.0)
                elif each.until < now + wait.seconds:
                    self._settle(each, wait.seconds if wait.chat else self._another_time(now, wait.seconds))
                    if wait.chat:
                        closed[each.chat] = now + wait.seconds
                elif wait.chat:
                    closed[each.chat] = now + wait.seconds
                    next_look = min(next_look, now + wait.seconds)
                else:
                    next_look = min(next_look, now + wait.seconds)
                    break
            await self._pause(next_look - loop_time())

    def _settle(self, waiting: _Waiting, answer: float) -> None:
        if waiting in self._queue:
            self._queue.remove(waiting)
        if not waiting.place.done():
            waiting.place.set_result(answer)

    async def _pause(self, seconds: float) -> None:
        """Until the time has come or somebody new, who may be more urgent."""
        if not self._queue or seconds <= 0:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._came.wait()
        except TimeoutError:
            pass
