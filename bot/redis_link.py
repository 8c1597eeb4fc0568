"""The way to Redis that a process has: one node (`bot/redis_pipe.py`) or a cluster (redis-py's own), scripts by their hash.

Lives here: which way commands go, and how conversations are spread over slots. Must not live here: what is kept
(`bot/stores/redis.py`, `bot/channels/web/redis_transcript.py`).
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import NoScriptError, RedisError

from bot.redis_pipe import RedisPipe

# All keys of a conversation carry the tag of its shard and so live in one slot of a cluster, where a script can change them together.
SHARDS: Final = 32
# Redis answers within a fraction of a millisecond or is not well; a turn that cannot be had soon is better told so (503).
TIMEOUT_SECONDS: Final = 2.0


class RedisUnavailable(Exception):
    """Redis cannot be reached, or not in time."""


def shard(conversation: str) -> str:
    """The beginning of every key of this conversation."""
    return shard_key(zlib.crc32(conversation.encode()) % SHARDS)


def shard_key(number: int) -> str:
    return f"akses:{{{number}}}"


class Script:
    """A Lua script; sent by its hash, and by its text to a Redis that does not know it yet."""

    __slots__ = ("sha", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class RedisLink:
    """Open with `await RedisLink.open(url)`. Safe for any number of callers in one event loop."""

    def __init__(self, way: RedisPipe | RedisCluster) -> None:
        self._way = way
        self._send: Callable[..., Awaitable[Any]] = way.execute_command if isinstance(way, RedisCluster) else way

    @classmethod
    async def open(cls, url: str) -> RedisLink:
        """`redis://` or `rediss://`; a node of a cluster leads to the whole cluster. Raises RedisUnavailable."""
        options: dict[str, Any] = {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS}
        single = Redis.from_url(url, **options)
        try:
            clustered = (await single.info("cluster")).get("cluster_enabled") == 1
        except (RedisError, OSError, TimeoutError) as error:
            await single.aclose()
            raise RedisUnavailable(type(error).__name__) from error
        await single.aclose()
        if not clustered:
            return cls(RedisPipe(url, timeout=TIMEOUT_SECONDS))
        cluster = RedisCluster.from_url(url, **options)
        await cluster.initialize()
        return cls(cluster)

    async def do(self, *command: Any) -> Any:
        """One command. Raises RedisUnavailable."""
        try:
            return await self._send(*command)
        except NoScriptError:
            raise
        except (RedisError, OSError, TimeoutError) as error:
            raise RedisUnavailable(type(error).__name__) from error

    async def run(self, script: Script, keys: Sequence[str], *arguments: Any) -> Any:
        """One script. A Redis that was restarted is given the text again. Raises RedisUnavailable."""
        try:
            return await self.do("EVALSHA", script.sha, len(keys), *keys, *arguments)
        except NoScriptError:
            return await self.do("EVAL", script.text, len(keys), *keys, *arguments)

    async def close(self) -> None:
        await self._way.aclose()
