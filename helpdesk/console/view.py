"""From a template, a language and facts to a page or a part of one.

Lives here: the Jinja2 environment and what every template can use. Must not live here: what a page does (its own module) or words
(`helpdesk/texts/`). Icons, styles and the script come from the folder `design/`, served at /assets/ by the composition root.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from dialogs.clock import waiting
from dialogs.texts import LANGUAGES, Language
from helpdesk.config import DeskConfig
from helpdesk.ports import Clock
from helpdesk.sign_in import Visit
from helpdesk.texts import ago, happened, moment, named, text

_DESIGN: Final = Path(__file__).resolve().parents[2] / "design"
_LANGUAGE: Final = "bahasa"
_YEAR: Final = 365 * 24 * 3600


class View:
    def __init__(self, config: DeskConfig, clock: Clock) -> None:
        self._https = config.https
        self._now = clock
        self._environment = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals |= {
            "operator": config.operator_name,
            "demo": config.demo,
            "languages": LANGUAGES,
            "icon": _icon,
            "asset": _asset,
        }

    @staticmethod
    def language(request: Request, visit: Visit | None) -> Language:
        """The switch, else what was chosen before, else the agent's own, else Indonesian."""
        wanted = (request.query_params.get("lang"), request.cookies.get(_LANGUAGE), visit.agent.language if visit else None)
        return next((language for want in wanted for language in LANGUAGES if language == want), "id")

    def render(self, request: Request, template: str, visit: Visit | None, **facts: Any) -> str:
        language, now = self.language(request, visit), self._now()
        return self._environment.get_template(f"{template}.html").render(
            t=partial(text, language),
            named=partial(named, language),
            happened=partial(happened, language),
            waiting=lambda seconds: waiting(language, timedelta(seconds=seconds)),
            moment=lambda at: moment(language, at, now),
            ago=lambda at: ago(language, (now - at).total_seconds()),
            iso=lambda at: at.isoformat(timespec="seconds"),
            language=language,
            path=request.url.path,
            switched=lambda other: f"?{request.url.include_query_params(lang=other).query}",
            visit=visit,
            may=lambda right: visit is not None and visit.agent.may(right),
            **facts,
        )

    def page(
        self,
        request: Request,
        template: str,
        visit: Visit | None = None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **facts: Any,
    ) -> Response:
        """The page. A language that the request asks for by ?lang= is remembered."""
        language = self.language(request, visit)
        html = self.render(request, template, visit, **facts)
        response = HTMLResponse(html, status, headers={"Content-Language": language, **(headers or {})})
        if request.query_params.get("lang") == language:
            response.set_cookie(_LANGUAGE, language, max_age=_YEAR, path="/", secure=self._https, httponly=True, samesite="lax")
        return response


@cache
def _icon(name: str) -> Markup:
    # Our own files, read from disk by names that stand in our own templates.
    return Markup((_DESIGN / "icons" / f"{name}.svg").read_text(encoding="utf-8").strip())  # noqa: S704


@cache
def _asset(name: str) -> str:
    """The address of a file of the design system; it changes with the content, so that no browser mixes two releases."""
    return f"/assets/{name}?v={hashlib.sha256((_DESIGN / name).read_bytes()).hexdigest()[:12]}"
