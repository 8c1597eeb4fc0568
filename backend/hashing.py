"""Argon2id (OWASP: 19 MiB, two passes, one lane) off the loop, and not more at once than the machine can bear.

Lives here: hashing and the queue before it. Must not live here: which passwords are allowed (`passwords.py`).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from backend.errors import Busy

# One a core: more only makes each slower. Each takes 19 MiB, so not without end.
AT_ONCE: Final = min(8, os.cpu_count() or 1)
WAITING: Final = 64
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# A hash of a random password nobody knows: verifying against it costs what verifying a real one costs.
DUMMY: Final = "$argon2id$v=19$m=19456,t=2,p=1$91s5wmkv7YgGUjxbxve7/Q$Rp064o5O5vycYp7IRR9KgLb1Lmfxw6jcaENH+SwgbFQ"


class Hasher:
    """Hashes and verifies inside a slot; `slot` raises Busy when the queue is full."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        if self._waiting >= WAITING:
            raise Busy.after(2)
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()

    @staticmethod
    async def hash(password: str) -> str:
        """To be called inside a slot."""
        return await asyncio.to_thread(_HASHER.hash, _encoded(password))

    @staticmethod
    async def matches(hashed: str, password: str) -> bool:
        """To be called inside a slot."""
        return await asyncio.to_thread(_verify, hashed, password)


def _encoded(password: str) -> bytes:
    # A lone surrogate (a broken browser) is a character like any other here: hashed as received, never an error.
    return password.encode("utf-8", "surrogatepass")


def _verify(hashed: str, password: str) -> bool:
    try:
        return _HASHER.verify(hashed, _encoded(password))
    except (VerificationError, InvalidHashError):
        return False
