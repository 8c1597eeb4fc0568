"""What a channel may do with a registration, over HTTP, on both databases."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import sqlalchemy as sa
from structlog.testing import capture_logs

from akses.keyring import Keyring
from backend.budgets import mailbox
from backend.tables import audit, links, mails, registrations
from backend_client.models import NewRegistration, Registration
from tests.backend.stage import BODY, Stage, stage_on, text_of, token_in


async def rows(stage: Stage, table: sa.Table) -> list[dict[str, Any]]:
    async with stage.backend.database.reading() as conn:
        return [dict(row._mapping) for row in await conn.execute(table.select())]


async def test_a_registration_is_taken_mailed_and_told(stage: Stage) -> None:
    answer = await stage.post()
    assert answer.status_code == 202
    made = msgspec.json.decode(answer.content, type=Registration)
    assert (made.status, made.mail.state) == ("pending", "queued")
    assert made.email_masked == "s***@example.com"
    mail = (await stage.smtp.mails(1))[0]
    assert mail["To"] == "siti.rahmawati@example.com"
    assert mail["From"].addresses[0].addr_spec == "akses@ksei.co.id"
    assert mail["Auto-Submitted"] == "auto-generated"
    seen = await stage.until_mail(made.id, "accepted")
    assert seen["mail"]["accepted_at"] is not None
    (told,) = await stage.receiver.events(1)
    assert told.event["type"] == "registration.mailed"
    assert told.event["data"] == {
        "registration_id": made.id,
        "reference": BODY["reference"],
        "status": "pending",
        "email_masked": "s***@example.com",
    }


async def test_what_the_client_writes_is_what_the_backend_reads(small_stage: Stage) -> None:
    body = msgspec.json.encode(msgspec.convert(BODY, NewRegistration))
    headers = {**small_stage.key(), "Content-Type": "application/json"}
    answer = await small_stage.http.post("/api/v1/registrations", content=body, headers=headers)
    assert answer.status_code == 202


async def test_twenty_equal_requests_at_once_are_one_registration_and_one_mail(stage: Stage) -> None:
    key = stage.key()
    answers = await asyncio.gather(*(stage.post(key) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {202}
    made = {answer.json()["id"] for answer in answers}
    assert len(made) == 1
    await stage.until_mail(made.pop(), "accepted")
    assert len(await rows(stage, registrations)) == 1
    assert len(await rows(stage, mails)) == 1
    assert len(stage.smtp.taken) == 1


async def test_a_key_with_another_request_is_refused(stage: Stage) -> None:
    key = stage.key()
    made = (await stage.post(key)).json()
    for again in (
        await stage.post(key, full_name="Budi Santoso"),
        await stage.resend(made["id"], key),
        await stage.put_email(made["id"], "baru@example.com", key),
    ):
        assert (again.status_code, again.json()["code"]) == (409, "key_reused")
    assert len(await rows(stage, mails)) == 1


async def test_the_same_request_written_otherwise_is_the_same_request(small_stage: Stage) -> None:
    """Order and spacing of the JSON do not matter."""
    key = small_stage.key()
    first = (await small_stage.post(key)).json()
    again = await small_stage.http.post("/api/v1/registrations", json=dict(reversed(BODY.items())), headers=key)
    assert again.json()["id"] == first["id"]


async def test_a_refused_resend_does_not_use_up_its_key(small_stage: Stage) -> None:
    made = await small_stage.register()
    key = small_stage.key()
    assert (await small_stage.resend(made["id"], key)).status_code == 429
    small_stage.let_pass(seconds=61)
    assert (await small_stage.resend(made["id"], key)).status_code == 202


async def test_the_link_is_mailed_again_after_the_cooldown_and_retry_after_is_rounded_up(stage: Stage) -> None:
    made = await stage.register()
    early = await stage.resend(made["id"])
    assert (early.status_code, early.json()["code"]) == (429, "limit")
    wait = int(early.headers["Retry-After"])
    assert 50 <= wait <= 60
    stage.let_pass(seconds=wait - 3)
    assert (await stage.resend(made["id"])).status_code == 429
    stage.let_pass(seconds=3)
    key = stage.key()
    sent = await stage.resend(made["id"], key)
    assert sent.status_code == 202
    assert sent.json()["mail"]["state"] == "queued"
    assert sent.json()["resend_available_at"] > made["resend_available_at"]
    assert (await stage.resend(made["id"], key)).status_code == 202, "a repeated request is answered, not counted"
    first, second = (token_in(mail) for mail in await stage.smtp.mails(2))
    assert first != second


async def test_a_registration_gets_five_mails_an_hour_and_ten_a_day(small_stage: Stage) -> None:
    made = await small_stage.register()
    for mail in range(2, 11):
        small_stage.let_pass(seconds=60)
        if mail == 6:
            limited = await small_stage.resend(made["id"])
            assert limited.status_code == 429
            assert 3000 < int(limited.headers["Retry-After"]) < 3600
            small_stage.let_pass(hours=1)
        assert (await small_stage.resend(made["id"])).status_code == 202, mail
    small_stage.let_pass(hours=2)
    limited = await small_stage.resend(made["id"])
    assert limited.status_code == 429
    assert int(limited.headers["Retry-After"]) > 19 * 3600


async def test_an_address_gets_ten_mails_a_day_whoever_asks(small_stage: Stage) -> None:
    for _ in range(10):
        await small_stage.register()
    for spelled in ("siti.rahmawati@example.com", "SITI.Rahmawati@EXAMPLE.com"):
        limited = await small_stage.post(email=spelled)
        assert (limited.status_code, limited.json()["code"]) == (429, "limit")
    other = await small_stage.register(email="other@example.com")
    assert (await small_stage.put_email(other["id"], "siti.rahmawati@example.com")).status_code == 429
    small_stage.let_pass(hours=24, seconds=1)
    await small_stage.register()


async def test_another_address_voids_the_links_and_gets_its_own_mail_at_once(stage: Stage) -> None:
    made = await stage.register()
    old = await stage.smtp.token()
    moved = await stage.put_email(made["id"], "Siti@Example.org")
    assert moved.status_code == 202
    assert moved.json()["email_masked"] == "S***@example.org"
    mails_ = await stage.smtp.mails(2)
    assert mails_[1]["To"] == "Siti@example.org"
    assert type(await stage.backend.activation.look(old)).__name__ == "LinkUnknown"
    assert type(await stage.backend.activation.look(token_in(mails_[1]))).__name__ == "LinkLive"


async def test_a_withdrawn_registration_is_erased_and_its_links_are_void(stage: Stage) -> None:
    made = await stage.register()
    token = await stage.smtp.token()
    for _ in range(2):
        gone = await stage.http.delete(f"/api/v1/registrations/{made['id']}")
        assert (gone.status_code, gone.content) == (204, b"")
    (row,) = await rows(stage, registrations)
    assert row["status"] == "withdrawn"
    assert [row[column] for column in ("full_name", "nik", "nik_index", "phone", "phone_index", "email", "email_index")] == [
        None
    ] * 7
    assert type(await stage.backend.activation.look(token)).__name__ == "LinkUnknown"
    seen = await stage.view(made["id"])
    assert (seen["status"], seen["email_masked"], seen["resend_available_at"]) == ("withdrawn", "", None)
    for refused in (await stage.resend(made["id"]), await stage.put_email(made["id"], "a@example.com")):
        assert (refused.status_code, refused.json()["code"]) == (409, "closed")


async def test_an_active_registration_cannot_be_changed_any_more(stage: Stage) -> None:
    made = await stage.register()
    await stage.activate(await stage.smtp.token())
    assert (await stage.view(made["id"]))["status"] == "active"
    for refused in (
        await stage.resend(made["id"]),
        await stage.put_email(made["id"], "a@example.com"),
        await stage.http.delete(f"/api/v1/registrations/{made['id']}"),
    ):
        assert (refused.status_code, refused.json()["code"]) == (409, "closed")


def shape(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer without what differs between any two registrations."""
    times = {"created_at", "link_expires_at", "resend_available_at", "id"}
    return {name: (type(value) if name in times else value) for name, value in answer.items()}


async def test_a_known_e_mail_or_nik_is_answered_as_a_new_one_and_told_only_by_mail(stage: Stage) -> None:
    fresh = await stage.register()
    await stage.activate(await stage.smtp.token())
    known = [
        await stage.register(nik="3174095708900002"),
        await stage.register(email="someone.else@example.com"),
    ]
    for made in known:
        assert shape(made) == shape(fresh) | {"email_masked": "s***@example.com"}
    mails_ = (await stage.smtp.mails(3))[1:]
    assert {mail["To"] for mail in mails_} == {"siti.rahmawati@example.com", "someone.else@example.com"}
    for mail in mails_:
        assert "/aktivasi/" not in text_of(mail)
        assert "/masuk" in text_of(mail)
    for made in known:
        assert (await stage.until_mail(made["id"], "accepted"))["status"] == "pending"
        assert (await stage.resend(made["id"])).status_code == 429, "the same cooldown as for everybody"
    await stage.receiver.events(3, "registration.mailed")


async def test_every_change_leaves_a_line_in_the_audit_without_personal_data(stage: Stage) -> None:
    made = await stage.register()
    await stage.put_email(made["id"], "baru@example.com")
    await stage.http.delete(f"/api/v1/registrations/{made['id']}")
    lines = await rows(stage, audit)
    assert [line["action"] for line in lines if line["actor"].startswith("api:")] == [
        "registration.created",
        "registration.email_changed",
        "registration.withdrawn",
    ]
    for private in ("siti", "Siti", "baru@", "3174095708900001", "81234567890"):
        assert private not in repr(lines)


async def test_of_a_registration_the_newest_three_links_live(stage: Stage) -> None:
    made = await stage.register()
    for sent in range(1, 4):
        # Each waits for the one before it, so that the order of the mails is that of the links.
        await stage.smtp.mails(sent)
        stage.let_pass(seconds=61)
        assert (await stage.resend(made["id"])).status_code == 202
    tokens = [token_in(mail) for mail in await stage.smtp.mails(4)]
    found = {type(await stage.backend.activation.look(token)).__name__ for token in tokens[1:]}
    assert found == {"LinkLive"}
    assert type(await stage.backend.activation.look(tokens[0])).__name__ == "LinkUnknown"
    assert sum(row["void_at"] is not None for row in await rows(stage, links)) == 1


async def test_thirty_registrations_for_one_address_from_thirty_chats_send_no_more_than_its_budget(stage: Stage) -> None:
    """However the address is written: a mailbox counts, not its spelling. And who is refused is told by which limit, and until when."""
    spelled = ("siti.rahmawati@gmail.com", "SitiRahmawati@Gmail.com", "siti.rahmawati+akses@gmail.com")
    answers = [
        await stage.post(email=spelled[number % 3], nik=f"31740957089000{number:02}", reference=f"telegram:{number}")
        for number in range(30)
    ]
    assert [answer.status_code for answer in answers] == [202] * 10 + [429] * 20
    for refused in answers[10:]:
        assert refused.json()["limit"] == "recipient"
        assert 23 * 3600 < int(refused.headers["Retry-After"]) <= 24 * 3600
    assert len(await stage.smtp.mails(10)) == 10


async def test_a_chat_causes_twenty_mails_an_hour_and_others_do_not_feel_it(small_stage: Stage) -> None:
    for number in range(20):
        await small_stage.register(email=f"direktur{number}@example.com", reference="telegram:1")
    refused = await small_stage.post(email="direktur20@example.com", reference="telegram:1")
    assert (refused.status_code, refused.json()["limit"]) == (429, "chat")
    assert 3500 < int(refused.headers["Retry-After"]) <= 3600
    await small_stage.register(email="direktur20@example.com", reference="telegram:2")
    small_stage.let_pass(hours=1, seconds=1)
    await small_stage.register(email="direktur21@example.com", reference="telegram:1")


async def test_the_whole_product_has_a_budget_and_the_operator_is_told_before_it_is_used_up(
    sqlite_url: str, keyring: Keyring
) -> None:
    async with stage_on(sqlite_url, keyring, role="web", mails_an_hour=5) as stage:
        with capture_logs() as told:
            for number in range(5):
                await stage.register(email=f"p{number}@example.com", reference=f"telegram:{number}")
        assert [line["event"] for line in told if line["log_level"] == "error"] == ["mail.budget_nearly_used_up"]
        made = await stage.post(email="p6@example.com", reference="telegram:6")
        assert (made.status_code, made.json()["limit"]) == (429, "operator")
        stage.let_pass(hours=1, seconds=1)
        await stage.register(email="p6@example.com", reference="telegram:6")


async def test_each_limit_names_itself(small_stage: Stage) -> None:
    made = await small_stage.register()
    assert (await small_stage.resend(made["id"])).json()["limit"] == "cooldown"
    for _ in range(4):
        small_stage.let_pass(seconds=61)
        assert (await small_stage.resend(made["id"])).status_code == 202
    small_stage.let_pass(seconds=61)
    assert (await small_stage.resend(made["id"])).json()["limit"] == "registration"


def test_a_mailbox_is_what_an_address_leads_to() -> None:
    assert mailbox("Budi.S+akses@Gmail.com") == "budis@gmail.com"
    assert mailbox("budi.s@googlemail.com") == "budis@gmail.com"
    assert mailbox("budi.s+x+y@example.com") == "budi.s@example.com"
    assert mailbox("+x@example.com") == "+x@example.com"


async def test_the_mailed_link_leads_to_the_public_address_whatever_the_request_says(small_stage: Stage) -> None:
    evil = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "Forwarded": "host=evil.example",
    }
    answer = await small_stage.http.post("/api/v1/registrations", json=BODY, headers={**small_stage.key(), **evil})
    assert answer.status_code == 202
    (mail,) = await small_stage.smtp.mails(1)
    assert f"{small_stage.config.public_url}/aktivasi/akt_" in text_of(mail)
    assert "evil.example" not in str(mail)


async def test_a_mail_that_is_not_sent_waits_for_a_server_that_is_away_like_any_other(small_stage: Stage) -> None:
    """Else its state would tell, while the mail server is down, who wants no mail."""
    await small_stage.register()
    assert await small_stage.backend.activation.disown(await small_stage.smtp.token())
    await small_stage.smtp.close()
    made = await small_stage.register()
    other = await small_stage.register(email="other@example.com", nik="3174095708900002")
    await asyncio.sleep(1)
    for one in (made, other):
        assert (await small_stage.view(one["id"]))["mail"]["state"] == "queued"
    await small_stage.smtp.open()
    for one in (made, other):
        await small_stage.until_mail(one["id"], "accepted")
    assert [str(mail["To"]) for mail in await small_stage.smtp.mails(2)] == ["siti.rahmawati@example.com", "other@example.com"]
