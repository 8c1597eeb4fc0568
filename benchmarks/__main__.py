"""`./run bench`: our bot beside its peers, interleaved, and the tables.

  ./run bench                       everything, three repeats (some ten minutes)
  ./run bench --repeats 7 --write   for docs/performance.md
  ./run bench --only akses,aiogram-reply --no-growth --no-parts
  ./run bench --profile             where our process spends its time under load
  ./run bench whatsapp              a turn in WhatsApp (benchmarks/whatsapp.py)
  ./run bench desk                  from a person's message to the agents' screens (benchmarks/desk.py)

Lives here: options and the order of a run. Must not live here: a measurement or a table.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import desk, micro, report, whatsapp
from benchmarks.growth import Decade, decades
from benchmarks.runs import Plan, Result, measured
from benchmarks.servers import Driver, Redis, machine, migrated_database, started
from benchmarks.targets import ALL, OURS, Target


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run bench", description="What a turn costs, beside the peers.")
    parser.add_argument("--repeats", type=int, default=3, help="rounds through all targets (3)")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each measured phase (5)")
    parser.add_argument("--only", default=",".join(ALL), help="targets, by comma: " + " ".join(ALL))
    parser.add_argument("--users", type=int, default=0, help="users at once when saturated; each target's best when left out")
    parser.add_argument("--last", choices=("back", "activate"), default="back",
                        help="the eighth turn: to the menu (a plain turn), or the hand-off to the backend")  # fmt: skip
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that the Bot API takes for each call (0)")
    parser.add_argument("--aof", action="store_true", help="Redis with its AOF synced every second")
    parser.add_argument("--growth", type=int, default=1_000_000, metavar="N", help="open dialogs of the last decade (1000000)")
    parser.add_argument("--no-growth", action="store_true")
    parser.add_argument("--no-parts", action="store_true")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    parser.add_argument(
        "--profile", nargs="?", const="samples", choices=("samples", "calls"), help="profile one target instead"
    )
    return parser.parse_args()


def main() -> None:
    if sys.argv[1:2] == ["desk"]:
        desk.main(sys.argv[2:])
        return
    if sys.argv[1:2] == ["whatsapp"]:
        whatsapp.main(sys.argv[2:])
        return
    chosen = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    with tempfile.TemporaryDirectory(prefix="akses-bench-redis-") as folder:
        redis = Redis(Path(folder), aof=chosen.aof)
        driver = Driver()
        try:
            if chosen.profile:
                profile(chosen, driver, redis)
            else:
                run(chosen, driver, redis)
        finally:
            driver.end()
            redis.end()


def run(chosen: argparse.Namespace, driver: Driver, redis: Redis) -> None:
    with contextlib.ExitStack() as stack:
        compare(chosen, driver, redis, stack)


def chosen_targets(chosen: argparse.Namespace, redis: Redis, stack: contextlib.ExitStack) -> dict[str, Target]:
    """By name; a PostgreSQL is started where one of them needs it."""
    targets = {name: target for name, target in ALL.items() if name in chosen.only.split(",")}
    for name, target in targets.items():
        if target.database:
            with tempfile.TemporaryDirectory(prefix="akses-bench-") as folder:
                env = target.environment(port=0, api=0, redis=redis.url, data_dir=Path(folder))
                targets[name] = target.with_database(stack.enter_context(migrated_database(env)))
    return targets


def compare(chosen: argparse.Namespace, driver: Driver, redis: Redis, stack: contextlib.ExitStack) -> None:
    targets = chosen_targets(chosen, redis, stack)
    names = list(targets)
    plan = Plan(seconds=chosen.seconds, half_seconds=chosen.seconds, last=chosen.last, delay=chosen.delay, users=chosen.users)
    repeats: list[dict[str, Result]] = []
    for number in range(chosen.repeats):
        # Each round in another order, so that nobody always comes after the same neighbour.
        order = names[number % len(names) :] + names[: number % len(names)]
        results = {}
        for name in order:
            results[name] = result = measured(targets[name], driver, redis, plan)
            told = f"{result.rate:,.0f} turns/s, {result.cpu:,.0f} µs a turn, p99 {result.p99:.1f} ms {result.errors or ''}"
            note(f"{number + 1}/{chosen.repeats} {name}: {told}")
        repeats.append({name: results[name] for name in names})
    begun = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    how = (
        f"{chosen.repeats} interleaved repeats, {begun}; the eighth turn is "
        f"{'a plain one' if chosen.last == 'back' else 'the hand-off to the backend'}; the Bot API takes {chosen.delay * 1000:.0f} ms; "
        f"Redis {'with AOF everysec' if chosen.aof else 'without persistence'}."
    )
    blocks = [f"{machine(redis.client)}. {how}", report.compared(repeats)]
    if OURS.name in names:
        if not all(ALL[name].ours for name in names):
            blocks.append(report.ratios(repeats))
        blocks.append(report.by_turn(repeats))
        if not chosen.no_growth:
            found: list[Decade] = []
            for decade in decades(driver, redis, most=chosen.growth):
                note(f"{decade.dialogs:,} dialogs: {decade.usage:.0f} bytes, p99 {decade.p99:.1f} ms")
                found.append(decade)
            blocks.append(report.grown(found))
        if not chosen.no_parts:
            redis.flush()
            blocks.append(report.parts(micro.run(redis.url)))
    text = "\n\n".join(blocks)
    print(text)
    if chosen.write:
        report.write(text)


def profile(chosen: argparse.Namespace, driver: Driver, redis: Redis) -> None:
    """One target under saturation, and where it was."""
    stack = contextlib.ExitStack()
    target = next(iter(chosen_targets(chosen, redis, stack).values()))
    with stack, tempfile.NamedTemporaryFile(prefix="akses-profile-") as out:
        watched = dataclasses.replace(
            target,
            command=("-m", "benchmarks.profiled", *target.command[1:]),
            env={**target.env, "PROFILE_OUT": out.name, "PROFILE_HOW": chosen.profile},
        )
        with started(watched, driver, redis.url, chosen.last) as process:
            driver.do("closed", users=chosen.users or target.users)
            time.sleep(2)
            os.kill(process.pid, signal.SIGUSR1)
            driver.do("mark")
            time.sleep(max(chosen.seconds, 10))
            told = driver.do("read")
            os.kill(process.pid, signal.SIGUSR2)
            time.sleep(1)
            driver.do("stop")
        print(f"{target.title}: {told['turns'] / told['seconds']:,.0f} turns/s while watched\n{Path(out.name).read_text()}")


def note(text: str) -> None:
    print(f"[bench] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
