"""Sessions and effects as bytes: compact JSON, sealed so that the store and its backups tell nothing.

Lives here: encoding, sealing, reading old versions through `dialogs/upcasters.py`. Must not live here: where the bytes go (`bot/stores/`).
Each sealed value is bound to its place (conversation, and revision or key), so that one cannot be put in another's stead.
"""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from dialogs import effects
from dialogs.effects import CancelTimer, Message, OpenTicket, Record, Request, SetTimer
from dialogs.session import VERSION, Session
from dialogs.upcasters import upcast

Stored = Message | Request


class Cipher(Protocol):
    """What is needed of the keyring: seal and open bytes in a context that must match (authenticated)."""

    def seal(self, plaintext: bytes, context: bytes) -> bytes: ...

    def open(self, sealed: bytes, context: bytes) -> bytes: ...


class _Head(msgspec.Struct):
    """The part of any version of a session that says which one it is."""

    version: tuple[int, int]


_CLASSES: Final[dict[str, type[Stored]]] = {
    cls.__name__: cls
    for cls in (
        effects.Say,
        effects.Show,
        effects.Redraw,
        effects.DeleteUserMessages,
        effects.SubmitRegistration,
        effects.ResendActivation,
        effects.ChangeEmail,
    )
}
_encode: Final = msgspec.json.Encoder().encode
_head: Final = msgspec.json.Decoder(_Head)
_session: Final = msgspec.json.Decoder(Session)
_envelope: Final = msgspec.json.Decoder(tuple[str, msgspec.Raw])
_effects: Final = {name: msgspec.json.Decoder(cls) for name, cls in _CLASSES.items()}


class Sessions:
    """The codec with its keys."""

    def __init__(self, cipher: Cipher) -> None:
        self._cipher = cipher

    def write(self, conversation: str, revision: int, session: Session) -> bytes:
        return self._cipher.seal(_encode(session), f"session {conversation} {revision}".encode())

    def read(self, conversation: str, revision: int, sealed: bytes) -> Session:
        """Raises the cipher's own error for altered bytes, and SessionTooNew."""
        plain = self._cipher.open(sealed, f"session {conversation} {revision}".encode())
        if _head.decode(plain).version[0] == VERSION[0]:
            return _session.decode(plain)
        return msgspec.convert(upcast(msgspec.json.decode(plain)), Session)

    def write_effect(self, conversation: str, key: str, effect: Stored) -> bytes:
        return self._cipher.seal(_encode((type(effect).__name__, effect)), f"item {conversation} {key}".encode())

    def read_effect(self, conversation: str, key: str, sealed: bytes) -> Stored:
        name, raw = _envelope.decode(self._cipher.open(sealed, f"item {conversation} {key}".encode()))
        return _effects[name].decode(raw)


# Effects that never wait in the outbox: timers are the store's own, tickets and records are carried out with the commit.
IMMEDIATE: Final = (SetTimer, CancelTimer, OpenTicket, Record)
