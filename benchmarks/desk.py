"""`./run bench desk`: whether the helpdesk's console stays live while 500 people write and 20 agents look on.

  ./run bench desk                  the embedded product, on SQLite
  ./run bench desk --postgres       a production bot on Redis and a PostgreSQL of its own
  ./run bench desk --rate 50 --seconds 60

Every ticket is opened as people open one, by webhook deliveries. Each agent does what a browser's script does (`design/desk.js`): it
listens to the stream of changes and asks for its whole page again: at once when the conversation that is open has changed, every other
second for the list.

Lives here: people, agents, the clock between them, one table. Must not live here: the Bot API (`driver.py`), processes (`servers.py`).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx2
import sqlalchemy as sa

from akses.desk import open_people
from akses.keyring import Keyring
from akses.settings import Settings
from benchmarks import walk
from benchmarks.driver import Server, World
from benchmarks.report import table
from benchmarks.servers import LOAD_CORE, TARGET_CORE, Redis, cpu_seconds, free_port, pin, resident_mib
from benchmarks.targets import KEYS, PYTHON, ROOT, SECRET, Target
from helpdesk.service import People
from helpdesk.tables import changes, conversations, tickets

FIRST_CHAT: Final = 8_000_000_000
LIST_SECONDS: Final = 2.0  # how often a browser's list is drawn while much happens
PATIENCE: Final = 120.0  # seconds for whatever must come
# What a setting says of a database or a Redis is left out here: all of it lies in DATA_DIR.
_SERVERS: Final = ("REDIS_URL", "DATABASE_URL", "BACKEND_URL", "BACKEND_API_KEY", "STATUS_WEBHOOK_SECRET", "PUBLIC_URL")


@dataclass
class Seen:
    """Seconds from the moment somebody began to send a message to each agent's stream, to the page of the agent who has that conversation
    open, and to the pages of the others, where the list has changed.
    """

    streams: list[float] = field(default_factory=list)
    talks: list[float] = field(default_factory=list)
    lists: list[float] = field(default_factory=list)
    drawn: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    def wrong(self, what: str) -> None:
        self.refused[what] = self.refused.get(what, 0) + 1


class Agent:
    """One browser with a conversation open: a stream of changes, and a page asked for anew. `written` tells when a message was sent."""

    def __init__(self, client: httpx2.AsyncClient, chat: str, written: Mapping[str, float], seen: Seen) -> None:
        self._client = client
        self._chat = chat
        self._written = written
        self._told: dict[str, float] = {}
        self._waiting: list[tuple[str, float]] = []
        self._own, self._any = asyncio.Event(), asyncio.Event()
        self._seen = seen
        self.ready = asyncio.Event()

    async def listen(self, since: int) -> None:
        async with self._client.stream("GET", f"/helpdesk/langsung?since={since}", timeout=None) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                if line == "event: ready":
                    self.ready.set()
                elif line.startswith('data: {"what"'):
                    self._hears(line.rpartition('"chat":"')[2].partition('"')[0])

    def _hears(self, chat: str) -> None:
        sent = self._written.get(chat)
        if sent is not None and self._told.get(chat) != sent:
            self._told[chat] = sent
            self._seen.streams.append(time.perf_counter() - sent)
            self._waiting.append((chat, sent))
        self._any.set()
        if chat == self._chat:
            self._own.set()

    async def draw(self) -> None:
        asked = 0.0
        while True:
            await self._any.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(asked + LIST_SECONDS - time.perf_counter()):
                    await self._own.wait()
            self._any.clear()
            self._own.clear()
            waiting, self._waiting, asked = self._waiting, [], time.perf_counter()
            answer = await self._client.get(f"/helpdesk/c/{self._chat}", headers={"X-By-Itself": "1"})
            if answer.status_code != 200:
                self._seen.wrong(f"page {answer.status_code}")
                continue
            now = time.perf_counter()
            self._seen.drawn += 1
            for chat, sent in waiting:
                (self._seen.talks if chat == self._chat else self._seen.lists).append(now - sent)


class Crowd:
    """People in Telegram: their updates, one connection for all."""

    def __init__(self, client: httpx2.AsyncClient, seen: Seen) -> None:
        self._client = client
        self._seen = seen
        self._update = random.randrange(100_000_000)

    async def says(self, chat: int, text: str) -> None:
        self._update += 1
        headers = {"Content-Type": "application/json", "X-Telegram-Bot-Api-Secret-Token": SECRET}
        body = walk.typed(self._update, chat, self._update % 1_000_000, text)
        answer = await self._client.post("/telegram/webhook", content=body, headers=headers)
        if answer.status_code != 200:
            self._seen.wrong(f"update {answer.status_code}")

    async def asks_for_a_human(self, chats: Sequence[int]) -> None:
        for text in ("/start", "petugas"):
            for at in range(0, len(chats), 20):
                await asyncio.gather(*(self.says(chat, text) for chat in chats[at : at + 20]))


def options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run bench desk", description="From a person's message to the agents' screens.")
    parser.add_argument("--tickets", type=int, default=500, help="open conversations (500)")
    parser.add_argument("--agents", type=int, default=20, help="agents who look on (20)")
    parser.add_argument("--rate", type=float, default=10.0, help="messages a second, every other one to an open page (10)")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of the measured phase (30)")
    parser.add_argument(
        "--postgres", action="store_true", help="a production bot with Redis and PostgreSQL, not the embedded product"
    )
    return parser.parse_args(words)


def main(words: Sequence[str]) -> None:
    chosen = options(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    with ExitStack() as stack:
        redis = postgres = ""
        if chosen.postgres:
            from tests.services import fresh_database, postgres_cluster

            made = Redis(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="akses-bench-redis-"))), aof=False)
            stack.callback(made.end)
            redis = made.url
            postgres = stack.enter_context(fresh_database(stack.enter_context(postgres_cluster()), "desk"))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="akses-bench-desk-")))
        os.sched_setaffinity(0, {LOAD_CORE})
        print(asyncio.run(measured(chosen, folder, redis, postgres)))


async def measured(chosen: argparse.Namespace, folder: Path, redis: str, postgres: str) -> str:
    """One run, as a table of one row."""
    port = free_port()
    seen, written = Seen(), dict[str, float]()
    async with AsyncExitStack() as stack:
        world = World()
        api = await asyncio.get_running_loop().create_server(lambda: Server(world), "127.0.0.1", 0)
        stack.callback(api.close)
        command = ("-m", "akses", "bot" if postgres else "run")
        target = Target("desk", "", command, {"HELPDESK_HOURS": "always", "DATABASE_URL": postgres, "LOG_LEVEL": "WARNING"})
        env = target.environment(port=port, api=api.sockets[0].getsockname()[1], redis=redis, data_dir=folder)
        if not postgres:
            env = {name: value for name, value in env.items() if name not in _SERVERS}
        process = stack.enter_context(_started(env, command, folder, migrated=bool(postgres)))
        here = f"http://127.0.0.1:{port}"
        client = await stack.enter_async_context(httpx2.AsyncClient(base_url=here, trust_env=False, timeout=PATIENCE))
        await _until_ready(client, process, folder)
        pin(process.pid, TARGET_CORE)
        settings = Settings(database_url=postgres, redis_url=redis, data_dir=folder, port=port)
        staff = await stack.enter_async_context(open_people(settings, Keyring.parse(KEYS)))
        crowd = Crowd(client, seen)
        people = [FIRST_CHAT + number for number in range(chosen.tickets)]
        await crowd.asks_for_a_human(people)
        known = await _opened(staff, chosen.tickets)
        chats = list(known)
        async with staff.database.reading() as conn:
            newest = await conn.scalar(sa.select(sa.func.max(changes.c.id))) or 0
        cookie = "__Host-helpdesk" if postgres else "helpdesk"  # https there, plain http here
        agents, tasks = list[Agent](), list[asyncio.Task[None]]()
        for number in range(chosen.agents):
            one, _ = await staff.agents.add(f"agent{number}", f"Agent {number}", ("agent",))
            token = await staff.sign_in.follow(await staff.agents.sign_in_link(one.id), device="bench")
            headers = {"Cookie": f"{cookie}={token}"}
            browser = httpx2.AsyncClient(base_url=here, trust_env=False, timeout=PATIENCE, headers=headers)
            await stack.enter_async_context(browser)
            agents.append(Agent(browser, chats[number % len(chats)], written, seen))
            tasks += [asyncio.create_task(agents[-1].listen(newest)), asyncio.create_task(agents[-1].draw())]
        await asyncio.gather(*(agent.ready.wait() for agent in agents))
        for chat in chats[:10]:  # what is done once is done
            await crowd.says(known[chat], "Halo")
        await asyncio.sleep(2.0)
        seen.drawn = 0
        waited = _waited(process.pid)
        cpu, own, begun = cpu_seconds(process.pid), time.process_time(), time.perf_counter()
        sent = await _write(crowd, chosen, known, written)
        seconds = time.perf_counter() - begun
        cpu, own = (cpu_seconds(process.pid) - cpu) / seconds, (time.process_time() - own) / seconds
        waited, drawn = (_waited(process.pid) - waited) / seconds, seen.drawn
        await asyncio.sleep(2.0)  # for the last of them
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        for fault in ended:
            if not isinstance(fault, asyncio.CancelledError):
                seen.wrong(f"agent {type(fault).__name__}")
        heads = [
            "", "tickets", "agents", "messages/s", "to the stream p50 ms", "p95", "p99", "to the open talk p50 ms", "p95", "p99",
            "to the lists p50 ms", "p95", "p99", "pages/s",
            "core busy %", "waited for the core %", "MiB", "driver busy %", "not heard", "errors",
        ]  # fmt: skip
        row = [
            "PostgreSQL, Redis" if postgres else "embedded, SQLite",
            str(chosen.tickets),
            str(chosen.agents),
            f"{sent / seconds:.0f}",
            *(f"{_at(seen.streams, share):.0f}" for share in (0.5, 0.95, 0.99)),
            *(f"{_at(seen.talks, share):.0f}" for share in (0.5, 0.95, 0.99)),
            *(f"{_at(seen.lists, share):.0f}" for share in (0.5, 0.95, 0.99)),
            f"{drawn / seconds:.0f}",
            f"{cpu * 100:.0f}",
            f"{waited * 100:.0f}",
            f"{resident_mib(process.pid):.0f}",
            f"{own * 100:.0f}",
            str(sent * chosen.agents - len(seen.streams)),
            str(sum(seen.refused.values())) + (f" {seen.refused}" if seen.refused else ""),
        ]
        return table(heads, [row])


async def _write(crowd: Crowd, chosen: argparse.Namespace, known: Mapping[str, int], written: dict[str, float]) -> int:
    """Messages at a steady rate, half of them in conversations that an agent has open, each by the one silent for longest; how many."""
    chats, under_way = list(known), list[asyncio.Task[None]]()
    looked_at, others = chats[: chosen.agents], chats[chosen.agents :] or chats
    begun = time.perf_counter()
    for number in range(int(chosen.seconds * chosen.rate)):
        await asyncio.sleep(max(0.0, begun + number / chosen.rate - time.perf_counter()))
        among = others if number % 2 else looked_at
        chat = among[number // 2 % len(among)]
        written[chat] = time.perf_counter()
        under_way.append(asyncio.create_task(crowd.says(known[chat], f"Pesan nomor {number}, tolong dibantu")))
    await asyncio.gather(*under_way)
    return len(under_way)


async def _opened(staff: People, wanted: int) -> dict[str, int]:
    """Our id of every conversation, and whose it is in Telegram; waits until all of them stand in the queue."""
    async with asyncio.timeout(PATIENCE):
        while True:
            async with staff.database.reading() as conn:
                count = await conn.scalar(sa.select(sa.func.count()).where(tickets.c.owner == "queued"))
                if count == wanted:
                    rows = await conn.execute(sa.select(conversations.c.id, conversations.c.conversation))
                    return {row.id: int(row.conversation.rpartition(":")[2]) for row in rows}
            await asyncio.sleep(0.2)


@contextmanager
def _started(
    env: Mapping[str, str], command: Sequence[str], folder: Path, *, migrated: bool
) -> Iterator[subprocess.Popen[bytes]]:
    if migrated:
        subprocess.run([PYTHON, "-m", "akses", "migrate"], cwd=ROOT, env=env, check=True, stdout=sys.stderr)
    with (folder / "log").open("wb") as out:
        process = subprocess.Popen([PYTHON, *command], cwd=ROOT, env=env, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if words := (folder / "log").read_text(errors="replace"):
            print(f"--- the end of what the product had to say:\n{words[-3000:]}", file=sys.stderr)


async def _until_ready(client: httpx2.AsyncClient, process: subprocess.Popen[bytes], folder: Path) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            if process.poll() is not None:
                raise RuntimeError(f"the product ended with {process.returncode}:\n{(folder / 'log').read_text()[-3000:]}")
            with suppress(httpx2.TransportError):
                if (await client.get("/readyz")).is_success:
                    return
            await asyncio.sleep(0.1)


def _waited(pid: int) -> float:
    """Seconds in which the process's first thread could have run and others did: where it is much, figures tell of the machine."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


def _at(found: Sequence[float], share: float) -> float:
    """Milliseconds that this share of them stays under."""
    ranked = sorted(found)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] * 1000 if ranked else float("nan")
