"""The activation link on both databases: looking changes nothing, one POST makes one account, and every way a link ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from backend import tables
from backend.activation import Activated, LinkExpired, LinkLive, LinkUnknown, LinkUsed, NotPossible
from backend.config import Timings
from backend.errors import Busy, LimitReached
from backend.hashing import AT_ONCE, WAITING
from backend.passwords import PasswordRefused
from tests.backend.conftest import OpenStage
from tests.backend.stage import PASSWORD, Stage, token_in, until


async def everything(stage: Stage) -> dict[str, list[Any]]:
    """All rows of all our tables."""
    async with stage.backend.database.reading() as conn:
        return {
            table.name: [tuple(row) for row in await conn.execute(table.select())] for table in tables.metadata.sorted_tables
        }


async def accounts(stage: Stage) -> int:
    async with stage.backend.database.reading() as conn:
        count = await conn.scalar(sa.select(sa.func.count()).select_from(tables.accounts))
    return int(count or 0)


async def test_fifty_looks_at_the_link_change_nothing(stage: Stage) -> None:
    made = await stage.register()
    token = await stage.smtp.token()
    await stage.until_mail(made["id"], "accepted")
    await stage.receiver.events(1)
    await until(lambda: _delivered(stage))
    await stage.backend.audit.head()  # with every line in its place
    before = await everything(stage)
    for look in range(50):
        answer = await stage.http.request("HEAD" if look % 2 else "GET", f"/aktivasi/{token}", headers={"Purpose": "prefetch"})
        assert answer.status_code == 200
    assert await everything(stage) == before
    assert isinstance(await stage.activate(token), Activated)


async def _delivered(stage: Stage) -> bool:
    async with stage.backend.database.reading() as conn:
        return await conn.scalar(sa.select(sa.func.count()).where(tables.events.c.delivered_at.is_(None))) == 0


async def test_the_link_shows_enough_to_recognise_oneself_and_no_more(stage: Stage) -> None:
    await stage.register(language="en")
    found = await stage.backend.activation.look(await stage.smtp.token())
    assert isinstance(found, LinkLive)
    assert (found.full_name_masked, found.email_masked, found.language) == ("S*** R***", "s***@example.com", "en")
    assert {"Siti", "siti.rahmawati", "3174095708900001", "081234567890"} <= set(found.password_context)


async def test_activation_makes_an_account_and_tells_the_chat(stage: Stage) -> None:
    made = await stage.register()
    token = await stage.smtp.token()
    done = await stage.activate(token)
    assert isinstance(done, Activated)
    (told,) = await stage.receiver.events(1, "registration.activated")
    assert told.event["data"]["status"] == "active"
    assert told.event["data"]["registration_id"] == made["id"]
    seen = await stage.view(made["id"])
    assert (seen["status"], seen["resend_available_at"], seen["link_expires_at"]) == ("active", None, None)
    assert isinstance(await stage.backend.activation.look(token), LinkUsed)
    account = await stage.backend.accounts.authenticate("Siti.Rahmawati@example.com", PASSWORD, ip="192.0.2.1")
    assert getattr(account, "full_name", None) == "Siti Rahmawati"


async def test_fifty_activations_at_once_make_one_account_and_one_event(stage: Stage) -> None:
    await stage.register()
    token = await stage.smtp.token()
    done = await asyncio.gather(*(stage.activate(token) for _ in range(50)))
    assert sum(isinstance(one, Activated) for one in done) == 1
    assert sum(isinstance(one, LinkUsed) for one in done) == 49
    assert await accounts(stage) == 1
    await stage.receiver.events(2)
    assert len(await stage.receiver.events(1, "registration.activated")) == 1


async def test_of_two_people_with_one_e_mail_or_nik_one_gets_the_account(stage: Stage) -> None:
    """Nothing is reserved before activation; then the first one wins and the other's links are void."""
    # One after the other, so that the order of the mails is that of the registrations.
    for number, other in enumerate(({}, {"nik": "3174095708900002"}, {"email": "someone.else@example.com"}), start=1):
        await stage.register(**other)
        await stage.smtp.mails(number)
    tokens = [token_in(mail) for mail in await stage.smtp.mails(3)]
    done = await asyncio.gather(*(stage.activate(token) for token in tokens[:2]))
    assert sorted(type(one).__name__ for one in done) in (["Activated", "LinkUnknown"], ["Activated", "NotPossible"])
    assert await accounts(stage) == 1
    first_won = isinstance(done[0], Activated)
    third = await stage.activate(tokens[2])
    assert isinstance(third, LinkUnknown if first_won else Activated)


async def test_a_link_that_was_mailed_before_the_other_account_cannot_take_its_nik(stage: Stage) -> None:
    """Also when the rival's links were not there to be voided: the unique index has the last word."""
    await stage.register()
    await stage.register(email="someone.else@example.com")
    one, other = (token_in(mail) for mail in await stage.smtp.mails(2))
    assert isinstance(await stage.activate(one), Activated)
    async with stage.backend.database.writing() as conn:
        await conn.execute(tables.links.update().values(void_at=None))
    assert isinstance(await stage.activate(other), NotPossible)
    assert await accounts(stage) == 1


async def test_a_password_that_breaks_a_rule_touches_nothing(stage: Stage) -> None:
    await stage.register()
    token = await stage.smtp.token()
    for password, rule in (
        ("kecil", "length"),
        ("rumah!biru9laut", "upper"),
        ("Siti.Rahmawati9", "personal"),
        ("Aa1!" * 33, "too_long"),
    ):
        with pytest.raises(PasswordRefused) as refusal:
            await stage.activate(token, password)
        assert rule in refusal.value.rules
    assert isinstance(await stage.backend.activation.look(token), LinkLive)
    assert await accounts(stage) == 0


async def test_all_links_of_an_active_registration_say_that_it_is_active(stage: Stage) -> None:
    made = await stage.register()
    stage.let_pass(seconds=61)
    await stage.resend(made["id"])
    tokens = [token_in(mail) for mail in await stage.smtp.mails(2)]
    await stage.activate(tokens[0])
    for token in tokens:
        assert isinstance(await stage.backend.activation.look(token), LinkUsed)
        assert isinstance(await stage.activate(token), LinkUsed)


@pytest.mark.parametrize("cut", [slice(0, -1), slice(4, None), slice(0, 0)], ids=["shortened", "without-prefix", "empty"])
async def test_a_token_that_was_tampered_with_is_unknown(api: Stage, cut: slice) -> None:
    token = "akt_" + "A" * 43
    for tampered in (token[cut], token.swapcase(), token + "\0", token + "/..", "\ud800"):
        assert isinstance(await api.backend.activation.look(tampered), LinkUnknown)


async def test_not_me_ends_the_registration_leaves_the_address_in_peace_and_tells_the_chat(stage: Stage) -> None:
    made = await stage.register()
    token = await stage.smtp.token()
    assert await stage.backend.activation.disown(token) is True
    (told,) = await stage.receiver.events(1, "registration.withdrawn")
    assert told.event["data"]["status"] == "withdrawn"
    assert isinstance(await stage.backend.activation.look(token), LinkUnknown)
    assert await stage.backend.activation.disown(token) is False
    assert (await stage.view(made["id"]))["status"] == "withdrawn"

    again = await stage.register()
    assert (await stage.until_mail(again["id"], "accepted"))["status"] == "pending", "the answer is the same as for everybody"
    assert len(stage.smtp.taken) == 1, "but nothing was mailed"
    stage.let_pass(days=31)
    await stage.register()
    await stage.smtp.mails(2)


async def test_an_active_account_cannot_be_disowned(stage: Stage) -> None:
    await stage.register()
    token = await stage.smtp.token()
    await stage.activate(token)
    assert await stage.backend.activation.disown(token) is False
    assert await accounts(stage) == 1


async def test_an_expired_link_offers_a_new_mail_to_the_same_address_only(stage: Stage) -> None:
    await stage.register()
    token = await stage.smtp.token()
    stage.let_pass(hours=24, seconds=1)
    found = await stage.backend.activation.look(token)
    assert isinstance(found, LinkExpired)
    assert found.email_masked == "s***@example.com"
    assert found.resend_available_at is not None
    assert found.resend_available_at <= stage.clock()
    assert isinstance(await stage.activate(token), LinkExpired)
    again = await stage.backend.activation.resend_expired(token)
    assert isinstance(again, LinkExpired)
    assert again.resend_available_at is not None
    assert again.resend_available_at > stage.clock()
    assert isinstance(await stage.backend.activation.resend_expired(token), LimitReached)
    mails = await stage.smtp.mails(2)
    assert mails[1]["To"] == "siti.rahmawati@example.com"
    assert isinstance(await stage.activate(token_in(mails[1])), Activated)


async def test_a_live_link_cannot_be_used_to_send_mails(stage: Stage) -> None:
    await stage.register()
    token = await stage.smtp.token()
    stage.let_pass(seconds=61)
    assert isinstance(await stage.backend.activation.resend_expired(token), LinkUnknown)
    assert isinstance(await stage.backend.activation.resend_expired("akt_unknown"), LinkUnknown)


async def test_when_the_last_link_ends_the_chat_is_told_and_a_resend_brings_the_registration_back(
    open_stage: OpenStage,
) -> None:
    async with open_stage(link_hours=1 / 3600, resend_cooldown_seconds=0) as stage:
        made = await stage.register()
        (told,) = await stage.receiver.events(1, "registration.expired")
        assert told.event["data"]["status"] == "expired"
        assert (await stage.view(made["id"]))["status"] == "expired"
        back = await stage.resend(made["id"])
        assert (back.status_code, back.json()["status"]) == (202, "pending")
        await stage.receiver.events(2, "registration.expired")


async def test_a_registration_that_nobody_activates_is_erased(open_stage: OpenStage) -> None:
    async with open_stage(link_hours=1 / 3600, timings=Timings(purge_after=Timings().purge_after * 0)) as stage:
        made = await stage.register()

        async def erased() -> bool:
            async with stage.backend.database.reading() as conn:
                row = (await conn.execute(tables.registrations.select())).one()
            return row.erased_at is not None and row.email is row.nik is row.full_name is row.email_index is None

        await until(erased)
        refused = await stage.resend(made["id"])
        assert (refused.status_code, refused.json()["code"]) == (409, "closed")
        assert (await stage.view(made["id"]))["status"] == "expired"


async def test_more_passwords_than_the_queue_holds_are_told_to_come_again(api: Stage) -> None:
    hasher = api.backend.accounts._hasher
    async with asyncio.TaskGroup() as crowd:
        leave = asyncio.Event()

        async def stand() -> None:
            async with hasher.slot():
                await leave.wait()

        for _ in range(AT_ONCE + WAITING):
            crowd.create_task(stand())
        await until(lambda: hasher._waiting == WAITING)
        with pytest.raises(Busy) as busy:
            await api.backend.accounts.authenticate("a@example.com", PASSWORD, ip="192.0.2.1")
        assert busy.value.retry_after >= 1
        leave.set()


async def test_not_me_ends_every_open_registration_with_the_address_and_no_other(stage: Stage) -> None:
    """Whoever entered a stranger's address in several chats loses all of them at once; an active account with it stays."""
    first = await stage.register(reference="telegram:1")
    second = await stage.register(reference="telegram:2", nik="3174095708900002")
    third = await stage.register(reference="telegram:3", email="budi@example.com", nik="3174095708900003")
    tokens = {mail["To"]: token_in(mail) for mail in await stage.smtp.mails(3)}
    assert await stage.backend.activation.disown(tokens["siti.rahmawati@example.com"])
    told = await stage.receiver.events(2, "registration.withdrawn")
    assert {hook.event["data"]["registration_id"] for hook in told} == {first["id"], second["id"]}
    assert (await stage.view(third["id"]))["status"] == "pending"
    assert isinstance(await stage.backend.activation.look(tokens["budi@example.com"]), LinkLive)


async def test_not_me_leaves_the_mailbox_in_peace_however_it_is_written(stage: Stage) -> None:
    await stage.register(email="siti.rahmawati@gmail.com")
    assert await stage.backend.activation.disown(await stage.smtp.token())
    again = await stage.register(email="SitiRahmawati+akses@gmail.com")
    await stage.until_mail(again["id"], "accepted")
    assert len(stage.smtp.taken) == 1


async def test_whoever_said_not_me_and_changed_their_mind_is_written_to_again(stage: Stage) -> None:
    await stage.register(email="siti.rahmawati@gmail.com")
    assert await stage.backend.activation.disown(await stage.smtp.token())
    assert await stage.backend.subjects.welcome(" SitiRahmawati@gmail.com")
    assert not await stage.backend.subjects.welcome("sitirahmawati@gmail.com"), "nothing holds it back any more"
    await stage.register(email="siti.rahmawati@gmail.com")
    await stage.smtp.mails(2)
    assert "address.welcomed" in [line.action for line in await stage.backend.audit.lines(limit=100)]


async def test_two_owners_of_one_mailbox_may_press_not_me_at_once(stage: Stage) -> None:
    for number in range(4):
        await stage.register(reference=f"telegram:{number}")
    tokens = [token_in(mail) for mail in await stage.smtp.mails(4)]
    done = await asyncio.gather(*(stage.backend.activation.disown(token) for token in tokens))
    assert sorted(done) == [False, False, False, True]
    await stage.receiver.events(4, "registration.withdrawn")
