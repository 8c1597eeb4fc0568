"""Nothing personal and no secret reaches the log, wherever it hides: in messages, keys, values, exceptions and tracebacks."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from dbos._logger import dbos_logger, init_logger

from akses import logs, request_id
from akses.keyring import Keyring

CANARIES = {
    "nik": "3171234567890123",
    "nik in groups": "3171 2345 6789 0123",
    "phone, national": "081234567890",
    "phone, international": "+6281234567890",
    "phone with spaces": "+62 812 3456 7890",
    "phone with hyphens": "0812-3456-7890",
    "phone with dots": "0812.3456.7890",
    "phone in parentheses": "(0812) 3456-7890",
    "phone with odd hyphens": "0812\u20113456\u20117890",
    "phone in other digits": "٠٨١٢٣٤٥٦٧٨٩٠",
    "e-mail": "budi.santoso+akses@example.com",
    "bot token": "123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc",
    "bot token in a URL": "bot123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc",
    "WhatsApp token": "EAAGm0PX4ZCpsBAKZCqLr2c9ZBt3nYx7Qw5ZD",
    "webhook secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "activation token": "akt_9XqkX3vP0aZr-1Bq",
    "activation link": "/aktivasi/9XqkX3vP0aZr",
    "session token": "V1StGXR8_Z5jdHi6B-myT2xKq9LmN0pQrS4uVwXyZ01",
    "encryption key": "q0Zk7cYv1m9y3bqXn8sQpT2uVwXyZ0aBcDeFgHiJkL4=",
    "password in a URL": "hunter2",
}
SENTENCES = {"password in a URL": "redis://:hunter2@localhost:6379 is away", "session token": "cookie {}"}


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """Logging set up as the product sets it up, in JSON; gives what has been written. Everything is put back afterwards."""
    into = io.StringIO()
    monkeypatch.setattr(sys, "stderr", into)
    root, before, hooks = logging.getLogger(), logging.getLogger().handlers[:], (sys.excepthook, threading.excepthook)
    level, durable = root.level, logging.getLogger("dbos")
    durable_before = durable.handlers[:], durable.propagate
    logs.configure("INFO", "json")
    yield into.getvalue
    root.handlers, sys.excepthook, threading.excepthook = before, *hooks
    root.setLevel(level)
    durable.handlers, durable.propagate = durable_before
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def test_the_engine_of_durable_work_tells_its_troubles_as_everything_else_does(written: Callable[[], str]) -> None:
    init_logger()
    dbos_logger.error("DBOS failed to launch:")  # it is tried again, and told by us
    dbos_logger.warning("(psycopg.OperationalError) no such job for %s", CANARIES["nik"])
    [line] = written().splitlines()
    assert CANARIES["nik"] not in line
    assert json.loads(line)["logger"] == "dbos"


def sentence(name: str) -> str:
    return SENTENCES.get(name, "it was {} again").format(CANARIES[name])


class Thing:
    """A value that is no text, and shows what it holds."""

    def __init__(self, held: str) -> None:
        self.held = held

    def __repr__(self) -> str:
        return f"<Thing {self.held}>"


PLACES: dict[str, Callable[[Any, str], None]] = {
    "message": lambda log, text: log.info(text),
    "value": lambda log, text: log.info("thing.happened", what=text),
    "key": lambda log, text: log.info("thing.happened", **{text: 1}),
    "nested value": lambda log, text: log.info("thing.happened", what=[{"deep": (text,)}]),
    "nested key": lambda log, text: log.info("thing.happened", what={text: 1}),
    "object": lambda log, text: log.info("thing.happened", what=Thing(text)),
    "bytes": lambda log, text: log.info("thing.happened", what=text.encode()),
    "exception as a value": lambda log, text: log.info("thing.happened", error=ValueError(text)),
    "positional": lambda log, text: log.info("it was %s", text),
    "bound": lambda log, text: log.bind(what=text).info("thing.happened"),
    "stdlib": lambda _, text: logging.getLogger("some.library").warning("it was %s", text),
}


# Bytes beyond ASCII are shown as escapes, which nobody reads as digits.
WAYS = [(place, name) for place in PLACES for name in CANARIES if place != "bytes" or CANARIES[name].isascii()]


@pytest.mark.parametrize(("place", "name"), WAYS)
def test_a_canary_reaches_the_log_from_nowhere(written: Callable[[], str], place: str, name: str) -> None:
    """Each shape of personal data and secrets, through each way into a log line."""
    PLACES[place](structlog.get_logger("test"), sentence(name))
    assert CANARIES[name] not in written()
    assert written().count("\n") == 1
    assert logs.HIDDEN in written()


@pytest.mark.parametrize("name", CANARIES)
@pytest.mark.parametrize("library", [False, True])
def test_a_traceback_tells_where_but_neither_locals_nor_personal_text(
    written: Callable[[], str], name: str, *, library: bool
) -> None:
    def breaks(person: str) -> None:
        again = person.upper()
        raise ValueError(sentence(name)) from KeyError(sentence(name), len(again))

    try:
        breaks("Budi " + "Santoso")
    except ValueError:
        if library:
            logging.getLogger("some.library").exception("it broke")
        else:
            structlog.get_logger("test").exception("it broke")
    line = json.loads(written())
    assert "in breaks" in line["exception"]
    assert "ValueError" in line["exception"]
    assert CANARIES[name] not in written()
    assert "budi santoso" not in written().lower()


def test_what_nobody_caught_is_told_redacted(written: Callable[[], str]) -> None:
    """The process's last words, a thread's, and a warning's go the same way as everything else."""
    secret = CANARIES["nik"]
    try:
        raise RuntimeError(secret)  # noqa: TRY301
    except RuntimeError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    thread = threading.Thread(target=lambda: int(f"x {secret}"))
    thread.start()
    thread.join()
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.warn(f"old way with {secret}", DeprecationWarning, stacklevel=1)
    lines = [json.loads(line) for line in written().splitlines()]
    assert [line["event"] for line in lines[:2]] == ["process.failed", "thread.failed"]
    assert len(lines) == 3
    assert secret not in written()


@pytest.mark.parametrize(
    "key", ["nik", "phone", "email", "full_name", "password", "token", "api_key", "Authorization", "bot_token"]
)
def test_a_key_that_says_what_it_holds_is_not_shown_whatever_its_shape(written: Callable[[], str], key: str) -> None:
    structlog.get_logger("test").info("thing.happened", **{key: "Budi", "deep": {key: "Budi"}})
    assert "Budi" not in written()


def test_numbers_that_could_be_a_person_are_hidden_and_small_ones_are_not(written: Callable[[], str]) -> None:
    structlog.get_logger("test").info("thing.happened", chat=3171234567890123, port=65535, attempts=3, seconds=0.25, ok=True)
    line = json.loads(written())
    assert (line["chat"], line["port"], line["attempts"], line["seconds"], line["ok"]) == (logs.HIDDEN, 65535, 3, 0.25, True)


def test_what_operators_need_stays_readable(written: Callable[[], str]) -> None:
    """Our own ids, codes, ports and times are not mistaken for people."""
    kept = {
        "event_id": "0193c1d2e3f445566778899aabbccdde",
        "job": "send_mail-0193c1d2e3f445566778899aabbccdde-12",
        "url": "http://localhost:8080/readyz",
        "where": "services.py:123",
        "code": "too_short",
    }
    structlog.get_logger("test").warning("mail.deferred", **kept)
    line = json.loads(written())
    assert {key: line[key] for key in kept} == kept
    assert line["event"] == "mail.deferred"
    assert line["level"] == "warning"
    assert line["timestamp"].endswith("Z")


def test_a_new_keyring_never_shows_its_keys(written: Callable[[], str]) -> None:
    keys = Keyring.generate()
    structlog.get_logger("test").info("thing.happened", what=f"the setting was {keys}")
    assert not any(part.partition(":")[2] in written() for part in keys.split(","))


def test_a_line_bears_the_name_of_the_request_in_hand(written: Callable[[], str]) -> None:
    log = structlog.get_logger("test")
    with request_id.named("0193c1d2-e3f4-4556-a778-123456789012"):
        log.info("thing.happened")
        logging.getLogger("some.library").warning("and here")
    log.info("thing.happened")
    lines = [json.loads(line) for line in written().splitlines()]
    assert [line.get("request") for line in lines] == ["0193c1d2-e3f4-4556-a778-123456789012"] * 2 + [None]


def test_what_is_below_the_level_is_not_written(written: Callable[[], str]) -> None:
    structlog.get_logger("test").debug("thing.happened")
    assert written() == ""


def test_on_a_console_the_same_is_hidden(monkeypatch: pytest.MonkeyPatch, written: Callable[[], str]) -> None:
    del written  # for its clearing up
    into = io.StringIO()
    monkeypatch.setattr(sys, "stderr", into)
    logs.configure("INFO", "console")
    secret = CANARIES["nik"]
    try:
        raise ValueError(secret)  # noqa: TRY301
    except ValueError:
        structlog.get_logger("console").exception("it broke", what=secret)
    assert "it broke" in into.getvalue()
    assert "ValueError" in into.getvalue()
    assert secret not in into.getvalue()
