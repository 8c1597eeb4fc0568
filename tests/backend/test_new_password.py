"""A forgotten password: asked for by mail, set by the link, on both databases."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
import sqlalchemy as sa

from backend.accounts import Account, WrongCredentials
from backend.errors import LimitReached
from backend.housekeeping import Housekeeping
from backend.new_password import ResetEnded, ResetLive
from backend.passwords import PasswordRefused
from backend.tables import account_mails, account_sessions, password_links, password_requests
from tests.backend.stage import BODY, PASSWORD, Stage, text_of, until

EMAIL = BODY["email"]
NEW = "Gunung!hijau3Tinggi"


@pytest.fixture
async def active(stage: Stage) -> Stage:
    await stage.register()
    await stage.activate(await stage.smtp.token())
    return stage


async def link(stage: Stage, *, of: int) -> str:
    """The token in the newest mail, as soon as there are so many."""
    mails = await stage.smtp.mails(of)
    found = re.findall(r"/masuk/sandi/(akr_[\w-]{43})\b", text_of(mails[-1]))
    assert len(found) == 1
    return str(found[0])


async def ask(stage: Stage, email: str = EMAIL, ip: str = "192.0.2.1") -> None:
    await stage.backend.new_password.ask(email, ip=ip)


async def rows(stage: Stage, table: sa.Table) -> list[Any]:
    async with stage.backend.database.reading() as conn:
        return list((await conn.execute(table.select())).all())


async def test_the_link_sets_a_new_password_once_and_ends_every_session(active: Stage) -> None:
    accounts = active.backend.accounts
    before = await accounts.authenticate(EMAIL, PASSWORD, ip="192.0.2.1")
    assert isinstance(before, Account)
    session = await accounts.open_session(before)
    assert session is not None
    await ask(active, f" {EMAIL.upper()} ")
    token = await link(active, of=2)
    for _ in range(3):
        assert isinstance(await active.backend.new_password.look(token), ResetLive), "looking changes nothing"
    assert await active.backend.new_password.set(token, NEW, NEW) == "set"
    assert isinstance(await active.backend.new_password.set(token, NEW, NEW), ResetEnded)
    assert await accounts.session(session) is None
    assert await rows(active, account_sessions) == []
    assert isinstance(await accounts.authenticate(EMAIL, PASSWORD, ip="192.0.2.1"), WrongCredentials)
    assert isinstance(await accounts.authenticate(EMAIL, NEW, ip="192.0.2.1"), Account)
    told = (await active.smtp.mails(3))[-1]
    assert "sudah diganti" in told["Subject"]
    assert "akr_" not in text_of(told)


async def test_whoever_has_no_account_gets_no_mail_and_the_same_answer_and_the_same_limit(active: Stage) -> None:
    for email in (EMAIL, "tidak.ada@example.com"):
        await ask(active, email, ip="192.0.2.7")
        with pytest.raises(LimitReached) as limit:
            await ask(active, email, ip="192.0.2.8")
        assert limit.value.retry_after == 60
    await link(active, of=2)
    assert [mail["To"] for mail in await active.smtp.mails(2)] == [EMAIL, EMAIL]


async def test_one_address_may_ask_five_times_an_hour_and_one_origin_thirty(active: Stage) -> None:
    for _ in range(5):
        await ask(active)
        active.let_pass(seconds=61)
    with pytest.raises(LimitReached) as limit:
        await ask(active)
    assert limit.value.retry_after > 3000
    assert limit.value.limit == "cooldown"
    for at in range(25):
        await ask(active, f"orang{at}@example.com")
    with pytest.raises(LimitReached) as limit:
        await ask(active, "satu.lagi@example.com")
    assert limit.value.limit is None, "nobody asked for this address, so no mail of it is said to be on its way"
    await ask(active, "satu.lagi@example.com", ip="192.0.2.99")


async def test_a_stranger_who_asks_all_day_keeps_nobody_from_a_link_that_works(active: Stage) -> None:
    for email in ("tidak.ada@example.com", EMAIL):
        for nth in range(10):
            active.let_pass(minutes=13)
            await ask(active, email, ip=f"192.0.2.{nth}")
            if email == EMAIL:
                token = await link(active, of=nth + 2)  # each before the next: mails may overtake each other
    for minutes in (13, 46):
        active.let_pass(minutes=minutes)
        with pytest.raises(LimitReached) as limit:
            await ask(active)
        assert limit.value.retry_after <= 3600
        assert isinstance(await active.backend.new_password.look(token), ResetLive), "who has to wait has a link"
    active.let_pass(minutes=1, seconds=1)
    for email in ("tidak.ada@example.com", EMAIL):
        await ask(active, email)
        active.let_pass(minutes=2)
        with pytest.raises(LimitReached):
            await ask(active, email)
    assert isinstance(await active.backend.new_password.look(await link(active, of=12)), ResetLive)


async def test_of_many_posts_with_one_link_one_sets_the_password(active: Stage) -> None:
    await ask(active)
    token = await link(active, of=2)
    passwords = [f"Gunung!hijau3Tinggi{at}" for at in range(6)]
    outcomes = await asyncio.gather(*(active.backend.new_password.set(token, each, each) for each in passwords))
    assert outcomes.count("set") == 1
    winner = passwords[outcomes.index("set")]
    assert isinstance(await active.backend.accounts.authenticate(EMAIL, winner, ip="192.0.2.1"), Account)


async def test_a_link_ends_after_an_hour_and_with_another_change_of_the_password(active: Stage) -> None:
    await ask(active)
    token = await link(active, of=2)
    active.let_pass(minutes=61)
    assert isinstance(await active.backend.new_password.look(token), ResetEnded)
    await ask(active)
    token = await link(active, of=3)
    account = await active.backend.accounts.authenticate(EMAIL, PASSWORD, ip="192.0.2.1")
    assert isinstance(account, Account)
    await active.backend.accounts.change_password(account, NEW, NEW)
    assert isinstance(await active.backend.new_password.set(token, NEW, NEW), ResetEnded)


async def test_a_refused_password_leaves_the_link_as_it_was(active: Stage) -> None:
    await ask(active)
    token = await link(active, of=2)
    for password, again, rule in (
        ("Jakarta2026!", "Jakarta2026!", "common"),
        (NEW, NEW + " ", "same"),
        ("Rahmawati#7 laut", "Rahmawati#7 laut", "personal"),
    ):
        with pytest.raises(PasswordRefused) as refused:
            await active.backend.new_password.set(token, password, again)
        assert rule in refused.value.rules
    assert isinstance(await active.backend.new_password.look(token), ResetLive)


async def test_an_activation_link_sets_no_password_and_the_other_way_round(active: Stage) -> None:
    await ask(active)
    token = await link(active, of=2)
    assert type(await active.backend.activation.look(token)).__name__ == "LinkUnknown"
    await active.register(nik="3174095708900002", email="orang.kedua@example.com")
    activation = await active.smtp.token(of=3)
    assert isinstance(await active.backend.new_password.look(activation), ResetEnded)


async def test_only_the_newest_three_links_live_and_none_is_stored_readably(active: Stage) -> None:
    tokens = []
    for at in range(4):
        await ask(active)
        tokens.append(await link(active, of=2 + at))
        active.let_pass(seconds=61)
    looks = [type(await active.backend.new_password.look(token)) for token in tokens]
    assert looks == [ResetEnded, ResetLive, ResetLive, ResetLive]
    kept = f"{await rows(active, password_links)}"
    assert not any(token in kept for token in tokens)


async def test_what_a_mail_needed_is_erased_once_it_is_sent(active: Stage) -> None:
    await ask(active)
    await link(active, of=2)

    async def closed() -> Any:
        [row] = await rows(active, account_mails)
        return row if row.state == "accepted" else None

    row = await until(closed)
    assert (row.full_name, row.email, row.token) == (None, None, None)


async def test_requests_links_and_mails_are_forgotten_in_their_time(active: Stage) -> None:
    await ask(active)
    await link(active, of=2)
    backend = active.backend
    keep = Housekeeping(active.config, backend.database, backend.jobs, backend.audit, active.clock)
    for days, left in ((0, (1, 1, 1)), (2, (0, 0, 1)), (31, (0, 0, 0))):
        active.let_pass(days=days)
        await keep.tidy(active.clock().date().isoformat(), 1)
        kept = tuple([len(await rows(active, table)) for table in (password_requests, password_links, account_mails)])
        assert kept == left
