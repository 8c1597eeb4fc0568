"""A real web chat over HTTP on a free port, in front of a small scripted dialog that behaves as the runner promises to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from akses.keyring import Keyring
from bot.channels.web.api import WebApi
from bot.channels.web.channel import WebChannel
from bot.channels.web.config import WebConfig
from bot.channels.web.routes import routes
from bot.channels.web.transcript import MemoryTranscript, Transcript
from bot.conversation import Conversation
from bot.turns import Answerable, StoreUnavailable, Taken
from dialogs.effects import DeleteUserMessages, Message, Say, Show
from dialogs.events import ButtonPressed, CommandSent, Event, TextSent
from dialogs.screens import Action, Screen
from dialogs.texts import Language

ASSETS = Path(__file__).resolve().parents[3] / "design"
NIK = "3171234501900001"


@dataclass
class Place:
    step: str = "consent"
    serial: int = 0
    kept: dict[str, str] = field(default_factory=dict)  # step -> id of the message that answered it


class ScriptedTurns:
    """Fake of `Turns`: consent, name, NIK, phone, e-mail, done. An event id is carried out once; what it said stays until delivered."""

    def __init__(self) -> None:
        self.channels: dict[str, WebChannel] = {}
        self.down = False
        self.open = asyncio.Event()  # while it is clear, no answer comes
        self.open.set()
        self.taken: list[tuple[Conversation, Event, str]] = []
        self.languages: list[Language | None] = []
        self._seen: set[tuple[Conversation, str]] = set()
        self._places: dict[Conversation, Place] = {}
        self._outbox: dict[Conversation, list[tuple[str, Message]]] = {}
        self._number = 0

    async def take(
        self,
        conversation: Conversation,
        event: Event,
        event_id: str,
        *,
        language: Language | None = None,
        answerable: Answerable | None = None,
    ) -> Taken:
        await asyncio.sleep(0)
        await self.open.wait()
        if self.down:
            raise StoreUnavailable
        if (conversation, event_id) in self._seen:
            return Taken()
        self._seen.add((conversation, event_id))
        self.taken.append((conversation, event, event_id))
        self.languages.append(language)
        self.say(conversation, *self._answers(self._places.setdefault(conversation, Place()), event))
        return Taken(left=True)

    def say(self, conversation: Conversation, *messages: Message) -> None:
        for message in messages:
            self._number += 1
            self._outbox.setdefault(conversation, []).append((f"out-{self._number}", message))

    async def deliver(self, conversation: Conversation) -> None:
        while outbox := self._outbox.get(conversation):
            key, message = outbox.pop(0)
            await self.channels[conversation.channel].deliver(conversation.address, message, key)

    def _answers(self, place: Place, event: Event) -> list[Message]:
        notice = ""
        match event:
            case ButtonPressed(token, _) if token != f"t{place.serial}":
                notice = "Tombol itu dari pesan sebelumnya."
            case ButtonPressed(_, "agree"):
                place.step = "name"
            case CommandSent("help"):
                notice = "Jawab satu per satu."
            case TextSent() if place.step == "consent":
                notice = "Silakan pilih salah satu tombol."
            case TextSent(text, message) if place.step in ("name", "nik", "phone", "email"):
                if place.step == "nik" and len(text.strip()) != 16:
                    notice = "NIK terdiri dari 16 digit; yang Anda tulis belum. Contoh: 3171234501900001."
                else:
                    place.kept[place.step] = message
                    notice = "Tersimpan."
                    place.step = {"name": "nik", "nik": "phone", "phone": "email", "email": "done"}[place.step]
        messages: list[Message] = [self._screen(place, notice)]
        if place.step == "done" and place.kept:
            messages.append(DeleteUserMessages(tuple(place.kept.values())))
            place.kept = {}
        return messages

    @staticmethod
    def _screen(place: Place, notice: str) -> Show:
        place.serial += 1
        token = f"t{place.serial}"
        back = (Action("back", "Kembali"), Action("cancel", "Batal", "danger"))
        match place.step:
            case "consent":
                agree = (Action("agree", "Setuju", "primary"), Action("privacy", "Baca kebijakan", url="/privasi"))
                text = "Selamat datang di pendaftaran akun AKSes.\n\nSebelum mulai, mohon baca pemberitahuan pelindungan data pribadi."
                return Show(Screen(token, "consent", text, notice, agree))
            case "name":
                return Show(Screen(token, "name", "Siapa nama lengkap Anda, sesuai KTP?", notice, back, "name", (1, 4)))
            case "nik":
                return Show(Screen(token, "nik", "Berapa NIK Anda? 16 digit di KTP.", notice, back, "digits", (2, 4)))
            case "phone":
                actions = (Action("contact", "Bagikan nomor", contact=True), *back)
                return Show(Screen(token, "phone", "Berapa nomor handphone Anda?", notice, actions, "phone", (3, 4)))
            case "email":
                return Show(Screen(token, "email", "Apa alamat e-mail Anda?", notice, back, "email", (4, 4)))
            case _:
                return Show(
                    Screen(token, "done", "Terima kasih sudah melakukan pendaftaran.", notice, (Action("status", "Status"),))
                )


@dataclass
class Site:
    """A running web chat."""

    url: str
    api: WebApi
    turns: ScriptedTurns
    transcript: Transcript
    config: WebConfig

    async def news(self, conversation: Conversation, text: str) -> None:
        """Something the person did not ask for, as the backend's webhook brings it."""
        self.turns.say(conversation, Say(text))
        await self.turns.deliver(conversation)

    def browser(self) -> httpx2.AsyncClient:
        """A client with cookies of its own, on the page's own origin."""
        return httpx2.AsyncClient(base_url=self.url, headers={"Origin": self.url}, timeout=30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def eventually(true: Callable[[], bool]) -> None:
    """Wait for a state of ours that nothing announces; give up after ten seconds."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@asynccontextmanager
async def serving(app: Starlette, port: int, *, closing: Callable[[], None] = lambda: None) -> AsyncIterator[None]:
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, lifespan="off"))
    running = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    try:
        yield
    finally:
        closing()
        server.should_exit = True
        await running


Opening = Callable[..., AbstractAsyncContextManager[Site]]


@asynccontextmanager
async def open_site(
    keyring: Keyring,
    *,
    turns: ScriptedTurns | None = None,
    transcript: Transcript | None = None,
    port: int = 0,
    extra: tuple[BaseRoute, ...] = (),
    **settings: object,
) -> AsyncIterator[Site]:
    """Start a web chat; give `turns`, `transcript` and `port` of an earlier one to continue it after a restart."""
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    config = WebConfig(**{"public_url": url, "operator_name": "Tim Contoh", "demo": True, **settings})  # type: ignore[arg-type]
    turns = turns or ScriptedTurns()
    transcript = transcript or MemoryTranscript()
    turns.channels = {name: WebChannel(name, transcript) for name in ("web", "terminal")}
    api = WebApi(transcript, turns, keyring, config)
    app = Starlette(routes=[*routes(api, config), Mount("/assets", StaticFiles(directory=ASSETS)), *extra])
    async with serving(app, port, closing=api.close):
        yield Site(url, api, turns, transcript, config)
        turns.open.set()  # a server stops only when every answer has gone out
