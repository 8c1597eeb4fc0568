"""Notices: what a chat could not be told comes by mail, once, within the limits, and never to an address that wants none."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
import sqlalchemy as sa

from backend.tables import mails
from tests.backend.stage import Stage, text_of, until


async def ask(stage: Stage, registration: str, kind: str, key: dict[str, str] | None = None) -> httpx2.Response:
    url = f"/api/v1/registrations/{registration}/notices"
    return await stage.http.post(url, json={"kind": kind}, headers=key or stage.key())


async def activated(stage: Stage, **changes: Any) -> str:
    made = await stage.register(**changes)
    await stage.activate(await stage.smtp.token(of=1))
    stage.let_pass(minutes=2)  # over the cooldown of the activation mail
    return str(made["id"])


@pytest.mark.parametrize(("language", "said"), [("id", "Selamat! Akun Anda sudah aktif"), ("en", "Congratulations!")])
async def test_an_active_account_is_told_by_mail_in_the_person_s_language(stage: Stage, language: str, said: str) -> None:
    id_ = await activated(stage, language=language)
    answer = await ask(stage, id_, "active")
    assert answer.status_code == 202
    assert answer.json()["status"] == "active"
    notice = (await stage.smtp.mails(2))[1]
    assert notice["To"] == "siti.rahmawati@example.com"
    text = text_of(notice)
    assert "Siti Rahmawati" in text
    assert "http://127.0.0.1:8000/masuk" in text
    assert "/aktivasi/" not in text
    html = notice.get_body(("html",))
    assert html is not None
    assert said in str(html.get_content())


async def test_an_expired_link_is_told_by_mail_and_brings_no_link_of_its_own(small_stage: Stage) -> None:
    stage = small_stage
    made = await stage.register()
    await stage.smtp.mails(1)
    stage.let_pass(hours=25)
    # The registration's own timer counts real time, so what it does is done here.
    [link] = await _links(stage, made["id"])
    await stage.backend.registrations.expire(link, 1)
    assert (await ask(stage, made["id"], "expired")).status_code == 202
    text = text_of((await stage.smtp.mails(2))[1])
    assert "belum aktif" in text
    assert "Kirim Ulang" in text
    assert "/aktivasi/" not in text


async def _links(stage: Stage, registration: str) -> list[str]:
    async with stage.backend.database.reading() as conn:
        return list(await conn.scalars(sa.select(mails.c.link_id).where(mails.c.registration_id == registration)))


async def test_the_same_key_is_one_mail_and_with_another_body_refused(stage: Stage) -> None:
    id_, key = await activated(stage), stage.key()
    for _ in range(5):
        assert (await ask(stage, id_, "active", key)).status_code == 202
    refused = await ask(stage, id_, "expired", key)
    assert (refused.status_code, refused.json()["code"]) == (409, "key_reused")
    await stage.smtp.mails(2)
    assert await _count(stage, id_) == 2


async def _count(stage: Stage, registration: str) -> int:
    return len(await _links(stage, registration))


async def test_a_notice_that_is_not_so_is_refused(small_stage: Stage) -> None:
    made = await small_stage.register()
    for kind in ("active", "expired", "withdrawn"):
        refused = await ask(small_stage, made["id"], kind)
        assert (refused.status_code, refused.json()["code"]) == (409, "closed")
    assert (await ask(small_stage, made["id"], "mailed")).status_code == 422
    assert (await ask(small_stage, "0" * 32, "active")).status_code == 404


async def test_notices_count_into_the_limits_of_all_mails(small_stage: Stage) -> None:
    id_ = await activated(small_stage)
    assert (await ask(small_stage, id_, "active")).status_code == 202
    refused = await ask(small_stage, id_, "active")
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    for _ in range(3):
        small_stage.let_pass(seconds=61)
        assert (await ask(small_stage, id_, "active")).status_code == 202
    small_stage.let_pass(seconds=61)
    assert (await ask(small_stage, id_, "active")).status_code == 429, "five an hour"


async def test_who_said_that_it_was_not_them_is_left_in_peace(small_stage: Stage) -> None:
    """The answer is the same; there is no address left to write to."""
    stage = small_stage
    made = await stage.register()
    assert await stage.backend.activation.disown(await stage.smtp.token(of=1))
    answer = await ask(stage, made["id"], "withdrawn")
    assert answer.status_code == 202
    assert await _count(stage, made["id"]) == 1


async def test_an_address_that_wants_no_mail_gets_no_notice(small_stage: Stage) -> None:
    """Somebody disowned another registration with the same address after this one had become active."""
    stage = small_stage
    made = [(await stage.register(nik=nik))["id"] for nik in ("3174095708900001", "3174095708900002")]
    await stage.activate(await stage.smtp.token(of=2))
    (other,) = [id_ for id_ in made if (await stage.view(id_))["status"] == "pending"]
    (active,) = set(made) - {other}
    stage.let_pass(minutes=2)
    async with stage.backend.database.writing() as conn:
        await stage.backend.registrations.disown(conn, other, stage.clock())
    assert (await ask(stage, active, "active")).status_code == 202

    async def closed() -> str | None:
        async with stage.backend.database.reading() as conn:
            kind = sa.select(mails.c.reason).where(mails.c.registration_id == active, mails.c.kind == "notice.active")
            return await conn.scalar(kind)

    assert await until(closed) == "suppressed"
    assert len(stage.smtp.taken) == 2


async def test_the_state_of_the_activation_mail_is_not_that_of_a_notice(small_stage: Stage) -> None:
    id_ = await activated(small_stage)
    before = (await small_stage.view(id_))["mail"]
    small_stage.smtp.answers.append("550 no such user")
    assert (await ask(small_stage, id_, "active")).status_code == 202
    await until(lambda: not small_stage.smtp.answers)
    assert (await small_stage.view(id_))["mail"] == before
    # Each event is delivered by a job of its own: which arrives first is nobody's promise.
    assert {hook.event["type"] for hook in await small_stage.receiver.events(2)} == {
        "registration.mailed",
        "registration.activated",
    }
    assert len(small_stage.receiver.heard) == 2


async def test_a_server_that_asks_to_come_again_gets_the_notice_later_and_once(small_stage: Stage) -> None:
    id_ = await activated(small_stage)
    small_stage.smtp.answers.extend(["451 busy", "421 shutting down"])
    await ask(small_stage, id_, "active")
    await small_stage.smtp.mails(2)
    assert len(small_stage.smtp.taken) == 2
