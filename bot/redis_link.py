"""The connection to Redis that a process has: commands that leave together, scripts by their hash, one node or a cluster.

Lives here: how commands travel, and how conversations are spread over slots. Must not live here: what is kept
(`bot/stores/redis.py`, `bot/channels/web/redis_transcript.py`).
"""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import NoScriptError, RedisError

# All keys of a conversation carry the tag of its shard and so live in one slot of a cluster, where a script can change them together.
SHARDS: Final = 32
# Redis answers within a fraction of a millisecond or is not well; a turn that cannot be had soon is better told so (503).
TIMEOUT_SECONDS: Final = 2.0
Command = tuple[Any, ...]


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
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                await self._send(batch)
        finally:
            self._task = None

    async def _send(self, batch: list[tuple[Command, asyncio.Future[Any]]]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for command, _ in batch:
            pipeline.execute_command(*command)
        results: list[Any]
        try:
            results = await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError, TimeoutError) as error:
            results = [error] * len(batch)
        except BaseException:
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


class RedisLink:
    """Open with `await RedisLink.open(url)`. Safe for any number of callers in one event loop."""

    def __init__(self, client: Redis | RedisCluster) -> None:
        self._client = client
        self._send: Callable[..., Awaitable[Any]]
        self._send = client.execute_command if isinstance(client, RedisCluster) else _Together(client)

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
        if not clustered:
            return cls(single)
        await single.aclose()
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
        await self._client.aclose()
