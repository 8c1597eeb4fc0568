"""/lanjut/{token}: where a form can go on, as links and as codes for the camera of a phone. Looking at it opens nothing.

Lives here: the page and its headers. Must not live here: tokens and addresses (`bot/moves.py`), the words (`dialogs/texts/*/move.toml`).
"""

from __future__ import annotations

import io
from typing import Final

import segno
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from bot.moves import Moves
from dialogs.texts import LANGUAGES, Language, text

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}


def qr(address: str) -> str:
    """The address as a code, an SVG element: black on white, whatever the page's colours, for a camera needs the contrast."""
    drawn = io.BytesIO()
    segno.make(address, error="m").save(
        drawn, kind="svg", xmldecl=False, svgns=False, dark="#000", light="#fff", border=3, omitsize=True
    )
    return drawn.getvalue().decode()


def place(language: Language, name: str) -> str:
    """The name of a place in the words of this language."""
    return text(language, f"move.place.{name}")


def routes(moves: Moves, *, operator: str, demo: bool, https: bool) -> list[BaseRoute]:
    """`https` where browsers reach us by it."""
    template = Environment(
        loader=PackageLoader("bot", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("move.html")
    headers = _HEADERS | ({"Strict-Transport-Security": "max-age=63072000; includeSubDomains"} if https else {})

    async def page(request: Request) -> Response:
        wanted = request.query_params.get("lang")
        language: Language = next((each for each in LANGUAGES if each == wanted), "id")
        token = request.path_params["token"]
        there = await moves.links.whose(token) is not None
        addresses = [each for each in moves.addresses(token) if each[0] != "qr"] if there else []
        html = template.render(
            t=lambda id_, **facts: text(language, f"move.{id_}", **facts),
            place=lambda name: place(language, name),
            qr=qr,
            language=language,
            other=next(each for each in LANGUAGES if each != language),
            addresses=addresses,
            register=text(language, "button.register"),
            operator=operator,
            demo=demo,
        )
        return HTMLResponse(html, 200 if there else 404, headers)

    return [Route("/lanjut/{token}", page, methods=["GET"])]
