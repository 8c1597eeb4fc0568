"""Keys are rotated while the product runs: step by step, beside writers, to be stopped and begun again, and then the old key may go."""

from __future__ import annotations

import asyncio
import base64
import os

import pytest

from akses.keyring import Keyring, SealBroken
from backend import rotation
from backend.activation import Activated, LinkLive
from backend.tables import registrations
from tests.backend.stage import PASSWORD, Stage, stage_on, token_in


def rings() -> tuple[Keyring, Keyring, Keyring]:
    """The old key alone, both with the new one first, the new one alone; one index key."""
    old, new, index = (base64.b64encode(os.urandom(32)).decode() for _ in range(3))
    return (
        Keyring.parse(f"old:{old},index:{index}"),
        Keyring.parse(f"new:{new},old:{old},index:{index}"),
        Keyring.parse(f"new:{new},index:{index}"),
    )


async def people(stage: Stage, count: int) -> list[str]:
    """Pending registrations' tokens."""
    for number in range(count):
        await stage.register(email=f"p{number}@example.com", nik=f"31740957089000{number:02}")
    return [token_in(mail) for mail in await stage.smtp.mails(count)]


async def test_after_a_rotation_the_old_key_may_go(database_url: str) -> None:
    before, both, after = rings()
    async with stage_on(database_url, before) as stage:
        tokens = await people(stage, 3)
        assert isinstance(await stage.activate(tokens[0]), Activated)
        stage.smtp.answers.extend(["451 busy"] * 9)
        await stage.register(email="waits@example.com", nik="3174095708900077")
    async with stage_on(database_url, both, role="web") as stage:
        left = await stage.backend.rotation.left()
        assert left >= 4 + 3 * 4 + 1
        heard: list[int] = []
        done = await stage.backend.rotation.run(heard.append)
        assert (done.resealed, done.unreadable, done.left) == (left, 0, 0)
        assert heard[-1] == left
        again = await stage.backend.rotation.run()
        assert (again.resealed, again.left) == (0, 0)
        assert (await stage.backend.audit.verify()).holds
    async with stage_on(database_url, after) as stage:
        assert await stage.backend.rotation.left() == 0
        waited = await stage.smtp.token()
        assert isinstance(await stage.activate(waited), Activated), "also the token of a mail that waited"
        assert isinstance(await stage.activate(tokens[1]), Activated)
        found = await stage.backend.accounts.authenticate("p0@example.com", PASSWORD, ip="192.0.2.1")
        assert getattr(found, "email", "") == "p0@example.com"


async def test_it_goes_on_where_it_was_stopped(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "BATCH", 2)
    before, both, _ = rings()
    async with stage_on(database_url, before, role="web") as stage:
        for number in range(5):
            await stage.register(email=f"p{number}@example.com")
    async with stage_on(database_url, both, role="web") as stage:
        whole = await stage.backend.rotation.left()

        class Stopped(Exception):
            pass

        def stop(_: int) -> None:
            raise Stopped

        with pytest.raises(Stopped):
            await stage.backend.rotation.run(stop)
        left = await stage.backend.rotation.left()
        assert 0 < left < whole
        done = await stage.backend.rotation.run()
        assert (done.resealed, done.left) == (left, 0)


async def test_people_who_come_meanwhile_lose_nothing(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "BATCH", 1)
    before, both, after = rings()
    async with stage_on(database_url, before, role="web") as stage:
        made = [await stage.register(email=f"p{number}@example.com") for number in range(8)]
    async with stage_on(database_url, both, role="web") as stage:
        stage.keys = 100
        moved = [stage.put_email(one["id"], f"moved{number}@example.com") for number, one in enumerate(made)]
        done, *answers = await asyncio.gather(stage.backend.rotation.run(), *moved)
        assert {answer.status_code for answer in answers} == {202}
        assert done.unreadable == 0
        await stage.backend.rotation.run()
    async with stage_on(database_url, after) as stage:
        for one in made:
            assert (await stage.view(one["id"]))["email_masked"] == "m***@example.com"
        mails = await stage.smtp.mails(8)
        assert {mail["To"] for mail in mails} == {f"moved{number}@example.com" for number in range(8)}
        assert isinstance(await stage.backend.activation.look(token_in(mails[0])), LinkLive)


async def test_what_no_key_opens_is_told_and_left_alone(database_url: str) -> None:
    (before, _, _), (_, both, _) = rings(), rings()
    async with stage_on(database_url, before, role="web") as stage:
        await stage.register()
    async with stage_on(database_url, both, role="web") as stage:
        done = await stage.backend.rotation.run()
        assert (done.resealed, done.unreadable, done.left) == (0, 5, 5)
        async with stage.backend.database.reading() as conn:
            row = (await conn.execute(registrations.select())).one()
        with pytest.raises(SealBroken):
            both.open(bytes(row.nik), f"registrations/nik/{row.id}".encode())
        assert before.open(bytes(row.nik), f"registrations/nik/{row.id}".encode()) == b"3174095708900001"
