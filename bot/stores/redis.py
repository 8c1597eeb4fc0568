"""The dialog store of production: Redis, one node or a cluster; a turn is one GET and one compare-and-set script.

Lives here: keys, scripts and bytes for `bot/stores/port.py`. Must not live here: what the values mean (they come sealed). Redis must run
with AOF if no dialog may be lost, and must not evict (`maxmemory-policy noeviction`).

Keys, for a conversation of shard N (all in one slot, so that scripts work in a cluster):
  akses:{N}:c:<conversation>   revision (4 bytes) and the sealed value; one string with a TTL
  akses:{N}:o:<conversation>   hash of what must still happen: key -> order, lane, attempts, due, sealed body; gone when there is none
  akses:{N}:due                sorted set of `<conversation> <key>` by due time; of a timer, which has no body, it holds all there is
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from bot.redis_link import SHARDS, RedisLink, RedisUnavailable, Script, shard, shard_key
from bot.stores.port import Backlog, Commit, Item, Lane, Loaded, Outcome, StoreUnavailable, is_timer
from dialogs.frozen import Frozen

_REVISION: Final = struct.Struct(">I")
# order (revision, position), lane, attempts, due; then the body
_ITEM: Final = struct.Struct(">IHcId")
_LANES: Final[dict[Lane, bytes]] = {"say": b"s", "do": b"d", "timer": b"t"}
_OUTCOMES: Final = tuple(Outcome)  # in the order of their values, which the script answers
_LANE_OF: Final[dict[bytes, Lane]] = {mark: lane for lane, mark in _LANES.items()}

# KEYS: conversation, outbox, due. ARGV: expected revision, value, TTL ms, 1 if only alone, number of cancelled, [member, key]..., then
# [member, key, due, item]..., no item for a timer. Answers as bot.stores.port.Outcome.
_COMMIT: Final = """
if redis.call('GETRANGE', KEYS[1], 0, 3) ~= ARGV[1] then return 0 end
local outcome = 1
for _, item in ipairs(redis.call('HVALS', KEYS[2])) do
  if string.sub(item, 7, 7) == 's' then outcome = 2 end
end
if outcome == 2 and ARGV[4] == '1' then return 3 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
local at = 6
for _ = 1, tonumber(ARGV[5]) do
  redis.call('ZREM', KEYS[3], ARGV[at])
  redis.call('HDEL', KEYS[2], ARGV[at + 1])
  at = at + 2
end
while at < #ARGV do
  redis.call('ZADD', KEYS[3], ARGV[at + 2], ARGV[at])
  if ARGV[at + 3] ~= '' then
    redis.call('HSET', KEYS[2], ARGV[at + 1], ARGV[at + 3])
    redis.call('PEXPIRE', KEYS[2], ARGV[3])
  end
  at = at + 4
end
return outcome
"""
# KEYS: outbox, due. ARGV: member, key, due, item, TTL ms for an outbox that has just become empty and so has none.
_ADD: Final = """
redis.call('HSET', KEYS[1], ARGV[2], ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[5]) end
"""
# KEYS: outbox, due. ARGV: member, key, due, attempts and due as they are packed. A thing that has happened meanwhile stays gone.
_POSTPONE: Final = """
local item = redis.call('HGET', KEYS[1], ARGV[2])
if not item then return 0 end
redis.call('HSET', KEYS[1], ARGV[2], string.sub(item, 1, 7) .. ARGV[4] .. string.sub(item, 20))
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
return 1
"""
# KEYS: outbox, due. ARGV: [member, key]... Answers whether messages still wait.
_DONE: Final = """
for at = 1, #ARGV, 2 do
  redis.call('ZREM', KEYS[2], ARGV[at])
  redis.call('HDEL', KEYS[1], ARGV[at + 1])
end
for _, item in ipairs(redis.call('HVALS', KEYS[1])) do
  if string.sub(item, 7, 7) == 's' then return 1 end
end
return 0
"""
# KEYS: due. ARGV: now, leased until, limit. Gives each member to one asker.
_LEASE: Final = """
local members = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
for _, member in ipairs(members) do redis.call('ZADD', KEYS[1], ARGV[2], member) end
return members
"""


class _Keys(Frozen, frozen=True):
    state: str
    outbox: str
    due: str


@lru_cache(maxsize=1024)  # a turn asks for the same ones twice
def _keys(conversation: str) -> _Keys:
    prefix = shard(conversation)
    return _Keys(f"{prefix}:c:{conversation}", f"{prefix}:o:{conversation}", f"{prefix}:due")


COMMIT, ADD, DONE, POSTPONE, LEASE = Script(_COMMIT), Script(_ADD), Script(_DONE), Script(_POSTPONE), Script(_LEASE)
# A message that is added when its outbox has just become empty waits at most so long for the delivery loop.
ADDED_KEEP_SECONDS: Final = 24 * 3600.0


class RedisStore:
    """Any number of processes may share one Redis. The link is not the store's to close."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def _do(self, *command: Any) -> Any:
        try:
            return await self._link.do(*command)
        except RedisUnavailable as error:
            raise StoreUnavailable(str(error)) from error

    async def _run(self, script: Script, keys: Sequence[str], *arguments: Any) -> Any:
        try:
            return await self._link.run(script, keys, *arguments)
        except RedisUnavailable as error:
            raise StoreUnavailable(str(error)) from error

    async def load(self, conversation: str, now: float) -> Loaded:  # noqa: ARG002 (Redis forgets by its own clock)
        value: bytes | None = await self._do("GET", _keys(conversation).state)
        return Loaded(_REVISION.unpack_from(value)[0], value[_REVISION.size :]) if value else Loaded(0, None)

    async def commit(self, commit: Commit) -> Outcome:
        name = commit.conversation
        keys = _keys(name)
        arguments: list[Any] = [
            _REVISION.pack(commit.revision) if commit.revision else b"",
            _REVISION.pack(commit.revision + 1) + commit.state,
            int(commit.keep_seconds * 1000),
            int(commit.alone),
        ]
        arguments.append(len(commit.cancelled))
        for key in commit.cancelled:
            arguments += (f"{name} {key}", key)
        for position, item in enumerate(commit.items):
            written = b"" if item.lane == "timer" else _written(item, commit.revision + 1, position)
            arguments += (f"{name} {item.key}", item.key, item.due, written)
        outcome: int = await self._run(COMMIT, (keys.state, keys.outbox, keys.due), *arguments)
        return _OUTCOMES[outcome]

    async def add(self, conversation: str, item: Item) -> None:
        names = _keys(conversation)
        # Behind everything there is: no revision is higher.
        written = _written(item, 0xFFFFFFFF, 0)
        ttl = int(ADDED_KEEP_SECONDS * 1000)
        await self._run(ADD, (names.outbox, names.due), f"{conversation} {item.key}", item.key, item.due, written, ttl)

    async def pending(self, conversation: str) -> Sequence[Item]:
        found = pairs(await self._do("HGETALL", _keys(conversation).outbox))
        ordered = sorted(found, key=lambda pair: pair[1][: _REVISION.size + 2])
        return [item for item in (_item(key.decode(), value) for key, value in ordered) if item.lane != "timer"]

    async def done(self, conversation: str, keys: Sequence[str]) -> bool:
        names = _keys(conversation)
        pairs = (word for key in keys for word in (f"{conversation} {key}", key))
        return bool(await self._run(DONE, (names.outbox, names.due), *pairs))

    async def postpone(self, conversation: str, key: str, due: float, attempts: int) -> None:
        names = _keys(conversation)
        packed = struct.pack(">Id", attempts, due)
        await self._run(POSTPONE, (names.outbox, names.due), f"{conversation} {key}", key, due, packed)

    async def due(self, now: float, lease: float, limit: int) -> Sequence[tuple[str, Item]]:
        shards = await asyncio.gather(
            *(self._run(LEASE, (f"{shard_key(number)}:due",), now, now + lease, limit) for number in range(SHARDS))
        )
        members: list[bytes] = [member for shard in shards for member in shard]
        named = [(conversation, key) for conversation, _, key in (member.decode().partition(" ") for member in members)]
        values = await asyncio.gather(*(self._found(conversation, key) for conversation, key in named))
        ready: list[tuple[str, Item]] = []
        for (conversation, key), value in zip(named, values, strict=True):
            if not value:
                # Its conversation has expired since; only the index still knew of it.
                await self._do("ZREM", _keys(conversation).due, f"{conversation} {key}")
            else:
                ready.append((conversation, Item(key, "timer", b"", now) if is_timer(key) else _item(key, value)))
        ready.sort(key=lambda pair: pair[1].due)
        for conversation, item in ready[limit:]:
            await self._do("ZADD", _keys(conversation).due, item.due, f"{conversation} {item.key}")
        return ready[:limit]

    async def _found(self, conversation: str, key: str) -> Any:
        """What the index points to: an item's bytes or, for a timer, whether its conversation is still there. Falsy when it is gone."""
        names = _keys(conversation)
        return await (self._do("EXISTS", names.state) if is_timer(key) else self._do("HGET", names.outbox, key))

    async def backlog(self, now: float, until: float) -> Backlog:
        names = [f"{shard_key(number)}:due" for number in range(SHARDS)]
        counts, firsts = await asyncio.gather(
            asyncio.gather(*(self._do("ZCOUNT", name, "-inf", until) for name in names)),
            asyncio.gather(*(self._do("ZRANGE", name, 0, 0, "WITHSCORES") for name in names)),
        )
        return Backlog(sum(counts), max([0.0, *(now - float(score) for first in firsts for _, score in pairs(first))]))

    async def expire(self, now: float) -> int:  # noqa: ARG002 (every key has a TTL)
        return 0

    async def close(self) -> None:
        """Nothing of its own to let go of."""


def _item(key: str, value: bytes) -> Item:
    _, _, lane, attempts, due = _ITEM.unpack_from(value)
    return Item(key, _LANE_OF[lane], value[_ITEM.size :], due, attempts)


def _written(item: Item, revision: int, position: int) -> bytes:
    return _ITEM.pack(revision, position, _LANES[item.lane], item.attempts, item.due) + item.body


def pairs(reply: Any) -> Sequence[Sequence[Any]]:
    """Pairs, as Redis itself lists them one after the other, or as redis-py's cluster client has put them together."""
    if isinstance(reply, dict):
        return list(reply.items())
    return reply if reply and isinstance(reply[0], list | tuple) else list(zip(reply[::2], reply[1::2], strict=True))
