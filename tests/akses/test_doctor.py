"""`akses doctor` tells in plain words what is wrong and what to do, one line a part, and never a secret."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from akses import doctor
from akses.doctor import Unwell, examine
from akses.keyring import Keyring
from akses.settings import Settings
from backend import migrate
from backend.audit import Audit
from backend.clock import utc_now
from backend.database import Database
from backend.jobs import Dead, Handler, Jobs
from backend.pages.headers import PageHeaders
from backend.registry import TableRegistry
from backend.vault import Vault
from bot import status_webhook
from bot.channels.whatsapp.webhook import challenge
from tests.akses.serving import served
from tests.fakes.chatwoot import FakeChatwoot
from tests.fakes.whatsapp import FakeMeta
from tests.redis_servers import RedisServer, redis_server
from tests.services import free_port, fresh_database, postgres_cluster

WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOKEN = "123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc"
Check = Callable[[Settings], Awaitable[str]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Complete, of this machine alone, with nothing running."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    return Settings(
        data_dir=folder,
        port=free_port(),
        encryption_keys=Keyring.generate(),
        backend_api_key="key-of-the-bot",
        status_webhook_secret=WEBHOOK_SECRET,
        operator_name="Sekuritas Contoh",
    )


@pytest.fixture(scope="module")
def redis_here() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with postgres_cluster() as url:
        yield url


async def unwell(check: Check, settings: Settings) -> str:
    """What the check finds wrong; it must not be silent."""
    with pytest.raises(Unwell) as found:
        await check(settings)
    words = str(found.value)
    assert not any(secret in words for secret in (TOKEN, TOKEN.partition(":")[2], WEBHOOK_SECRET, "key-of-the-bot", "pw-of-"))
    return words


# --- the whole examination


async def test_a_product_that_was_never_started_is_well(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert await examine(settings) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(doctor.CHECKS)
    assert all(line.startswith("ok  ") for line in lines)


async def test_whether_agents_can_be_shown_a_field_is_told(settings: Settings) -> None:
    assert "for a reason" in await doctor.revealing(settings)
    production = settings.model_copy(update={"database_url": "postgresql://akses@db/akses"})
    assert "BACKEND_SCOPED_KEYS has no reveal" in await doctor.revealing(production)
    key = f"reveal:*:{secrets.token_urlsafe(32)}"
    assert "for a reason" in await doctor.revealing(production.model_copy(update={"backend_scoped_keys": key}))


async def test_one_unwell_part_is_marked_and_told_beside_the_others(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.data_dir.chmod(0o755)
    settings.smtp_url = "smtp://akses:pw-of-mail@127.0.0.1:1"
    assert await examine(settings) == 1
    told = capsys.readouterr().out
    assert f"!!  data folder: {settings.data_dir} can be read by others: chmod 700" in told
    assert "!!  mail: the mail server at 127.0.0.1:1 cannot be reached" in told
    assert "ok  address: " in told
    assert "pw-of-" not in told


# --- files


async def test_a_folder_that_others_may_read_is_unwell(settings: Settings) -> None:
    settings.data_dir.chmod(0o750)
    assert "can be read by others: chmod 700" in await unwell(doctor.data_folder, settings)


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        ("secrets.json", "a secret"),
        ("terminal-session", "a secret"),
        ("accounts.db", "personal data"),
        ("dialog.db", "personal data"),
    ],
)
async def test_a_secret_that_others_may_read_is_unwell(settings: Settings, name: str, holds: str) -> None:
    file = settings.data_dir / name
    file.write_text("{}")
    file.chmod(0o600)
    assert "none open to others" in await doctor.secret_files(settings)
    file.chmod(0o640)
    assert f"{file} holds {holds} and can be read by others: chmod 600 {file}" in await unwell(doctor.secret_files, settings)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
async def test_a_secret_of_another_user_is_unwell(settings: Settings) -> None:
    file = settings.data_dir / "secrets.json"
    file.write_text("{}")
    file.chmod(0o600)
    os.chown(file, 1, 1)
    assert "belongs to another user" in await unwell(doctor.secret_files, settings)


# --- addresses


async def test_a_public_address_without_https_is_unwell(settings: Settings) -> None:
    settings.public_url = "http://akses.example.com"
    assert "passwords would travel in the clear" in await unwell(doctor.address, settings)


@pytest.mark.parametrize("host", ["0.0.0.0", "kantor.example"])
async def test_a_demonstration_that_is_open_to_the_network_is_unwell(settings: Settings, host: str) -> None:
    settings.host = host
    assert "HOST is open to the network" in await unwell(doctor.address, settings)


# --- Redis


@asynccontextmanager
async def set_to(server: RedisServer, **values: str) -> AsyncIterator[None]:
    """Redis with these settings for a while."""
    client = redis.Redis(port=server.port, decode_responses=True)
    before = {name: client.config_get(name)[name] for name in (key.replace("_", "-") for key in values)}  # type: ignore[index]
    for name, value in values.items():
        client.config_set(name.replace("_", "-"), value)
    try:
        yield
    finally:
        for name, value in before.items():
            client.config_set(name, value)
        client.close()


async def test_a_redis_as_it_should_be_is_well(settings: Settings, redis_here: RedisServer) -> None:
    settings.redis_url = redis_here.url
    assert "answers, writes its append-only file and evicts nothing" in await doctor.dialogs(settings)
    assert "Redis" in await doctor.clock(settings)


async def test_a_redis_that_may_throw_dialogs_away_is_unwell(settings: Settings, redis_here: RedisServer) -> None:
    settings.redis_url = redis_here.url
    async with set_to(redis_here, maxmemory_policy="allkeys-lru"):
        assert "set it to noeviction" in await unwell(doctor.dialogs, settings)


async def test_a_redis_that_would_forget_everything_is_unwell(settings: Settings, redis_here: RedisServer) -> None:
    settings.redis_url = redis_here.url
    async with set_to(redis_here, appendonly="no"):
        assert "set appendonly yes" in await unwell(doctor.dialogs, settings)


async def test_a_redis_that_is_nearly_full_is_unwell(settings: Settings, redis_here: RedisServer) -> None:
    settings.redis_url = redis_here.url
    client = redis.Redis(port=redis_here.port)
    used = int(client.info("memory")["used_memory"])  # type: ignore[index]
    client.close()
    async with set_to(redis_here, maxmemory=str(int(used * 1.1))):
        assert "of its maxmemory" in await unwell(doctor.dialogs, settings)


async def test_a_redis_that_wants_another_password_is_unwell(settings: Settings, redis_here: RedisServer) -> None:
    settings.redis_url = redis_here.url.replace("redis://", "redis://nobody:pw-of-redis@")
    assert "refuses the name or the password" in await unwell(doctor.dialogs, settings)


@pytest.mark.parametrize("url", ["redis://:pw-of-redis@127.0.0.1:1/0", "http://127.0.0.1:6379"])
async def test_a_redis_that_is_not_there_is_unwell(settings: Settings, url: str) -> None:
    settings.redis_url = url
    assert "Redis cannot be used" in (words := await unwell(doctor.dialogs, settings)) or "REDIS_URL is no address" in words


async def test_a_redis_that_says_nothing_is_given_up(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the connection and is silent, as a stopped process does."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    monkeypatch.setattr(doctor, "PATIENCE_SECONDS", 0.2)
    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        settings.redis_url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
        assert "Redis cannot be used: it does not answer" in await unwell(doctor.dialogs, settings)


# --- PostgreSQL and clocks


async def test_a_database_without_the_schema_is_unwell(settings: Settings, postgres: str) -> None:
    with fresh_database(postgres, "doctor_empty") as url:
        settings.database_url = url
        assert "akses migrate" in await unwell(doctor.accounts, settings)
        assert "PostgreSQL" in await doctor.clock(settings)


async def test_a_database_that_is_away_is_unwell(settings: Settings) -> None:
    settings.database_url = "postgresql://akses:pw-of-db@127.0.0.1:1/akses"
    assert "cannot be used: nothing listens at its address" in await unwell(doctor.accounts, settings)
    assert "cannot be asked for its time" in await unwell(doctor.clock, settings)


@pytest.mark.parametrize(
    ("host", "user", "name", "words"),
    [
        ("", "", "nowhere", "there is no such database or user"),
        ("", "nobody", "", "there is no such database or user"),
        ("nowhere.invalid", "", "", "the name of its host"),
    ],
)
async def test_why_a_database_lets_nobody_in_is_said(
    settings: Settings, postgres: str, host: str, user: str, name: str, words: str
) -> None:
    there = urlsplit(postgres)
    user, host, name = user or there.username or "", host or there.hostname or "", name or there.path[1:]
    settings.database_url = f"postgresql://{user}@{host}:{there.port}/{name}"
    assert words in await unwell(doctor.accounts, settings)


@pytest.mark.parametrize(("ahead", "word"), [(-3600.0, "ahead of"), (3600.0, "behind")])
async def test_clocks_that_are_apart_are_unwell(
    settings: Settings, redis_here: RedisServer, monkeypatch: pytest.MonkeyPatch, ahead: float, word: str
) -> None:
    """This machine's clock is an hour off."""
    real = time.time
    settings.redis_url = redis_here.url
    monkeypatch.setattr(doctor.time, "time", lambda: real() + ahead)
    assert f"Redis is 3600 s {word} this machine's clock" in await unwell(doctor.clock, settings)


# --- durable work


async def refused(_: str, __: int) -> Dead:
    return Dead("refused")


async def test_jobs_that_were_given_up_are_unwell_by_name(settings: Settings) -> None:
    async with working(settings, refused) as jobs:
        while not (await jobs.stats()).dead:  # noqa: ASYNC110 (it happens in a database)
            await asyncio.sleep(0.05)
    assert "jobs were given up (send_mail 1): akses jobs dead" in await unwell(doctor.durable_work, settings)


async def test_jobs_that_nobody_does_are_unwell(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker has been started, and the patience is over."""
    async with working(settings, None):
        monkeypatch.setattr(doctor, "WAITING_SECONDS", -1.0)
        assert "jobs wait (1), the first for" in await unwell(doctor.durable_work, settings)
        monkeypatch.setattr(doctor, "WAITING_SECONDS", 60.0)
        assert await doctor.durable_work(settings) == "1 waiting, 0 under way, none given up"


async def test_a_database_that_has_no_jobs_in_it_is_unwell(settings: Settings, postgres: str) -> None:
    with fresh_database(postgres, "doctor_no_jobs") as settings.database_url:
        assert "cannot be asked for its jobs" in await unwell(doctor.durable_work, settings)


@asynccontextmanager
async def working(settings: Settings, handler: Handler | None) -> AsyncIterator[Jobs]:
    """One job, written; done by the handler if there is one."""
    migrate(settings.accounts_url)
    database = Database(settings.accounts_url)
    jobs = Jobs(database, settings.accounts_url)
    jobs.handle("send_mail", handler or refused, queue="mail")
    try:
        async with database.writing() as conn:
            await jobs.enqueue(conn, "send_mail", "subject")
        if handler is not None:
            await jobs.start()
        yield jobs
    finally:
        await jobs.close()
        await database.close()


# --- the status webhook, with the bot's own receiver


@asynccontextmanager
async def bot(*secrets: str) -> AsyncIterator[str]:
    """The bot's receiver with these secrets; gives its address. No turn is ever taken for the doctor's event."""
    async with served(Starlette(routes=status_webhook.routes(None, secrets))) as client:  # type: ignore[arg-type]
        yield f"{client.base_url}".rstrip("/") + "/status/webhook"


async def test_a_bot_that_takes_our_signature_is_well(settings: Settings) -> None:
    async with bot("whsec_b3RoZXIgc2VjcmV0IG9mIHRoZSBib3Q=", WEBHOOK_SECRET) as settings.status_webhook_url:
        assert await doctor.status_webhook(settings) == "the bot takes events that are signed with this secret"


async def test_a_bot_with_another_secret_is_unwell(settings: Settings) -> None:
    async with bot("whsec_b3RoZXIgc2VjcmV0IG9mIHRoZSBib3Q=") as settings.status_webhook_url:
        assert "STATUS_WEBHOOK_SECRET differs there" in await unwell(doctor.status_webhook, settings)


async def test_a_webhook_that_leads_elsewhere_is_unwell(settings: Settings) -> None:
    async with bot(WEBHOOK_SECRET) as url:
        settings.status_webhook_url = url + "s"
        assert "answers 404 instead of 204" in await unwell(doctor.status_webhook, settings)
    settings.status_webhook_url = "http://127.0.0.1:1/status/webhook"
    assert "cannot be reached (ConnectError)" in await unwell(doctor.status_webhook, settings)


async def test_a_secret_that_is_none_is_unwell(settings: Settings) -> None:
    settings.status_webhook_secret = "whsec_!"
    assert "not written as whsec_BASE64" in await unwell(doctor.status_webhook, settings)


# --- Telegram


@asynccontextmanager
async def bot_api(info: dict[str, object], *, known: bool = True) -> AsyncIterator[str]:
    """The two methods that the doctor asks, answered as Telegram does."""

    async def answer(request: Request) -> Response:
        if not known or request.path_params["token"] != f"bot{TOKEN}":
            return JSONResponse({"ok": False, "error_code": 401, "description": "Unauthorized"}, 401)
        result = {"username": "contoh_bot"} if request.path_params["method"] == "getMe" else info
        return JSONResponse({"ok": True, "result": result})

    async with served(Starlette(routes=[Route("/{token}/{method}", answer)])) as client:
        yield str(client.base_url)


HOOK = "https://akses.example.com/telegram/webhook"
LATE = {"url": HOOK, "pending_update_count": 3, "last_error_date": 0, "last_error_message": "Connection refused"}


@pytest.mark.parametrize(
    ("mode", "info", "words"),
    [
        ("polling", {"url": ""}, "@contoh_bot, polling"),
        ("webhook", {"url": HOOK, "pending_update_count": 3}, "@contoh_bot, webhook at"),
    ],
)
async def test_telegram_as_it_should_be_is_well(settings: Settings, mode: str, info: dict[str, object], words: str) -> None:
    async with bot_api(info) as base:
        use_telegram(settings, base, mode)
        assert words in await doctor.telegram(settings)


@pytest.mark.parametrize(
    ("mode", "info", "words"),
    [
        ("polling", {"url": HOOK}, "does another process use this bot's token?"),
        ("webhook", {"url": ""}, "sends updates elsewhere"),
        ("webhook", {"url": "https://elsewhere.example.com/"}, "sends updates elsewhere"),
        ("webhook", {"url": HOOK, "pending_update_count": 101}, "101 updates wait at Telegram"),
        ("webhook", LATE | {"last_error_date": "now"}, '3 updates wait at Telegram ("Connection refused")'),
    ],
)
async def test_telegram_that_does_not_bring_updates_is_unwell(
    settings: Settings, mode: str, info: dict[str, object], words: str
) -> None:
    # Not when the tests were gathered: that may have been an hour ago.
    now = {"last_error_date": int(time.time())} if info.get("last_error_date") == "now" else {}
    async with bot_api(info | now) as base:
        use_telegram(settings, base, mode)
        assert words in await unwell(doctor.telegram, settings)


async def test_a_token_that_telegram_does_not_know_is_unwell(settings: Settings) -> None:
    async with bot_api({}, known=False) as base:
        use_telegram(settings, base, "polling")
        assert "does not know this TELEGRAM_BOT_TOKEN" in await unwell(doctor.telegram, settings)


async def test_a_telegram_that_is_away_is_unwell(settings: Settings) -> None:
    use_telegram(settings, "http://127.0.0.1:1", "polling")
    assert "Telegram cannot be reached: ConnectError" in await unwell(doctor.telegram, settings)


@asynccontextmanager
async def whatsapp_on(settings: Settings, *, answers: int = 200, verify_token: str = "") -> AsyncIterator[FakeMeta]:
    """Meta, and the place where it would call us."""
    async with FakeMeta() as meta:

        async def webhook(request: Request) -> Response:
            said = challenge(request.query_params, verify_token or meta.verify_token)
            return Response(said or "", answers if said else 403)

        async with served(Starlette(routes=[Route("/whatsapp/webhook", webhook)])) as client:
            settings.whatsapp_token, settings.whatsapp_phone_id = meta.token, meta.phone_id
            settings.whatsapp_verify_token, settings.whatsapp_api_base = meta.verify_token, meta.base_url
            settings.public_url = str(client.base_url)
            yield meta


async def test_whatsapp_as_it_should_be_is_well(settings: Settings) -> None:
    assert "WhatsApp is off" in await doctor.whatsapp(settings)
    async with whatsapp_on(settings):
        said = await doctor.whatsapp(settings)
        assert said.startswith("+622150000000, webhook at http://")


async def test_a_token_or_number_that_meta_does_not_know_is_unwell(settings: Settings) -> None:
    async with whatsapp_on(settings) as meta:
        settings.whatsapp_phone_id = "99999"
        assert "look at WHATSAPP_PHONE_ID" in await unwell(doctor.whatsapp, settings)
        settings.whatsapp_token, settings.whatsapp_phone_id = "EAAother", meta.phone_id
        said = await unwell(doctor.whatsapp, settings)
        assert "does not know this WHATSAPP_TOKEN" in said
        assert "EAAother" not in said
    settings.whatsapp_api_base = "http://127.0.0.1:9"
    assert "Meta cannot be reached: ConnectError" in await unwell(doctor.whatsapp, settings)


async def test_a_webhook_that_meta_would_not_find_is_unwell(settings: Settings) -> None:
    async with whatsapp_on(settings, verify_token="another"):
        assert "has another WHATSAPP_VERIFY_TOKEN" in await unwell(doctor.whatsapp, settings)
    async with whatsapp_on(settings, answers=404):
        assert "does not answer as Meta will ask it (404)" in await unwell(doctor.whatsapp, settings)
    async with whatsapp_on(settings):
        settings.public_url = "http://127.0.0.1:9"
        assert "cannot be reached at http://127.0.0.1:9/whatsapp/webhook" in await unwell(doctor.whatsapp, settings)


def use_telegram(settings: Settings, base: str, mode: str) -> None:
    settings.telegram_bot_token, settings.telegram_api_base = TOKEN, base
    settings.telegram_mode = "webhook" if mode == "webhook" else "polling"
    settings.public_url = "https://akses.example.com"


@pytest.mark.parametrize(
    ("chat", "member", "words"),
    [
        ({"is_forum": True}, {"can_manage_topics": True, "can_delete_messages": True}, ""),
        ({"is_forum": True}, {"can_manage_topics": True}, "may not delete messages"),
        ({}, {}, "has no topics"),
        ({"is_forum": True}, {"status": "member"}, "may not manage"),
        (None, {}, "no such group"),
    ],
)
async def test_the_helpdesks_group_must_have_topics_that_the_bot_may_make(
    settings: Settings, chat: dict[str, object] | None, member: dict[str, object], words: str
) -> None:
    async def answer(request: Request) -> Response:
        assert request.query_params["chat_id"] == "-1001234567890"
        found = chat if request.path_params["method"] == "getChat" else member
        refused = {"ok": False, "error_code": 400, "description": "Bad Request: chat not found"}
        return JSONResponse({"ok": True, "result": found} if found is not None else refused)

    assert "no HELPDESK_GROUP" in await doctor.helpdesk_group(settings)
    async with served(Starlette(routes=[Route("/bot{token}/{method}", answer)])) as client:
        use_telegram(settings, str(client.base_url), "polling")
        settings.helpdesk_group = "-1001234567890"
        if words:
            assert words in await unwell(doctor.helpdesk_group, settings)
        else:
            assert "may manage the topics" in await doctor.helpdesk_group(settings)


# --- mail and the product itself


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (200, PageHeaders.headers(https=True, in_telegram=True), ""),
        (404, {}, "answers 404: set TELEGRAM_BOT_ID"),
        (200, PageHeaders.headers(https=True), "changes its headers"),
        (200, {"X-Frame-Options": "SAMEORIGIN", **PageHeaders.headers(https=True, in_telegram=True)}, "changes its headers"),
    ],
)
async def test_the_page_inside_telegram_must_be_there_and_telegram_may_frame_it(
    status: int, headers: dict[str, str], words: str
) -> None:
    async def answer(_: Request) -> Response:
        return Response(status_code=status, headers=headers)

    async with served(Starlette(routes=[Route("/telegram/app", answer)])) as client:
        url = f"{client.base_url}/telegram/app"
        if words:
            with pytest.raises(Unwell, match=words):
                await doctor.page_in_telegram(url)
        else:
            assert url in await doctor.page_in_telegram(url)
    with pytest.raises(Unwell, match="cannot be reached"):
        await doctor.page_in_telegram("http://127.0.0.1:1/telegram/app")


async def test_the_way_of_the_codes_is_told_and_a_gateway_that_is_away_is_unwell(settings: Settings) -> None:
    assert "PHONE_OTP is off" in await doctor.sms(settings)
    settings.phone_otp = "activation"
    assert "built-in inbox" in await doctor.sms(settings)
    settings.sms_url = "http://gateway:pw-of-sms@127.0.0.1:1/sms"
    told = await unwell(doctor.sms, settings)
    assert "the SMS gateway at 127.0.0.1:1 cannot be reached" in told
    assert "pw-of-sms" not in told


async def test_a_comparison_with_a_list_that_was_never_imported_is_unwell(settings: Settings) -> None:
    migrate(settings.accounts_url)
    assert "not compared" in await doctor.registry(settings)
    settings.registry = "table"
    with pytest.raises(Unwell, match="akses registry import"):
        await doctor.registry(settings)
    database, vault = Database(settings.accounts_url), Vault(Keyring.parse(settings.encryption_keys))
    await TableRegistry(database, vault, Audit(database, vault), utc_now).take([("3174095708900001", "siti@example.com")])
    await database.close()
    assert "1 lines of investors" in await doctor.registry(settings)


async def test_a_mail_server_or_a_backend_that_is_away_is_unwell(settings: Settings) -> None:
    settings.smtp_url = "smtp://akses:pw-of-mail@127.0.0.1:1"
    assert "the mail server at 127.0.0.1:1 cannot be reached" in await unwell(doctor.mail, settings)
    settings.backend_url = "http://127.0.0.1:1"
    assert "the product at 127.0.0.1:1 cannot be reached" in await unwell(doctor.product, settings)


@pytest.fixture
async def chatwoot() -> AsyncIterator[FakeChatwoot]:
    async with FakeChatwoot() as running:
        yield running


def with_chatwoot(settings: Settings, chatwoot: FakeChatwoot, **other: str | int) -> Settings:
    chatwoot.webhook_url = f"{settings.public_base}/helpdesk/chatwoot"
    given: dict[str, str | int] = {
        "chatwoot_url": chatwoot.url,
        "chatwoot_account": chatwoot.account,
        "chatwoot_inbox": chatwoot.inbox,
        "chatwoot_token": chatwoot.token,
        "chatwoot_api_token": chatwoot.api_token,
        "chatwoot_secret": chatwoot.secret,
    }
    return settings.model_copy(update=given | other)


async def test_chatwoot_as_it_should_be_is_well(settings: Settings, chatwoot: FakeChatwoot) -> None:
    told = await doctor.chatwoot(with_chatwoot(settings, chatwoot))
    assert told == f'Chatwoot answers, and its inbox "AKSes" rings at {settings.public_base}/helpdesk/chatwoot'
    unsigned = await doctor.chatwoot(with_chatwoot(settings, chatwoot, chatwoot_secret=""))
    assert unsigned.endswith("its webhooks are not verified (no CHATWOOT_SECRET)")


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"chatwoot_inbox": 9}, "no such inbox"),
        ({"chatwoot_account": 9}, "no such inbox"),
        ({"chatwoot_api_token": "another"}, "CHATWOOT_API_TOKEN"),
        ({"chatwoot_token": "another"}, "does not know this CHATWOOT_TOKEN"),
        ({"chatwoot_token": "admin-token-of-nobody"}, "is a person's"),
        ({"chatwoot_url": "http://127.0.0.1:9"}, "cannot be reached"),
    ],
)
async def test_chatwoot_that_is_not_set_up_is_unwell(
    settings: Settings, chatwoot: FakeChatwoot, other: dict[str, str | int], said: str
) -> None:
    with pytest.raises(Unwell, match=said) as unwell:
        await doctor.chatwoot(with_chatwoot(settings, chatwoot, **other))
    assert not [token for token in (chatwoot.token, chatwoot.api_token, chatwoot.secret) if token in str(unwell.value)]


async def test_a_chatwoot_that_rings_elsewhere_or_has_no_bot_is_unwell(settings: Settings, chatwoot: FakeChatwoot) -> None:
    given = with_chatwoot(settings, chatwoot)
    chatwoot.bot_attached = False
    with pytest.raises(Unwell, match="no bot is connected"):
        await doctor.chatwoot(given)
    chatwoot.webhook_url = "https://elsewhere.example.com"
    with pytest.raises(Unwell, match="rings elsewhere"):
        await doctor.chatwoot(given)


async def test_a_chatwoot_of_a_private_network_must_be_allowed(
    settings: Settings, chatwoot: FakeChatwoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolve(_host: str, port: int, **_: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve, raising=False)
    given = with_chatwoot(settings, chatwoot, chatwoot_url=f"http://chatwoot.internal:{chatwoot.port}")
    with pytest.raises(Unwell, match="OUTBOUND_NETWORKS"):
        await doctor.chatwoot(given)
    assert await doctor.chatwoot(given.model_copy(update={"outbound_networks": "127.0.0.0/8"}))
