"""Whose address counts behind proxies, and behind none."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from akses.proxies import BehindProxies
from backend.client_ip import client_ip, site


def request(peer: str | None, *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return Request({"type": "http", "headers": headers, "client": (peer, 1) if peer else None})


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "found"),
    [
        ("192.0.2.1", [], (), "192.0.2.1"),
        ("192.0.2.1", ["203.0.113.5"], (), "192.0.2.1"),
        ("192.0.2.1", ["203.0.113.5"], ("10.0.0.0/8",), "192.0.2.1"),
        ("10.0.0.7", ["203.0.113.5"], ("10.0.0.0/8",), "203.0.113.5"),
        ("10.0.0.7", ["1.2.3.4, 203.0.113.5"], ("10.0.0.7",), "203.0.113.5"),
        ("10.0.0.7", ["1.2.3.4", "203.0.113.5, 10.0.0.8"], ("10.0.0.0/8",), "203.0.113.5"),
        ("10.0.0.7", ["10.0.0.9"], ("10.0.0.0/8",), "10.0.0.9"),
        ("10.0.0.7", ["not an address"], ("10.0.0.0/8",), "not an address"),
        ("::1", ["2001:db8::5"], ("::1",), "2001:db8::5"),
        (None, ["203.0.113.5"], ("10.0.0.0/8",), ""),
    ],
)
def test_the_rightmost_hop_that_is_not_a_trusted_proxy_counts(
    peer: str | None, forwarded: list[str], trusted: tuple[str, ...], found: str
) -> None:
    assert client_ip(request(peer, *forwarded), trusted) == found


async def test_behind_a_known_proxy_every_part_sees_the_true_client_and_behind_none_nobody_can_pretend() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["client"][0])

    for trusted in (("10.0.0.0/8",), ("172.16.0.1",)):
        scope = request("10.0.0.7", "203.0.113.5").scope
        await BehindProxies(app, trusted)(scope, None, None)  # type: ignore[arg-type]
    assert seen == ["203.0.113.5", "10.0.0.7"]


@pytest.mark.parametrize(
    ("ip", "found"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("not an address", "unknown"),
    ],
)
def test_a_household_is_an_ipv4_address_or_a_64_of_ipv6(ip: str, found: str) -> None:
    assert site(ip) == found
