"""How often a session and an internet address may ask.

Lives here: counting, in this process. Must not live here: what is answered (`api.py`).
"""

from __future__ import annotations

import ipaddress
import math
import time
from typing import Final

from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

_IPV6_SITE_BITS: Final = 64


def site(ip: str) -> str:
    """The part of an address that one household or host has: all of IPv4, the /64 of IPv6."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, _IPV6_SITE_BITS), strict=False))
    return str(getattr(address, "ipv4_mapped", None) or address)


class Throttle:
    def __init__(self) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def wait(self, rate: str, *who: str) -> int:
        """Count one request; 0 when it may go on, else the seconds until the next may, rounded up."""
        item = parse(rate)
        if await self._limiter.hit(item, *who):
            return 0
        window = await self._limiter.get_window_stats(item, *who)
        return max(1, math.ceil(window.reset_time - time.time()))
