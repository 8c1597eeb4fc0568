"""`akses doctor`: look at the settings and at every part that this machine can reach, and say in words what is wrong.

Lives here: the checks. Must not live here: mending. Each line is "ok" or "!!", and nothing personal or secret is printed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from akses.settings import Settings

PATIENCE_SECONDS: Final = 5.0
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


async def address(settings: Settings) -> str:
    base = urlsplit(settings.public_base)
    if base.scheme != "https" and base.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise Unwell("PUBLIC_URL is not https: passwords would travel in the clear")
    loopback = settings.host == "localhost" or ip_address(settings.host).is_loopback
    if settings.embedded and not loopback:
        raise Unwell("HOST is open to the network, and the embedded product is a demonstration for this machine")
    return f"people reach it at {settings.public_base}"


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
        raise Unwell(f"the accounts database cannot be used: {type(error).__name__}") from None
    finally:
        engine.dispose()
    return f"the accounts database is at schema {HEAD}"


async def mail(settings: Settings) -> str:
    if not settings.smtp_url:
        return "mail goes to the built-in inbox (/inbox)"
    parts = urlsplit(settings.smtp_url)
    port = parts.port or (465 if parts.scheme == "smtps" else 25)
    await reach(parts.hostname or "", port, "the mail server")
    return f"the mail server {parts.hostname}:{port} answers"


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


async def reach(host: str, port: int, what: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        raise Unwell(f"{what} at {host}:{port} cannot be reached") from None
    writer.close()


CHECKS: Final[dict[str, Check]] = {
    "data folder": data_folder,
    "address": address,
    "accounts": accounts,
    "mail": mail,
    "product": product,
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
