"""Mails that come back after the mail server had taken them: the report is read, the chat is told, and nothing else changes."""

from __future__ import annotations

import asyncio
from textwrap import dedent

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from akses.bounce import tell
from akses.settings import Settings
from backend.mail.bounces import Bounce, bounces
from tests.backend.stage import Stage

ID = "<act-0123456789abcdef@ksei.co.id>"
POSTFIX = dedent("""\
    From: MAILER-DAEMON@mail.example (Mail Delivery System)
    To: akses@ksei.co.id
    Subject: Undelivered Mail Returned to Sender
    Auto-Submitted: auto-replied
    MIME-Version: 1.0
    Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

    --b1
    Content-Type: text/plain; charset=us-ascii

    I'm sorry to have to inform you that your message could not be delivered.

    --b1
    Content-Type: message/delivery-status

    Reporting-MTA: dns; mail.example
    Arrival-Date: Mon, 23 Nov 2026 12:00:00 +0700 (WIB)

    Final-Recipient: rfc822; nobody@example.com
    Original-Recipient: rfc822;nobody@example.com
    Action: {action}
    Status: {status}
    Diagnostic-Code: smtp; 550 5.1.1 user unknown

    --b1
    {returned}
    --b1--
    """)
WHOLE = f"Content-Type: message/rfc822\n\nFrom: akses@ksei.co.id\nMessage-ID: {ID}\nSubject: Aktivasi\n\nisi\n"
HEADERS = f"Content-Type: text/rfc822-headers\n\nFrom: akses@ksei.co.id\nMessage-ID: {ID}\nSubject: Aktivasi\n"


def report(returned: str = WHOLE, *, action: str = "failed", status: str = "5.1.1", head: str = "") -> bytes:
    return (head + POSTFIX.replace("{action}", action).replace("{status}", status).replace("{returned}", returned)).encode()


@pytest.mark.parametrize("returned", [WHOLE, HEADERS])
def test_a_report_names_the_mail_that_failed_and_why(returned: str) -> None:
    assert bounces(report(returned)) == [Bounce(ID, "5.1.1")]


def test_a_report_that_gives_nothing_back_is_matched_by_what_it_answers() -> None:
    """As Exchange writes it."""
    assert bounces(report("Content-Type: text/plain\n\n", head=f"References: {ID}\n")) == [Bounce(ID, "5.1.1")]


def test_a_mail_that_was_tried_for_days_has_failed_too() -> None:
    assert bounces(report(status="4.4.7")) == [Bounce(ID, "4.4.7")]


@pytest.mark.parametrize("action", ["delayed", "relayed", "delivered", "expanded", ""])
def test_news_of_anything_but_a_failure_is_none(action: str) -> None:
    assert bounces(report(action=action)) == []


@pytest.mark.parametrize("mail", [b"", b"Subject: halo\n\nSaya sedang cuti.\n", b"\xff\xfe\x00", WHOLE.encode()])
def test_a_mail_that_is_no_report_says_nothing(mail: bytes) -> None:
    assert bounces(mail) == []


@given(st.binary(max_size=400))
def test_whatever_lies_in_a_mailbox_is_read_without_a_fault(noise: bytes) -> None:
    bounces(noise)
    bounces(report().replace(b"Status", noise[:40]))
    bounces(b"Content-Type: multipart/report; boundary=x\n\n--x\nContent-Type: message/delivery-status\n\n" + noise)


# --- what follows


async def bounced(stage: Stage, message_id: str, status: str = "5.1.1") -> httpx2.Response:
    return await stage.http.post("/api/v1/bounces", json={"message_id": message_id, "status": status})


async def test_a_mail_that_came_back_is_told_to_the_chat_once_and_its_link_lives_on(stage: Stage) -> None:
    made = await stage.register()
    (mail,) = await stage.smtp.mails(1)
    await stage.until_mail(made["id"], "accepted")
    for _ in range(3):
        assert (await bounced(stage, mail["Message-ID"])).status_code == 204
    told = await stage.receiver.events(2)
    assert sorted(hook.event["type"] for hook in told) == ["registration.mail_failed", "registration.mailed"]
    assert (await stage.view(made["id"]))["mail"]["state"] == "failed"
    await stage.activate(await stage.smtp.token(of=1))
    assert (await stage.view(made["id"]))["status"] == "active"
    await stage.receiver.events(1, "registration.activated")
    assert len(await stage.receiver.events(1, "registration.mail_failed")) == 1


async def test_an_older_mail_that_comes_back_is_no_news_while_a_newer_one_was_taken(small_stage: Stage) -> None:
    stage = small_stage
    made = await stage.register()
    (first,) = await stage.smtp.mails(1)
    await stage.until_mail(made["id"], "accepted")
    stage.let_pass(minutes=2)
    await stage.http.post(f"/api/v1/registrations/{made['id']}/resend", headers=stage.key())
    await stage.smtp.mails(2)
    await stage.receiver.events(2, "registration.mailed")
    assert (await bounced(stage, first["Message-ID"])).status_code == 204
    assert (await stage.view(made["id"]))["mail"]["state"] == "accepted"
    await asyncio.sleep(0.5)
    assert not [hook for hook in stage.receiver.heard if hook.event["type"] == "registration.mail_failed"]


async def test_a_mail_that_is_none_of_ours_is_passed_over_and_nonsense_is_refused(small_stage: Stage) -> None:
    assert (await bounced(small_stage, "<1234@elsewhere.example>")).status_code == 204
    assert (await bounced(small_stage, "act-1")).status_code == 422
    assert (await bounced(small_stage, ID, "550")).status_code == 422
    body = {"message_id": ID, "status": "5.1.1"}
    stranger = await small_stage.http.post("/api/v1/bounces", json=body, headers={"Authorization": "Bearer wrong"})
    assert stranger.status_code == 401


async def test_the_command_behind_the_mailbox_tells_the_backend(small_stage: Stage) -> None:
    stage = small_stage
    made = await stage.register()
    (mail,) = await stage.smtp.mails(1)
    await stage.until_mail(made["id"], "accepted")
    key = str(stage.http.headers["Authorization"]).removeprefix("Bearer ")
    settings = Settings(backend_url=str(stage.http.base_url), backend_api_key=key)
    returned = WHOLE.replace(ID, str(mail["Message-ID"]))
    assert await asyncio.to_thread(tell, settings, report(returned)) == 1
    assert await asyncio.to_thread(tell, settings, b"Subject: halo\n\n") == 0
    await stage.receiver.events(1, "registration.mail_failed")
    with pytest.raises(httpx2.HTTPError):
        await asyncio.to_thread(tell, Settings(backend_url="http://127.0.0.1:9", backend_api_key="k"), report(returned))
