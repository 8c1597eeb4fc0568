"""What needs nobody's data: the front page and the privacy notice."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from backend.pages.language import chosen
from backend.pages.view import View


class HomePages:
    def __init__(self, view: View) -> None:
        self._view = view

    async def home(self, request: Request) -> Response:
        return self._view.page(request, "home", chosen(request))

    async def privacy(self, request: Request) -> Response:
        return self._view.page(request, "privacy", chosen(request))
