"""One name goes with a request through everything that it sets in motion, and only names that are safe in a log."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from akses import request_id
from akses.logs import REDACTED
from bot.conversation import Conversation
from dialogs import effects
from tests.akses.serving import served


def application() -> request_id.RequestIds:
    async def tell(_: Request) -> PlainTextResponse:
        async def deeper() -> str | None:
            return request_id.current()

        inner = await asyncio.create_task(deeper())
        assert inner == request_id.current()
        return PlainTextResponse(inner or "none")

    return request_id.RequestIds(Starlette(routes=[Route("/", tell)]))


async def test_a_request_without_a_name_is_given_one_and_told_it() -> None:
    async with served(application()) as client:
        first, second = await client.get("/"), await client.get("/")
    assert first.text == first.headers["x-request-id"]
    assert request_id.well_formed(first.text)
    assert first.text != second.text
    assert request_id.current() is None


@pytest.mark.parametrize("name", ["req-7f3a.22_x", "0193c1d2-e3f4-7556-a778-123456789012", "A" * 64])
async def test_a_well_formed_name_from_outside_is_taken_over(name: str) -> None:
    async with served(application()) as client:
        assert (await client.get("/", headers={"X-Request-ID": name})).text == name


@pytest.mark.parametrize(
    "name",
    [
        "short",
        "A" * 65,
        "3171234567890123",
        "nik-3171-2345-6789-0123",
        "a b c d e f g",
        "budi@example.com",
        "log.line\u00e9",
        "",
    ],
)
async def test_a_name_that_is_none_or_could_be_a_persons_number_is_replaced(name: str) -> None:
    async with served(application()) as client:
        answer = await client.get("/", headers=[(b"x-request-id", name.encode())])
    assert answer.text != name
    assert request_id.well_formed(answer.text)


def test_names_within_names_end_where_they_began() -> None:
    with request_id.named("outer.name"):
        with request_id.named("inner.name"):
            assert request_id.current() == "inner.name"
        assert request_id.current() == "outer.name"
    assert request_id.current() is None


@given(st.integers(0, 2**64 - 1))
def test_our_own_names_never_look_like_a_number(number: int) -> None:
    name = f"{number:016x}".translate(request_id._LETTERS)
    assert name.isalpha()
    assert not REDACTED.search(name)
    assert request_id.well_formed(name)


async def test_a_request_to_the_backend_goes_by_the_name_of_its_item() -> None:
    class Inner:
        async def carry_out(
            self, conversation: Conversation, request: effects.Request, item: str, attempts: int
        ) -> float | None:
            seen.append(request_id.current())
            return 1.5

    seen: list[str | None] = []
    request = effects.ResendActivation("key", "registration")
    conversation = Conversation("web", "a")
    assert await request_id.NamedRequests(Inner()).carry_out(conversation, request, "-b_Xy12Qq9Zt.7.1", 0) == 1.5
    assert seen == ["-b_Xy12Qq9Zt.7.1"]


def test_what_has_no_name_gets_one_and_what_has_one_keeps_it() -> None:
    with request_id.at_least():
        inner = request_id.current()
        assert inner
        with request_id.at_least():
            assert request_id.current() == inner
        assert request_id.current() == inner
    assert request_id.current() is None
