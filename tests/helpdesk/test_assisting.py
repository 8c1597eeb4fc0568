"""An agent registers a caller: through the fields' own validators, by a link, and never in the caller's stead."""

from __future__ import annotations

import asyncio
import html
import re

from bot.conversation import Conversation
from dialogs.events import ButtonPressed, Started
from dialogs.registration import step_id, token
from tests.helpdesk.stage import Stage, form_token

CALLER = Conversation("web", "caller")
TYPED = {
    "kind": "individu_lokal",
    "full_name": "Siti Rahmawati",
    "nik": "",
    "phone": "0812 3456 7890",
    "email": "siti@gmial.com",
}
NIK = "3171234501900001"


async def until_at(stage: Stage, step: str, chat: Conversation = CALLER) -> None:
    async with asyncio.timeout(60):
        while (session := await stage.runner.session(chat)) is None or step_id(session) != step or not session.serial:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_caller_fetches_what_an_agent_wrote_down_and_agrees_to_it_themselves(stage: Stage) -> None:
    rina = await stage.agent("rina", name="Rina")
    async with await stage.signed_in(rina) as browser:
        form = await browser.get("/helpdesk/bantu")
        key = re.findall(r'name="key" value="([^"]+)"', form.text)[0]
        sent = {"form": form_token(form), "key": key, **TYPED}
        page = await browser.post("/helpdesk/bantu", data=sent)
        assert page.status_code == 200
        link = re.findall(r"/chat#(lanjut-[\w-]+)", page.text)[0]
        assert len(link) <= 64
        assert "<svg" in page.text
        assert "Siti" not in page.text, "the page with the link tells nothing of the caller"
        again = await browser.post("/helpdesk/bantu", data=sent)
        assert link in again.text, "a form sent twice is one form"
        await stage.send(CALLER.address, Started(link), "open")
        await until_at(stage, "consent")
        assert "Rina" in stage.chat.texts(CALLER.address)[-1]
        looked = await browser.post("/helpdesk/bantu/lihat", data={"form": form_token(page), "token": link})
        assert "Tautan sudah dibuka" in html.unescape(looked.text)
    session = await stage.runner.session(CALLER)
    assert session is not None
    await stage.send(CALLER.address, ButtonPressed(token(session), "agree"), "agree")
    await until_at(stage, "proof")
    await stage.send(CALLER.address, "7890", "proof")
    await until_at(stage, "brought")
    assert "desk.form_begun" in await stage.actions()


async def test_what_cannot_be_used_is_told_beside_its_field_and_nothing_typed_is_lost(small_stage: Stage) -> None:
    rina = await small_stage.agent("rina")
    async with await small_stage.signed_in(rina) as browser:
        form = await browser.get("/helpdesk/bantu")
        sent = {"form": form_token(form), "key": "k", **TYPED, "nik": "123", "full_name": '"><script>alert(1)</script>'}
        page = await browser.post("/helpdesk/bantu", data=sent)
        assert page.status_code == 422
        assert 'id="nik-salah"' in page.text
        assert 'value="123"' in page.text
        assert "siti@gmial.com" in page.text
        assert "<script>alert" not in page.text
        empty = await browser.post("/helpdesk/bantu", data={"form": form_token(form), "key": "k", "kind": "individu_lokal"})
        assert empty.status_code == 422


async def test_only_who_may_act_registers_callers(small_stage: Stage) -> None:
    for login, roles in (("vera", "viewer"), ("adi", "admin"), ("oka", "auditor")):
        async with await small_stage.signed_in(await small_stage.agent(login, roles)) as browser:
            assert (await browser.get("/helpdesk/bantu")).status_code == 403
            own = form_token(await browser.get("/helpdesk/saya"))
            assert (await browser.post("/helpdesk/bantu", data={"form": own, "key": "k", **TYPED})).status_code == 403
            assert (await browser.post("/helpdesk/bantu/lihat", data={"form": own, "token": "lanjut-x"})).status_code == 403
