"""Who is who in WhatsApp, without anybody's number lying about: the address of a person's chat, and whom to write to there.

Lives here: addresses, and what is remembered of people. Must not live here: reading names out of a webhook (`codec.py`).

The address of a chat gets into keys, logs and the helpdesk's tables, so a phone number never is one. It is the person's business-scoped id
(BSUID), which Meta makes for this business alone; where Meta names none, it is the number under AES-SIV, which makes the same of the same
number, and which nobody can open without the keys of this product.

What is remembered lies sealed in the dialog store, under keyed hashes of the names: which chat somebody's is, where that is not what their
name says by itself, and whom to write to in a chat. So a chat goes on when Meta begins to name somebody by their BSUID, when it stops
to, when they have another number (and with it another BSUID), and when the index key is changed. A number that somebody has given up
leads to their chat no more: whoever has it next begins a new one.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, NamedTuple, Protocol

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from bot.channels.whatsapp.codec import Who
from bot.stores.port import Commit, Outcome, Store

logger = structlog.get_logger(__name__)

# Somebody who has not written for so long is not known any more. Longer than any conversation is kept.
KEEP_SECONDS: Final = 30 * 24 * 3600.0
_NUMBERED: Final = "n"  # how the address of a chat begins that is a number under AES-SIV; a BSUID begins with capitals
_KEY_BYTES: Final = 32
_MESSAGE_BYTES: Final = 16
_RACES: Final = 20


class Keys(Protocol):
    """What is needed of the keyring."""

    def seal(self, plaintext: bytes, context: bytes) -> bytes: ...

    def open(self, sealed: bytes, context: bytes) -> bytes: ...

    def indexes(self, purpose: str, text: str) -> tuple[bytes, ...]: ...


class NotAnAddress(ValueError):
    """No chat of WhatsApp, or one whose number the keys of this product cannot open (any more)."""


class Numbers:
    """Numbers as addresses and back. The newest index key makes, all open."""

    def __init__(self, keys: Keys) -> None:
        halves = (keys.indexes("whatsapp number", half) for half in ("mac", "cipher"))
        self._ciphers = [AESSIV(mac[-_KEY_BYTES:] + cipher[-_KEY_BYTES:]) for mac, cipher in zip(*halves, strict=True)]

    def seal(self, number: str, owner: str = "") -> str:
        """`owner` tells those apart who have one number after each other."""
        sealed = self._ciphers[0].encrypt(f"{number} {owner}".encode(), None)
        return _NUMBERED + base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, address: str) -> str:
        """Raises NotAnAddress."""
        written = address.removeprefix(_NUMBERED)
        try:
            sealed = base64.b64decode(written + "=" * (-len(written) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise NotAnAddress from None
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(sealed, None).decode().partition(" ")[0]
            except (InvalidTag, ValueError):
                continue
        raise NotAnAddress


def numbered(address: str) -> bool:
    return address.startswith(_NUMBERED)


class _Known(NamedTuple):
    """A remembered value, whether it lies where it would be written today and has been there for less than half its time, and the revision
    of what lies there.
    """

    value: str = ""
    fresh: bool = True
    revision: int = 0


class People:
    """Every method that waits raises StoreUnavailable."""

    def __init__(self, store: Store, keys: Keys, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._numbers = Numbers(keys)

    def message(self, wamid: str) -> str:
        """What a message is called outside of this channel: the same for the same, without the number that Meta's id of it holds."""
        return (
            base64.urlsafe_b64encode(self._keys.indexes("whatsapp message", wamid)[0][-_KEY_BYTES:][:_MESSAGE_BYTES])
            .decode()
            .rstrip("=")
        )

    async def chat_of(self, who: Who) -> str:
        """The address of this person's chat, the same however Meta names them."""
        user, number = await asyncio.gather(self._known("user", who.user), self._known("number", who.number))
        # A number alone says less than a BSUID: it may have been somebody else's before. It leads a BSUID that is new to a chat of which
        # nothing but the number was known, and to no other.
        led = number.value if not who.user or numbered(number.value) else ""
        chat = user.value or led or who.user or self._numbers.seal(who.number)
        if who.user and chat != who.user and not (user.value == chat and user.fresh):
            await self._remember("user", who.user, chat)
            await self._remember("chat", chat, who.user)
        if who.number and not (number.value == chat and number.fresh):
            await self._remember("number", who.number, chat)
        return chat

    async def renamed(self, before: Who, now: Who, event_id: str) -> None:
        """The person has another number. Carried out again, from the beginning or from anywhere in it, it is as once."""
        chat = (await self._known("event", event_id)).value or await self.chat_of(before)
        await self._remember("event", event_id, chat)
        if now.user and now.user != chat:
            await self._remember("user", now.user, chat)
        if now.number:
            await self._remember("number", now.number, chat)
        await self._remember("chat", chat, now.user or now.number)
        if before.number and before.number != now.number and (await self._known("number", before.number)).value == chat:
            await self._remember("number", before.number, self._numbers.seal(before.number, secrets.token_hex(4)))

    async def recipient(self, chat: str) -> dict[str, str]:
        """Whom the Graph API is to send to: a BSUID as `recipient`, a number as `to`. Raises NotAnAddress."""
        name = (await self._known("chat", chat)).value or (self._numbers.open(chat) if numbered(chat) else chat)
        return {"to": name} if name.isdecimal() else {"recipient": name}

    # --- what is remembered

    def _places(self, kind: str, name: str) -> list[str]:
        return [f"whatsapp-{kind}:{index.hex()[:40]}" for index in self._keys.indexes(f"whatsapp {kind}", name)]

    async def _known(self, kind: str, name: str) -> _Known:
        if not name:
            return _Known()
        now = self._clock().timestamp()
        places = self._places(kind, name)
        loaded = await asyncio.gather(*(self._store.load(place, now) for place in places))
        for at, (place, found) in enumerate(zip(places, loaded, strict=True)):
            if found.state is not None and (written := self._opened(found.state, place)):
                since, _, value = written.partition(" ")
                return _Known(value, at == 0 and now - float(since) < KEEP_SECONDS / 2, loaded[0].revision)
        return _Known(revision=loaded[0].revision)

    def _opened(self, sealed: bytes, place: str) -> str:
        """What lies there; "" where it was sealed under a key that is gone. That is as if they had not written for long: it keeps nobody
        from writing.
        """
        try:
            return self._keys.open(sealed, place.encode()).decode()
        except Exception as error:  # noqa: BLE001 - a keyring says in its own way that it cannot
            logger.warning("whatsapp.name_unreadable", error=type(error).__name__)
            return ""

    async def _remember(self, kind: str, name: str, value: str) -> None:
        """Twice is once; of two at a time the last one holds."""
        place = self._places(kind, name)[0]
        for _ in range(_RACES):
            known = await self._known(kind, name)
            if known.value == value and known.fresh:
                return
            now = self._clock().timestamp()
            sealed = self._keys.seal(f"{now:.0f} {value}".encode(), place.encode())
            if await self._store.commit(Commit(place, known.revision, sealed, (), (), now, KEEP_SECONDS)) is not Outcome.LOST:
                return
