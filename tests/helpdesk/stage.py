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
from backend_client.fake import FakeBackend
from bot.channels.port import Capabilities, Delivery, Sent
from bot.conversation import Conversation
from bot.delivery import OutboxDelivery
from bot.desk import Agents as Dialog
from bot.moves import Links, Moves, Places
from bot.requests import BackendRequests
from bot.sessions import Sessions
from bot.stores.memory import MemoryStore
from bot.turns import TurnRunner
from dialogs.effects import Message, Say, Show
from dialogs.events import Event, TextSent
from dialogs.profile import Profile
from helpdesk.agents import Agent
from helpdesk.config import DeskConfig, OidcConfig
from helpdesk.console import console
from helpdesk.roles import parse
from helpdesk.service import Helpdesk, People, build, people, records

PASSWORD = "Kunang-kunang 7 terbang"


class Clock:
    """The time, which a test can move on."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Chat:
    """A channel whose chats are lists; `answers` are given to the next messages instead of taking them."""

    capabilities = Capabilities(buttons=20)
    name = "web"

    def __init__(self) -> None:
        self.said: dict[str, list[Say | Show]] = {}
        self.messages: dict[tuple[str, str], str] = {}  # the id of what was said in a chat, by its text
        self.keys: set[str] = set()
        self.answers: list[Delivery] = []

    async def deliver(self, address: str, message: Message, key: str) -> Delivery:
        if isinstance(message, Say | Show):
            if self.answers:
                return self.answers.pop(0)
            if key not in self.keys:
                self.keys.add(key)
                self.said.setdefault(address, []).append(message)
                self.messages[address, self.texts(address)[-1]] = key
        return Sent(key)

    def texts(self, address: str) -> list[str]:
        return [one.text if isinstance(one, Say) else one.screen.body for one in self.said.get(address, [])]


@dataclass
class Stage:
    people: People
    desk: Helpdesk
    audit: Audit
    clock: Clock
    url: str
    runner: TurnRunner
    delivery: OutboxDelivery
    chat: Chat
    backend: FakeBackend
    secrets: dict[str, str] = field(default_factory=dict)

    def client(self, **headers: str) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.url, trust_env=False, timeout=30, follow_redirects=False, headers=headers)

    async def agent(self, login: str, roles: str = "agent", name: str = "") -> Agent:
        """Somebody with a password (PASSWORD) and an authenticator."""
        agent, token = await self.people.agents.add(login, name or login.title(), parse(roles))
        invitation = await self.people.sign_in.invitation(token)
        self.secrets[login] = invitation.secret
        await self.people.sign_in.accept(token, PASSWORD, PASSWORD, self.code(login), device="Test")
        return agent

    def code(self, login: str) -> str:
        return pyotp.TOTP(self.secrets[login]).at(self.clock())

    def next_code(self, login: str) -> str:
        """One that was not used yet: the clock goes on by a step."""
        self.clock.ahead += timedelta(seconds=30)
        return self.code(login)

    async def signed_in(self, agent: Agent) -> httpx2.AsyncClient:
        """A browser with a session of this agent; its cookies are its own."""
        token = await self.people.sign_in.follow(await self.people.agents.sign_in_link(agent.id), device="Test")
        client = self.client()
        client.cookies.set("helpdesk", token)
        return client

    async def send(self, address: str, event: Event | str, event_id: str) -> None:
        """What an investor does in a chat."""
        conversation = Conversation("web", address)
        if isinstance(event, str):
            event = TextSent(event, event_id)
        taken = await self.runner.take(conversation, event, event_id)
        if taken.left:
            await self.runner.deliver(conversation)

    async def actions(self) -> list[str]:
        """What the audit says was done, oldest first."""
        return [line.action for line in reversed(await self.audit.lines(limit=500))]


def form_token(page: httpx2.Response) -> str:
    found = re.search(r'name="form" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


@asynccontextmanager
async def stage_on(
    database_url: str, keyring: Keyring, *, oidc: OidcConfig | None = None, https: bool = False, **more: Any
) -> AsyncIterator[Stage]:
    """`https`: as it is behind a proxy that speaks https to the browsers."""
    await asyncio.to_thread(backend.migrate, database_url)
    await asyncio.to_thread(migrate, database_url)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    database, clock, throttle = Database(database_url), Clock(), Throttle()
    audit = Audit(database, Vault(keyring))
    staff = people(
        DeskConfig(url.replace("http:", "https:") if https else url, "Panitia Uji", demo=True, oidc=oidc),
        database,
        audit,
        keyring,
        hasher=Hasher(),
        judge=broken_rules,
        throttle=throttle,
        clock=clock,
    )
    store, sessions, chat, fake = MemoryStore(), Sessions(keyring), Chat(), FakeBackend(clock=clock)
    profile = Profile(operator="Panitia Uji", home_url=f"{url}/", privacy_url=f"{url}/privasi", demo=True, **more)
    runner = TurnRunner(store, sessions, profile, clock=clock)
    kept = records(staff, keyring, runner.session)
    delivery = OutboxDelivery(store, sessions, {"web": chat}, clock=clock, desk=kept[0])
    runner.deliver_through(delivery)
    places: Places = {
        "telegram": lambda token: f"https://t.me/contoh_bot?start={token}",
        "web": lambda token: f"{url}/chat#{token}",
    }
    moves = Moves(Links(store, keyring, clock), runner, runner, places, clock)
    delivery.connect(runner, BackendRequests(fake, runner), moves)
    dialog = Dialog(runner, runner)
    desk = build(staff, keyring, kept, dialog, runner.session, fake, moves, fake)
    made = console(desk, device=device)
    beside = [asyncio.create_task(work) for work in (delivery.run(), desk.feed.run())]
    app = Starlette(routes=[*made.routes, Mount("/assets", Assets(DESIGN))])
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", proxy_headers=False))
    served = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield Stage(staff, desk, audit, clock, url, runner, delivery, chat, fake)
    finally:
        made.close()
        server.should_exit = True
        await served
        await dialog.close()
        delivery.stop()
        desk.feed.stop()
        await asyncio.gather(*beside)
        listening.close()
        await throttle.close()
        await database.close()
