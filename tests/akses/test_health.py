"""Alive is not ready: readiness asks every part, waits for none for long, and ends when the process is asked to stop."""

from __future__ import annotations

import asyncio

import pytest
from starlette.applications import Starlette

from akses import health
from tests.akses.serving import served


async def well() -> str:
    return "whatever"


async def broken() -> None:
    raise ConnectionError("redis://:secret@10.0.0.1 refused")


async def hangs() -> None:
    await asyncio.Event().wait()


async def test_ready_when_every_part_answers() -> None:
    async with served(Starlette(routes=health.Readiness({"accounts": well}).routes())) as client:
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()) == (200, {"ready": True, "parts": {"accounts": True}})
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("unwell", [broken, hangs])
async def test_a_part_that_fails_or_hangs_makes_the_process_unready_and_is_named_without_details(unwell: health.Probe) -> None:
    """A probe that never answers is given up (here sooner than in the product); being alive does not depend on it."""
    readiness = health.Readiness({"accounts": well, "dialog store": unwell}, patience=0.05)
    async with served(Starlette(routes=readiness.routes())) as client:
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json() == {"ready": False, "parts": {"accounts": True, "dialog store": False}}
        assert "secret" not in answer.text
        assert (await client.get("/healthz")).text == "ok"


async def test_parts_are_asked_side_by_side_and_anew_each_time() -> None:
    """Two parts that wait for each other both answer; what was unwell may be well the next time."""
    meeting, asked = asyncio.Barrier(2), 0

    async def recovers() -> None:
        nonlocal asked
        asked += 1
        await meeting.wait()
        if asked == 1:
            raise OSError

    readiness = health.Readiness({"a": meeting.wait, "b": recovers})
    assert await readiness.parts() == {"a": True, "b": False}
    assert await readiness.parts() == {"a": True, "b": True}


async def test_a_process_that_was_asked_to_stop_is_alive_and_not_ready() -> None:
    readiness = health.Readiness({"accounts": well})
    async with served(Starlette(routes=readiness.routes())) as client:
        assert (await client.get("/readyz")).status_code == 200
        readiness.stop()
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["ready"], answer.json()["stopping"]) == (503, False, True)
        assert (await client.get("/healthz")).status_code == 200


async def test_probes_that_are_named_later_are_asked_too() -> None:
    probes: dict[str, health.Probe] = {}
    readiness = health.Readiness(probes)
    probes["accounts"] = broken
    assert await readiness.parts() == {"accounts": False}
