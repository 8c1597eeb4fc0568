"""Where our own requests may go: no further than the operator's word, whatever a name server says.

Lives here: resolving a name once, judging every address that it has, and connecting to the one that was judged. Must not live here: what is
sent (`hooks.py`). A name that leads into a private, loopback or link-local network is refused unless that network is allowed: whoever can
change a name's DNS must not thereby reach what only this machine reaches. An address written as such is the operator's own word, but for
link-local ones, where clouds keep their secrets.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpx2

_Address = IPv4Address | IPv6Address


class AddressRefused(httpx2.ConnectError):
    """The host leads to an address where requests of ours may not go."""


class PinnedTransport(httpx2.AsyncBaseTransport):
    """HTTP to public addresses, to those of `allowed` networks, and to addresses that the URL itself names. Raises AddressRefused."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self._allowed = tuple(ip_network(network, strict=False) for network in allowed)
        self._http = httpx2.AsyncHTTPTransport(trust_env=False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        host = request.url.host
        address = await self._judged(host, request.url.port or (443 if request.url.scheme == "https" else 80))
        # To the address that was judged: asking the name server again could bring another one. Host header and certificate stay the name's.
        pinned = httpx2.Request(
            request.method,
            request.url.copy_with(host=str(address)),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": host},
        )
        return await self._http.handle_async_request(pinned)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _judged(self, host: str, port: int) -> _Address:
        written = _literal(host)
        if written is not None:
            if _inside(written).is_link_local and not self._is_allowed(written):
                raise AddressRefused(f"{written} is link-local")
            return written
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpx2.ConnectError("the name does not resolve") from error
        addresses = [ip_address(str(each[4][0]).partition("%")[0]) for each in found]
        for address in addresses:
            # One bad address among good ones is a trick, not a choice.
            if not (host == "localhost" or _inside(address).is_global or self._is_allowed(address)):
                raise AddressRefused(f"{host} leads to an address that is not public")
        return addresses[0]

    def _is_allowed(self, address: _Address) -> bool:
        return any(_inside(address) in network for network in self._allowed)


def _literal(host: str) -> _Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _inside(address: _Address) -> _Address:
    """The IPv4 address that an IPv6 one may only be a coat of."""
    return getattr(address, "ipv4_mapped", None) or address
