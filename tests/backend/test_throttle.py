"""Counting per address: alone, together by Redis, in a cluster, and when Redis goes away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from backend.throttle import Throttle
from tests.redis_servers import RedisServer, redis_cluster, redis_server
from tests.services import free_port

RATE = "3 per 10 minutes"


@pytest.fixture
async def throttle() -> AsyncIterator[Callable[[str], Throttle]]:
    made: list[Throttle] = []

    def make(url: str) -> Throttle:
        made.append(Throttle(url))
        return made[-1]

    yield make
    for one in made:
        await one.close()


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture(scope="module")
def cluster_url() -> Iterator[str]:
    with redis_cluster() as url:
        yield url


async def test_the_fourth_of_three_waits_and_is_told_for_how_long() -> None:
    throttle = Throttle()
    assert [await throttle.wait(RATE, "links", "192.0.2.1") for _ in range(3)] == [0, 0, 0]
    assert 1 <= await throttle.wait(RATE, "links", "192.0.2.1") <= 600
    assert await throttle.wait(RATE, "links", "192.0.2.2") == 0
    assert await throttle.wait(RATE, "other", "192.0.2.1") == 0


async def test_processes_with_one_redis_count_together(redis: RedisServer, throttle: Callable[[str], Throttle]) -> None:
    one, other = throttle(redis.url), throttle(redis.url)
    assert [await each.wait(RATE, "links", "a") for each in (one, other, one)] == [0, 0, 0]
    assert await other.wait(RATE, "links", "a") > 0


async def test_so_do_processes_with_one_cluster(cluster_url: str, throttle: Callable[[str], Throttle]) -> None:
    one, other = throttle(cluster_url), throttle(cluster_url)
    for who in ("a", "b", "c"):
        assert [await each.wait(RATE, "links", who) for each in (one, other, one)] == [0, 0, 0]
        assert await other.wait(RATE, "links", who) > 0


async def test_a_process_whose_redis_dies_goes_on_counting_alone_and_comes_back_to_it(
    redis: RedisServer, throttle: Callable[[str], Throttle]
) -> None:
    one = throttle(redis.url)
    assert await one.wait(RATE, "links", "a") == 0
    redis.kill()
    assert [await one.wait(RATE, "links", "a") for _ in range(3)] == [0, 0, 0]
    assert await one.wait(RATE, "links", "a") > 0
    redis.start()
    assert await one.wait(RATE, "links", "b") == 0


async def test_without_its_redis_a_process_counts_alone(throttle: Callable[[str], Throttle]) -> None:
    alone = throttle(f"redis://127.0.0.1:{free_port()}/0")
    assert [await alone.wait(RATE, "links", "a") for _ in range(3)] == [0, 0, 0]
    assert await alone.wait(RATE, "links", "a") > 0
