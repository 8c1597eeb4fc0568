"""The keys that protect personal data at rest: sealing under the newest key, opening under any, and a keyed index for look-ups.

Lives here: AES-256-GCM with key ids, HMAC-SHA-256. Must not live here: what is protected (`bot/stores/`, `backend/`) or where keys
come from (`akses/settings.py`). Written form: ENCRYPTION_KEYS = "newest:BASE64,older:BASE64,index2:BASE64,index:BASE64". Keys whose names
begin with `index` key the look-ups: the first of them makes new ones, all find. Of the others the first seals, all open. Each is 32 bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

INDEX: Final = "index"
KEY_BYTES: Final = 32
_ID_BYTES: Final = 4
_NONCE_BYTES: Final = 12


class KeyringInvalid(ValueError):
    """ENCRYPTION_KEYS is not "id:BASE64,...,index:BASE64" with 32-byte keys; the text says which part, never a key."""


class SealBroken(Exception):
    """The sealed value was altered, belongs to another place, or was sealed under a key that is gone."""


def _tag(key_id: str) -> bytes:
    return hashlib.sha256(key_id.encode()).digest()[:_ID_BYTES]


def _mark(key_id: str) -> bytes:
    """How look-ups under this key begin. Those under the first key that anybody has, `index` itself, begin with nothing."""
    return b"" if key_id == INDEX else _tag(key_id)


class Keyring:
    """Seals and opens. Safe to share between threads; holds nothing but keys."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        sealing = [key_id for key_id in keys if not key_id.startswith(INDEX)]
        indexing = [key_id for key_id in keys if key_id.startswith(INDEX)]
        if not sealing or not indexing:
            raise KeyringInvalid(f"at least one sealing key and one named '{INDEX}' are needed")
        for key_id, key in keys.items():
            if len(key) != KEY_BYTES:
                raise KeyringInvalid(f"key '{key_id}' has {len(key)} bytes instead of {KEY_BYTES}")
        self._ciphers = {_tag(key_id): AESGCM(keys[key_id]) for key_id in sealing}
        self._newest = _tag(sealing[0])
        self._indexing = tuple((_mark(key_id), keys[key_id]) for key_id in indexing)

    @classmethod
    def parse(cls, written: str) -> Keyring:
        """Read ENCRYPTION_KEYS. Raises KeyringInvalid."""
        keys: dict[str, bytes] = {}
        for position, part in enumerate(filter(None, (part.strip() for part in written.split(","))), start=1):
            key_id, colon, encoded = part.partition(":")
            if not colon or not key_id or key_id in keys:
                raise KeyringInvalid(f"part {position} is not a new 'id:BASE64'")
            try:
                keys[key_id] = base64.b64decode(encoded, validate=True)
            except binascii.Error:
                raise KeyringInvalid(f"key '{key_id}' is not base64") from None
        return cls(keys)

    @staticmethod
    def generate() -> str:
        """A new written keyring with one sealing key and the index key."""
        return ",".join(f"{name}:{base64.b64encode(os.urandom(KEY_BYTES)).decode()}" for name in ("k1", INDEX))

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """Encrypt; `context` (what and whose this is) must be given again to open. Adds 32 bytes."""
        nonce = os.urandom(_NONCE_BYTES)
        return self._newest + nonce + self._ciphers[self._newest].encrypt(nonce, plaintext, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Decrypt. Raises SealBroken."""
        cipher = self._ciphers.get(sealed[:_ID_BYTES])
        nonce, body = sealed[_ID_BYTES : _ID_BYTES + _NONCE_BYTES], sealed[_ID_BYTES + _NONCE_BYTES :]
        if cipher is None or len(nonce) != _NONCE_BYTES:
            raise SealBroken
        try:
            return cipher.decrypt(nonce, body, context)
        except InvalidTag:
            raise SealBroken from None

    @property
    def newest(self) -> bytes:
        """How every value begins that the newest key sealed: what begins so needs no sealing anew after a rotation."""
        return self._newest

    @property
    def index_mark(self) -> bytes:
        """How every look-up begins that the newest index key made; the HMAC's 32 bytes follow."""
        return self._indexing[0][0]

    def index(self, purpose: str, text: str) -> bytes:
        """Bytes that are equal for equal texts of one purpose, and tell nothing without the key (HMAC-SHA-256, the newest key)."""
        return self.indexes(purpose, text)[0]

    def indexes(self, purpose: str, text: str) -> tuple[bytes, ...]:
        """The same under every index key, the newest first: what was written before a rotation is found by one of them."""
        said = f"{purpose}\0{text}".encode()
        return tuple(mark + hmac.digest(key, said, "sha256") for mark, key in self._indexing)
