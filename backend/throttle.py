"""How often an internet address may ask for what only a guesser asks for often; counted in Redis for all processes, or in this one.

Lives here: counting, by the `limits` package. Must not live here: how many (whoever asks says), or mails (`budgets.py`: exact).
When Redis does not answer, this process counts alone: a guesser gains little, and nobody is kept out by an outage.
"""

from __future__ import annotations

import math
import time
from typing import Any, Final, Protocol

import structlog
from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage, RedisClusterStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

log = structlog.get_logger(__name__)

_PATIENCE_SECONDS: Final = 0.5
_TOLD_EVERY_SECONDS: Final = 60.0


class Counting(Protocol):
    """What pages need of a throttle."""

    async def wait(self, rate: str, *who: str) -> int: ...


class Throttle:
    """`redis_url` is redis:// or rediss:// of a single node or of any node of a cluster; without it this process counts for itself."""

    def __init__(self, redis_url: str = "") -> None:
        self._redis_url = redis_url
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._redis: RedisStorage | None = None
        self._told_at = float("-inf")

    async def wait(self, rate: str, *who: str) -> int:
        """Count one; 0 when it may go on, else the seconds until the next may, rounded up. `rate` is written "20 per 10 minutes"."""
        item = parse(rate)
        if self._redis_url:
            try:
                self._redis = self._redis or await _storage(self._redis_url)
                return await _count(SlidingWindowCounterRateLimiter(self._redis), item, who)
            except Exception as error:  # noqa: BLE001 - whatever became of Redis, the request goes on
                if time.monotonic() - self._told_at >= _TOLD_EVERY_SECONDS:
                    self._told_at = time.monotonic()
                    log.warning("throttle.counts_alone", error=type(error).__name__)
        return await _count(self._own, item, who)

    async def close(self) -> None:
        if self._redis is not None:
            bridge: Any = self._redis.bridge  # its own type does not name what each kind of client has
            await bridge.storage.aclose()


async def _count(limiter: SlidingWindowCounterRateLimiter, item: RateLimitItem, who: tuple[str, ...]) -> int:
    if await limiter.hit(item, *who):
        return 0
    window = await limiter.get_window_stats(item, *who)
    return max(1, math.ceil(window.reset_time - time.time()))


async def _storage(url: str) -> RedisStorage:
    from redis.asyncio import Redis  # imported late: the embedded product has none

    async with Redis.from_url(url, socket_timeout=_PATIENCE_SECONDS, socket_connect_timeout=_PATIENCE_SECONDS) as one:
        clustered = (await one.info("cluster")).get("cluster_enabled") == 1
    options: dict[str, Any] = {"socket_timeout": _PATIENCE_SECONDS, "socket_connect_timeout": _PATIENCE_SECONDS}
    if clustered:
        scheme, _, rest = url.partition("://")
        address = f"async+redis+cluster://{rest.partition('/')[0]}"
        return RedisClusterStorage(address, implementation="redispy", ssl=scheme == "rediss", **options)
    return RedisStorage(f"async+{url}", implementation="redispy", **options)
