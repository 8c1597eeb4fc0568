"""The load, as a process of its own: virtual users that send updates, and the Bot API (and a backend) that hears the answers.

Lives here: two small HTTP/1.1 ends over asyncio transports, the users, and the clock. Must not live here: starting targets or making
tables (`runs.py`). It obeys lines of JSON on stdin and answers with lines of JSON on stdout; one line at a time is under way.

An answer counts when it shows what this turn must show, whichever way it came: in the response to the update or as a call of the
Bot API. A user goes on when it has both the answer and the response.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import re
import sys
import time
from array import array
from collections import deque
from urllib.parse import parse_qs, unquote_plus

import uvloop

from benchmarks import walk

START_PATIENCE = 30.0  # seconds for a target to make itself known to Telegram
PATIENCE = 10.0  # seconds after which a turn without its answer is an error
_CHAT = re.compile(r'chat_id(?:"\s*:\s*"?|=|"\r\n\r\n)(\d+)')
_USER = re.compile(r'"recipient"\s*:\s*"ID\.(\d+)"')
_LENGTH = b"content-length:"


def whole(data: bytes) -> tuple[int, int, bool] | None:
    """Where the body of one HTTP message begins and ends, and whether it is chunked; None until all of it is there."""
    head = data.find(b"\r\n\r\n")
    if head < 0:
        return None
    low = data[:head].lower()
    at = low.find(_LENGTH)
    if at >= 0:
        end = low.find(b"\r", at)
        length = int(low[at + len(_LENGTH) : end if end >= 0 else head])
        return (head + 4, head + 4 + length, False) if len(data) >= head + 4 + length else None
    if b"transfer-encoding: chunked" in low:
        end = data.find(b"0\r\n\r\n", head)
        return (head + 4, end + 5, True) if end >= 0 else None
    return head + 4, head + 4, False


def unchunked(body: bytes) -> bytes:
    parts = []
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            break
        parts.append(rest[:length])
        body = rest[length + 2 :]
    return b"".join(parts)


class Counts:
    """What happened since the last mark. Latencies in seconds, by turn."""

    def __init__(self, turns: int) -> None:
        self.since = time.perf_counter()
        self.cpu = time.process_time()
        self.latencies = [array("d") for _ in range(turns)]
        self.errors: dict[str, int] = {}
        self.calls: dict[str, int] = {}
        self.inside = 0
        self.missed = 0

    def wrong(self, what: str) -> None:
        self.errors[what] = self.errors.get(what, 0) + 1

    def told(self, names: list[str]) -> dict[str, object]:
        seconds = time.perf_counter() - self.since
        every = sorted(latency for turn in self.latencies for latency in turn)

        def at(share: float) -> float:
            return every[min(len(every) - 1, int(share * len(every)))] * 1000 if every else 0.0

        return {
            "seconds": seconds,
            "turns": len(every),
            "p50": at(0.5),
            "p95": at(0.95),
            "p99": at(0.99),
            "by_turn": {
                name: sorted(turn)[len(turn) // 2] * 1000 for name, turn in zip(names, self.latencies, strict=True) if turn
            },
            "errors": self.errors,
            "calls": self.calls,
            "inside": self.inside,
            "missed": self.missed,
            "driver_cpu": (time.process_time() - self.cpu) / seconds,
        }


class User(asyncio.Protocol):
    """One connection of Telegram, and the person whose updates it carries at the moment."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.transport: asyncio.Transport | None = None
        self.buffer = b""
        self.chat = self.step = self.message = 0
        self.data = ""
        self.sent = 0.0
        self.responded = self.answered = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio names it)
        self.transport = None
        self.buffer = b""
        if not (self.responded and self.answered):
            self.load.counts.wrong("connection lost")

    def begin(self) -> None:
        load = self.load
        load.users.pop(self.chat, None)
        load.chats += 1
        load.begun += 1
        self.chat, self.step, self.message, self.data = load.chats, 0, 1, ""
        load.users[self.chat] = self
        self.send()

    def send(self) -> None:
        load = self.load
        turn = load.walk[self.step]
        load.updates += 1
        if turn.press:
            request = load.way.pressed(load.updates, self.chat, self.message, self.data)
        else:
            self.message += 1
            request = load.way.typed(load.updates, self.chat, self.message, turn.text)
        self.put(request)

    def put(self, request: bytes) -> None:
        self.responded = self.answered = False
        self.sent = time.perf_counter()
        if self.transport is None:
            # The server lets idle connections go; Telegram would open another as well.
            self.load.connecting(self, request)
        else:
            self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.buffer = data = self.buffer + data if self.buffer else data
        found = whole(data)
        if found is None:
            return
        start, end, chunked = found
        self.buffer = data[end:]
        if not data.startswith(b"HTTP/1.1 200"):
            self.load.counts.wrong(f"status {data[9:12].decode()}")
            self.fail()
            return
        body = unchunked(data[start:end]) if chunked else data[start:end]
        self.responded = True
        if len(body) > 2:
            answer = body.decode()
            if self.load.hears(self, answer):
                self.load.counts.inside += 1
            elif self.load.walk[self.step].press != "activate":  # where "one moment" may come before the answer
                self.load.counts.wrong(f"response not for '{self.load.walk[self.step].name}'")
                self.fail()
                return
        if self.answered:
            self.load.turned(self)

    def fail(self) -> None:
        """Start over as somebody else."""
        self.responded = self.answered = True
        self.load.failed(self)


class Load:
    """All users of one target."""

    def __init__(self, port: int, secret: str, last: walk.Last, way: str) -> None:
        self.port = port
        self.walk = walk.turns(last)
        self.names = [turn.name for turn in self.walk]
        self.way = walk.WAYS[way](port, secret)
        self.users: dict[int, User] = {}
        self.connected: list[User] = []
        self.idle: deque[User] = deque()
        self.chats = 5_000_000_000 + random.randrange(1_000_000_000)
        self.updates = random.randrange(100_000_000)
        self.counts = Counts(len(self.walk))
        self.stopping = False
        self.closed = True
        self.until = 0
        self.wanted = self.begun = 0
        self.under_way: set[asyncio.Task[None]] = set()

    async def connect(self, count: int) -> None:
        loop = asyncio.get_running_loop()
        while len(self.connected) < count:
            _, user = await loop.create_connection(lambda: User(self), "127.0.0.1", self.port)
            self.connected.append(user)

    def connecting(self, user: User, request: bytes) -> None:
        task = asyncio.create_task(self._connect(user, request))
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)

    async def _connect(self, user: User, request: bytes) -> None:
        await asyncio.get_running_loop().create_connection(lambda: user, "127.0.0.1", self.port)
        if user.transport is not None:
            user.transport.write(request)

    def hears(self, user: User, answer: str) -> bool:
        """Whether this answer is the one that the user waits for."""
        if user.answered:
            return False
        turn = self.walk[user.step]
        if turn.shows not in answer:
            return False
        following = self.walk[user.step + 1] if user.step + 1 < len(self.walk) else None
        if following is not None and following.press:
            data = walk.button(following.press, answer)
            if data is None:
                return False
            user.data = data
        self.counts.latencies[user.step].append(time.perf_counter() - user.sent)
        user.answered = True
        return True

    def called(self, method: str, chat: int, answer: str) -> None:
        """A call of the Bot API came in for this chat."""
        user = self.users.get(chat)
        if user is not None and method in ("sendMessage", "editMessageText") and self.hears(user, answer) and user.responded:
            self.turned(user)

    def turned(self, user: User) -> None:
        """This user has everything of its turn: on to the next."""
        user.step = (user.step + 1) % len(self.walk)
        if self.until and user.step == self.until:
            user.step = 0
            if self.begun >= self.wanted:
                self.idle.append(user)
                return
        if self.closed and not self.stopping:
            if user.step:
                user.send()
            else:
                user.begin()
        else:
            self.idle.append(user)

    def failed(self, user: User) -> None:
        user.step = 0
        if self.closed and not self.stopping:
            asyncio.get_running_loop().call_later(0.05, user.begin)
        else:
            self.idle.append(user)

    async def watch(self) -> None:
        """Give up on answers that do not come."""
        while True:
            await asyncio.sleep(1.0)
            now = time.perf_counter()
            for user in self.connected:
                if not (user.responded and user.answered) and now - user.sent > PATIENCE:
                    self.counts.wrong(f"no answer to '{self.walk[user.step].name}'")
                    user.fail()

    async def settle(self) -> None:
        """Wait until every turn under way has ended."""
        until = time.perf_counter() + PATIENCE
        while len(self.idle) < len(self.connected) and time.perf_counter() < until:  # noqa: ASYNC110 (nothing else tells)
            await asyncio.sleep(0.01)

    async def closed_loop(self, users: int) -> None:
        await self.connect(users)
        self.closed, self.stopping, self.until = True, False, 0
        self.idle.clear()
        for user in self.connected[:users]:
            user.begin()

    async def open_loop(self, rate: float) -> None:
        """Turns at `rate` a second, at random moments (Poisson), whatever the target does; users enough that nobody waits for another."""
        self.closed, self.stopping, self.until = False, False, 0
        await self.settle()
        due = time.perf_counter()
        while not self.stopping:
            now = time.perf_counter()
            while due <= now:
                due += random.expovariate(rate)
                if not self.idle:
                    self.counts.missed += 1
                    continue
                user = self.idle.popleft()
                if user.step:
                    user.send()
                else:
                    user.begin()
            await asyncio.sleep(max(0.0, due - time.perf_counter()))

    async def open_dialogs(self, count: int, users: int) -> None:
        """Leave `count` dialogs at their summary, every answer in."""
        await self.connect(users)
        self.closed, self.stopping, self.until, self.wanted, self.begun = True, False, 7, count, 0
        self.idle = deque(self.connected[users:])
        for user in self.connected[:users]:
            user.begin()
        while len(self.idle) < len(self.connected):
            if self.begun > 3 * count + users:
                raise RuntimeError(f"dialogs do not come to their end: {self.counts.errors}")
            await asyncio.sleep(0.005)

    async def between(self, rate: float, first: int, count: int) -> None:
        """Turns at `rate` a second in dialogs chosen by chance among `count` that are open at their summary: there and back to the menu."""
        self.closed, self.stopping = False, False
        self.walk = (walk.Turn("word", "Anda", text="kembali"),)
        self.counts = Counts(1)
        self.names = ["word"]
        due = time.perf_counter()
        busy: set[int] = set()
        while not self.stopping:
            now = time.perf_counter()
            while due <= now:
                due += random.expovariate(rate)
                chat = first + random.randrange(count)
                if not self.idle or chat in busy:
                    self.counts.missed += 1
                    continue
                user = self.idle.popleft()
                self.users.pop(user.chat, None)
                user.chat, user.step = chat, 0
                self.users[chat] = user
                user.send()
            await asyncio.sleep(max(0.0, due - time.perf_counter()))


class World:
    """What the target sees outside: Telegram's Bot API, Meta's Graph API, and a backend that takes every registration."""

    def __init__(self) -> None:
        self.load: Load | None = None
        self.delay = 0.0
        self.ready = False
        self.message = 10

    def answer(self, target: str, kind: str, body: bytes) -> bytes:
        method = target.rpartition("/")[2]
        load = self.load
        if load is not None:
            load.counts.calls[method] = load.counts.calls.get(method, 0) + 1
        match method:
            case "getMe":
                return _ok({"id": 123456, "is_bot": True, "first_name": "AKSes", "username": "akses_bot"})
            case "setWebhook":
                self.ready = True
                return _ok(True)
            case "sendMessage" | "editMessageText" | "editMessageReplyMarkup":
                text = unquote_plus(body.decode()) if kind == "form" else body.decode()
                found = _CHAT.search(text)
                chat = int(found[1]) if found else 0
                if load is not None:
                    load.called(method, chat, text)
                return _ok(self.sent(chat, kind, body))
            case "messages":
                return self.graph(body.decode())
            case _ if method.startswith(walk.PHONE_ID):
                self.ready = True
                return b'{"display_phone_number":"+62 811-0000-000"}'
            case "registrations":
                at = "2026-11-23T05:00:00Z"
                taken = {"id": f"reg{random.getrandbits(60)}", "status": "pending", "email_masked": "s***i@example.com",
                         "created_at": at, "mail": {"state": "queued"}}  # fmt: skip
                return json.dumps(taken).encode()
            case _:
                return _ok(True)

    def graph(self, body: str) -> bytes:
        """A message to somebody, or that theirs was read."""
        found = _USER.search(body)
        if found is None:
            return b'{"success":true}'
        if self.load is not None:
            self.load.called("sendMessage", int(found[1]), body)
        self.message += 1
        return b'{"messaging_product":"whatsapp","messages":[{"id":"wamid.s%d"}]}' % self.message

    def sent(self, chat: int, kind: str, body: bytes) -> dict[str, object]:
        """The message as Telegram describes it to who sent it."""
        self.message += 1
        given = {key: values[0] for key, values in parse_qs(body.decode()).items()} if kind == "form" else json.loads(body)
        message: dict[str, object] = {
            "message_id": int(given.get("message_id", self.message)),
            "from": {"id": 123456, "is_bot": True, "first_name": "AKSes", "username": "akses_bot"},
            "chat": {
                "id": chat,
                "first_name": "Siti",
                "last_name": "Rahmawati",
                "username": "siti_rahmawati",
                "type": "private",
            },
            "date": 1795392000,
            "text": given.get("text", "-"),
        }
        markup = given.get("reply_markup")
        markup = json.loads(markup) if isinstance(markup, str) else markup
        if markup and "inline_keyboard" in markup:
            message["reply_markup"] = markup
        return message


def _ok(result: object) -> bytes:
    return json.dumps({"ok": True, "result": result}).encode()


class Server(asyncio.Protocol):
    """One connection of the target's to the world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.buffer = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        data = self.buffer + data if self.buffer else data
        while data and (found := whole(data)) is not None:
            start, end, chunked = found
            head = data[:start]
            target = head[head.find(b" ") + 1 : head.find(b" HTTP/")].decode()
            body = unchunked(data[start:end]) if chunked else data[start:end]
            kind = "form" if b"x-www-form-urlencoded" in head else "json"
            if self.world.delay and "/bot" in target:
                asyncio.get_running_loop().call_later(self.world.delay, self.reply, target, kind, body)
            else:
                self.reply(target, kind, body)
            data = data[end:]
        self.buffer = data

    def reply(self, target: str, kind: str, body: bytes) -> None:
        answer = self.world.answer(target, kind, body)
        status = b"201 Created" if target.endswith("/registrations") else b"200 OK"
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(
                b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (status, len(answer), answer)
            )


async def obey() -> None:
    loop = asyncio.get_running_loop()
    world = World()
    server = await loop.create_server(lambda: Server(world), "127.0.0.1", 0)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    def say(**told: object) -> None:
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()

    say(port=server.sockets[0].getsockname()[1])
    tasks: list[asyncio.Task[None]] = []
    flow: asyncio.Task[None] | None = None
    load: Load | None = None
    while line := await reader.readline():
        order = json.loads(line)
        match order.pop("do"):
            case "target":
                load = world.load = Load(**order)
                tasks.append(asyncio.create_task(load.watch()))
                say()
            case "ready":
                until = time.perf_counter() + START_PATIENCE
                while not world.ready and time.perf_counter() < until:  # noqa: ASYNC110 (nothing else tells)
                    await asyncio.sleep(0.02)
                say(ready=world.ready)
                world.ready = False
            case "delay":
                world.delay = order["seconds"]
                say()
            case "connect":
                await load.connect(order["users"])
                load.idle = deque(load.connected)
                say()
            case "closed":
                await load.closed_loop(order["users"])
                say()
            case "open":
                flow = asyncio.create_task(load.open_loop(order["rate"]))
                tasks.append(flow)
                say()
            case "between":
                flow = asyncio.create_task(load.between(**order))
                tasks.append(flow)
                say()
            case "dialogs":
                await load.open_dialogs(**order)
                say(opened=load.begun)
            case "mark":
                gc.collect()
                load.counts = Counts(len(load.walk))
                say()
            case "read":
                say(**load.counts.told(load.names))
            case "stop":
                load.stopping = True
                if flow is not None:
                    flow.cancel()
                    flow = None
                await load.settle()
                say(idle=len(load.idle), users=len(load.connected))
            case "forget":
                for task in tasks:
                    task.cancel()
                tasks.clear()
                for user in load.connected:
                    if user.transport is not None:
                        user.responded = user.answered = True
                        user.transport.abort()
                load = world.load = None
                say()
    server.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        os.sched_setaffinity(0, {int(sys.argv[1])})
    gc.disable()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(obey())
