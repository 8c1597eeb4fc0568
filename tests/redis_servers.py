"""Real Redis for tests: one node, or a cluster of three on loopback; started on free ports, ended by their own process ids."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis

SLOTS = 16384


class RedisServer:
    """One node with its data in a folder of its own, so that it can be killed and started again with what it had."""

    def __init__(self, folder: Path, port: int, *, cluster: bool = False) -> None:
        self.folder, self.port, self.cluster = folder, port, cluster
        self.url = f"redis://127.0.0.1:{port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = {
            "port": self.port,
            "bind": "127.0.0.1",
            "dir": self.folder,
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            "maxmemory-policy": "noeviction",
        }
        if self.cluster:
            options |= {
                "cluster-enabled": "yes",
                "cluster-config-file": f"nodes-{self.port}.conf",
                "cluster-node-timeout": 2000,
            }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self._process = subprocess.Popen(["redis-server", *words], stdout=subprocess.DEVNULL)
        client = redis.Redis(port=self.port)
        until = time.monotonic() + 20
        while True:
            try:
                client.ping()
                break
            except redis.RedisError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)
        client.close()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def redis_server(*, cluster: bool = False, port: int = 0) -> Iterator[RedisServer]:
    assert shutil.which("redis-server"), "redis-server is missing; ./run test installs it"
    with tempfile.TemporaryDirectory(prefix="akses-redis-") as folder:
        server = RedisServer(Path(folder), port or free_port(), cluster=cluster)
        server.start()
        try:
            yield server
        finally:
            server.kill()


def free_port() -> int:
    """A free port whose cluster-bus companion (10,000 above) is a valid port too."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port < 55_000:
            return port


@contextmanager
def redis_cluster(nodes: int = 3) -> Iterator[str]:
    """The URL of one node of a cluster that covers every slot."""
    with ExitStack() as stack:
        servers = [stack.enter_context(redis_server(cluster=True)) for _ in range(nodes)]
        clients = [redis.Redis(port=server.port, decode_responses=True) for server in servers]
        share = SLOTS // nodes
        for number, client in enumerate(clients):
            last = SLOTS if number == nodes - 1 else (number + 1) * share
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", number * share, last - 1)
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for server in servers[1:]:
            clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", server.port)
        until = time.monotonic() + 20
        while not all(_formed(client, nodes) for client in clients):
            assert time.monotonic() < until, "the cluster did not form"
            time.sleep(0.05)
        for client in clients:
            client.close()
        yield servers[0].url


def _formed(client: redis.Redis, nodes: int) -> bool:
    info = str(client.execute_command("CLUSTER", "INFO")).split()
    return "cluster_state:ok" in info and f"cluster_known_nodes:{nodes}" in info
