"""A broker's bot with python-telegram-bot as it was before, with the registration put into it by the three lines that end in (1), (2), (3).

    TELEGRAM_BOT_TOKEN=... python examples/ptb_bot.py

What else must be set, and what goes on working: docs/telegram.md, "Into a bot that exists".
"""

from __future__ import annotations

import os

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.ext import ApplicationBuilder, CallbackQueryHandler, CommandHandler, ContextTypes, MessageHandler, filters

from akses.telegram import Registration, registration_handlers  # (1)

PRICES = {"BBCA": "9.175", "TLKM": "2.840"}
MENU = InlineKeyboardMarkup([[InlineKeyboardButton(name, callback_data=f"harga:{name}")] for name in PRICES])


async def says(update: Update, words: str, markup: InlineKeyboardMarkup | None = None) -> None:
    if update.effective_chat is not None:
        await update.effective_chat.send_message(words, reply_markup=markup)


async def start(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
    await says(update, "Selamat datang di Sekuritas Contoh. /harga, /kontak, atau /daftar untuk membuka akun AKSes.")


async def prices(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
    await says(update, "Harga saham apa?", MENU)


async def price(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
    query = update.callback_query
    if query is not None and query.data is not None:
        name = query.data.removeprefix("harga:")
        await query.answer()
        await says(update, f"{name}: Rp {PRICES[name]}")


async def contact(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
    await says(update, "Telepon (021) 555-0100, Senin sampai Jumat.")


async def anything_else(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
    said = update.effective_message.text if update.effective_message else None
    await says(update, f'Maaf, kami belum mengerti "{said or "itu"}". Coba /harga atau /kontak.')


def main() -> None:
    api_base = os.environ.get("TELEGRAM_API_BASE") or "https://api.telegram.org"
    application = ApplicationBuilder().token(os.environ["TELEGRAM_BOT_TOKEN"]).base_url(f"{api_base}/bot").build()
    registration = Registration()  # (2)
    application.add_handlers(registration_handlers(registration, application))  # (3)
    application.add_handler(CommandHandler("start", start))
    application.add_handler(CommandHandler("harga", prices))
    application.add_handler(CallbackQueryHandler(price, pattern="^harga:"))
    application.add_handler(CommandHandler("kontak", contact))
    application.add_handler(MessageHandler(filters.TEXT, anything_else))
    application.run_polling()


if __name__ == "__main__":
    main()
