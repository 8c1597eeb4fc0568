"""Why the backend says no, as types; `api/problems.py` turns each into its HTTP answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from backend.budgets import Limit


class Refused(Exception):
    """Something asked for is not done."""


class NotFound(Refused):
    """There is no such registration."""


class Forbidden(Refused):
    """The API key is good, and not for this."""


class KeyReused(Refused):
    """The Idempotency-Key came before, with another request."""


class Closed(Refused):
    """The registration is active, withdrawn or erased, so this can no longer be done to it."""


@dataclass
class Later(Refused):
    """Not now: `retry_after` whole seconds must pass first (always at least one)."""

    retry_after: int

    @classmethod
    def after(cls, seconds: float) -> Self:
        return cls(max(1, math.ceil(seconds)))


@dataclass
class LimitReached(Later):
    """A budget is used up; `limit` says which one of mails, None when it is about something else (messages to a phone, a household)."""

    limit: Limit | None = None

    @classmethod
    def of(cls, limit: Limit, seconds: float) -> Self:
        return cls(max(1, math.ceil(seconds)), limit)


class Busy(Later):
    """Too many passwords are being hashed at once."""
