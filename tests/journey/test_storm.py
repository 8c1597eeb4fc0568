"""Two hundred people set their passwords at once: who only asks how it is gets an answer, and in the end all have their account."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx2
import pytest

from tests.backend.stage import BODY, SmtpSink, token_in
from tests.journey.people import PASSWORD, form_of
from tests.product import PATIENCE, Product

pytestmark = pytest.mark.journey

PEOPLE = 200
KEY = "k" * 32


async def registered(client: httpx2.AsyncClient, number: int) -> None:
    body = BODY | {
        "full_name": "Orang Banyak",
        "email": f"orang{number}@example.com",
        "nik": f"3174095708{number:06}",
        "reference": f"web:{number}",
    }
    headers = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": f"storm-{number}"}
    assert (await client.post("/api/v1/registrations", json=body, headers=headers)).status_code == 202


async def activated(client: httpx2.AsyncClient, link: str) -> int:
    """How often this person was told to come again."""
    form = form_of(await client.get(link), link)
    refused = 0
    while (answer := await client.post(link, data={**form, "password": PASSWORD, "again": PASSWORD})).status_code == 503:
        refused += 1
        await asyncio.sleep(int(answer.headers["Retry-After"]))
    assert answer.status_code == 303, answer.text
    return refused


async def test_two_hundred_activations_at_once_keep_nobody_else_waiting(tmp_path: Path) -> None:
    smtp = SmtpSink()
    await smtp.open()
    product = Product(tmp_path, SMTP_URL=smtp.url, BACKEND_API_KEY=KEY)
    try:
        await asyncio.to_thread(product.start)
        limits = httpx2.Limits(max_connections=None)
        async with httpx2.AsyncClient(base_url=product.url, trust_env=False, timeout=4 * PATIENCE, limits=limits) as client:
            for number in range(PEOPLE):
                await registered(client, number)
            async with asyncio.timeout(2 * PATIENCE):
                while len(smtp.taken) < PEOPLE:  # noqa: ASYNC110 (a mail server tells nobody)
                    await asyncio.sleep(0.1)
            links = [f"/aktivasi/{token_in(mail)}" for mail in await smtp.mails(PEOPLE)]
            storm = asyncio.gather(*(activated(client, link) for link in links))
            well = 0
            while not storm.done():
                assert (await client.get("/healthz")).text == "ok"
                well += 1
            refused = await storm
        assert product.count("accounts") == PEOPLE
        assert sum(refused) > 0, "more came at once than are let in"
        assert well > 20, "the process answered while it worked"
        assert product.faults == []
    finally:
        await asyncio.to_thread(product.kill)
        await smtp.close()
