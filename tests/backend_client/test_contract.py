"""What every backend means, told once and run against the fake and against the reference backend over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from subjects import COOLDOWN_SECONDS, Subject

from backend_client.errors import (
    KeyReused,
    LimitReached,
    RegistrationClosed,
    RegistrationUnknown,
    RequestRefused,
)
from backend_client.models import NewRegistration

New = Callable[..., NewRegistration]


async def test_a_new_registration_is_pending_and_its_mail_is_accepted_soon(subject: Subject, new: New) -> None:
    made = await subject.backend.create(new(), key="key-000000000001")
    assert made.status == "pending"
    assert await subject.mails(1) == ["siti.rahmawati@example.com"]
    seen = await subject.until(made.id, lambda registration: registration.mail.state == "accepted")
    assert seen.mail.accepted_at is not None
    assert seen.mail.accepted_at - made.created_at < timedelta(minutes=1)
    assert seen.id == made.id
    assert seen.created_at == made.created_at


async def test_the_answer_tells_the_link_s_end_and_when_the_mail_may_be_sent_again(subject: Subject, new: New) -> None:
    made = await subject.backend.create(new(), key="key-000000000001")
    assert made.link_expires_at is not None
    assert timedelta(hours=23) < made.link_expires_at - made.created_at < timedelta(hours=25)
    assert made.resend_available_at is not None
    assert timedelta() < made.resend_available_at - made.created_at <= timedelta(seconds=COOLDOWN_SECONDS + 2)


async def test_the_answer_shows_the_address_masked_and_nothing_else_of_the_person(subject: Subject, new: New) -> None:
    made = await subject.backend.create(new(), key="key-000000000001")
    assert made.email_masked.endswith("@example.com")
    assert made.email_masked[0] == "s"
    for private in ("siti.rahmawati", "Siti", "3174095708900001", "81234567890"):
        assert private not in repr(made)


async def test_the_same_key_with_the_same_body_is_one_registration_and_one_mail(subject: Subject, new: New) -> None:
    first = await subject.backend.create(new(), key="key-000000000001")
    again = await subject.backend.create(new(), key="key-000000000001")
    assert again.id == first.id
    other = await subject.backend.create(new(email="last@example.com"), key="key-000000000002")
    assert other.id != first.id
    assert sorted(await subject.mails(2)) == ["last@example.com", "siti.rahmawati@example.com"]


async def test_twenty_requests_at_once_with_one_key_are_one_registration(subject: Subject, new: New) -> None:
    made = await asyncio.gather(*(subject.backend.create(new(), key="key-000000000001") for _ in range(20)))
    assert len({registration.id for registration in made}) == 1
    assert await subject.mails(1) == ["siti.rahmawati@example.com"]


async def test_the_same_key_with_another_body_is_refused(subject: Subject, new: New) -> None:
    await subject.backend.create(new(), key="key-000000000001")
    with pytest.raises(KeyReused):
        await subject.backend.create(new(full_name="Budi Santoso"), key="key-000000000001")


async def test_the_same_data_under_two_keys_are_two_registrations_answered_alike(subject: Subject, new: New) -> None:
    """No oracle: that a person is known already shows in no field of the answer."""
    first = await subject.backend.create(new(), key="key-000000000001")
    second = await subject.backend.create(new(), key="key-000000000002")
    assert second.id != first.id
    assert (second.status, second.email_masked, second.mail.state) == (first.status, first.email_masked, first.mail.state)


async def test_data_of_an_active_account_are_answered_as_new_data_are(subject: Subject, new: New) -> None:
    """No oracle after activation either; the mail to the address tells the difference."""
    first = await subject.backend.create(new(), key="key-000000000001")
    await subject.activate(first.id)
    second = await subject.backend.create(new(), key="key-000000000002")
    assert second.id != first.id
    assert (second.status, second.email_masked, second.mail.state) == ("pending", first.email_masked, "queued")
    assert second.link_expires_at is not None
    assert second.resend_available_at is not None
    seen = await subject.until(second.id, lambda registration: registration.mail.state == "accepted")
    assert seen.status == "pending"


WRONG: list[dict[str, str]] = [
    {"nik": "317409570890000"},
    {"nik": "317409570890000A"},
    {"phone": "081234567890"},
    {"email": "siti"},
    {"full_name": "  "},
    {"full_name": "Menang di https://hadiah.example"},
    {"full_name": "Menang di hadiah.com"},
    {"full_name": "x" * 151},
    {"kind": "Individu Lokal"},
    {"reference": ""},
    {"reference": "x" * 201},
]


async def test_data_that_break_a_hard_rule_are_refused_for_good_and_nothing_is_mailed(subject: Subject, new: New) -> None:
    for wrong in WRONG:
        with pytest.raises(RequestRefused) as refusal:
            await subject.backend.create(new(**wrong), key="key-000000000001")
        assert (refusal.value.code, wrong) == ("invalid", wrong)
    await subject.backend.create(new(email="sesudah@example.com"), key="key-000000000001")
    assert await subject.mails(1) == ["sesudah@example.com"]


async def test_the_mail_is_not_sent_again_within_the_cooldown_and_is_afterwards(subject: Subject, new: New) -> None:
    made = await subject.backend.create(new(), key="key-000000000001")
    with pytest.raises(LimitReached) as limit:
        await subject.backend.resend(made.id, key="key-000000000002")
    assert 1 <= limit.value.retry_after <= COOLDOWN_SECONDS
    await subject.wait(limit.value.retry_after)
    again = await subject.backend.resend(made.id, key="key-000000000002")
    assert again.resend_available_at is not None
    assert made.resend_available_at is not None
    assert again.resend_available_at > made.resend_available_at
    assert await subject.mails(2) == ["siti.rahmawati@example.com"] * 2


async def test_a_resend_that_is_repeated_with_its_key_mails_once(subject: Subject, new: New) -> None:
    made = await subject.backend.create(new(), key="key-000000000001")
    await subject.wait(COOLDOWN_SECONDS)
    first = await subject.backend.resend(made.id, key="key-000000000002")
    again = await subject.backend.resend(made.id, key="key-000000000002")
    assert again.id == first.id == made.id
    await subject.backend.create(new(email="last@example.com"), key="key-000000000003")
    assert sorted(await subject.mails(3)) == ["last@example.com", "siti.rahmawati@example.com", "siti.rahmawati@example.com"]


async def test_another_address_gets_its_mail_at_once_and_the_answer_shows_it(subject: Subject, new: New) -> None:
    made = await subject.backend.create(new(), key="key-000000000001")
    await subject.mails(1)
    moved = await subject.backend.change_email(made.id, "baru@example.org", key="key-000000000002")
    assert moved.id == made.id
    assert moved.status == "pending"
    assert moved.email_masked.endswith("@example.org")
    assert await subject.mails(2) == ["siti.rahmawati@example.com", "baru@example.org"]
    again = await subject.backend.change_email(made.id, "baru@example.org", key="key-000000000002")
    assert again.email_masked == moved.email_masked


async def test_a_malformed_new_address_is_refused_and_the_old_one_stays(subject: Subject, new: New) -> None:
    made = await subject.backend.create(new(), key="key-000000000001")
    with pytest.raises(RequestRefused):
        await subject.backend.change_email(made.id, "baru example.org", key="key-000000000002")
    assert (await subject.backend.status(made.id)).email_masked == made.email_masked


async def test_activation_shows_in_the_status_and_closes_the_registration(subject: Subject, new: New) -> None:
    made = await subject.backend.create(new(), key="key-000000000001")
    await subject.activate(made.id)
    seen = await subject.backend.status(made.id)
    assert seen.status == "active"
    assert seen.resend_available_at is None
    with pytest.raises(RegistrationClosed):
        await subject.backend.resend(made.id, key="key-000000000002")
    with pytest.raises(RegistrationClosed):
        await subject.backend.change_email(made.id, "baru@example.org", key="key-000000000003")
    with pytest.raises(RegistrationClosed):
        await subject.backend.withdraw(made.id)
    assert (await subject.backend.status(made.id)).status == "active"


async def test_a_withdrawn_registration_stays_withdrawn_however_often_it_is_asked(subject: Subject, new: New) -> None:
    made = await subject.backend.create(new(), key="key-000000000001")
    await subject.backend.withdraw(made.id)
    await subject.backend.withdraw(made.id)
    seen = await subject.backend.status(made.id)
    assert seen.status == "withdrawn"
    assert "siti" not in seen.email_masked
    with pytest.raises(RegistrationClosed):
        await subject.backend.resend(made.id, key="key-000000000002")
    with pytest.raises(RegistrationClosed):
        await subject.backend.change_email(made.id, "baru@example.org", key="key-000000000003")


async def test_a_field_is_told_in_the_clear_while_its_registration_waits_for_its_owner(subject: Subject, new: New) -> None:
    made = await subject.backend.create(new(), key="key-000000000001")
    for field, value in (
        ("full_name", "Siti Rahmawati"),
        ("nik", "3174095708900001"),
        ("phone", "+6281234567890"),
        ("email", "siti.rahmawati@example.com"),
    ):
        assert await subject.revealing.reveal(made.id, field, reason="identity", actor="agent:1a2b") == value  # type: ignore[arg-type]
    await subject.backend.change_email(made.id, "baru@example.org", key="key-000000000002")
    assert await subject.revealing.reveal(made.id, "email", reason="delivery", actor="agent:1a2b") == "baru@example.org"
    with pytest.raises(RegistrationUnknown):
        await subject.revealing.reveal("0" * 32, "email", reason="identity", actor="agent:1a2b")
    for reason, actor in (("", "agent:1a2b"), ("Identity!", "agent:1a2b"), ("identity", ""), ("identity", "Siti Rahmawati")):
        with pytest.raises(RequestRefused) as refusal:
            await subject.revealing.reveal(made.id, "email", reason=reason, actor=actor)
        assert refusal.value.code == "invalid"
    await subject.backend.withdraw(made.id)
    with pytest.raises(RegistrationClosed):
        await subject.revealing.reveal(made.id, "email", reason="identity", actor="agent:1a2b")


async def test_of_an_active_registration_no_field_is_told(subject: Subject, new: New) -> None:
    made = await subject.backend.create(new(), key="key-000000000001")
    await subject.activate(made.id)
    for field in ("full_name", "email"):
        with pytest.raises(RegistrationClosed):
            await subject.revealing.reveal(made.id, field, reason="identity", actor="agent:1a2b")  # type: ignore[arg-type]


async def test_a_key_that_breaks_the_contract_is_refused(subject: Subject, new: New) -> None:
    for key in ("", "two words", "k" * 65):
        with pytest.raises(RequestRefused):
            await subject.backend.create(new(), key=key)


async def test_what_was_never_registered_is_unknown(subject: Subject) -> None:
    for unknown in ("nobody", "0" * 32, "..", "a/b", "a?b", "a-b", ""):
        for ask in (
            subject.backend.status(unknown),
            subject.backend.resend(unknown, key="key-000000000001"),
            subject.backend.change_email(unknown, "baru@example.org", key="key-000000000002"),
            subject.backend.withdraw(unknown),
        ):
            with pytest.raises(RegistrationUnknown):
                await ask


async def test_status_events_come_signed_and_carry_the_reference_and_their_order(subject: Subject, new: New) -> None:
    """They may overtake one another on their way (a retry, two at once), so it is `timestamp` that tells the order."""
    made = await subject.backend.create(new(), key="key-000000000001")
    await subject.until(made.id, lambda registration: registration.mail.state == "accepted")
    await subject.activate(made.id)
    events = sorted(await subject.events(2), key=lambda event: event.timestamp)
    assert [event.type for event in events] == ["registration.mailed", "registration.activated"]
    for event in events:
        assert event.data.registration_id == made.id
        assert event.data.reference == "web:0123456789abcdef"
        assert event.timestamp >= made.created_at - timedelta(seconds=1)
        assert "siti.rahmawati" not in event.data.email_masked
    assert events[1].data.status == "active"


async def test_a_notice_is_taken_once_for_what_is_so_and_refused_for_what_is_not(subject: Subject, new: New) -> None:
    made = await subject.backend.create(new(), key="key-000000000001")
    with pytest.raises(RegistrationClosed):
        await subject.backend.notify(made.id, "active", key="key-000000000002")
    await subject.activate(made.id)
    with pytest.raises(RegistrationClosed):
        await subject.backend.notify(made.id, "expired", key="key-000000000003")
    await subject.wait(COOLDOWN_SECONDS + 1)
    told = await subject.backend.notify(made.id, "active", key="key-000000000004")
    assert (told.id, told.status) == (made.id, "active")
    assert await subject.backend.notify(made.id, "active", key="key-000000000004") == told
    with pytest.raises(KeyReused):
        await subject.backend.notify(made.id, "withdrawn", key="key-000000000004")
    with pytest.raises(RegistrationUnknown):
        await subject.backend.notify("0" * 32, "active", key="key-000000000005")


async def test_a_notice_of_a_withdrawn_registration_is_taken_and_nobody_is_mailed(subject: Subject, new: New) -> None:
    made = await subject.backend.create(new(), key="key-000000000001")
    await subject.mails(1)
    await subject.backend.withdraw(made.id)
    told = await subject.backend.notify(made.id, "withdrawn", key="key-000000000002")
    assert told.status == "withdrawn"
    await subject.backend.create(new(email="sesudah@example.com"), key="key-000000000003")
    assert sorted(await subject.mails(2)) == ["sesudah@example.com", "siti.rahmawati@example.com"]


async def test_a_list_comes_in_pages_the_newest_first(subject: Subject, new: New) -> None:
    made = [
        (await subject.backend.create(new(email=f"p{number}@example.com", channel=channel), key=f"key-00000000000{number}")).id
        for number, channel in enumerate(("web", "telegram", "web", "web"))
    ]
    await subject.backend.withdraw(made[2])
    first = await subject.backend.registrations(limit=3)
    assert [each.id for each in first.items] == made[:0:-1]
    second = await subject.backend.registrations(limit=3, after=first.next)
    assert ([each.id for each in second.items], second.next) == (made[:1], None)
    assert [each.id for each in (await subject.backend.registrations(channel="telegram")).items] == made[1:2]
    assert [each.id for each in (await subject.backend.registrations(status="withdrawn")).items] == made[2:3]
    with pytest.raises(RegistrationUnknown):
        await subject.backend.registrations(after="0" * 32)
    for limit in (0, 51):
        with pytest.raises(RequestRefused):
            await subject.backend.registrations(limit=limit)
