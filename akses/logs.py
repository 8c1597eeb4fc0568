"""Logs: events with keys, as JSON lines or coloured for a console, and personal data kept out at the last moment.

Lives here: structlog's set-up for our own and the libraries' loggers. Must not live here: what is logged. The rule is that nobody logs
personal data; the redaction below is the net under it, by shape: digits that could be a NIK or a phone, addresses, tokens, bot tokens.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Any, Final

import structlog

# What must never stand in a log, by shape: e-mail addresses; 8 digits and more in a row (NIK, phone, chat ids); activation paths;
# Bot API tokens.
REDACTED: Final = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+|\+?\d[\d .-]{6,}\d|/aktivasi/[\w-]+|\bbot\d+:[\w-]+|\bakt_[\w-]+")
# Keys whose values are ours, numeric and harmless.
PLAIN: Final = frozenset({"timestamp", "level", "logger", "event"})
# These say what we say ourselves, or name people's addresses and paths.
QUIET: Final = ("uvicorn.access", "httpx2", "httpcore2", "httpx", "httpcore", "mail.log", "aiosqlite", "dbos", "alembic")


def _clean(value: Any) -> Any:
    match value:
        case str():
            return REDACTED.sub("[…]", value)
        case dict():
            return {key: _clean(each) for key, each in value.items()}
        case list() | tuple():
            return [_clean(each) for each in value]
        case _:
            return value


def redact(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """The last processor before rendering."""
    return {key: value if key in PLAIN and key != "event" else _clean(value) for key, value in event.items()}


def configure(level: str, form: str) -> None:
    """Send everything to standard error. `form`: "json", "console", or "auto" (console on a terminal)."""
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    renderer = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    if level == "INFO":
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # it tells each start and stop, as we do
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
