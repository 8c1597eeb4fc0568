"""The rates of a channel counted in Redis, so that all processes of a bot together stay within them.

Lives here: one script and its two keys. Must not live here: the rates or the queue (`bot/limits.py`). The clock is Redis's own, which is
the one that all processes share. Both keys of a channel lie in one slot of a cluster; so do its chats, which are a few dozen a second.

  akses:{limit:<name>}        when the whole channel's bucket is as good as new, in ms since 1970; gone when it is
  akses:{limit:<name>}:<chat> the same of one chat
"""

from __future__ import annotations

from typing import Final

import structlog

from bot.limits import Limits, LocalBuckets, Wait
from bot.redis_link import RedisLink, RedisUnavailable, Script

log = structlog.get_logger(__name__)

# KEYS: whole, chat. ARGV: of each, the interval and how far ahead a message may go (ms). Answers {0} when a place was taken, else {1 for
# the whole channel or 2 for the chat, ms to wait}.
_TAKE: Final = Script("""
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local new = {}
for at = 2, 1, -1 do
  new[at] = math.max(tonumber(redis.call('GET', KEYS[at]) or '0'), now)
  local wait = new[at] - now - ARGV[2 * at]
  if wait > 0 then return {at, math.ceil(wait)} end
end
for at = 1, 2 do
  local good = new[at] + ARGV[2 * at - 1]
  redis.call('SET', KEYS[at], string.format('%.3f', good), 'PX', math.ceil(good - now) + 1)
end
return {0, 0}
""")
# KEYS: one bucket. ARGV: how long from now it is good as new at the earliest (ms).
_CLOSE: Final = Script("""
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local good = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now + ARGV[1])
redis.call('SET', KEYS[1], string.format('%.3f', good), 'PX', math.ceil(good - now) + 1)
""")
_CHAT: Final = 2


class RedisBuckets:
    """Counts for all who use the same `name` (one for each bot). While Redis cannot be reached, each process counts for itself."""

    def __init__(self, link: RedisLink, name: str, limits: Limits = Limits()) -> None:  # noqa: B008 (frozen)
        self.limits = limits
        self._link = link
        self._whole = f"akses:{{limit:{name}}}"
        # Asked first: what this process alone has used up already needs no question to Redis.
        self._mine = LocalBuckets(limits)

    def _key(self, chat: str | None) -> str:
        return self._whole if chat is None else f"{self._whole}:{chat}"

    async def take(self, chat: str, *, urgent: bool) -> Wait | None:
        wait = self._mine.look(chat, urgent=urgent) or await self._shared(chat, urgent=urgent)
        if wait is None:
            self._mine.spend(chat)
        return wait

    async def _shared(self, chat: str, *, urgent: bool) -> Wait | None:
        rates = (self.limits.whole, self.limits.of(chat))
        arguments = [round(value * 1000, 3) for rate in rates for value in (rate.interval, rate.ahead(urgent=urgent))]
        try:
            bucket, wait = await self._link.run(_TAKE, (self._whole, self._key(chat)), *arguments)
        except RedisUnavailable:
            log.warning("limits.redis_unavailable")
            return None
        return Wait(wait / 1000, chat=bucket == _CHAT) if bucket else None

    async def close_for(self, chat: str | None, seconds: float) -> None:
        self._mine.close(chat, seconds)
        rate = self.limits.whole if chat is None else self.limits.of(chat)
        try:
            await self._link.run(_CLOSE, (self._key(chat),), round((seconds + rate.ahead(urgent=True)) * 1000, 3))
        except RedisUnavailable:
            log.warning("limits.redis_unavailable")
