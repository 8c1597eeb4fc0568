"""python-telegram-bot: ConversationHandler with PicklePersistence (what its documentation uses), fed by its "custom webhook" example.

Its state lives in the process and is written to a file every minute: nothing goes to Redis, and a crash loses up to that minute.
ConversationHandler must not run with concurrent_updates, so one update is handled after the other.
"""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from telegram import (
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    KeyboardButton,
    LinkPreviewOptions,
    ReplyKeyboardMarkup,
    ReplyKeyboardRemove,
    Update,
)
from telegram.ext import (
    Application,
    CallbackQueryHandler,
    CommandHandler,
    ContextTypes,
    ConversationHandler,
    Defaults,
    MessageHandler,
    PicklePersistence,
    filters,
)

from benchmarks.peers import words
from benchmarks.peers.words import label, say

CONSENT, KIND, FULL_NAME, NIK, PHONE, EMAIL, SUMMARY, MENU = range(8)
Context = ContextTypes.DEFAULT_TYPE


def inline(*rows: list[InlineKeyboardButton]) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(list(rows))


def button(text: str, data: str) -> InlineKeyboardButton:
    return InlineKeyboardButton(text, callback_data=data)


BACK_OR_CANCEL = inline([button(label("back"), "back"), button(label("cancel"), "cancel")])
CONSENT_MARKUP = inline(
    [button(label("agree"), "agree")],
    [InlineKeyboardButton(label("privacy"), url=words.PRIVACY_URL)],
    [button(label("language"), "language")],
    [button(label("cancel"), "cancel")],
)
KINDS = inline(
    *([button(name, f"kind.{kind}")] for kind, name in words.KIND_NAMES.items()), [button(label("cancel"), "cancel")]
)
CONTACT = ReplyKeyboardMarkup(
    [
        [KeyboardButton(label("contact"), request_contact=True)],
        [KeyboardButton(label("back")), KeyboardButton(label("cancel"))],
    ],
    resize_keyboard=True,
    one_time_keyboard=True,
)
SUMMARY_MARKUP = inline(
    [button(label("activate"), "activate")], [button(label("back"), "back")], [button(label("cancel"), "cancel")]
)
MENU_MARKUP = inline(
    *([button(label("edit", label=say(f"{field}.label")), f"edit.{field}")] for field in words.FIELDS),
    [button(label("back"), "back")],
)


async def start(update: Update, context: Context) -> int:
    context.user_data.clear()
    await update.message.reply_text(words.GREETING, reply_markup=CONSENT_MARKUP)
    return CONSENT


async def agree(update: Update, context: Context) -> int:
    query = update.callback_query
    await query.answer()
    context.user_data["notice"] = "2026-11"
    await query.message.reply_text(words.KIND, reply_markup=KINDS)
    return KIND


async def kind(update: Update, context: Context) -> int:
    query = update.callback_query
    await query.answer()
    chosen = query.data.removeprefix("kind.")
    context.user_data["kind"] = chosen
    await query.message.reply_text(words.question("full_name", words.kind_notice(chosen)), reply_markup=BACK_OR_CANCEL)
    return FULL_NAME


async def full_name(update: Update, context: Context) -> int:
    value = words.full_name(update.message.text)
    if value is None:
        await update.message.reply_text(words.WRONG["full_name"])
        return FULL_NAME
    context.user_data["full_name"] = value
    await update.message.reply_text(words.question("nik", words.saved("full_name", value)), reply_markup=BACK_OR_CANCEL)
    return NIK


async def nik(update: Update, context: Context) -> int:
    value = words.nik(update.message.text)
    if value is None:
        await update.message.reply_text(words.WRONG["nik"])
        return NIK
    context.user_data["nik"] = value
    await update.message.reply_text(words.question("phone", words.saved("nik", value)), reply_markup=CONTACT)
    return PHONE


async def phone(update: Update, context: Context) -> int:
    value = words.phone(update.message.text)
    if value is None:
        await update.message.reply_text(words.WRONG["phone"])
        return PHONE
    context.user_data["phone"] = value
    await update.message.reply_text(words.question("email", words.saved("phone", value)), reply_markup=ReplyKeyboardRemove())
    return EMAIL


async def email(update: Update, context: Context) -> int:
    value = words.email(update.message.text)
    if value is None:
        await update.message.reply_text(words.WRONG["email"])
        return EMAIL
    context.user_data["email"] = value
    await update.message.reply_text(words.summary(context.user_data), reply_markup=SUMMARY_MARKUP)
    return SUMMARY


async def back(update: Update, _: Context) -> int:
    await update.callback_query.answer()
    await update.callback_query.message.reply_text(words.MENU, reply_markup=MENU_MARKUP)
    return MENU


async def activate(update: Update, context: Context) -> int:
    query = update.callback_query
    await query.answer()
    backend: httpx.AsyncClient = context.bot_data["client"]["backend"]
    response = await backend.post("/api/v1/registrations", json=words.registration(context.user_data, query.message.chat.id))
    response.raise_for_status()
    await query.message.reply_text(words.thanks(context.user_data))
    return ConversationHandler.END


TEXT = filters.TEXT & ~filters.COMMAND
CONVERSATION = ConversationHandler(
    entry_points=[CommandHandler("start", start)],
    states={
        CONSENT: [CallbackQueryHandler(agree, "^agree$")],
        KIND: [CallbackQueryHandler(kind, r"^kind\.")],
        FULL_NAME: [MessageHandler(TEXT, full_name)],
        NIK: [MessageHandler(TEXT, nik)],
        PHONE: [MessageHandler(TEXT, phone)],
        EMAIL: [MessageHandler(TEXT, email)],
        SUMMARY: [CallbackQueryHandler(back, "^back$"), CallbackQueryHandler(activate, "^activate$")],
        MENU: [],
    },
    fallbacks=[CommandHandler("start", start)],
    name="registration",
    persistent=True,
)


class NotPickled(dict):
    """What of bot_data belongs to this process alone."""

    def __reduce__(self):
        return (dict, ())


async def serve() -> None:
    application = (
        Application.builder()
        .token(words.TOKEN)
        .base_url(f"{words.API_BASE}/bot")
        .updater(None)
        .persistence(PicklePersistence(f"{words.DATA_DIR}/conversations.pickle"))
        .defaults(Defaults(link_preview_options=LinkPreviewOptions(is_disabled=True)))
        .build()
    )
    application.add_handler(CONVERSATION)

    async def webhook(request: Request) -> Response:
        if request.headers.get("X-Telegram-Bot-Api-Secret-Token") != words.SECRET:
            return Response(status_code=HTTPStatus.UNAUTHORIZED)
        await application.update_queue.put(Update.de_json(await request.json(), application.bot))
        return Response()

    app = Starlette(routes=[Route(words.PATH, webhook, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=words.PORT, log_config=None, access_log=False))
    async with application, httpx.AsyncClient(base_url=words.BACKEND_URL) as backend:
        application.bot_data["client"] = NotPickled(backend=backend)
        await application.bot.set_webhook(f"https://bot.example{words.PATH}", secret_token=words.SECRET)
        await application.start()
        await server.serve()
        await application.stop()


if __name__ == "__main__":
    import uvloop

    logging.basicConfig(level=logging.WARNING)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
