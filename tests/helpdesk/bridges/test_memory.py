"""The contract, kept by a bridge to nowhere: so what it asks is what the carrier and the deeds keep for every bridge."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import pytest

from akses.desk import held
from akses.keyring import Keyring
from dialogs.office import Office
from helpdesk.tables import bridge_removals
from tests.backend.stage import until
from tests.helpdesk.bridges.contract import BridgeContract, carrier, carrying, seen
from tests.helpdesk.bridges.far import MemoryFar
from tests.helpdesk.stage import Stage, stage_on
from tests.helpdesk.test_deeds import asking


@pytest.fixture
async def stage(database_url: str, keyring: Keyring) -> AsyncIterator[Stage]:
    """On SQLite, then on PostgreSQL."""
    async with stage_on(database_url, keyring, office=Office(always=True)) as opened:
        yield opened


@pytest.fixture
def far() -> MemoryFar:
    return MemoryFar()


class TestMemory(BridgeContract):
    pass


async def test_a_message_that_is_refused_holds_up_nothing_behind_it(stage: Stage, far: MemoryFar) -> None:
    far.refuses = "keberatan"
    await asking(stage)
    async with carrying(stage, far):
        for number, text in enumerate(("Satu", "Dua keberatan", "Tiga")):
            await stage.send("siti", text, f"t{number}")
        reads = await seen(far, "Satu", "Tiga")
    assert "keberatan" not in reads


async def test_what_is_to_be_removed_waits_for_a_bridge_that_is_away_without_asking_it_again_and_again(
    stage: Stage, far: MemoryFar
) -> None:
    await asking(stage)
    made = carrier(stage, far)
    await made.step()
    for number in range(3):
        async with stage.people.database.writing() as conn:
            await conn.execute(bridge_removals.insert().values(bridge=far.name, external=f"lama{number}"))
    far.there |= {f"lama{number}": [] for number in range(3)}
    far.break_down()
    made._removing_at = 0.0
    await made.step()
    assert far.asked == 1
    await stage.send("siti", "Halo?", "t1")
    far.come_back()
    made._away_until = made._removing_at = 0.0
    await made.step()
    assert "Halo?" in far.reads(far.places()[0])
    assert len(far.places()) == 1


async def test_what_was_carried_elsewhere_before_is_no_place_of_the_bridge_that_is_set_up_now(
    stage: Stage, far: MemoryFar, keyring: Keyring
) -> None:
    """Another group, another inbox: there the same name is somebody else's place."""
    ticket = await asking(stage)
    async with carrying(stage, far):
        await seen(far, f"#{ticket.number}")
    (name,) = far.places()
    other = MemoryFar(where="sana", there={name: [("m1", "Orang lain.")]}, _numbers=itertools.count(100))
    async with carrying(stage, other) as made:
        await stage.send("siti", "Halo lagi.", "t1")
        await seen(other, "Halo lagi.", place=1)
        async with stage.people.database.writing() as conn:
            await held(keyring).erase(conn, ticket.chat)
        made._removing_at = 0.0

        async def gone() -> bool | None:
            return other.places() == [name] or None

        await until(gone)
    assert other.reads(name) == "Orang lain."
