"""Two hundred people who set their password at the same moment: nobody is lost, and the product still says that it is well."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx2
import pytest

from tests.journey.people import PASSWORD
from tests.product import PATIENCE, Product

pytestmark = pytest.mark.journey

KEY = "the-key-of-this-test"
MANY = 200


def body(number: int) -> dict[str, object]:
    return {
        "kind": "individu_lokal",
        "full_name": "Orang Serentak",
        "nik": f"31710155029{number:05}",
        "phone": f"+62812{number:08}",
        "email": f"serentak{number}@example.com",
        "language": "id",
        "channel": "web",
        "reference": f"web:{number:016x}",
        "consent": {"notice_version": "2026-11", "given_at": "2026-11-20T03:04:05Z"},
    }


async def invited(client: httpx2.AsyncClient) -> list[str]:
    """The paths of the links of so many people."""
    for number in range(MANY):
        headers = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": f"serentak-{number:08}"}
        answer = await client.post("/api/v1/registrations", json=body(number), headers=headers)
        assert answer.status_code == 202, answer.text
    async with asyncio.timeout(PATIENCE * 2):
        while True:
            mails = (await client.get("/inbox/api/messages")).json()
            paths = {mail["to"][0]: link for mail in mails for link in mail["links"] if "/aktivasi/" in link}
            if len(paths) == MANY:
                return [httpx2.URL(link).path for link in paths.values()]
            await asyncio.sleep(0.5)


async def activate(client: httpx2.AsyncClient, path: str) -> list[int]:
    """Send the form, and again as often as the product asks to come back; what was answered."""
    answers = []
    while True:
        form = {"password": PASSWORD, "again": PASSWORD, "consent": "2026-11"}
        answer = await client.post(path, data=form)
        answers.append(answer.status_code)
        if answer.status_code != 503:
            return answers
        await asyncio.sleep(int(answer.headers["retry-after"]))


async def test_two_hundred_activations_at_once_all_succeed_and_healthz_answers_all_the_while(tmp_path: Path) -> None:
    with Product(tmp_path, BACKEND_API_KEY=KEY) as product:
        limits = httpx2.Limits(max_connections=MANY + 10)
        async with httpx2.AsyncClient(base_url=product.url, trust_env=False, timeout=PATIENCE, limits=limits) as client:
            paths = await invited(client)
            done = asyncio.Event()
            health: list[int] = []

            async def look() -> None:
                while not done.is_set():
                    health.append((await client.get("/healthz")).status_code)
                    await asyncio.sleep(0.05)

            looking = asyncio.create_task(look())
            answers = await asyncio.gather(*(activate(client, path) for path in paths))
            done.set()
            await looking
        assert [told[-1] for told in answers] == [303] * MANY
        assert {status for told in answers for status in told} <= {303, 503}
        assert set(health) == {200}
        assert len(health) >= 10, "it was asked while passwords were being hashed"
        assert product.count("accounts") == MANY
        assert product.faults == []
