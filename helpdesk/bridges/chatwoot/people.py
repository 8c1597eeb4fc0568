"""Who works in the Chatwoot account, by number and by address: asked of Chatwoot, remembered for a minute.

The address is what binds somebody to an agent of the helpdesk, so it comes from Chatwoot itself and from nowhere else, and counts only when
its owner has confirmed it there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from helpdesk.bridges.chatwoot.client import Chatwoot, Person

_FRESH_SECONDS: Final = 60.0
# Somebody who is not among those remembered may have come since; asked for at most so often.
_MISSED_SECONDS: Final = 5.0


class People:
    def __init__(self, chatwoot: Chatwoot) -> None:
        self._chatwoot = chatwoot
        self._known: Mapping[int, Person] = {}
        self._asked_at = float("-inf")

    async def numbered(self, number: int) -> Person | None:
        """Raises BridgeAway."""
        await self._ask(missed=number not in self._known)
        return self._known.get(number)

    async def addressed(self, address: str) -> Person | None:
        """Whoever has confirmed this address. Raises BridgeAway."""
        found = self._find(address)
        await self._ask(missed=found is None)
        return self._find(address)

    def _find(self, address: str) -> Person | None:
        wanted = address.strip().lower()
        return next((each for each in self._known.values() if each.confirmed and each.email.lower() == wanted), None)

    async def _ask(self, *, missed: bool) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._asked_at < (_MISSED_SECONDS if missed else _FRESH_SECONDS):
            return
        self._known = {each.id: each for each in await self._chatwoot.people()}
        self._asked_at = now
