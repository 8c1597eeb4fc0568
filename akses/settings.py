"""The settings: twelve-factor environment variables with fixed names, checked together at the start, all faults told at once.

Lives here: names, types, what each mode demands, and the secrets that the embedded product makes for itself in DATA_DIR. Must not live
here: what is built from them (`akses/compose.py`). docs/settings.md is the table for operators.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
from collections.abc import Callable, Collection, Mapping
from datetime import time
from email.utils import parseaddr
from ipaddress import ip_network
from pathlib import Path
from typing import Final, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from akses.keyring import Keyring, KeyringInvalid
from backend.access import ApiKey, ApiKeyInvalid
from backend.init_data import Bot
from dialogs.office import Office

SECRETS_FILE: Final = "secrets.json"
# What each process of production cannot do without.
_ALL: Final = ("ENCRYPTION_KEYS", "BACKEND_API_KEY", "STATUS_WEBHOOK_SECRET", "OPERATOR_NAME", "PUBLIC_URL")
_BACKEND: Final = ("DATABASE_URL", "SMTP_URL")
NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "migrate": ("DATABASE_URL",),
    "web": (*_ALL, *_BACKEND, "STATUS_WEBHOOK_URL"),
    "worker": (*_ALL, *_BACKEND, "STATUS_WEBHOOK_URL"),
    "bot": (*_ALL, "REDIS_URL", "BACKEND_URL"),
    "run": (*_ALL, *_BACKEND, "REDIS_URL"),
    # In somebody's bot (`akses/telegram.py`), on Redis or not: there is no backend in the process that could make up what it shares.
    "guest": (*_ALL, "BACKEND_URL"),
    "doctor": _ALL,
    "funnel": ("REDIS_URL",),
    "bounce": ("BACKEND_API_KEY", "BACKEND_URL"),
    "records": ("DATABASE_URL", "ENCRYPTION_KEYS"),
}
# What the embedded product makes up for itself, once.
MADE: Final[Mapping[str, Callable[[], str]]] = {
    "encryption_keys": Keyring.generate,
    "backend_api_key": lambda: secrets.token_urlsafe(32),
    "status_webhook_secret": lambda: "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
}
# How the addresses of servers may begin.
ADDRESSES: Final[dict[str, tuple[str, ...]]] = {
    "DATABASE_URL": ("postgresql", "postgres"),
    "REDIS_URL": ("redis", "rediss"),
    "SMTP_URL": ("smtp", "smtps"),
    "SMS_URL": ("https", "http"),
    "BACKEND_URL": ("https", "http"),
    "STATUS_WEBHOOK_URL": ("https", "http"),
    "CHATWOOT_URL": ("https", "http"),
}

_PROVIDER: Final = ("HELPDESK_OIDC_ISSUER", "HELPDESK_OIDC_CLIENT_ID", "HELPDESK_OIDC_CLIENT_SECRET")
# An inbox of Chatwoot, and whom to come to it as; its webhooks' secret may not be known.
_CHATWOOT: Final = ("CHATWOOT_URL", "CHATWOOT_ACCOUNT", "CHATWOOT_INBOX", "CHATWOOT_TOKEN", "CHATWOOT_API_TOKEN")
# What WhatsApp cannot be switched on without, and what each is.
_WHATSAPP: Final = {
    "WHATSAPP_PHONE_ID": "the number's id in Meta's WhatsApp Manager",
    "WHATSAPP_APP_SECRET": "the app's secret at Meta, by which its webhooks are told from anybody's",
    "WHATSAPP_VERIFY_TOKEN": "a word of your own choice, the same as in the app's webhook settings",
}
_HERE: Final = ("localhost", "127.0.0.1", "::1")

_HOURS: Final = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d-(?:[01]\d|2[0-3]):[0-5]\d")
# Every group's id is negative; one with topics is a supergroup, whose id begins with -100.
_GROUP: Final = re.compile(r"-[1-9][0-9]{4,18}")
_MAILBOX: Final = re.compile(r"[^@\s]+@[^@\s]+")
# What a browser may compare a page's place with; anything more would be a piece of a policy.
_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?")


class SettingsInvalid(Exception):
    """The settings cannot be used; the text lists every fault, a line each, and no secret."""


class Settings(BaseSettings):
    """One field a variable; an empty variable counts as unset. Secrets are filled in by `load` where the embedded product makes them."""

    model_config = SettingsConfigDict(case_sensitive=False, env_ignore_empty=True, extra="ignore")

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    public_url: str = ""
    data_dir: Path = Path(".data")
    database_url: str = Field("", repr=False)
    redis_url: str = Field("", repr=False)
    smtp_url: str = Field("", repr=False)
    mail_from: str = "akses@ksei.co.id"
    sms_url: str = Field("", repr=False)
    phone_otp: Literal["off", "first-login", "activation"] = "off"
    backend_url: str = ""
    backend_api_key: str = Field("", repr=False)
    backend_scoped_keys: str = Field("", repr=False)
    telegram_bot_token: str = Field("", repr=False)
    telegram_bot_id: str = Field("", pattern="^[0-9]{0,20}$")
    telegram_app: Literal["on", "off"] = "on"
    telegram_api_base: str = "https://api.telegram.org"
    telegram_mode: Literal["polling", "webhook"] = "polling"
    telegram_webhook_secret: str = Field("", repr=False)
    telegram_framework: Literal["aiogram", "ptb"] = "aiogram"
    whatsapp_token: str = Field("", repr=False)
    whatsapp_phone_id: str = ""
    whatsapp_app_secret: str = Field("", repr=False)
    whatsapp_verify_token: str = Field("", repr=False)
    whatsapp_api_base: str = "https://graph.facebook.com"
    registry: Literal["off", "table"] = "off"
    mails_per_hour: int = Field(2000, ge=1)
    trusted_proxies: str = ""
    frame_ancestors: str = ""
    encryption_keys: str = Field("", repr=False)
    operator_name: str = ""
    status_webhook_url: str = ""
    status_webhook_secret: str = Field("", repr=False)
    outbound_networks: str = ""
    helpdesk_oidc_issuer: str = ""
    helpdesk_oidc_client_id: str = ""
    helpdesk_oidc_client_secret: str = Field("", repr=False)
    helpdesk_hours: str = ""
    helpdesk_group: str = ""
    chatwoot_url: str = ""
    chatwoot_account: int = Field(0, ge=0)
    chatwoot_inbox: int = Field(0, ge=0)
    chatwoot_token: str = Field("", repr=False)
    chatwoot_api_token: str = Field("", repr=False)
    chatwoot_secret: str = Field("", repr=False)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["auto", "console", "json"] = "auto"

    @property
    def office(self) -> Office:
        """When agents are at work. Where nothing is set: the embedded product's owner always, others in office hours."""
        written = self.helpdesk_hours or ("always" if self.embedded else "08:30-17:00")
        if written == "always":
            return Office(always=True)
        opens, closes = (time.fromisoformat(each) for each in written.split("-"))
        return Office(opens, closes)

    @property
    def desk_group(self) -> int:
        """The id of the helpdesk's Telegram group, 0 without one."""
        return int(self.helpdesk_group or 0)

    @property
    def embedded(self) -> bool:
        """Whether everything lives in DATA_DIR: the product that needs no server. Production sets DATABASE_URL and REDIS_URL."""
        return not (self.database_url or self.redis_url)

    @property
    def public_base(self) -> str:
        """The address that people's browsers use, without a slash at its end."""
        return (self.public_url or f"http://localhost:{self.port}").rstrip("/")

    @property
    def local_base(self) -> str:
        """The address at which this machine reaches its own web process."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104 (read here, not bound)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def accounts_url(self) -> str:
        return self.database_url or f"sqlite:///{(self.data_dir / 'accounts.db').resolve()}"

    @property
    def api_keys(self) -> tuple[str, ...]:
        """The bot sends the first; the backend takes all, so that they can be rotated."""
        return tuple(part.strip() for part in self.backend_api_key.split(",") if part.strip())

    @property
    def framing_origins(self) -> tuple[str, ...]:
        """Whose pages may show the web chat in a frame."""
        return tuple(part.rstrip("/") for part in self.frame_ancestors.replace(",", " ").split())

    @property
    def scoped_keys(self) -> tuple[ApiKey, ...]:
        """Keys for less than everything. Raises ApiKeyInvalid."""
        return tuple(ApiKey.parse(part.strip()) for part in self.backend_scoped_keys.split(",") if part.strip())

    @property
    def reveal_key(self) -> str:
        """The key by which the helpdesk asks for fields in the clear; "" where there is none."""
        return next((key.secret for key in self.scoped_keys if key.role == "reveal"), "")

    @property
    def trusted(self) -> tuple[str, ...]:
        """The proxies in front of us: what they say of a request's origin is believed."""
        return tuple(part.strip() for part in self.trusted_proxies.split(",") if part.strip())

    @property
    def allowed_networks(self) -> tuple[str, ...]:
        """Networks that are not public and into which the names in STATUS_WEBHOOK_URL and SMS_URL may lead."""
        return tuple(part.strip() for part in self.outbound_networks.split(",") if part.strip())

    @property
    def telegram_bot(self) -> Bot | None:
        """The bot whose chats have a page of ours; None where none is known, the page is off, or Telegram could not open it (no https)."""
        number = self.telegram_bot_id or self.telegram_bot_token.partition(":")[0]
        if not number.isdecimal() or self.telegram_app == "off" or not self.public_base.startswith("https://"):
            return None
        test = self.telegram_api_base.rstrip("/").endswith("/test")
        return Bot(int(number), self.telegram_bot_token, "test" if test else "production")

    @property
    def whatsapp_secrets(self) -> tuple[str, ...]:
        """Of the app at Meta; all verify, so that they can be rotated."""
        return tuple(part.strip() for part in self.whatsapp_app_secret.split(",") if part.strip())

    @property
    def chatwoot_secrets(self) -> tuple[str, ...]:
        """Of the inbox; all verify, so that they can be rotated."""
        return tuple(part.strip() for part in self.chatwoot_secret.split(",") if part.strip())

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """All sign and all verify, so that they can be rotated."""
        return tuple(part.strip() for part in self.status_webhook_secret.split(",") if part.strip())


def load(role: str = "run") -> Settings:
    """The settings from the environment, complete and consistent for this role. Raises SettingsInvalid."""
    try:
        settings = Settings()
    except ValidationError as error:
        raise SettingsInvalid(
            "\n".join(f"{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors(include_input=False))
        ) from None
    faults = _faults(settings, role)
    if faults:
        raise SettingsInvalid("\n".join(faults))
    if role == "guest":
        if not settings.redis_url:
            _make_secrets(settings, ("encryption_keys",))
    elif settings.embedded:
        _make_secrets(settings)
    if not settings.operator_name:
        settings.operator_name = "Demonstrasi AKSes (bukan KSEI)"
    return settings


def _faults(settings: Settings, role: str) -> list[str]:
    faults: list[str] = []
    if settings.encryption_keys:
        try:
            Keyring.parse(settings.encryption_keys)
        except KeyringInvalid as error:
            faults.append(f"ENCRYPTION_KEYS: {error}; make one with: akses keys new")
    faults += [
        f"{name}: is not written as {schemes[0]}://user:password@host:port"
        for name, schemes in ADDRESSES.items()
        if not _is_address(getattr(settings, name.lower()), schemes)
    ]
    if settings.public_url and not _is_site(settings.public_url):
        faults.append("PUBLIC_URL: is written https://host (or http://localhost:8080 on this machine), without a path")
    if not _MAILBOX.fullmatch(parseaddr(settings.mail_from)[1]):
        faults.append("MAIL_FROM: is written akses@example.co.id or Name <akses@example.co.id>")
    if settings.backend_api_key and not settings.api_keys:
        faults.append("BACKEND_API_KEY: has commas and no key")
    if settings.status_webhook_secret and not (settings.webhook_secrets and all(map(_is_secret, settings.webhook_secrets))):
        faults.append("STATUS_WEBHOOK_SECRET: is written whsec_BASE64, several with commas (docs/settings.md)")
    if settings.telegram_bot_id and settings.telegram_bot_token.partition(":")[0] not in ("", settings.telegram_bot_id):
        faults.append(
            "TELEGRAM_BOT_ID: is not the bot of TELEGRAM_BOT_TOKEN (the number before the colon); one of the two is enough"
        )
    if settings.telegram_bot_token and settings.telegram_mode == "webhook" and not settings.telegram_webhook_secret:
        faults.append("TELEGRAM_WEBHOOK_SECRET: webhook mode refuses to start without it (1-256 of A-Z a-z 0-9 _ -)")
    if settings.whatsapp_token and role in ("run", "bot", "doctor"):
        faults += [
            f"{name}: WHATSAPP_TOKEN needs it: {what} (docs/whatsapp.md)"
            for name, what in _WHATSAPP.items()
            if not getattr(settings, name.lower())
        ]
    hours = settings.helpdesk_hours
    if hours not in ("", "always") and not (_HOURS.fullmatch(hours) and hours[:5] < hours[6:]):
        faults.append("HELPDESK_HOURS: is written like 08:30-17:00 (Jakarta's time, on working days) or always")
    if settings.helpdesk_group and not _GROUP.fullmatch(settings.helpdesk_group):
        faults.append("HELPDESK_GROUP: is the id of a group, a number with a minus such as -1001234567890 (docs/helpdesk.md)")
    if settings.helpdesk_group and not settings.telegram_bot_token and role in ("run", "bot"):
        faults.append("TELEGRAM_BOT_TOKEN: HELPDESK_GROUP needs it, for it is the same bot that is in the group")
    if settings.helpdesk_group and role == "bot" and not settings.database_url:
        faults.append("HELPDESK_GROUP: the helpdesk, and with it its group, is there only where the bot has DATABASE_URL")
    provider = {name: getattr(settings, name.lower()) for name in _PROVIDER}
    if any(provider.values()):
        faults += [
            f"{name}: is needed beside the other HELPDESK_OIDC_ settings" for name, value in provider.items() if not value
        ]
        if settings.helpdesk_oidc_issuer and not _is_issuer(settings.helpdesk_oidc_issuer):
            faults.append(
                "HELPDESK_OIDC_ISSUER: is written https://host/path, without a slash at its end (http only on this machine)"
            )
    faults += _chatwoot_faults(settings, role)
    try:
        settings.scoped_keys  # noqa: B018 (only to see whether they can be read)
    except ApiKeyInvalid as error:
        faults.append(
            f"BACKEND_SCOPED_KEYS: a key is not written as channel:telegram+web:KEY, read:*:KEY or reveal:*:KEY: {error}"
        )
    if settings.phone_otp != "off" and not (settings.sms_url or settings.embedded) and role in ("run", "web", "worker"):
        faults.append("SMS_URL: PHONE_OTP needs a gateway that sends the codes (docs/settings.md)")
    faults += [
        f"FRAME_ANCESTORS: '{origin}' is not an origin such as https://broker.example"
        for origin in settings.framing_origins
        if not _ORIGIN.fullmatch(origin)
    ]
    faults += [
        f"{name}: '{network}' is neither an address nor a network (10.0.0.0/8)"
        for name, networks in (("TRUSTED_PROXIES", settings.trusted), ("OUTBOUND_NETWORKS", settings.allowed_networks))
        for network in networks
        if not _is_network(network)
    ]
    if role in ("web", "worker", "bot") and settings.embedded:
        faults.append(
            f"DATABASE_URL and REDIS_URL: 'akses {role}' is a process of production; for one machine alone use 'akses run'"
        )
    elif role == "guest":
        made = () if settings.redis_url else ("ENCRYPTION_KEYS",)
        faults += [f"{name}: must be set" for name in NEEDED[role] if name not in made and not getattr(settings, name.lower())]
    elif not settings.embedded:
        faults += [f"{name}: must be set in production" for name in NEEDED.get(role, ()) if not getattr(settings, name.lower())]
    return faults


def _chatwoot_faults(settings: Settings, role: str) -> list[str]:
    given = {name: getattr(settings, name.lower()) for name in _CHATWOOT}
    if not any((*given.values(), settings.chatwoot_secret)):
        return []
    faults = [f"{name}: is needed beside the other CHATWOOT_ settings" for name, value in given.items() if not value]
    parts = _parts(settings.chatwoot_url)
    if parts.query or parts.fragment or "/api/" in parts.path or "/app/" in parts.path:
        faults.append("CHATWOOT_URL: is Chatwoot's own address alone, such as https://chat.example.com")
    if parts.username or parts.password:
        faults.append("CHATWOOT_URL: holds a name or password; CHATWOOT_TOKEN and CHATWOOT_API_TOKEN are what lets us in")
    if settings.chatwoot_token and settings.chatwoot_token == settings.chatwoot_api_token:
        faults.append(
            "CHATWOOT_TOKEN: is the agent bot's own, and another than CHATWOOT_API_TOKEN, which is an administrator's"
        )
    if role == "bot" and not settings.database_url:
        faults.append("CHATWOOT_URL: the helpdesk, and with it Chatwoot, is there only where the bot has DATABASE_URL")
    return faults


def _parts(written: str) -> SplitResult:
    """Of what is no address at all none."""
    try:
        return urlsplit(written)
    except ValueError:
        return urlsplit("")


def _is_address(written: str, schemes: tuple[str, ...]) -> bool:
    """Whether nothing is written, or an address of one of these kinds whose port is a number."""
    try:
        parts = urlsplit(written)
        known = parts.scheme.partition("+")[0] in schemes and (parts.port or 0) >= 0
        # A database may be on a socket of this machine.
        return not written or (known and bool(parts.hostname or schemes[0].startswith("postgres")))
    except ValueError:
        return False


def _is_site(written: str) -> bool:
    """Whether it is where a whole site begins: its pages and the links in mails know their own paths."""
    parts = _parts(written)
    bare = parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username or parts.password)
    return bare and _is_address(written, ("https", "http"))


def _is_issuer(written: str) -> bool:
    parts = _parts(written)
    return not written.endswith("/") and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _HERE))


def _is_secret(written: str) -> bool:
    """Whether it can sign as Standard Webhooks have it; read as leniently as their library does."""
    try:
        return bool(base64.b64decode(written.removeprefix("whsec_")))
    except ValueError:
        return False


def _is_network(written: str) -> bool:
    try:
        ip_network(written, strict=False)
    except ValueError:
        return False
    return True


def _make_secrets(settings: Settings, names: Collection[str] = MADE) -> None:
    """Fill in what is unset of these from DATA_DIR/secrets.json, made once with mode 0600; a half-written file cannot come to be."""
    folder = settings.data_dir
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / SECRETS_FILE
    try:
        kept: dict[str, str] = dict(json.loads(path.read_text())) if path.exists() else {}
    except ValueError:
        raise SettingsInvalid(
            f"{path}: is damaged; bring back its backup, for without its keys the data here cannot be read"
        ) from None
    made = kept | {name: MADE[name]() for name in names if not kept.get(name)}
    if made != kept:
        fresh = path.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(made, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    for name in names:
        if not getattr(settings, name):
            setattr(settings, name, made[name])
