"""What a person entered reaches nobody who has no right to it, whatever they ask for; and a link that is sent again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta

import httpx2
import pytest

from akses.keyring import Keyring
from backend_client.errors import BackendUnreachable, LimitReached, RegistrationUnknown, RequestRefused
from dialogs.events import ButtonPressed, CommandSent, Started
from dialogs.office import Office
from dialogs.registration import token
from helpdesk.reading import Ticket
from helpdesk.roles import ROLES, TO_REVEAL
from tests.backend.stage import until
from tests.helpdesk.stage import Stage, form_token, stage_on
from tests.helpdesk.test_deeds import CHAT, Browser, browser, version

NAME, NIK, PHONE, EMAIL = "Kartikasari Wulandari", "3174025708900003", "0812-3456-7890", "kartika.wulan@example.com"
# Every way in which the four could be written on a page, in a file or in an answer.
CANARIES = (
    "Kartikasari", "Wulandari", NIK, "3174 0257 0890 0003", "174025708900", PHONE, "081234567890", "81234567890", "812-3456-7890",
    "812 3456 7890", EMAIL, "kartika.wulan", "kartika",
)  # fmt: skip


@pytest.fixture
async def stage(sqlite_url: str, keyring: Keyring) -> AsyncIterator[Stage]:
    async with stage_on(sqlite_url, keyring, office=Office(always=True)) as opened:
        yield opened


async def presses(stage: Stage, action: str, event_id: str) -> None:
    session = await stage.runner.session(CHAT)
    assert session is not None
    await stage.send("siti", ButtonPressed(token(session), action), event_id)


async def at_the_summary(stage: Stage) -> None:
    """All four are answered."""
    await stage.send("siti", Started(), "e0")
    await presses(stage, "agree", "b0")
    await presses(stage, "kind.individu_lokal", "b1")
    for number, words in enumerate((NAME, NIK, PHONE, EMAIL), start=1):
        await stage.send("siti", words, f"e{number}")
    session = await stage.runner.session(CHAT)
    assert session is not None
    assert session.draft is not None
    assert set(session.draft.answers) == {"full_name", "nik", "phone", "email"}


async def asks_for_a_human(stage: Stage) -> Ticket:
    await stage.send("siti", CommandSent("petugas"), "e9")

    async def there() -> Ticket | None:
        return next(iter(await stage.desk.reading.tickets("queue", "")), None)

    return await until(there)


async def listened(client: httpx2.AsyncClient) -> str:
    """What a stream says from the first change on until it has caught up."""
    heard = list[str]()
    async with client.stream("GET", "/helpdesk/langsung?since=0") as answer:
        async for line in answer.aiter_lines():
            heard.append(line)
            if line == "event: ready":
                break
    assert any(line.startswith("id:") for line in heard)
    return "\n".join(heard)


async def test_no_answer_of_a_form_is_anywhere_in_what_anybody_can_fetch(stage: Stage) -> None:
    await at_the_summary(stage)
    ticket = await asks_for_a_human(stage)
    async with AsyncExitStack() as stack:
        agents: dict[str, Browser] = {}
        for role in ROLES:
            agents[role] = await browser(stage, f"{role}.uji", role)
            stack.push_async_callback(agents[role].client.aclose)
        taken = await agents["agent"].post(ticket.chat, "ambil", await version(stage))
        assert taken.status_code == 200
        assert (await agents["agent"].post(ticket.chat, "catatan", 0, text="Sudah ditelepon")).status_code == 200
        seen: dict[str, str] = {}
        pages = [f"/helpdesk/c/{ticket.chat}", "/helpdesk/daftar.csv", "/helpdesk/audit", "/helpdesk/petugas", "/helpdesk/saya"]
        pages += [f"/helpdesk?daftar={name}" for name in ("queue", "mine", "all", "live")]
        pages += ["/helpdesk/balasan", "/helpdesk/angka", "/helpdesk/bantu"]
        for role, agent in agents.items():
            for page in pages:
                for language in ("id", "en"):
                    answer = (
                        await agent.client.get(page, params={"lang": language})
                        if "?" not in page
                        else await agent.client.get(page)
                    )
                    seen[f"{role} {page} {language}"] = answer.text + str(answer.headers)
            if role in ("viewer", "agent", "supervisor"):
                seen[f"{role} stream"] = await listened(agent.client)
            deeds = {"ambil": {}, "pesan": {"text": "x"}, "usul": {"field": "nik", "value": "12"}, "ulang": {"entry": "x"}}
            for deed, fields in deeds.items():
                if role != "agent":
                    seen[f"{role} {deed}"] = (await agent.post(ticket.chat, deed, 0, **fields)).text
            for field, right in TO_REVEAL.items():
                answer = await agent.post(ticket.chat, "buka", 0, field=field, reason="identity")
                holder = await stage.people.agents.by_login(f"{role}.uji")
                assert holder is not None
                assert (answer.status_code == 200) == holder.may(right), f"{role} {field}"
                if not holder.may(right):
                    seen[f"{role} reveal {field}"] = answer.text
        # Revealed a moment ago, the values are in no page all the same.
        for role in ("agent", "supervisor"):
            for page in (f"/helpdesk/c/{ticket.chat}", "/helpdesk?daftar=all"):
                seen[f"{role} {page} afterwards"] = (await agents[role].client.get(page)).text
        seen["audit afterwards"] = (await agents["auditor"].client.get("/helpdesk/audit")).text
    assert "desk.revealed" in seen["audit afterwards"]
    found = [(place, canary) for place, text in seen.items() for canary in CANARIES if canary in text]
    assert found == []
    assert "K***" in seen[f"agent /helpdesk/c/{ticket.chat} id"], "and there was something to see"


async def handed_off(stage: Stage) -> str:
    """The registration that the summary led to: from here on the backend alone has its fields."""
    await presses(stage, "activate", "b2")

    async def handed() -> str | None:
        session = await stage.runner.session(CHAT)
        return session.registrations[0].id if session is not None and session.registrations else None

    registration = await until(handed)
    await stage.backend.settle()
    return registration


async def test_a_field_of_what_was_handed_off_is_shown_as_one_of_the_open_form_is(stage: Stage) -> None:
    await at_the_summary(stage)
    registration = await handed_off(stage)
    ticket = await asks_for_a_human(stage)
    async with AsyncExitStack() as stack:
        agents = {role: await browser(stage, f"{role}.uji", role) for role in ("viewer", "agent", "supervisor")}
        for agent in agents.values():
            stack.push_async_callback(agent.client.aclose)

        async def asked(role: str, field: str, of: str = registration, reason: str = "identity") -> httpx2.Response:
            return await agents[role].post(ticket.chat, "buka", 0, field=field, reason=reason, registration=of)

        assert (await asked("agent", "phone")).status_code == 409, "it is taken first"
        assert (await agents["agent"].post(ticket.chat, "ambil", await version(stage))).status_code == 200
        shown = {field: await asked("supervisor", field) for field in TO_REVEAL}
        assert {field: answer.json()["value"] for field, answer in shown.items()} == {
            "full_name": NAME,
            "nik": "3174 0257 0890 0003",
            "phone": "0812-3456-7890",
            "email": EMAIL,
        }
        assert (await asked("agent", "phone")).json()["value"] == "0812-3456-7890"
        assert (await asked("agent", "phone", reason="")).status_code == 422
        assert (await asked("agent", "phone", of="")).status_code == 422, "the dialog itself holds nothing any more"
        assert (await asked("agent", "nik")).status_code == 403
        assert (await asked("viewer", "phone")).status_code == 403
        assert (await asked("agent", "phone", of="reg999")).status_code == 422, "not of this chat"
        sri = await stage.people.agents.by_login("agent.uji")
        assert sri is not None
        assert stage.backend.reveals[-1] == (registration, "phone", "identity", f"agent:{sri.id}")
        told = [line for line in await stage.audit.lines(limit=100) if line.action.startswith("desk.reveal")]
        assert told[1].detail == {"field": "phone", "reason": "identity", "registration": registration}
        assert told[0].action == "desk.reveal_refused"
        seen = {role: (await agent.client.get(f"/helpdesk/c/{ticket.chat}")).text for role, agent in agents.items()}
        assert [(role, canary) for role, text in seen.items() for canary in CANARIES if canary in text] == []
        offered = {
            role: {field for field in TO_REVEAL if f"buka-{registration}-{field}" in text} for role, text in seen.items()
        }
        assert offered == {"viewer": set(), "agent": {"full_name", "phone", "email"}, "supervisor": set(TO_REVEAL)}
        without_script = {"form": agents["agent"].form, "field": "phone", "reason": "identity", "registration": registration}
        page = await agents["agent"].client.post(f"/helpdesk/c/{ticket.chat}/buka", data=without_script)
        assert "0812-3456-7890" in page.text
        assert [canary for canary in ("Kartikasari", NIK, EMAIL) if canary in page.text] == []


async def test_why_a_field_of_what_was_handed_off_cannot_be_shown_is_told(stage: Stage) -> None:
    await at_the_summary(stage)
    registration = await handed_off(stage)
    ticket = await asks_for_a_human(stage)
    sri = await browser(stage, "sri")
    await sri.post(ticket.chat, "ambil", await version(stage))

    async def asked() -> tuple[int, str]:
        answer = await sri.post(ticket.chat, "buka", 0, field="phone", reason="identity", registration=registration)
        return answer.status_code, answer.json()["error"]["message"]

    for error, status, words in (
        (BackendUnreachable(), 422, "sedang tidak dapat dihubungi"),
        (LimitReached(600), 429, "10 menit"),
        (RequestRefused("forbidden"), 422, "BACKEND_SCOPED_KEYS"),
        (RegistrationUnknown("not_found"), 422, "tidak ditemukan"),
    ):
        stage.backend.fail_next(error)
        answer = await asked()
        assert answer[0] == status
        assert words in answer[1]
    await stage.backend.activate(registration)
    assert "sudah aktif" in (await asked())[1]
    page = (await sri.client.get(f"/helpdesk/c/{ticket.chat}")).text
    assert f"buka-{registration}-phone" not in page, "and it is not offered any more"
    assert "desk.revealed" not in await stage.actions()
    await sri.client.aclose()


async def test_the_link_is_sent_again_once_when_its_time_has_come_and_not_before(stage: Stage) -> None:
    await at_the_summary(stage)
    registration = await handed_off(stage)
    ticket = await asks_for_a_human(stage)
    sri = await browser(stage, "sri")
    await sri.post(ticket.chat, "ambil", await version(stage))
    now = await stage.backend.status(registration)
    assert now.resend_available_at is not None
    page = (await sri.client.get(f"/helpdesk/c/{ticket.chat}")).text
    assert f'data-from="{now.resend_available_at.isoformat(timespec="seconds")}"' in page, (
        "the time that the button counts down to"
    )
    assert EMAIL not in page
    early = await sri.post(ticket.chat, "kirim-tautan", 0, registration=registration)
    assert early.status_code == 429
    assert 0 < int(early.headers["retry-after"]) <= stage.backend.cooldown_seconds
    assert "detik" in early.json()["error"]["message"]
    assert (await sri.post(ticket.chat, "kirim-tautan", 0, registration="other")).status_code == 422
    stage.clock.ahead += timedelta(seconds=stage.backend.cooldown_seconds + 1)
    for _ in range(2):
        assert (await sri.post(ticket.chat, "kirim-tautan", 0, key="k1", registration=registration)).status_code == 200
    again = await stage.backend.status(registration)
    assert again.resend_available_at is not None
    assert again.resend_available_at > now.resend_available_at, "and now it is to be waited for anew"
    assert (await sri.post(ticket.chat, "kirim-tautan", 0, registration=registration)).status_code == 429
    assert "desk.resent" in await stage.actions()
    assert "/pindah" not in page, "there is no open form to take elsewhere"
    await stage.backend.expire(registration)
    stage.clock.ahead += timedelta(seconds=stage.backend.cooldown_seconds + 1)
    assert "kirim-tautan" in (await sri.client.get(f"/helpdesk/c/{ticket.chat}")).text, "an expired one comes back to life"
    assert (await sri.post(ticket.chat, "kirim-tautan", 0, registration=registration)).status_code == 200
    assert (await stage.backend.status(registration)).status == "pending"
    await sri.client.aclose()


async def test_over_https_the_cookies_are_the_hosts_alone_and_a_plain_one_is_none(sqlite_url: str, keyring: Keyring) -> None:
    async with stage_on(sqlite_url, keyring, https=True) as stage:
        agent = await stage.agent("sri")
        link = await stage.people.agents.sign_in_link(agent.id)
        async with stage.client() as client:
            form = await client.get(f"/helpdesk/masuk/tautan/{link}")
            kept = form.headers["set-cookie"]
            given = kept.partition(";")[0]
            answer = await client.post(
                f"/helpdesk/masuk/tautan/{link}", data={"form": form_token(form)}, headers={"Cookie": given}
            )
            assert answer.status_code == 303
            cookies = [each for each in answer.headers.get_list("set-cookie") if each.startswith("__Host-helpdesk=")]
            assert len(cookies) == 1
            for cookie in (kept, cookies[0]):
                attributes = {each.strip().lower() for each in cookie.split(";")[1:]}
                assert {"secure", "httponly", "path=/", "samesite=strict"} <= attributes
                assert not any(each.startswith("domain") for each in attributes)
            session = cookies[0].partition(";")[0]
            assert (await client.get("/helpdesk/saya", headers={"Cookie": session})).status_code == 200
            plain = session.removeprefix("__Host-")
            assert (await client.get("/helpdesk/saya", headers={"Cookie": plain})).status_code == 303
