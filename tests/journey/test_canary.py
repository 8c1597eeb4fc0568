"""Unique values in every field, through every channel and every way that goes wrong: none of them is found in anything that is kept."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import httpx2
import psycopg
import pytest

from akses.keyring import Keyring
from tests.backend.stage import SmtpSink, token_in
from tests.fakes.bot_api import FakeBotApi
from tests.fakes.telegram_people import User
from tests.fakes.whatsapp import FakeMeta, Person
from tests.journey.people import Details, WebPerson, activates, form_of, logs_in, pages
from tests.journey.test_channels_journey import connected
from tests.product import PATIENCE, ROOT, Product
from tests.redis_servers import redis_server
from tests.services import fresh_database, postgres_cluster

pytestmark = pytest.mark.journey

WEB = Details("Xenovia Quarzelli", "3171234509870961", "0813-7777-0191", "xenovia.quarzelli@example.org")
TELEGRAM = Details("Yolandri Bexwatu", "3271094507860352", "0857-3333-0282", "yolandri.bexwatu@example.org")
WHATSAPP = Details("Wulandra Kexbrani", "3273055103870461", "0896-4444-0464", "wulandra.kexbrani@example.org")
SENDER = "6281355550555"  # which somebody writes from
API = Details("Zulfakar Wimbotra", "3374045506890743", "0821-9999-0373", "zulfakar.wimbotra@example.org")
PASSWORD = "Gulali#Nebula-47"
REFUSED_PASSWORD = "pendek-Vortex"
TYPED_IN_CHAT = "Krakatau%Meletus-88"
WRONG_PASSWORD = "Bukan^Sandi-Itu-31"
BAD_EMAIL = "xenovia-quarzelli-tanpa-at.example.org"
KEY = "k" * 32


def spellings(value: str) -> set[bytes]:
    """The value in each form in which it could lie about: as typed, folded, encoded, or under a hash that anybody can try."""
    raw = value.encode()
    plain = {raw, value.lower().encode(), value.upper().encode(), quote(value).encode(), value.encode("utf-16-le")}
    # base64 without its ends, which depend on what stands before and behind
    encoded = {base64.b64encode(b" " * at + raw)[(at + 2) // 3 * 4 + 4 : -4] for at in range(3)}
    hashes = {hashlib.new(name, raw).digest() for name in ("md5", "sha1", "sha256")}
    return plain | {each for each in encoded if len(each) > 8} | hashes | {each.hex().encode() for each in hashes}


def canaries(token: str, session: str) -> set[bytes]:
    values = {
        SENDER,
        SENDER[2:],
        f"0{SENDER[2:]}",
        PASSWORD,
        REFUSED_PASSWORD,
        TYPED_IN_CHAT,
        WRONG_PASSWORD,
        BAD_EMAIL,
        token,
        session,
    }
    for person in (WEB, TELEGRAM, WHATSAPP, API):
        digits = person.phone.replace("-", "")
        grouped = " ".join(person.nik[at : at + 4] for at in range(0, 16, 4))
        values |= {person.name, *person.name.split(), person.nik, person.nik[:-1], grouped}
        values |= {person.phone, digits, digits[1:], f"+62{digits[1:]}", person.email, person.email.partition("@")[0]}
    found = {each for value in values for each in spellings(value)}
    # Our own stores keep exactly these two hashes of tokens, which nobody can try out: 256 random bits.
    return found - {hashlib.sha256(each.encode()).digest() for each in (token, session)}


@asynccontextmanager
async def production(
    folder: Path, kind: str, smtp: SmtpSink, fake: FakeBotApi, meta: FakeMeta
) -> AsyncIterator[tuple[Product, Path | None, str]]:
    """The product, the folder of its Redis and its database's address; both of the last empty when everything is in DATA_DIR."""
    common = {
        "SMTP_URL": smtp.url,
        "TELEGRAM_BOT_TOKEN": fake.token,
        "TELEGRAM_API_BASE": fake.base_url,
        **meta.settings,
        "BACKEND_API_KEY": KEY,
        "LOG_LEVEL": "DEBUG",
        "PYTHONPATH": str(ROOT / "tests" / "traced"),
        "TRACES": str(folder / "traces"),
    }
    if kind == "embedded":
        product = Product(folder, **common)
        try:
            await asyncio.to_thread(product.start)
            yield product, None, ""
        finally:
            await asyncio.to_thread(product.kill)
        return
    with postgres_cluster() as cluster, fresh_database(cluster, "canary") as database, redis_server() as redis:
        product = Product(
            folder,
            **common,
            DATABASE_URL=database,
            REDIS_URL=redis.url,
            ENCRYPTION_KEYS=Keyring.generate(),
            STATUS_WEBHOOK_SECRET="whsec_" + base64.b64encode(b"w" * 32).decode(),
            OPERATOR_NAME="PT Contoh",
            PUBLIC_URL="http://localhost",
        )
        migrated = [sys.executable, "-m", "akses", "migrate"]
        await asyncio.to_thread(subprocess.run, migrated, cwd=ROOT, env=product.environment, check=True)
        try:
            await asyncio.to_thread(product.start)
            yield product, redis.folder, database
        finally:
            await asyncio.to_thread(product.kill)


def by_web(url: str) -> WebPerson:
    """The whole guide, with a slip at each question."""
    person = WebPerson(url, WEB)
    person.opens()
    for kind, what in WEB.steps[:3]:
        person.does(kind, what)
    for what in (WEB.nik[:-1], WEB.nik, "12", WEB.phone, BAD_EMAIL, WEB.email):
        person.does("say", what)
    person.does("press", "Aktivasi")
    person.sees("pending")
    person.does("say", TYPED_IN_CHAT)
    return person


async def by_telegram(user: User) -> None:
    user.starts()
    await user.sees("Selamat datang")
    user.presses("Setuju")
    await user.sees("Pilih tipe registrasi")
    user.presses("Individu Lokal")
    await user.sees("Siapa nama lengkap Anda?")
    for what, sees in (
        (TELEGRAM.name, "Berapa NIK Anda?"),
        (TELEGRAM.nik[:-1], "kurang 1"),
        (TELEGRAM.nik, "Berapa nomor handphone Anda?"),
        (TELEGRAM.phone, "Apa alamat e-mail Anda?"),
        (TELEGRAM.email, "Informasi Anda"),
    ):
        user.says(what)
        await user.sees(sees)
    user.presses("Aktivasi")
    await user.sees("Terima kasih sudah melakukan pendaftaran")


async def by_whatsapp(person: Person) -> None:
    """With and without the number and the BSUID, and with another number in the middle."""
    person.says("Halo")
    await person.sees("Selamat datang")
    person.hides_user = True
    person.presses("Setuju")
    await person.sees("Pilih tipe registrasi")
    person.presses("Individu Lokal")
    await person.sees("Siapa nama lengkap Anda?")
    person.hides_user, person.hides_number = False, True
    for what, sees in (
        (WHATSAPP.name, "Berapa NIK Anda?"),
        (WHATSAPP.nik[:-1], "kurang 1"),
        (WHATSAPP.nik, "Berapa nomor handphone Anda?"),
    ):
        person.says(what)
        await person.sees(sees)
    person.hides_number = False
    person.changes_number(f"{SENDER[:-1]}6", "ID.4711")
    person.shares_contact(SENDER)
    await person.sees("Berapa nomor handphone Anda?")
    person.says(WHATSAPP.phone)
    await person.sees("Apa alamat e-mail Anda?")
    person.says(WHATSAPP.email)
    await person.sees("Informasi Anda")
    person.presses("Aktivasi")
    await person.sees("Terima kasih sudah melakukan pendaftaran")


def by_api(url: str) -> None:
    """What another channel sends, good and bad, and where a careless one puts it."""
    body = {
        "kind": "individu_lokal",
        "full_name": API.name,
        "nik": API.nik,
        "phone": f"+62{API.phone.replace('-', '')[1:]}",
        "email": API.email,
        "language": "id",
        "channel": "web",
        "reference": "web:canary",
        "consent": {"notice_version": "2026-11", "given_at": "2026-11-20T03:04:05Z"},
    }
    headers = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": "canary-1"}
    with httpx2.Client(base_url=url, trust_env=False, timeout=PATIENCE, headers=headers) as client:
        assert client.post("/api/v1/registrations", json=body).status_code == 202
        assert client.post("/api/v1/registrations", json=body | {"full_name": WEB.name}).status_code == 409
        for wrong in ({"nik": API.nik[:-1]}, {"email": BAD_EMAIL}, {"extra": API.nik}, {"full_name": f"{API.name} http://x"}):
            assert client.post("/api/v1/registrations", json=body | wrong).status_code == 422
        assert client.post("/api/v1/registrations", content=f'{{"nik": "{API.nik}'.encode()).status_code == 422
        for path in (f"/{API.email}", f"/aktivasi/{API.nik}", f"/api/v1/registrations/{API.nik}", f"/masuk?email={API.email}"):
            client.get(path)


def by_browser(url: str, token: str) -> str:
    """The password page with a refused password and then a good one, a wrong log-in and a right one; the session's cookie."""
    link = f"/aktivasi/{token}"
    with pages(url) as browser:
        assert activates(browser, link, REFUSED_PASSWORD).status_code == 422
        assert activates(browser, link, PASSWORD).status_code == 303
        form = form_of(browser.get("/masuk"), "/masuk")
        assert browser.post("/masuk", data={**form, "email": WEB.email, "password": WRONG_PASSWORD}).status_code == 401
        logs_in(browser, WEB.email, PASSWORD)
        return str(browser.cookies["akses"])


def kept(product: Product, redis: Path | None, database: str, metrics: str) -> Iterator[tuple[str, bytes]]:
    """Everything that is there when the process is dead, and what it told while it lived."""
    yield "metrics", metrics.encode()
    yield "log", product.log_file.read_bytes()
    yield "traces", product.log_file.with_name("traces").read_bytes()
    for file in product.data_dir.rglob("*"):
        if file.is_file():
            yield file.name, file.read_bytes()
    for file in redis.rglob("*") if redis else ():
        if file.is_file():
            yield f"redis {file.name}", file.read_bytes()
    if database:
        with psycopg.connect(database) as conn:
            tables = conn.execute(
                "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('public', 'dbos')"
            )
            for (table,) in tables.fetchall():
                rows = conn.execute(f"SELECT * FROM {table}").fetchall()
                cells = (
                    bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode() for row in rows for cell in row
                )
                yield table, b"\n".join(cells)


@pytest.mark.parametrize("kind", ["embedded", "servers"])
async def test_nothing_of_anybody_is_found_in_anything_that_is_kept(tmp_path: Path, kind: str) -> None:
    smtp = SmtpSink()
    await smtp.open()
    try:
        async with (
            FakeBotApi() as fake,
            FakeMeta() as meta,
            production(tmp_path, kind, smtp, fake, meta) as (product, redis, database),
        ):
            await connected(fake, "polling")
            meta.webhook = f"{product.url}/whatsapp/webhook"
            person = await asyncio.to_thread(by_web, product.url)
            await by_telegram(fake.user(TELEGRAM.name.split()[0], phone=TELEGRAM.phone))
            sender = meta.person("Wulan", SENDER)
            await by_whatsapp(sender)
            await asyncio.to_thread(by_api, product.url)
            mails = {mail["To"]: mail for mail in await smtp.mails(4)}
            assert set(mails) == {WEB.email, TELEGRAM.email, WHATSAPP.email, API.email}
            token = token_in(mails[WEB.email])
            session = await asyncio.to_thread(by_browser, product.url, token)
            await asyncio.to_thread(person.sees, "active")
            metrics = (await asyncio.to_thread(httpx2.get, f"{product.url}/metrics", trust_env=False, timeout=PATIENCE)).text
            assert "akses_turns_total" in metrics
            await asyncio.to_thread(product.kill)
            wanted = canaries(token, session) | {each.id.removeprefix("wamid.").encode() for each in sender.bubbles}
            places = dict(kept(product, redis, database, metrics))
            names = set(places)
            assert names >= ({"accounts.db", "dialog.db"} if kind == "embedded" else {"public.registrations", "public.audit"})
            assert sum(map(len, places.values())) > 50_000, "it looked where something is"
            for span in (b'"http.aktivasi"', b'"http.api.v1"', b'"turn.take"', b'"job.send_mail"'):
                assert span in places["traces"]
            found = [(place, each) for place, content in places.items() for each in wanted if each in content]
            assert found == []
    finally:
        await smtp.close()
