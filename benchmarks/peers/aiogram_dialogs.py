"""aiogram-dialog: one Dialog of windows on RedisStorage and RedisEventIsolation; it edits on a press and sends on a text."""

from __future__ import annotations

from typing import Any

import aiohttp
import uvloop
from aiogram import Bot, Dispatcher, Router
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.filters import CommandStart
from aiogram.fsm.state import State, StatesGroup
from aiogram.fsm.storage.base import DefaultKeyBuilder
from aiogram.fsm.storage.redis import RedisStorage
from aiogram.types import CallbackQuery, Message
from aiogram.webhook.aiohttp_server import SimpleRequestHandler, setup_application
from aiogram_dialog import Dialog, DialogManager, StartMode, Window, setup_dialogs
from aiogram_dialog.widgets.input import TextInput
from aiogram_dialog.widgets.kbd import Button, Column, RequestContact, Row, Select, Url
from aiogram_dialog.widgets.link_preview import LinkPreview
from aiogram_dialog.widgets.markup.reply_keyboard import ReplyKeyboardFactory
from aiogram_dialog.widgets.text import Const, Format
from aiohttp import web

from benchmarks.peers import words
from benchmarks.peers.words import label, say


class Form(StatesGroup):
    consent = State()
    kind = State()
    full_name = State()
    nik = State()
    phone = State()
    email = State()
    summary = State()
    menu = State()
    done = State()


def check(field: str):
    def accept(typed: str) -> str:
        value = words.CHECKS[field](typed)
        if value is None:
            raise ValueError(field)
        return value

    return accept


async def refused(message: Message, widget: Any, _: DialogManager, __: ValueError) -> None:
    await message.answer(words.WRONG[widget.widget.widget_id])


async def accepted(_: Message, widget: Any, manager: DialogManager, value: str) -> None:
    field = widget.widget.widget_id
    manager.dialog_data[field] = value
    manager.dialog_data["notice"] = words.saved(field, value)
    await manager.next()


async def agree(_: CallbackQuery, __: Button, manager: DialogManager) -> None:
    await manager.next()


async def kind(_: CallbackQuery, __: Any, manager: DialogManager, chosen: str) -> None:
    manager.dialog_data["kind"] = chosen
    manager.dialog_data["notice"] = words.kind_notice(chosen)
    await manager.next()


async def back(_: CallbackQuery, __: Button, manager: DialogManager) -> None:
    await manager.switch_to(Form.menu)


async def activate(query: CallbackQuery, _: Button, manager: DialogManager) -> None:
    backend: aiohttp.ClientSession = manager.middleware_data["backend"]
    body = words.registration(manager.dialog_data, query.message.chat.id)
    async with backend.post("/api/v1/registrations", json=body) as response:
        response.raise_for_status()
    await manager.switch_to(Form.done)


async def kinds(**_: Any) -> dict[str, Any]:
    return {"kinds": [(name, kind) for kind, name in words.KIND_NAMES.items()]}


async def answers(dialog_manager: DialogManager, **_: Any) -> dict[str, Any]:
    return {"summary": words.summary(dialog_manager.dialog_data)}


async def handed_off(dialog_manager: DialogManager, **_: Any) -> dict[str, Any]:
    return {"thanks": words.thanks(dialog_manager.dialog_data)}


async def notice(dialog_manager: DialogManager, **_: Any) -> dict[str, Any]:
    return {"notice": dialog_manager.dialog_data["notice"]}


async def nothing(*_: Any) -> None:
    """Buttons that this walk does not press."""


NO_PREVIEW = LinkPreview(is_disabled=True)


def back_or_cancel() -> Row:
    return Row(Button(Const(label("back")), "back", nothing), Button(Const(label("cancel")), "cancel", nothing))


def asking(field: str, *keyboard: Any, **options: Any) -> Window:
    return Window(
        Format(words.question(field, "{notice}")),
        TextInput(field, type_factory=check(field), on_success=accepted, on_error=refused),
        *(keyboard or (back_or_cancel(),)),
        NO_PREVIEW,
        state=getattr(Form, field),
        getter=notice,
        **options,
    )


dialog = Dialog(
    Window(
        Const(words.GREETING),
        Button(Const(label("agree")), "agree", agree),
        Url(Const(label("privacy")), Const(words.PRIVACY_URL)),
        Button(Const(label("language")), "language", nothing),
        Button(Const(label("cancel")), "cancel", nothing),
        NO_PREVIEW,
        state=Form.consent,
    ),
    Window(
        Const(words.KIND),
        Column(Select(Format("{item[0]}"), "kind", item_id_getter=lambda item: item[1], items="kinds", on_click=kind)),
        Button(Const(label("cancel")), "cancel", nothing),
        NO_PREVIEW,
        state=Form.kind,
        getter=kinds,
    ),
    asking("full_name"),
    asking("nik"),
    asking(
        "phone",
        RequestContact(Const(label("contact"))),
        back_or_cancel(),
        markup_factory=ReplyKeyboardFactory(resize_keyboard=True, one_time_keyboard=True),
    ),
    asking("email"),
    Window(
        Format("{summary}"),
        Button(Const(label("activate")), "activate", activate),
        Button(Const(label("back")), "back", back),
        Button(Const(label("cancel")), "cancel", nothing),
        NO_PREVIEW,
        state=Form.summary,
        getter=answers,
    ),
    Window(
        Const(words.MENU),
        *(Button(Const(label("edit", label=say(f"{field}.label"))), f"edit_{field}", nothing) for field in words.FIELDS),
        Button(Const(label("back")), "back", nothing),
        NO_PREVIEW,
        state=Form.menu,
    ),
    Window(Format("{thanks}"), NO_PREVIEW, state=Form.done, getter=handed_off),
)
router = Router()


@router.message(CommandStart())
async def start(_: Message, dialog_manager: DialogManager) -> None:
    await dialog_manager.start(Form.consent, mode=StartMode.RESET_STACK)


async def on_startup(bot: Bot, dispatcher: Dispatcher) -> None:
    if words.BACKEND_URL:
        dispatcher["backend"] = aiohttp.ClientSession(words.BACKEND_URL)
    await bot.set_webhook(f"https://bot.example{words.PATH}", secret_token=words.SECRET)


def main() -> None:
    storage = RedisStorage.from_url(
        words.REDIS_URL,
        key_builder=DefaultKeyBuilder(with_destiny=True),
        connection_kwargs={"max_connections": 4096},  # redis-py's default of 100 fails under more users than that
        state_ttl=words.KEEP_SECONDS,
        data_ttl=words.KEEP_SECONDS,
    )
    isolation = storage.create_isolation()
    dispatcher = Dispatcher(storage=storage, events_isolation=isolation)
    dispatcher.include_routers(router, dialog)
    setup_dialogs(dispatcher, events_isolation=isolation)
    dispatcher.startup.register(on_startup)
    bot = Bot(words.TOKEN, AiohttpSession(api=TelegramAPIServer.from_base(words.API_BASE)))
    app = web.Application()
    SimpleRequestHandler(dispatcher, bot, secret_token=words.SECRET).register(app, path=words.PATH)
    setup_application(app, dispatcher, bot=bot)
    web.run_app(app, host="127.0.0.1", port=words.PORT, loop=uvloop.new_event_loop(), access_log=None, print=None)


if __name__ == "__main__":
    main()
