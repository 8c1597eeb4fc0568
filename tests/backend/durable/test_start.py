"""A process that starts while its database is away: it waits, or it says clearly that it cannot."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from akses.keyring import Keyring
from backend.database import Database
from backend.waiting import DatabaseUnreachable, until_it_answers
from tests.backend.durable.cluster import own_cluster
from tests.backend.stage import stage_on, until
from tests.services import free_port


async def test_a_worker_that_starts_before_its_database_waits_and_then_works(keyring: Keyring) -> None:
    with own_cluster() as cluster:
        async with stage_on(cluster.url, keyring, role="web") as stage:
            await stage.register()
            cluster.stop()
        with capture_logs() as said:
            opening = asyncio.create_task(_works(cluster.url, keyring))
            await until(lambda: [entry for entry in said if entry["event"] == "database.awaited"])
            assert not opening.done()
            await asyncio.to_thread(cluster.start)
            assert await opening == 1


async def _works(url: str, keyring: Keyring) -> int:
    async with stage_on(url, keyring) as stage:
        return len(await stage.smtp.mails(1))


async def test_after_its_patience_it_says_so_without_naming_host_or_password() -> None:
    database = Database(f"postgresql://akses:sekret@127.0.0.1:{free_port()}/accounts")
    with capture_logs() as said, pytest.raises(DatabaseUnreachable, match="has not answered for 1 seconds"):
        await until_it_answers(database, patience=1)
    await database.close()
    assert said[-1]["event"] == "database.unreachable"
    assert 3 <= len(said) <= 6, "it asks again, later each time"
    assert "sekret" not in repr(said)
    assert "127.0.0.1" not in repr(said)
