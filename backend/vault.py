"""Personal data at rest: sealed with the place it belongs to, and found again by a keyed index.

Lives here: which context a value is sealed with and how it is normalised before indexing. Must not live here: cryptography (the
keyring is handed in) or SQL.
"""

from __future__ import annotations

from typing import Literal, Protocol

Indexed = Literal["nik", "email", "phone", "idempotency", "throttle", "audit", "code", "link code"]


class Keyring(Protocol):
    """What is needed of a keyring; `open` raises when the value was altered or moved. `newest` begins whatever the newest key sealed,
    `index_mark` whatever the newest index key made; `indexes` is the same look-up under every index key, the newest first.
    """

    @property
    def newest(self) -> bytes: ...

    @property
    def index_mark(self) -> bytes: ...

    def seal(self, plaintext: bytes, context: bytes) -> bytes: ...

    def open(self, sealed: bytes, context: bytes) -> bytes: ...

    def indexes(self, purpose: str, text: str) -> tuple[bytes, ...]: ...


class Vault:
    """Seals and opens the cells of the database; a cell copied to another row or column does not open there."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def seal(self, table: str, column: str, row: str, text: str) -> bytes:
        return self._keyring.seal(text.encode(), f"{table}/{column}/{row}".encode())

    def open(self, table: str, column: str, row: str, sealed: bytes) -> str:
        return self._keyring.open(bytes(sealed), f"{table}/{column}/{row}".encode()).decode()

    @property
    def newest(self) -> bytes:
        """How every value begins that needs no sealing anew."""
        return self._keyring.newest

    def open_if_possible(self, table: str, column: str, row: str, sealed: bytes) -> str | None:
        """The value; None when no key of the list opens it."""
        try:
            return self.open(table, column, row, sealed)
        except Exception:  # noqa: BLE001 - each keyring has errors of its own; here they all mean the same
            return None

    @property
    def index_mark(self) -> bytes:
        """How every look-up begins that needs none anew; all of them are as long as this one and 32 bytes."""
        return self._keyring.index_mark

    def index(self, purpose: Indexed, text: str) -> bytes:
        """Bytes that are equal for equal values of one kind: what is written down. E-mail is compared without regard to case."""
        return self.indexes(purpose, text)[0]

    def indexes(self, purpose: Indexed, text: str) -> tuple[bytes, ...]:
        """What to look for: the same under every index key, the newest, which `index` is, first."""
        return self._keyring.indexes(purpose, text.casefold() if purpose == "email" else text)
