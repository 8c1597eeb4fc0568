"""Which language a page speaks: the switch, else what was chosen before, else the registration's, else the browser's, else Indonesian."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from backend.texts import LANGUAGES, Language

COOKIE: Final = "bahasa"
_YEAR: Final = 365 * 24 * 3600


def chosen(request: Request, of_registration: Language | None = None) -> Language:
    """The language for the answer to this request."""
    wanted = (request.query_params.get("lang"), request.cookies.get(COOKIE), of_registration, _of_browser(request))
    return next((language for want in wanted for language in LANGUAGES if language == want), "id")


def remember(response: Response, language: Language, *, secure: bool) -> None:
    """Keep the choice for the next page."""
    response.set_cookie(COOKIE, language, max_age=_YEAR, path="/", secure=secure, httponly=True, samesite="lax")


def _of_browser(request: Request) -> str | None:
    """The best of Accept-Language that we speak; ties go to the one named first."""
    ranked: list[tuple[float, int, str]] = []
    for position, part in enumerate(request.headers.get("accept-language", "").split(",")[:20]):
        tag, _, parameters = part.partition(";")
        try:
            quality = float(parameters.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        name = tag.strip().lower().partition("-")[0]
        if name in LANGUAGES and quality > 0:
            ranked.append((-quality, position, name))
    return min(ranked)[2] if ranked else None
