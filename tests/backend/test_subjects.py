"""The rights of the person whom data is about: found, copied whole, erased whole, and named when an incident touched them."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from backend import tables
from backend.accounts import Account
from backend.activation import Activated, LinkUnknown, LinkUsed
from tests.backend.stage import PASSWORD, Stage, token_in

NIK = "3174095708900001"
PHONE = "+6281234567890"
EMAIL = "siti.rahmawati@example.com"


async def open_session(stage: Stage) -> str:
    account = await stage.backend.accounts.authenticate(EMAIL, PASSWORD, ip="192.0.2.1")
    assert isinstance(account, Account)
    token = await stage.backend.accounts.open_session(account)
    assert token is not None
    return token


async def account(stage: Stage) -> tuple[str, str]:
    """An active account with a session: its id and its registration's."""
    made = await stage.register()
    done = await stage.activate(await stage.smtp.token())
    assert isinstance(done, Activated)
    await open_session(stage)
    return done.account_id, made["id"]


async def test_a_person_is_found_however_they_write_it(stage: Stage) -> None:
    of_account, of_registration = await account(stage)
    subjects = stage.backend.subjects
    for by, value in (
        ("email", " SITI.Rahmawati@example.com "),
        ("email", "Siti Rahmawati <siti.rahmawati@example.com>"),
        ("nik", "3174 0957 0890 0001"),
        ("nik", "３１７４０９５７０８９００００１"),  # noqa: RUF001 - as a phone's keyboard may write it
        ("phone", "0812-3456-7890"),
        ("phone", "+62 812 3456 7890"),
        ("phone", "62812 3456 7890"),
        ("phone", "812 3456 7890"),
        ("phone", "+62 (0)812 3456 7890"),
        ("phone", "0062 812 3456 7890"),
        ("account", of_account),
        ("registration", of_registration),
    ):
        found = await subjects.find(by, value)  # type: ignore[arg-type]
        assert (found.accounts, found.registrations) == ((of_account,), (of_registration,)), by
    assert not await subjects.find("email", "nobody@example.com")
    foreign = await stage.register(phone="+6581234567", nik="3174095708900002", email="abroad@example.com")
    for written in ("+65 8123 4567", "0065 8123 4567", "6581234567"):
        assert (await subjects.find("phone", written)).registrations == (foreign["id"],), written


async def test_the_copy_holds_everything_that_is_held_and_json_can_carry_it(stage: Stage) -> None:
    of_account, of_registration = await account(stage)
    await stage.receiver.events(2)
    copy = json.loads(
        json.dumps(await stage.backend.subjects.export(await stage.backend.subjects.find("nik", NIK), "operator"))
    )
    (held,), (asked,) = copy["accounts"], copy["registrations"]
    assert held["data"] == {"full_name": "Siti Rahmawati", "nik": NIK, "phone": PHONE, "email": EMAIL}
    assert held["consent"]["notice_version"] == "2026-11"
    assert held["consent"]["given_at"] == held["activated_at"]
    assert (asked["id"], asked["status"], asked["reference"]) == (of_registration, "active", "web:0123456789abcdef")
    assert asked["consent"] == {
        "notice_version": "2026-11",
        "given_at": "2026-11-20T03:04:05Z",
        "by": "whoever asked in the chat",
    }
    assert [mail["kind"] for mail in asked["mails"]] == ["activation"]
    assert {event["event"] for event in asked["told"]} == {"registration.mailed", "registration.activated"}
    assert {line["what"] for line in asked["done"]} >= {"registration.created", "registration.activated"}
    for secret in ("password_hash", "token", "argon2"):
        assert secret not in json.dumps(copy)
    again = await stage.backend.subjects.export(await stage.backend.subjects.find("account", of_account), "person")
    done = [(line["by"], line["what"]) for line in again["accounts"][0]["done"]]
    assert done == [("person", "account.login"), ("operator", "subject.exported")], "the copy itself is on record"


async def test_erasing_leaves_nothing_of_the_person_and_their_address_is_free_again(stage: Stage) -> None:
    _, of_registration = await account(stage)
    pending = await stage.register(nik="3174095708900009")
    token = token_in((await stage.smtp.mails(2))[1]) if "/aktivasi/" in str((await stage.smtp.mails(2))[1]) else ""
    assert token == "", "a known address gets no link"
    erased = await stage.backend.subjects.erase(await stage.backend.subjects.find("email", EMAIL), "operator")
    assert (erased.accounts, erased.registrations) == (1, 2)
    assert "sudah dihapus" in (await stage.smtp.mails(3))[2]["Subject"], "the last mail of an account says that it is gone"
    async with stage.backend.database.reading() as conn:
        assert await conn.scalar(sa.select(sa.func.count()).select_from(tables.accounts)) == 0
        assert await conn.scalar(sa.select(sa.func.count()).select_from(tables.account_sessions)) == 0
        for row in await conn.execute(tables.registrations.select()):
            assert row.erased_at is not None
            cells = ("full_name", "nik", "nik_index", "phone", "phone_index", "email", "email_index")
            assert [getattr(row, cell) for cell in cells] == [None] * 7
    assert (await stage.view(of_registration))["status"] == "withdrawn"
    (told,) = await stage.receiver.events(1, "registration.withdrawn")
    assert told.event["data"]["registration_id"] == pending["id"], "only the chat that still waited is told"
    nothing = await stage.backend.subjects.erase(await stage.backend.subjects.find("registration", pending["id"]), "operator")
    assert (nothing.accounts, nothing.registrations) == (0, 0)
    assert (await stage.backend.audit.verify()).holds
    assert type(await stage.backend.accounts.authenticate(EMAIL, PASSWORD, ip="192.0.2.1")).__name__ == "WrongCredentials"
    await stage.register()
    assert isinstance(await stage.activate(await stage.smtp.token(of=4)), Activated)


async def test_the_link_of_an_erased_registration_is_void(stage: Stage) -> None:
    await stage.register()
    token = await stage.smtp.token()
    await stage.backend.subjects.erase(await stage.backend.subjects.find("nik", NIK), "operator")
    assert isinstance(await stage.backend.activation.look(token), LinkUnknown)


async def test_an_account_that_became_active_just_before_the_erasure_is_erased_too(stage: Stage) -> None:
    await stage.register()
    found = await stage.backend.subjects.find("nik", NIK)
    assert found.accounts == ()
    await stage.activate(await stage.smtp.token())
    erased = await stage.backend.subjects.erase(found, "operator")
    assert (erased.accounts, erased.registrations) == (1, 1)
    assert not await stage.backend.subjects.find("nik", NIK)


async def test_the_links_of_an_erased_account_do_not_say_that_it_is_active(stage: Stage) -> None:
    made = await stage.register()
    stage.let_pass(seconds=61)
    await stage.resend(made["id"])
    used, sister = (token_in(mail) for mail in await stage.smtp.mails(2))
    await stage.activate(used)
    assert [await stage.backend.activation.look(token) for token in (used, sister)] == [LinkUsed(), LinkUsed()]
    await stage.backend.subjects.erase(await stage.backend.subjects.find("nik", NIK), "person")
    assert [await stage.backend.activation.look(token) for token in (used, sister)] == [LinkUnknown(), LinkUnknown()]


async def affected(stage: Stage, since: float, until: float, *, contacts: bool = False) -> list[dict[str, Any]]:
    """Who was held between so many days before now."""
    now = stage.clock()
    window = (
        now - stage.backend.config.timings.purge_after / 7 * since,
        now - stage.backend.config.timings.purge_after / 7 * until,
    )
    return [line async for line in stage.backend.subjects.affected(*window, contacts=contacts)]


async def test_an_incident_s_list_names_whose_data_was_held_in_its_window(stage: Stage) -> None:
    of_account, _ = await account(stage)
    gone = await stage.register(email="gone@example.com", nik="3174095708900002")
    stage.let_pass(days=10)
    await stage.http.delete(f"/api/v1/registrations/{gone['id']}")
    stage.let_pass(days=10)
    late = await stage.register(email="late@example.com", nik="3174095708900003")

    first_days = await affected(stage, 20.5, 15)
    assert {line["id"] for line in first_days} == {of_account, gone["id"]}
    assert {line["id"] for line in await affected(stage, 5, -1)} == {of_account, late["id"]}
    assert await affected(stage, 40, 30) == []
    assert EMAIL not in json.dumps(first_days)
    (held,) = [line for line in first_days if line["id"] == of_account]
    assert (held["record"], held["fields"]) == ("account", ["full_name", "nik", "phone", "email", "password_hash"])
    with_contacts = {line["id"]: line for line in await affected(stage, 20.5, 15, contacts=True)}
    assert with_contacts[of_account]["email"] == EMAIL
    assert with_contacts[gone["id"]]["email"] is None, "what was erased cannot be told"


async def test_an_operator_ends_every_session_of_a_person_and_the_password_stays(stage: Stage) -> None:
    await account(stage)
    accounts = stage.backend.accounts
    tokens = [await open_session(stage) for _ in range(2)]
    found = await stage.backend.subjects.find("email", EMAIL)
    assert await stage.backend.subjects.log_out(found, "operator") == 3, "with the one that was open already"
    assert [await accounts.session(token) for token in tokens] == [None, None]
    assert type(await accounts.authenticate(EMAIL, PASSWORD, ip="192.0.2.1")).__name__ == "Account"
