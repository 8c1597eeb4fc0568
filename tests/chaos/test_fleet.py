"""Production under fire: every process is killed in turn and Redis is restarted while a crowd registers; nothing is lost.

200 people in the suite; `CHAOS_USERS=2000 ./run test tests/chaos` is the full run, on two quiet cores. The figures of a run are left in
.artifacts/chaos.txt.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.redis_link import RedisLink
from bot.sessions import Sessions
from bot.stores.redis import RedisStore
from dialogs.session import Session
from tests.chaos.crowd import CANARIES, CHAT_IDS, PASSWORD, PATIENCE, USERS, Crowd, Person, link_in
from tests.chaos.fleet import Fleet, Supervised, fleet
from tests.chaos.mailbox import Mailbox
from tests.fakes.bot_api import FakeBotApi
from tests.product import ROOT

pytestmark = pytest.mark.journey

# Nobody waits longer for the whole of it, however slow it comes on: 25 minutes for 2,000 people.
MOST_SECONDS = 600 + 0.45 * USERS
REDIS = "redis"
# Who is killed, in this order; each in the middle of what one wave of people does, with the next wave at the door.
VICTIMS = ("bot0", "web0", "worker0", "bot1", REDIS, "web1", "worker1", "bot2")


async def shoot(running: Fleet, crowd: Crowd) -> None:
    crowd.let_in(0)
    for wave, victim in enumerate(VICTIMS):
        await crowd.reaches(wave + 0.5)
        if victim == REDIS:
            await running.restart_redis()
        else:
            running.processes[victim].kill()
        crowd.let_in(wave + 1)
        await running.ready()


class Dialogs:
    """What the dialog store holds, looked at from outside."""

    def __init__(self, store: RedisStore, sessions: Sessions) -> None:
        self._store = store
        self._sessions = sessions

    async def session(self, person: Person) -> Session:
        loaded = await self._store.load(person.conversation, time.time())
        assert loaded.state is not None, f"{person.conversation} is forgotten"
        return self._sessions.read(person.conversation, loaded.revision, loaded.state).session

    async def at_rest(self, person: Person) -> bool:
        return not await self._store.pending(person.conversation)


@asynccontextmanager
async def dialogs_of(running: Fleet) -> AsyncIterator[Dialogs]:
    link = await RedisLink.open(running.redis.url)
    try:
        yield Dialogs(RedisStore(link), Sessions(running.keyring))
    finally:
        await link.close()


async def until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                if await holds():
                    return
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(what) from None


async def settled(running: Fleet, dialogs: Dialogs, telegram: FakeBotApi, people: list[Person]) -> None:
    """Wait until nothing remains to be told."""

    async def all_told() -> bool:
        return not await running.rows("SELECT id FROM events WHERE delivered_at IS NULL")

    async def outboxes_empty() -> bool:
        return all([await dialogs.at_rest(person) for person in people])

    async def updates_taken() -> bool:
        return not telegram.pending

    await until(all_told, "a status event was not delivered")
    await until(outboxes_empty, "a message was not delivered")
    await until(updates_taken, "an update was not taken")


async def test_a_crowd_registers_while_every_process_is_killed_in_turn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with FakeBotApi() as telegram, Mailbox() as mailbox, fleet(tmp_path, telegram, mailbox.url) as running:
        crowd = Crowd(telegram, mailbox, running.url, USERS, waves=len(VICTIMS) + 1)
        began = time.monotonic()
        async with asyncio.timeout(MOST_SECONDS), asyncio.TaskGroup() as group:
            group.create_task(shoot(running, crowd))
            group.create_task(crowd.registers())
        seconds = time.monotonic() - began
        async with dialogs_of(running) as dialogs:
            await settled(running, dialogs, telegram, crowd.people)
            kept = {person: await dialogs.session(person) for person in crowd.people}
        tell(figures(running, crowd, telegram, mailbox, seconds), capsys)
        for name, process in running.processes.items():
            assert process.kills == VICTIMS.count(name) == 1
            assert process.ended == [-signal.SIGKILL], f"{name} ended by itself; its log:\n{process.log}"
        for person in crowd.people:
            stands(person, kept[person])
            mailed(person, mailbox)
        await recorded(running, crowd)
        for process in running.processes.values():
            foreseen(process)
        await secret(running, mailbox)


def stands(person: Person, session: Session) -> None:
    """Active or pending exactly as they should, once; and told so."""
    chat = person.user.chat.transcript()
    assert session.draft is None, chat
    (registration,) = session.registrations
    assert registration.status == ("active" if person.activates else "pending"), chat
    assert person.read(person.thanks) >= 1, chat
    assert (person.read(person.congratulation) >= 1) == person.activates, chat


def mailed(person: Person, mailbox: Mailbox) -> None:
    """At least one mail; another only as the same one again."""
    mails = mailbox.mails[person.details.email]
    assert mails, f"no mail to {person.details.email}"
    assert len({mail["Message-ID"] for mail in mails}) == 1
    assert len({mail.as_bytes() for mail in mails}) == 1


async def recorded(running: Fleet, crowd: Crowd) -> None:
    """One registration a person, and one account for those who activated."""
    rows = await running.rows(
        "SELECT r.reference, r.status, count(a.id) FROM registrations r LEFT JOIN accounts a ON a.registration_id = r.id GROUP BY r.id"
    )
    assert Counter(rows) == Counter(
        (person.conversation, "active" if person.activates else "pending", int(person.activates)) for person in crowd.people
    )
    # Who activated by a mail whose worker died before it could note the sending has a mail that is no longer needed.
    states = set(
        await running.rows("SELECT r.status, m.state, m.reason FROM mails m JOIN registrations r ON r.id = m.registration_id")
    )
    assert states <= {("pending", "accepted", None), ("active", "accepted", None), ("active", "failed", "obsolete")}


def foreseen(process: Supervised) -> None:
    """No traceback, and no error that nobody reckoned with."""
    assert "Traceback" not in process.log, process.log
    entries = [json.loads(line) for line in process.log.splitlines()]
    assert [entry for entry in entries if entry["level"] in ("error", "critical")] == [], process.name


async def secret(running: Fleet, mailbox: Mailbox) -> None:
    """Nothing of anybody's stands in a log, ours or PostgreSQL's, nor readable in what Redis wrote down."""
    canaries = [each.lower().encode() for each in (*CANARIES, PASSWORD) if each != CHAT_IDS]
    canaries += [link_in(mails[0]).rpartition("/")[2].lower().encode() for mails in mailbox.mails.values()]
    for file in await running.written():
        content = file.read_bytes().lower()
        found = [canary for canary in canaries if canary in content]
        # Keys of Redis name the chat; nothing else may. An id of something else may have the same digits among its letters.
        if file.suffix != ".aof":
            found += re.findall(rb"(?<![0-9a-z_.-])%b\d{4}(?![0-9a-z_-])" % CHAT_IDS.encode(), content)
        assert found == [], file.name


def figures(running: Fleet, crowd: Crowd, telegram: FakeBotApi, mailbox: Mailbox, seconds: float) -> str:
    """The figures of the run."""
    first = {each.update_id for each in telegram.delivered}
    bubbles = Counter(
        (person.details.number, words)
        for person in crowd.people
        for words in (person.thanks, person.congratulation)
        for _ in range(person.read(words))
    )
    mails = sum(len(each) for each in mailbox.mails.values())
    lines: dict[str, object] = {
        "people": crowd.size,
        "seconds": f"{seconds:.1f}",
        "turns by webhook": len(first),
        "redeliveries": len(telegram.delivered) - len(first),
        "answers in the webhook's response": sum(call.response for call in telegram.calls),
        "calls of the Bot API": sum(not call.response for call in telegram.calls),
        "killed": len(VICTIMS),
        "502 or broken off at the balancer": running.balancer.broken,
        "pages asked for again": crowd.pages_again,
        "mails": mails,
        "mails that came twice": mails - len(mailbox.mails),
        "bubbles that came twice": sum(count - 1 for count in bubbles.values()),
    }
    return "".join(f"{what:36} {count}\n" for what, count in lines.items())


def tell(lines: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Leave the figures where they can be read, whatever comes of the run."""
    (ROOT / ".artifacts").mkdir(exist_ok=True)
    (ROOT / ".artifacts" / "chaos.txt").write_text(lines)
    with capsys.disabled():
        sys.stdout.write(f"\n{lines}")
