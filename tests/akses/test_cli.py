"""The command line as an operator meets it: every foreseen fault is one clear sentence and exit code 2, with no traceback and no secret."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from akses.compose import only_one
from akses.faults import foreseen
from akses.keyring import Keyring
from backend.waiting import DatabaseUnreachable
from tests.product import PATIENCE, ROOT
from tests.services import free_port, fresh_database, postgres_cluster

PRODUCTION = {
    "DATABASE_URL": "postgresql://akses:pw-of-db@127.0.0.1:1/akses",
    "REDIS_URL": "redis://:pw-of-redis@127.0.0.1:1/0",
    "SMTP_URL": "smtp://akses:pw-of-mail@127.0.0.1:1",
    "ENCRYPTION_KEYS": Keyring.generate(),
    "BACKEND_API_KEY": "key-of-the-bot",
    "BACKEND_URL": "http://127.0.0.1:1",
    "STATUS_WEBHOOK_SECRET": "whsec_Zm9vYmFyYmF6cXV4",
    "STATUS_WEBHOOK_URL": "http://127.0.0.1:1/status/webhook",
    "OPERATOR_NAME": "Sekuritas Contoh",
    "PUBLIC_URL": "https://akses.example.com",
}
SECRETS = ("pw-of-", "key-of-the-bot", "Zm9vYmFyYmF6cXV4", PRODUCTION["ENCRYPTION_KEYS"])


class Said:
    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def sentence(self) -> str:
        """What it said before it gave up; the log's own lines are not meant."""
        assert "Traceback" not in self.err
        assert not any(secret in self.err + self.out for secret in SECRETS)
        return "\n".join(line for line in self.err.splitlines() if not line.startswith("{"))


def akses(folder: Path, *words: str, **settings: str) -> Said:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "LANG": "C.UTF-8",
        "DATA_DIR": str(folder / "data"),
        "PORT": str(free_port()),
        "LOG_FORMAT": "json",
        **settings,
    }
    command = [sys.executable, "-m", "akses", *words]
    return Said(
        subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    )


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with postgres_cluster() as url:
        yield url


@pytest.mark.parametrize("command", ["run", "web", "bot", "worker", "migrate", "doctor", "chat"])
def test_settings_that_cannot_be_used_end_every_command_the_same_way(tmp_path: Path, command: str) -> None:
    said = akses(tmp_path, command, PORT="zero", LOG_LEVEL="LOUD")
    assert said.code == 2
    assert said.sentence.startswith("The settings cannot be used:\n  PORT: ")
    assert "\n  LOG_LEVEL: " in said.sentence


@pytest.mark.parametrize("command", ["web", "bot", "worker"])
def test_a_process_of_production_without_its_settings_names_what_it_needs(tmp_path: Path, command: str) -> None:
    said = akses(tmp_path, command, DATABASE_URL=PRODUCTION["DATABASE_URL"], REDIS_URL=PRODUCTION["REDIS_URL"])
    assert said.code == 2
    assert "ENCRYPTION_KEYS: must be set in production" in said.sentence
    assert not (tmp_path / "data").exists()


def test_a_port_that_is_taken_is_said_and_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = akses(tmp_path, "run", PORT=str(taken.getsockname()[1]))
    assert (said.code, said.sentence) == (
        2,
        "The port is taken by another program. Set PORT to another number, e.g. PORT=8081 ./run",
    )


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host"])
def test_a_host_that_is_not_this_machine_is_said(tmp_path: Path, host: str) -> None:
    said = akses(tmp_path, "run", HOST=host)
    assert said.code == 2
    assert said.sentence.startswith("HOST is n")


def test_a_data_folder_that_another_process_holds_is_said(tmp_path: Path) -> None:
    with only_one(tmp_path / "data"):
        said = akses(tmp_path, "run")
    assert said.code == 2
    assert (
        said.sentence
        == f"Another process already works on {tmp_path / 'data'}. Stop it first, or set DATA_DIR to another folder."
    )


def test_a_data_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    said = akses(tmp_path, "run")
    assert said.code == 2
    assert said.sentence == f"{tmp_path / 'data'} is a file where a folder is needed. Set DATA_DIR to another folder."


def test_a_database_that_does_not_come_is_said() -> None:
    """A process waits for it a while at its start (`backend/waiting.py`), which no test should."""
    assert "The accounts database does not answer" in (foreseen(DatabaseUnreachable()) or "")


@pytest.mark.parametrize("command", ["migrate"])
def test_a_database_that_is_away_is_said_without_its_password(tmp_path: Path, command: str) -> None:
    said = akses(tmp_path, command, **PRODUCTION)
    assert said.code == 2
    assert said.sentence.startswith(
        "The accounts database cannot be used (nothing listens at its address): look at DATABASE_URL"
    )


@pytest.mark.parametrize("url", ["postgresql://host:port/x", "nonsense", "mysql://127.0.0.1/x"])
def test_an_address_of_no_database_is_said(tmp_path: Path, url: str) -> None:
    said = akses(tmp_path, "migrate", DATABASE_URL=url)
    assert said.code == 2
    assert "DATABASE_URL: is not written as postgresql://" in said.sentence


def test_a_redis_that_is_away_is_said_without_its_password(tmp_path: Path) -> None:
    said = akses(tmp_path, "bot", **PRODUCTION)
    assert said.code == 2
    assert said.sentence.startswith("Redis cannot be reached (nothing listens at its address)")


def test_a_database_that_was_not_migrated_is_said_and_migrating_mends_it(tmp_path: Path, postgres: str) -> None:
    with fresh_database(postgres, "cli") as url:
        settings = {**PRODUCTION, "DATABASE_URL": url}
        said = akses(tmp_path, "web", **settings)
        assert said.code == 2
        assert said.sentence.startswith("The accounts database is not at this version's schema: run 'akses migrate' first.")
        for _ in range(2):
            migrated = akses(tmp_path, "migrate", **settings)
            assert (migrated.code, migrated.out) == (0, "The accounts database is up to date.\n")


def test_a_token_that_is_none_is_said_without_repeating_it(tmp_path: Path) -> None:
    said = akses(tmp_path, "run", TELEGRAM_BOT_TOKEN="key-of-the-bot")
    assert said.code == 2
    assert said.sentence == "TELEGRAM_BOT_TOKEN is not a token as BotFather writes it (digits:letters)."


def test_a_word_that_is_no_command_is_said(tmp_path: Path) -> None:
    said = akses(tmp_path, "runn")
    assert said.code == 2
    assert "No such command" in said.sentence


def test_chatting_with_a_product_that_is_not_running_is_said(tmp_path: Path) -> None:
    said = akses(tmp_path, "chat", "--json")
    assert said.code == 1
    assert said.sentence


def test_new_keys_are_a_whole_keyring_and_new_each_time(tmp_path: Path) -> None:
    first, second = (akses(tmp_path, "keys", "new") for _ in range(2))
    assert first.code == 0
    assert Keyring.parse(first.out.strip())
    assert first.out != second.out


def test_help_names_every_command(tmp_path: Path) -> None:
    said = akses(tmp_path, "--help")
    assert said.code == 0
    for command in ("run", "web", "bot", "worker", "chat", "migrate", "doctor", "flow", "keys"):
        assert command in said.out


def test_the_dialog_is_drawn_as_a_chart_a_picture_or_into_a_folder(tmp_path: Path) -> None:
    assert akses(tmp_path, "flow").out.startswith("flowchart TD")
    assert akses(tmp_path, "flow", "--svg").out.startswith("<svg")
    assert akses(tmp_path, "flow", "--write", str(tmp_path)).code == 0
    assert "](flow.svg)" in (tmp_path / "flow.md").read_text("utf-8")
    assert (tmp_path / "flow.svg").read_text("utf-8").startswith("<svg")
    for words in (("flow", "--write", "no/such/folder"), ("funnel", "--svg", "no/such/folder/x.svg")):
        refused = akses(tmp_path, *words)
        assert (refused.code, "Traceback" in refused.err) == (2, False), refused.err


def test_a_chat_in_a_language_that_there_is_not_is_refused(tmp_path: Path) -> None:
    said = akses(tmp_path, "chat", "--language", "fr")
    assert said.code == 2
    assert "'fr' is not one of 'id', 'en'" in said.sentence
