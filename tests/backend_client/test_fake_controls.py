"""The fake's controls: what a test of a bot can make happen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from backend_client.errors import BackendUnreachable, LimitReached, RegistrationClosed
from backend_client.fake import FakeBackend
from backend_client.models import NewRegistration, StatusEvent

New = Callable[..., NewRegistration]


async def test_a_backend_that_is_down_does_nothing(new: New) -> None:
    backend = FakeBackend(down=True)
    with pytest.raises(BackendUnreachable):
        await backend.create(new(), key="k-1")
    assert backend.mails == []
    backend.down = False
    await backend.create(new(), key="k-1")
    assert len(backend.mails) == 1


async def test_an_answer_can_get_lost_after_the_work_and_the_key_makes_the_retry_harmless(new: New) -> None:
    backend = FakeBackend(lose_answers=True)
    with pytest.raises(BackendUnreachable):
        await backend.create(new(), key="k-1")
    backend.lose_answers = False
    made = await backend.create(new(), key="k-1")
    assert backend.mails == [(made.id, "siti.rahmawati@example.com")]


async def test_a_slow_backend_lets_its_caller_wait_and_others_go_on(new: New) -> None:
    backend = FakeBackend(slow_seconds=0.05)
    call = asyncio.create_task(backend.create(new(), key="k-1"))
    await asyncio.sleep(0)
    assert not call.done()
    assert (await call).status == "pending"


async def test_chosen_errors_come_once_each_and_in_order(new: New) -> None:
    backend = FakeBackend()
    backend.fail_next(LimitReached(7), BackendUnreachable())
    with pytest.raises(LimitReached) as limit:
        await backend.create(new(), key="k-1")
    assert limit.value.retry_after == 7
    with pytest.raises(BackendUnreachable):
        await backend.create(new(), key="k-1")
    assert (await backend.create(new(), key="k-1")).status == "pending"


async def test_a_mail_can_be_held_back_accepted_at_a_chosen_time_or_fail(new: New) -> None:
    told: list[StatusEvent] = []

    async def hear(event: StatusEvent) -> None:
        told.append(event)

    backend = FakeBackend(on_event=hear, mail_outcome="queued")
    made = await backend.create(new(), key="k-1")
    await backend.settle()
    assert told == []
    at = datetime(2026, 11, 22, 9, tzinfo=UTC)
    await backend.finish_mail(made.id, at=at)
    assert (await backend.status(made.id)).mail.accepted_at == at
    await backend.finish_mail(made.id, "failed")
    assert (await backend.status(made.id)).mail.state == "failed"
    assert [event.type for event in told] == ["registration.mailed", "registration.mail_failed"]


async def test_events_are_told_one_after_the_other_and_an_event_may_cause_a_request(new: New) -> None:
    told: list[str] = []

    async def hear(event: StatusEvent) -> None:
        told.append(f"{event.type} begins")
        if event.type == "registration.mailed":
            await backend.withdraw(event.data.registration_id)
        await asyncio.sleep(0)
        told.append(f"{event.type} ends")

    backend = FakeBackend(on_event=hear)
    first = await backend.create(new(), key="k-1")
    second = await backend.create(new(), key="k-2")
    await backend.settle()
    assert told == ["registration.mailed begins", "registration.mailed ends"] * 2
    assert {(await backend.status(made.id)).status for made in (first, second)} == {"withdrawn"}
    assert backend.data(first.id) is None


async def test_what_the_callback_raises_is_not_swallowed(new: New) -> None:
    async def hear(event: StatusEvent) -> None:
        raise RuntimeError("the bot is broken")

    backend = FakeBackend(on_event=hear)
    await backend.create(new(), key="k-1")
    with pytest.raises(RuntimeError, match="the bot is broken"):
        await backend.settle()
    await backend.settle()


async def test_a_link_runs_out_by_the_clock_and_a_resend_revives_the_registration(new: New) -> None:
    now = datetime(2026, 11, 22, 8, tzinfo=UTC)
    backend = FakeBackend(clock=lambda: now)
    made = await backend.create(new(), key="k-1")
    now += timedelta(hours=24)
    assert (await backend.status(made.id)).status == "expired"
    assert (await backend.resend(made.id, key="k-2")).status == "pending"
    await backend.expire(made.id)
    assert (await backend.status(made.id)).status == "expired"


async def test_bukan_saya_withdraws_and_is_told(new: New) -> None:
    told: list[StatusEvent] = []

    async def hear(event: StatusEvent) -> None:
        told.append(event)

    backend = FakeBackend(on_event=hear)
    made = await backend.create(new(), key="k-1")
    await backend.disown(made.id)
    assert told[-1].type == "registration.withdrawn"
    assert told[-1].data.status == "withdrawn"
    with pytest.raises(RegistrationClosed):
        await backend.activate(made.id)
