"""One target measured once: alone, saturated, at half of that, and what its open dialogs weigh.

Lives here: the order of what is asked and what is made of the counters. Must not live here: processes (`servers.py`) or tables
(`report.py`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from benchmarks.servers import Driver, Redis, cpu_seconds, resident_mib, started
from benchmarks.targets import Target

HALF_USERS = 400


@dataclass
class Result:
    """One repeat of one target. Times in ms, CPU in microseconds a turn."""

    name: str
    rate: float = 0
    cpu: float = 0
    busy: float = 0
    redis_cpu: float = 0
    driver_busy: float = 0
    closed_p50: float = 0
    closed_p99: float = 0
    half_rate: float = 0
    p50: float = 0
    p95: float = 0
    p99: float = 0
    commands: float = 0
    trips: float = 0
    calls: float = 0
    solo_p50: float = 0
    bytes_usage: float = 0
    bytes_used: float = 0
    rss: float = 0
    errors: dict[str, int] = field(default_factory=dict)
    by_turn: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """How long each phase takes (seconds), and what is walked."""

    warm: float = 2.0
    seconds: float = 5.0
    half_seconds: float = 5.0
    solo_seconds: float = 1.5
    dialogs: int = 500
    last: str = "back"
    delay: float = 0.0
    users: int = 0


def measured(target: Target, driver: Driver, redis: Redis, plan: Plan) -> Result:
    """One repeat."""
    redis.flush()
    driver.do("delay", seconds=plan.delay)
    users = plan.users or target.users
    result = Result(target.name)
    with started(target, driver, redis.url, plan.last) as process:
        # Alone: one person at a time, so that what a turn needs can be counted.
        driver.do("closed", users=1)
        time.sleep(0.5)
        told, used = window(driver, redis, plan.solo_seconds)
        turns = told["turns"] or 1
        result.commands = (used["commands"] - used["inside"] if target.ours else used["commands"]) / turns
        result.trips = used["writes"] / turns
        result.calls = sum(told["calls"].values()) / turns
        result.solo_p50 = told["p50"]
        result.by_turn = told["by_turn"]
        _errors(result, told)
        driver.do("stop")
        # Saturated.
        driver.do("closed", users=users)
        time.sleep(plan.warm)
        before = cpu_seconds(process.pid)
        told, used = window(driver, redis, plan.seconds)
        cpu = cpu_seconds(process.pid) - before
        turns = told["turns"] or 1
        result.rate = told["turns"] / told["seconds"]
        result.cpu = cpu / turns * 1e6
        result.busy = cpu / told["seconds"]
        result.redis_cpu = used["cpu"] / turns * 1e6
        result.driver_busy = told["driver_cpu"]
        result.closed_p50, result.closed_p99 = told["p50"], told["p99"]
        _errors(result, told)
        driver.do("stop")
        # Half of that, at random moments.
        if plan.half_seconds:
            driver.do("connect", users=max(users, HALF_USERS))
            driver.do("open", rate=result.rate / 2)
            time.sleep(min(plan.warm, 1.0))
            told, _ = window(driver, redis, plan.half_seconds)
            result.half_rate = told["turns"] / told["seconds"]
            result.p50, result.p95, result.p99 = told["p50"], told["p95"], told["p99"]
            _errors(result, told)
            if told["missed"]:
                result.errors["nobody free"] = result.errors.get("nobody free", 0) + told["missed"]
            driver.do("stop")
        result.rss = resident_mib(process.pid)
        if plan.dialogs and target.name != "ptb":
            redis.client.flushall()  # scripts stay known
            before_bytes = redis.memory()["used"]
            opened = driver.do("dialogs", count=plan.dialogs, users=min(users, 50))["opened"]
            memory = redis.memory()
            result.bytes_usage = memory["usage"] / opened
            result.bytes_used = (memory["used"] - before_bytes) / opened
    return result


def window(driver: Driver, redis: Redis, seconds: float) -> tuple[dict[str, Any], dict[str, float]]:
    before = redis.used()
    driver.do("mark")
    time.sleep(seconds)
    told = driver.do("read")
    after = redis.used()
    # Both looks at Redis are commands of our own, two socket writes each.
    used = {name: after[name] - before[name] for name in after}
    used["writes"] -= 2
    return told, used


def _errors(result: Result, told: dict[str, Any]) -> None:
    for what, count in told["errors"].items():
        result.errors[what] = result.errors.get(what, 0) + count
