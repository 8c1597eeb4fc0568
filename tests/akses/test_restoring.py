"""What docs/runbook.md says of restoring: PostgreSQL from a dump of some time ago, and Redis with nothing left."""

from __future__ import annotations

import subprocess
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import redis

import backend
from akses.keyring import Keyring
from backend.accounts import Account
from backend_client.client import BackendClient
from backend_client.fake import FakeBackend
from bot.conversation import Conversation
from bot.redis_link import RedisLink
from bot.stores.redis import RedisStore
from dialogs.effects import Say, Show
from dialogs.events import ActivationChanged, ButtonPressed, Started, TextSent
from tests.backend.stage import API_KEY, PASSWORD, Clock, SmtpSink, Stage, parsed, stage_on, token_in, until
from tests.bot.test_turns import Bot, Screenful
from tests.redis_servers import redis_server
from tests.services import fresh_database, postgres_cluster, postgres_programs

KEYS = Keyring.parse(Keyring.generate())
CHATS = [Conversation("web", f"orang-{number}") for number in range(3)]


def somebody(number: int) -> tuple[str, ...]:
    return (f"Orang {'ABC'[number]}", f"31712345019{number + 1:05}", f"08123456700{number}", f"orang{number}@example.com")


async def registers(bot: Bot, number: int, stage: Stage) -> None:
    """From the greeting to the thank-you, and the mail."""
    chat, answers, mails = CHATS[number], somebody(number), len(stage.smtp.taken)
    await bot.happens(Started(), f"{number}-start", chat)
    for act in ("agree", "kind.individu_lokal", *answers, "activate"):
        event = TextSent(act) if act in answers else ButtonPressed(shown(bot, chat).screen.token, act)
        await bot.happens(event, f"{number}-{act}", chat)
    await bot.settles()
    assert await bot.step(chat) == "pending"
    await until(lambda: len(stage.smtp.taken) > mails)


def shown(bot: Bot, chat: Conversation) -> Show:
    return [each for to, _, each in bot.channel.got if to == chat.address and isinstance(each, Show)][-1]


def link(smtp: SmtpSink, number: int) -> str:
    (mail,) = (mail for mail in map(parsed, smtp.taken) if mail["To"] == somebody(number)[3])
    return token_in(mail)


async def test_a_dump_restored_into_an_empty_database_brings_back_all_that_was_in_it(tmp_path: Path) -> None:
    """One is active and one waits when the dump is made; a third registers after it."""
    programs = postgres_programs()
    assert programs is not None
    dump, clock, screens = tmp_path / "accounts.dump", Clock(), Screenful()
    async with AsyncExitStack() as stack:
        cluster = stack.enter_context(postgres_cluster())
        lost = stack.enter_context(fresh_database(cluster, "lost"))
        restored = stack.enter_context(fresh_database(cluster, "restored"))
        server = stack.enter_context(redis_server())
        smtp = SmtpSink()
        await smtp.open()
        stack.push_async_callback(smtp.close)
        link_ = await RedisLink.open(server.url)
        stack.push_async_callback(link_.close)
        backend.migrate(lost)
        async with stage_on(lost, KEYS, smtp=smtp) as stage, BackendClient(url_of(stage), api_key=API_KEY) as client:
            bot = Bot(RedisStore(link_), clock, screens, client, KEYS)
            await registers(bot, 0, stage)
            await stage.activate(link(smtp, 0))
            await registers(bot, 1, stage)
            run(programs / "pg_dump", "--format=custom", f"--file={dump}", lost)
            await registers(bot, 2, stage)
        run(programs / "pg_restore", "--no-owner", "--exit-on-error", f"--dbname={restored}", str(dump))
        backend.migrate(restored)
        async with stage_on(restored, KEYS, smtp=smtp) as stage, BackendClient(url_of(stage), api_key=API_KEY) as client:
            account = await stage.backend.accounts.authenticate(somebody(0)[3], PASSWORD, ip="192.0.2.1")
            assert isinstance(account, Account)
            await stage.activate(link(smtp, 1))
            account = await stage.backend.accounts.authenticate(somebody(1)[3], PASSWORD, ip="192.0.2.1")
            assert isinstance(account, Account)
            # The third one's registration is gone: the chat learns it when it asks for another mail.
            bot = Bot(RedisStore(link_), clock, screens, client, KEYS)
            clock.moved += timedelta(minutes=30)
            await bot.happens(ButtonPressed(shown(bot, CHATS[2]).screen.token, "resend"), "2-resend", CHATS[2])
            await bot.settles()
            said = [each.text for to, _, each in screens.got if to == CHATS[2].address and isinstance(each, Say)]
            assert "tidak dapat dilakukan" in said[-1]


async def test_with_nothing_left_of_redis_people_begin_anew_and_what_the_backend_tells_is_taken_quietly() -> None:
    clock, screens = Clock(), Screenful()
    with redis_server() as server:
        link_ = await RedisLink.open(server.url)
        bot = Bot(RedisStore(link_), clock, screens, FakeBackend(clock=clock), KEYS)
        await bot.happens(Started(), "1", CHATS[0])
        await bot.happens(ButtonPressed(shown(bot, CHATS[0]).screen.token, "agree"), "2", CHATS[0])
        before = shown(bot, CHATS[0]).screen
        with redis.Redis.from_url(server.url) as client:
            client.flushall()
        # A button of a screen that nobody remembers is answered with the beginning; so is whatever they write.
        await bot.happens(ButtonPressed(before.token, "kind.individu_lokal"), "3", CHATS[0])
        assert shown(bot, CHATS[0]).screen.step == "consent"
        # News of a registration that the chat has forgotten: taken, and nothing said.
        count = len(screens.got)
        await bot.happens(ActivationChanged("reg_of_before", "active", clock()), "4", CHATS[1])
        assert len(screens.got) == count
        await link_.close()


def url_of(stage: Stage) -> str:
    return str(stage.http.base_url).rstrip("/")


def run(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
