"""What the helpdesk holds of one person: it is in the copy that the law gives them, and erased with the rest."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from akses.desk import held
from akses.keyring import Keyring
from backend.config import BackendConfig
from backend.registrations import Caller, NewRegistration
from backend.services import Backend, open_backend
from bot.conversation import Conversation
from bot.desk import Line
from dialogs.office import Office
from dialogs.texts import LANGUAGES, text
from helpdesk.reading import Ticket
from helpdesk.records import TALK_KEPT
from helpdesk.tables import GONE, conversations, entries, ticket_terms
from tests.backend.stage import until
from tests.helpdesk.stage import Stage, stage_on
from tests.helpdesk.test_deeds import CHAT, browser, version
from tests.helpdesk.test_secrets import EMAIL, NIK, asks_for_a_human, at_the_summary
from tests.product import PATIENCE

SAID = "Ibu saya Sulastri, tolong dibantu"


@pytest.fixture
async def stage(database_url: str, keyring: Keyring) -> AsyncIterator[Stage]:
    async with stage_on(database_url, keyring, office=Office(always=True)) as opened:
        yield opened


@asynccontextmanager
async def accounts(database_url: str, keyring: Keyring) -> AsyncIterator[Backend]:
    """The accounts' side on the same database."""
    config = BackendConfig(
        public_url="http://127.0.0.1:1",
        operator_name="Panitia Uji",
        demo=True,
        mail_from="akses@ksei.co.id",
        smtp_url="smtp://127.0.0.1:1",
        database_url=database_url,
        api_keys=("key-of-the-tests",),
        status_webhook_url="",
        status_webhook_secrets=(),
    )
    async with open_backend(config, keyring, role="web", talks=held(keyring)) as backend:
        yield backend


async def a_talk(stage: Stage, *, closed: bool = True) -> Ticket:
    """All four answers typed, then words to an agent, who answers, notes and closes."""
    await at_the_summary(stage)
    ticket = await asks_for_a_human(stage)
    sri = await browser(stage, "sri")
    assert (await sri.post(ticket.chat, "ambil", await version(stage))).status_code == 200
    await stage.send("siti", SAID, "e20")
    assert (await sri.post(ticket.chat, "pesan", await version(stage), text="Baik, Bu")).status_code == 200
    assert (await sri.post(ticket.chat, "catatan", 0, text="Menelepon sebagai Sulastri")).status_code == 200
    if closed:
        assert (await sri.post(ticket.chat, "tutup", await version(stage), label="resolved")).status_code == 200

    async def whole() -> bool:
        kinds = {line.kind for line in await stage.desk.reading.talk(ticket.chat, {})}
        return kinds >= {"text", "note", "closed" if closed else "taken"}

    await until(whole)
    await sri.client.aclose()
    return ticket


async def registered(backend: Backend, reference: str) -> str:
    new = NewRegistration(
        kind="individu_lokal",
        full_name="Orang Lain",
        nik="3174095708900007",
        phone="+6281234567000",
        email="lain@example.com",
        language="id",
        channel="web",
        reference=reference,
        notice_version="2026-11",
        consent_at=datetime(2026, 11, 20, tzinfo=UTC),
    )
    return (await backend.registrations.create(new, Caller("k", "key-1"))).id


async def test_whoever_only_talked_to_agents_is_on_an_incidents_list(stage: Stage, database_url: str, keyring: Keyring) -> None:
    ticket = await a_talk(stage)
    now, hour = stage.clock(), timedelta(hours=1)

    async def listed(since: datetime, until: datetime, *, contacts: bool = False) -> list[dict[str, object]]:
        return [line async for line in backend.subjects.affected(since, until, contacts=contacts)]

    async with accounts(database_url, keyring) as backend:
        (line,) = await listed(now - hour, now + hour)
        assert (line["record"], line["id"], line["fields"]) == ("talk", ticket.chat, ["chat", "words"])
        assert "siti" not in json.dumps(line)
        (line,) = await listed(now - hour, now + hour, contacts=True)
        assert line["chat"] == "web:siti"
        assert await listed(now - 3 * hour, now - 2 * hour) == [], "it was not there yet"
        await backend.subjects.erase(await backend.subjects.find("nik", NIK), "operator")
        (line,) = await listed(now - hour, now + hour, contacts=True)
        assert line["chat"] is None, "what was erased cannot be told"


async def test_whoever_only_talked_to_agents_is_found_by_what_stood_in_their_form_copied_and_erased(
    stage: Stage, database_url: str, keyring: Keyring
) -> None:
    ticket = await a_talk(stage)
    async with accounts(database_url, keyring) as backend:
        for by, value in (("nik", NIK), ("phone", "+62 812-3456-7890"), ("email", EMAIL.upper())):
            assert (await backend.subjects.find(by, value)).talks == (ticket.chat,), by  # type: ignore[arg-type]
        assert not await backend.subjects.find("email", "nobody@example.com")
        found = await backend.subjects.find("nik", NIK)
        copy = json.loads(json.dumps(await backend.subjects.export(found, "operator")))
        (talk,) = copy["talks"]
        said = [(line["author"], line["text"]) for line in talk["lines"] if line["kind"] in ("text", "note")]
        assert said == [("person", SAID), ("agent", "Baik, Bu"), ("agent", "Menelepon sebagai Sulastri")]
        assert (talk["tickets"][0]["number"], talk["tickets"][0]["label"]) == (1, "resolved")
        (own,) = (await backend.subjects.export(found, "person"))["talks"]
        assert "lines" not in own, "several people may have spoken there"
        assert (await backend.subjects.erase(found, "operator")).talks == 1
        assert (await backend.subjects.erase(found, "operator")).talks == 0
        assert not await backend.subjects.find("nik", NIK)
        assert (await backend.audit.verify()).holds
    async with stage.people.database.reading() as conn:
        assert await conn.scalar(sa.select(sa.func.count()).select_from(entries).where(entries.c.body.is_not(None))) == 0
        assert await conn.scalar(sa.select(sa.func.count()).select_from(ticket_terms)) == 0
        assert list(await conn.scalars(sa.select(conversations.c.conversation))) == [f"{GONE}:{ticket.chat}"]
    assert [(line.text, line.gone) for line in await stage.desk.reading.talk(ticket.chat, {}) if line.kind == "text"] == [
        ("", True),
        ("", True),
    ]
    (kept,) = await stage.desk.reading.tickets("all", "")
    assert (kept.number, kept.label, kept.agent_name) == (1, "resolved", "Sri"), "what no right ends"
    assert "talk.erased" in await stage.actions()


async def test_the_talk_of_a_chat_goes_with_the_registration_that_was_made_there(
    stage: Stage, database_url: str, keyring: Keyring
) -> None:
    ticket = await a_talk(stage)
    async with accounts(database_url, keyring) as backend:
        made = await registered(backend, str(CHAT))
        found = await backend.subjects.find("registration", made)
        assert (found.registrations, found.talks) == ((made,), (ticket.chat,))
        await backend.subjects.erase(found, "person")
    talk = await stage.desk.reading.talk(ticket.chat, {})
    assert all(line.gone for line in talk)
    sri = await stage.people.agents.by_login("sri")
    assert sri is not None
    client = await stage.signed_in(sri)
    page = await client.get(f"/helpdesk/c/{ticket.chat}")
    assert page.status_code == 200
    assert SAID not in page.text
    await client.aclose()


async def test_an_open_conversation_goes_on_with_its_past_erased_and_nobody_can_write_into_one_that_is_gone(
    stage: Stage, database_url: str, keyring: Keyring
) -> None:
    ticket = await a_talk(stage, closed=False)
    async with accounts(database_url, keyring) as backend:
        await backend.subjects.erase(await backend.subjects.find("nik", NIK), "operator")
        sri = await stage.people.agents.by_login("sri")
        assert sri is not None
        chat = await stage.desk.reading.chat(ticket.chat)
        assert chat is not None
        assert not chat.gone, "the answer must still find its way"
        await stage.desk.acting.say(chat, sri, await version(stage), "k9", "Ada lagi?")
        await until(lambda: "Ada lagi?" in stage.chat.texts("siti"))
        await stage.desk.acting.close(chat, sri, await version(stage), "k10", "resolved")

        async def over() -> bool:
            return (await stage.desk.reading.tickets("all", ""))[0].owner == "closed"

        await until(over)
        made = await registered(backend, str(CHAT))
        await backend.subjects.erase(await backend.subjects.find("registration", made), "operator")
    client = await stage.signed_in(sri)
    assert ticket.chat not in (await client.get("/helpdesk?daftar=live")).text
    gone = await stage.desk.reading.chat(ticket.chat)
    assert gone is not None
    assert gone.gone
    token = (await client.get("/helpdesk/saya")).text.partition('name="form" value="')[2].partition('"')[0]
    for deed in ("pesan", "ambil"):
        form = {"form": token, "version": "0", "key": "k11", "text": "Halo?"}
        refused = await client.post(f"/helpdesk/c/{ticket.chat}/{deed}", data=form, headers={"Accept": "application/json"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "gone")
    await client.aclose()


async def test_whoever_has_a_talk_on_their_screen_is_told_when_it_is_erased_and_nobody_that_was_erased_before(
    stage: Stage, database_url: str, keyring: Keyring
) -> None:
    ticket = await a_talk(stage)
    before = await stage.desk.feed.newest()
    async with accounts(database_url, keyring) as backend, stage.desk.feed.listening() as heard:
        found = await backend.subjects.find("nik", NIK)
        for _ in range(2):
            await backend.subjects.erase(found, "operator")
        async with asyncio.timeout(PATIENCE):
            changed = await heard.get()
    assert (changed.what, changed.conversation) == ("erased", ticket.chat)
    assert [each.what for each in await stage.desk.feed.since(before)] == ["erased"]


async def test_whose_chat_it_was_is_forgotten_with_the_talk_and_of_a_chat_without_a_ticket_nothing_stays(stage: Stage) -> None:
    ticket = await a_talk(stage)
    await stage.desk.records.watch([Line(Conversation("web", "lain"), "person", "Halo", datetime.now(UTC), "nik", "x1.0")])
    stage.clock.ahead += timedelta(days=29)
    await stage.desk.forget()
    async with stage.people.database.reading() as conn:
        assert set(await conn.scalars(sa.select(conversations.c.conversation))) == {str(CHAT), "web:lain"}
    stage.clock.ahead += timedelta(days=2)
    await stage.desk.forget()
    async with stage.people.database.reading() as conn:
        assert list(await conn.scalars(sa.select(conversations.c.conversation))) == [f"{GONE}:{ticket.chat}"]


def test_the_chat_tells_how_long_its_talk_with_agents_is_kept() -> None:
    for language in LANGUAGES:
        for id_ in ("talk", "talk_stays"):
            assert f" {TALK_KEPT.days} " in text(language, f"privacy.{id_}", contacts="")
