"""In the whole product: a field of what was handed over is shown to its agent alone, for a reason, and erased it is gone everywhere."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.journey.test_helpdesk import TERMINAL, chromium, context, opens, signs_in, terminal
from tests.product import PATIENCE, ROOT, Product

pytestmark = pytest.mark.journey

SAID = "Tolong, saya Sulastri"
WAIT = PATIENCE * 1000


async def subject(product: Product, *words: str, said: str) -> str:
    """`akses subject` beside the running product."""
    command = (sys.executable, "-m", "akses", "subject", *words)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=product.environment, stdin=PIPE, stdout=PIPE)
    out, _ = await process.communicate(f"{said}\n".encode())
    assert process.returncode == 0
    return out.decode()


async def test_a_field_is_shown_to_its_agent_and_what_was_erased_to_nobody(tmp_path: Path) -> None:
    complaints: list[str] = []
    product = Product(tmp_path)
    copy = tmp_path / "copy.json"
    try:
        await asyncio.to_thread(product.start)
        async with chromium() as browser, terminal(product) as yuli:
            page = await (await context(browser, product, complaints, viewport={"width": 1280, "height": 800})).new_page()
            await signs_in(page, product)
            await yuli.begins()
            for answer, step in ((TERMINAL.nik, "phone"), (TERMINAL.phone, "email"), (TERMINAL.email, "summary")):
                await yuli.writes(text=answer)
                await yuli.step(step)
            await yuli.writes(press="activate")
            await yuli.step("pending")
            await yuli.writes(text="petugas")
            await yuli.step("queued")
            await opens(page, "Terminal")
            await page.get_by_role("button", name="Ambil alih").click()
            await yuli.writes(text=SAID)
            await expect(page.locator(".desk-person", has_text=SAID)).to_be_visible(timeout=WAIT)
            for field, value in (("phone", TERMINAL.phone), ("nik", "3174 0967 0892 0003"), ("full_name", TERMINAL.name)):
                row = page.locator(f".desk-handed [data-field={field}]")
                assert value not in await page.locator("body").inner_text()
                await row.get_by_text("Tampilkan utuh").click()
                await row.get_by_role("button", name="Tampilkan").click()
                await expect(row.locator("[data-value]")).to_have_text(value, timeout=WAIT)
            # What was shown stays shown when the page comes anew.
            await yuli.writes(text="Sudah benar?")
            await expect(page.locator(".desk-person", has_text="Sudah benar?")).to_be_visible(timeout=WAIT)
            await expect(page.locator(".desk-handed [data-field=phone] [data-value]")).to_have_text(
                TERMINAL.phone, timeout=WAIT
            )
            await page.goto("/helpdesk/audit")
            audit = await page.locator("body").inner_text()
            assert "registration.revealed" in audit
            assert "desk.revealed" in audit
            assert TERMINAL.phone not in audit

            await subject(product, "export", "phone", "--output", str(copy), said=TERMINAL.phone)
            (talk,) = json.loads(copy.read_text("utf-8"))["talks"]
            assert SAID in [line["text"] for line in talk["lines"]]
            assert "1 registrations, 1 talks" in await subject(product, "erase", "phone", "--yes", said=TERMINAL.phone)
            await page.goto("/helpdesk?daftar=all")
            await page.locator(".desk-item").first.click()
            await page.wait_for_url("**/helpdesk/c/**")
            assert SAID not in await page.locator("body").inner_text()
            await expect(page.locator(".desk-handed [data-field=phone]")).to_have_count(0, timeout=WAIT)
        assert complaints == []
        assert product.faults == []
    finally:
        await asyncio.to_thread(product.kill)
