"""All routes of the web chat, for the composition root."""

from __future__ import annotations

from starlette.routing import BaseRoute

from bot.channels.web.api import WebApi
from bot.channels.web.config import WebConfig
from bot.channels.web.pages import page_routes


def routes(api: WebApi, config: WebConfig) -> list[BaseRoute]:
    """/chat, /chat/static/..., /chat/embed.js, /chat/api/...; the page also links /assets/tokens.css and /assets/base.css."""
    return [*page_routes(config), *api.routes()]
