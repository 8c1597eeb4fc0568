"""aiogram: Router, FSMContext, RedisStorage, RedisEventIsolation, as documented. REPLY=1 answers inside the webhook's response."""

from __future__ import annotations

import os

import aiohttp
import uvloop
from aiogram import Bot, Dispatcher, F, Router
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.filters import CommandStart
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State, StatesGroup
from aiogram.fsm.storage.redis import RedisStorage
from aiogram.types import (
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    KeyboardButton,
    LinkPreviewOptions,
    Message,
    ReplyKeyboardMarkup,
    ReplyKeyboardRemove,
)
from aiogram.webhook.aiohttp_server import SimpleRequestHandler, setup_application
from aiohttp import web

from benchmarks.peers import words
from benchmarks.peers.words import label, say

REPLY = os.environ.get("REPLY") == "1"
NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
router = Router()


class Form(StatesGroup):
    consent = State()
    kind = State()
    full_name = State()
    nik = State()
    phone = State()
    email = State()
    summary = State()
    menu = State()


def button(text: str, data: str) -> InlineKeyboardButton:
    return InlineKeyboardButton(text=text, callback_data=data)


def inline(*rows: list[InlineKeyboardButton]) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=list(rows))


BACK_OR_CANCEL = inline([button(label("back"), "back"), button(label("cancel"), "cancel")])
CONSENT = inline(
    [button(label("agree"), "agree")],
    [InlineKeyboardButton(text=label("privacy"), url=words.PRIVACY_URL)],
    [button(label("language"), "language")],
    [button(label("cancel"), "cancel")],
)
KINDS = inline(
    *([button(name, f"kind.{kind}")] for kind, name in words.KIND_NAMES.items()), [button(label("cancel"), "cancel")]
)
CONTACT = ReplyKeyboardMarkup(
    keyboard=[
        [KeyboardButton(text=label("contact"), request_contact=True)],
        [KeyboardButton(text=label("back")), KeyboardButton(text=label("cancel"))],
    ],
    resize_keyboard=True,
    one_time_keyboard=True,
)
SUMMARY = inline([button(label("activate"), "activate")], [button(label("back"), "back")], [button(label("cancel"), "cancel")])
MENU = inline(
    *([button(label("edit", label=say(f"{field}.label")), f"edit.{field}")] for field in words.FIELDS),
    [button(label("back"), "back")],
)


async def answer(message: Message, text: str, markup=None):
    method = message.answer(text, reply_markup=markup, link_preview_options=NO_PREVIEW)
    return method if REPLY else await method


@router.message(CommandStart())
async def start(message: Message, state: FSMContext):
    await state.clear()
    await state.set_state(Form.consent)
    return await answer(message, words.GREETING, CONSENT)


@router.callback_query(Form.consent, F.data == "agree")
async def agree(query: CallbackQuery, state: FSMContext):
    await query.answer()
    await state.update_data(notice="2026-11")
    await state.set_state(Form.kind)
    return await answer(query.message, words.KIND, KINDS)


@router.callback_query(Form.kind, F.data.startswith("kind."))
async def kind(query: CallbackQuery, state: FSMContext):
    await query.answer()
    chosen = query.data.removeprefix("kind.")
    await state.update_data(kind=chosen)
    await state.set_state(Form.full_name)
    return await answer(query.message, words.question("full_name", words.kind_notice(chosen)), BACK_OR_CANCEL)


@router.message(Form.full_name, F.text)
async def full_name(message: Message, state: FSMContext):
    value = words.full_name(message.text)
    if value is None:
        return await answer(message, words.WRONG["full_name"])
    await state.update_data(full_name=value)
    await state.set_state(Form.nik)
    return await answer(message, words.question("nik", words.saved("full_name", value)), BACK_OR_CANCEL)


@router.message(Form.nik, F.text)
async def nik(message: Message, state: FSMContext):
    value = words.nik(message.text)
    if value is None:
        return await answer(message, words.WRONG["nik"])
    await state.update_data(nik=value)
    await state.set_state(Form.phone)
    return await answer(message, words.question("phone", words.saved("nik", value)), CONTACT)


@router.message(Form.phone, F.text)
async def phone(message: Message, state: FSMContext):
    value = words.phone(message.text)
    if value is None:
        return await answer(message, words.WRONG["phone"])
    await state.update_data(phone=value)
    await state.set_state(Form.email)
    return await answer(message, words.question("email", words.saved("phone", value)), ReplyKeyboardRemove())


@router.message(Form.email, F.text)
async def email(message: Message, state: FSMContext):
    value = words.email(message.text)
    if value is None:
        return await answer(message, words.WRONG["email"])
    answers = await state.update_data(email=value)
    await state.set_state(Form.summary)
    return await answer(message, words.summary(answers), SUMMARY)


@router.callback_query(Form.summary, F.data == "back")
async def back(query: CallbackQuery, state: FSMContext):
    await query.answer()
    await state.set_state(Form.menu)
    return await answer(query.message, words.MENU, MENU)


@router.callback_query(Form.summary, F.data == "activate")
async def activate(query: CallbackQuery, state: FSMContext, backend: aiohttp.ClientSession):
    await query.answer()
    answers = await state.get_data()
    async with backend.post("/api/v1/registrations", json=words.registration(answers, query.message.chat.id)) as response:
        response.raise_for_status()
        await response.json()
    await state.clear()
    return await answer(query.message, words.thanks(answers))


async def on_startup(bot: Bot, dispatcher: Dispatcher) -> None:
    if words.BACKEND_URL:
        dispatcher["backend"] = aiohttp.ClientSession(words.BACKEND_URL)
    await bot.set_webhook(f"https://bot.example{words.PATH}", secret_token=words.SECRET)


def main() -> None:
    storage = RedisStorage.from_url(
        words.REDIS_URL,
        connection_kwargs={"max_connections": 4096},  # redis-py's default of 100 fails under more users than that
        state_ttl=words.KEEP_SECONDS,
        data_ttl=words.KEEP_SECONDS,
    )
    dispatcher = Dispatcher(storage=storage, events_isolation=storage.create_isolation())
    dispatcher.include_router(router)
    dispatcher.startup.register(on_startup)
    bot = Bot(words.TOKEN, AiohttpSession(api=TelegramAPIServer.from_base(words.API_BASE)))
    app = web.Application()
    SimpleRequestHandler(dispatcher, bot, handle_in_background=not REPLY, secret_token=words.SECRET).register(
        app, path=words.PATH
    )
    setup_application(app, dispatcher, bot=bot)
    web.run_app(app, host="127.0.0.1", port=words.PORT, loop=uvloop.new_event_loop(), access_log=None, print=None)


if __name__ == "__main__":
    main()
