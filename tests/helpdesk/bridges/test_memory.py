"""The contract, kept by a bridge to nowhere: so what it asks is what the carrier and the deeds keep for every bridge."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from akses.keyring import Keyring
from dialogs.office import Office
from tests.helpdesk.bridges.contract import BridgeContract, carrying, seen
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
