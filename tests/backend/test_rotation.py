"""Keys are rotated while the product runs: step by step, beside writers, to be stopped and begun again, and then the old key may go."""

from __future__ import annotations

import asyncio
import base64
import os
from email.message import EmailMessage

import pytest
import sqlalchemy as sa

from akses.keyring import Keyring, SealBroken
from backend import rotation
from backend.accounts import Account
from backend.activation import Activated, LinkLive
from backend.housekeeping import Housekeeping
from backend.links import code_hashes, link_codes, mailed_code
from backend.tables import PASSING, SEALED, accounts, audit, audit_chain, metadata, registrations, registry
from backend.vault import Vault
from tests.backend.stage import PASSWORD, Stage, parsed, stage_on, text_of, token_in, until


def rings() -> tuple[Keyring, Keyring, Keyring]:
    """The old key alone, both with the new one first, the new one alone; one index key."""
    old, new, index = keys("old", "new", "index")
    return Keyring.parse(f"{old},{index}"), Keyring.parse(f"{new},{old},{index}"), Keyring.parse(f"{new},{index}")


def index_rings() -> tuple[Keyring, Keyring, Keyring, Keyring]:
    """The old index key alone, both with the old one first, both with the new one first, the new one alone; one sealing key."""
    key, old, new = keys("k1", "index", "index2")
    written = (f"{key},{old}", f"{key},{old},{new}", f"{key},{new},{old}", f"{key},{new}")
    return tuple(map(Keyring.parse, written))  # type: ignore[return-value]


def keys(*names: str) -> list[str]:
    return [f"{name}:{base64.b64encode(os.urandom(32)).decode()}" for name in names]


async def people(stage: Stage, count: int) -> list[str]:
    """Pending registrations' tokens."""
    for number in range(count):
        await stage.register(email=f"p{number}@example.com", nik=f"31740957089000{number:02}")
    return [token_in(mail) for mail in await stage.smtp.mails(count)]


async def test_after_a_rotation_the_old_key_may_go(database_url: str) -> None:
    before, both, after = rings()
    async with stage_on(database_url, before) as stage:
        tokens = await people(stage, 3)
        assert isinstance(await stage.activate(tokens[0]), Activated)
        stage.smtp.answers.extend(["451 busy"] * 9)
        await stage.register(email="waits@example.com", nik="3174095708900077")
    async with stage_on(database_url, both, role="web") as stage:
        left = await stage.backend.rotation.left()
        assert left.sealed >= 4 + 3 * 4 + 1
        assert left.to_renew == left.sealed
        heard: list[int] = []
        done = await stage.backend.rotation.run(heard.append)
        assert (done.renewed, done.unreadable, bool(done.left)) == (left.sealed, 0, False)
        assert heard[-1] == left.sealed
        again = await stage.backend.rotation.run()
        assert (again.renewed, bool(again.left)) == (0, False)
        assert (await stage.backend.audit.verify()).holds
    async with stage_on(database_url, after) as stage:
        assert not await stage.backend.rotation.left()
        waited = await stage.smtp.token()
        assert isinstance(await stage.activate(waited), Activated), "also the token of a mail that waited"
        assert isinstance(await stage.activate(tokens[1]), Activated)
        found = await stage.backend.accounts.authenticate("p0@example.com", PASSWORD, ip="192.0.2.1")
        assert getattr(found, "email", "") == "p0@example.com"


async def test_it_goes_on_where_it_was_stopped(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "BATCH", 2)
    before, both, _ = rings()
    async with stage_on(database_url, before, role="web") as stage:
        for number in range(5):
            await stage.register(email=f"p{number}@example.com")
    async with stage_on(database_url, both, role="web") as stage:
        whole = (await stage.backend.rotation.left()).to_renew

        class Stopped(Exception):
            pass

        def stop(_: int) -> None:
            raise Stopped

        with pytest.raises(Stopped):
            await stage.backend.rotation.run(stop)
        left = (await stage.backend.rotation.left()).to_renew
        assert 0 < left < whole
        done = await stage.backend.rotation.run()
        assert (done.renewed, done.left.to_renew) == (left, 0)


async def test_people_who_come_meanwhile_lose_nothing(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "BATCH", 1)
    before, both, after = rings()
    async with stage_on(database_url, before, role="web") as stage:
        made = [await stage.register(email=f"p{number}@example.com") for number in range(8)]
    async with stage_on(database_url, both, role="web") as stage:
        stage.keys = 100
        moved = [stage.put_email(one["id"], f"moved{number}@example.com") for number, one in enumerate(made)]
        done, *answers = await asyncio.gather(stage.backend.rotation.run(), *moved)
        assert {answer.status_code for answer in answers} == {202}
        assert done.unreadable == 0
        await stage.backend.rotation.run()
    async with stage_on(database_url, after) as stage:
        for one in made:
            assert (await stage.view(one["id"]))["email_masked"] == "m***@example.com"
        mails = await stage.smtp.mails(8)
        assert {mail["To"] for mail in mails} == {f"moved{number}@example.com" for number in range(8)}
        assert isinstance(await stage.backend.activation.look(token_in(mails[0])), LinkLive)


async def test_what_no_key_opens_is_told_and_left_alone(database_url: str) -> None:
    (before, _, _), (_, both, _) = rings(), rings()
    async with stage_on(database_url, before, role="web") as stage:
        await stage.register()
    async with stage_on(database_url, both, role="web") as stage:
        done = await stage.backend.rotation.run()
        assert (done.renewed, done.unreadable, done.left.sealed) == (0, 5, 5)
        async with stage.backend.database.reading() as conn:
            row = (await conn.execute(registrations.select())).one()
        with pytest.raises(SealBroken):
            both.open(bytes(row.nik), f"registrations/nik/{row.id}".encode())
        assert before.open(bytes(row.nik), f"registrations/nik/{row.id}".encode()) == b"3174095708900001"


# --- the index key


async def logs_in(stage: Stage, email: str) -> bool:
    return isinstance(await stage.backend.accounts.authenticate(email, PASSWORD, ip="192.0.2.1"), Account)


async def test_the_index_key_is_rotated_beside_people_who_are_found_all_the_while_and_then_the_old_one_may_go(
    database_url: str,
) -> None:
    before, _, uses, after = index_rings()
    listed = [(f"31740957089000{number:02}", f"p{number}@example.com") for number in range(5)]
    async with stage_on(database_url, before) as stage:
        await people(stage, 3)
        assert isinstance(await stage.activate(token_in(await mail_to(stage, "p0@example.com"))), Activated)
        assert await stage.backend.activation.disown(token_in(await mail_to(stage, "p2@example.com")))
        await stage.backend.registry.take(listed)
        retried = {"Idempotency-Key": "said-before-the-rotation"}
        first = await stage.post(retried, email="p3@example.com")
    async with stage_on(database_url, uses, check_registry=True) as stage:
        stage.keys = 100
        # Nothing is renewed yet: what the old key wrote is found, and what the new one writes beside it.
        assert await logs_in(stage, "p0@example.com")
        assert (await stage.post(retried, email="p3@example.com")).json()["id"] == first.json()["id"]
        assert (await stage.post(retried, email="other@example.com")).status_code == 409
        assert await stage.backend.subjects.find("email", "p0@example.com")
        await stage.register(email="again@example.com", nik="3174095708900000")
        assert "/aktivasi/" not in text_of(await mail_to(stage, "again@example.com")), "the NIK has an account"
        await stage.register(email="p2@example.com", nik="3174095708900044")
        await stage.register(email="else@example.com", nik="3174095708900004")
        assert "/aktivasi/" not in text_of(await mail_to(stage, "else@example.com")), "another address is on record"
        await stage.backend.new_password.ask("p0@example.com", ip="192.0.2.7")
        assert "/masuk/sandi/" in text_of(await mail_to(stage, "p0@example.com"))
        assert (await stage.backend.audit.verify()).holds
        left = await stage.backend.rotation.left()
        assert left.looked_up >= 3 + 2 * 3
        assert (left.sealed, left.registry) == (0, 5)
        done = await stage.backend.rotation.run()
        assert (done.renewed, done.unreadable, done.left.to_renew) == (left.looked_up, 0, 0)
        assert done.left.passing > 0
        await stage.backend.registry.take(listed)
        head = await stage.backend.audit.head()
        assert head is not None
        assert [mail["To"] for mail in await stage.smtp.mails(3)].count("p0@example.com") == 1, "one mail, however many keys"
        assert "p2@example.com" not in {mail["To"] for mail in await stage.smtp.mails(3)}, "who wants no mail gets none"
        stage.let_pass(days=31)
        backend = stage.backend
        keep = Housekeeping(stage.config, backend.database, backend.jobs, backend.audit, stage.clock)
        await keep.tidy(stage.clock().date().isoformat(), 1)
        assert not await backend.rotation.left(), "what could not be renewed has ended"
    async with stage_on(database_url, after) as stage:
        assert await logs_in(stage, "p0@example.com")
        assert (await stage.backend.audit.verify(after=head.position, expected=head.mac)).broken == ()
        assert await stage.backend.registry.verify(*listed[1]) == "matches"


async def mail_to(stage: Stage, address: str) -> EmailMessage:
    return await until(lambda: next((mail for mail in map(parsed, stage.smtp.taken) if mail["To"] == address), None))


async def test_a_nik_has_one_account_even_when_two_processes_make_look_ups_under_different_keys(postgres_url: str) -> None:
    _, knows, uses, _ = index_rings()
    async with stage_on(postgres_url, knows) as one, stage_on(postgres_url, uses, role="web") as other:
        other.keys = 100
        for number in range(5):
            nik = f"31740957089001{number:02}"
            made = [
                await stage.register(email=f"{at}{number}@example.com", nik=nik) for at, stage in (("a", one), ("b", other))
            ]
            links = [token_in(await mail_to(one, f"{at}{number}@example.com")) for at in "ab"]
            outcomes = await asyncio.gather(one.activate(links[0]), other.activate(links[1]))
            assert len(made) == 2
            assert sorted(type(outcome) is Activated for outcome in outcomes) == [False, True]
            async with one.backend.database.reading() as conn:
                assert (
                    len((await conn.execute(accounts.select().where(accounts.c.activated_at.is_not(None)))).all()) == number + 1
                )


def test_the_code_in_a_mail_is_the_one_that_its_link_was_made_with_whichever_index_key_came_first_since() -> None:
    before, _, uses, after = map(Vault, index_rings())
    token = "akt_" + "t" * 43
    code = link_codes(before, token)[0]
    kept = code_hashes(before, "registration", code)[0]
    assert mailed_code(uses, "registration", token, kept) == code
    assert kept in code_hashes(uses, "registration", code)
    assert len({link_codes(after, f"akt_{number}")[0] for number in range(100)}) == 100, "all of its bits are the key's"


def test_every_column_that_may_hold_a_hash_or_a_sealed_value_is_named_for_the_rotation() -> None:
    """A new column cannot be forgotten: a key would go while something still needs it."""
    named = {table.c[column] for table, columns in (*SEALED, *PASSING) for column in columns}
    named |= {table.c[f"{column}_index"] for table, columns in SEALED for column in columns if f"{column}_index" in table.c}
    own = {registry.c.nik_index, registry.c.email_index, audit.c.mac, audit_chain.c.mac}
    bytes_ = {column for table in metadata.sorted_tables for column in table.c if isinstance(column.type, sa.LargeBinary)}
    plain = {column for column in bytes_ if column.name in ("token_hash", "launch")}
    assert bytes_ - named - own - plain == set()
