"""The cookies of the console: the session's, and those that tie a form or an identity provider's answer to the browser that asked.

Lives here: names, attributes, the forms' tokens. Must not live here: what a session is (`helpdesk/sign_in.py`).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final, Literal

from starlette.requests import Request
from starlette.responses import Response

_SESSION: Final = "helpdesk"
_FORM: Final = "helpdesk-masuk"
_PROVIDER: Final = "helpdesk-oidc"


class Cookies:
    """With https the names carry the __Host- prefix, which browsers hold to Secure, our host and path /; plain http cannot have it.

    The session's is Strict: no other site's link opens a page with it. Only what waits for the identity provider's answer must be Lax.
    """

    def __init__(self, *, https: bool) -> None:
        self._https = https
        self._prefix = "__Host-" if https else ""

    def session(self, request: Request) -> str:
        """The session token that the browser shows, unchecked; "" for none."""
        return request.cookies.get(self._prefix + _SESSION, "")

    def open(self, response: Response, token: str) -> None:
        self._set(response, _SESSION, token)
        self._delete(response, _FORM)
        self._delete(response, _PROVIDER)

    def close(self, response: Response) -> None:
        self._delete(response, _SESSION)

    def asked(self, request: Request) -> str:
        """What the identity provider was asked by this browser; "" for nothing."""
        return request.cookies.get(self._prefix + _PROVIDER, "")

    def keep_asked(self, response: Response, written: str) -> None:
        self._set(response, _PROVIDER, written, samesite="lax")

    def form_token(self, request: Request) -> str:
        """The secret of a form outside a session: the one that the browser already holds, or a new one."""
        return request.cookies.get(self._prefix + _FORM) or secrets.token_urlsafe(32)

    def keep_form_token(self, response: Response, token: str) -> None:
        self._set(response, _FORM, token)

    def form_token_matches(self, request: Request, given: str) -> bool:
        kept = request.cookies.get(self._prefix + _FORM, "")
        return bool(kept) and hmac.compare_digest(kept.encode(), given.encode())

    @staticmethod
    def session_form_token(session: str) -> str:
        """The secret of a form inside a session: who does not hold the session cannot work it out, and it reveals nothing of it."""
        return hashlib.sha256(f"form\0{session}".encode()).hexdigest()

    def session_form_token_matches(self, session: str, given: str) -> bool:
        return hmac.compare_digest(self.session_form_token(session).encode(), given.encode())

    def _set(self, response: Response, name: str, value: str, *, samesite: Literal["lax", "strict"] = "strict") -> None:
        response.set_cookie(self._prefix + name, value, path="/", secure=self._https, httponly=True, samesite=samesite)

    def _delete(self, response: Response, name: str) -> None:
        response.delete_cookie(self._prefix + name, path="/", secure=self._https, httponly=True, samesite="strict")
