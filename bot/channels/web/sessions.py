"""Who is talking: the visitor's secret in a cookie, and the address that stands for it everywhere else.

Lives here: minting and reading the secret, and the cookie's attributes. Must not live here: what is done in a session. The secret
is 256 random bits; the address is its SHA-256, so no store and no log can be used to enter a conversation. A keyed tag proves that we
minted it: a visitor cannot bring a secret that somebody else chose (ASVS 7.2.3), and no look-up is needed to refuse one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Final, Literal, Protocol, get_args

from bot.conversation import Conversation

Client = Literal["web", "terminal"]
_CLIENTS: Final = get_args(Client)
_PURPOSE: Final = "web session"
_HMAC_BYTES: Final = 32
_TAG_BYTES: Final = 16
COOKIE_SECONDS: Final = 30 * 24 * 3600


class Tags(Protocol):
    """What the sessions need of the keyring."""

    def indexes(self, purpose: str, text: str) -> tuple[bytes, ...]: ...


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Sessions:
    def __init__(self, tags: Tags, *, https: bool) -> None:
        self._tags = tags
        self._https = https
        # __Host-: neither a sub-domain nor plain HTTP can plant the cookie.
        self.cookie: Final = "__Host-akses_chat" if https else "akses_chat"

    def mint(self, client: Client) -> str:
        secret = f"{client}.{secrets.token_urlsafe(32)}"
        return f"{secret}.{self._tagged(secret)[0]}"

    def _tagged(self, secret: str) -> tuple[str, ...]:
        """Its tag under each key, the newest first: a cookie from before a rotation is still ours."""
        return tuple(_base64(tag[-_HMAC_BYTES:][:_TAG_BYTES]) for tag in self._tags.indexes(_PURPOSE, secret))

    def conversation(self, cookies: Mapping[str, str]) -> Conversation | None:
        """Whose cookie this is; None without one, or with one that is not ours."""
        secret, _, tag = cookies.get(self.cookie, "").rpartition(".")
        client = secret.partition(".")[0]
        if client not in _CLIENTS or not any(hmac.compare_digest(tag.encode(), ours.encode()) for ours in self._tagged(secret)):
            return None
        return Conversation(client, _base64(hashlib.sha256(secret.encode()).digest()))

    def set_cookie(self, token: str, *, foreign_frame: bool) -> str:
        """The Set-Cookie header. In a frame on somebody else's page the cookie must be allowed across sites, and is then kept
        apart for each such site (Partitioned); everywhere else it is Strict.
        """
        attributes = [f"{self.cookie}={token}", "Path=/", f"Max-Age={COOKIE_SECONDS}", "HttpOnly"]
        if self._https:
            attributes += ["Secure", "SameSite=None", "Partitioned"] if foreign_frame else ["Secure", "SameSite=Strict"]
        else:
            attributes.append("SameSite=Lax")
        return "; ".join(attributes)
