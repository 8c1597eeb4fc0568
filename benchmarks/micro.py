"""What the parts of our own turn cost by themselves: microseconds of one core, median of several rounds.

Lives here: the parts in the order of a turn. Must not live here: processes or load (`runs.py`). Redis is not in it but for the commit and
the read, whose time is mostly the way there and back; their CPU is told beside.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import uvloop

from akses.keyring import Keyring
from benchmarks import walk
from bot.channels.telegram.codec import draw, read_update
from bot.redis_link import RedisLink
from bot.sessions import Memory, Sessions, pack, unpack
from bot.stores.port import Commit
from bot.stores.redis import RedisStore
from bot.turns import KEEP_SECONDS
from dialogs.effects import Show
from dialogs.events import ButtonPressed, Event, Started, TextSent
from dialogs.machine import Turn, step
from dialogs.profile import Profile
from dialogs.registration import token
from dialogs.session import Session

ROUNDS = 7
PROFILE = Profile(
    operator="PT Contoh Sekuritas", home_url="https://akses.example/", privacy_url="https://akses.example/privasi"
)
NOW = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
Row = tuple[str, float, float]


def timed(name: str, part: Callable[[], object]) -> Row:
    """Microseconds of one call: wall and CPU."""
    for _ in range(50):
        part()
    count = 1
    while True:
        begun = time.perf_counter()
        for _ in range(count):
            part()
        if time.perf_counter() - begun > 0.02:
            break
        count *= 2
    walls, cpus = [], []
    for _ in range(ROUNDS):
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(count):
            part()
        walls.append((time.perf_counter() - wall) / count)
        cpus.append((time.process_time() - cpu) / count)
    return name, statistics.median(walls) * 1e6, statistics.median(cpus) * 1e6


async def waited(name: str, part: Callable[[], Awaitable[object]], together: int) -> Row:
    """The same of something that is awaited, `together` at once."""
    walls, cpus = [], []
    for _ in range(ROUNDS):
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(max(1, 400 // together)):
            await asyncio.gather(*(part() for _ in range(together)))
        done = max(1, 400 // together) * together
        walls.append((time.perf_counter() - wall) / done)
        cpus.append((time.process_time() - cpu) / done)
    return name, statistics.median(walls) * 1e6, statistics.median(cpus) * 1e6


def events() -> list[tuple[str, Session, Event, Turn]]:
    """Each turn of the walk with the session that it meets."""
    session, found = Session(id="S3ss10n", channel="telegram"), []
    for number, turn in enumerate(walk.turns("back")):
        event: Event
        if turn.press:
            event = ButtonPressed(token(session), "kind.individu_lokal" if turn.press == "kind" else turn.press, str(number))
        else:
            event = Started() if turn.text == "/start" else TextSent(turn.text, str(number))
        taken = step(session, event, NOW, PROFILE)
        found.append((turn.name, session, event, taken))
        session = taken.session
    return found


async def rows(redis_url: str) -> list[Row]:
    typed = walk.typed(1, 5_000_000_001, 12, "Siti Rahmawati Putri")
    pressed = walk.pressed(1, 5_000_000_001, 12, "1bbec59e:agree")
    found = [timed("decode a message", lambda: read_update(typed)), timed("decode a press", lambda: read_update(pressed))]
    turns = events()
    for name, session, event, _ in turns:
        found.append(timed(f"step: {name}", lambda session=session, event=event: step(session, event, NOW, PROFILE)))
    session = turns[-1][3].session
    sessions = Sessions(Keyring.parse(Keyring.generate()))
    memory = Memory(session)
    for number in range(len(turns)):
        memory = memory.with_event(str(100_000_000 + number), session)
    sealed = sessions.write("telegram:5000000001", 8, memory)
    packed = pack(session)
    found += [
        timed(f"pack a full session ({len(packed)} bytes)", lambda: pack(session)),
        timed("unpack it", lambda: unpack(packed)),
        timed(f"pack and seal ({len(sealed)} bytes)", lambda: sessions.write("telegram:5000000001", 8, memory)),
        timed("open and unpack", lambda: sessions.read("telegram:5000000001", 8, sealed)),
        timed("is this event known?", lambda: memory.knows("100000099")),
    ]
    for name, _, _, taken in turns:
        show = next(effect for effect in taken.effects if isinstance(effect, Show))
        found.append(timed(f"draw: {name}", lambda show=show: draw(5_000_000_001, show)))
    call = draw(5_000_000_001, next(effect for effect in turns[-2][3].effects if isinstance(effect, Show)))[0]
    encode = msgspec.json.Encoder().encode
    found.append(timed("write the answer as JSON", lambda: encode({"method": call.method, **call.params})))
    link = await RedisLink.open(redis_url)
    store = RedisStore(link)
    chats = iter(range(10_000_000))

    async def load() -> Any:
        return await store.load(f"telegram:{next(chats)}", 0.0)

    async def commit() -> Any:
        return await store.commit(Commit(f"telegram:{next(chats)}", 0, sealed, (), (), 0.0, KEEP_SECONDS))

    for together in (1, 32):
        found.append(await waited(f"read from Redis, {together} at once", load, together))
        found.append(await waited(f"commit to Redis, {together} at once", commit, together))
    await link.close()
    return found


def run(redis_url: str) -> list[Row]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(rows(redis_url))
