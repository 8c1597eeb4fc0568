"""ENCRYPTION_KEYS rotated while people register: three rolling steps on Redis and PostgreSQL, and nobody loses anything.

Two of everything serve side by side, of which one has the step's new keyring already; each person is served by both in turn. The steps
are those of docs/runbook.md.
"""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest
from starlette.applications import Starlette

import backend
from akses.keyring import Keyring, SealBroken
from backend.accounts import Account
from backend.services import Role
from backend_client.client import BackendClient
from bot import status_webhook
from bot.conversation import Conversation
from bot.redis_link import RedisLink
from bot.stores.redis import RedisStore
from dialogs.effects import Show
from dialogs.events import ButtonPressed, CommandSent, Event, Started, TextSent
from tests.backend.stage import API_KEY, PASSWORD, SECRET, Clock, SmtpSink, Stage, parsed, served, stage_on, token_in, until
from tests.bot.test_turns import Bot, Screenful
from tests.redis_servers import redis_server
from tests.services import fresh_database, postgres_cluster

NAMES = ("k2025", "k2026", "index", "index2026")
OLD, NEW, INDEX, INDEX2 = (f"{name}:{base64.b64encode(os.urandom(32)).decode()}" for name in NAMES)
BEFORE = Keyring.parse(f"{OLD},{INDEX}")
USES = Keyring.parse(f"{NEW},{OLD},{INDEX}")
# What everybody knows, then uses, and what is left in the end: of the key that seals, and of the one that looks up.
STEPS = {
    "the sealing key": (Keyring.parse(f"{OLD},{NEW},{INDEX}"), USES, Keyring.parse(f"{NEW},{INDEX}")),
    "the index key": tuple(Keyring.parse(f"{OLD},{indexes}") for indexes in (f"{INDEX},{INDEX2}", f"{INDEX2},{INDEX}", INDEX2)),
}


@dataclass(eq=False)
class Person:
    number: int
    chat: Conversation
    acts: int = 0
    answers: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.email = f"orang{self.number}@example.com"
        self.answers = (
            f"Orang {'ABCDEFG'[self.number]}",
            f"31712345019{self.number + 1:05}",
            f"08123456700{self.number}",
            self.email,
        )


class Chats:
    """People, and what each of them sees."""

    def __init__(self) -> None:
        self.screens = Screenful()
        self.people: list[Person] = []

    def comes(self) -> None:
        number = len(self.people)
        self.people.append(Person(number, Conversation("web", f"orang-{number}")))

    def shown(self, person: Person) -> Show | None:
        mine = [each for to, _, each in self.screens.got if to == person.chat.address and isinstance(each, Show)]
        return mine[-1] if mine else None

    def next(self, person: Person) -> Event | None:
        """What leads to the thank-you; None when nothing does but waiting."""
        shown = self.shown(person)
        if shown is None:
            return Started()
        screen = shown.screen
        if screen.step in (fields := ("full_name", "nik", "phone", "email")):
            return TextSent(person.answers[fields.index(screen.step)], f"m{person.acts}")
        actions = {action.id for action in screen.actions}
        press = next((each for each in ("agree", "kind.individu_lokal", "activate", "confirm") if each in actions), None)
        return ButtonPressed(screen.token, press) if press else None


@pytest.fixture
def database() -> Iterator[str]:
    with postgres_cluster() as cluster, fresh_database(cluster, "rotation") as url:
        backend.migrate(url)
        yield url


@asynccontextmanager
async def side_by_side(
    database: str, redis_url: str, smtp: SmtpSink, chats: Chats, clock: Clock, keyrings: tuple[Keyring, Keyring]
) -> AsyncIterator[tuple[list[Bot], list[Stage]]]:
    """Two bots on one Redis and two backends on one PostgreSQL, over HTTP; the first backend does the durable work too."""
    async with AsyncExitStack() as stack:
        chat_side = Starlette()
        hook = await stack.enter_async_context(served(chat_side))
        bots: list[Bot] = []
        stages: list[Stage] = []
        roles: tuple[Role, Role] = ("all", "web")
        for keyring, role in zip(keyrings, roles, strict=True):
            stage = await stack.enter_async_context(
                stage_on(database, keyring, role=role, smtp=smtp, status_webhook_url=f"{hook}/status/webhook")
            )
            client = await stack.enter_async_context(BackendClient(str(stage.http.base_url).rstrip("/"), api_key=API_KEY))
            link = await RedisLink.open(redis_url)
            stack.push_async_callback(link.close)
            stages.append(stage)
            bots.append(Bot(RedisStore(link), clock, chats.screens, client, keyring))
        chat_side.router.routes += status_webhook.routes(bots[1].turns, (SECRET,))
        yield bots, stages


@pytest.mark.parametrize("which", STEPS)
async def test_the_key_is_rotated_while_people_register_and_nobody_loses_anything(database: str, which: str) -> None:
    chats, clock = Chats(), Clock()
    knows, uses, left = STEPS[which]
    # The keyrings of the two processes that serve side by side, one replaced after the other.
    rolling = ((BEFORE, BEFORE), (BEFORE, knows), (knows, knows), (knows, uses), (uses, uses))
    async with AsyncExitStack() as stack:
        redis, smtp = stack.enter_context(redis_server()), SmtpSink()
        await smtp.open()
        stack.push_async_callback(smtp.close)
        for keyrings in rolling:
            chats.comes()
            async with side_by_side(database, redis.url, smtp, chats, clock, keyrings) as (bots, _):
                for turn in range(4):
                    for person in chats.people:
                        if (event := chats.next(person)) is not None:
                            person.acts += 1
                            await bots[(person.number + turn) % 2].happens(event, f"{person.number}-{person.acts}", person.chat)
                    for bot in bots:
                        await bot.settles()
                # From the greeting to the thank-you in eight acts, whatever the keys.
                done = [person.email for person in chats.people if person.acts == 8]
                await until(lambda done=done: len(smtp.taken) >= len(done))
        assert [person.acts for person in chats.people] == [8, 8, 8, 8, 4]
        mails = {str(mail["To"]): mail for mail in map(parsed, smtp.taken)}
        assert sorted(mails) == sorted(done)
        async with side_by_side(database, redis.url, smtp, chats, clock, (uses, uses)) as (bots, stages):
            # Links mailed under the old key open, the chats hear of it, and everybody can log in.
            for person in chats.people[:4]:
                await stages[1].activate(token_in(mails[person.email]))
                await until(lambda person=person: (shown := chats.shown(person)) and shown.screen.step == "active")
                account = await stages[1].backend.accounts.authenticate(person.email, PASSWORD, ip="192.0.2.1")
                assert isinstance(account, Account)
                assert account.email == person.email
            await bots[0].happens(CommandSent("status"), "4-status", chats.people[4].chat)
        # Without the old key: every conversation that was in use since is whole.
        link = await RedisLink.open(redis.url)
        stack.push_async_callback(link.close)
        after = Bot(RedisStore(link), clock, chats.screens, None, left)
        assert [await after.step(person.chat) for person in chats.people] == ["active"] * 4 + ["nik"]


async def test_a_value_under_a_key_that_is_not_in_the_list_is_refused_and_left_as_it_is() -> None:
    """Steps taken in the wrong order: an older process meets what a newer one has sealed. The event comes again, and nothing is lost."""
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(redis_server())
        link = await RedisLink.open(redis.url)
        stack.push_async_callback(link.close)
        chats, clock, store = Chats(), Clock(), RedisStore(link)
        chats.comes()
        (person,) = chats.people
        late, early = (Bot(store, clock, chats.screens, None, keyring) for keyring in (BEFORE, USES))
        await early.happens(Started(), "1", person.chat)
        kept = await store.load(str(person.chat), 0.0)
        press = chats.next(person)
        assert press is not None
        with pytest.raises(SealBroken):
            await late.happens(press, "2", person.chat)
        assert await store.load(str(person.chat), 0.0) == kept
        await early.happens(press, "2", person.chat)
        assert await early.step(person.chat) == "kind"
