"""The mail job against a real SMTP server that refuses, hesitates, is away, or sees the sender die."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from akses.keyring import Keyring
from backend.config import Timings
from backend.mail.sending import Mailer
from backend.mail.smtp import Smtp, SmtpUrlInvalid
from backend.tables import mails
from tests.backend.conftest import OpenStage
from tests.backend.stage import SECONDS, SmtpSink, Stage, child, parsed, stage_on, text_of, token_in, until
from tests.services import free_port


async def test_a_server_that_asks_to_come_again_gets_the_mail_later_and_once(stage: Stage) -> None:
    stage.smtp.answers.extend(["451 busy", "421 shutting down", "452 full"])
    made = await stage.register()
    await stage.until_mail(made["id"], "accepted")
    assert len(stage.smtp.taken) == 1
    assert len(await stage.receiver.events(1, "registration.mailed")) == 1


async def test_a_server_that_refuses_for_good_is_believed_and_the_chat_is_told(stage: Stage) -> None:
    stage.smtp.answers.append("550 no such user")
    made = await stage.register()
    (told,) = await stage.receiver.events(1)
    assert told.event["type"] == "registration.mail_failed"
    assert told.event["data"]["status"] == "pending"
    assert (await stage.view(made["id"]))["mail"] == {"state": "failed", "accepted_at": None}
    assert not stage.smtp.answers
    assert not stage.smtp.taken


async def test_a_server_that_is_away_gets_the_mail_when_it_is_back(open_stage: OpenStage) -> None:
    sink = SmtpSink()
    sink.port = free_port()
    async with open_stage(smtp=sink, smtp_url=f"smtp://127.0.0.1:{sink.port}") as stage:
        made = await stage.register()
        await asyncio.sleep(0.5)
        assert (await stage.view(made["id"]))["mail"]["state"] == "queued"
        await sink.open()
        try:
            await stage.until_mail(made["id"], "accepted")
            assert len(sink.taken) == 1
        finally:
            await sink.close()


async def test_a_poisoned_mail_does_not_delay_the_others(small_stage: Stage) -> None:
    small_stage.smtp.answers.append("451 busy")
    first = await small_stage.register()
    await until(lambda: not small_stage.smtp.answers)
    small_stage.smtp.answers.extend(["451 busy"] * 3)
    others = [await small_stage.register(email=f"person{nth}@example.com") for nth in range(3)]
    for made in (first, *others):
        await small_stage.until_mail(made["id"], "accepted")


async def test_the_token_is_erased_once_the_mail_is_accepted(stage: Stage) -> None:
    made = await stage.register()
    await stage.until_mail(made["id"], "accepted")
    async with stage.backend.database.reading() as conn:
        row = (await conn.execute(mails.select())).one()
    assert (row.token, row.kind, row.state) == (None, "activation", "accepted")
    assert row.message_id == parsed(stage.smtp.taken[0])["Message-ID"]


async def test_a_mail_whose_link_ended_first_is_not_sent_and_the_chat_is_told(open_stage: OpenStage) -> None:
    async with open_stage(timings=Timings(mail_backoff=(1.0,), hook_backoff=(0.1,) * 6)) as stage:
        stage.smtp.answers.append("451 busy")
        await stage.register()
        await until(lambda: not stage.smtp.answers)
        stage.let_pass(hours=25)
        await stage.receiver.events(1, "registration.mail_failed")
        assert not stage.smtp.taken


async def test_a_mail_to_an_address_that_was_changed_meanwhile_is_dropped_in_silence(stage: Stage) -> None:
    stage.smtp.answers.append("451 busy")
    made = await stage.register()
    await until(lambda: not stage.smtp.answers)
    await stage.put_email(made["id"], "baru@example.com")
    await stage.until_mail(made["id"], "accepted")
    await _no_more_queued(stage)
    assert [parsed(envelope)["To"] for envelope in stage.smtp.taken] == ["baru@example.com"]
    assert [hook.event["type"] for hook in stage.receiver.heard] == ["registration.mailed"]


async def _no_more_queued(stage: Stage) -> None:
    async def none() -> bool:
        async with stage.backend.database.reading() as conn:
            return await conn.scalar(sa.select(sa.func.count()).where(mails.c.state == "queued")) == 0

    await until(none)
    await stage.receiver.events(1)


async def test_the_mail_has_two_parts_with_one_and_the_same_link(small_stage: Stage) -> None:
    await small_stage.register(full_name="Siti <b>Rahmawati</b> {{ 7*7 }}")
    (mail,) = await small_stage.smtp.mails(1)
    html = mail.get_body(("html",))
    assert html is not None
    token = token_in(mail)
    assert token in str(html.get_content())
    assert "<b>Rahmawati" not in str(html.get_content())
    assert "{{ 7*7 }}" in text_of(mail)
    link = next(line for line in text_of(mail).splitlines() if token in line)
    assert link.strip() == f"{small_stage.config.public_url}/aktivasi/{token}"
    assert len(f"/aktivasi/{token}") <= 76


async def test_a_mail_to_an_international_domain_reaches_a_server_that_knows_plain_ones_alone(small_stage: Stage) -> None:
    for number, domain in enumerate(("bücher.example", "xn--bcher-kva.example"), start=1):
        await small_stage.register(email=f"siti{number}@{domain}", nik=f"317409570890000{number}")
    mails_ = await small_stage.smtp.mails(2)
    written = {f"siti{number}@xn--bcher-kva.example" for number in (1, 2)}
    assert {to for envelope in small_stage.smtp.taken for to in envelope.rcpt_tos} == written
    assert {str(mail["To"]) for mail in mails_} == written


async def test_a_process_that_dies_after_the_server_took_the_mail_sends_the_same_mail_once_more(
    database_url: str, keyring_file: Path, keyring: Keyring
) -> None:
    """Killed between SMTP's DATA and the commit: a second identical mail with the same Message-ID, one account-to-be."""
    sink = SmtpSink()
    await sink.open()
    try:
        async with child(database_url, keyring_file, sink.url) as dying:
            sink.on_data = lambda: os.kill(dying.pid, signal.SIGKILL)
            assert dying.stdout is not None
            registration = (await asyncio.wait_for(dying.stdout.read(), SECONDS)).decode().strip()
            assert await dying.wait() == -signal.SIGKILL
        sink.on_data = lambda: None
        assert len(sink.taken) == 1
        async with stage_on(database_url, keyring, smtp=sink) as stage:
            seen = await stage.until_mail(registration, "accepted")
            assert seen["status"] == "pending"
            first, second = await sink.mails(2)
            assert first["Message-ID"] == second["Message-ID"]
            assert sink.taken[0].content == sink.taken[1].content
            assert len(await stage.receiver.events(1, "registration.mailed")) == 1
            await stage.activate(token_in(first))
            assert (await stage.view(registration))["status"] == "active"
    finally:
        await sink.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.example.com:25",
        "http://u:secret@mail.example.com",
        "smtp://u:secret@",
        "smtp://u:secret@mail.example.com:port",
    ],
    ids=["empty", "bare", "http", "no-host", "port"],
)
def test_a_mail_server_s_url_that_is_none_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(SmtpUrlInvalid) as refusal:
        Smtp.parse(url, 1.0)
    assert "secret" not in str(refusal.value)


def test_a_mail_server_s_url_may_hold_credentials_and_the_port_is_known() -> None:
    smtp = Smtp.parse("smtps://user%40example.com:p%3Ass@mail.example.com", 1.0)
    assert (smtp.host, smtp.port, smtp.username, smtp.password, smtp.tls) == (
        "mail.example.com",
        465,
        "user@example.com",
        "p:ss",
        True,
    )


async def test_a_mail_that_goes_again_just_when_its_account_is_activated_is_the_same_mail(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker died after the server had taken it; the person was quicker than the worker after that one."""
    accepted, suppressed, steps = Mailer._accepted, Mailer._suppressed, ["dies", "activated"]

    async def dies(self: Mailer, due: Any) -> None:
        if "dies" in steps:
            steps.remove("dies")
            raise OSError("gone")
        await accepted(self, due)

    async def meanwhile(self: Mailer, conn: Any, row: Any) -> bool:
        if stage.smtp.taken and "activated" in steps:
            steps.remove("activated")
            await stage.activate(await stage.smtp.token())
        return await suppressed(self, conn, row)

    monkeypatch.setattr(Mailer, "_accepted", dies)
    monkeypatch.setattr(Mailer, "_suppressed", meanwhile)
    await stage.register()
    first, second = await stage.smtp.mails(2)
    assert steps == []
    assert first.as_bytes() == second.as_bytes()
