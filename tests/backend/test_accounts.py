"""Logging in and the session after it, on both databases."""

from __future__ import annotations

import asyncio

import pytest

from backend.accounts import Account, SlowDown, WrongCredentials
from tests.backend.stage import PASSWORD, Stage

EMAIL = "siti.rahmawati@example.com"
WRONG = "Bukan!kata9Kunci"
NEW = "Gunung!hijau3Tinggi"


@pytest.fixture
async def active(stage: Stage) -> Stage:
    """A backend with one active account."""
    await stage.register()
    await stage.activate(await stage.smtp.token())
    return stage


async def test_the_right_password_shows_the_account_with_its_numbers_masked(active: Stage) -> None:
    account = await active.backend.accounts.authenticate(f" {EMAIL.upper()} ", PASSWORD, ip="192.0.2.1")
    assert isinstance(account, Account)
    assert (account.full_name, account.email) == ("Siti Rahmawati", EMAIL)
    assert (account.nik_masked, account.phone_masked) == ("3174********0001", "0812-****-7890")
    assert (account.kind, account.language) == ("individu_lokal", "id")


async def test_a_wrong_password_and_an_unknown_address_are_told_alike(active: Stage) -> None:
    for email, password in (
        (EMAIL, WRONG),
        (EMAIL, PASSWORD + " "),
        ("nobody@example.com", PASSWORD),
        (EMAIL, ""),
        ("", ""),
        (EMAIL, "x" * 5000),
    ):
        assert isinstance(await active.backend.accounts.authenticate(email, password, ip="192.0.2.1"), WrongCredentials)


async def test_wrong_passwords_are_delayed_more_and_more_and_time_forgives(active: Stage) -> None:
    active.clock.stop()
    accounts = active.backend.accounts
    active.clock.stop()
    for _ in range(6):
        assert isinstance(await accounts.authenticate(EMAIL, WRONG, ip="192.0.2.1"), WrongCredentials)
    waits = []
    for _ in range(6):
        slow = await accounts.authenticate(EMAIL, PASSWORD, ip="192.0.2.1")
        assert isinstance(slow, SlowDown), "also the right password has to wait"
        waits.append(slow.retry_after)
        active.let_pass(seconds=slow.retry_after)
        assert isinstance(await accounts.authenticate(EMAIL, WRONG, ip="192.0.2.1"), WrongCredentials)
    assert waits == [1, 2, 4, 8, 16, 32]
    active.let_pass(seconds=64)
    assert isinstance(await accounts.authenticate(EMAIL, PASSWORD, ip="192.0.2.1"), Account)
    assert isinstance(await accounts.authenticate(EMAIL, WRONG, ip="192.0.2.1"), WrongCredentials), "success forgives"


async def test_a_stranger_cannot_keep_the_owner_out(active: Stage) -> None:
    active.clock.stop()
    accounts = active.backend.accounts
    for _ in range(100):
        await accounts.authenticate(EMAIL, WRONG, ip="198.51.100.9")
        active.let_pass(seconds=1)
    assert isinstance(await accounts.authenticate(EMAIL, PASSWORD, ip="192.0.2.1"), Account)


async def test_one_address_that_tries_many_accounts_is_delayed_everywhere(active: Stage) -> None:
    active.clock.stop()
    accounts = active.backend.accounts
    tries = [await accounts.authenticate(f"person{nth}@example.com", WRONG, ip="198.51.100.9") for nth in range(32)]
    assert isinstance(tries[-1], SlowDown)
    assert isinstance(await accounts.authenticate(EMAIL, PASSWORD, ip="198.51.100.9"), SlowDown)
    assert isinstance(await accounts.authenticate(EMAIL, PASSWORD, ip="192.0.2.1"), Account)


async def test_many_attempts_at_once_do_not_share_one_free_place(active: Stage) -> None:
    active.clock.stop()
    tries = await asyncio.gather(*(active.backend.accounts.authenticate(EMAIL, WRONG, ip="192.0.2.1") for _ in range(20)))
    assert sum(isinstance(one, WrongCredentials) for one in tries) == 6
    assert sum(isinstance(one, SlowDown) for one in tries) == 14


async def test_people_of_one_household_who_log_in_at_the_same_moment_do_not_delay_each_other(active: Stage) -> None:
    tries = await asyncio.gather(*(active.backend.accounts.authenticate(EMAIL, PASSWORD, ip="192.0.2.1") for _ in range(5)))
    assert [type(one) for one in tries] == [Account] * 5


async def test_a_session_lasts_while_it_is_used_and_ends_when_it_is_closed(active: Stage) -> None:
    accounts = active.backend.accounts
    account = await accounts.authenticate(EMAIL, PASSWORD, ip="192.0.2.1")
    assert isinstance(account, Account)
    token, other = [await accounts.open_session(account) for _ in range(2)]
    assert token is not None
    assert other is not None
    assert token != other
    for _ in range(4):
        active.let_pass(minutes=14)
        assert await accounts.session(token) == account
    assert await accounts.session(other) is None, "idle for too long"
    assert await accounts.session("aks_unknown") is None
    await accounts.close_session(token)
    await accounts.close_session(token)
    assert await accounts.session(token) is None


async def test_no_session_is_older_than_eight_hours(active: Stage) -> None:
    accounts = active.backend.accounts
    account = await accounts.authenticate(EMAIL, PASSWORD, ip="192.0.2.1")
    assert isinstance(account, Account)
    token = await accounts.open_session(account)
    assert token is not None
    for _ in range(47):
        active.let_pass(minutes=10)
        assert await accounts.session(token) is not None
    active.let_pass(minutes=10)
    assert await accounts.session(token) is None


async def test_whoever_is_half_way_in_with_the_old_password_when_it_is_changed_stays_outside(active: Stage) -> None:
    accounts = active.backend.accounts
    stranger, owner = [await accounts.authenticate(EMAIL, PASSWORD, ip="192.0.2.1") for _ in range(2)]
    assert isinstance(stranger, Account)
    assert isinstance(owner, Account)
    session = await accounts.change_password(owner, NEW, NEW)
    assert session is not None
    assert await accounts.open_session(stranger) is None
    assert await accounts.change_password(stranger, WRONG, WRONG) is None
    assert await accounts.session(session) is not None
    assert isinstance(await accounts.authenticate(EMAIL, NEW, ip="192.0.2.1"), Account)


async def test_of_log_ins_and_a_new_password_at_once_no_session_of_the_old_one_is_left(active: Stage) -> None:
    accounts = active.backend.accounts
    owner = await accounts.authenticate(EMAIL, PASSWORD, ip="192.0.2.1")
    assert isinstance(owner, Account)

    async def log_in() -> str | None:
        found = await accounts.authenticate(EMAIL, PASSWORD, ip="198.51.100.9")
        return await accounts.open_session(found) if isinstance(found, Account) else None

    own, *others = await asyncio.gather(accounts.change_password(owner, NEW, NEW), *(log_in() for _ in range(5)))
    assert own is not None
    left = [await accounts.session(token) for token in others if token is not None]
    assert left == [None] * len(left)
