"""The product as it runs in production: several processes of each kind under a supervisor, on one PostgreSQL and one Redis.

    async with fleet(folder, telegram, smtp_url) as running:
        await running.processes["bot0"].kill_and_start()
        await running.restart_redis()

Lives here: starting, killing, looking in from outside. Must not live here: people (`crowd.py`) or what a test expects.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from akses.keyring import Keyring
from tests.chaos.balancer import Balancer, Pool
from tests.fakes.bot_api import FakeBotApi
from tests.product import PATIENCE, ROOT
from tests.redis_servers import RedisServer, redis_server
from tests.services import free_port, fresh_database, postgres_cluster

ROLES = {"bot": 3, "web": 2, "worker": 2}
RESTART_SECONDS = 0.5  # what a supervisor waits before it starts a process again that has ended


class Supervised:
    """One process, started again whenever it ends. `ended` are its exit codes; `log` is of all its lives."""

    def __init__(self, name: str, port: int, environment: dict[str, str], folder: Path) -> None:
        self.name = name
        self.port = port
        self.ended: list[int] = []
        self.kills = 0
        self._command = (sys.executable, "-m", "akses", name.rstrip("0123456789"))
        self._environment = environment | {"PORT": str(port)}
        self.log_file = folder / f"{name}.log"
        self._process: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._keeping = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            with self.log_file.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command, cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            self.ended.append(await self._process.wait())
            await asyncio.sleep(RESTART_SECONDS)

    def kill(self) -> None:
        """As kill -9 or a machine that is gone; its supervisor starts it again."""
        assert self._process is not None
        self.kills += 1
        with contextlib.suppress(ProcessLookupError):  # its supervisor is about to start it anew
            self._process.kill()

    async def stop(self) -> None:
        """Kill it for good."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def ready(self) -> None:
        """Wait until it says that it can do its work."""
        async with asyncio.timeout(PATIENCE):
            while True:
                if await self._says_ready():
                    return
                await asyncio.sleep(0.05)

    async def _says_ready(self) -> bool:
        try:
            async with asyncio.timeout(3):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                try:
                    writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    return b" 200 " in await reader.readline()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False

    @property
    def log(self) -> str:
        return self.log_file.read_text("utf-8", "replace")


@dataclass
class Fleet:
    processes: dict[str, Supervised]
    balancer: Balancer
    redis: RedisServer
    database_url: str
    keyring: Keyring

    @property
    def url(self) -> str:
        """Where people's browsers, Telegram and the processes themselves reach it."""
        return self.balancer.url

    async def restart_redis(self) -> None:
        """kill -9, and started again on the same append-only file."""
        await asyncio.to_thread(self.redis.kill)
        await asyncio.to_thread(self.redis.start)

    async def ready(self) -> None:
        await asyncio.gather(*(process.ready() for process in self.processes.values()))

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query of the accounts database gives."""
        async with await psycopg.AsyncConnection.connect(self.database_url) as connection:
            return await (await connection.execute(query)).fetchall()

    async def written(self) -> list[Path]:
        """Every file in which a person's data must not be readable: all logs, and what Redis keeps."""
        ((data,),) = await self.rows("SHOW data_directory")
        kept = [file for file in self.redis.folder.rglob("*") if file.is_file()]
        return [*(process.log_file for process in self.processes.values()), Path(data).parent / "log", *kept]


@asynccontextmanager
async def fleet(folder: Path, telegram: FakeBotApi, smtp_url: str) -> AsyncIterator[Fleet]:
    """Everything started and ready; all of it gone afterwards."""
    async with AsyncExitStack() as stack:
        cluster = stack.enter_context(postgres_cluster())
        database_url = stack.enter_context(fresh_database(cluster, "fleet"))
        redis = stack.enter_context(redis_server())
        ports = {f"{role}{n}": free_port() for role, many in ROLES.items() for n in range(many)}
        pools = {role: Pool([port for name, port in ports.items() if name.startswith(role)]) for role in ("bot", "web")}
        paths = {"/telegram/": pools["bot"], "/status/": pools["bot"], "/chat": pools["bot"], "/": pools["web"]}
        balancer = await stack.enter_async_context(Balancer(paths))
        keys = Keyring.generate()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "HOST": "127.0.0.1",
            "LOG_FORMAT": "json",
            "OPERATOR_NAME": "PT Uji Ketahanan",
            "DATABASE_URL": database_url,
            "REDIS_URL": redis.url,
            "SMTP_URL": smtp_url,
            "PUBLIC_URL": balancer.url,
            "BACKEND_URL": balancer.url,
            "STATUS_WEBHOOK_URL": f"{balancer.url}/status/webhook",
            "ENCRYPTION_KEYS": keys,
            "BACKEND_API_KEY": "k" * 32,
            "STATUS_WEBHOOK_SECRET": "whsec_" + base64.b64encode(b"w" * 32).decode(),
            "MAILS_PER_HOUR": "100000",
            "TELEGRAM_BOT_TOKEN": telegram.token,
            "TELEGRAM_API_BASE": telegram.base_url,
            "TELEGRAM_MODE": "webhook",
            "TELEGRAM_WEBHOOK_SECRET": "t" * 32,
        }
        release = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "akses", "migrate", cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
        )
        assert await release.wait() == 0
        processes = {name: Supervised(name, port, environment, folder) for name, port in ports.items()}
        for process in processes.values():
            stack.push_async_callback(process.stop)
            process.start()
        running = Fleet(processes, balancer, redis, database_url, Keyring.parse(keys))
        await running.ready()
        yield running
