"""From a template, a language and facts to a page.

Lives here: the Jinja2 environment and what every template can use. Must not live here: what a page does (its own module) or words
(`backend/texts/`). Icons and styles come from the folder `design/`, served at /assets/ by the composition root.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from backend.pages import language as languages
from backend.texts import CALL_CENTRE, HELPDESK_EMAIL, LANGUAGES, TOLL_FREE, Language, duration, moment, moment_from, text

# The notice of /privasi. A consent records which version was read; change it together with the text (`backend/texts/*/privacy.toml`).
NOTICE_VERSION: Final = "2026-11"

# The word, not the beginning of an address.
_EMAIL: Final = re.compile(r"(?<![\w.-])e-mail(?=nya\b|(?![\w@-]))")
_DESIGN: Final = Path(__file__).resolve().parents[2] / "design"


class Operator(Protocol):
    """What every page says about who runs this (a `BackendConfig` fits)."""

    @property
    def operator_name(self) -> str: ...
    @property
    def demo(self) -> bool: ...
    @property
    def secure_cookies(self) -> bool: ...


class View:
    """Renders the pages of one operator."""

    def __init__(self, operator: Operator) -> None:
        self._secure = operator.secure_cookies
        self._environment = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["phone"] = lambda number: re.sub(r"[^+0-9]", "", number)
        self._environment.filters["address"] = _address
        self._environment.globals |= {
            "operator": operator.operator_name,
            "demo": operator.demo,
            "languages": LANGUAGES,
            "call_centre": CALL_CENTRE,
            "toll_free": TOLL_FREE,
            "helpdesk_email": HELPDESK_EMAIL,
            "notice_version": NOTICE_VERSION,
            "icon": _icon,
            "asset": _asset,
        }

    def page(
        self,
        request: Request,
        template: str,
        language: Language,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **facts: Any,
    ) -> HTMLResponse:
        """The page. A language that the request asks for by ?lang= is remembered."""
        words = {"t": partial(_text, language), "duration": partial(duration, language)}
        words |= {"moment": partial(moment, language), "moment_from": partial(moment_from, language)}
        html = self._environment.get_template(f"{template}.html").render(
            **words, language=language, path=request.url.path, chat=_chat(language), **facts
        )
        response = HTMLResponse(html, status, headers={"Content-Language": language, **(headers or {})})
        if request.query_params.get("lang") == language:
            languages.remember(response, language, secure=self._secure)
        return response


def _text(language: Language, id_: str, /, **facts: str | int) -> str:
    """The text of this id, in which no line ends within "e-mail" (a word joiner stands behind its hyphen)."""
    return _EMAIL.sub("e-\N{WORD JOINER}mail", text(language, id_, **facts))


def _address(email: str) -> Markup:
    """An address that is broken before its @ where it must be."""
    return Markup("<wbr>@").join(email.split("@"))


def _chat(language: Language) -> str:
    # The chat opens in Indonesian unless told otherwise.
    return "/chat" if language == "id" else f"/chat?lang={language}"


@cache
def _icon(name: str) -> Markup:
    # Our own files, read from disk by names that stand in our own templates.
    return Markup((_DESIGN / "icons" / f"{name}.svg").read_text(encoding="utf-8").strip())  # noqa: S704


@cache
def _asset(name: str) -> str:
    """The address of a file of the design system; it changes with the content, so that no browser mixes two releases."""
    return f"/assets/{name}?v={hashlib.sha256((_DESIGN / name).read_bytes()).hexdigest()[:12]}"
