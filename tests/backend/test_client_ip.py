"""Whose address counts behind proxies, and behind none."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from backend.client_ip import client_ip


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
