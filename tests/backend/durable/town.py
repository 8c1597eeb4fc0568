"""The product's processes under supervision, with a mail server and a webhook receiver that count what they get.

Lives here: starting, killing and counting. Must not live here: what must come of it (`test_kills.py`).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import sqlalchemy as sa
from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from akses.keyring import Keyring
from backend.database import Database
from backend.job_records import Stats
from backend.jobs import Jobs
from backend.links import EXPIRE
from backend.tables import events, links, mails, registrations
from tests.backend.stage import API_KEY, BODY, SECRET, Receiver, SmtpSink, parsed, served, stage_on, until
from tests.product import ROOT
from tests.services import free_port

# What a mail server takes to think; with it there is always a mail between "taken" and "recorded" when a process dies.
SMTP_SECONDS = 0.15
MINUTES = 600.0  # the longest wait for anything; the test has a shorter patience of its own
LANES = 10  # registrations that are sent at once


class Post(SmtpSink):
    """Counts mails by their Message-ID, and keeps what differs."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: Counter[str] = Counter()
        self.bytes: set[tuple[str, bytes]] = set()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        message, content = parsed(envelope)["Message-ID"], envelope.content
        assert isinstance(content, bytes)
        self.ids[message] += 1
        self.bytes.add((message, content))
        await asyncio.sleep(SMTP_SECONDS)
        return "250 taken"


class Ear(Receiver):
    """Counts events by type and webhook-id, and keeps what differs."""

    def __init__(self) -> None:
        super().__init__()
        self.counted: dict[str, Counter[str]] = {}
        self.bytes: set[tuple[str, bytes]] = set()

    async def take(self, request: Request) -> Response:
        try:
            answer = await super().take(request)
        except ClientDisconnect:  # whoever told it was killed in the middle
            return Response(status_code=400)
        hook = self.heard.pop()
        self.counted.setdefault(hook.event["type"], Counter())[hook.id] += 1
        self.bytes.add((hook.id, hook.body))
        return answer

    def ids(self, kind: str) -> Counter[str]:
        return self.counted.get(kind, Counter())


class Supervised:
    """A process that is started again whenever it ends, as a supervisor does."""

    def __init__(self, role: str, environment: dict[str, str], log: Path) -> None:
        self._command = [sys.executable, "-m", "akses", role]
        self._environment = environment
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self.ends: list[int] = []
        self.base = f"http://127.0.0.1:{environment['PORT']}"

    async def keep(self) -> None:
        with self._log.open("ab") as log:
            while True:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command, cwd=ROOT, env=self._environment, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
                )
                self.ends.append(await self._process.wait())

    @property
    def pid(self) -> int | None:
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    def kill(self) -> None:
        if self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)


@dataclass
class Town:
    """`http` speaks to the backend's API, with its key."""

    url: str
    post: Post
    ear: Ear
    http: httpx2.AsyncClient
    processes: list[Supervised]
    database: Database
    jobs: Jobs
    logs: list[Path]
    kills: int = 0
    posted: Counter[int] = field(default_factory=Counter)

    async def register(self, count: int) -> None:
        """So many registrations; each is sent until it was taken, as the bot does, under one key."""
        numbers = iter(range(count))

        async def lane() -> None:
            for number in numbers:
                await self._send(number)

        await asyncio.gather(*(lane() for _ in range(LANES)))

    async def _send(self, number: int) -> None:
        body = BODY | {
            "email": f"orang{number}@example.com",
            "nik": f"{3174095708900001 + number}",
            "reference": f"web:{number}",
        }
        while True:
            try:
                answer = await self.http.post(
                    "/api/v1/registrations", json=body, headers={"Idempotency-Key": f"registration-{number:06d}"}
                )
            except httpx2.TransportError:
                await asyncio.sleep(0.05)
                continue
            self.posted[answer.status_code] += 1
            if answer.status_code == 202:
                return
            assert answer.status_code >= 500, answer.text
            await asyncio.sleep(0.05)

    async def kill_at(self, progress: Callable[[], int], *marks: int) -> None:
        """kill -9 for a process that is at work, each time so much has come."""
        for mark in marks:

            async def victim(mark: int = mark) -> Supervised | None:
                return await self._busiest() if progress() >= mark else None

            (await until(victim, seconds=MINUTES)).kill()
            self.kills += 1

    async def _busiest(self) -> Supervised | None:
        """The living process that has the most jobs; its name in the engine's records holds its process id."""
        async with self.database.reading() as conn:
            running = await self.jobs._records.running(conn)
        if self.database.sqlite:
            return self.processes[0] if running and self.processes[0].pid is not None else None
        busy = Counter(int(job.executor.split("-")[-2]) for job in running)
        living = {process.pid: process for process in self.processes if process.pid is not None}
        alive = [pid for pid, _ in busy.most_common() if pid in living]
        return living[alive[0]] if alive else None

    async def let_all_links_expire(self) -> None:
        """As if a day had passed: every link is over, and its timer is due."""
        table = sa.table("workflow_status", sa.column("name"), sa.column("status"), sa.column("delay_until_epoch_ms"))
        table.schema = None if self.database.sqlite else "dbos"
        async with self.database.writing() as conn:
            await conn.execute(links.update().values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
            due = table.update().where(table.c.name == EXPIRE, table.c.status == "DELAYED").values(delay_until_epoch_ms=1)
            await conn.execute(due)

    async def count(self, *where: sa.ColumnElement[bool]) -> int:
        async with self.database.reading() as conn:
            return int(await conn.scalar(sa.select(sa.func.count()).where(*where)) or 0)

    async def mailed(self) -> int:
        return await self.count(mails.c.state == "accepted")

    async def told(self, kind: str) -> int:
        return await self.count(events.c.type == kind, events.c.delivered_at.is_not(None))

    async def expired(self) -> int:
        return await self.count(registrations.c.status == "expired")

    async def idle(self) -> Stats | None:
        """How the work stands, as soon as none is left."""
        stats = await self.jobs.stats()
        return None if stats.waiting or stats.running else stats

    def log(self) -> str:
        return "\n".join(path.read_text("utf-8", "replace")[-6000:] for path in self.logs if path.exists())


def _environment(folder: Path, **settings: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "HOST": "127.0.0.1",
        "PORT": str(free_port()),
        "DATA_DIR": str(folder / "data"),
        "LOG_FORMAT": "json",
        "OPERATOR_NAME": "Contoh Operator",
        "PUBLIC_URL": "http://127.0.0.1:8000",
        "BACKEND_API_KEY": API_KEY,
        "STATUS_WEBHOOK_SECRET": SECRET,
        **settings,
    }


@asynccontextmanager
async def production(url: str, folder: Path, *, workers: int) -> AsyncIterator[Town]:
    """The API in this process on PostgreSQL, and `akses worker` processes."""
    async with AsyncExitStack() as stack:
        post, ear, keys = await _surroundings(stack)
        hook = await stack.enter_async_context(served(ear.app()))
        stage = await stack.enter_async_context(stage_on(url, Keyring.parse(keys), role="web", smtp=post))
        logs = [folder / f"worker{n}.log" for n in range(workers)]
        common = {"DATABASE_URL": url, "SMTP_URL": post.url, "STATUS_WEBHOOK_URL": f"{hook}/hook", "ENCRYPTION_KEYS": keys}
        processes = [Supervised("worker", _environment(folder, **common), log) for log in logs]
        yield await _town(stack, url, post, ear, stage.http, processes, logs)


@asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[Town]:
    """The whole product in one `akses run` process on SQLite."""
    async with AsyncExitStack() as stack:
        post, ear, keys = await _surroundings(stack)
        hook = await stack.enter_async_context(served(ear.app()))
        log = folder / "run.log"
        environment = _environment(
            folder, SMTP_URL=post.url, STATUS_WEBHOOK_URL=f"{hook}/hook", ENCRYPTION_KEYS=keys, PUBLIC_URL=""
        )
        process = Supervised("run", environment, log)
        headers = {"Authorization": f"Bearer {API_KEY}"}
        client = httpx2.AsyncClient(base_url=process.base, headers=headers, trust_env=False, timeout=30)
        http = await stack.enter_async_context(client)
        url = f"sqlite:///{folder}/data/accounts.db"
        yield await _town(stack, url, post, ear, http, [process], [log])


async def _surroundings(stack: AsyncExitStack) -> tuple[Post, Ear, str]:
    post = Post()
    await post.open()
    stack.push_async_callback(post.close)
    return post, Ear(), Keyring.generate()


async def _town(
    stack: AsyncExitStack,
    url: str,
    post: Post,
    ear: Ear,
    http: httpx2.AsyncClient,
    processes: list[Supervised],
    logs: list[Path],
) -> Town:
    async def end(tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for process in processes:
            process.kill()

    stack.push_async_callback(end, [asyncio.create_task(process.keep()) for process in processes])
    # A process that is not up yet is none that a crash of the database finds at work.
    await asyncio.gather(*(_ready(process.base) for process in processes))
    database = Database(url)
    stack.push_async_callback(database.close)
    jobs = Jobs(database, url)
    stack.push_async_callback(jobs.close)
    return Town(url, post, ear, http, processes, database, jobs, logs)


async def _ready(base: str) -> None:
    async with httpx2.AsyncClient(base_url=base, trust_env=False) as client:
        while True:
            try:
                if (await client.get("/readyz")).is_success:
                    return
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.05)


def repeated(counted: Counter[Any]) -> int:
    """How many of these came more than once, counting every time but the first."""
    return sum(counted.values()) - len(counted)
