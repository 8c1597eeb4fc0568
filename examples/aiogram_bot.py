"""A broker's bot with aiogram 3 as it was before, with the registration put into it by the three lines that end in (1), (2) and (3).

    TELEGRAM_BOT_TOKEN=... python examples/aiogram_bot.py

What else must be set, and what goes on working: docs/telegram.md, "Into a bot that exists".
"""

from __future__ import annotations

import asyncio
import os

from aiogram import Bot, Dispatcher, F
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.filters import Command, CommandStart
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message

from akses.telegram import Registration, registration_router  # (1)

PRICES = {"BBCA": "9.175", "TLKM": "2.840"}
MENU = InlineKeyboardMarkup(
    inline_keyboard=[[InlineKeyboardButton(text=name, callback_data=f"harga:{name}")] for name in PRICES]
)


async def start(message: Message) -> None:
    await message.answer("Selamat datang di Sekuritas Contoh. /harga, /kontak, atau /daftar untuk membuka akun AKSes.")


async def prices(message: Message) -> None:
    await message.answer("Harga saham apa?", reply_markup=MENU)


async def price(query: CallbackQuery) -> None:
    name = (query.data or "").removeprefix("harga:")
    await query.answer()
    if query.message is not None:
        await query.message.answer(f"{name}: Rp {PRICES[name]}")


async def contact(message: Message) -> None:
    await message.answer("Telepon (021) 555-0100, Senin sampai Jumat.")


async def anything_else(message: Message) -> None:
    await message.answer(f'Maaf, kami belum mengerti "{message.text or "itu"}". Coba /harga atau /kontak.')


async def main() -> None:
    server = TelegramAPIServer.from_base(os.environ.get("TELEGRAM_API_BASE") or "https://api.telegram.org")
    bot = Bot(os.environ["TELEGRAM_BOT_TOKEN"], AiohttpSession(api=server))
    dispatcher = Dispatcher()
    registration = Registration()  # (2)
    dispatcher.include_router(registration_router(registration, bot))  # (3)
    dispatcher.message.register(start, CommandStart())
    dispatcher.message.register(prices, Command("harga"))
    dispatcher.callback_query.register(price, F.data.startswith("harga:"))
    dispatcher.message.register(contact, Command("kontak"))
    dispatcher.message.register(anything_else)
    await dispatcher.start_polling(bot)


if __name__ == "__main__":
    asyncio.run(main())
