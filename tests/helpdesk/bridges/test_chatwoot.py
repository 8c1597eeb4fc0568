"""Chatwoot keeps what every bridge must keep, and what is Chatwoot's own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from akses.keyring import Keyring
from dialogs.office import Office
from tests.helpdesk.bridges.chatwoot_far import ChatwootFar, chatwoot_far
from tests.helpdesk.bridges.contract import BridgeContract
from tests.helpdesk.stage import Stage, stage_on


@pytest.fixture
async def stage(sqlite_url: str, keyring: Keyring) -> AsyncIterator[Stage]:
    async with stage_on(sqlite_url, keyring, office=Office(always=True)) as opened:
        yield opened


@pytest.fixture
async def far() -> AsyncIterator[ChatwootFar]:
    async with chatwoot_far() as running:
        yield running


class TestChatwoot(BridgeContract):
    pass
