"""Whether a dialog costs the same however many are open: real dialogs written by the thousand, then turns in ones chosen by chance.

Lives here: filling Redis and looking at each decade. Must not live here: the load itself (`driver.py`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from akses.keyring import Keyring
from benchmarks import micro
from benchmarks.servers import Driver, Redis, cpu_seconds, started
from benchmarks.targets import KEYS, OURS
from bot.redis_link import shard
from bot.sessions import Memory, Sessions
from bot.stores.port import timer_key
from bot.turns import KEEP_SECONDS
from dialogs.reminders import FIRST_LOOK, TIMER
from dialogs.session import Session

FIRST_CHAT = 7_000_000_000
RATE = 200.0  # turns a second at each decade: far from saturation, so that the time of a turn is what is seen


@dataclass(frozen=True)
class Decade:
    dialogs: int
    usage: float
    used: float
    p50: float
    p95: float
    p99: float
    cpu: float
    redis_cpu: float
    errors: int


def decades(driver: Driver, redis: Redis, *, most: int, seconds: float = 4.0, budget: float = 900.0) -> Iterator[Decade]:
    """Each power of ten from a thousand to `most`; stops early where filling would go over `budget` seconds."""
    begun = time.monotonic()
    redis.flush()
    driver.do("delay", seconds=0)
    with started(OURS, driver, redis.url, "back") as process:
        driver.do("connect", users=128)
        empty = redis.client.info("memory")["used_memory"]
        have, size = 0, 1000
        while size <= most and time.monotonic() - begun < budget:
            fill(redis, have, size)
            have = size
            driver.do("between", rate=RATE, first=FIRST_CHAT, count=size)
            time.sleep(1.0)
            used, cpu = redis.used(), cpu_seconds(process.pid)
            driver.do("mark")
            time.sleep(seconds)
            told = driver.do("read")
            after, cpu_after = redis.used(), cpu_seconds(process.pid)
            driver.do("stop")
            memory = redis.memory()
            turns = told["turns"] or 1
            yield Decade(
                size,
                memory["usage"] / size,
                (memory["used"] - empty) / size,
                told["p50"],
                told["p95"],
                told["p99"],
                (cpu_after - cpu) / turns * 1e6,
                (after["cpu"] - used["cpu"]) / turns * 1e6,
                sum(told["errors"].values()),
            )
            size *= 10


def fill(redis: Redis, have: int, want: int) -> None:
    """Dialogs at their summary, sealed as the product seals them, from number `have` to `want`."""
    sessions = Sessions(Keyring.parse(KEYS))
    session: Session = micro.events()[-2][3].session
    memory = Memory(session)
    for number in range(7):
        memory = memory.with_event(str(100_000_000 + number), session)
    revision = 7
    head = revision.to_bytes(4)
    keep, later = int(KEEP_SECONDS * 1000), time.time() + FIRST_LOOK.total_seconds()
    pipe = redis.client.pipeline(transaction=False)
    for number in range(have, want):
        name = f"telegram:{FIRST_CHAT + number}"
        pipe.set(f"{shard(name)}:c:{name}", head + sessions.write(name, revision, memory), px=keep)
        pipe.zadd(f"{shard(name)}:due", {f"{name} {timer_key(TIMER)}": later + number / 100})
        if number % 2000 == 1999:
            pipe.execute()
    pipe.execute()
