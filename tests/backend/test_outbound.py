"""Our own requests go where the operator said, and nowhere that a name server makes of it."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from backend.outbound import AddressRefused, PinnedTransport
from tests.backend.stage import served


class Names:
    """A name server that answers each question with the next of its answers, the last one for ever."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = 0
        self.answers: list[list[str]] = []
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self._resolve, raising=False)

    async def _resolve(self, host: str, port: int, **_: Any) -> list[Any]:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in answer
        ]


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


def client(*allowed: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=PinnedTransport(allowed), trust_env=False, timeout=5)


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["::1"],
        ["10.0.0.5"],
        ["172.16.3.4"],
        ["192.168.1.1"],
        ["169.254.169.254"],
        ["fe80::1"],
        ["fd00::1"],
        ["::ffff:10.0.0.5"],
        ["0.0.0.0"],
        ["100.64.0.1"],
        ["93.184.216.34", "127.0.0.1"],
    ],
    ids=" ".join,
)
async def test_a_name_that_leads_inside_is_refused_before_anything_is_sent(names: Names, addresses: list[str]) -> None:
    names.answers = [addresses]
    async with client() as http:
        with pytest.raises(AddressRefused):
            await http.post("http://hooks.example.com/hook")


async def test_an_allowed_network_is_reached_by_name_and_the_name_stays_in_the_request(names: Names) -> None:
    async def echo(request: Request) -> Response:
        return PlainTextResponse(request.headers["host"])

    async with served(Starlette(routes=[Route("/", echo)])) as address, client("127.0.0.0/8") as http:
        names.answers = [["127.0.0.1"]]
        port = address.rpartition(":")[2]
        assert (await http.get(f"http://bot.internal:{port}/")).text == f"bot.internal:{port}"


async def test_a_name_is_asked_for_once_so_that_a_second_answer_cannot_lead_elsewhere(names: Names) -> None:
    async def here(_: Request) -> Response:
        return PlainTextResponse("here")

    async with served(Starlette(routes=[Route("/", here)])) as address, client("127.0.0.0/8") as http:
        names.answers = [["127.0.0.1"], ["10.0.0.5"]]
        assert (await http.get(f"http://rebind.example.com:{address.rpartition(':')[2]}/")).text == "here"
        assert names.asked == 1


async def test_an_address_written_as_such_is_the_operators_word_but_for_link_local_ones() -> None:
    async def here(_: Request) -> Response:
        return PlainTextResponse("here")

    async with served(Starlette(routes=[Route("/", here)])) as address, client() as http:
        assert (await http.get(f"{address}/")).text == "here"
        assert (await http.get(f"{address}/".replace("127.0.0.1", "localhost"))).text == "here"
        for secrets in ("http://169.254.169.254/", "http://[::ffff:169.254.169.254]/", "http://[fe80::1]/"):
            with pytest.raises(AddressRefused):
                await http.get(secrets)
