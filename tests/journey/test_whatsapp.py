"""The guide by WhatsApp, from the first word to the active account: everything delivered twice, a crash in the middle, a form that moves
there and back; and nothing that is kept knows the phone number.

It leaves a transcript that is documentation: tests/transcripts/journey-whatsapp.md.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx2
import pytest

from tests.fakes.chatwoot import FakeChatwoot
from tests.fakes.whatsapp import Bubble, FakeMeta, Person
from tests.journey.people import Details, WebPerson
from tests.journey.test_canary import spellings
from tests.journey.test_channels_journey import CONGRATULATION, activate_and_log_in
from tests.journey.test_chatwoot import comes, command, conversation, with_chatwoot
from tests.journey.test_moving import begins, token_of
from tests.product import PATIENCE, Product
from tests.services import free_port
from tests.transcripts import FOLDER, VARYING, Transcript, button, compare

pytestmark = pytest.mark.journey

PERSON = Details()
NUMBER = "6281234509876"  # which they write from; not the one that they register

SEEN = (
    "Pilih tipe registrasi",
    "Siapa nama lengkap Anda?",
    "Berapa NIK Anda?",
    "Berapa nomor handphone Anda?",
    "Apa alamat e-mail Anda?",
    "Informasi Anda",
    "Terima kasih sudah melakukan pendaftaran",
)


class Chat:
    """Somebody's chat with the bot, written down."""

    def __init__(self, person: Person, transcript: Transcript) -> None:
        self.person = person
        self.transcript = transcript
        self._noted = 0

    async def says(self, words: str, sees: str) -> None:
        self.transcript.did(words)
        self.person.says(words)
        await self.sees(sees)

    async def presses(self, label: str, sees: str) -> None:
        self.transcript.did(button(label))
        self.person.presses(label)
        await self.sees(sees)

    async def sees(self, words: str) -> None:
        await self.person.sees(words)
        for bubble in self.person.answers[self._noted :]:
            self._note(bubble)
        self._noted = len(self.person.answers)

    def _note(self, bubble: Bubble) -> None:
        opens = bubble.body.get("interactive", {}).get("action", {}).get("button", "")
        links = [button("link", bubble.link)] if bubble.link else []
        self.transcript.bubble(bubble.text, [*([f"(list: {opens})"] if opens else []), *map(button, bubble.labels), *links])


def started(folder: Path, meta: FakeMeta) -> Product:
    port = free_port()
    product = Product(folder, PORT=str(port), PUBLIC_URL=f"http://localhost:{port}", LOG_LEVEL="DEBUG", **meta.settings)
    product.start()
    meta.webhook = f"{product.url}/whatsapp/webhook"
    return product


async def test_by_whatsapp(tmp_path: Path) -> None:
    async with FakeMeta() as meta:
        meta.repeats = meta.shuffles = True
        product = await asyncio.to_thread(started, tmp_path, meta)
        try:
            transcript = Transcript("# The guide in WhatsApp\n\nAs played by tests/journey/test_whatsapp.py.", VARYING)
            chat = Chat(meta.person("Ratna", NUMBER), transcript)
            await chat.says("Halo", "Selamat datang")
            await chat.presses("Setuju", "Pilih tipe registrasi")
            await chat.presses("Individu Lokal", "Siapa nama lengkap Anda?")
            await chat.says(PERSON.name, "Berapa NIK Anda?")
            await chat.says("12345", "kurang 11")
            await chat.says(PERSON.nik, "Berapa nomor handphone Anda?")
            await chat.presses("Bagikan nomor saya", "Apa alamat e-mail Anda?")
            await chat.says(PERSON.email, "Informasi Anda")
            await chat.presses("Aktivasi", "Terima kasih sudah melakukan pendaftaran")
            await asyncio.to_thread(activate_and_log_in, product)
            transcript.heading("After the password was set on the page", "By itself:")
            await chat.sees(CONGRATULATION)
            await chat.says("status", "sudah dapat dipakai")
            assert product.count("registrations") == 1
            assert len(product.mails(PERSON.email)) == 1
            metrics = (await asyncio.to_thread(httpx2.get, f"{product.url}/metrics", trust_env=False, timeout=PATIENCE)).text
            assert 'akses_turns_total{channel="whatsapp"' in metrics
            assert 'akses_http_requests_total{route="whatsapp.webhook",status="2xx"}' in metrics
            assert meta.refused == []
            assert product.faults == []
        finally:
            await asyncio.to_thread(product.kill)
        nowhere_kept(product, chat.person, metrics)
    compare(FOLDER / "journey-whatsapp.md", transcript.text)


async def test_a_crash_in_the_middle_loses_nothing_and_registers_once(tmp_path: Path) -> None:
    async with FakeMeta() as meta:
        meta.repeats = True
        product = await asyncio.to_thread(started, tmp_path, meta)
        try:
            person = meta.person("Ratna", NUMBER)
            person.hides_user = True
            person.says("Halo")
            await person.sees("Selamat datang")
            for (kind, what), sees in zip(PERSON.steps, SEEN, strict=True):
                await asyncio.to_thread(product.kill)
                person.presses(what) if kind == "press" else person.says(what)
                await asyncio.to_thread(product.start)
                await person.sees(sees)
            await asyncio.to_thread(product.mail, PERSON.email)
            assert product.count("registrations") == 1
            assert product.faults == []
        finally:
            await asyncio.to_thread(product.kill)
        nowhere_kept(product, person, "")


def nowhere_kept(product: Product, person: Person, metrics: str) -> None:
    """Neither the number that somebody writes from nor an id of Meta's that holds it."""
    places = {"metrics": metrics.encode(), "log": product.log_file.read_bytes()}
    places |= {file.name: file.read_bytes() for file in product.data_dir.rglob("*") if file.is_file()}
    assert {"dialog.db", "accounts.db"} <= places.keys()
    wanted = spellings(person.number) | spellings(person.number[2:]) | spellings(f"0{person.number[2:]}")
    wanted |= {each.id.removeprefix("wamid.").encode() for each in person.bubbles}
    found = [(name, each) for name, content in places.items() for each in wanted if each in content]
    assert found == []


async def test_an_agent_steps_in_is_replied_to_hands_back_and_hears_when_the_24_hours_are_over(tmp_path: Path) -> None:
    async with FakeMeta() as meta, FakeChatwoot() as chatwoot:
        product = with_chatwoot(chatwoot, tmp_path, **meta.settings)
        try:
            await asyncio.to_thread(product.start)
            meta.webhook = f"{product.url}/whatsapp/webhook"
            await command(product, "agents", "add", "rina@contoh.id", "--name", "Rina", "--role", "agent")
            assert "ok  whatsapp: +622150000000, webhook at" in await command(product, "doctor")
            rina, ratna = chatwoot.user("Rina", "rina@contoh.id"), meta.person("Ratna", NUMBER)
            ratna.says("Halo")
            await ratna.sees("Selamat datang")
            for (kind, what), sees in zip(PERSON.steps[:4], SEEN[:4], strict=True):
                ratna.presses(what) if kind == "press" else ratna.says(what)
                await ratna.sees(sees)
            ratna.says("petugas")
            talk = await conversation(chatwoot)
            sent = ratna.says("Nomor kantor boleh?")
            await comes(lambda: talk.public() == ["> Nomor kantor boleh?"])

            asked = next(line for line in talk.lines if "Nomor kantor" in (line.content or ""))
            reply = rina.replies(talk, "Nomor *pribadi*, Ibu.", attributes={"in_reply_to": asked.id})
            said = await ratna.sees("Rina:\nNomor pribadi, Ibu.")
            assert said.answers == sent, "it stands below the very message"
            await comes(lambda: reply.status == "delivered")
            ratna.says("Baik, yang itu?", answers=said.id)
            await comes(
                lambda: any(
                    line.attributes.get("in_reply_to") == reply.id for line in talk.lines if "yang itu" in (line.content or "")
                )
            )

            ratna.falls_silent()
            late = rina.replies(talk, "Masih di sana, Ibu?")
            await comes(lambda: late.status == "failed")
            ratna.says("Maaf, baru sempat.")
            await comes(lambda: "> Maaf, baru sempat." in talk.public())
            rina.sets(talk, "pending")
            await ratna.sees("Rina mengembalikan percakapan ini")
            await ratna.sees("Berapa nomor handphone Anda?")
            assert not any(NUMBER[3:] in each.body.decode() for each in chatwoot.heard)
            assert not product.faults, product.faults
        finally:
            await asyncio.to_thread(product.kill)
        nowhere_kept(product, ratna, "")


async def test_a_form_goes_to_whatsapp_and_back_and_who_hides_their_number_is_nobody_else(tmp_path: Path) -> None:
    async with FakeMeta() as meta:
        product = await asyncio.to_thread(started, tmp_path, meta)
        try:
            desk = WebPerson(product.url)
            await asyncio.to_thread(begins, desk)
            token = token_of(desk.read[-1])
            address = f"https://wa.me/{meta.number}?text={token}"
            assert address in desk.read[-1]
            with httpx2.Client(base_url=product.url, trust_env=False, timeout=PATIENCE) as client:
                page = client.get(f"/lanjut/{token}").raise_for_status().text
            assert page.count("<svg") == 2
            assert f'href="{address}"' in page

            phone = meta.person("Ratna", NUMBER)
            phone.says(token)
            await phone.sees("2 dari 4 data terisi")
            phone.presses("Setuju")
            await phone.sees("4 digit terakhir NIK")
            phone.says(PERSON.nik[-4:])
            await phone.sees("Apakah semuanya benar?")
            phone.presses("Ya, sudah benar")
            await phone.sees("Berapa nomor handphone Anda?")
            await asyncio.to_thread(desk.hears, "dilanjutkan di sana")

            phone.hides_number = True
            phone.says(PERSON.phone)
            await phone.sees("Apa alamat e-mail Anda?")
            phone.changes_number("6285700001111", "ID.42")
            phone.says("/pindah")
            back = (await phone.sees("hanya bisa dipakai sekali")).text
            assert "wa.me" not in back, "a chat that is the same on every device is no other place"
            thief = meta.person("Maling")
            thief.says(f"Lanjutkan: {token}")
            await thief.sees("sudah dipakai")
            moved = re.findall(r"/chat#(lanjut-[\w-]{43})", back)
            again = WebPerson(product.url)
            await asyncio.to_thread(again.opens)
            await asyncio.to_thread(again.does, "say", f"/start {moved[0]}")
            await phone.sees("dilanjutkan di sana")
            await asyncio.to_thread(again.hears, "Formulir Anda dari WhatsApp")
            assert product.faults == []
            assert token not in product.log
        finally:
            await asyncio.to_thread(product.kill)
