"""The audit proves itself: whatever is changed, removed, inserted or cut off shows, and the database refuses it first."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from akses.keyring import Keyring
from backend.audit import KEPT, PRUNED
from backend.housekeeping import Housekeeping
from backend.tables import audit, audit_chain, audit_loose, mails, registrations
from backend.vault import Vault
from tests.backend.stage import Stage

GUARDS = {
    "sqlite": (
        *(f"DROP TRIGGER {name}_no_{deed}" for name in ("audit", "audit_chain") for deed in ("change", "delete")),
        "DROP INDEX ix_audit_mac",
    ),
    "postgresql": (
        "ALTER TABLE audit DISABLE TRIGGER USER",
        "ALTER TABLE audit_chain DISABLE TRIGGER USER",
        "DROP INDEX ix_audit_mac",
    ),
}


async def lines(stage: Stage, count: int) -> list[int]:
    """The ids of so many new lines."""
    async with stage.backend.database.writing() as conn:
        for number in range(count):
            await stage.backend.audit.record(
                conn, stage.clock(), "system", "test.line", f"subject {number}", number=number, word="a"
            )
    async with stage.backend.database.reading() as conn:
        return list(await conn.scalars(sa.select(audit.c.id).order_by(audit.c.id)))


async def as_superuser(stage: Stage, *statements: Any) -> None:
    """What somebody can do who owns the database and not the keys."""
    async with stage.backend.database.writing() as conn:
        for guard in GUARDS[conn.dialect.name]:
            await conn.execute(sa.text(guard))
        for statement in statements:
            await conn.execute(statement)


async def test_a_chain_that_nobody_touched_holds_also_when_many_write_at_once(stage: Stage) -> None:
    await asyncio.gather(*(lines(stage, 3) for _ in range(10)))
    verdict = await stage.backend.audit.verify()
    assert (verdict.lines, verdict.holds) == (30, True)
    assert verdict.head == await stage.backend.audit.head()


@pytest.mark.parametrize(
    "statement",
    [
        audit.update().values(actor="nobody"),
        audit.delete(),
        sa.text("UPDATE audit SET mac = NULL"),
        sa.text("UPDATE audit_chain SET position = position + 10"),
        audit_chain.delete(),
    ],
    ids=["changed", "deleted", "unproved", "moved", "unchained"],
)
async def test_the_database_refuses_to_change_or_delete_a_line(stage: Stage, statement: Any) -> None:
    await lines(stage, 2)
    assert (await stage.backend.audit.verify()).lines == 2
    with pytest.raises(DBAPIError, match="append only"):
        async with stage.backend.database.writing() as conn:
            await conn.execute(statement)
    assert (await stage.backend.audit.verify()).lines == 2


async def test_whatever_a_superuser_does_to_a_line_shows(stage: Stage) -> None:
    first, second, third, fourth, fifth = await lines(stage, 5)
    assert (await stage.backend.audit.verify()).holds
    one, place = audit.c.id == third, audit_chain.c.line == third
    for deed in (
        audit.update().where(one).values(actor="nobody"),
        audit.update().where(one).values(action="test.other"),
        audit.update().where(one).values(subject="subject 9"),
        audit.update().where(one).values(detail={"number": 2, "word": "b"}),
        audit.update().where(one).values(at=stage.clock() + timedelta(seconds=1)),
        audit.update().where(one).values(mac=b"\1" * 32),
        audit.delete().where(one),
        audit_chain.update().where(place).values(mac=b"\1" * 32),
        audit_chain.update().where(place).values(position=100),
        audit_chain.delete().where(place),
        audit.insert().from_select(
            ["id", "at", "actor", "action", "subject", "detail", "mac"],
            sa.select(
                sa.literal(100), audit.c.at, audit.c.actor, audit.c.action, audit.c.subject, audit.c.detail, audit.c.mac
            ).where(one),
        ),
    ):
        async with stage.backend.database.engine.connect() as conn:
            # Undone afterwards, so that each is seen alone.
            for guard in GUARDS[conn.dialect.name]:
                await conn.execute(sa.text(guard))
            await conn.execute(deed)
            broken = await _broken_in(stage, conn)
            assert set(broken) & {third, fourth}, deed
            assert not set(broken) & {first, second, fifth}
            await conn.rollback()
    assert (await stage.backend.audit.verify()).holds


async def _broken_in(stage: Stage, conn: Any) -> list[int]:
    """`verify` on a connection whose transaction has not ended."""

    verdict = await stage.backend.audit._verdict(conn, 0, "")
    return [*verdict.broken, *verdict.unchained]


async def test_two_lines_that_changed_places_show(stage: Stage) -> None:
    _, second, third, _ = await lines(stage, 4)
    assert (await stage.backend.audit.verify()).holds
    async with stage.backend.database.reading() as conn:
        rows = {row["id"]: dict(row) for row in (await conn.execute(audit.select())).mappings()}
    swap = [
        audit.update().where(audit.c.id == at).values({name: value for name, value in rows[other].items() if name != "id"})
        for at, other in ((second, third), (third, second))
    ]
    await as_superuser(stage, *swap)
    assert set((await stage.backend.audit.verify()).broken) >= {second, third}


async def test_a_line_that_a_stranger_adds_is_given_no_place_and_shows(stage: Stage) -> None:
    await lines(stage, 2)
    forged = {"at": stage.clock(), "actor": "person", "action": "registration.activated", "subject": "x", "detail": {}}
    vault = Vault(Keyring.parse(Keyring.generate()))
    async with stage.backend.database.writing() as conn:
        await conn.execute(audit.insert().values(**forged))
        added = await conn.execute(audit.insert().values(**forged, mac=b"12345678" + vault.index("audit", "whatever")))
        await conn.execute(audit_loose.insert().values(line=added.inserted_primary_key[0]))
    verdict = await stage.backend.audit.verify()
    assert (verdict.lines, len(verdict.broken), len(verdict.unchained), verdict.holds) == (2, 0, 2, False)


async def test_lines_get_their_places_by_themselves_and_two_may_look_after_it(stage: Stage) -> None:
    made = await lines(stage, 3)
    audit_ = stage.backend.audit
    await asyncio.gather(*(audit_.chain() for _ in range(4)))
    async with stage.backend.database.reading() as conn:
        assert list(await conn.scalars(sa.select(audit_chain.c.line).order_by(audit_chain.c.position))) == made
        assert list(await conn.scalars(sa.select(audit_loose.c.line))) == []


async def test_a_tail_that_was_cut_off_shows_against_a_head_that_was_noted(stage: Stage) -> None:
    *_, last = await lines(stage, 3)
    head = await stage.backend.audit.head()
    assert head is not None
    assert (await stage.backend.audit.verify(expected=head.mac)).holds
    await as_superuser(stage, audit.delete().where(audit.c.id == last), audit_chain.delete().where(audit_chain.c.line == last))
    assert (await stage.backend.audit.verify()).holds, "alone, the rest looks whole"
    assert not (await stage.backend.audit.verify(expected=head.mac)).holds


async def test_a_look_may_begin_at_an_entry_that_was_noted(stage: Stage) -> None:
    await lines(stage, 2)
    noted = await stage.backend.audit.head()
    assert noted is not None
    await lines(stage, 3)
    verdict = await stage.backend.audit.verify(after=noted.position)
    assert (verdict.lines, verdict.holds) == (3, True)
    assert (await stage.backend.audit.verify(after=noted.position, expected=noted.mac)).holds, (
        "the entry itself is the head noted"
    )
    assert not (await stage.backend.audit.verify(after=noted.position, expected="00")).holds


async def test_an_entry_that_was_noted_and_cut_off_is_missed_where_a_look_begins_at_it(stage: Stage) -> None:
    *_, last = await lines(stage, 3)
    noted = await stage.backend.audit.head()
    assert noted is not None
    assert (await stage.backend.audit.verify(after=noted.position)).holds
    await as_superuser(stage, audit.delete().where(audit.c.id == last), audit_chain.delete().where(audit_chain.c.line == last))
    assert not (await stage.backend.audit.verify(after=noted.position)).holds


async def test_what_is_older_than_five_years_goes_and_the_rest_still_proves_itself(stage: Stage) -> None:
    stage.let_pass(days=-(KEPT.days + 3))
    old = await lines(stage, 3)
    stage.let_pass(days=KEPT.days + 3)
    await lines(stage, 2)
    assert await stage.backend.audit.prune(stage.clock()) == 3
    assert await stage.backend.audit.prune(stage.clock()) == 0
    verdict = await stage.backend.audit.verify()
    assert (verdict.lines, verdict.holds) == (3, True)
    async with stage.backend.database.reading() as conn:
        (told,) = await conn.scalars(sa.select(audit.c.detail).where(audit.c.action == PRUNED))
        assert (told["upto"], told["lines"]) == (len(old), 3)
        left = await conn.scalar(sa.select(sa.func.min(audit.c.id)))
    await as_superuser(stage, audit.delete().where(audit.c.id == left), audit_chain.delete().where(audit_chain.c.line == left))
    assert not (await stage.backend.audit.verify()).holds, "nothing may go that no line vouches for"


async def test_a_whole_journey_leaves_a_chain_that_holds(stage: Stage) -> None:
    made = await stage.register()
    await stage.activate(await stage.smtp.token())
    other = await stage.register(email="other@example.com", nik="3174095708900002")
    await stage.http.delete(f"/api/v1/registrations/{other['id']}")
    await stage.until_mail(made["id"], "accepted")
    verdict = await stage.backend.audit.verify()
    assert verdict.lines >= 4
    assert verdict.holds


async def test_hashes_for_budgets_and_the_chat_s_name_go_a_month_later(stage: Stage) -> None:
    made = await stage.register()
    await stage.until_mail(made["id"], "accepted")
    await stage.http.delete(f"/api/v1/registrations/{made['id']}")
    backend = stage.backend
    keep = Housekeeping(stage.config, backend.database, backend.jobs, backend.audit, stage.clock)
    for days, kept in ((29, True), (2, False)):
        stage.let_pass(days=days)
        await keep.tidy(stage.clock().date().isoformat(), 1)
        async with backend.database.reading() as conn:
            assert (await conn.scalar(sa.select(mails.c.recipient_index)) is not None) is kept
            assert (await conn.scalar(sa.select(registrations.c.reference)) != "") is kept
