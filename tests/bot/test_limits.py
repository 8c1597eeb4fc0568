"""The limiter: never faster than its rates, first come first served, answers before notifications; in virtual time, and on real Redis."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.limits import Limiter, Limits, LocalBuckets, Rate, Wait
from bot.redis_limits import RedisBuckets
from bot.redis_link import RedisLink
from bot.redis_pipe import RedisPipe
from tests.virtual_time import run

LIMITS = Limits(whole=Rate(10, 3, reserve=2), chat=Rate(1, 2))


@dataclass(frozen=True)
class Asked:
    """Somebody who asks for a place `pause` seconds after the one before."""

    pause: float
    chat: int
    urgent: bool


@dataclass(frozen=True)
class Placed:
    number: int
    asked: Asked
    at: float
    wait: float


async def everybody(asked: Sequence[Asked]) -> list[Placed]:
    """What became of each, in the order in which they learned it."""
    limiter = Limiter(LocalBuckets(LIMITS))
    loop, placed = asyncio.get_running_loop(), list[Placed]()

    async def ask(number: int, one: Asked) -> None:
        wait = await limiter.place(str(one.chat), urgent=one.urgent)
        placed.append(Placed(number, one, loop.time(), wait))

    async with asyncio.TaskGroup() as group:
        for number, one in enumerate(asked):
            await asyncio.sleep(one.pause)
            group.create_task(ask(number, one))
    return placed


def most_in_any(seconds: float, times: Sequence[float]) -> int:
    return max((sum(first <= each < first + seconds for each in times) for first in times), default=0)


askers = st.lists(
    st.builds(Asked, st.sampled_from((0.0, 0.0, 0.0, 0.01, 0.4, 2.5)), st.integers(0, 5), st.booleans()), max_size=80
)


@settings(max_examples=150, deadline=None)
@given(askers)
def test_no_window_of_any_length_holds_more_than_the_rate_allows(asked: list[Asked]) -> None:
    went = [each for each in run(everybody(asked)) if each.wait == 0]
    times = [each.at for each in went]
    for seconds in (0.1, 0.5, 1.0, 3.0, 10.0):
        assert most_in_any(seconds, times) <= LIMITS.whole.burst + LIMITS.whole.per_second * seconds
        for chat in range(6):
            mine = [each.at for each in went if each.asked.chat == chat]
            assert most_in_any(seconds, mine) <= LIMITS.chat.burst + LIMITS.chat.per_second * seconds


@settings(max_examples=150, deadline=None)
@given(askers)
def test_everybody_gets_a_place_in_the_order_of_coming_or_a_time_to_come_again(asked: list[Asked]) -> None:
    placed = run(everybody(asked))
    assert sorted(each.number for each in placed) == list(range(len(asked)))
    assert all(each.wait >= 0 for each in placed)
    for chat in range(6):
        for urgent in (True, False):
            went = [p.number for p in placed if p.wait == 0 and (p.asked.chat, p.asked.urgent) == (chat, urgent)]
            assert went == sorted(went)


def test_one_chat_at_its_limit_holds_up_nobody_else() -> None:
    placed = run(everybody([Asked(0, 1, False)] * 3 + [Asked(0, 2, False)]))
    assert [each.number for each in placed] == [0, 1, 3, 2]


def test_an_answer_goes_before_all_notifications_that_wait() -> None:
    notifications = [Asked(0, 100 + n, False) for n in range(25)]
    placed = run(everybody([*notifications, Asked(0.25, 1, True)]))
    before = [each for each in placed if each.number < 25 and each.at < next(p.at for p in placed if p.asked.urgent)]
    assert len(before) <= 4, "what had gone when the answer came, and nothing after"


def test_in_another_process_an_answer_finds_a_place_while_notifications_use_all_they_may() -> None:
    async def story() -> None:
        shared = LocalBuckets(LIMITS)
        for n in range(2):
            wait = await shared.take(str(n), urgent=False)
        assert wait is not None
        assert await shared.take("9", urgent=True) is None

    run(story())


def test_those_who_are_sent_away_are_given_times_apart() -> None:
    placed = run(everybody([Asked(0, n, False) for n in range(100)]))
    sent_away = sorted(each.at + each.wait for each in placed if each.wait)
    assert len(sent_away) > 50
    assert all(later - earlier > LIMITS.whole.interval * 0.99 for earlier, later in itertools.pairwise(sent_away))


def test_a_flood_error_closes_the_chat_and_a_second_one_everything() -> None:
    async def story() -> None:
        limiter = Limiter(LocalBuckets(LIMITS))
        assert not await limiter.flooded("1", 30)
        assert 29 < await limiter.place("1", urgent=True) <= 30
        assert await limiter.place("2", urgent=True) == 0
        assert await limiter.flooded("2", 20)
        assert await limiter.place("3", urgent=True) > 19
        await asyncio.sleep(31)
        assert await limiter.place("1", urgent=True) == 0
        await asyncio.sleep(10)
        assert not await limiter.flooded("4", 30), "long after the first, it is one chat's again"

    run(story())


def test_who_stops_waiting_takes_no_place() -> None:
    async def story() -> None:
        limiter = Limiter(LocalBuckets(Limits(whole=Rate(1, 1), chat=Rate(1, 9))))
        assert await limiter.place("1", urgent=False) == 0
        waiting = asyncio.create_task(limiter.place("2", urgent=False))
        await asyncio.sleep(0)
        waiting.cancel()
        start = asyncio.get_running_loop().time()
        assert await limiter.place("3", urgent=False) == 0
        assert asyncio.get_running_loop().time() - start < 1.01

    run(story())


def test_nobody_waits_for_ever_when_counting_breaks() -> None:
    class Broken(LocalBuckets):
        async def take(self, chat: str, *, urgent: bool) -> Wait | None:
            raise RuntimeError("a defect")

    async def story() -> list[float]:
        limiter = Limiter(Broken(LIMITS))
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        return await asyncio.gather(*(limiter.place(str(n), urgent=False) for n in range(3)))

    assert all(wait > 0 for wait in run(story()))


# --- on Redis


@pytest.fixture(params=["redis_url", "cluster_url"])
async def link(request: pytest.FixtureRequest) -> AsyncIterator[RedisLink]:
    url: str = request.getfixturevalue(request.param)
    made = await RedisLink.open(url)
    yield made
    await made.close()


SLOW = Limits(whole=Rate(0.02, 3, reserve=2), chat=Rate(0.01, 2))  # so slow that no test lives to see a place come free


async def test_processes_that_share_a_redis_share_the_rates(link: RedisLink) -> None:
    first, second = RedisBuckets(link, "a", SLOW), RedisBuckets(link, "a", SLOW)
    assert await first.take("1", urgent=True) is None
    assert await second.take("1", urgent=True) is None
    in_chat = await second.take("1", urgent=True)
    assert in_chat is not None
    assert in_chat.chat
    assert 0 < in_chat.seconds <= 100
    assert await first.take("2", urgent=True) is None
    everywhere = await second.take("3", urgent=True)
    assert everywhere is not None
    assert not everywhere.chat
    assert await RedisBuckets(link, "b", SLOW).take("1", urgent=True) is None, "another bot has its own"


async def test_notifications_leave_room_for_answers_between_processes_too(link: RedisLink) -> None:
    first, second = RedisBuckets(link, "c", SLOW), RedisBuckets(link, "c", SLOW)
    assert await first.take("1", urgent=False) is None
    refused = await second.take("2", urgent=False)
    assert isinstance(refused, Wait)
    assert await second.take("2", urgent=True) is None


async def test_a_pause_holds_in_every_process(link: RedisLink) -> None:
    first, second = RedisBuckets(link, "d", Limits()), RedisBuckets(link, "d", Limits())
    await first.close_for("1", 30)
    wait = await second.take("1", urgent=True)
    assert wait is not None
    assert wait.chat
    assert 29 < wait.seconds <= 31
    assert await second.take("2", urgent=True) is None
    await first.close_for(None, 20)
    wait = await second.take("2", urgent=True)
    assert wait is not None
    assert not wait.chat
    assert 19 < wait.seconds <= 21


async def test_nothing_is_kept_longer_than_it_matters(redis_url: str) -> None:
    link = await RedisLink.open(redis_url)
    await RedisBuckets(link, "e", SLOW).take("1", urgent=False)
    with redis.Redis.from_url(redis_url) as client:
        assert 0 < client.pttl("akses:{limit:e}") <= 50_001
        assert 0 < client.pttl("akses:{limit:e}:1") <= 100_001
    await link.close()


async def test_a_process_without_redis_counts_for_itself() -> None:
    link = RedisLink(RedisPipe("redis://127.0.0.1:1/0", timeout=0.2))
    buckets = RedisBuckets(link, "f", SLOW)
    assert [await buckets.take(str(n), urgent=True) is None for n in range(4)] == [True, True, True, False]
    await link.close()
