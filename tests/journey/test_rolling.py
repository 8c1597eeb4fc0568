"""A rolling deploy: bot processes of two versions of the session serve the same Redis side by side, and people notice nothing.

The newer version is this source with one change, in a folder of its own and in processes of its own.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx2
import msgspec
import pytest

from akses.keyring import Keyring
from bot.redis_link import RedisLink
from bot.sessions import _LENGTH_BYTES
from bot.stores.redis import RedisStore
from dialogs.session import VERSION
from tests.backend.stage import API_KEY, SECRET, Stage, stage_on
from tests.journey.people import WebPerson
from tests.product import PATIENCE, ROOT, Product
from tests.redis_servers import redis_server
from tests.services import free_port

pytestmark = pytest.mark.journey

PACKAGES = ("akses", "backend", "backend_client", "bot", "design", "dialogs", "helpdesk")
KEYS = Keyring.generate()


def newer(folder: Path, version: tuple[int, int], *, upcaster: str = "") -> Path:
    """The source of tomorrow: a field appended to Session that counts the screens which this version has shown."""
    code = folder / "newer"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, code / package, ignore=shutil.ignore_patterns("__pycache__"))
    change(code / "dialogs/session.py", r"^VERSION: Final = .*$", f"VERSION: Final = {version}")
    change(code / "dialogs/session.py", r"^(    def registration\(self, id_)", r"    tomorrow: int = 0\n\n\1")
    change(
        code / "dialogs/machine.py", r"serial=session\.serial \+ 1", "serial=session.serial + 1, tomorrow=session.tomorrow + 1"
    )
    if upcaster:
        change(code / "dialogs/upcasters.py", r"^(UPCASTERS: .* = )\{", rf"\1{{{upcaster}, ")
    return code


def change(file: Path, what: str, into: str) -> None:
    changed, count = re.subn(what, into, file.read_text(), flags=re.MULTILINE)
    assert count == 1, f"{file.name} has changed its shape: {what}"
    file.write_text(changed)


@dataclass
class Deploy:
    """A process of today's version and one of tomorrow's, with a backend that both speak to."""

    old: Product
    new: Product
    stage: Stage
    redis_url: str

    async def kept(self) -> list[list[object]]:
        """Every session as it lies in Redis, its fields in their order."""
        keyring, link = Keyring.parse(KEYS), await RedisLink.open(self.redis_url)
        try:
            found = []
            for key in await link.do("KEYS", "akses:*:c:web:*"):
                name = key.decode().partition(":c:")[2]
                loaded = await RedisStore(link).load(name, time.time())
                assert loaded.state is not None
                plain = keyring.open(loaded.state, f"session {name} {loaded.revision}".encode())
                found.append(msgspec.msgpack.decode(plain[_LENGTH_BYTES + int.from_bytes(plain[:_LENGTH_BYTES]) :]))
            return found
        finally:
            await link.close()


@asynccontextmanager
async def deploy(tmp_path: Path, code: Path) -> AsyncIterator[Deploy]:
    ports = {"old": free_port(), "new": free_port()}
    hook = f"http://127.0.0.1:{ports['old']}/status/webhook"
    with redis_server() as redis:
        async with stage_on(f"sqlite:///{tmp_path}/accounts.db", Keyring.parse(KEYS), status_webhook_url=hook) as stage:
            settings = {
                "REDIS_URL": redis.url,
                "BACKEND_URL": str(stage.http.base_url).rstrip("/"),
                "BACKEND_API_KEY": API_KEY,
                "STATUS_WEBHOOK_SECRET": SECRET,
                "ENCRYPTION_KEYS": KEYS,
                "OPERATOR_NAME": "PT Contoh Sekuritas",
                "PUBLIC_URL": "http://localhost",
            }
            made = {}
            for name, port in ports.items():
                (tmp_path / name).mkdir()
                made[name] = Product(
                    tmp_path / name, command="bot", code=ROOT if name == "old" else code, PORT=str(port), **settings
                )
            try:
                for product in made.values():
                    await anyio.to_thread.run_sync(product.start)
                yield Deploy(made["old"], made["new"], stage, redis.url)
            finally:
                for product in made.values():
                    product.kill()


async def does(person: WebPerson, at: Product, act: Callable[[], object]) -> None:
    """Something that a person does, by way of this process."""
    person.url = at.url
    await anyio.to_thread.run_sync(act)


def of_both(deployed: Deploy) -> Iterator[Product]:
    while True:
        yield deployed.new
        yield deployed.old


async def test_a_newer_minor_version_and_this_one_serve_the_same_people_in_turn(tmp_path: Path) -> None:
    code = newer(tmp_path, (VERSION[0], VERSION[1] + 1))
    async with deploy(tmp_path, code) as deployed:
        person, turns = WebPerson(deployed.new.url), of_both(deployed)
        await does(person, next(turns), person.opens)
        for kind, what in person.details.steps:
            await does(person, next(turns), lambda kind=kind, what=what: person.does(kind, what))
        await does(person, deployed.old, lambda: person.sees("pending"))
        token = await deployed.stage.smtp.token()
        await deployed.stage.activate(token)
        await does(person, deployed.new, lambda: person.sees("active"))
        (session,) = await deployed.kept()
        # The greeting is one screen; the rest by turns. What either process drew of the news is counted where it was the newer one.
        assert session[-1] >= len(person.details.steps) // 2, "the older version forgot what the newer one had noted"
        assert len({line for line in person.read if "Terima kasih sudah" in line}) == 1
        assert (deployed.old.faults, deployed.new.faults) == ([], [])


async def test_a_session_of_a_newer_major_version_is_left_alone_by_this_one_and_goes_on_with_the_newer(tmp_path: Path) -> None:
    """Asked by way of the older process the person is told to try again in a moment; nothing of theirs is touched."""
    major = VERSION[0]
    code = newer(tmp_path, (major + 1, 0), upcaster=f"{major}: lambda plain: [[{major + 1}, 0], *plain[1:]]")
    async with deploy(tmp_path, code) as deployed:
        person = WebPerson(deployed.old.url)
        steps = iter(person.details.steps)
        await does(person, deployed.old, person.opens)
        for at in (deployed.old, deployed.old, deployed.new):
            kind, what = next(steps)
            await does(person, at, lambda kind=kind, what=what: person.does(kind, what))
        kind, what = next(steps)
        message, before = person.composes(kind, what), await deployed.kept()
        assert before[0][0] == [major + 1, 0]
        person.url = deployed.old.url
        answer = await anyio.to_thread.run_sync(lambda: refused(person, message))
        assert answer.status_code == 503
        assert "retry-after" in answer.headers
        assert await deployed.kept() == before
        await does(person, deployed.new, lambda: person.sends(message))
        for kind, what in steps:
            await does(person, deployed.new, lambda kind=kind, what=what: person.does(kind, what))
        # What the older process takes out of the outbox comes back when its time there is over; the news that it refuses are told again.
        await does(person, deployed.new, lambda: person.sees("pending"))
        assert (await deployed.stage.smtp.mails(1))[0]
        assert len(deployed.stage.smtp.taken) == 1
        assert (deployed.old.faults, deployed.new.faults) == ([], [])


def refused(person: WebPerson, message: dict[str, object]) -> httpx2.Response:
    with httpx2.Client(base_url=person.url, trust_env=False, timeout=PATIENCE, headers={"Cookie": person.cookie}) as client:
        return client.post("/chat/api/messages", json={**message, "since": person.cursor})
