"""Codes by SMS: at the first log-in and before activation, on both databases, through a gateway over real HTTP."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import sqlalchemy as sa

from backend.accounts import Account, PhoneNeeded
from backend.activation import Activated, LinkLive, LinkUnknown
from backend.activation import PhoneNeeded as ActivationPhoneNeeded
from backend.errors import LimitReached
from backend.housekeeping import Housekeeping
from backend.phone_checks import Proven, WrongCode
from backend.tables import phone_checks, sms
from tests.backend.conftest import OpenStage
from tests.backend.stage import BODY, PASSWORD, SmsTower, Stage, served, text_of, until

EMAIL = BODY["email"]


@dataclass
class Set:
    stage: Stage
    tower: SmsTower

    async def log_in(self) -> str:
        outcome = await self.stage.backend.accounts.authenticate(EMAIL, PASSWORD, ip="192.0.2.1")
        assert isinstance(outcome, PhoneNeeded)
        return outcome.check.token

    async def prove(self, token: str, code: str) -> Proven | WrongCode | None:
        return await self.stage.backend.phone_checks.prove(token, code)

    async def other_than(self, code: str) -> str:
        return f"{(int(code) + 1) % 10**6:06}"


@pytest.fixture
async def tower_url() -> AsyncIterator[tuple[SmsTower, str]]:
    tower = SmsTower()
    async with served(tower.app()) as base:
        yield tower, tower.url(base)


@pytest.fixture
async def at_log_in(open_stage: OpenStage, tower_url: tuple[SmsTower, str]) -> AsyncIterator[Set]:
    tower, url = tower_url
    async with open_stage(phone_otp="first-login", sms_url=url) as stage:
        await stage.register()
        assert isinstance(await stage.activate(await stage.smtp.token()), Activated)
        yield Set(stage, tower)


async def test_the_first_log_in_needs_the_code_from_the_phone_and_the_second_does_not(at_log_in: Set) -> None:
    token = await at_log_in.log_in()
    code = await at_log_in.tower.code()
    message = at_log_in.tower.taken[0]
    assert message["to"] == BODY["phone"]
    assert message["text"].endswith(f"@127.0.0.1 #{code}")
    assert at_log_in.tower.keys == [message["id"]]
    proven = await at_log_in.prove(token, f" {code[:3]} {code[3:]} ")
    assert isinstance(proven, Proven)
    assert await at_log_in.prove(token, code) is None, "a code is good once"
    assert await at_log_in.stage.backend.accounts.phone_proven(proven) is not None
    again = await at_log_in.stage.backend.accounts.authenticate(EMAIL, PASSWORD, ip="192.0.2.1")
    assert isinstance(again, Account)
    assert again.phone_verified


async def test_a_new_password_ends_a_log_in_with_the_old_one_that_waits_for_its_code(at_log_in: Set) -> None:
    stage, owner = at_log_in.stage, at_log_in.stage.backend.accounts
    proven = await at_log_in.prove(await at_log_in.log_in(), await at_log_in.tower.code())
    assert isinstance(proven, Proven)
    stage.let_pass(seconds=61)
    token = await at_log_in.log_in()
    code = await at_log_in.tower.code(of=2)
    await stage.backend.new_password.ask(EMAIL, ip="192.0.2.1")
    [link] = re.findall(r"akr_[\w-]{43}", text_of((await stage.smtp.mails(2))[-1]))
    assert await stage.backend.new_password.set(link, "Gunung!hijau3Tinggi", "Gunung!hijau3Tinggi") == "set"
    assert await at_log_in.prove(token, code) is None
    assert await owner.phone_proven(proven) is None, "also whoever has just brought the code"


async def test_five_wrong_codes_end_the_code_and_the_right_one_comes_too_late(at_log_in: Set) -> None:
    token = await at_log_in.log_in()
    code = await at_log_in.tower.code()
    left = []
    for _ in range(5):
        outcome = await at_log_in.prove(token, await at_log_in.other_than(code))
        assert isinstance(outcome, WrongCode)
        left.append(outcome.check.tries_left)
    assert left == [4, 3, 2, 1, 0]
    late = await at_log_in.prove(token, code)
    assert isinstance(late, WrongCode)
    assert not late.check.code_live


async def test_of_many_tries_at_once_no_more_than_five_are_looked_at(at_log_in: Set) -> None:
    token = await at_log_in.log_in()
    code = await at_log_in.tower.code()
    wrong = await at_log_in.other_than(code)
    await asyncio.gather(*(at_log_in.prove(token, wrong) for _ in range(20)))
    async with at_log_in.stage.backend.database.reading() as conn:
        assert await conn.scalar(sa.select(phone_checks.c.tries)) == 5


async def test_a_code_lives_five_minutes_and_a_new_one_ends_the_one_before(at_log_in: Set) -> None:
    token = await at_log_in.log_in()
    first = await at_log_in.tower.code()
    with pytest.raises(LimitReached) as limit:
        await at_log_in.stage.backend.phone_checks.resend(token)
    assert 0 < limit.value.retry_after <= 60
    at_log_in.stage.let_pass(seconds=61)
    assert await at_log_in.stage.backend.phone_checks.resend(token) is not None
    second = await at_log_in.tower.code(of=2)
    if first != second:
        assert isinstance(await at_log_in.prove(token, first), WrongCode)
    at_log_in.stage.let_pass(minutes=5, seconds=1)
    late = await at_log_in.prove(token, second)
    assert isinstance(late, WrongCode)
    assert not late.check.code_live
    at_log_in.stage.let_pass(minutes=25)
    assert await at_log_in.stage.backend.phone_checks.look(token) is None


async def test_a_phone_gets_no_more_than_its_budget_however_often_somebody_logs_in(at_log_in: Set) -> None:
    for count in range(5):
        await at_log_in.log_in()
        await at_log_in.tower.code(of=count + 1)
        at_log_in.stage.let_pass(seconds=61)
    at_log_in.stage.let_pass(minutes=5)
    token = await at_log_in.log_in()
    assert len(at_log_in.tower.taken) == 5
    check = await at_log_in.stage.backend.phone_checks.look(token)
    assert check is not None
    assert not check.code_live
    assert check.resend_at > at_log_in.stage.clock()
    with pytest.raises(LimitReached):
        await at_log_in.stage.backend.phone_checks.resend(token)


async def test_whoever_logs_in_again_goes_on_with_the_code_that_was_sent_and_with_the_tries_that_are_left(
    at_log_in: Set,
) -> None:
    first = await at_log_in.log_in()
    code = await at_log_in.tower.code()
    for _ in range(3):
        await at_log_in.prove(first, await at_log_in.other_than(code))
    second = await at_log_in.log_in()
    assert await at_log_in.prove(first, code) is None, "the browser before does not wait any more"
    check = await at_log_in.stage.backend.phone_checks.look(second)
    assert check is not None
    assert (check.code_live, check.tries_left) == (True, 2)
    assert isinstance(await at_log_in.prove(second, code), Proven)
    assert len(at_log_in.tower.taken) == 1


async def test_of_many_log_ins_at_once_one_code_is_sent_and_one_browser_waits_for_it(at_log_in: Set) -> None:
    tokens = await asyncio.gather(*(at_log_in.log_in() for _ in range(5)))
    code = await at_log_in.tower.code()
    looks = [await at_log_in.stage.backend.phone_checks.look(token) for token in tokens]
    [waiting] = [token for token, look in zip(tokens, looks, strict=True) if look is not None]
    assert isinstance(await at_log_in.prove(waiting, code), Proven)
    assert len(at_log_in.tower.taken) == 1


async def test_a_gateway_that_is_busy_is_asked_again_and_one_that_refuses_is_not(at_log_in: Set) -> None:
    at_log_in.tower.answers.extend([503])
    await at_log_in.log_in()
    await at_log_in.tower.code()
    assert len(set(at_log_in.tower.keys)) == 1
    assert len(at_log_in.tower.keys) == 2
    at_log_in.stage.let_pass(seconds=61)
    at_log_in.tower.answers.append(400)
    await at_log_in.log_in()

    async def refused() -> bool:
        async with at_log_in.stage.backend.database.reading() as conn:
            return await conn.scalar(sa.select(sa.func.count()).where(sms.c.reason == "refused 400")) == 1

    await until(refused)
    assert len(at_log_in.tower.taken) == 1


async def test_nothing_of_phone_or_code_stays_readable(at_log_in: Set) -> None:
    token = await at_log_in.log_in()
    code = await at_log_in.tower.code()
    assert isinstance(await at_log_in.prove(token, code), Proven)

    async def accepted() -> bool:
        async with at_log_in.stage.backend.database.reading() as conn:
            return await conn.scalar(sa.select(sms.c.state)) == "accepted"

    await until(accepted)
    async with at_log_in.stage.backend.database.reading() as conn:
        check, message = (await conn.execute(phone_checks.select())).one(), (await conn.execute(sms.select())).one()
    assert (check.phone, check.code_hash, message.code) == (None, None, None)
    assert BODY["phone"] not in f"{check}{message}"


async def test_checks_and_messages_are_forgotten_after_two_days(at_log_in: Set) -> None:
    await at_log_in.log_in()
    await at_log_in.tower.code()
    backend, stage = at_log_in.stage.backend, at_log_in.stage
    keep = Housekeeping(stage.config, backend.database, backend.jobs, backend.audit, stage.clock)
    for days, left in ((0, 1), (3, 0)):
        stage.let_pass(days=days)
        await keep.tidy(stage.clock().date().isoformat(), 1)
        async with backend.database.reading() as conn:
            for table in (phone_checks, sms):
                assert await conn.scalar(sa.select(sa.func.count()).select_from(table)) == left


@pytest.fixture
async def at_activation(open_stage: OpenStage, tower_url: tuple[SmsTower, str]) -> AsyncIterator[Set]:
    tower, url = tower_url
    async with open_stage(phone_otp="activation", sms_url=url) as stage:
        await stage.register()
        yield Set(stage, tower)


async def test_an_account_becomes_active_only_when_the_code_is_back(at_activation: Set) -> None:
    stage = at_activation.stage
    link = await stage.smtp.token()
    waiting = await stage.activate(link)
    assert isinstance(waiting, ActivationPhoneNeeded)
    assert isinstance(await stage.backend.activation.look(link), LinkLive)
    proven = await at_activation.prove(waiting.check.token, await at_activation.tower.code())
    assert isinstance(proven, Proven)
    assert isinstance(await stage.backend.activation.phone_proven(proven, ip="192.0.2.1"), Activated)
    account = await stage.backend.accounts.authenticate(EMAIL, PASSWORD, ip="192.0.2.1")
    assert isinstance(account, Account)
    assert account.phone_verified
    [event] = await stage.receiver.events(1, "registration.activated")
    assert event.event["data"]["status"] == "active"


async def test_a_code_for_a_link_that_ended_meanwhile_makes_no_account(at_activation: Set) -> None:
    stage = at_activation.stage
    link = await stage.smtp.token()
    waiting = await stage.activate(link)
    assert isinstance(waiting, ActivationPhoneNeeded)
    proven = await at_activation.prove(waiting.check.token, await at_activation.tower.code())
    assert isinstance(proven, Proven)
    assert await stage.backend.activation.disown(link)
    assert isinstance(await stage.backend.activation.phone_proven(proven, ip="192.0.2.1"), LinkUnknown)


async def test_bukan_saya_ends_a_check_that_waits_and_forgets_its_phone(at_activation: Set) -> None:
    stage = at_activation.stage
    link = await stage.smtp.token()
    waiting = await stage.activate(link)
    assert isinstance(waiting, ActivationPhoneNeeded)
    code = await at_activation.tower.code()
    assert await stage.backend.activation.disown(link)
    assert await at_activation.prove(waiting.check.token, code) is None
    async with stage.backend.database.reading() as conn:
        row = (await conn.execute(phone_checks.select())).one()
    assert (row.phone, row.password_hash, row.code_hash) == (None, None, None)


async def test_the_password_that_was_typed_last_is_the_account_s_also_without_a_second_message(at_activation: Set) -> None:
    stage, last = at_activation.stage, "Gunung!hijau3Tinggi"
    link = await stage.smtp.token()
    await stage.activate(link)
    code = await at_activation.tower.code()
    waiting = await stage.activate(link, password=last)
    assert isinstance(waiting, ActivationPhoneNeeded)
    proven = await at_activation.prove(waiting.check.token, code)
    assert isinstance(proven, Proven)
    assert isinstance(await stage.backend.activation.phone_proven(proven, ip="192.0.2.1"), Activated)
    assert isinstance(await stage.backend.accounts.authenticate(EMAIL, last, ip="192.0.2.1"), Account)
    assert len(at_activation.tower.taken) == 1


async def test_who_activates_with_a_phone_that_was_written_to_just_now_waits_for_a_code_and_types_no_password_twice(
    at_activation: Set,
) -> None:
    stage = at_activation.stage
    await stage.activate(await stage.smtp.token())
    await at_activation.tower.code()
    await stage.register(email="sri@example.com", nik="3171015212880002")
    waiting = await stage.activate(await stage.smtp.token(of=2))
    assert isinstance(waiting, ActivationPhoneNeeded)
    assert not waiting.check.sent
    check = await stage.backend.phone_checks.look(waiting.check.token)
    assert check is not None
    assert not check.code_live
    stage.let_pass(seconds=61)
    await stage.backend.phone_checks.resend(waiting.check.token)
    assert isinstance(await at_activation.prove(waiting.check.token, await at_activation.tower.code(of=2)), Proven)
