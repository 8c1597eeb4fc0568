"""Production under fire: every process is killed in turn and Redis is restarted while a crowd registers; nothing is lost.

200 people in the suite; CHAOS_USERS=2000 for the full run. The figures of a run are left in .artifacts/chaos.txt.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.redis_link import RedisLink
from bot.sessions import Sessions
from bot.stores.redis import RedisStore
from dialogs.session import Session
from tests.chaos.crowd import CANARIES, PASSWORD, PATIENCE, Crowd, Person, link_in
from tests.chaos.fleet import Fleet, fleet
from tests.chaos.mailbox import Mailbox
from tests.fakes.bot_api import FakeBotApi
from tests.product import ROOT

pytestmark = pytest.mark.journey

USERS = int(os.environ.get("CHAOS_USERS", "200"))
REDIS = "redis"
# Who is killed, in this order, at evenly spread moments of the crowd's progress.
VICTIMS = () if os.environ.get("CHAOS_CALM") else ("bot0", "web0", "worker0", "bot1", REDIS, "web1", "worker1", "bot2")


async def shoot(running: Fleet, crowd: Crowd) -> None:
    for shot, victim in enumerate(VICTIMS, 1):
        await crowd.reaches(shot / (len(VICTIMS) + 1))
        if victim == REDIS:
            await running.restart_redis()
        else:
            running.processes[victim].kill()


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


async def settled(running: Fleet, dialogs: Dialogs, people: list[Person]) -> None:
    """Wait until nothing remains to be told."""
    async with asyncio.timeout(PATIENCE):
        while await running.rows("SELECT id FROM events WHERE delivered_at IS NULL"):
            await asyncio.sleep(0.2)
        for person in people:
            while not await dialogs.at_rest(person):
                await asyncio.sleep(0.2)


async def test_a_crowd_registers_while_every_process_is_killed_in_turn(tmp_path: Path) -> None:
    async with FakeBotApi() as telegram, Mailbox() as mailbox, fleet(tmp_path, telegram, mailbox.url) as running:
        crowd = Crowd(telegram, mailbox, running.url, USERS)
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(shoot(running, crowd))
            group.create_task(crowd.registers())
        seconds = time.monotonic() - began
        async with dialogs_of(running) as dialogs:
            await settled(running, dialogs, crowd.people)
            kept = {person: await dialogs.session(person) for person in crowd.people}
        figures = await told(running, crowd, telegram, mailbox, seconds)
        assert running.kills == len(VICTIMS) - VICTIMS.count(REDIS)
        assert running.redis_restarts == VICTIMS.count(REDIS)
        assert {name: process.ended for name, process in running.processes.items() if process.ended[process.kills :]} == {}
        for person in crowd.people:
            stands(person, kept[person])
            mailed(person, mailbox)
        await recorded(running, crowd)
        logged(running, crowd, mailbox)
    (ROOT / ".artifacts").mkdir(exist_ok=True)
    (ROOT / ".artifacts" / "chaos.txt").write_text(figures)


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
    assert await running.rows("SELECT count(*) FROM mails WHERE state <> 'accepted'") == [(0,)]


def logged(running: Fleet, crowd: Crowd, mailbox: Mailbox) -> None:
    """No traceback, no error that nobody foresaw, and nothing of anybody's."""
    tokens = [link_in(mails[0]).rpartition("/")[2] for mails in mailbox.mails.values()]
    for name, process in running.processes.items():
        log = process.log
        assert "Traceback" not in log, f"{name}:\n{log}"
        entries = [json.loads(line) for line in log.splitlines()]
        assert [entry for entry in entries if entry["level"] in ("error", "critical")] == [], name
        lowered = log.lower()
        assert [canary for canary in (*CANARIES, PASSWORD.lower()) if canary in lowered] == [], name
        assert [token for token in tokens if token in log] == [], name


async def told(running: Fleet, crowd: Crowd, telegram: FakeBotApi, mailbox: Mailbox, seconds: float) -> str:
    """The figures of the run."""
    first = {each.update_id for each in telegram.delivered}
    bubbles = Counter(
        (person.details.number, words)
        for person in crowd.people
        for words in (person.thanks, person.congratulation)
        for _ in range(person.read(words))
    )
    mails = sum(len(each) for each in mailbox.mails.values())
    lines = {
        "people": crowd.size,
        "seconds": f"{seconds:.1f}",
        "turns by webhook": len(first),
        "redeliveries": len(telegram.delivered) - len(first),
        "answers in the webhook's response": sum(call.response for call in telegram.calls),
        "calls of the Bot API": sum(not call.response for call in telegram.calls),
        "processes killed": running.kills,
        "Redis restarted": running.redis_restarts,
        "502 or broken off at the balancer": running.balancer.broken,
        "pages asked for again": crowd.pages_again,
        "mails": mails,
        "mails that came twice": mails - len(mailbox.mails),
        "bubbles that came twice": sum(count - 1 for count in bubbles.values()),
    }
    return "".join(f"{what:36} {count}\n" for what, count in lines.items())
