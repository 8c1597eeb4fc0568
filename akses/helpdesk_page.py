"""/helpdesk until the agents' console is here: says so, and how to reach a human now.

Lives here: one page in both languages. It goes when the console comes.
"""

from __future__ import annotations

from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

_BRAND: Final = Path(__file__).resolve().parents[1] / "design" / "icons" / "brand.svg"
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def routes(operator: str, *, demo: bool) -> list[BaseRoute]:
    page = (files(__package__) / "helpdesk.html").read_text(encoding="utf-8")
    banner = (
        '<p class="demo">Demonstrasi: semua data tetap di komputer ini. / Demonstration: all data stays on this machine.</p>'
        if demo
        else ""
    )
    brand = _BRAND.read_text(encoding="utf-8").strip()
    html = page.replace("{{ operator }}", escape(operator)).replace("{{ demo }}", banner).replace("{{ brand }}", brand)

    async def show(_: Request) -> Response:
        return HTMLResponse(html, headers=HEADERS)

    return [Route("/helpdesk", show, methods=["GET"])]
