"""`akses doctor`: look at the settings and at every part that this machine can reach, and say in words what is wrong.

Lives here: the checks. Must not live here: mending. Each line is "ok" or "!!", and nothing personal or secret is printed. A check changes
nothing; the only thing it sends that anybody notices is a signed event of no known type to the status webhook, which says 204 and forgets.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from akses.faults import why
from akses.settings import SECRETS_FILE, Settings

PATIENCE_SECONDS: Final = 5.0
# Signed webhooks are refused when the clocks of two machines are five minutes apart; timers and links begin to err long before.
SKEW_SECONDS: Final = 5.0
# A mail or an event that has waited so long for its first attempt waits for a worker that is not there.
WAITING_SECONDS: Final = 120.0
# More updates than this waiting at Telegram, and people have been waiting, too.
PENDING_UPDATES: Final = 100
Check = Callable[[Settings], Awaitable[str]]


class Unwell(Exception):
    """What is wrong and what to do."""


async def data_folder(settings: Settings) -> str:
    folder = settings.data_dir
    if not folder.exists():
        return f"{folder} does not exist yet; the first run makes it"
    if folder.stat().st_mode & 0o077:
        raise Unwell(f"{folder} can be read by others: chmod 700 {folder}")
    if not os.access(folder, os.W_OK):
        raise Unwell(f"{folder} cannot be written")
    return f"{folder} is there and private"


async def secret_files(settings: Settings) -> str:
    """What DATA_DIR holds of secrets and personal data may be read by this user alone, whatever the folder's own mode is one day."""
    if not settings.embedded:
        return "the secrets come from the environment"
    names = (SECRETS_FILE, "terminal-session", "accounts.db", "dialog.db", "transcript.db")
    files = [path for path in (settings.data_dir / name for name in names) if path.exists()]
    for path in files:
        found = path.stat()
        if found.st_uid != os.geteuid():
            raise Unwell(f"{path} belongs to another user: chown it to the one that runs the product")
        if found.st_mode & 0o077:
            holds = "a secret" if path.name in names[:2] else "personal data"
            raise Unwell(f"{path} holds {holds} and can be read by others: chmod 600 {path}")
    return f"{len(files)} files, none open to others"


async def address(settings: Settings) -> str:
    base = urlsplit(settings.public_base)
    if base.scheme != "https" and base.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise Unwell("PUBLIC_URL is not https: passwords would travel in the clear")
    if settings.embedded and not _is_loopback(settings.host):
        raise Unwell("HOST is open to the network, and the embedded product is a demonstration for this machine")
    return f"people reach it at {settings.public_base}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name of this machine
        return host == "localhost"


async def accounts(settings: Settings) -> str:
    if settings.embedded and not (settings.data_dir / "accounts.db").exists():
        return "the accounts database does not exist yet; the first run makes it"
    return await asyncio.to_thread(_schema, settings.accounts_url)


def _schema(url: str) -> str:
    import sqlalchemy

    from backend.database import blocking_engine
    from backend.migrations import HEAD, SchemaOutdated, require_current

    engine = blocking_engine(url)
    try:
        with engine.connect() as connection:
            require_current(connection)
    except SchemaOutdated as reason:
        raise Unwell(f"{reason} (akses migrate)") from None
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise Unwell(f"the accounts database cannot be used: {why(error)}") from None
    finally:
        engine.dispose()
    return f"the accounts database is at schema {HEAD}"


async def dialogs(settings: Settings) -> str:
    """Redis answers, keeps what it is told to keep, and has room."""
    if not settings.redis_url:
        return "dialogs are kept in DATA_DIR"
    server, memory = await _redis(settings, "server"), await _redis(settings, "memory")
    persistence = await _redis(settings, "persistence")
    if memory.get("maxmemory_policy", "noeviction") != "noeviction":
        raise Unwell(
            f"Redis throws dialogs away when it is full (maxmemory-policy {memory['maxmemory_policy']}): set it to noeviction"
        )
    if not persistence.get("aof_enabled"):
        raise Unwell("Redis forgets every open dialog when it restarts: set appendonly yes")
    if persistence.get("aof_last_write_status", "ok") != "ok":
        raise Unwell("Redis could not write its append-only file the last time: look at its disk")
    used, limit = int(memory.get("used_memory", 0)), int(memory.get("maxmemory", 0))
    if limit and used > 0.8 * limit:
        raise Unwell(f"Redis uses {used * 100 // limit} % of its maxmemory, and turns fail when it is full: give it more")
    return f"Redis {server.get('redis_version', '')} answers, writes its append-only file and evicts nothing"


async def _redis(settings: Settings, section: str) -> dict[str, Any]:
    from redis.asyncio import Redis
    from redis.exceptions import AuthenticationError, RedisError

    try:
        async with asyncio.timeout(PATIENCE_SECONDS), Redis.from_url(settings.redis_url) as client:
            found: dict[str, Any] = await client.info(section)
    except AuthenticationError:
        raise Unwell("Redis refuses the name or the password of REDIS_URL") from None
    except ValueError:
        raise Unwell("REDIS_URL is no address of a Redis: redis://host:port/0 or rediss://...") from None
    except (RedisError, OSError, TimeoutError) as error:
        raise Unwell(f"Redis cannot be used: {why(error)}") from None
    return found


async def clock(settings: Settings) -> str:
    """This machine's clock beside those of Redis and PostgreSQL: timers, links and signatures are judged by several."""
    apart: dict[str, float] = {}
    if settings.redis_url:
        began = time.time()
        microseconds = int((await _redis(settings, "server")).get("server_time_usec", 0))
        if microseconds:
            apart["Redis"] = microseconds / 1e6 - (began + time.time()) / 2
    if settings.database_url:
        apart["PostgreSQL"] = await asyncio.to_thread(_database_clock, settings.accounts_url)
    for name, seconds in apart.items():
        if abs(seconds) > SKEW_SECONDS:
            ahead = "ahead of" if seconds > 0 else "behind"
            raise Unwell(
                f"{name} is {abs(seconds):.0f} s {ahead} this machine's clock: synchronise both (chrony, systemd-timesyncd)"
            )
    return f"within {SKEW_SECONDS:g} s of {' and '.join(apart)}" if apart else "this machine's clock is the only one"


def _database_clock(url: str) -> float:
    """How far the database's clock is ahead of ours, in seconds."""
    import sqlalchemy

    from backend.database import blocking_engine

    engine = blocking_engine(url)
    try:
        with engine.connect() as connection:
            began = datetime.now(UTC)
            theirs: datetime = connection.execute(sqlalchemy.text("SELECT clock_timestamp()")).scalar_one()
            return (theirs - (began + (datetime.now(UTC) - began) / 2)).total_seconds()
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise Unwell(f"the accounts database cannot be asked for its time: {why(error)}") from None
    finally:
        engine.dispose()


async def durable_work(settings: Settings) -> str:
    """Somebody does the durable work, it keeps up, and nothing was given up that a human has not looked at."""
    from sqlalchemy.exc import SQLAlchemyError

    from backend.database import Database
    from backend.jobs import Jobs

    if settings.embedded and not (settings.data_dir / "accounts.db").exists():
        return "there is none yet; the first run makes it"
    database = Database(settings.accounts_url)
    jobs = Jobs(database, settings.accounts_url)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            stats = await jobs.stats()
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        raise Unwell(f"the accounts database cannot be asked for its jobs: {why(error)}") from None
    finally:
        await jobs.close()
        await database.close()
    if stats.dead_total:
        dead = ", ".join(f"{job} {count}" for job, count in sorted(stats.dead.items()))
        raise Unwell(f"jobs were given up ({dead}): akses jobs dead tells why; mend that, then akses jobs replay --all")
    if stats.late or stats.oldest > WAITING_SECONDS:
        waiting = sum(stats.waiting.values()) + stats.late
        raise Unwell(f"jobs wait ({waiting}), the first for {stats.oldest:.0f} s: is a worker running, and does it keep up?")
    return f"{sum(stats.waiting.values())} waiting, {stats.running} under way, none given up"


async def registry(settings: Settings) -> str:
    """Where e-mails are compared with a list of investors, there is one."""
    if settings.registry == "off":
        return "e-mails are not compared with a list of investors (REGISTRY)"
    if settings.embedded and not (settings.data_dir / "accounts.db").exists():
        return "there is no list of investors yet"
    from sqlalchemy.exc import SQLAlchemyError

    from akses.keyring import Keyring
    from backend.audit import Audit
    from backend.clock import utc_now
    from backend.database import Database
    from backend.registry import TableRegistry
    from backend.vault import Vault

    database, vault = Database(settings.accounts_url), Vault(Keyring.parse(settings.encryption_keys))
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            edition = await TableRegistry(database, vault, Audit(database, vault), utc_now).edition()
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        raise Unwell(f"the accounts database cannot be asked for its list of investors: {why(error)}") from None
    finally:
        await database.close()
    if edition is None:
        raise Unwell("REGISTRY=table, and no list was imported: nobody's e-mail is compared (akses registry import)")
    return f"{edition.lines} lines of investors, since {edition.completed_at:%Y-%m-%d %H:%M}Z"


async def mail(settings: Settings) -> str:
    if not settings.smtp_url:
        return "mail goes to the built-in inbox (/inbox)"
    parts = urlsplit(settings.smtp_url)
    port = parts.port or (465 if parts.scheme == "smtps" else 25)
    await reach(parts.hostname or "", port, "the mail server")
    return f"the mail server {parts.hostname}:{port} answers"


async def sms(settings: Settings) -> str:
    if settings.phone_otp == "off":
        return "no codes are sent to phones (PHONE_OTP is off)"
    if not settings.sms_url:
        return "codes go to the built-in inbox (/inbox)"
    parts = urlsplit(settings.sms_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    await reach(parts.hostname or "", port, "the SMS gateway")
    return f"the SMS gateway {parts.hostname}:{port} answers"


async def product(settings: Settings) -> str:
    base = urlsplit(settings.backend_url or settings.local_base)
    port = base.port or (443 if base.scheme == "https" else 80)
    try:
        await reach(base.hostname or "", port, "the product")
    except Unwell:
        if settings.backend_url:
            raise
        return "the product is not running on this machine just now"
    return f"the product answers at {base.hostname}:{port}"


async def status_webhook(settings: Settings) -> str:
    """The backend's way to the bot: both sides must know the secret, and what stands between must let it through."""
    import httpx2
    from standardwebhooks import Webhook

    from backend.outbound import AddressRefused, PinnedTransport

    url = settings.status_webhook_url or f"{settings.local_base}/status/webhook"
    at, event = datetime.now(UTC), f"doctor_{secrets.token_hex(8)}"
    body = json.dumps({"type": "doctor.asked", "timestamp": at.isoformat(), "data": {}})
    try:
        signature = Webhook(settings.webhook_secrets[0]).sign(event, at, body)
    except Exception:  # noqa: BLE001 (no secret, no base64, nothing within: it is not one)
        raise Unwell("STATUS_WEBHOOK_SECRET is not written as whsec_BASE64") from None
    headers = {
        "content-type": "application/json",
        "webhook-id": event,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }
    try:
        transport = PinnedTransport(settings.allowed_networks)
        async with httpx2.AsyncClient(transport=transport, trust_env=False, timeout=PATIENCE_SECONDS) as client:
            answer = await client.post(url, content=body, headers=headers)
    except AddressRefused:
        raise Unwell(
            "the name in STATUS_WEBHOOK_URL leads into a network that is not public: name it in OUTBOUND_NETWORKS"
        ) from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        if not settings.status_webhook_url:
            return "the product is not running on this machine just now"
        raise Unwell(
            f"the bot's status webhook cannot be reached ({type(error).__name__}): look at STATUS_WEBHOOK_URL"
        ) from None
    match answer.status_code:
        case 204:
            return "the bot takes events that are signed with this secret"
        case 401:
            raise Unwell(
                "the bot refuses our signature: STATUS_WEBHOOK_SECRET differs there, or its clock is minutes away from ours"
            )
        case code:
            raise Unwell(f"the bot's status webhook answers {code} instead of 204: look at STATUS_WEBHOOK_URL")


async def revealing(settings: Settings) -> str:
    """Whether agents can be shown a field in the clear after the hand-off: the operator's choice, and easily forgotten."""
    if settings.reveal_key or (settings.embedded and not settings.backend_url):
        return "agents with the right see a field of a registration in the clear, for a reason"
    return "no field of a registration that was handed over is shown in the clear (BACKEND_SCOPED_KEYS has no reveal:*:KEY)"


async def telegram(settings: Settings) -> str:
    """Telegram knows the token, and in webhook mode where to send updates, and gets them delivered."""
    if not settings.telegram_bot_token:
        return "Telegram is off (no TELEGRAM_BOT_TOKEN)"
    username = (await _telegram(settings, "getMe")).get("username", "")
    hook = await _telegram(settings, "getWebhookInfo")
    url, expected = str(hook.get("url", "")), f"{settings.public_base}/telegram/webhook"
    if settings.telegram_mode == "polling":
        if url:
            raise Unwell(
                "Telegram sends updates to a webhook, so polling gets none: does another process use this bot's token?"
            )
        return f"@{username}, polling"
    if url != expected:
        raise Unwell(f"Telegram sends updates elsewhere than {expected}: start the bot, or see who else uses its token")
    waiting, failed_at = int(hook.get("pending_update_count", 0)), int(hook.get("last_error_date", 0))
    if waiting > PENDING_UPDATES or (waiting and time.time() - failed_at < 600):
        why = "" if not hook.get("last_error_message") else f' ("{hook["last_error_message"]}")'
        raise Unwell(f"{waiting} updates wait at Telegram{why}: it must reach {expected}")
    return f"@{username}, webhook at {expected}"


async def whatsapp(settings: Settings) -> str:
    """Meta knows the token and the number, and our webhook answers as Meta asks it."""
    if not settings.whatsapp_token:
        return "WhatsApp is off (no WHATSAPP_TOKEN)"
    from bot.channels.whatsapp.graph import Graph, GraphError

    graph = Graph(settings.whatsapp_token, settings.whatsapp_phone_id, settings.whatsapp_api_base)
    try:
        number = await graph.number(within=PATIENCE_SECONDS)
    except GraphError as error:
        if not error.status:
            raise Unwell(f"Meta cannot be reached: {error.reason}") from None
        if error.code == 190 or error.status == 401:
            raise Unwell("Meta does not know this WHATSAPP_TOKEN, or it is over: make one for the system user") from None
        raise Unwell(f"Meta shows no such number to this token ({error.reason}): look at WHATSAPP_PHONE_ID") from None
    finally:
        await graph.close()
    if not number:
        raise Unwell("what answers at WHATSAPP_API_BASE is no Graph API")
    base = urlsplit(settings.public_base)
    if base.scheme != "https" and settings.whatsapp_api_base.startswith("https://graph.facebook.com"):
        raise Unwell("Meta calls https only: set PUBLIC_URL to an https address at which it reaches /whatsapp/webhook")
    return f"+{number}, {await _whatsapp_webhook(settings)}"


async def _whatsapp_webhook(settings: Settings) -> str:
    """Raises Unwell."""
    import httpx2

    from bot.channels.whatsapp.webhook import PATH

    url, said = f"{settings.public_base}{PATH}", secrets.token_hex(8)
    asked = {"hub.mode": "subscribe", "hub.verify_token": settings.whatsapp_verify_token, "hub.challenge": said}
    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client:
            answer = await client.get(url, params=asked)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise Unwell(f"the webhook cannot be reached at {url}: {why(error)}") from None
    if answer.status_code == 403:
        raise Unwell(f"the bot behind {url} has another WHATSAPP_VERIFY_TOKEN")
    if answer.status_code != 200 or answer.text != said:
        raise Unwell(
            f"{url} does not answer as Meta will ask it ({answer.status_code}): lead it to a bot that has WHATSAPP_TOKEN"
        )
    return f"webhook at {url}"


async def telegram_page(settings: Settings) -> str:
    """The page that the chat's button opens is there, and may be framed by Telegram's web clients."""
    if settings.telegram_bot is None:
        return "no page inside Telegram (it needs a bot and https in PUBLIC_URL)"
    return await page_in_telegram(f"{settings.public_base}/telegram/app")


async def page_in_telegram(url: str) -> str:
    """Raises Unwell."""
    import httpx2

    from backend.pages.headers import TELEGRAM_WEB

    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client:
            answer = await client.get(url)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise Unwell(f"the page inside Telegram cannot be reached at {url}: {why(error)}") from None
    if answer.status_code != 200:
        raise Unwell(
            f"the page inside Telegram answers {answer.status_code}: set TELEGRAM_BOT_ID for the web process and lead {url} there,"
            " or set TELEGRAM_APP=off"
        )
    if TELEGRAM_WEB[0] not in answer.headers.get("content-security-policy", "") or "x-frame-options" in answer.headers:
        raise Unwell(f"what stands before {url} changes its headers, so Telegram's web clients cannot show it")
    return f"the page inside Telegram is at {url}"


async def helpdesk_group(settings: Settings) -> str:
    """The group is there and has topics, and the bot may make them, reads what agents write, and may delete what was erased."""
    if not settings.desk_group:
        return "agents answer in the console alone (no HELPDESK_GROUP)"
    if not settings.telegram_bot_token:
        return "HELPDESK_GROUP is the bot's; this process has no TELEGRAM_BOT_TOKEN"
    chat = await _telegram(settings, "getChat", chat_id=settings.desk_group)
    if not chat.get("is_forum"):
        raise Unwell("the group of HELPDESK_GROUP has no topics: turn them on in the group's settings")
    bot = int(settings.telegram_bot_token.partition(":")[0])
    member = await _telegram(settings, "getChatMember", chat_id=settings.desk_group, user_id=bot)
    if not member.get("can_manage_topics"):
        raise Unwell("the bot may not manage the group's topics: make it an administrator there, with that right")
    if not member.get("can_delete_messages"):
        raise Unwell(
            "the bot may not delete messages in the group: what a person has erased would stay there; give it that right"
        )
    return "the bot may manage the topics of the helpdesk's group"


async def _telegram(settings: Settings, method: str, **params: int) -> dict[str, Any]:
    import httpx2

    from bot.channels.telegram.api import address

    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client:
            url = f"{address(settings.telegram_api_base).format(token=settings.telegram_bot_token)}/{method}"
            answer = (await client.get(url, params=params)).json()
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        raise Unwell(f"Telegram cannot be reached: {why(error)}") from None
    if not isinstance(answer, dict) or not answer.get("ok"):
        code = answer.get("error_code") if isinstance(answer, dict) else None
        moved = answer.get("parameters", {}).get("migrate_to_chat_id") if isinstance(answer, dict) else None
        if moved:
            raise Unwell(f"the group has become another one when it got topics: HELPDESK_GROUP={moved}")
        if code == 400 and params:
            raise Unwell("Telegram knows no such group with the bot in it: look at HELPDESK_GROUP")
        raise Unwell(
            "Telegram does not know this TELEGRAM_BOT_TOKEN" if code in (401, 404) else f"Telegram answers {method} with {code}"
        )
    result: dict[str, Any] = answer["result"]
    return result


async def chatwoot(settings: Settings) -> str:
    """Chatwoot knows both tokens, the inbox is one for us, its bot is ours, and it rings where we listen."""
    if not settings.chatwoot_url:
        return "hand-offs go to no Chatwoot (no CHATWOOT_URL)"
    status, inbox = await _chatwoot(settings, f"inboxes/{settings.chatwoot_inbox}", settings.chatwoot_api_token)
    if status == 404:
        raise Unwell("Chatwoot has no such inbox: look at CHATWOOT_ACCOUNT and CHATWOOT_INBOX")
    if status in (401, 403):
        raise Unwell("Chatwoot refuses CHATWOOT_API_TOKEN: it must be that of an administrator of CHATWOOT_ACCOUNT")
    if status != 200:
        raise Unwell(f"Chatwoot answers {status}")
    if inbox.get("channel_type") != "Channel::Api":
        raise Unwell("CHATWOOT_INBOX is an inbox for something else: make one of the kind API")
    expected = f"{settings.public_base}/helpdesk/chatwoot"
    if inbox.get("webhook_url") != expected:
        raise Unwell(f"the inbox rings elsewhere: in its settings, the webhook URL is to be {expected}")
    _, bot = await _chatwoot(settings, f"inboxes/{settings.chatwoot_inbox}/agent_bot", settings.chatwoot_api_token)
    if not (bot.get("agent_bot") or {}).get("id"):
        raise Unwell("no bot is connected to the inbox: connect the agent bot whose token CHATWOOT_TOKEN is")
    # A bot is told that this is not for bots, anybody else's token either opens it or is not known.
    status, answer = await _chatwoot(settings, "agents", settings.chatwoot_token)
    if status == 200:
        raise Unwell("CHATWOOT_TOKEN is a person's: it must be the agent bot's, or its words come back as that person's")
    if "bots" not in str(answer.get("error")):
        raise Unwell("Chatwoot does not know this CHATWOOT_TOKEN")
    unsigned = "" if settings.chatwoot_secrets else "; its webhooks are not verified (no CHATWOOT_SECRET)"
    return f'Chatwoot answers, and its inbox "{inbox.get("name", "")}" rings at {expected}{unsigned}'


async def _chatwoot(settings: Settings, path: str, token: str) -> tuple[int, dict[str, Any]]:
    """Status and answer; {} for one that is no object. Raises Unwell."""
    import httpx2

    from backend.outbound import AddressRefused, PinnedTransport

    url = f"{settings.chatwoot_url.rstrip('/')}/api/v1/accounts/{settings.chatwoot_account}/{path}"
    try:
        transport = PinnedTransport(settings.allowed_networks)
        async with httpx2.AsyncClient(transport=transport, trust_env=False, timeout=PATIENCE_SECONDS) as client:
            answer = await client.get(url, headers={"api_access_token": token})
            found = answer.json()
    except AddressRefused:
        raise Unwell("the name in CHATWOOT_URL leads into a network that is not public: name it in OUTBOUND_NETWORKS") from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise Unwell(f"Chatwoot cannot be reached: {why(error)}") from None
    except ValueError:
        raise Unwell("what answers at CHATWOOT_URL is no Chatwoot") from None
    return answer.status_code, found if isinstance(found, dict) else {}


async def reach(host: str, port: int, what: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        raise Unwell(f"{what} at {host}:{port} cannot be reached") from None
    writer.close()


CHECKS: Final[dict[str, Check]] = {
    "data folder": data_folder,
    "secrets": secret_files,
    "address": address,
    "accounts": accounts,
    "dialogs": dialogs,
    "clock": clock,
    "durable work": durable_work,
    "registry": registry,
    "mail": mail,
    "sms": sms,
    "product": product,
    "status webhook": status_webhook,
    "telegram": telegram,
    "page inside Telegram": telegram_page,
    "whatsapp": whatsapp,
    "helpdesk": revealing,
    "chatwoot": chatwoot,
    "helpdesk group": helpdesk_group,
}


async def examine(settings: Settings) -> int:
    """Print a line a check; the exit code is 1 when any of them is unwell."""
    unwell = 0
    sys.stdout.write("ok  settings: complete and consistent\n")
    for name, check in CHECKS.items():
        try:
            sys.stdout.write(f"ok  {name}: {await check(settings)}\n")
        except Unwell as reason:
            unwell += 1
            sys.stdout.write(f"!!  {name}: {reason}\n")
    return 1 if unwell else 0
