"""What can keep a command from running that is nobody's defect, each in one clear sentence that says what to do.

Lives here: which error means what to an operator. Must not live here: anything secret or personal: names of settings, never their values.
"""

from __future__ import annotations

import errno
import socket
from typing import Final

from akses.settings import SettingsInvalid

# What PostgreSQL, Redis and the system say when they cannot be reached, and what it means. Their own words hold values of settings.
_REASONS: Final = (
    ("connection refused", "nothing listens at its address"),
    ("no such file or directory", "there is no such socket"),
    ("name or service not known", "the name of its host is known to nobody"),
    ("name resolution", "the name of its host cannot be looked up just now"),
    ("no address associated", "the name of its host has no address"),
    ("no route to host", "no way leads to its host"),
    ("network is unreachable", "no way leads to its host"),
    ("timed out", "it does not answer"),
    ("timeout", "it does not answer"),
    ("password authentication failed", "it refuses the name or the password"),
    ("no password supplied", "it asks for a password"),
    ("no pg_hba.conf entry", "it lets nobody in from this machine (pg_hba.conf)"),
    ("too many clients", "it takes no more connections (max_connections)"),
    ("remaining connection slots", "it takes no more connections (max_connections)"),
    ("is starting up", "it is still starting"),
    ("is shutting down", "it is stopping"),
    ("certificate", "its certificate is not trusted"),
    ("ssl", "it does not speak TLS as asked"),
    ("undefinedtable", "it was never brought up to date (akses migrate)"),
    ("invalidschemaname", "it was never brought up to date (akses migrate)"),
    ("does not exist", "there is no such database or user"),
)


def why(error: BaseException) -> str:
    """Why something cannot be reached, in words without a value of any setting; the error's kind where we know no better."""
    cause = getattr(error, "orig", None) or error
    said = f"{type(cause).__name__} {cause}".casefold()
    return next((words for needle, words in _REASONS if needle in said), type(cause).__name__)


def foreseen(error: BaseException) -> str | None:
    """The sentence for this error, None for one that nobody foresaw (a defect, to be seen with its traceback)."""
    # Only somebody who has failed pays for these imports.
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    from akses.compose import AlreadyRunning
    from backend.database import DatabaseInUse
    from backend.migrations import SchemaOutdated
    from backend.waiting import DatabaseUnreachable
    from bot.channels.telegram.running import TelegramConfigInvalid
    from bot.channels.whatsapp.running import WhatsAppConfigInvalid
    from bot.funnel import BookUnavailable
    from bot.redis_link import RedisUnavailable
    from helpdesk.migrations import DeskOutdated

    match error:
        case SettingsInvalid():
            return "The settings cannot be used:\n" + "\n".join(f"  {line}" for line in str(error).splitlines())
        case AlreadyRunning():
            return f"Another process already works on {error}. Stop it first, or set DATA_DIR to another folder."
        case DatabaseInUse():
            return f"{error}. Stop it first, or use PostgreSQL (DATABASE_URL)."
        case DatabaseUnreachable():
            return (
                "The accounts database does not answer: look at DATABASE_URL and at PostgreSQL itself, or ask 'akses doctor'."
            )
        case SchemaOutdated() | DeskOutdated():
            return f"The accounts database is not at this version's schema: run 'akses migrate' first. ({error})"
        case TelegramConfigInvalid() | WhatsAppConfigInvalid():
            return f"{error}."
        case RedisUnavailable():
            reason = why(error.__cause__ or error)
            return f"Redis cannot be reached ({reason}): look at REDIS_URL and at Redis itself, or ask 'akses doctor'."
        case BookUnavailable():
            return f"The funnel's counts cannot be read ({error}): look at DATA_DIR and its funnel.db, or at Redis."
        case DBAPIError():
            reason = why(error)
            return f"The accounts database cannot be used ({reason}): look at DATABASE_URL and at PostgreSQL itself, or ask 'akses doctor'."
        case SQLAlchemyError():
            return (
                f"DATABASE_URL cannot be used ({type(error).__name__}): it is written postgresql://user:password@host:5432/name"
            )
        case OSError():
            return _of_the_system(error)
        case _:
            return None


def _of_the_system(error: OSError) -> str | None:
    if isinstance(error, socket.gaierror):
        return "HOST is neither an address nor a name of this machine. Set it to 127.0.0.1, or to 0.0.0.0 behind a proxy."
    match error.errno:
        case errno.EADDRINUSE:
            return "The port is taken by another program. Set PORT to another number, e.g. PORT=8081 ./run"
        case errno.EADDRNOTAVAIL:
            return "HOST is not an address of this machine. Set it to 127.0.0.1, or to 0.0.0.0 behind a proxy."
        case errno.EACCES | errno.EPERM if error.filename is None:
            return "The system does not let this user listen on that port. Set PORT to 1024 or more."
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"{error.filename} may not be read or written by this user. Mend its permissions, or set DATA_DIR to another folder."
        case errno.ENOTDIR | errno.EEXIST:
            return f"{error.filename} is a file where a folder is needed. Set DATA_DIR to another folder."
        case errno.ENOSPC:
            return "The disk is full."
        case _:
            return None
