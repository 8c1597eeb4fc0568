"""The one connection to Redis: order, loss, silence, and what becomes of those who wait; on a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError

from bot.redis_pipe import RedisPipe
from tests.redis_servers import free_port, redis_server


@pytest.fixture
async def pipe(redis_url: str) -> AsyncIterator[RedisPipe]:
    redis.Redis.from_url(redis_url).flushall()
    made = RedisPipe(redis_url, timeout=0.3)
    yield made
    await made.aclose()


def kill_all(redis_url: str) -> None:
    admin = redis.Redis.from_url(redis_url)
    for client in admin.client_list():
        if int(client["id"]) != admin.client_id():
            admin.client_kill_filter(_id=client["id"])


async def test_everybody_gets_the_answer_to_their_own_question(pipe: RedisPipe) -> None:
    await asyncio.gather(*(pipe("SET", f"key{number}", number) for number in range(500)))
    answers = await asyncio.gather(*(pipe("GET", f"key{number}") for number in range(500)))
    assert answers == [str(number).encode() for number in range(500)]


async def test_what_is_asked_together_leaves_together(pipe: RedisPipe, redis_url: str) -> None:
    await pipe("PING")
    admin = redis.Redis.from_url(redis_url)
    before = admin.info("stats")["total_reads_processed"]
    await asyncio.gather(*(pipe("GET", "key") for _ in range(50)))
    # One read for the fifty, and one for the look at the figures itself.
    assert admin.info("stats")["total_reads_processed"] - before == 2


async def test_text_bytes_and_numbers_arrive_as_they_are(pipe: RedisPipe) -> None:
    await pipe("HSET", "hash", "text", "Siti Ñ", "bytes", b"\x00\xff", "whole", 12, "part", 1763870400.123456)
    assert await pipe("HMGET", "hash", "text", "bytes", "whole", "part") == [
        "Siti Ñ".encode(), b"\x00\xff", b"12", b"1763870400.123456",
    ]  # fmt: skip
    assert await pipe("GET", "nothing") is None


async def test_a_refusal_is_an_error_of_that_command_alone(pipe: RedisPipe) -> None:
    await pipe("SET", "word", "x")
    wrong, right, script = pipe("INCR", "word"), pipe("GET", "word"), pipe("EVALSHA", "0" * 40, 0)
    with pytest.raises(ResponseError):
        await wrong
    assert await right == b"x"
    with pytest.raises(NoScriptError):
        await script


async def test_a_lost_connection_fails_who_waits_and_the_next_command_connects_anew(pipe: RedisPipe, redis_url: str) -> None:
    await pipe("PING")
    waiting = pipe("BLPOP", "never", 0)
    await asyncio.sleep(0.05)
    await asyncio.to_thread(kill_all, redis_url)
    with pytest.raises(RedisConnectionError):
        await waiting
    assert await pipe("PING") == b"PONG"


async def test_silence_fails_who_waits_and_the_next_command_connects_anew(pipe: RedisPipe) -> None:
    await pipe("PING")
    waiting = [pipe("BLPOP", "never", 0), pipe("GET", "behind it")]
    for each in waiting:
        with pytest.raises(RedisConnectionError):
            await each
    assert await pipe("PING") == b"PONG"


async def test_who_gives_up_waiting_does_not_shift_the_answers_of_others(pipe: RedisPipe) -> None:
    await pipe("SET", "mine", "1")
    gone = pipe("GET", "mine")
    kept = pipe("STRLEN", "mine")
    gone.cancel()
    assert await kept == 1


async def test_a_redis_that_is_not_there_fails_all_at_once_and_one_that_comes_back_serves_again() -> None:
    port = free_port()
    pipe = RedisPipe(f"redis://127.0.0.1:{port}/0", timeout=0.3)
    outcomes = await asyncio.gather(*(pipe("PING") for _ in range(3)), return_exceptions=True)
    assert all(isinstance(outcome, RedisError) for outcome in outcomes)
    with redis_server(port=port):
        assert await pipe("PING") == b"PONG"
    with pytest.raises(RedisError):
        await pipe("PING")
    with redis_server(port=port):
        assert await pipe("PING") == b"PONG"
    await pipe.aclose()


async def test_a_password_and_a_database_are_taken_from_the_address(redis_url: str) -> None:
    admin = redis.Redis.from_url(redis_url)
    admin.acl_setuser("petugas", enabled=True, passwords=["+rahasia-sekali"], commands=["+@all"], keys=["*"])
    pipe = RedisPipe(redis_url.replace("redis://", "redis://petugas:rahasia-sekali@").removesuffix("/0") + "/3", timeout=1.0)
    await pipe("SET", "here", "3")
    assert b"user=petugas" in await pipe("CLIENT", "INFO")
    await pipe.aclose()
    assert admin.get("here") is None
    wrong = RedisPipe(redis_url.replace("redis://", "redis://petugas:salah@"), timeout=1.0)
    with pytest.raises(RedisError):
        await wrong("PING")
    await wrong.aclose()


async def test_a_closed_pipe_refuses(pipe: RedisPipe) -> None:
    await pipe.aclose()
    with pytest.raises(RedisConnectionError):
        await pipe("PING")
