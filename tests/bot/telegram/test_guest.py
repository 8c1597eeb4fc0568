"""The dialog in a bot that exists: the form is filled in whatever the bot does beside it, and its own handlers go on working."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec.json import encode

from akses.telegram import Registration
from bot.channels.telegram.api import BotApi
from bot.channels.telegram.channel import TelegramChannel
from bot.channels.telegram.codec import read_update
from bot.channels.telegram.guest import Guest, NotStarted, holds
from bot.channels.telegram.intake import Intake
from bot.conversation import Conversation
from bot.turns import Standing
from dialogs.session import Desk, Draft, Session
from tests.bot.telegram.hosts import KINDS, UNLIMITED, Hearing, hosted, settings
from tests.bot.telegram.scripted import ScriptedTurns, until
from tests.fakes.bot_api import FakeBotApi
from tests.fakes.telegram_people import User

NOW = datetime(2026, 11, 25, 5, 0, tzinfo=UTC)


@pytest.fixture
def hearing() -> Hearing:
    return Hearing()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def registration(tmp_path: Path) -> Registration:
    return Registration(settings(tmp_path / "data"), limits=UNLIMITED)


@pytest.fixture
async def bot(kind: str, api: FakeBotApi, registration: Registration, hearing: Hearing) -> AsyncIterator[None]:
    async with hosted(kind, api, registration, hearing):
        yield


async def begins(user: User) -> None:
    user.says("/daftar")
    await user.sees("Selamat datang")
    user.presses("Setuju")
    await user.sees("Pilih tipe")
    user.presses("Individu Lokal")
    await user.sees("Siapa nama lengkap Anda?")


async def tells_the_name(user: User) -> None:
    user.says("Budi Santoso")
    await user.sees("Berapa NIK Anda?")


async def cancels(user: User) -> None:
    user.says("/batal")
    await user.sees("Batalkan")
    user.presses("Ya, batalkan")
    await user.sees("dibatalkan")


@pytest.mark.usefixtures("bot")
async def test_their_handlers_and_the_form_live_side_by_side(api: FakeBotApi, hearing: Hearing) -> None:
    user = api.user("Budi")
    user.starts()
    await user.sees("host: /start")
    user.says("halo")
    await user.sees("host: halo")
    await begins(user)
    await tells_the_name(user)
    user.says("/harga")
    await user.sees("host: /harga")
    shown = user.chat.add("bot", "BBCA", markup={"inline_keyboard": [[{"text": "BBCA", "callback_data": "harga:BBCA"}]]})
    callback = user.presses("BBCA", message=shown.id)
    await user.sees_no_spinner(callback)
    user.says("3171234501900001")
    await user.sees("Berapa nomor handphone Anda?")
    user.shares_contact(phone="6281298765432")
    await user.sees("Apa alamat e-mail Anda?")
    await cancels(user)
    user.says("terima kasih")
    await user.sees("host: terima kasih")
    user.says("/status")
    await user.sees("Belum ada")
    assert hearing.texts == ["/start", "halo", "/harga", "terima kasih"]
    assert hearing.presses == ["harga:BBCA"]
    assert hearing.others == []


@pytest.mark.usefixtures("bot")
async def test_eight_quick_messages_fill_the_right_fields_in_order_and_nobody_else_sees_them(
    api: FakeBotApi, hearing: Hearing
) -> None:
    user = api.user("Budi")
    await begins(user)
    before, passed = len(user.answers), len(hearing.passed)
    typed = ("123", "Budi Santoso", "456", "3171234501900001", "0812", "0812-9876-5432", "budi@", "budi@example.com")
    for text in typed:
        user.says(text)
    summary = await user.sees("Informasi Anda")
    for answer in ("Budi Santoso", "3171 2345 0190 0001", "0812-9876-5432", "budi@example.com"):
        assert answer in summary.text
    said = [message.text for message in user.answers[before:]]
    replies = ("nama", "2/4", "kurang 13", "3/4", "4 digit", "4/4", "@", "informasi anda")
    assert len(said) == len(replies)
    assert [words for words, text in zip(replies, said, strict=True) if words not in text.lower()] == []
    assert hearing.texts == []
    assert len(hearing.passed) == passed


@pytest.mark.usefixtures("bot")
async def test_edits_media_groups_and_blocking_are_theirs_while_no_form_is_open(api: FakeBotApi, hearing: Hearing) -> None:
    user, group = api.user("Budi"), api.group("Direksi")
    sent = user.says("halo")
    await user.sees("host: halo")
    user.edits(sent, "hallo")
    user.sends("photo")
    group.hears(user, "/daftar")
    await group.sees("host: /daftar")
    user.blocks()
    user.unblocks()
    await until(lambda: len(hearing.others) == 4)
    assert {"edited", "kicked", "member"} <= set(hearing.others)
    assert hearing.texts == ["halo", "/daftar"]


async def test_the_command_and_the_link_that_begin_can_have_another_name(
    api: FakeBotApi, registration: Registration, hearing: Hearing
) -> None:
    async with hosted("ptb, polling", api, registration, hearing, entry="buka_rekening"):
        budi, siti = api.user("Budi"), api.user("Siti")
        budi.says("/daftar")
        await budi.sees("host: /daftar")
        budi.starts("promo-7")
        await budi.sees("host: /start promo-7")
        budi.says("/buka_rekening")
        await budi.sees("Selamat datang")
        siti.starts("buka_rekening-c-pameran")
        await siti.sees("Selamat datang")
    assert hearing.texts == ["/daftar", "/start promo-7"]


async def test_a_form_goes_nowhere_from_a_bot_that_stands_alone_and_says_so(
    api: FakeBotApi, registration: Registration, hearing: Hearing
) -> None:
    async with hosted("aiogram, polling", api, registration, hearing):
        budi, siti = api.user("Budi"), api.user("Siti")
        await begins(budi)
        budi.says("pindah")
        await budi.sees("tidak bisa dipindahkan")
        siti.starts("lanjut-" + "A" * 43)
        await siti.sees("Tautan itu tidak berlaku lagi")
    assert hearing.texts == []


async def test_on_redis_the_form_goes_on_in_another_process_of_the_bot(
    api: FakeBotApi, tmp_path: Path, hearing: Hearing, redis_url: str
) -> None:
    user = api.user("Budi")
    for folder in ("one", "two"):
        registration = Registration(settings(tmp_path / folder, redis_url=redis_url), limits=UNLIMITED)
        async with hosted("ptb, webhook", api, registration, hearing):
            if folder == "one":
                await begins(user)
            else:
                await tells_the_name(user)
                user.says("pindah")
                await user.sees("https://akses.example/chat#lanjut-")
    assert hearing.texts == []


async def test_an_answer_given_before_is_not_theirs_when_it_comes_again_after_the_form_was_closed(
    api: FakeBotApi, registration: Registration, hearing: Hearing
) -> None:
    async with hosted("aiogram, webhook", api, registration, hearing):
        user = api.user("Budi")
        await begins(user)
        user.says("Budi Santoso")
        update = max(api.pending, key=lambda each: each.id).update
        await user.sees("Berapa NIK Anda?")
        await cancels(user)
        api.redeliver(update)
        user.says("penutup")
        await user.sees("host: penutup")
    assert hearing.texts == ["penutup"]


async def test_a_slow_handler_of_theirs_does_not_hold_up_the_form(
    kind: str, api: FakeBotApi, registration: Registration, hearing: Hearing
) -> None:
    if kind == "aiogram, polling one by one":
        pytest.skip("there the bot has chosen that everything waits for everything")
    async with hosted(kind, api, registration, hearing):
        budi, siti = api.user("Budi"), api.user("Siti")
        await begins(budi)
        hearing.stuck = asyncio.Event()
        siti.says("halo")
        await until(lambda: hearing.texts == ["halo"])
        await tells_the_name(budi)
        hearing.stuck.set()
        await siti.sees("host: halo")


class Scripted:
    """A registration whose runner is the script's, in which every chat has an open form."""

    def __init__(self) -> None:
        self.turns = ScriptedTurns()
        self.guest: Guest | None = None

    def joins(self, api: BotApi, bot_id: int, entry: str) -> Guest:
        self.guest = Guest(api, bot_id, entry)
        return self.guest

    async def start(self) -> None:
        assert self.guest is not None
        channel = self.turns.channel = TelegramChannel(self.guest.api)
        self.guest.open(self, Intake(self.turns, channel, self.guest.politely))

    async def stop(self) -> None:
        assert self.guest is not None
        await self.guest.close(0.1)

    async def standing(self, conversation: Conversation, event_id: str) -> Standing:
        return Standing(Session(serial=1, draft=Draft(), seen=datetime.now(UTC)), known=False)

    async def __aenter__(self) -> None:
        await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


async def test_an_update_is_confirmed_only_when_its_turn_is_committed(kind: str, api: FakeBotApi, hearing: Hearing) -> None:
    if kind == "aiogram, webhook in background":
        pytest.skip("there aiogram answers Telegram before anybody else has seen the update (docs/telegram.md)")
    scripted = Scripted()
    scripted.turns.held = asyncio.Event()
    user = api.user("Budi")
    async with hosted(kind, api, scripted, hearing):
        user.says("satu")
        user.says("dua")
        await scripted.turns.taking.wait()
        asked = len(api.called("getUpdates"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(until(lambda: len(api.pending) < 2 or len(api.called("getUpdates")) > asked), 0.3)
        scripted.turns.held.set()
        await user.sees("echo dua")
        await until(lambda: not api.pending)
    assert scripted.turns.texts == ["satu", "dua"]
    assert hearing.texts == []


async def test_a_store_that_comes_back_gets_all_in_order(kind: str, api: FakeBotApi, hearing: Hearing) -> None:
    scripted = Scripted()
    scripted.turns.unavailable = 2
    user = api.user("Budi")
    async with hosted(kind, api, scripted, hearing):
        for text in ("satu", "dua", "tiga"):
            user.says(text)
        await user.sees("echo tiga")
    assert scripted.turns.texts == ["satu", "dua", "tiga"]


async def test_a_store_that_stays_away_does_not_stop_the_bot_for_ever(
    api: FakeBotApi, hearing: Hearing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.channels.telegram.guest.CONFIRM_SECONDS", 0.05)
    scripted = Scripted()
    scripted.turns.held = asyncio.Event()
    budi, siti = api.user("Budi"), api.user("Siti")
    async with hosted("aiogram, polling", api, scripted, hearing):
        budi.says("satu")
        await scripted.turns.taking.wait()
        siti.says("/harga")
        await siti.sees("host: /harga")
        scripted.turns.held.set()
        await budi.sees("echo satu")


@pytest.mark.parametrize("framework", ["aiogram", "ptb"])
async def test_an_update_reaches_the_codec_as_telegram_sent_it(api: FakeBotApi, framework: str) -> None:
    user, group = api.user("Budi", language="en-GB"), api.group("Direksi")
    sent = user.says("halo")
    user.starts("daftar-c-pameran")
    user.says("/batal@akses_uji_bot  sekarang")
    user.edits(sent, "hallo \N{WAVING HAND SIGN}")
    for kind in ("photo", "voice", "video", "sticker", "location", "document", "poll"):
        user.sends(kind)
    for own, forwarded in ((True, False), (False, False), (True, True)):
        user.shares_contact(own=own, forwarded=forwarded)
    shown = user.chat.add("bot", "Ya?", markup={"inline_keyboard": [[{"text": "Ya", "callback_data": "akses:t:yes"}]]})
    user.presses("Ya")
    user.presses_data(shown.id, "")
    user.blocks()
    user.unblocks()
    group.hears(user, "/daftar@akses_uji_bot")
    updates = [each.update for each in api.pending]
    new = {"message_id": 9, "date": 1, "chat": user.chat.describe(), "from": user.describe()}
    updates += [
        {"update_id": 1, "message": new | {"hologram": {"file_id": "h1"}}},
        {"update_id": 2, "message": new | {"pinned_message": new | {"text": "x"}}},
        {
            "update_id": 3,
            "message": new
            | {"text": "x", "link_preview_options": {"is_disabled": True}, "quote": {"text": "y", "position": 0}},
        },
        {"update_id": 4, "callback_query": {"id": "7", "from": user.describe(), "chat_instance": "1", "data": "akses:t:yes"}},
    ]
    for update in updates:
        again = _through(framework, update)
        assert read_update(encode(again), "akses_uji_bot") == read_update(encode(update), "akses_uji_bot") is not None


def _through(framework: str, update: dict[str, Any]) -> dict[str, Any]:
    if framework == "ptb":
        import telegram

        from bot.channels.telegram.ptb_handlers import raw as raw_of_ptb

        made = telegram.Update.de_json(update, None)
        return raw_of_ptb(made)
    import aiogram.types

    from bot.channels.telegram.aiogram_router import raw

    first = raw(aiogram.types.Update.model_validate(update))
    # As a dispatcher does that was given an update of another Bot object.
    again = raw(aiogram.types.Update.model_validate(aiogram.types.Update.model_validate(update).model_dump()))
    assert read_update(encode(first)) == read_update(encode(again))
    return first


async def test_arbitrary_callback_data_of_theirs_leaves_ours_readable() -> None:
    import telegram
    from telegram.ext import InvalidCallbackData

    from bot.channels.telegram.ptb_handlers import raw

    query = telegram.CallbackQuery("7", telegram.User(5, "Budi", is_bot=False), "1", data=InvalidCallbackData("akses:t:yes"))
    assert raw(telegram.Update(1, callback_query=query))["callback_query"]["data"] == "akses:t:yes"


@pytest.mark.parametrize(
    ("session", "held"),
    [
        (Session(), False),
        (Session(serial=1, seen=NOW), False),
        (Session(serial=1, seen=NOW, draft=Draft()), True),
        (Session(serial=1, seen=NOW - timedelta(hours=23), draft=Draft()), True),
        (Session(serial=1, seen=NOW - timedelta(hours=25), draft=Draft()), False),
        (Session(serial=1, seen=NOW, overlay="language"), True),
        (Session(serial=9, seen=NOW - timedelta(days=2), desk=Desk("t1", "human", NOW, NOW, "asked", "nik")), True),
        (Session(serial=9, seen=NOW, desk=Desk("t1", "closed", NOW, NOW, "asked", "nik")), False),
    ],
)
def test_what_is_said_is_ours_while_a_form_is_open_and_not_left_or_an_agent_listens(session: Session, held: bool) -> None:
    assert holds(session, NOW) is held


async def test_who_forgets_to_start_it_is_told_how_and_the_bot_goes_on(api: FakeBotApi, hearing: Hearing) -> None:
    guest = Guest(AsIfThere(), 7)
    user = api.user("Budi")
    user.says("/harga")
    user.says("/daftar")
    theirs, ours = (each.update for each in api.pending)
    assert guest.arrives(theirs) is None
    ticket = guest.arrives(ours)
    assert ticket is not None
    with pytest.raises(NotStarted, match="async with registration"):
        await guest.handled(ticket)


async def test_one_registration_serves_one_bot(registration: Registration) -> None:
    registration.joins(AsIfThere(), 7, "daftar")
    with pytest.raises(ValueError, match="one bot"):
        registration.joins(AsIfThere(), 8, "daftar")
    with pytest.raises(ValueError, match="command"):
        Guest(AsIfThere(), 7, "Buka Rekening")


async def test_news_of_the_backend_are_refused_until_it_is_started_and_then_only_if_signed(
    api: FakeBotApi, registration: Registration, hearing: Hearing
) -> None:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(registration.app), base_url="http://bot") as mounted:
        assert (await mounted.post("/status/webhook", content=b"{}")).status_code == 503
        async with hosted("ptb, polling", api, registration, hearing), httpx2.AsyncClient(trust_env=False) as client:
            assert (await mounted.post("/status/webhook", content=b"{}")).status_code == 401
            own = f"http://127.0.0.1:{registration.settings.port}/status/webhook"
            assert (await client.post(own, content=b"{}")).status_code == 401
        assert (await mounted.post("/status/webhook", content=b"{}")).status_code == 503


@pytest.mark.parametrize(
    ("module", "strangers"),
    [
        ("akses.telegram", {"aiogram", "telegram"}),
        ("bot.channels.telegram.aiogram_router", {"telegram", "httpx"}),
        ("bot.channels.telegram.ptb_handlers", {"aiogram", "aiohttp"}),
    ],
)
def test_a_bot_of_one_library_does_not_load_the_other(module: str, strangers: set[str]) -> None:
    program = f"import sys, {module}\nsys.exit(bool({strangers!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_file_called_bot_py_is_told_to_take_another_name(tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text("from akses.telegram import Registration\n")
    root = Path(__file__).parents[3]
    ran = subprocess.run(
        [sys.executable, "bot.py"], cwd=tmp_path, env={"PYTHONPATH": str(root)}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert "please give your file another name" in ran.stderr


class AsIfThere:
    """A Bot API that nobody calls."""

    async def call(self, method: str, params: dict[str, Any], *, within: float | None = None) -> Any:
        raise AssertionError(method)

    async def close(self) -> None: ...
