"""What agents do to conversations: one claim wins and the others are told by whom; nothing happens twice, nor to whom it may not."""

from __future__ import annotations

import asyncio
import html
import secrets
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from akses.keyring import Keyring
from bot.channels.port import Refused
from bot.conversation import Conversation
from dialogs.events import ButtonPressed, CommandSent, Started
from dialogs.office import Office
from dialogs.registration import token
from helpdesk.acting import stands
from helpdesk.reading import Ticket
from tests.backend.stage import until
from tests.helpdesk.stage import Stage, form_token, stage_on

CHAT = Conversation("web", "siti")
NAME = "Siti Rahmawati"


@pytest.fixture
async def stage(sqlite_url: str, keyring: Keyring) -> AsyncIterator[Stage]:
    async with stage_on(sqlite_url, keyring, office=Office(always=True)) as opened:
        yield opened


async def asking(stage: Stage, address: str = "siti") -> Ticket:
    """An investor who has typed their name, and asks for a human at the next question."""
    chat = Conversation("web", address)
    await stage.send(address, Started(), "e1")
    for number, action in enumerate(("agree", "kind.individu_lokal")):
        session = await stage.runner.session(chat)
        assert session is not None
        await stage.send(address, ButtonPressed(token(session), action), f"b{number}")
    await stage.send(address, NAME, "e2")
    await stage.send(address, CommandSent("petugas"), "e3")

    async def there() -> Ticket | None:
        found = await stage.desk.reading.tickets("queue", "")
        for ticket in found:
            shown = await stage.desk.reading.chat(ticket.chat)
            if shown is not None and shown.conversation == chat:
                return ticket
        return None

    return await until(there)


class Browser:
    """A signed-in agent who asks as the console's script does."""

    def __init__(self, client: httpx2.AsyncClient, form: str) -> None:
        self.client = client
        self.form = form

    async def post(self, chat: str, deed: str, version: int, *, key: str = "", **fields: Any) -> httpx2.Response:
        given = {"form": self.form, "version": version, "key": key or secrets.token_urlsafe(8), **fields}
        return await self.client.post(f"/helpdesk/c/{chat}/{deed}", data=given, headers={"Accept": "application/json"})


async def browser(stage: Stage, login: str, roles: str = "agent") -> Browser:
    client = await stage.signed_in(await stage.agent(login, roles))
    return Browser(client, form_token(await client.get("/helpdesk/saya")))


async def version(stage: Stage, chat: Conversation = CHAT) -> int:
    return stands(await stage.runner.session(chat)).version


async def owner(stage: Stage) -> tuple[str, str]:
    now = stands(await stage.runner.session(CHAT))
    return now.owner, now.name


async def talk(stage: Stage, ticket: Ticket, kind: str) -> list[str]:
    return [line.text or line.detail for line in await stage.desk.reading.talk(ticket.chat, {}) if line.kind == kind]


async def test_of_fifty_claims_at_once_one_wins_and_the_others_are_told_by_whom(stage: Stage) -> None:
    ticket, seen = await asking(stage), await version(stage)
    agents = [await browser(stage, f"petugas{number}") for number in range(5)]
    answers = await asyncio.gather(*(agents[number % 5].post(ticket.chat, "ambil", seen) for number in range(50)))
    won = [number % 5 for number, answer in enumerate(answers) if answer.status_code == 200]
    lost = [answer.json() for answer in answers if answer.status_code == 409]
    assert len(won) == 1
    assert len(lost) == 49
    assert {told["agent"] for told in lost} == {f"Petugas{won[0]}"}
    assert {told["owner"] for told in lost} == {"human"}
    assert {told["version"] for told in lost} == {seen + 1}
    assert await owner(stage) == ("human", f"Petugas{won[0]}")
    await until(lambda: _done(stage, "desk.taken"))
    assert (await stage.actions()).count("desk.taken") == 1
    for agent in agents:
        await agent.client.aclose()


async def _done(stage: Stage, action: str) -> bool:
    return action in await stage.actions()


async def test_an_agent_answers_and_hands_back_and_the_bot_asks_its_question_again(stage: Stage) -> None:
    ticket = await asking(stage)
    sri = await browser(stage, "sri")
    assert (await sri.post(ticket.chat, "ambil", await version(stage), key="k1")).status_code == 200
    assert (await sri.post(ticket.chat, "ambil", await version(stage) - 1, key="k1")).status_code == 200, "the same once more"
    for _ in range(2):
        said = await sri.post(ticket.chat, "pesan", await version(stage), key="k2", text="Selamat siang")
        assert said.status_code == 200
    await until(lambda: "Selamat siang" in stage.chat.texts("siti"))
    await stage.send("siti", "NIK saya 3174095708900001", "e4")
    await until(lambda: talk(stage, ticket, "text"))
    for _ in range(2):
        assert (await sri.post(ticket.chat, "kembalikan", 2, key="k3")).status_code == 200
    assert await owner(stage) == ("bot", "")
    await until(lambda: stage.chat.said["siti"][-1].screen.step == "nik")  # type: ignore[union-attr]
    session = await stage.runner.session(CHAT)
    assert session is not None
    assert session.draft is not None
    assert session.draft.answers["full_name"].value == NAME, "what was typed before is there"
    assert "nik" not in session.draft.answers, "what was said to a human is no answer"
    assert stage.chat.texts("siti").count("Selamat siang") == 1
    await sri.client.aclose()


async def test_a_conversation_is_its_agents_and_a_supervisors(stage: Stage) -> None:
    ticket = await asking(stage)
    sri, budi, sup = await browser(stage, "sri"), await browser(stage, "budi"), await browser(stage, "sup", "supervisor")
    await sri.post(ticket.chat, "ambil", await version(stage))
    now = await version(stage)
    for deed, fields in (
        ("ambil", {}),
        ("lepas", {}),
        ("kembalikan", {}),
        ("tutup", {"label": "resolved"}),
        ("pesan", {"text": "x"}),
        ("usul", {"field": "nik", "value": "3174095708900001"}),
        ("buka", {"field": "full_name", "reason": "identity"}),
    ):
        answer = await budi.post(ticket.chat, deed, now, **fields)
        assert (answer.status_code, answer.json()["agent"]) == (409, "Sri"), deed
        assert "Sri" in answer.json()["error"]["message"]
    assert await owner(stage) == ("human", "Sri")
    assert (await sup.post(ticket.chat, "pesan", now, text="x")).status_code == 409, "she takes it first, knowingly"
    assert (await sup.post(ticket.chat, "ambil", now)).status_code == 200
    assert await owner(stage) == ("human", "Sup")
    for each in (sri, budi, sup):
        await each.client.aclose()


@pytest.mark.parametrize("how", ["disabled", "a viewer now"])
async def test_whose_agent_is_none_any_more_waits_for_another(stage: Stage, how: str) -> None:
    """They are told so; the agent's colleague keeps what is theirs; and it is done once."""
    ticket, theirs = await asking(stage), await asking(stage, "agus")
    sri, budi = await browser(stage, "sri"), await browser(stage, "budi")
    await sri.post(ticket.chat, "ambil", await version(stage))
    await budi.post(theirs.chat, "ambil", await version(stage, Conversation("web", "agus")))
    gone = await stage.people.agents.by_login("sri")
    assert gone is not None

    async def taken() -> bool:
        return all(each.owner == "human" for each in await stage.desk.reading.tickets("all", ""))

    await until(taken)
    await stage.desk.acting.free()
    assert await owner(stage) == ("human", "Sri")
    if how == "disabled":
        await stage.people.agents.disable(gone.id)
    else:
        await stage.people.agents.change_roles(gone.id, ("viewer",))
    await asyncio.gather(*(stage.desk.acting.free() for _ in range(3)))

    async def queued() -> bool:
        return [each.id for each in await stage.desk.reading.tickets("queue", "")] == [ticket.id]

    await until(queued)
    assert await owner(stage) == ("queued", "")
    assert stands(await stage.runner.session(Conversation("web", "agus"))).name == "Budi"
    lines = [line for line in await stage.audit.lines(limit=100) if line.action == "desk.released"]
    assert [(line.actor, line.subject) for line in lines] == [("system", ticket.id)]
    assert "Dilepas ke antrean" in (await budi.client.get(f"/helpdesk/c/{ticket.chat}")).text
    for each in (sri, budi):
        await each.client.aclose()


async def test_a_chat_that_cannot_be_read_keeps_no_other_with_an_agent_who_is_gone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    sri = await browser(stage, "sri")
    for address in ("siti", "agus"):
        ticket = await asking(stage, address)
        await sri.post(ticket.chat, "ambil", await version(stage, Conversation("web", address)))
    await sri.client.aclose()
    gone = await stage.people.agents.by_login("sri")
    assert gone is not None

    async def stranded() -> bool:
        return len(await stage.desk.reading.stranded()) == 2

    await stage.people.agents.disable(gone.id)
    await until(stranded)
    look, first = stage.desk.acting._look, (await stage.desk.reading.stranded())[0].conversation

    async def broken(conversation: Conversation) -> Any:
        if conversation == first:
            raise ValueError("altered")
        return await look(conversation)

    monkeypatch.setattr(stage.desk.acting, "_look", broken)
    await stage.desk.acting.free()
    owners = {stands(await stage.runner.session(Conversation("web", each))).owner for each in ("siti", "agus")}
    assert owners == {"human", "queued"}


async def test_the_audit_and_the_talk_name_who_did_it_whoever_had_the_conversation(stage: Stage) -> None:
    ticket = await asking(stage)
    sri, sup = await browser(stage, "sri"), await browser(stage, "sup", "supervisor")
    ids = {each.id: each.login for each in await stage.people.agents.all()}
    to = next(id_ for id_, login in ids.items() if login == "sup")
    for who, deed, fields in (
        (sri, "ambil", {}),
        (sri, "lepas", {}),
        (sri, "ambil", {}),
        (sri, "alihkan", {"to": to}),
        (sup, "lepas", {}),
        (sri, "ambil", {}),
        (sup, "usul", {"field": "nik", "value": "3174095708900001"}),
        (sup, "tutup", {"label": "no_answer"}),
    ):
        assert (await who.post(ticket.chat, deed, await version(stage), **fields)).status_code == 200, deed

    async def closed() -> bool:
        return (await stage.desk.reading.tickets("all", ""))[0].owner == "closed"

    await until(closed)
    lines = reversed(await stage.audit.lines(limit=500))
    done = [
        (ids.get(line.actor.removeprefix("agent:"), line.actor), line.action)
        for line in lines
        if line.subject == ticket.id and line.action.startswith("desk.")
    ]
    assert done == [
        ("sri", "desk.taken"),
        ("sri", "desk.released"),
        ("sri", "desk.taken"),
        ("sri", "desk.transferred"),
        ("sup", "desk.released"),
        ("sri", "desk.taken"),
        ("sup", "desk.proposed"),
        ("sup", "desk.closed"),
    ]
    page = (await sri.client.get(f"/helpdesk/c/{ticket.chat}")).text
    assert "Sup menutup percakapan" in page
    assert "Dialihkan kepada Sup" in page
    for each in (sri, sup):
        await each.client.aclose()


async def test_release_transfer_and_close(stage: Stage) -> None:
    ticket = await asking(stage)
    sri, budi = await browser(stage, "sri"), await browser(stage, "budi")
    other = await stage.people.agents.by_login("budi")
    viewer = await stage.agent("pengamat", "viewer")
    assert other is not None
    await sri.post(ticket.chat, "ambil", await version(stage))
    assert (await sri.post(ticket.chat, "alihkan", await version(stage), to=viewer.id)).status_code == 422
    assert (await sri.post(ticket.chat, "alihkan", await version(stage), to=other.id)).status_code == 200
    assert await owner(stage) == ("human", "Budi")
    assert (await budi.post(ticket.chat, "lepas", await version(stage))).status_code == 200
    assert await owner(stage) == ("queued", "")
    assert (await sri.post(ticket.chat, "ambil", await version(stage))).status_code == 200
    assert (await sri.post(ticket.chat, "tutup", await version(stage), label="=1+1")).status_code == 422
    assert (await sri.post(ticket.chat, "tutup", await version(stage), label="resolved")).status_code == 200

    async def closed() -> Ticket | None:
        (found,) = await stage.desk.reading.tickets("all", "")
        return found if found.owner == "closed" else None

    found = await until(closed)
    assert (found.ended, found.label, found.agent_name) == ("closed", "resolved", "Sri")
    assert (await stage.audit.verify()).holds
    for each in (sri, budi):
        await each.client.aclose()


async def test_a_message_that_was_given_up_is_said_again_and_once(stage: Stage) -> None:
    ticket = await asking(stage)
    sri = await browser(stage, "sri")
    await sri.post(ticket.chat, "ambil", await version(stage))
    await until(lambda: any("Sri" in text for text in stage.chat.texts("siti")))
    stage.chat.answers = [Refused("no")]
    await sri.post(ticket.chat, "pesan", await version(stage), text="Halo Ibu")

    async def failed() -> str | None:
        lines = await stage.desk.reading.talk(ticket.chat, {})
        return next((line.id for line in lines if line.state == "refused" and not line.resent), None)

    entry = await until(failed)
    assert (await sri.post(ticket.chat, "ulang", await version(stage), entry=entry)).status_code == 200
    assert (await sri.post(ticket.chat, "ulang", await version(stage), entry=entry)).status_code == 422
    await until(lambda: stage.chat.texts("siti").count("Halo Ibu") == 1)
    await sri.client.aclose()


async def test_a_correction_is_judged_like_an_answer_and_the_person_decides(stage: Stage) -> None:
    ticket = await asking(stage)
    sri = await browser(stage, "sri")
    await sri.post(ticket.chat, "ambil", await version(stage))
    bad = await sri.post(ticket.chat, "usul", await version(stage), field="nik", value="12")
    assert bad.status_code == 422
    assert "16 digit" in bad.json()["error"]["message"]
    assert (await sri.post(ticket.chat, "usul", await version(stage), field="password", value="x")).status_code == 422
    good = await sri.post(ticket.chat, "usul", await version(stage), field="nik", value="3174095708900001")
    assert good.status_code == 200
    session = await stage.runner.session(CHAT)
    assert session is not None
    assert session.draft is not None
    assert "nik" not in session.draft.answers, "nothing changes before the person says so"
    await sri.client.aclose()


async def test_a_value_in_the_clear_takes_a_reason_the_right_and_the_conversation(stage: Stage) -> None:
    ticket = await asking(stage)
    sri, sup = await browser(stage, "sri"), await browser(stage, "sup", "supervisor")
    await sri.post(ticket.chat, "ambil", await version(stage))
    page = (await sri.client.get(f"/helpdesk/c/{ticket.chat}")).text
    assert "S*** R***" in page
    assert "Rahmawati" not in page

    async def asked(agent: Browser, **fields: str) -> httpx2.Response:
        return await agent.post(ticket.chat, "buka", 0, **fields)

    shown = await asked(sri, field="full_name", reason="identity")
    assert (shown.status_code, shown.json()["value"]) == (200, NAME)
    assert (await asked(sri, field="full_name", reason="")).status_code == 422
    assert (await asked(sri, field="nik", reason="identity")).status_code == 403
    assert (await asked(sup, field="phone", reason="identity")).status_code == 422, "nobody has entered it yet"
    assert (await asked(sup, field="full_name", reason="complaint")).status_code == 200
    told = [line for line in await stage.audit.lines(limit=100) if line.action.startswith("desk.reveal")]
    assert [(line.action, line.detail) for line in reversed(told)] == [
        ("desk.revealed", {"field": "full_name", "reason": "identity"}),
        ("desk.reveal_refused", {"field": "nik", "reason": "identity"}),
        ("desk.revealed", {"field": "full_name", "reason": "complaint"}),
    ]
    for each in (sri, sup):
        await each.client.aclose()


async def test_a_canned_reply_is_filled_in_when_it_is_sent_and_its_sender_sees_no_name(stage: Stage) -> None:
    ticket = await asking(stage)
    sri = await browser(stage, "sri")
    kept = {"form": sri.form, "title": "Salam", "text_id": "Halo {{first_name}}, saya {{agent}} ({{ticket}}).", "text_en": ""}
    assert (await sri.client.post("/helpdesk/balasan", data=kept)).status_code == 303
    agent = await stage.people.agents.by_login("sri")
    assert agent is not None
    (reply,) = await stage.desk.canned.of(agent)
    await sri.post(ticket.chat, "pesan", await version(stage), text="", reply=reply.id)
    await until(lambda: "Halo Siti, saya Sri (#1)." in stage.chat.texts("siti"))
    await until(lambda: talk(stage, ticket, "text"))
    page = (await sri.client.get(f"/helpdesk/c/{ticket.chat}")).text
    assert "Halo S***, saya Sri (#1)." in page
    assert "Halo Siti" not in page
    await sri.client.aclose()


async def test_a_variable_that_nobody_can_fill_in_goes_out_to_nobody_and_its_writer_is_told_those_there_are(
    stage: Stage,
) -> None:
    ticket = await asking(stage)
    sri = await browser(stage, "sri")
    kept = {"form": sri.form, "title": "Salam", "text_id": "Halo {{ first_name }}.", "text_en": ""}
    assert (await sri.client.post("/helpdesk/balasan", data=kept)).status_code == 303
    agent = await stage.people.agents.by_login("sri")
    assert agent is not None
    (reply,) = await stage.desk.canned.of(agent)
    told = "Variabel yang dapat dipakai: {{first_name}}, {{status}}, {{resend_wait}}, {{agent}}, {{ticket}}."
    for wrong in ("{{nik}}", "{{first name}}", "{{ nama-depan }}", "{{}}"):
        for which in ("", reply.id):
            refused = await sri.client.post("/helpdesk/balasan", data=kept | {"text_id": f"Halo {wrong}.", "reply": which})
            assert refused.status_code == 422
            page = html.unescape(refused.text)
            assert f"{wrong} tidak dikenal. {told}" in page
            # What was typed stands where it was typed.
            form = page.split('name="reply"' if which else "Balasan baru")[not which]
            assert f">Halo {wrong}.</textarea>" in form
            assert page.count(f">Halo {wrong}.</textarea>") == 1
        said = await sri.post(ticket.chat, "pesan", await version(stage), text=f"Halo {wrong}.")
        assert said.json() == {"error": {"code": "variable", "message": f"{wrong} tidak dikenal. {told}"}}
    # A reply that is gone meanwhile: its new words are not.
    gone = await sri.client.post("/helpdesk/balasan", data=kept | {"text_id": "Sampai jumpa", "reply": "x"})
    assert gone.status_code == 422
    assert ">Sampai jumpa</textarea>" in gone.text
    assert [one.text_id for one in await stage.desk.canned.of(agent)] == ["Halo {{ first_name }}."]
    await sri.post(ticket.chat, "pesan", await version(stage), text="", reply=reply.id)
    await until(lambda: "Halo Siti." in stage.chat.texts("siti"))
    await sri.client.aclose()


async def test_without_the_script_a_lost_claim_is_a_page_that_keeps_what_was_typed(stage: Stage) -> None:
    ticket = await asking(stage)
    sri, budi = await browser(stage, "sri"), await browser(stage, "budi")
    seen = await version(stage)
    await sri.post(ticket.chat, "ambil", seen)
    form = {"form": budi.form, "version": seen, "key": "k", "text": "Panjang lebar"}
    answer = await budi.client.post(f"/helpdesk/c/{ticket.chat}/pesan", data=form)
    assert answer.status_code == 409
    assert "Percakapan ini sudah ditangani Sri." in answer.text
    assert "Panjang lebar" in answer.text
    for each in (sri, budi):
        await each.client.aclose()
