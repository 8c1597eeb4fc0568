"""What Meta is given along with a message and gives back with what became of it (`biz_opaque_callback_data`): ids, nothing of anybody.

Lives here: writing and reading it. Must not live here: what is done about it (`intake.py`).
"""

from __future__ import annotations

from typing import Final, NamedTuple

_MISSED: Final = "!"


class Slip(NamedTuple):
    """Of the message `key` to the chat `address`; `missed` where somebody would have to be told should it not arrive."""

    address: str
    key: str
    missed: bool

    @property
    def written(self) -> str:
        return f"{self.address} {self.key}{f' {_MISSED}' if self.missed else ''}"

    @classmethod
    def read(cls, written: str) -> Slip | None:
        match written.split(" "):
            case [address, key, *rest] if address and key and rest in ([], [_MISSED]):
                return cls(address, key, bool(rest))
            case _:
                return None
