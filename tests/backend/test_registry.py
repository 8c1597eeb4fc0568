"""Whose e-mail is on record at a broker: told by mail alone, never by an answer; the list is taken as a whole or not at all."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from backend import tables
from backend.activation import Activated
from backend.registry import BATCH, ImportRefused, Verdict
from tests.backend.conftest import OpenStage
from tests.backend.stage import BODY, Stage, text_of, token_in

NIK = BODY["nik"]
RECORD = [(NIK, "Siti.Rahmawati@broker.example"), (NIK, "siti@manager.example"), ("3174095708900002", "budi@example.com")]


async def contents(stage: Stage, table: sa.Table) -> list[Any]:
    async with stage.backend.database.reading() as conn:
        return list(await conn.execute(table.select()))


async def test_off_by_default_nobody_s_address_is_compared(stage: Stage) -> None:
    await stage.backend.registry.take(RECORD)
    await stage.register()
    assert isinstance(await stage.activate(await stage.smtp.token()), Activated)


async def test_another_address_than_the_one_on_record_gets_a_mail_that_says_whom_to_ask_and_no_link(
    open_stage: OpenStage,
) -> None:
    async with open_stage(check_registry=True) as stage:
        await stage.backend.registry.take(RECORD)
        made = await stage.register()
        (mail,) = await stage.smtp.mails(1)
        assert mail["To"] == BODY["email"]
        assert "/aktivasi/" not in text_of(mail)
        assert "perusahaan efek atau manajer investasi" in " ".join(text_of(mail).split())
        seen = await stage.until_mail(made["id"], "accepted")
        assert seen["status"] == "pending"
        (told,) = await stage.receiver.events(1)
        assert told.event["type"] == "registration.mailed"

        moved = await stage.put_email(made["id"], "siti.rahmawati@BROKER.example")
        assert moved.status_code == 202
        assert isinstance(await stage.activate(token_in((await stage.smtp.mails(2))[1])), Activated)


async def test_each_address_on_record_and_whoever_is_in_no_record_gets_the_link(open_stage: OpenStage) -> None:
    async with open_stage(check_registry=True) as stage:
        await stage.backend.registry.take(RECORD)
        for changes in ({"email": "siti@manager.example"}, {"nik": "3174095708900009"}):
            await stage.register(**changes)
        for mail in await stage.smtp.mails(2):
            token_in(mail)


async def test_put_right_at_the_broker_and_asked_again_it_gets_the_link(open_stage: OpenStage) -> None:
    async with open_stage(check_registry=True) as stage:
        await stage.backend.registry.take(RECORD)
        made = await stage.register()
        await stage.smtp.mails(1)
        await stage.backend.registry.take([*RECORD, (NIK, BODY["email"])])
        stage.let_pass(seconds=61)
        await stage.resend(made["id"])
        token_in((await stage.smtp.mails(2))[1])


async def test_a_list_replaces_the_one_before_as_a_whole(stage: Stage) -> None:
    registry = stage.backend.registry
    assert await registry.edition() is None
    assert await registry.verify(*RECORD[0]) == "unknown"
    many = [(f"{number:016}", f"p{number}@example.com") for number in range(2 * BATCH + 1)]
    first = await registry.take([*many, many[0]])
    assert first.lines == len(many), "the same line twice is one"
    assert await registry.verify(*many[-1]) == "matches"
    second = await registry.take(RECORD)
    assert (await registry.edition()) == second
    found = [await registry.verify(nik, email) for nik, email in (RECORD[1], (NIK, "x@example.com"), many[-1])]
    assert found == ["matches", "differs", "unknown"]
    assert len(await contents(stage, tables.registry)) == len(RECORD)
    assert len(await contents(stage, tables.registry_editions)) == 1
    assert (await stage.backend.audit.verify()).holds


@pytest.mark.parametrize(
    "line", [("317409570890000", "a@example.com"), (NIK, "nobody"), ("", ""), ("\uff13174095708900001", "a@b.c")]
)
async def test_a_bad_line_is_named_by_its_number_and_nothing_changes(stage: Stage, line: tuple[str, str]) -> None:
    registry = stage.backend.registry
    before = await registry.take(RECORD)
    with pytest.raises(ImportRefused, match="line 2, 4") as refused:
        await registry.take([RECORD[0], line, RECORD[1], line])
    for part in line:
        assert not part or part not in str(refused.value)
    assert await registry.edition() == before
    assert len(await contents(stage, tables.registry)) == len(RECORD)


async def test_an_import_that_dies_half_way_leaves_the_list_in_use(stage: Stage) -> None:
    registry = stage.backend.registry
    before = await registry.take(RECORD)

    def dying() -> Any:
        for number in range(BATCH + 1):
            yield f"{number:016}", "a@example.com"
        raise OSError("the file is gone")

    with pytest.raises(OSError, match="gone"):
        await registry.take(dying())
    assert await registry.edition() == before
    assert await registry.verify(*RECORD[0]) == "matches"
    assert len(await contents(stage, tables.registry)) == len(RECORD)


async def test_the_table_holds_no_number_and_no_address(stage: Stage) -> None:
    await stage.backend.registry.take(RECORD)
    whole = repr(await contents(stage, tables.registry))
    for nik, email in RECORD:
        assert nik not in whole
        assert email.lower() not in whole.lower()


async def test_another_source_takes_the_table_s_place_and_its_outage_makes_the_mail_wait(open_stage: OpenStage) -> None:
    class Elsewhere:
        asked = 0

        async def verify(self, nik: str, email: str) -> Verdict:
            self.asked += 1
            assert (nik, email) == (NIK, BODY["email"])
            if self.asked == 1:
                raise ConnectionError
            return "differs"

    async with open_stage(registry=Elsewhere()) as stage:
        await stage.register()
        (mail,) = await stage.smtp.mails(1)
        assert "/aktivasi/" not in text_of(mail)
