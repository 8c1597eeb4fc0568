"""Logs: events with keys, as JSON lines or coloured for a console, and personal data kept out at the last moment.

Lives here: structlog's set-up for our own and the libraries' loggers, and for what nobody caught. Must not live here: what is logged. The
rule is that nobody logs personal data; the redaction below is the net under it: by shape (digits that could be a NIK or a phone,
addresses, tokens) in every text, wherever it stands, and by name (a key that says what its value is).
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final

import structlog

from akses import request_id

HIDDEN: Final = "[…]"
# What must never stand in a log, by shape. Seven digits and fewer (ports, lines, codes, years) stay.
REDACTED: Final = re.compile(
    r"(?<![A-Za-z0-9])(?P<ours>(?=[0-9]*[a-f])[0-9a-f]{32})(?![A-Za-z0-9])"  # but ids of our own making stay whole
    r"|(?<=://)[^\s/@]*:[^\s/]*(?=@)"  # user:password@ of a URL
    r"|[\w.+'-]+@[\w-]+(?:\.[\w-]+)+"  # e-mail addresses
    r"|\b(?:bot)?\d{6,}:[\w-]{20,}"  # Bot API tokens
    r"|\bEAA[A-Za-z0-9]{16,}"  # tokens of Meta's Graph API (WhatsApp)
    r"|\bwhsec_[\w+/=-]+|\bak[torsi]_[\w-]+|/(?:aktivasi|masuk/sandi)/[\w-]+"  # webhook secrets; our own tokens and links
    r"|(?i:\b(?:bearer|basic)\s+)[\w.~+/=-]{6,}"  # Authorization
    r"|\b(?=[\w-]*\d)(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[\w-]{40,}"  # 256 bits as URL-safe text: our own keys, tokens, cookies
    r"|(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{43}="  # and as base64: ENCRYPTION_KEYS
    r"|\(?\+?\(?\d(?:[ \t.()/\u00a0\u2010-\u2015-]{0,2}\d){7,}"  # NIK, phones in any writing, chat ids
)
# Keys whose values never belong in a log, whatever their shape.
NAMED: Final = re.compile(
    r"(?i)(?:^|_)(?:nik|ktp|phone|msisdn|e_?mail|e?mail_address|recipient|full_?name|password|passwd|secrets?|token|authorization|cookie|api_?key)$"
)
# Ours, and harmless by construction.
PLAIN: Final = frozenset({"timestamp", "level", "logger", "request"})
# These say what we say ourselves, or name people's addresses and paths.
QUIET: Final = ("uvicorn.access", "httpx2", "httpcore2", "httpx", "httpcore", "mail.log", "aiosqlite", "dbos", "alembic")
_LARGEST_PLAIN: Final = 10**7


def _hidden(found: re.Match[str]) -> str:
    return found[0] if found.lastgroup else HIDDEN


def clean(value: Any) -> Any:
    """The value as it may stand in a log."""
    match value:
        case None | bool() | float():
            return value
        case int():
            return value if -_LARGEST_PLAIN < value < _LARGEST_PLAIN else HIDDEN
        case str():
            return REDACTED.sub(_hidden, value)
        case Mapping():
            return {clean(str(key)): HIDDEN if NAMED.search(str(key)) else clean(each) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [clean(each) for each in value]
        case _:
            return REDACTED.sub(_hidden, repr(value))


def redact(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """The last processor before rendering."""
    return {
        key if key in PLAIN else clean(key): value
        if key in PLAIN or key.startswith("_")  # _record and the like: structlog's own, taken out before rendering
        else HIDDEN
        if NAMED.search(key)
        else clean(value)
        for key, value in event.items()
    }


def name_request(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """The name of the request in hand, where there is one."""
    if (name := request_id.current()) is not None:
        event.setdefault("request", name)
    return event


def not_of_launching(record: logging.LogRecord) -> bool:
    """Whether the engine of durable work tells of something else: its launch is tried again where its database is busy, and told, by us
    (`backend/jobs.py`).
    """
    return not str(record.msg).startswith("DBOS failed to launch")


def configure(level: str, form: str) -> None:
    """Send everything to standard error. `form`: "json", "console", or "auto" (console on a terminal)."""
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        name_request,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,  # a traceback's lines, never its locals
        redact,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.captureWarnings(capture=True)
    logging.getLogger("uvicorn.error").setLevel(
        logging.WARNING if level == "INFO" else level
    )  # it tells each start and stop, as we do
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # The engine of durable work prints to the console by itself, past the redaction, unless its logger has a handler.
    durable = logging.getLogger("dbos")
    durable.handlers, durable.propagate = [handler], False
    durable.addFilter(not_of_launching)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What nobody caught is told like everything else; Python's own way would print it past the redaction."""
    if issubclass(kind, KeyboardInterrupt):
        return
    structlog.get_logger(__name__).critical("process.failed", exc_info=(kind, error, trace))


def _uncaught_in_thread(failure: threading.ExceptHookArgs) -> None:
    if failure.exc_value is not None and not isinstance(failure.exc_value, SystemExit):
        trace = (failure.exc_type, failure.exc_value, failure.exc_traceback)
        structlog.get_logger(__name__).critical("thread.failed", exc_info=trace)
