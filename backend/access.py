"""Who may ask what of the API: keys with a role and the channels whose registrations they see.

Lives here: what a key is and how it is written. Must not live here: reading it off a request (`api/guard.py`). A registration of another
channel does not exist for a key: it is answered as one that was never made.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final, Literal, Self, get_args

Role = Literal["channel", "read", "reveal"]
"""A channel registers people and acts for them; a reader only looks; `reveal` asks for fields in the clear, and for nothing else."""
_CHANNEL: Final = re.compile(r"[a-z0-9_-]{1,40}")
_LEAST: Final = 16
_LOOKING: Final = frozenset({"GET", "HEAD"})
_REVEAL: Final = "/reveal"


class ApiKeyInvalid(ValueError):
    """It is not written "role:channel+channel:key"; the text says what is wrong and never repeats the key."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """No `channels` means all of them."""

    secret: str
    role: Role = "channel"
    channels: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, written: str) -> Self:
        """Read "read:*:KEY" or "channel:telegram+web:KEY". Raises ApiKeyInvalid."""
        named, _, rest = written.partition(":")
        channels, _, secret = rest.partition(":")
        role: Role | None = next((each for each in get_args(Role) if each == named), None)
        if role is None:
            raise ApiKeyInvalid(f"its role is none of {', '.join(get_args(Role))}")
        names = frozenset(channels.split("+")) if channels != "*" else frozenset[str]()
        if not all(_CHANNEL.fullmatch(name) for name in names):
            raise ApiKeyInvalid("its channels are not written as telegram+web, or * for all")
        if len(secret) < _LEAST or not secret.isascii():
            raise ApiKeyInvalid(f"the key itself has fewer than {_LEAST} characters")
        return cls(secret, role, names)

    @property
    def id(self) -> str:
        """What names the key in the audit and beside an Idempotency-Key; it does not lead back to the key."""
        return hashlib.sha256(b"api key " + self.secret.encode()).hexdigest()[:12]

    def may(self, method: str, path: str) -> bool:
        """Whether a request of this kind may come with this key at all."""
        if self.role == "reveal" or (method == "POST" and path.endswith(_REVEAL)):
            return self.role == "reveal" and path.endswith(_REVEAL)
        return self.role == "channel" or method in _LOOKING

    def sees(self, channel: str) -> bool:
        return not self.channels or channel in self.channels
