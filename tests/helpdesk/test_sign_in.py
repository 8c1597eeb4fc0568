"""Who is let in, for how long, and that nobody is who was shut out."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from akses.keyring import Keyring
from helpdesk.agents import AgentRefused
from helpdesk.roles import UnknownRole, parse
from helpdesk.sign_in import IDLE, LIFE, SignInRefused
from tests.helpdesk.stage import PASSWORD, Stage, stage_on


async def signed_in(stage: Stage, login: str) -> str:
    half = await stage.people.sign_in.password(login, PASSWORD, ip="192.0.2.1", device="Test")
    return await stage.people.sign_in.prove(half, stage.next_code(login), device="Test")


async def refusal(coroutine: object) -> str:
    with pytest.raises(SignInRefused) as refused:
        await coroutine  # type: ignore[misc]
    return refused.value.code


async def test_a_password_and_a_code_let_an_agent_in(stage: Stage) -> None:
    agent = await stage.agent("sri", "agent,auditor")
    visit = await stage.people.sign_in.visit(await signed_in(stage, "sri"))
    assert visit is not None
    assert visit.agent.id == agent.id
    assert visit.agent.roles == ("agent", "auditor")
    assert await stage.actions() == ["desk.agent_added", "desk.invitation_accepted", "desk.signed_in"]
    assert (await stage.audit.verify()).holds


async def test_a_password_alone_opens_nothing(small_stage: Stage) -> None:
    await small_stage.agent("sri")
    half = await small_stage.people.sign_in.password("sri", PASSWORD, ip="x", device="Test")
    assert await small_stage.people.sign_in.visit(half) is None
    small_stage.clock.ahead += timedelta(minutes=6)
    assert await refusal(small_stage.people.sign_in.prove(half, small_stage.code("sri"), device="Test")) == "closed"


async def test_a_wrong_password_and_an_unknown_login_are_told_alike(small_stage: Stage) -> None:
    await small_stage.agent("sri")
    for login in ("sri", "nobody"):
        assert await refusal(small_stage.people.sign_in.password(login, "salah", ip="x", device="Test")) == "wrong"


async def test_a_code_opens_once_and_a_recovery_code_once_instead_of_it(stage: Stage) -> None:
    agent, token = await stage.people.agents.add("sri", "Sri", parse("agent"))
    sign_in = stage.people.sign_in
    stage.secrets["sri"] = (await sign_in.invitation(token)).secret
    first = stage.code("sri")
    _, codes = await sign_in.accept(token, PASSWORD, PASSWORD, first, device="Test")
    assert len(set(codes)) == 10

    async def half() -> str:
        return await sign_in.password("sri", PASSWORD, ip="x", device="Test")

    assert await refusal(sign_in.prove(await half(), first, device="Test")) == "code"
    assert await sign_in.visit(await sign_in.prove(await half(), codes[3].upper(), device="Test"))
    assert await refusal(sign_in.prove(await half(), codes[3], device="Test")) == "code"
    assert agent.id == (await stage.people.agents.all())[0].id


async def test_one_code_sent_twice_at_once_opens_one_session(stage: Stage) -> None:
    await stage.agent("sri")
    halves = [await stage.people.sign_in.password("sri", PASSWORD, ip="x", device="Test") for _ in range(2)]
    code = stage.next_code("sri")
    both = await asyncio.gather(
        *(stage.people.sign_in.prove(half, code, device="Test") for half in halves), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in both) == ["SignInRefused", "str"]


async def test_whoever_guesses_is_made_to_wait(small_stage: Stage) -> None:
    await small_stage.agent("sri")
    codes = [await refusal(small_stage.people.sign_in.password("sri", "salah", ip="x", device="T")) for _ in range(11)]
    assert codes == ["wrong"] * 10 + ["slow"]
    # From elsewhere the owner still comes in.
    assert await small_stage.people.sign_in.password("sri", PASSWORD, ip="y", device="T")


async def test_a_session_ends_after_idling_and_after_its_life(small_stage: Stage) -> None:
    await small_stage.agent("sri")
    token = await signed_in(small_stage, "sri")
    for _ in range(int(LIFE / IDLE) * 2 - 2):
        small_stage.clock.ahead += IDLE / 2
        assert await small_stage.people.sign_in.visit(token), "whoever works stays in"
    small_stage.clock.ahead += IDLE
    assert await small_stage.people.sign_in.visit(token) is None
    again = await signed_in(small_stage, "sri")
    small_stage.clock.ahead += IDLE / 2
    assert await small_stage.people.sign_in.visit(again, touch=False), "an open page looks on"
    small_stage.clock.ahead += IDLE / 2 + timedelta(seconds=1)
    assert await small_stage.people.sign_in.visit(again) is None, "and keeps nobody in"


async def test_whoever_is_shut_out_is_out_at_once_and_everywhere(stage: Stage) -> None:
    agent = await stage.agent("sri")
    await stage.agent("admin", "admin")
    tokens = [await signed_in(stage, "sri") for _ in range(2)]
    await stage.people.agents.disable(agent.id)
    assert [await stage.people.sign_in.visit(token) for token in tokens] == [None, None]
    assert await refusal(stage.people.sign_in.password("sri", PASSWORD, ip="x", device="T")) == "wrong"
    await stage.people.agents.enable(agent.id)
    assert await stage.people.sign_in.visit(tokens[0]) is None
    assert await stage.people.sign_in.visit(await signed_in(stage, "sri"))


async def test_a_new_invitation_voids_what_was_there_before(stage: Stage) -> None:
    agent = await stage.agent("sri")
    token = await signed_in(stage, "sri")
    link = await stage.people.agents.invite(agent.id)
    assert await stage.people.sign_in.visit(token) is None
    assert await refusal(stage.people.sign_in.password("sri", PASSWORD, ip="x", device="T")) == "wrong"
    assert (await stage.people.sign_in.invitation(link)).secret != stage.secrets["sri"]
    newer = await stage.people.agents.invite(agent.id)
    assert await refusal(stage.people.sign_in.invitation(link)) == "link"
    stage.clock.ahead += timedelta(hours=73)
    assert await refusal(stage.people.sign_in.invitation(newer)) == "link"


async def test_an_invitation_asks_for_a_good_password_and_a_proven_authenticator(small_stage: Stage) -> None:
    _, token = await small_stage.people.agents.add("sri", "Sri Wahyuni", parse("agent"))
    sign_in = small_stage.people.sign_in
    small_stage.secrets["sri"] = (await sign_in.invitation(token)).secret
    weak = sign_in.accept(token, "Wahyuni#2026", "lain", small_stage.code("sri"), device="T")
    with pytest.raises(SignInRefused) as refused:
        await weak
    assert set(refused.value.rules) >= {"same", "personal"}
    assert await refusal(sign_in.accept(token, PASSWORD, PASSWORD, "000000x", device="T")) == "code"
    assert await sign_in.accept(token, PASSWORD, PASSWORD, small_stage.code("sri"), device="T")
    assert await refusal(sign_in.invitation(token)) == "link"


async def test_an_invitation_that_was_opened_before_the_index_key_was_rotated_is_accepted_after_it(sqlite_url: str) -> None:
    older = Keyring.generate()
    newer = Keyring.generate().replace("index:", "index2:").partition(",")[2]
    async with stage_on(sqlite_url, Keyring.parse(older)) as before:
        _, token = await before.people.agents.add("sri", "Sri Wahyuni", parse("agent"))
        before.secrets["sri"] = (await before.people.sign_in.invitation(token)).secret
    async with stage_on(sqlite_url, Keyring.parse(f"{newer},{older}")) as after:
        after.secrets = before.secrets
        assert (await after.people.sign_in.invitation(token)).secret != before.secrets["sri"]
        assert await after.people.sign_in.accept(token, PASSWORD, PASSWORD, after.code("sri"), device="T")
        half = await after.people.sign_in.password("sri", PASSWORD, ip="x", device="T")
        assert await after.people.sign_in.prove(half, after.next_code("sri"), device="T"), (
            "the authenticator's own secret is kept"
        )
    async with stage_on(sqlite_url, Keyring.parse(f"{newer},{older}")) as after:
        _, token = await after.people.agents.add("budi", "Budi", parse("agent"))
        after.secrets["budi"] = (await after.people.sign_in.invitation(token)).secret
        assert await after.people.sign_in.accept(token, PASSWORD, PASSWORD, after.code("budi"), device="T")


async def test_a_sign_in_link_opens_one_session(stage: Stage) -> None:
    agent = await stage.agent("sri")
    link = await stage.people.agents.sign_in_link(agent.id)
    assert (await stage.people.sign_in.link(link)).id == agent.id
    both = await asyncio.gather(*(stage.people.sign_in.follow(link, device="T") for _ in range(2)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in both) == ["SignInRefused", "str"]


async def test_nobody_changes_their_own_access_and_an_admin_always_remains(stage: Stage) -> None:
    one, other = await stage.agent("satu", "admin"), await stage.agent("dua", "admin,agent")
    for deed in (stage.people.agents.disable(one.id, by=one), stage.people.agents.change_roles(one.id, ("viewer",), by=one)):
        with pytest.raises(AgentRefused, match="oneself"):
            await deed
    await stage.people.agents.change_roles(one.id, ("viewer",), by=other)
    for deed in (stage.people.agents.disable(other.id), stage.people.agents.change_roles(other.id, ("agent",))):
        with pytest.raises(AgentRefused, match="last_admin"):
            await deed


async def test_names_and_roles_are_looked_at(small_stage: Stage) -> None:
    add = small_stage.people.agents.add
    await add("Sri@Example.com", "Sri", parse("agent"))
    for login, name, why in (("sri@example.com", "Sri", "taken"), ("a b", "Sri", "login"), ("budi", " ", "name")):
        with pytest.raises(AgentRefused, match=why):
            await add(login, name, parse("agent"))
    for roles in ("", "king", "agent,king"):
        with pytest.raises(UnknownRole, match="viewer, agent, supervisor, admin, auditor"):
            parse(roles)
