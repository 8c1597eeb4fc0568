"""Asked to stop in the middle of their work, the processes of production end in order: no turn, no registration and no mail is lost."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

import backend
from akses.keyring import Keyring
from bot.channels.web.sessions import Sessions as Cookies
from bot.redis_link import RedisLink
from bot.sessions import Sessions
from bot.stores.redis import RedisStore
from tests.akses.test_stopping import MESSAGES, PEOPLE, Writer
from tests.backend.stage import API_KEY, BODY, SECRET, SmtpSink, parsed, stage_on, until
from tests.product import PATIENCE, Product
from tests.redis_servers import redis_server
from tests.services import fresh_database, postgres_cluster

KEYS = Keyring.generate()
MAILS = 100  # more than a worker sends at a time
SETTINGS = {
    "ENCRYPTION_KEYS": KEYS,
    "BACKEND_API_KEY": API_KEY,
    "STATUS_WEBHOOK_SECRET": SECRET,
    "STATUS_WEBHOOK_URL": "http://127.0.0.1:9/status/webhook",  # nobody listens: these events wait
    "OPERATOR_NAME": "Sekuritas Contoh",
    "PUBLIC_URL": "http://localhost",
}


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgres_cluster() as cluster, fresh_database(cluster, "stopping") as url:
        backend.migrate(url)
        yield url


def somebody(number: int) -> dict[str, Any]:
    return BODY | {"nik": f"31740957089{number:05}", "email": f"orang{number}@example.com", "reference": f"web:orang-{number}"}


async def test_a_bot_in_a_stream_of_messages_keeps_every_answered_one(tmp_path: Path) -> None:
    with redis_server() as redis:
        settings = {"REDIS_URL": redis.url, "BACKEND_URL": "http://127.0.0.1:1", **SETTINGS}
        with Product(tmp_path, command="bot", **settings) as bot:
            people = [Writer(bot) for _ in range(PEOPLE)]
            await asyncio.to_thread(stopped_in_the_middle, bot, [person.write for person in people])
            assert bot.faults == []
        keyring, link = Keyring.parse(KEYS), await RedisLink.open(redis.url)
        cookies, store = Cookies(keyring, https=False), RedisStore(link)
        for person in people:
            conversation = cookies.conversation({cookies.cookie: person.http.cookies[cookies.cookie]})
            assert conversation is not None
            loaded = await store.load(str(conversation), 0.0)
            assert loaded.state is not None
            memory = Sessions(keyring).read(str(conversation), loaded.revision, loaded.state)
            assert person.taken
            assert [id_ for id_ in person.taken if not memory.knows(f"{conversation.channel}:{id_}")] == []
            assert person.faults == []
            person.http.close()
        await link.close()
        assert sum(len(person.taken) for person in people) < PEOPLE * MESSAGES, "it was to be stopped in the middle"


def stopped_in_the_middle(product: Product, works: list[Any]) -> None:
    """Everybody works as fast as they can; after a few answers each the process is asked to stop."""
    under_way = threading.Semaphore(0)
    with ThreadPoolExecutor(len(works)) as pool:
        working = [pool.submit(work, under_way) for work in works]
        for _ in range(3 * len(works)):
            assert under_way.acquire(timeout=PATIENCE)
        product.signal_to_stop()
        assert product.exit_code() == 0
        for each in working:
            each.result()


def test_a_web_process_in_a_stream_of_registrations_keeps_every_answered_one(tmp_path: Path, database: str) -> None:
    answered: list[str] = []
    faults: list[int] = []

    def registers(first: int, under_way: threading.Semaphore) -> None:
        headers = {"Authorization": f"Bearer {API_KEY}"}
        with httpx2.Client(base_url=web.url, trust_env=False, timeout=PATIENCE, headers=headers) as http:
            for number in range(first, first + 200):
                try:
                    answer = http.post(
                        "/api/v1/registrations", json=somebody(number), headers={"Idempotency-Key": f"key-{number:06}"}
                    )
                except httpx2.TransportError:
                    return  # what was not answered was not promised: the bot asks again, under the same key
                if answer.status_code == 202:
                    answered.append(answer.json()["id"])
                    under_way.release()
                else:
                    faults.append(answer.status_code)

    with Product(tmp_path, command="web", DATABASE_URL=database, SMTP_URL="smtp://127.0.0.1:9", **SETTINGS) as web:
        stopped_in_the_middle(web, [lambda under_way, first=1000 * each: registers(first, under_way) for each in range(1, 5)])
        assert web.faults == []
    assert faults == []
    with psycopg.connect(database) as conn:
        kept = {id_ for (id_,) in conn.execute("SELECT id FROM registrations").fetchall()}
        jobs = conn.execute("SELECT count(*) FROM dbos.workflow_status WHERE name = 'send_mail'").fetchone()
    assert set(answered) <= kept
    assert len(answered) < 800, "it was to be stopped in the middle"
    assert jobs is not None
    assert jobs[0] == len(kept), "a mail for each, written with it"


class Slow(SmtpSink):
    """Takes its time for a mail."""

    begun = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        self.begun += 1
        await asyncio.sleep(0.2)
        return await super().handle_DATA(server, session, envelope)


async def test_a_worker_ends_what_it_has_begun_and_another_does_the_rest_at_once(tmp_path: Path) -> None:
    smtp = Slow()
    await smtp.open()
    with postgres_cluster() as cluster, fresh_database(cluster, "worker") as url:
        await asyncio.to_thread(backend.migrate, url)
        async with stage_on(url, Keyring.parse(KEYS), role="web", smtp=smtp, status_webhook_url="") as stage:
            for number in range(MAILS):
                assert (await stage.post(**somebody(number))).status_code == 202
        settings = {"DATABASE_URL": url, "SMTP_URL": smtp.url, **SETTINGS}
        for folder in ("first", "second"):
            (tmp_path / folder).mkdir()
        first, second = (Product(tmp_path / name, command="worker", **settings) for name in ("first", "second"))
        try:
            await asyncio.to_thread(first.start)
            await until(lambda: smtp.begun >= 3, seconds=PATIENCE)
            first.signal_to_stop()
            assert await asyncio.to_thread(first.exit_code) == 0
            assert first.faults == []
            assert smtp.begun == len(smtp.taken) < MAILS, "what was begun was ended, and nothing else was begun"
            await asyncio.to_thread(second.start)
            await until(lambda: len(smtp.taken) >= MAILS, seconds=PATIENCE)
            second.signal_to_stop()
            assert await asyncio.to_thread(second.exit_code) == 0
        finally:
            first.kill()
            second.kill()
        sent = Counter(str(parsed(envelope)["Message-ID"]) for envelope in smtp.taken)
        assert len(sent) == MAILS
        assert set(sent.values()) == {1}, "no mail twice"
    await smtp.close()
