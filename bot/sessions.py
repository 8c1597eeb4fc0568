"""What a store keeps of a conversation and of its effects, as sealed bytes that tell the store and its backups nothing.

Lives here: which events were claimed, bytes, sealing, reading old versions through `dialogs/upcasters.py`. Must not live here: where the
bytes go (`bot/stores/`). Each sealed value is bound to its place (conversation, and revision or key), so that one cannot be put in
another's stead.

Values are msgpack arrays in the order of their fields, names left out. A field may be appended with a default (a minor version): what was
written before it lacks the field and gets the default; older code that serves a newer session keeps what it does not know (`Memory.rest`).
Any other change of shape is a major version.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any, Final, Protocol

import msgspec

from dialogs import effects
from dialogs.effects import Message, Move, Request, ToDesk
from dialogs.frozen import Frozen, replace
from dialogs.session import VERSION, Session
from dialogs.upcasters import SessionTooNew, upcast

Stored = Message | Request | Move | ToDesk

# So many of a conversation's newest events are known again when they are delivered again. Telegram repeats an update before the chat's next
# one, the widget within its own retries. Meta may repeat a message for seven days: should so many newer ones have got through meanwhile, it
# is carried out again. Then a press is stale, and a hand-off that was made is not made again; a text is an answer to what is asked by then.
CLAIMS: Final = 64
_CLAIM_BYTES: Final = 8


class Cipher(Protocol):
    """What is needed of the keyring: seal and open bytes in a context that must match (authenticated)."""

    def seal(self, plaintext: bytes, context: bytes) -> bytes: ...

    def open(self, sealed: bytes, context: bytes) -> bytes: ...


class Memory(Frozen, frozen=True):
    """A session, and the marks of the events that made it: last that of the event which the screen in force answers, and before it the
    others, newest last. `rest` is what newer code has appended to the session: kept as it is, for older code serves the conversation
    beside it during a deploy.
    """

    session: Session
    claims: bytes = b""
    rest: tuple[Any, ...] = ()

    def knows(self, event: str) -> bool:
        mark = _mark(event)
        at = self.claims.find(mark)
        while at % _CLAIM_BYTES and at > 0:
            # Found across two marks: bytes that only look like it.
            at = self.claims.find(mark, at + 1)
        return at >= 0

    def answered(self, event: str) -> bool:
        """Whether the screen in force is this event's answer."""
        return self.claims[-_CLAIM_BYTES:] == _mark(event)

    def with_event(self, event: str, session: Session) -> Memory:
        """What is remembered after this event. One that showed nothing leaves the screen in force to the event that it answers, which
        may come again because the answer got lost.
        """
        shows = session.serial != self.session.serial or not self.claims
        last = b"" if shows else self.claims[-_CLAIM_BYTES:]
        before = self.claims if shows else self.claims[:-_CLAIM_BYTES]
        return Memory(session, (before + _mark(event) + last)[-CLAIMS * _CLAIM_BYTES :], self.rest)


@lru_cache(maxsize=256)  # a turn asks for the same one several times
def _mark(event: str) -> bytes:
    return hashlib.blake2b(event.encode(), digest_size=_CLAIM_BYTES).digest()


_CLASSES: Final[tuple[type[Stored], ...]] = (
    effects.Say,
    effects.Show,
    effects.Redraw,
    effects.DeleteUserMessages,
    effects.SubmitRegistration,
    effects.ResendActivation,
    effects.ChangeEmail,
    effects.WithdrawRegistration,
    effects.MakeLink,
    effects.RedeemLink,
    effects.BringForm,
    effects.OpenTicket,
    effects.Relay,
    effects.DeskChanged,
    effects.MessageFate,
)
_READERS: Final[dict[str, msgspec.msgpack.Decoder[Any]]] = {cls.__name__: msgspec.msgpack.Decoder(cls) for cls in _CLASSES}
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Session).decode
_LENGTH_BYTES: Final = 2


def pack(session: Session) -> bytes:
    """The session as this version writes it; one that newer code has written keeps that one's version."""
    return _encode(session if session.version >= VERSION else replace(session, version=VERSION))


def unpack(packed: bytes) -> Session:
    """The session, whichever version of the code packed it. Raises SessionTooNew, and msgspec.DecodeError for what is none."""
    try:
        session = _decode(packed)
        if session.version[0] == VERSION[0]:
            return session
    except msgspec.ValidationError:
        # Another shape, or a value that only later code knows.
        version = tuple(msgspec.msgpack.decode(packed)[0])
        if version[0] == VERSION[0]:
            if version <= VERSION:
                raise
            raise SessionTooNew from None
    return msgspec.convert(upcast(msgspec.msgpack.decode(packed)), Session)


def _appended(packed: bytes) -> tuple[Any, ...]:
    """The fields behind those that this code knows."""
    return tuple(msgspec.msgpack.decode(packed)[len(Session.__struct_fields__) :])


class Sessions:
    """The codec with its keys."""

    def __init__(self, cipher: Cipher) -> None:
        self._cipher = cipher

    def write(self, conversation: str, revision: int, memory: Memory) -> bytes:
        packed = pack(memory.session)
        if memory.rest:
            packed = _encode([*msgspec.msgpack.decode(packed), *memory.rest])
        plain = len(memory.claims).to_bytes(_LENGTH_BYTES) + memory.claims + packed
        return self._cipher.seal(plain, f"session {conversation} {revision}".encode())

    def read(self, conversation: str, revision: int, sealed: bytes) -> Memory:
        """Raises the cipher's own error for altered bytes, and SessionTooNew."""
        plain = self._cipher.open(sealed, f"session {conversation} {revision}".encode())
        claims_end = _LENGTH_BYTES + int.from_bytes(plain[:_LENGTH_BYTES])
        session = unpack(plain[claims_end:])
        rest = _appended(plain[claims_end:]) if session.version > VERSION else ()
        return Memory(session, plain[_LENGTH_BYTES:claims_end], rest)

    def write_effect(self, conversation: str, key: str, effect: Stored) -> bytes:
        name = type(effect).__name__.encode()
        return self._cipher.seal(bytes((len(name),)) + name + _encode(effect), f"item {conversation} {key}".encode())

    def read_effect(self, conversation: str, key: str, sealed: bytes) -> Stored:
        plain = self._cipher.open(sealed, f"item {conversation} {key}".encode())
        start = 1 + plain[0]
        effect: Stored = _READERS[plain[1:start].decode()].decode(plain[start:])
        return effect
