"""The transcript of production: Redis, shared by all processes that serve the web chat.

Lives here: keys and scripts for `transcript.py`'s port. Every item is sealed with the conversation and its key as context.

  akses:{N}:t:<conversation>   hash: key of the item -> "cursor seq " and the sealed item
  akses:{N}:tc:<conversation>  sorted set: key of the item by cursor
Both go when nothing was added for `keep`.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from bot.channels.web.transcript import Bell, Clock, Entry, TranscriptUnavailable, next_cursor, utc_now
from bot.conversation import Conversation
from bot.redis_link import RedisLink, RedisUnavailable, Script, shard

# What another process has added is seen within this time; what this one has, at once.
POLL_SECONDS: Final = 1.0

# KEYS: items, cursors. ARGV: key, least cursor, TTL ms, sealed, "1" to replace. Answers the seq; 0 where there is nothing to replace.
_PUT: Final = """
local known = redis.call('HGET', KEYS[1], ARGV[1])
local replacing = ARGV[5] == '1'
if known and not replacing then return tonumber(string.match(known, '^%d+ (%d+) ')) end
if replacing and not known then return 0 end
local last = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')
local cursor = math.max(tonumber(ARGV[2]), last[2] and tonumber(last[2]) + 1 or 0)
local seq = known and string.match(known, '^%d+ (%d+) ') or string.format('%d', cursor)
redis.call('HSET', KEYS[1], ARGV[1], string.format('%d', cursor) .. ' ' .. seq .. ' ' .. ARGV[4])
redis.call('ZADD', KEYS[2], cursor, ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return tonumber(seq)
"""
# KEYS: items, cursors. ARGV: cursor, limit. Answers key, value, key, value...
_SINCE: Final = """
local found = {}
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf', 'LIMIT', 0, ARGV[2])) do
  found[#found + 1] = key
  found[#found + 1] = redis.call('HGET', KEYS[1], key)
end
return found
"""
PUT, SINCE = Script(_PUT), Script(_SINCE)


class Seals(Protocol):
    """What the transcript needs of the keyring."""

    def seal(self, plaintext: bytes, context: bytes) -> bytes: ...
    def open(self, sealed: bytes, context: bytes) -> bytes: ...


def _context(conversation: Conversation, key: str) -> bytes:
    return f"transcript\0{conversation}\0{key}".encode()


def _keys(conversation: Conversation) -> tuple[str, str]:
    prefix = shard(str(conversation))
    return f"{prefix}:t:{conversation}", f"{prefix}:tc:{conversation}"


class RedisTranscript:
    def __init__(self, link: RedisLink, seals: Seals, *, keep: timedelta = timedelta(days=7), clock: Clock = utc_now) -> None:
        self._link = link
        self._seals = seals
        self._keep_ms = int(keep.total_seconds() * 1000)
        self._clock = clock
        self._bell = Bell()

    async def _run(self, script: Script, conversation: Conversation, *arguments: Any) -> Any:
        try:
            return await self._link.run(script, _keys(conversation), *arguments)
        except RedisUnavailable as error:
            raise TranscriptUnavailable(str(error)) from error

    async def _put(self, conversation: Conversation, key: str, item: bytes, *, replace: bool) -> int:
        sealed = self._seals.seal(item, _context(conversation, key))
        least = next_cursor(0, self._clock())
        seq = await self._run(PUT, conversation, key, least, self._keep_ms, sealed, int(replace))
        self._bell.ring(conversation)
        return int(seq)

    async def append(self, conversation: Conversation, key: str, item: bytes) -> int:
        return await self._put(conversation, key, item, replace=False)

    async def get(self, conversation: Conversation, key: str) -> bytes | None:
        try:
            value: bytes | None = await self._link.do("HGET", _keys(conversation)[0], key)
        except RedisUnavailable as error:
            raise TranscriptUnavailable(str(error)) from error
        return self._entry(conversation, key, value).item if value else None

    async def replace(self, conversation: Conversation, key: str, item: bytes) -> None:
        old = await self.get(conversation, key)
        if old is not None and old != item:
            await self._put(conversation, key, item, replace=True)

    async def since(self, conversation: Conversation, cursor: int, limit: int) -> list[Entry]:
        found: list[bytes] = await self._run(SINCE, conversation, cursor, limit)
        return [self._entry(conversation, key.decode(), value) for key, value in zip(found[::2], found[1::2], strict=True)]

    async def wait(self, conversation: Conversation, cursor: int, seconds: float) -> None:
        until = asyncio.get_running_loop().time() + seconds
        while (left := until - asyncio.get_running_loop().time()) > 0:
            await self._bell.wait(self, conversation, cursor, min(left, POLL_SECONDS))
            if await self.since(conversation, cursor, 1):
                return

    async def expire(self, before: datetime) -> int:  # noqa: ARG002 (every key has a TTL)
        return 0

    def _entry(self, conversation: Conversation, key: str, value: bytes) -> Entry:
        cursor, seq, sealed = value.split(b" ", 2)
        return Entry(int(cursor), int(seq), self._seals.open(sealed, _context(conversation, key)))
