"""What people wrote, at rest: sealed with the place it belongs to, in the way of every sealed column of the accounts' database."""

from __future__ import annotations

from typing import Final

from helpdesk.ports import Seals

_FIND: Final = "desk find"


class Cells:
    """Seals and opens; a cell copied to another row or column does not open there."""

    def __init__(self, seals: Seals) -> None:
        self._seals = seals

    def seal(self, table: str, column: str, row: str, text: str) -> bytes:
        return self._seals.seal(text.encode("utf-8", "surrogatepass"), f"{table}/{column}/{row}".encode())

    def open(self, table: str, column: str, row: str, sealed: bytes) -> str:
        return self._seals.open(bytes(sealed), f"{table}/{column}/{row}".encode()).decode("utf-8", "surrogatepass")

    def term(self, text: str) -> bytes:
        """What a value is found by: equal for equal values, and telling nothing without the key."""
        return self._seals.index(_FIND, text)

    def terms(self, text: str) -> tuple[bytes, ...]:
        """The same under every key of the look-ups: what was written before a rotation is found too."""
        return self._seals.indexes(_FIND, text)
