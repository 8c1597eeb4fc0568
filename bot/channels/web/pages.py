"""The chat page, its files, and the script that puts it on somebody else's page.

Lives here: serving them with the headers that keep them safe. Must not live here: the API (`api.py`), the words (`words/`), the looks
(`static/chat.css`, on top of the design system at /assets). No script or style stands in the page, so the policy allows none.
"""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bot.channels.web.config import WebConfig
from bot.channels.web.words import WORDS, language_of
from dialogs.texts import LANGUAGES

_FOLDER: Final = files(__package__) / "static"
_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_YEAR: Final = "public, max-age=31536000, immutable"
# As on the backend's pages: two years, and only where it means something.
_HTTPS: Final = {"Strict-Transport-Security": "max-age=63072000; includeSubDomains"}
_ALWAYS: Final = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


def _page_headers(config: WebConfig) -> dict[str, str]:
    ancestors = " ".join(("'self'", *config.frame_ancestors))
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
        f"base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
    )
    return {
        **_ALWAYS,
        **(_HTTPS if config.https else {}),
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Vary": "Cookie",
    }


def page_routes(config: WebConfig) -> list[BaseRoute]:
    static = {file.name: file.read_bytes() for file in _FOLDER.iterdir() if file.name.rpartition(".")[2] in _TYPES}
    version = hashlib.sha256(b"".join(static[name] for name in sorted(static))).hexdigest()[:12]
    template = Environment(
        loader=PackageLoader(__package__, "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("chat.html")
    pages = {
        (language, framed): template.render(
            language=language,
            other=next(each for each in LANGUAGES if each != language),
            words=WORDS[language],
            operator=WORDS[language]["operator"].format(operator=config.operator_name),
            demo=config.demo,
            framed=framed,
            version=version,
        )
        for language in LANGUAGES
        for framed in (False, True)
    }
    headers = _page_headers(config)
    launcher = {language: WORDS[language]["embed"] for language in LANGUAGES}
    embed = static.pop("embed.js").replace(b'"@WORDS@"', json.dumps(launcher).encode())

    async def page(request: Request) -> Response:
        query = request.query_params
        return Response(pages[language_of(query.get("lang")), query.get("embed") == "1"], 200, headers, "text/html")

    async def embed_script(_: Request) -> Response:
        # Fetched by pages of other sites, and by a name that never changes: short-lived, and open to them.
        caching = {"Cache-Control": "public, max-age=300", "Cross-Origin-Resource-Policy": "cross-origin"}
        return Response(embed, 200, {**_ALWAYS, **caching}, "text/javascript")

    async def static_file(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in static:
            return Response("", 404, _ALWAYS)
        caching = _YEAR if request.query_params.get("v") == version else "no-cache"
        return Response(static[name], 200, {**_ALWAYS, "Cache-Control": caching}, _TYPES[name.rpartition(".")[2]])

    return [
        Route("/chat", page, methods=["GET"]),
        Route("/chat/embed.js", embed_script, methods=["GET"]),
        Route("/chat/static/{name}", static_file, methods=["GET"]),
    ]
