"""The audit proves itself: whatever is changed, removed, inserted or cut off shows, and the database refuses it first."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from akses.keyring import Keyring
from backend.audit import KEPT, PRUNED
from backend.housekeeping import Housekeeping
from backend.tables import audit, mails, registrations
from backend.vault import Vault
from tests.backend.stage import Stage

GUARDS = {
    "sqlite": ("DROP TRIGGER audit_no_change", "DROP TRIGGER audit_no_delete"),
    "postgresql": ("ALTER TABLE audit DISABLE TRIGGER USER",),
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
    ],
    ids=["changed", "deleted", "unchained"],
)
async def test_the_database_refuses_to_change_or_delete_a_line(stage: Stage, statement: Any) -> None:
    await lines(stage, 2)
    with pytest.raises(DBAPIError, match="append only"):
        async with stage.backend.database.writing() as conn:
            await conn.execute(statement)
    assert (await stage.backend.audit.verify()).lines == 2


async def test_whatever_a_superuser_does_to_a_line_shows(stage: Stage) -> None:
    first, second, third, fourth, fifth = await lines(stage, 5)
    one = audit.c.id == third
    for deed in (
        audit.update().where(one).values(actor="nobody"),
        audit.update().where(one).values(action="test.other"),
        audit.update().where(one).values(subject="subject 9"),
        audit.update().where(one).values(detail={"number": 2, "word": "b"}),
        audit.update().where(one).values(at=stage.clock() + timedelta(seconds=1)),
        audit.update().where(one).values(mac=b"\1" * 32),
        audit.delete().where(one),
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

    class Here:
        @asynccontextmanager
        async def reading(self) -> Any:
            yield conn

    whole = type(stage.backend.audit)(Here(), stage.backend.audit._vault)  # type: ignore[arg-type]
    verdict = await whole.verify()
    return [*verdict.broken, *verdict.unchained]


async def test_two_lines_that_changed_places_show(stage: Stage) -> None:
    _, second, third, _ = await lines(stage, 4)
    async with stage.backend.database.reading() as conn:
        rows = {row["id"]: dict(row) for row in (await conn.execute(audit.select())).mappings()}
    swap = [
        audit.update().where(audit.c.id == at).values({name: value for name, value in rows[other].items() if name != "id"})
        for at, other in ((second, third), (third, second))
    ]
    await as_superuser(stage, *swap)
    assert set((await stage.backend.audit.verify()).broken) >= {second, third}


async def test_a_line_that_a_stranger_adds_shows(stage: Stage) -> None:
    await lines(stage, 2)
    forged = {"at": stage.clock(), "actor": "person", "action": "registration.activated", "subject": "x", "detail": {}}
    vault = Vault(Keyring.parse(Keyring.generate()))
    async with stage.backend.database.writing() as conn:
        await conn.execute(audit.insert().values(**forged))
        await conn.execute(audit.insert().values(**forged, mac=vault.index("audit", "whatever")))
    verdict = await stage.backend.audit.verify()
    assert (len(verdict.broken), len(verdict.unchained), verdict.holds) == (1, 1, False)


async def test_a_tail_that_was_cut_off_shows_against_a_head_that_was_noted(stage: Stage) -> None:
    *_, last = await lines(stage, 3)
    head = await stage.backend.audit.head()
    assert head is not None
    assert (await stage.backend.audit.verify(expected=head.mac)).holds
    await as_superuser(stage, audit.delete().where(audit.c.id == last))
    assert (await stage.backend.audit.verify()).holds, "alone, the rest looks whole"
    assert not (await stage.backend.audit.verify(expected=head.mac)).holds


async def test_lines_of_a_version_without_a_chain_are_named_and_can_be_passed_over(stage: Stage) -> None:
    async with stage.backend.database.writing() as conn:
        await conn.execute(
            audit.insert().values(at=stage.clock(), actor="system", action="test.old", subject="x", detail={}, mac=None)
        )
    old, *_ = await lines(stage, 2)
    assert (await stage.backend.audit.verify()).unchained == (old,)
    assert (await stage.backend.audit.verify(after=old)).holds


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
        assert (told["upto"], told["lines"]) == (old[-1], 3)
        left = await conn.scalar(sa.select(sa.func.min(audit.c.id)))
    await as_superuser(stage, audit.delete().where(audit.c.id == left))
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
