"""The dialog store of production: Redis, one node or a cluster; a turn is one GET and one compare-and-set script.

Lives here: keys, scripts and bytes for `bot/stores/port.py`. Must not live here: what the values mean (they come sealed). Redis must run
with AOF if no dialog may be lost, and must not evict (`maxmemory-policy noeviction`).

Keys, for a conversation of shard N (all in one slot, so that scripts work in a cluster):
  akses:{N}:c:<conversation>   revision (4 bytes) and the sealed value; one string with a TTL
  akses:{N}:o:<conversation>   hash of what must still happen: key -> order, lane, attempts, due, sealed body; gone when there is none
  akses:{N}:due                sorted set of `<conversation> <key>` by due time
"""

from __future__ import annotations

import asyncio
import hashlib
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import NoScriptError, RedisError

from bot.stores.port import Commit, Item, Lane, Loaded, Outcome, StoreUnavailable

log = structlog.get_logger(__name__)

SHARDS: Final = 32
_REVISION: Final = struct.Struct(">I")
# order (revision, position), lane, attempts, due; then the body
_ITEM: Final = struct.Struct(">IHcId")
_LANES: Final[dict[Lane, bytes]] = {"say": b"s", "do": b"d", "timer": b"t"}
_LANE_OF: Final[dict[bytes, Lane]] = {mark: lane for lane, mark in _LANES.items()}
# Redis answers within a fraction of a millisecond or is not well; a turn that cannot be had soon is better told so (503).
TIMEOUT_SECONDS: Final = 2.0

# KEYS: conversation, outbox, due. ARGV: expected revision, value, TTL ms; then, only where something must still happen: how many of the
# following are cancelled, [member, key]..., [member, key, due, item]..., the last of which is kept only behind earlier messages when the
# number of cancelled is negative (-1 means none cancelled and such an answer, -2 one cancelled and such an answer...).
# Answers as bot.stores.port.Outcome.
_COMMIT: Final = """
if redis.call('GETRANGE', KEYS[1], 0, 3) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
if not ARGV[4] then return 1 end
local behind = false
for _, item in ipairs(redis.call('HVALS', KEYS[2])) do
  if string.sub(item, 7, 7) == 's' then behind = true end
end
local cancelled, last = tonumber(ARGV[4]), #ARGV
if cancelled < 0 then
  cancelled = -cancelled - 1
  if not behind then last = last - 4 end
end
local at = 5
for _ = 1, cancelled do
  redis.call('ZREM', KEYS[3], ARGV[at])
  redis.call('HDEL', KEYS[2], ARGV[at + 1])
  at = at + 2
end
while at < last do
  redis.call('HSET', KEYS[2], ARGV[at + 1], ARGV[at + 3])
  redis.call('ZADD', KEYS[3], ARGV[at + 2], ARGV[at])
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
  at = at + 4
end
return behind and 2 or 1
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


@dataclass(frozen=True, slots=True)
class _Keys:
    state: str
    outbox: str
    due: str


def _keys(conversation: str) -> _Keys:
    shard = f"akses:{{{zlib.crc32(conversation.encode()) % SHARDS}}}"
    return _Keys(f"{shard}:c:{conversation}", f"{shard}:o:{conversation}", f"{shard}:due")


class _Script:
    __slots__ = ("sha", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


COMMIT, DONE, POSTPONE, LEASE = _Script(_COMMIT), _Script(_DONE), _Script(_POSTPONE), _Script(_LEASE)
Command = tuple[Any, ...]


class _Together:
    """Sends what is asked for during one iteration of the loop as one pipeline, and meanwhile collects the next.

    redis-py's price for a command by itself is 60-80 us of this process; shared by a batch it is a small part of that.
    """

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._waiting: list[tuple[Command, asyncio.Future[Any]]] = []
        self._task: asyncio.Task[None] | None = None

    def __call__(self, *command: Any) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, future))
        if self._task is None:
            self._task = asyncio.create_task(self._drain())
        return future

    async def _drain(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            pipeline = self._client.pipeline(transaction=False)
            for command, _ in batch:
                pipeline.execute_command(*command)
            try:
                results = await pipeline.execute(raise_on_error=False)
            except (RedisError, OSError, TimeoutError) as error:
                results = [error] * len(batch)
            except BaseException:
                self._task = None
                for _, future in batch:
                    future.cancel()
                raise
            for (_, future), result in zip(batch, results, strict=True):
                if future.done():
                    continue
                if isinstance(result, BaseException):
                    future.set_exception(result)
                else:
                    future.set_result(result)
        self._task = None


class RedisStore:
    """Open with `await RedisStore.open(url)`; any number of processes may share one Redis."""

    def __init__(self, client: Redis | RedisCluster) -> None:
        self._client = client
        self._send = client.execute_command if isinstance(client, RedisCluster) else _Together(client)

    @classmethod
    async def open(cls, url: str) -> RedisStore:
        """`redis://` or `rediss://`; a node of a cluster leads to the whole cluster. Raises StoreUnavailable."""
        options: dict[str, Any] = {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS}
        single = Redis.from_url(url, **options)
        try:
            clustered = (await single.info("cluster")).get("cluster_enabled") == 1
        except (RedisError, OSError, TimeoutError) as error:
            await single.aclose()
            raise StoreUnavailable(type(error).__name__) from error
        if not clustered:
            return cls(single)
        await single.aclose()
        cluster = RedisCluster.from_url(url, **options)
        await cluster.initialize()
        return cls(cluster)

    async def _do(self, *command: Any) -> Any:
        try:
            return await self._send(*command)
        except NoScriptError:
            raise
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreUnavailable(type(error).__name__) from error

    async def _run(self, script: _Script, keys: Sequence[str], *arguments: Any) -> Any:
        """A script by its hash; a Redis that was restarted is given the text again."""
        try:
            return await self._do("EVALSHA", script.sha, len(keys), *keys, *arguments)
        except NoScriptError:
            return await self._do("EVAL", script.text, len(keys), *keys, *arguments)

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
        ]
        items = (*commit.items, commit.answer) if commit.answer else commit.items
        if items or commit.cancelled:
            count = len(commit.cancelled)
            arguments.append(-count - 1 if commit.answer else count)
            for key in commit.cancelled:
                arguments += (f"{name} {key}", key)
            for position, item in enumerate(items):
                head = _ITEM.pack(commit.revision + 1, position, _LANES[item.lane], item.attempts, item.due)
                arguments += (f"{name} {item.key}", item.key, item.due, head + item.body)
        return Outcome(await self._run(COMMIT, (keys.state, keys.outbox, keys.due), *arguments))

    async def pending(self, conversation: str) -> Sequence[Item]:
        found: dict[bytes, bytes] = await self._do("HGETALL", _keys(conversation).outbox)
        ordered = sorted(found.items(), key=lambda pair: pair[1][: _REVISION.size + 2])
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
            *(self._run(LEASE, (f"akses:{{{shard}}}:due",), now, now + lease, limit) for shard in range(SHARDS))
        )
        members: list[bytes] = [member for shard in shards for member in shard]
        named = [(conversation, key) for conversation, _, key in (member.decode().partition(" ") for member in members)]
        values = await asyncio.gather(*(self._do("HGET", _keys(conversation).outbox, key) for conversation, key in named))
        ready: list[tuple[str, Item]] = []
        for (conversation, key), value in zip(named, values, strict=True):
            if value is None:
                # Its conversation has expired since; only the index still knew of it.
                await self._do("ZREM", _keys(conversation).due, f"{conversation} {key}")
            else:
                ready.append((conversation, _item(key, value)))
        ready.sort(key=lambda pair: pair[1].due)
        for conversation, item in ready[limit:]:
            await self._do("ZADD", _keys(conversation).due, item.due, f"{conversation} {item.key}")
        return ready[:limit]

    async def expire(self, now: float) -> int:  # noqa: ARG002 (every key has a TTL)
        return 0

    async def close(self) -> None:
        await self._client.aclose()


def _item(key: str, value: bytes) -> Item:
    _, _, lane, attempts, due = _ITEM.unpack_from(value)
    return Item(key, _LANE_OF[lane], value[_ITEM.size :], due, attempts)
