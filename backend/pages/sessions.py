"""The cookies of a log-in: the session's, the one that ties the log-in form to the browser that asked for it, and that of a phone's code.

Lives here: names, attributes, the forms' tokens. Must not live here: what a session is (`backend/accounts.py`).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

_SESSION: Final = "akses"
_FORM: Final = "akses-masuk"
_CHECK: Final = "akses-kode"


class Cookies:
    """With https the names carry the __Host- prefix, which browsers hold to Secure, our host and path /; plain http cannot have it."""

    def __init__(self, *, secure: bool) -> None:
        self._secure = secure
        self._prefix = "__Host-" if secure else ""

    def session(self, request: Request) -> str | None:
        """The session token that the browser shows, unchecked."""
        return request.cookies.get(self._prefix + _SESSION)

    def open(self, response: Response, token: str) -> None:
        self._set(response, _SESSION, token)
        self._delete(response, _FORM)
        self._delete(response, _CHECK)

    def close(self, response: Response) -> None:
        self._delete(response, _SESSION)

    def check(self, request: Request) -> str | None:
        """The token of a check of the phone, unchecked."""
        return request.cookies.get(self._prefix + _CHECK)

    def keep_check(self, response: Response, token: str) -> None:
        self._set(response, _CHECK, token)

    def drop_check(self, response: Response) -> None:
        self._delete(response, _CHECK)

    def form_token(self, request: Request) -> str:
        """The log-in form's secret: the one that the browser already holds, or a new one."""
        return request.cookies.get(self._prefix + _FORM) or secrets.token_urlsafe(32)

    def keep_form_token(self, response: Response, token: str) -> None:
        self._set(response, _FORM, token)

    def form_token_matches(self, request: Request, given: str) -> bool:
        kept = request.cookies.get(self._prefix + _FORM, "")
        return bool(kept) and hmac.compare_digest(kept.encode(), given.encode())

    @staticmethod
    def session_form_token(session: str) -> str:
        """The secret of a form inside a session: whoever does not hold the session cannot work it out, and it reveals nothing of it."""
        return hashlib.sha256(f"form\0{session}".encode()).hexdigest()

    def session_form_token_matches(self, session: str, given: str) -> bool:
        return hmac.compare_digest(self.session_form_token(session).encode(), given.encode())

    def _set(self, response: Response, name: str, value: str) -> None:
        response.set_cookie(self._prefix + name, value, path="/", secure=self._secure, httponly=True, samesite="lax")

    def _delete(self, response: Response, name: str) -> None:
        response.delete_cookie(self._prefix + name, path="/", secure=self._secure, httponly=True, samesite="lax")
