"""Asked to stop, a process ends in order: what was answered is kept, what was begun ends, and its exit code says that all is well."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from akses.keyring import Keyring
from bot.channels.web.sessions import Sessions as Cookies
from bot.conversation import Conversation
from bot.sessions import Memory, Sessions
from bot.stores.embedded import EmbeddedStore
from tests.product import PATIENCE, ROOT, Product
from tests.redis_servers import redis_server
from tests.services import free_port

# A session may send 60 messages a minute, and 64 events of a conversation are remembered.
PEOPLE, MESSAGES = 8, 55


class Writer:
    """Somebody who writes and writes until the product is gone; keeps the ids of what was taken."""

    def __init__(self, product: Product) -> None:
        self.http = httpx2.Client(base_url=product.url, trust_env=False, timeout=PATIENCE)
        assert self.http.post("/chat/api/session", json={}).status_code == 200
        self.taken: list[str] = []
        self.faults: list[int] = []

    def write(self, under_way: threading.Semaphore) -> None:
        for turn in range(MESSAGES):
            with suppress(httpx2.TransportError):  # what was not answered was not promised
                answer = self.http.post("/chat/api/messages", json={"kind": "text", "id": f"m{turn}", "text": f"kata {turn}"})
                (self.taken if answer.status_code == 202 else self.faults).append(answer.status_code)
                if answer.status_code == 202:
                    self.taken[-1] = f"m{turn}"
                    under_way.release()
            # Slowly enough to be still at it when a bot stops, which goes on answering for two seconds.
            time.sleep(0.06)


class Kept:
    """The dialog store of a product that has ended, opened with its own keys."""

    def __init__(self, data_dir: Path) -> None:
        self._file = data_dir / "dialog.db"
        self._keyring = Keyring.parse(json.loads((data_dir / "secrets.json").read_text())["encryption_keys"])
        self._cookies = Cookies(self._keyring, https=False)

    def conversation(self, http: httpx2.Client) -> Conversation:
        found = self._cookies.conversation({self._cookies.cookie: http.cookies[self._cookies.cookie]})
        assert found is not None
        return found

    async def memory(self, conversation: Conversation) -> Memory:
        store = await EmbeddedStore.open(self._file)
        try:
            loaded = await store.load(str(conversation), 0.0)
        finally:
            await store.close()
        assert loaded.state is not None
        return Sessions(self._keyring).read(str(conversation), loaded.revision, loaded.state)


async def test_stopped_in_a_stream_of_messages_every_answered_one_is_in_the_store(tmp_path: Path) -> None:
    """Eight people write as fast as they can; in the middle of it the process is asked to stop."""
    with Product(tmp_path) as product:
        people = [Writer(product) for _ in range(PEOPLE)]
        under_way = threading.Semaphore(0)
        with ThreadPoolExecutor(PEOPLE) as pool:
            writing = [pool.submit(person.write, under_way) for person in people]
            for _ in range(3 * PEOPLE):
                assert under_way.acquire(timeout=PATIENCE)
            product.signal_to_stop()
            code = product.exit_code()
            for each in writing:
                each.result()
        assert code == 0
        assert product.faults == []
    kept = Kept(product.data_dir)
    for person in people:
        conversation = kept.conversation(person.http)
        memory = await kept.memory(conversation)
        assert person.taken
        assert [id_ for id_ in person.taken if not memory.knows(f"{conversation.channel}:{id_}")] == []
        assert person.faults == []
        person.http.close()
    assert sum(len(person.taken) for person in people) < PEOPLE * MESSAGES, "it was to be stopped in the middle"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_while_it_is_still_starting_it_ends_well(tmp_path: Path, number: signal.Signals) -> None:
    """The signal comes as soon as the port is held, which is before anything else is built."""
    with Product(tmp_path) as product:
        product.kill()
        with product.log_file.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "akses", "run"], cwd=ROOT, env=product.environment, stdout=log, stderr=log
            )
        try:
            while process.poll() is None and not reachable(product.port):
                pass
            process.send_signal(number)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
            process.wait()
        assert product.faults == []


def reachable(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_chat_page_that_is_open_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """Its stream of events ends as a stream ends; the page comes back by itself."""
    with Product(tmp_path) as product:
        ended = threading.Event()
        with httpx2.Client(base_url=product.url, trust_env=False, timeout=PATIENCE) as http:
            assert http.post("/chat/api/session", json={}).status_code == 200
            with http.stream("GET", "/chat/api/events") as stream:
                lines = stream.iter_lines()
                assert any(line == "event: ready" for line in lines)
                product.signal_to_stop()
                for _ in lines:
                    pass
                ended.set()
        assert product.exit_code() == 0
        assert ended.is_set()
        assert not [entry for entry in product.faults if "Cancel" in str(entry)]


def test_a_process_of_production_says_that_it_stops_while_it_still_answers(tmp_path: Path) -> None:
    """Who spreads the load finds `/readyz` at 503 on a new connection, and sends nobody there any more; requests are answered meanwhile."""
    with redis_server() as redis:
        port = free_port()
        environment = {
            "PATH": os.environ["PATH"],
            "DATA_DIR": str(tmp_path / "data"),
            "PORT": str(port),
            "REDIS_URL": redis.url,
            "BACKEND_URL": "http://127.0.0.1:1",
            "ENCRYPTION_KEYS": Keyring.generate(),
            "BACKEND_API_KEY": "key",
            "STATUS_WEBHOOK_SECRET": "whsec_Zm9vYmFyYmF6cXV4",
            "OPERATOR_NAME": "Sekuritas Contoh",
            "PUBLIC_URL": "http://localhost",
            "LOG_FORMAT": "json",
        }
        log = (tmp_path / "log").open("wb")
        process = subprocess.Popen([sys.executable, "-m", "akses", "bot"], cwd=ROOT, env=environment, stdout=log, stderr=log)
        with log, httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, headers={"Connection": "close"}) as http:
            try:
                while process.poll() is None and status(http, "/readyz") != 200:
                    pass
                process.send_signal(signal.SIGTERM)
                while (answer := status(http, "/readyz")) == 200:
                    pass
                assert answer == 503, (tmp_path / "log").read_text()
                assert http.post("/chat/api/session", json={}).status_code == 200
                assert status(http, "/healthz") == 200
                assert process.wait(PATIENCE) == 0
            finally:
                process.kill()
                process.wait()


def status(http: httpx2.Client, path: str) -> int:
    """0 where nobody listens."""
    try:
        return http.get(path).status_code
    except httpx2.TransportError:
        return 0
