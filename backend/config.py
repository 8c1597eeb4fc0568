"""What the backend is told by the composition root, and nothing that it can find out by itself.

Lives here: values. Must not live here: reading the environment (`akses/settings.py`) or secrets of the keyring (`vault.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parseaddr
from typing import Final, Literal

from backend.access import ApiKey
from backend.init_data import Bot

# Seconds before attempt 2, 3, ...; the last one repeats until the link of the mail has expired.
MAIL_BACKOFF: Final = (2.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0)
# Seconds before attempt 2, 3, ...; short first, because a receiver that restarts is back in seconds; about four days in all.
HOOK_BACKOFF: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 120.0, 600.0, 3600.0, 10800.0, 21600.0, 43200.0, 86400.0, 86400.0, 86400.0)


# When a code sent to the phone is asked for: never, at an account's first log-in, or before it becomes active.
PhoneOtp = Literal["off", "first-login", "activation"]


@dataclass(frozen=True, slots=True)
class Timings:
    """How long things wait. The defaults are the product's; tests shorten them."""

    mail_backoff: tuple[float, ...] = MAIL_BACKOFF
    hook_backoff: tuple[float, ...] = HOOK_BACKOFF
    smtp_timeout: float = 20.0
    hook_timeout: float = 15.0
    purge_after: timedelta = timedelta(days=7)
    suppress_for: timedelta = timedelta(days=30)
    # The guide's step 7. The chat keeps to the same time by itself (`dialogs/profile.py`).
    resend_after: timedelta = timedelta(minutes=15)
    visit_life: timedelta = timedelta(minutes=30)
    session_idle: timedelta = timedelta(minutes=15)
    session_life: timedelta = timedelta(hours=8)
    password_link_life: timedelta = timedelta(hours=1)
    sms_timeout: float = 15.0


@dataclass(frozen=True, slots=True)
class BackendConfig:
    """`public_url` has no trailing slash; `mail_from` is an address, or "Name <address>".

    `database_url` is sqlite:////abs/path or postgresql://...; `smtp_url` is smtp://[user:password@]host[:port] (STARTTLS where offered,
    and demanded when there is a password) or smtps://. An empty `status_webhook_url` switches the status events' delivery off; each of
    `status_webhook_secrets` signs. Names of hosts may lead into `outbound_networks` besides the public internet. `api_keys` may do
    everything, `scoped_keys` what each says. `phone_otp` other than "off" needs `sms_url`, where messages are POSTed (`sms.py`).
    `check_registry` compares e-mails with the imported registry; `mails_an_hour` is the budget of the whole product. `trusted_proxies`
    are addresses or networks whose X-Forwarded-For is believed. With a `redis_url` all processes count together how often an address
    tries out links. With a `telegram` bot its chats have a page of ours, and their mails a code for it.
    """

    public_url: str
    operator_name: str
    demo: bool
    mail_from: str
    smtp_url: str
    database_url: str
    api_keys: tuple[str, ...]
    scoped_keys: tuple[ApiKey, ...] = ()
    status_webhook_url: str = ""
    status_webhook_secrets: tuple[str, ...] = ()
    outbound_networks: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    phone_otp: PhoneOtp = "off"
    sms_url: str = ""
    redis_url: str = ""
    telegram: Bot | None = None
    link_hours: float = 24
    resend_cooldown_seconds: int = 60
    check_registry: bool = False
    mails_an_hour: int = 2000
    timings: Timings = field(default_factory=Timings)

    @property
    def secure_cookies(self) -> bool:
        return self.public_url.startswith("https://")

    @property
    def mail_address(self) -> str:
        """The bare address of `mail_from`."""
        return parseaddr(self.mail_from)[1]
