"""Processes of a run, each pinned to its core: Redis, the driver, the target; and what the kernel and Redis say that they used.

Lives here: starting, ending and reading processes. Must not live here: what is asked of them (`runs.py`). Core 0 is the target's alone;
everything else runs on core 1. A machine with one core runs unpinned, and its figures say little.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import redis

from benchmarks.targets import PYTHON, ROOT, SECRET, Target

PINNED: Final = len(os.sched_getaffinity(0)) > 1
TICKS: Final = os.sysconf("SC_CLK_TCK")
CORES: Final = sorted(os.sched_getaffinity(0))
TARGET_CORE: Final = CORES[0]
LOAD_CORE: Final = CORES[1] if PINNED else CORES[0]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pin(pid: int, core: int) -> None:
    if PINNED:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of the children that it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(fields[at]) for at in (11, 12, 13, 14)) / TICKS


def resident_mib(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


class Redis:
    """One Redis without a trace on the disk, or with an AOF synced every second."""

    def __init__(self, folder: Path, *, aof: bool) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        options = {
            "port": self.port,
            "bind": "127.0.0.1",
            "dir": folder,
            "save": "",
            "appendonly": "yes" if aof else "no",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self.process = subprocess.Popen(["redis-server", *words], stdout=subprocess.DEVNULL)
        pin(self.process.pid, LOAD_CORE)
        self.client = redis.Redis(port=self.port)
        for _ in range(1000):
            with contextlib.suppress(redis.RedisError):
                self.client.ping()
                break
            time.sleep(0.01)

    def used(self) -> dict[str, float]:
        """Counters that only grow: commands without those of the server's own care, socket writes, CPU seconds."""
        stats = self.client.info("commandstats")
        ours = {"cmdstat_info", "cmdstat_ping", "cmdstat_config|get", "cmdstat_flushall"}
        commands = {name.removeprefix("cmdstat_"): int(stat["calls"]) for name, stat in stats.items() if name not in ours}
        inside = sum(count for name, count in commands.items() if name in INSIDE_SCRIPTS)
        return {
            "commands": sum(commands.values()),
            "inside": inside,
            "writes": self.client.info("stats")["total_writes_processed"],
            "cpu": cpu_seconds(self.process.pid),
        }

    def memory(self) -> dict[str, int]:
        """Bytes: what all keys take by MEMORY USAGE, what Redis says it uses, and how many keys there are."""
        keys = 0
        total = 0
        pipe = self.client.pipeline(transaction=False)
        for key in self.client.scan_iter(count=5000):
            pipe.memory_usage(key, samples=0)
            keys += 1
            if keys % 5000 == 0:
                total += sum(size or 0 for size in pipe.execute())
        total += sum(size or 0 for size in pipe.execute())
        return {"keys": keys, "usage": total, "used": self.client.info("memory")["used_memory"]}

    def flush(self) -> None:
        self.client.flushall()
        self.client.script_flush()

    def end(self) -> None:
        self.client.close()
        self.process.kill()
        self.process.wait()


# Commands that only our scripts call; Redis counts them although no client sent them.
INSIDE_SCRIPTS: Final = frozenset({"getrange", "set", "hvals", "hset", "zadd", "pexpire", "hdel", "zrem", "zrangebyscore"})


@contextlib.contextmanager
def migrated_database(env: Mapping[str, str]) -> Iterator[str]:
    """The URL of an empty database of our own schema, on a PostgreSQL of its own on the load's core."""
    from tests.services import fresh_database, postgres_cluster

    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {LOAD_CORE})  # the server inherits it
    with postgres_cluster() as cluster, fresh_database(cluster, "bench") as url:
        os.sched_setaffinity(0, before)
        subprocess.run(
            [PYTHON, "-m", "akses", "migrate"], cwd=ROOT, env={**env, "DATABASE_URL": url}, check=True, stdout=sys.stderr
        )
        yield url


class Driver:
    """The load driver, obeying line by line."""

    def __init__(self) -> None:
        core = (str(LOAD_CORE),) if PINNED else ()
        self.process = subprocess.Popen(
            [PYTHON, "-m", "benchmarks.driver", *core], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.port: int = self._told()["port"]

    def _told(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the load driver has died; its last words are above")
        told: dict[str, Any] = json.loads(line)
        return told

    def do(self, what: str, **order: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": what, **order}) + "\n")
        self.process.stdin.flush()
        return self._told()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def started(
    target: Target, driver: Driver, redis_url: str, last: str, prefix: tuple[str, ...] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """The target, listening and known to Telegram, on its core."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="akses-bench-") as folder:
        log = Path(folder) / "log"
        env = target.environment(port=port, api=driver.port, redis=redis_url, data_dir=Path(folder))
        with log.open("wb") as out:
            process = subprocess.Popen([PYTHON, *prefix, *target.command], cwd=ROOT, env=env, stdout=out, stderr=out)
        try:
            pin(process.pid, TARGET_CORE)
            driver.do("target", port=port, secret=SECRET, last=last, way=target.way)
            _listening(process, port, log)
            if not driver.do("ready")["ready"]:
                raise RuntimeError(f"the target does not make itself known:\n{log.read_text(errors='replace')[-3000:]}")
            pin(process.pid, TARGET_CORE)
            yield process
        finally:
            process.terminate()
            with contextlib.suppress(OSError, RuntimeError):  # a driver that has died has said so already
                driver.do("forget")
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            words = log.read_text(errors="replace")
            if process.returncode not in (0, -15) or "rror" in words or "Traceback" in words:
                print(
                    f"--- {target.name} ended with {process.returncode}; the end of what it said:\n{words[-3000:]}", flush=True
                )


def _listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError(f"the target ended with {process.returncode}:\n{log.read_text(errors='replace')[-3000:]}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("the target does not listen")


def machine(client: redis.Redis) -> str:
    """One line about where this was measured."""
    import platform

    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    version = client.info("server")["redis_version"]
    return f"{os.cpu_count()} cores ({model}), Linux, Python {platform.python_version()}, Redis {version}"


# A thousand connections and what a target adds to them; children inherit this.
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
assert shutil.which("redis-server"), "redis-server is missing; ./run test installs it"
