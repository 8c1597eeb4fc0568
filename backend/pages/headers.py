"""The headers that every page of ours answers with: nothing from elsewhere, nothing inline, nothing stored or leaked, and nothing framed
but the page that Telegram's own web clients show.

Lives here: one small ASGI middleware around a page's route. Must not live here: cookies (`sessions.py`), the form guard (`guard.py`).
"""

from __future__ import annotations

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_ALWAYS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
# Where Telegram runs in a browser, it shows pages in a frame; everywhere else it opens them in a window of their own.
TELEGRAM_WEB: Final = (
    "https://web.telegram.org",
    "https://weba.telegram.org",
    "https://webk.telegram.org",
    "https://webz.telegram.org",
)
# Such a page is made of pieces that its own script fetches and sends; a form that got past the script would go nowhere.
_IN_TELEGRAM: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    f"form-action 'none'; base-uri 'none'; frame-ancestors {' '.join(TELEGRAM_WEB)}"
}
# Two years, the least that browsers' preload lists take. Only over https: sent over http it means nothing.
_HTTPS: Final = {"Strict-Transport-Security": "max-age=63072000; includeSubDomains"}


class PageHeaders:
    """Wraps one page. `https` says whether the product is reached by https (the public address decides, not the request)."""

    def __init__(self, app: ASGIApp, *, https: bool, in_telegram: bool = False) -> None:
        self._app = app
        self._headers = self.headers(https=https, in_telegram=in_telegram)

    @staticmethod
    def headers(*, https: bool, in_telegram: bool = False) -> dict[str, str]:
        """The headers themselves, for an answer that is made outside a page's route."""
        found = _ALWAYS | (_HTTPS if https else {})
        if in_telegram:
            del found["X-Frame-Options"]  # it cannot name whose frames are welcome
            found |= _IN_TELEGRAM
        return found

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await self._app(scope, receive, send_with_headers)
