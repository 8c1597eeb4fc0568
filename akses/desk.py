"""The helpdesk, wired: to the accounts' database, the one audit, the keyring and the backend's password rules.

Lives here: which of our parts stands behind each of `helpdesk/ports.py`, its schema, and the embedded product's way in. Must not live here:
anything that the helpdesk does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Final

from akses.keyring import Keyring
from akses.settings import Settings
from backend.audit import Audit
from backend.database import Database, blocking_engine
from backend.hashing import Hasher
from backend.passwords import broken_rules
from backend.throttle import Throttle
from backend.vault import Vault
from backend.waiting import until_it_answers
from bot.channels.web.transcript import utc_now
from helpdesk import migrations
from helpdesk.bridges.chatwoot.config import ChatwootConfig
from helpdesk.config import DeskConfig, OidcConfig
from helpdesk.console.managing import sign_in_link
from helpdesk.held import Held
from helpdesk.seals import Cells
from helpdesk.service import People, people

# Who sits before the embedded product: everything may be looked at.
_OWNER: Final = "demo"
_OWNERS_NAME: Final = "Petugas Demo"


def migrate(database_url: str) -> None:
    """Bring the helpdesk's schema up to date; quick when it is already."""
    engine = blocking_engine(database_url)
    try:
        migrations.migrate(engine)
    finally:
        engine.dispose()


def desk_config(settings: Settings) -> DeskConfig:
    """The helpdesk's part of the settings."""
    provider = None
    if settings.helpdesk_oidc_issuer:
        provider = OidcConfig(
            settings.helpdesk_oidc_issuer, settings.helpdesk_oidc_client_id, settings.helpdesk_oidc_client_secret
        )
    return DeskConfig(settings.public_base, settings.operator_name, settings.embedded, provider)


def chatwoot_config(settings: Settings) -> ChatwootConfig:
    """The inbox of Chatwoot that hand-offs go to."""
    return ChatwootConfig(
        settings.chatwoot_url.rstrip("/"),
        settings.chatwoot_account,
        settings.chatwoot_inbox,
        settings.chatwoot_token,
        settings.chatwoot_api_token,
        settings.chatwoot_secrets,
    )


def held(keyring: Keyring) -> Held:
    """What the helpdesk holds of people, for the accounts' side to copy and erase with the rest (`backend.subjects.Talks`)."""
    return Held(Cells(keyring), Database.lock)


@asynccontextmanager
async def open_people(
    settings: Settings, keyring: Keyring, *, clock: Callable[[], datetime] = utc_now
) -> AsyncIterator[People]:
    """The helpdesk's people on the accounts' database. Raises DeskOutdated, DatabaseUnreachable."""
    async with AsyncExitStack() as stack:
        database = Database(settings.accounts_url)
        stack.push_async_callback(database.close)
        await until_it_answers(database)
        async with database.reading() as conn:
            await conn.run_sync(migrations.require_current)
        throttle = Throttle(settings.redis_url)
        stack.push_async_callback(throttle.close)
        yield people(
            desk_config(settings),
            database,
            Audit(database, Vault(keyring)),
            keyring,
            hasher=Hasher(),
            judge=broken_rules,
            throttle=throttle,
            clock=clock,
        )


async def way_in(desk: People) -> str:
    """The address that lets the embedded product's owner into the helpdesk, once; a new one at every start."""
    owner = await desk.agents.by_login(_OWNER)
    if owner is None:
        owner, _ = await desk.agents.add(_OWNER, _OWNERS_NAME, ("supervisor", "admin", "auditor"))
    if owner.disabled_at is not None:
        return ""
    return sign_in_link(desk.config, await desk.agents.sign_in_link(owner.id))
