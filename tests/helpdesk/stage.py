"""The helpdesk under test on a stage of real parts: SQLite or PostgreSQL, real hashing, the console on a port of loopback."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pyotp
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

import backend
from akses.assets import Assets
from akses.compose import DESIGN
from akses.desk import migrate
from akses.keyring import Keyring
from backend.audit import Audit
from backend.database import Database
from backend.hashing import Hasher
from backend.pages.device import device
from backend.passwords import broken_rules
from backend.throttle import Throttle
from backend.vault import Vault
from helpdesk.agents import Agent
from helpdesk.config import DeskConfig, OidcConfig
from helpdesk.console import routes
from helpdesk.roles import parse
from helpdesk.service import Helpdesk, build

PASSWORD = "Kunang-kunang 7 terbang"


class Clock:
    """The time, which a test can move on."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Stage:
    desk: Helpdesk
    audit: Audit
    clock: Clock
    url: str
    secrets: dict[str, str] = field(default_factory=dict)

    def client(self, **headers: str) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.url, trust_env=False, timeout=30, follow_redirects=False, headers=headers)

    async def agent(self, login: str, roles: str = "agent", name: str = "") -> Agent:
        """Somebody with a password (PASSWORD) and an authenticator."""
        agent, token = await self.desk.agents.add(login, name or login.title(), parse(roles))
        invitation = await self.desk.sign_in.invitation(token)
        self.secrets[login] = invitation.secret
        await self.desk.sign_in.accept(token, PASSWORD, PASSWORD, self.code(login), device="Test")
        return agent

    def code(self, login: str) -> str:
        return pyotp.TOTP(self.secrets[login]).at(self.clock())

    def next_code(self, login: str) -> str:
        """One that was not used yet: the clock goes on by a step."""
        self.clock.ahead += timedelta(seconds=30)
        return self.code(login)

    async def signed_in(self, agent: Agent) -> httpx2.AsyncClient:
        """A browser with a session of this agent; its cookies are its own."""
        token = await self.desk.sign_in.follow(await self.desk.agents.sign_in_link(agent.id), device="Test")
        client = self.client()
        client.cookies.set("helpdesk", token)
        return client

    async def actions(self) -> list[str]:
        """What the audit says was done, oldest first."""
        return [line.action for line in reversed(await self.audit.lines(limit=500))]


def form_token(page: httpx2.Response) -> str:
    found = re.search(r'name="form" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


@asynccontextmanager
async def stage_on(database_url: str, keyring: Keyring, *, oidc: OidcConfig | None = None, **more: Any) -> AsyncIterator[Stage]:
    await asyncio.to_thread(backend.migrate, database_url)
    await asyncio.to_thread(migrate, database_url)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    database, clock, throttle = Database(database_url), Clock(), Throttle()
    audit = Audit(database, Vault(keyring))
    desk = build(
        DeskConfig(url, "Panitia Uji", demo=True, oidc=oidc),
        database,
        audit,
        keyring,
        hasher=Hasher(),
        judge=broken_rules,
        throttle=throttle,
        clock=clock,
        **more,
    )
    app = Starlette(routes=[*routes(desk, device=device), Mount("/assets", Assets(DESIGN))])
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", proxy_headers=False))
    served = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield Stage(desk, audit, clock, url)
    finally:
        server.should_exit = True
        await served
        listening.close()
        await throttle.close()
        await database.close()
