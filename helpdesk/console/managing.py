"""Agents and the audit, as pages.

Lives here: forms and lists. Must not live here: what may be done to an agent (`helpdesk/agents.py`), the audit itself.
"""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from helpdesk.agents import AgentRefused, Agents
from helpdesk.config import DeskConfig
from helpdesk.console.door import Door, Form
from helpdesk.console.view import View
from helpdesk.ports import Audit
from helpdesk.roles import ROLES, UnknownRole, parse
from helpdesk.sign_in import Visit

PAGE: Final = "/helpdesk/petugas"
_LINES: Final = 50
_NOTHING: Final = {"name": "", "login": "", "roles": ("agent",)}


class Managing:
    def __init__(self, config: DeskConfig, agents: Agents, audit: Audit, view: View, door: Door) -> None:
        self._config = config
        self._agents = agents
        self._audit = audit
        self._view = view
        self._cookies = door.cookies

    async def list(self, request: Request, visit: Visit) -> Response:
        return await self._page(request, visit)

    async def add(self, request: Request, visit: Visit, form: Form) -> Response:
        given = {"name": form.get("name", ""), "login": form.get("login", ""), "roles": form.get("roles", "").split(",")}
        try:
            agent, token = await self._agents.add(
                form.get("login", ""), form.get("name", ""), parse(form.get("roles", "")), by=visit.agent
            )
        except UnknownRole:
            return await self._page(request, visit, status=422, refused="role", given=given)
        except AgentRefused as refused:
            return await self._page(request, visit, status=422, refused=refused.code, given=given)
        return await self._page(request, visit, link=self._link(token), invited=agent.name)

    async def invite(self, request: Request, visit: Visit, _: Form) -> Response:
        agent = request.path_params["agent"]
        if agent == visit.agent.id:
            return await self._page(request, visit, status=422, refused="oneself")
        try:
            token = await self._agents.invite(agent, by=visit.agent)
        except AgentRefused as refused:
            return await self._page(request, visit, status=422, refused=refused.code)
        found = await self._agents.find(agent)
        return await self._page(request, visit, link=self._link(token), invited=found.name if found else "")

    async def disable(self, request: Request, visit: Visit, _: Form) -> Response:
        try:
            await self._agents.disable(request.path_params["agent"], by=visit.agent)
        except AgentRefused as refused:
            return await self._page(request, visit, status=422, refused=refused.code)
        return RedirectResponse(PAGE, 303)

    async def enable(self, request: Request, visit: Visit, _: Form) -> Response:
        try:
            await self._agents.enable(request.path_params["agent"], by=visit.agent)
        except AgentRefused as refused:
            return await self._page(request, visit, status=422, refused=refused.code)
        return RedirectResponse(PAGE, 303)

    async def roles(self, request: Request, visit: Visit, form: Form) -> Response:
        try:
            roles = parse(form.get("roles", ""))
            await self._agents.change_roles(request.path_params["agent"], roles, by=visit.agent)
        except UnknownRole:
            return await self._page(request, visit, status=422, refused="role")
        except AgentRefused as refused:
            return await self._page(request, visit, status=422, refused=refused.code)
        return RedirectResponse(PAGE, 303)

    def _link(self, token: str) -> str:
        return invitation_link(self._config, token)

    async def _page(
        self, request: Request, visit: Visit, *, status: int = 200, refused: str = "", link: str = "", **facts: Any
    ) -> Response:
        return self._view.page(
            request,
            "agents",
            visit,
            status=status,
            agents=await self._agents.all(),
            roles=ROLES,
            refused=refused,
            link=link,
            form_token=self._cookies.session_form_token(visit.token),
            **{"given": _NOTHING, "invited": "", **facts},
        )

    async def audit(self, request: Request, visit: Visit) -> Response:
        written, action = request.query_params.get("before", "0"), request.query_params.get("action", "")[:60]
        before = int(written) if written.isascii() and written.isdecimal() and len(written) < 16 else 0
        lines = await self._audit.lines(before=before, limit=_LINES, action=action)
        return self._view.page(
            request,
            "audit",
            visit,
            lines=lines,
            action=action,
            older=lines[-1].id if len(lines) == _LINES else 0,
            names={f"agent:{agent.id}": agent.name for agent in await self._agents.all()},
        )


def invitation_link(config: DeskConfig, token: str) -> str:
    return f"{config.public_url}/helpdesk/undangan/{token}"


def sign_in_link(config: DeskConfig, token: str) -> str:
    return f"{config.public_url}/helpdesk/masuk/tautan/{token}"
