"""Bots that exist: with aiogram and with python-telegram-bot, polled and by webhook, each with handlers of its own and the dialog in it.

Lives here: building and running them in this process, as their libraries' documentation says. What they hear is what their own handlers
were given. Must not live here: what is expected of them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from akses.keyring import Keyring
from akses.settings import Settings
from akses.telegram import Registration, registration_handlers, registration_router
from bot.limits import Limits, Rate
from tests.fakes.bot_api import FakeBotApi
from tests.services import free_port

SECRET = "a-secret_of-36-characters-0123456789"
KINDS = (
    "aiogram, polling",
    "aiogram, polling one by one",
    "aiogram, webhook",
    "aiogram, webhook in background",
    "ptb, polling",
    "ptb, polling, concurrent",
    "ptb, webhook",
    "ptb, webhook, concurrent",
)
KEYS = Keyring.generate()
UNLIMITED = Limits(Rate(1e6, 1000), Rate(1e6, 1000))


@dataclass
class Hearing:
    """What the bot's own handlers and middlewares were given. With `slow` each of its handlers takes so long, in seconds."""

    texts: list[str] = field(default_factory=list)
    presses: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    passed: list[int] = field(default_factory=list)  # update ids that its own middleware saw
    stuck: asyncio.Event | None = None  # a text handler waits for it

    async def text(self, text: str) -> None:
        self.texts.append(text)
        if self.stuck is not None:
            await self.stuck.wait()


def settings(folder: Path, **given: Any) -> Settings:
    defaults: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": 0,
        "data_dir": folder,
        "encryption_keys": KEYS,
        "backend_url": "http://127.0.0.1:9",
        "backend_api_key": "a-key",
        "status_webhook_secret": "whsec_" + "A" * 43 + "=",
        "operator_name": "PT Contoh Sekuritas",
        "public_url": "https://akses.example",
    }
    return Settings(**defaults | given)


@asynccontextmanager
async def hosted(
    kind: str, api: FakeBotApi, registration: Registration, hearing: Hearing, *, entry: str = "daftar"
) -> AsyncIterator[None]:
    """A bot of this kind, started and known to Telegram."""
    run = _aiogram if kind.startswith("aiogram") else _ptb
    async with run(kind, api, registration, hearing, entry):
        yield


@asynccontextmanager
async def _aiogram(kind: str, api: FakeBotApi, registration: Registration, hearing: Hearing, entry: str) -> AsyncIterator[None]:
    from aiogram import BaseMiddleware, Bot, Dispatcher
    from aiogram.client.session.aiohttp import AiohttpSession
    from aiogram.client.telegram import TelegramAPIServer
    from aiogram.types import CallbackQuery, Message
    from aiogram.webhook.aiohttp_server import SimpleRequestHandler, setup_application
    from aiohttp import web

    bot = Bot(api.token, AiohttpSession(api=TelegramAPIServer.from_base(api.base)))
    dispatcher = Dispatcher()

    class Uneven(BaseMiddleware):
        """As one that looks something up: the first of two waits longer."""

        async def __call__(self, handler: Any, event: Any, data: dict[str, Any]) -> Any:
            hearing.passed.append(event.update_id)
            await asyncio.sleep(0.02 if event.update_id % 2 else 0)
            return await handler(event, data)

    dispatcher.update.outer_middleware(Uneven())
    dispatcher.include_router(registration_router(registration, bot, entry=entry))

    async def text(message: Message) -> None:
        await hearing.text(message.text or "")
        await message.answer(f"host: {message.text}")

    async def press(query: CallbackQuery) -> None:
        hearing.presses.append(query.data or "")
        await query.answer()

    dispatcher.message.register(text, lambda message: message.text is not None)
    dispatcher.message.register(lambda message: hearing.others.append(str(message.content_type)))
    dispatcher.edited_message.register(lambda message: hearing.others.append("edited"))
    dispatcher.my_chat_member.register(
        lambda changed: hearing.others.append(changed.model_dump(mode="json")["new_chat_member"]["status"])
    )
    dispatcher.callback_query.register(press)
    if "polling" in kind:
        task = asyncio.create_task(
            dispatcher.start_polling(bot, handle_signals=False, handle_as_tasks="one by one" not in kind, polling_timeout=10)
        )
        try:
            await until_polled(api, task)
            yield
        finally:
            with contextlib.suppress(RuntimeError):
                await dispatcher.stop_polling()
            await task
        return
    app, port = web.Application(), free_port()
    handler = SimpleRequestHandler(dispatcher, bot, handle_in_background="background" in kind, secret_token=SECRET)
    handler.register(app, "/hook")
    setup_application(app, dispatcher)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await bot.set_webhook(
        f"http://127.0.0.1:{port}/hook", secret_token=SECRET, allowed_updates=dispatcher.resolve_used_update_types()
    )
    try:
        yield
    finally:
        await runner.cleanup()
        await bot.session.close()


@asynccontextmanager
async def _ptb(kind: str, api: FakeBotApi, registration: Registration, hearing: Hearing, entry: str) -> AsyncIterator[None]:
    from telegram import Update
    from telegram.ext import ApplicationBuilder, CallbackQueryHandler, ChatMemberHandler, MessageHandler, TypeHandler, filters

    built = ApplicationBuilder().token(api.token).base_url(f"{api.base}/bot").concurrent_updates("concurrent" in kind)
    application = built.build()
    application.add_handlers(registration_handlers(registration, application, entry=entry))

    async def text(update: Update, _: Any) -> None:
        assert update.message is not None
        await hearing.text(update.message.text or "")
        await update.message.reply_text(f"host: {update.message.text}")

    async def press(update: Update, _: Any) -> None:
        assert update.callback_query is not None
        hearing.presses.append(update.callback_query.data or "")
        await update.callback_query.answer()

    async def passes(update: Update, _: Any) -> None:
        hearing.passed.append(update.update_id)
        await asyncio.sleep(0.02 if update.update_id % 2 else 0)

    async def member(update: Update, _: Any) -> None:
        assert update.my_chat_member is not None
        hearing.others.append(update.my_chat_member.new_chat_member.status)

    async def other(update: Update, _: Any) -> None:
        hearing.others.append("edited" if update.edited_message else "other")

    application.add_handler(TypeHandler(Update, passes), group=-1)
    application.add_handler(MessageHandler(filters.TEXT & filters.UpdateType.MESSAGE, text))
    application.add_handler(CallbackQueryHandler(press))
    application.add_handler(ChatMemberHandler(member, ChatMemberHandler.MY_CHAT_MEMBER))
    application.add_handler(MessageHandler(filters.ALL, other))
    async with application, registration:
        await application.start()
        assert application.updater is not None
        if "polling" in kind:
            before = len(api.called("getUpdates"))
            await application.updater.start_polling(timeout=10)
            async with asyncio.timeout(10):
                while len(api.called("getUpdates")) == before:  # noqa: ASYNC110 (the fake tells nobody)
                    await asyncio.sleep(0.01)
        else:
            port = free_port()
            await application.updater.start_webhook(
                "127.0.0.1", port, "hook", webhook_url=f"http://127.0.0.1:{port}/hook", secret_token=SECRET
            )
        try:
            yield
        finally:
            await application.updater.stop()
            await application.stop()


async def until_polled(api: FakeBotApi, task: asyncio.Task[Any]) -> None:
    before = len(api.called("getUpdates"))
    async with asyncio.timeout(10):
        while len(api.called("getUpdates")) == before:
            if task.done():
                task.result()
            await asyncio.sleep(0.01)
