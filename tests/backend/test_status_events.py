"""The status webhook: signed, told until it is taken, the same id and body in every attempt, also across a restart."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from dataclasses import replace

import httpx2
import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from backend.clock import utc_now
from backend.config import Timings
from backend.hooks import StatusWebhook
from backend.tables import events
from backend_client.events import read_event
from tests.backend.conftest import OpenStage
from tests.backend.durable.test_poison import letters
from tests.backend.stage import SECRET, Stage, served, text_of, until
from tests.services import free_port


async def state(stage: Stage) -> tuple[int, int]:
    """How many events were delivered and abandoned."""
    async with stage.backend.database.reading() as conn:
        counted = await conn.execute(sa.select(sa.func.count(events.c.delivered_at), sa.func.count(events.c.abandoned_at)))
    delivered, abandoned = counted.one()
    return delivered, abandoned


async def test_an_event_is_told_again_until_it_is_taken_and_is_always_the_same(stage: Stage) -> None:
    stage.receiver.answers.extend([500, 302, 404, 429])
    await stage.register()
    heard = await stage.receiver.events(5)
    assert len({hook.id for hook in heard}) == 1
    assert len({hook.body for hook in heard}) == 1
    await until(lambda: _is(stage, (1, 0)))
    await asyncio.sleep(0.5)
    assert len(stage.receiver.heard) == 5


async def _is(stage: Stage, expected: tuple[int, int]) -> bool:
    return await state(stage) == expected


async def test_every_event_has_an_id_of_its_own(stage: Stage) -> None:
    made = await stage.register()
    await stage.until_mail(made["id"], "accepted")
    await stage.activate(await stage.smtp.token())
    (mailed,) = await stage.receiver.events(1, "registration.mailed")
    (activated,) = await stage.receiver.events(1, "registration.activated")
    assert mailed.id != activated.id
    assert mailed.event["timestamp"] < activated.event["timestamp"]
    assert mailed.event["timestamp"].endswith("Z")


async def test_an_activation_that_the_chat_will_not_hear_of_is_told_by_mail_once(open_stage: OpenStage) -> None:
    """The receiver is away for as long as it is tried; the letter is replayed later, and fails again."""
    async with open_stage(timings=Timings(mail_backoff=(0.1,), hook_backoff=(0.1,))) as stage:
        made = await stage.register()
        await until(lambda: _is(stage, (1, 0)))
        stage.receiver.answers.extend([503] * 2)
        await stage.activate(await stage.smtp.token())
        notice = (await stage.smtp.mails(2))[1]
        assert "Siti Rahmawati" in text_of(notice)
        assert "/masuk" in text_of(notice)
        (letter,) = await letters(stage.backend.jobs, 1)
        stage.receiver.answers.extend([503] * 2)
        await stage.backend.jobs.replay(letter.id)
        (again,) = await letters(stage.backend.jobs, 1)
        await stage.backend.jobs.replay(again.id)
        await until(lambda: _is(stage, (2, 0)))
        assert len(stage.smtp.taken) == 2
        assert (await stage.view(made["id"]))["status"] == "active"


async def test_that_a_mail_went_out_is_not_told_by_mail(stage: Stage) -> None:
    stage.receiver.answers.append(410)
    await stage.register()
    await until(lambda: _is(stage, (0, 1)))
    await asyncio.sleep(0.5)
    assert len(stage.smtp.taken) == 1


async def test_a_receiver_that_is_gone_is_not_asked_again(stage: Stage) -> None:
    stage.receiver.answers.append(410)
    await stage.register()
    await until(lambda: _is(stage, (0, 1)))
    await asyncio.sleep(0.5)
    assert len(stage.receiver.heard) == 1


async def test_after_the_last_attempt_the_event_is_abandoned(open_stage: OpenStage) -> None:
    async with open_stage(timings=Timings(hook_backoff=(0.1, 0.1))) as stage:
        stage.receiver.answers.extend([500] * 3)
        await stage.register()
        await until(lambda: _is(stage, (0, 1)))
        assert len(stage.receiver.heard) == 3


async def test_an_event_survives_a_restart_of_either_side(open_stage: OpenStage) -> None:
    """The receiver is away, the backend stops and starts: the news arrive, and are taken once."""
    port = free_port()
    async with open_stage(status_webhook_url=f"http://127.0.0.1:{port}/hook") as stage:
        made = await stage.register()
        await stage.activate(await stage.smtp.token())
        await stage.until_mail(made["id"], "accepted")
    async with open_stage() as stage:
        told = await stage.receiver.events(2)
        assert {hook.event["type"] for hook in told} == {"registration.mailed", "registration.activated"}
        await until(lambda: _is(stage, (2, 0)))
        await asyncio.sleep(0.5)
        assert len(stage.receiver.heard) == 2


async def test_the_signature_covers_every_byte_and_the_id(small_stage: Stage) -> None:
    await small_stage.register()
    (told,) = await small_stage.receiver.events(1)
    verifier = Webhook(SECRET)
    verifier.verify(told.body, told.headers)
    for body, headers in (
        (told.body.replace(b"pending", b"active_"), told.headers),
        (told.body, told.headers | {"webhook-id": "other"}),
        (told.body, told.headers | {"webhook-timestamp": "1"}),
    ):
        with pytest.raises(WebhookVerificationError):
            verifier.verify(body, headers)


async def test_a_redirect_is_not_followed(open_stage: OpenStage) -> None:
    """Where events go is the operator's word alone (no request is forged through the receiver)."""
    visited: list[str] = []

    async def here(_request: Request) -> Response:
        visited.append("here")
        return RedirectResponse("/elsewhere", 307)

    async def elsewhere(_request: Request) -> Response:
        visited.append("elsewhere")
        return Response(status_code=204)

    routes = [Route("/hook", here, methods=["POST"]), Route("/elsewhere", elsewhere, methods=["POST"])]
    async with served(Starlette(routes=routes)) as address, open_stage(status_webhook_url=f"{address}/hook") as stage:
        await stage.register()
        await until(lambda: len(visited) >= 3)
        assert set(visited) == {"here"}


async def test_where_nobody_listens_events_are_kept_and_nothing_is_sent(open_stage: OpenStage) -> None:
    async with open_stage(status_webhook_url="", status_webhook_secrets=()) as stage:
        made = await stage.register()
        await stage.until_mail(made["id"], "accepted")
        assert await state(stage) == (0, 0)
        async with stage.backend.database.reading() as conn:
            assert await conn.scalar(sa.select(sa.func.count()).select_from(events)) == 1


async def test_during_a_rotation_a_receiver_with_either_secret_alone_believes_it(small_stage: Stage) -> None:
    other = "whsec_" + b64encode(b"another secret of the tests, 32b").decode()
    config = replace(small_stage.config, status_webhook_secrets=(other, SECRET))
    heard: list[tuple[dict[str, str], bytes]] = []

    async def take(request: Request) -> Response:
        heard.append((dict(request.headers), await request.body()))
        return Response(status_code=204)

    async with served(Starlette(routes=[Route("/hook", take, methods=["POST"])])) as address, httpx2.AsyncClient() as client:
        await small_stage.register()
        (told,) = await small_stage.receiver.events(1)
        async with small_stage.backend.database.writing() as conn:
            await conn.execute(events.update().values(delivered_at=None))
        vault = small_stage.backend.audit._vault
        inside, there = small_stage.backend, replace(config, status_webhook_url=f"{address}/hook")
        hook = StatusWebhook(there, inside.database, vault, client, utc_now, inside.registrations.tell_by_mail)
        await hook.deliver(told.id, 1)
    ((headers, body),) = heard
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (other, SECRET):
        Webhook(secret).verify(body, headers)
        assert read_event([secret], headers, body)[0] == told.id
