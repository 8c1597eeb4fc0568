"""The whole product beside Chatwoot: somebody in the web chat and an agent who never sees anything but Chatwoot, through a hand-off, its
way back, a second one, a kill -9, and Chatwoot being away; and nothing of the person in anything that Chatwoot was ever sent.
"""

from __future__ import annotations

import asyncio
import re
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backend.stage import until
from tests.fakes.chatwoot import FakeChatwoot, Talk
from tests.journey.people import Details, WebPerson
from tests.product import PATIENCE, ROOT, Product
from tests.services import free_port

pytestmark = pytest.mark.journey

PERSON = Details()


async def command(product: Product, *words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "akses", *words, cwd=ROOT, env=product.environment, stdout=PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()


async def comes(look: Callable[[], bool]) -> None:
    await until(lambda: look() or None, seconds=PATIENCE)


def with_chatwoot(fake: FakeChatwoot, folder: Path, **more: str) -> Product:
    port = free_port()
    fake.webhook_url = f"http://localhost:{port}/helpdesk/chatwoot"
    return Product(
        folder,
        PORT=str(port),
        PUBLIC_URL=f"http://localhost:{port}",
        CHATWOOT_URL=fake.url,
        CHATWOOT_ACCOUNT=str(fake.account),
        CHATWOOT_INBOX=str(fake.inbox),
        CHATWOOT_TOKEN=fake.token,
        CHATWOOT_API_TOKEN=fake.api_token,
        CHATWOOT_SECRET=fake.secret,
        **more,
    )


async def test_an_agent_in_chatwoot_helps_twice_and_nothing_of_the_person_is_ever_there(tmp_path: Path) -> None:
    async with FakeChatwoot() as fake:
        product = with_chatwoot(fake, tmp_path)
        try:
            await asyncio.to_thread(product.start)
            await command(product, "agents", "add", "rina@contoh.id", "--name", "Rina", "--role", "agent")
            assert "ok  chatwoot: Chatwoot answers" in await command(product, "doctor")
            rina, ratna = fake.user("Rina", "rina@contoh.id"), WebPerson(product.url)
            await asyncio.to_thread(ratna.opens)
            for kind, what in ratna.details.steps[:4]:
                await asyncio.to_thread(ratna.does, kind, what)
            await asyncio.to_thread(ratna.sees, "phone")

            await asyncio.to_thread(ratna.does, "say", "petugas")
            first = await conversation(fake)
            assert "Ratna D." in first.notes()[0]
            await asyncio.to_thread(
                ratna.does, "say", f"Saya {PERSON.name}, NIK {PERSON.nik}, hp {PERSON.phone}, mail {PERSON.email}"
            )
            await comes(lambda: len(first.public()) == 1)
            reply = rina.replies(first, "Selamat siang **Ibu**,\\\nnomor mana saja boleh.")
            await asyncio.to_thread(ratna.hears, "Selamat siang Ibu,\nnomor mana saja boleh.")
            await comes(lambda: reply.status == "delivered" and first.assignee == rina.id)

            rina.sets(first, "pending")
            await asyncio.to_thread(ratna.hears, "Rina mengembalikan percakapan ini")
            await asyncio.to_thread(ratna.sees, "phone")
            await comes(lambda: first.status == "resolved")
            await asyncio.to_thread(ratna.does, "say", PERSON.phone)
            await asyncio.to_thread(ratna.sees, "email")

            await asyncio.to_thread(ratna.does, "say", "petugas")
            await comes(lambda: fake.newest is not first)
            second = await conversation(fake)
            assert second.contact == first.contact
            with fake.holding():
                # Chatwoot says nothing for a while, and nobody waits for it; then the product dies in the middle.
                await asyncio.to_thread(ratna.does, "say", "Alamat e-mail kantor boleh?")
                await asyncio.to_thread(product.kill_and_start)
                await asyncio.to_thread(ratna.does, "say", "Halo?")
            await comes(lambda: "> Halo?" in second.public())
            rina.replies(second, "Boleh, Ibu.")
            await asyncio.to_thread(ratna.hears, "Boleh, Ibu.")
            rina.labels(second, "resolved")
            rina.sets(second, "resolved")
            await comes(lambda: any("Rina menutup percakapan: Terselesaikan" in note for note in second.notes()))
            assert second.public() in (
                ["> Alamat e-mail kantor boleh?", "> Halo?", "< Boleh, Ibu."],
                ["> Alamat e-mail kantor boleh?", "> Alamat e-mail kantor boleh?", "> Halo?", "< Boleh, Ibu."],
            ), "a crash repeats at most the one call whose answer was not written down"
            await asyncio.to_thread(ratna.looks)
            assert sum("Boleh, Ibu." in line for line in ratna.read) == 1
            heard = "\n".join(f"{each.path}?{each.query} {each.body.decode()}" for each in fake.heard)
            for value in (
                PERSON.name,
                PERSON.nik,
                PERSON.phone,
                PERSON.email,
                re.sub(r"\D", "", PERSON.phone),
                *PERSON.name.split()[1:],
            ):
                assert value not in heard, value
            for secret in (fake.token, fake.api_token, fake.secret, "Selamat siang"):
                assert secret not in product.log, secret
            assert not product.faults, product.faults
        finally:
            await asyncio.to_thread(product.kill)


async def conversation(fake: FakeChatwoot) -> Talk:
    await comes(
        lambda: bool(fake.talks) and fake.newest.status == "open" and fake.newest.custom_attributes["akses_version"] >= 0
    )
    return fake.newest
