"""Signing in through an identity provider: whom it vouches for comes in, and nobody by any other answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from joserfc.jwk import RSAKey

from akses.keyring import Keyring
from helpdesk.config import OidcConfig
from helpdesk.oidc import CALLBACK
from helpdesk.roles import parse
from tests.helpdesk.issuer import CLIENT, SECRET, Issuer, issuing
from tests.helpdesk.stage import Stage, stage_on


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with issuing() as opened:
        yield opened


@pytest.fixture
async def stage(sqlite_url: str, keyring: Keyring, issuer: Issuer) -> AsyncIterator[Stage]:
    async with stage_on(sqlite_url, keyring, oidc=OidcConfig(issuer.url, CLIENT, SECRET)) as opened:
        issuer.redirect = f"{opened.url}{CALLBACK}"
        yield opened


async def sent(browser: httpx2.AsyncClient) -> str:
    """The address to which the provider sends this browser back."""
    away = await browser.get("/helpdesk/masuk/oidc")
    assert away.status_code == 303
    async with httpx2.AsyncClient(trust_env=False) as other:
        back = await other.get(away.headers["location"])
    return back.headers["location"]


async def comes_in(stage: Stage) -> bool:
    async with stage.client() as browser:
        answer = await browser.get(await sent(browser))
        return answer.status_code == 303 and (await browser.get("/helpdesk/saya")).status_code == 200


async def test_an_agent_comes_in_by_their_verified_address_and_then_by_the_providers_name_for_them(
    stage: Stage, issuer: Issuer
) -> None:
    agent, invitation = await stage.people.agents.add("sri@example.com", "Sri", parse("agent"))
    assert await comes_in(stage)
    issuer.person = {"sub": "p1", "email": "sri.baru@example.com", "email_verified": True}
    assert await comes_in(stage)
    # Somebody else with the old address is not her.
    issuer.person = {"sub": "p2", "email": "sri@example.com", "email_verified": True}
    assert not await comes_in(stage)
    async with stage.client() as browser:
        assert (await browser.get(f"/helpdesk/undangan/{invitation}")).status_code == 404
    issuer.person = {"sub": "p1"}
    await stage.people.agents.disable(agent.id)
    assert not await comes_in(stage)


@pytest.mark.parametrize(
    "person",
    [
        {"sub": "p1", "email": "sri@example.com"},
        {"sub": "p1", "email": "sri@example.com", "email_verified": False},
        {"sub": "p1", "preferred_username": "sri@example.com"},
        {"sub": "p1", "email": "budi@example.com", "email_verified": True},
    ],
)
async def test_whom_nobody_added_or_the_provider_has_not_verified_stays_out(
    stage: Stage, issuer: Issuer, person: dict[str, Any]
) -> None:
    await stage.people.agents.add("sri@example.com", "Sri", parse("agent"))
    issuer.person = person
    assert not await comes_in(stage)


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "other"},
        {"nonce": None},
        {"aud": "other"},
        {"iss": "https://other.example"},
        {"exp": 1},
        {"exp": None},
        {"sub": None},
    ],
)
async def test_an_id_token_that_is_not_for_this_very_sign_in_opens_nothing(
    stage: Stage, issuer: Issuer, claims: dict[str, Any]
) -> None:
    await stage.people.agents.add("sri@example.com", "Sri", parse("agent"))
    issuer.claims = claims
    assert not await comes_in(stage)


async def test_an_id_token_that_the_provider_has_not_signed_opens_nothing(stage: Stage, issuer: Issuer) -> None:
    await stage.people.agents.add("sri@example.com", "Sri", parse("agent"))
    issuer.signs_with = RSAKey.generate_key(2048, {"kid": "k1"})
    assert not await comes_in(stage)


async def test_a_provider_that_says_it_is_another_is_not_followed(stage: Stage, issuer: Issuer) -> None:
    issuer.says_it_is = "https://other.example"
    async with stage.client() as browser:
        answer = await browser.get("/helpdesk/masuk/oidc")
    assert answer.status_code == 502
    assert "Penyedia identitas" in answer.text


async def test_an_answer_counts_in_the_browser_that_asked_once_and_in_time(stage: Stage, issuer: Issuer) -> None:
    await stage.people.agents.add("sri@example.com", "Sri", parse("agent"))
    async with stage.client() as asked, stage.client() as other:
        address = await sent(asked)
        assert (await other.get(address)).status_code == 502, "another browser's"
        await sent(other)
        assert (await other.get(address)).status_code == 502, "another question's"
        assert (await asked.get(f"{address}x")).status_code == 502, "a wrong code"
        address = await sent(asked)
        stage.clock.ahead += timedelta(minutes=11)
        assert (await asked.get(address)).status_code == 502, "too late"
    assert issuer.codes, "and none of these answers was exchanged"
