"""Chatwoot as the far end of the contract: the strict fake, the product's webhook route before it, and what people do on its pages."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette

from helpdesk.bridges.chatwoot.bridge import VERSION, ChatwootBridge
from helpdesk.bridges.chatwoot.client import Chatwoot
from helpdesk.bridges.chatwoot.config import ChatwootConfig
from helpdesk.bridges.chatwoot.inbound import Inbound
from helpdesk.bridges.chatwoot.people import People
from helpdesk.bridges.chatwoot.webhook import routes
from helpdesk.bridges.chatwoot.words import Words
from helpdesk.bridges.deeds import Deeds
from tests.backend.stage import until
from tests.fakes.chatwoot import BOT, FakeChatwoot, Line, Talk, User
from tests.helpdesk.bridges.far import Press

FOREVER = 1_000_000


def config_of(fake: FakeChatwoot, *, signed: bool) -> ChatwootConfig:
    secrets = (fake.secret,) if signed else ()
    return ChatwootConfig(fake.url, fake.account, fake.inbox, fake.token, fake.api_token, secrets)


@dataclass
class ChatwootFar:
    fake: FakeChatwoot
    client: Chatwoot
    people: People
    bridge: ChatwootBridge
    config: ChatwootConfig
    words: Words = field(default_factory=lambda: Words("id"))
    sweeping: bool = False
    inbound: Inbound | None = None
    looking: asyncio.Task[None] | None = None
    _users: dict[int, User] = field(default_factory=dict)

    def user(self, number: int) -> User:
        if number not in self._users:
            self._users[number] = self.fake.user(f"Orang {number}", f"orang{number}@contoh.id")
        return self._users[number]

    def talk(self, place: str) -> Talk:
        return self.fake.talks[int(place)]

    def ring(self, conversation: int, message: int = 0) -> None:
        if self.inbound is not None:
            self.inbound.ring(conversation, message)

    async def settled(self) -> None:
        """Whatever has happened in Chatwoot has been rung, looked at, and come to what it comes to."""

        async def quiet() -> bool | None:
            await self.fake.quiet()
            return (self.inbound is None or self.inbound.idle) or None

        await until(quiet)

    # --- the contract's

    def account(self, number: int) -> str:
        return f"chatwoot:{self.user(number).id}"

    def connect(self, deeds: Deeds) -> None:
        self.inbound = Inbound(
            self.client,
            self.bridge,
            self.people,
            deeds,
            deeds._book,
            deeds._agents,
            deeds._accounts,
            self.words,
            sweeps=lambda: self.sweeping,
        )
        self.looking = asyncio.create_task(self.inbound.run())

    def break_down(self) -> None:
        self.fake.fails(503, FOREVER)

    def come_back(self) -> None:
        self.fake.mends()

    def vanish(self, place: str) -> None:
        self.fake.delete(self.talk(place))

    def places(self) -> list[str]:
        return [str(number) for number in self.fake.talks]

    def reads(self, place: str) -> str:
        return "\n".join(line.content or "" for line in self.talk(place).lines if line.message_type != "activity")

    def answered(self, place: str, text: str) -> str:
        lines = {line.id: line for line in self.talk(place).lines}
        (line,) = [line for line in lines.values() if text in (line.content or "")]
        answers = line.attributes.get("in_reply_to")
        return lines[answers].content or "" if answers else ""

    def received(self) -> str:
        return "\n".join(f"{each.method} {each.path}?{each.query} {each.body.decode()}" for each in self.fake.heard)

    async def writes(self, number: int, place: str, text: str) -> None:
        talk = await self._shown(place)
        if text.startswith("//"):
            self.user(number).notes(talk, text.removeprefix("//").strip())
        else:
            self.user(number).replies(talk, text)
        await self.settled()

    async def presses(self, number: int, place: str, what: Press) -> None:
        talk, user = await self._shown(place), self.user(number)
        match what:
            case "take":
                user.takes(talk)
            case "return":
                user.sets(talk, "pending")
            case "close":
                user.labels(talk, "resolved")
                user.sets(talk, "resolved")
        await self.settled()

    async def _shown(self, place: str) -> Talk:
        """Nobody works in a conversation before it was opened to them."""
        talk = self.talk(place)
        await until(lambda: talk.custom_attributes.get(VERSION, -1) >= 0)
        return talk

    def told(self, number: int) -> str:
        user = self.user(number)
        return "\n".join(told for talk in self.fake.talks.values() for line in talk.lines if (told := _told(line, user)))


def _told(line: Line, user: User) -> str:
    if line.sender == ("user", user.id):
        return line.external_error
    return line.content or "" if line.private and line.sender == ("agent_bot", BOT) else ""


@asynccontextmanager
async def chatwoot_far(*, signed: bool = True) -> AsyncIterator[ChatwootFar]:
    """Not `signed`: the inbox's secret is not known to the product."""
    async with FakeChatwoot() as fake:
        config = config_of(fake, signed=signed)
        client, words = Chatwoot(config), Words("id")
        people = People(client)

        def aligned(conversation: int) -> None:
            far.ring(conversation)

        far = ChatwootFar(fake, client, people, ChatwootBridge(client, people, words, aligned), config)
        listening = socket.create_server(("127.0.0.1", 0))
        fake.webhook_url = f"http://127.0.0.1:{listening.getsockname()[1]}/helpdesk/chatwoot"
        app = Starlette(routes=list(routes(config, far.ring)))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
        served = asyncio.create_task(server.serve([listening]))
        try:
            yield far
        finally:
            if far.inbound is not None and far.looking is not None:
                far.inbound.stop()
                await far.looking
            server.should_exit = True
            await served
            await client.close()
