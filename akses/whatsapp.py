"""The registration dialog in WhatsApp, from the settings: what `akses/compose.py` builds when WHATSAPP_TOKEN is set.

Lives here: the WhatsApp part of the settings and its wiring. Must not live here: what any part does (`bot/channels/whatsapp/`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from akses.keyring import Keyring
from akses.settings import Settings
from bot.channels.whatsapp.channel import LIMITS
from bot.channels.whatsapp.running import WhatsApp, WhatsAppConfig
from bot.redis_limits import RedisBuckets
from bot.redis_link import RedisLink
from bot.stores.port import Store


def whatsapp_config(settings: Settings) -> WhatsAppConfig:
    """The number's part of the settings. Raises WhatsAppConfigInvalid."""
    return WhatsAppConfig(
        token=settings.whatsapp_token,
        phone_id=settings.whatsapp_phone_id,
        app_secrets=settings.whatsapp_secrets,
        verify_token=settings.whatsapp_verify_token,
        api_base=settings.whatsapp_api_base,
    )


def build(
    settings: Settings, store: Store, keyring: Keyring, link: RedisLink | None, clock: Callable[[], datetime]
) -> WhatsApp:
    """`store` is where the dialogs lie; with Redis all processes of this number count their messages together. Raises
    WhatsAppConfigInvalid.
    """
    config = whatsapp_config(settings)
    buckets = RedisBuckets(link, f"whatsapp-{config.phone_id}", LIMITS) if link else None
    return WhatsApp(config, store, keyring, buckets=buckets, clock=clock)
