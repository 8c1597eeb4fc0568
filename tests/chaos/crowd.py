"""Many people who register at the same time: by Telegram to the thank-you, and half of them on the page behind the mailed link.

Lives here: what somebody does and waits for. Must not live here: processes (`fleet.py`), or what must be true in the end (`test_fleet.py`).
People take things as they come: whoever gets an error page opens the link again, and nobody types anything twice into the chat.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Final

import httpx2

from dialogs.texts import CATALOGUES, text
from tests.chaos.mailbox import Mailbox
from tests.fakes.bot_api import FakeBotApi
from tests.fakes.telegram_people import ChatMessage, User
from tests.journey.people import form_of

# Canaries: in no log may any of these stand, in whatever form it is shown.
PASSWORD: Final = "Rajawali 7 terbang"
CHAT_IDS: Final = "90000"
CANARIES: Final = ("kenari", "31712345019", "3171 2345 019", "812345", "812-345", CHAT_IDS)
USERS: Final = int(os.environ.get("CHAOS_USERS", "200"))
# Seconds without any news before somebody gives up, and with them the test. Telegram takes 30 messages a second: news waits behind the
# answers to a whole crowd.
PATIENCE: Final = 120.0 + 0.3 * USERS
ACTS: Final = 8  # in the chat, from /start to the thank-you
ACTS_ON_THE_PAGE: Final = 2  # the password, and the news of it in the chat
THINKS: Final = 0.5  # seconds at most before somebody goes on
DONE: Final = "/aktivasi/selesai"
LINK: Final = re.compile(r"/aktivasi/[\w-]{20,}")


@dataclass(frozen=True)
class Details:
    """An invented person of their own for each number under 10,000."""

    number: int

    @property
    def name(self) -> str:
        syllables = ("ka", "di", "su", "ra", "ti", "wa", "lo", "me", "ni", "bu")
        return "Kenari " + "".join(syllables[int(digit)] for digit in f"{self.number:04}").capitalize()

    @property
    def nik(self) -> str:
        return f"317123450190{self.number + 1:04}"

    @property
    def phone(self) -> str:
        return f"081234{5_00000 + self.number * 7:06}"

    @property
    def email(self) -> str:
        return f"kenari.{self.number}@example.org"


@dataclass
class Crowd:
    """Everybody, in `waves` that come in one after the other as they are let in; `progress` is how many waves' work has been done."""

    telegram: FakeBotApi
    mailbox: Mailbox
    url: str
    size: int
    waves: int
    acts: int = 0
    pages_again: int = 0  # pages that had to be asked for again
    _came_on: asyncio.Condition = field(default_factory=asyncio.Condition)

    def __post_init__(self) -> None:
        self.people = [Person(self, number) for number in range(self.size)]
        self._in_all = sum(person.acts for person in self.people)
        self._doors = [asyncio.Event() for _ in range(self.waves)]

    @property
    def progress(self) -> float:
        return self.acts / self._in_all * self.waves

    def let_in(self, wave: int) -> None:
        self._doors[wave].set()

    async def registers(self) -> None:
        async with asyncio.TaskGroup() as group:
            for person in self.people:
                group.create_task(self._comes(person))

    async def _comes(self, person: Person) -> None:
        await self._doors[person.details.number * self.waves // self.size].wait()
        await person.registers()

    async def acted(self) -> None:
        self.acts += 1
        async with self._came_on:
            self._came_on.notify_all()

    async def reaches(self, progress: float) -> None:
        """Whoever is slow fails by their own patience; this only waits."""
        async with self._came_on:
            await self._came_on.wait_for(lambda: self.progress >= progress)


class Person:
    def __init__(self, crowd: Crowd, number: int) -> None:
        self.details = Details(number)
        self.activates = number % 2 == 0
        self.acts = ACTS + ACTS_ON_THE_PAGE * self.activates
        self.user: User = crowd.telegram.user(self.details.name, phone=self.details.phone)
        self._crowd = crowd
        self._chance = random.Random(number)

    async def registers(self) -> None:
        user, details = self.user, self.details
        await self._thinks(1)
        user.starts()
        await self._sees(text("id", "flow.greeting", operator="PT Uji Ketahanan"))
        user.presses("Setuju")
        await self._sees(text("id", "flow.kind"))
        user.presses("Individu Lokal")
        for field_, answer in (
            ("full_name", details.name),
            ("nik", details.nik),
            ("phone", details.phone),
            ("email", details.email),
        ):
            await self._sees(text("id", f"{field_}.ask"))
            user.says(answer)
        await self._sees(text("id", "flow.summary_ask"))
        user.presses("Aktivasi")
        await self._sees(self.thanks)
        if self.activates:
            async with asyncio.timeout(PATIENCE):
                mail = await self._crowd.mailbox.mail(details.email)
            await self._thinks()
            await self._activates(link_in(mail))
            await self._crowd.acted()
            await self._sees(self.congratulation)

    @property
    def conversation(self) -> str:
        return f"telegram:{self.user.id}"

    @property
    def thanks(self) -> str:
        return text("id", "flow.thanks", name=self.details.name)

    @property
    def congratulation(self) -> str:
        return CATALOGUES["id"]["flow.active"].partition("\n")[0]

    def read(self, words: str) -> int:
        """In how many bubbles of the bot these words stand now."""
        return sum(words in message.text for message in self.user.answers)

    async def _sees(self, words: str) -> ChatMessage:
        """Wait for these words, and go on after some thought."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        while True:
            try:
                seen = await self.user.sees(words)
                break
            except AssertionError:
                if loop.time() > until:
                    raise
        await self._crowd.acted()
        await self._thinks()
        return seen

    async def _thinks(self, longest: float = THINKS) -> None:
        await asyncio.sleep(self._chance.uniform(0, longest))

    async def _activates(self, link: str) -> None:
        """Until the page says that the account is active; after an error page, or none, the link is opened again."""
        async with (
            asyncio.timeout(PATIENCE),
            httpx2.AsyncClient(
                base_url=self._crowd.url, trust_env=False, timeout=30, headers={"Accept-Language": "id"}
            ) as page,
        ):
            while not await self._tries(page, link):
                self._crowd.pages_again += 1
                await self._thinks(1)

    async def _tries(self, page: httpx2.AsyncClient, link: str) -> bool:
        try:
            shown = await page.get(link)
            if shown.status_code == 200:
                shown = await page.post(link, data={**form_of(shown, link), "password": PASSWORD, "again": PASSWORD})
        except httpx2.TransportError:
            return False
        assert shown.status_code >= 500 or shown.headers.get("location") == DONE or "Akun sudah aktif" in shown.text, shown.text
        return shown.status_code < 500


def link_in(mail: EmailMessage) -> str:
    """The path of the activation link."""
    body = mail.get_body(("plain",))
    assert body is not None
    found = LINK.search(body.get_content())
    assert found is not None, "a mail without a link"
    return found[0]
