"""The dialog stores that every test of a store or of the runner meets: in memory, on SQLite, on Redis and on a Redis cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis

from bot.redis_link import RedisLink
from bot.stores.embedded import EmbeddedStore
from bot.stores.memory import MemoryStore
from bot.stores.port import Store
from bot.stores.redis import RedisStore
from tests.redis_servers import redis_cluster, redis_server


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with redis_server() as server:
        yield server.url


@pytest.fixture(scope="session")
def cluster_url() -> Iterator[str]:
    with redis_cluster() as url:
        yield url


@pytest.fixture(params=["memory", "embedded", "redis", "cluster"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    made: Store
    link: RedisLink | None = None
    match request.param:
        case "memory":
            made = MemoryStore()
        case "embedded":
            made = await EmbeddedStore.open(tmp_path / "dialog.db")
        case "redis":
            url = request.getfixturevalue("redis_url")
            redis.Redis.from_url(url).flushall()
            link = await RedisLink.open(url)
            made = RedisStore(link)
        case _:
            url = request.getfixturevalue("cluster_url")
            redis.RedisCluster.from_url(url).flushall(target_nodes=redis.RedisCluster.PRIMARIES)
            link = await RedisLink.open(url)
            made = RedisStore(link)
    yield made
    await made.close()
    if link is not None:
        await link.close()
