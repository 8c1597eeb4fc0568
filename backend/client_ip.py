"""Whose address counts: the peer's, or what a trusted proxy says of it.

Serve this app with the server's own proxy handling switched off (uvicorn: `proxy_headers=False`), or a header decides instead of this.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from starlette.requests import HTTPConnection

FORWARDED = "x-forwarded-for"


def _trusted(address: str, proxies: Iterable[str]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in ip_network(proxy, strict=False) for proxy in proxies)


def client_ip(request: HTTPConnection, trusted_proxies: tuple[str, ...]) -> str:
    """The rightmost hop that is not a trusted proxy; without trusted proxies always the peer itself ("" on a local socket)."""
    address = request.client.host if request.client else ""
    hops = [hop.strip() for line in request.headers.getlist(FORWARDED) for hop in line.split(",")]
    while hops and _trusted(address, trusted_proxies):
        address = hops.pop()
    return address
