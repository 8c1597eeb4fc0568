"""`./run bench whatsapp`: what a turn costs in WhatsApp, beside the same in Telegram, at a rate that Meta lets a number have.

Lives here: the two runs and their table. Must not live here: measuring (`runs.py`). In WhatsApp no answer can travel in the webhook's
response: each is a call of the Graph API, each message of a person is marked as read by another, and who is who is looked up. What Meta
tells of each message afterwards (sent, delivered, read) is not in it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.report import table
from benchmarks.runs import window
from benchmarks.servers import Driver, Redis, cpu_seconds, machine, started
from benchmarks.targets import OURS, OURS_IN_WHATSAPP, Target

USERS = 64  # at once; each walks all turns


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="./run bench whatsapp", description="What a turn costs in WhatsApp.")
    parser.add_argument("--rate", type=float, default=30.0, help="turns a second (30); we send at most 60 messages a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each measured phase (20)")
    parser.add_argument("--repeats", type=int, default=3, help="rounds through both channels (3)")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="akses-bench-redis-") as folder:
        redis, driver = Redis(Path(folder), aof=False), Driver()
        try:
            rows = [
                measured(target, driver, redis, chosen.rate, chosen.seconds)
                for _ in range(chosen.repeats)
                for target in (OURS_IN_WHATSAPP, OURS)
            ]
            heads = ("", "turns/s", "CPU µs a turn", "p50 ms", "p95 ms", "p99 ms", "Redis commands", "outbound calls", "errors")
            print(f"{machine(redis.client)}.\n\n{table(heads, rows)}")
        finally:
            driver.end()
            redis.end()


def measured(target: Target, driver: Driver, redis: Redis, rate: float, seconds: float) -> list[str]:
    """A row of the table."""
    redis.flush()
    with started(target, driver, redis.url, "back") as process:
        driver.do("connect", users=USERS)
        driver.do("open", rate=rate)
        time.sleep(2)
        cpu = cpu_seconds(process.pid)
        told, used = window(driver, redis, seconds)
        cpu = cpu_seconds(process.pid) - cpu
        driver.do("stop")
    turns = told["turns"] or 1
    figures = (turns / told["seconds"], cpu / turns * 1e6, told["p50"], told["p95"], told["p99"])
    calls = sum(told["calls"].values()) / turns
    counts = (f"{(used['commands'] - used['inside']) / turns:.1f}", f"{calls:.2f}", str(told["errors"] or told["missed"] or 0))
    return [target.title, *(f"{figure:,.1f}" for figure in figures), *counts]
