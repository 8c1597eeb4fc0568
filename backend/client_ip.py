"""Whose address counts: the peer's, or what a trusted proxy says of it; and how much of an address is one household.

Serve this app with the server's own proxy handling switched off (uvicorn: `proxy_headers=False`), or a header decides instead of this.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from starlette.requests import HTTPConnection

FORWARDED: Final = "x-forwarded-for"
_IPV6_SITE_BITS: Final = 64


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


def site(ip: str) -> str:
    """The part of an address that one household or host has: all of IPv4, the /64 of IPv6."""
    try:
        address = ip_address(ip)
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network((address, _IPV6_SITE_BITS), strict=False))
    return str(getattr(address, "ipv4_mapped", None) or address)
