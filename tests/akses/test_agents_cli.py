"""Who works at the helpdesk, from the command line: `akses agents`, beside a product that need not run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.product import PATIENCE, ROOT


def akses(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "DATA_DIR": str(folder),
        "PYTHONPATH": str(ROOT),
        "LANG": "C.UTF-8",
    }
    command = [sys.executable, "-m", "akses", "agents", *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def said(folder: Path, *words: str) -> str:
    done = akses(folder, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_agents_are_added_listed_invited_again_shut_out_and_let_in(tmp_path: Path) -> None:
    added = said(tmp_path, "add", "rina@example.com", "--name", "Rina", "--role", "agent", "--role", "auditor")
    first = next(line for line in added.splitlines() if line.startswith("http"))
    assert "/helpdesk/undangan/" in first
    assert said(tmp_path, "list") == "rina@example.com\tRina\tagent,auditor\tinvited\n"
    invited = said(tmp_path, "invite", "rina@example.com")
    assert "Invitation for Rina" in invited
    assert first not in invited, "another link, and the first is void"
    assert said(tmp_path, "disable", "rina@example.com") == "Rina is shut out.\n"
    assert said(tmp_path, "list").endswith("\tshut out\n")
    refused = akses(tmp_path, "invite", "rina@example.com")
    assert refused.returncode == 2
    assert "akses agents enable" in refused.stderr
    assert said(tmp_path, "enable", "rina@example.com") == "Rina may sign in again.\n"
    assert said(tmp_path, "list").endswith("\tinvited\n")


def test_an_agent_is_known_by_an_account_elsewhere_and_an_account_by_one_agent(tmp_path: Path) -> None:
    for login in ("rina", "budi"):
        said(tmp_path, "add", login, "--name", login.title(), "--role", "agent")
    assert said(tmp_path, "account", "rina", "telegram:12345") == "telegram:12345 is Rina.\n"
    assert said(tmp_path, "account", "rina") == "telegram:12345\n"
    taken = akses(tmp_path, "account", "budi", "telegram:12345")
    assert taken.returncode == 2
    assert "another agent's" in taken.stderr
    written = akses(tmp_path, "account", "budi", "@budi")
    assert written.returncode == 2
    assert "telegram:12345" in written.stderr
    assert said(tmp_path, "account", "rina", "telegram:12345", "--remove") == "telegram:12345 is Rina no more.\n"
    assert said(tmp_path, "account", "budi", "telegram:12345") == "telegram:12345 is Budi.\n"


def test_what_cannot_be_is_said_in_a_sentence_and_changes_nothing(tmp_path: Path) -> None:
    said(tmp_path, "add", "atun", "--name", "Atun", "--role", "admin")
    before = said(tmp_path, "list")
    for words, told in (
        (("add", "atun", "--name", "Atun", "--role", "agent"), "There is an agent of this user name already."),
        (("add", "Rina Besar", "--name", "Rina", "--role", "agent"), "A user name is 2 to 120"),
        (("add", "rina", "--name", "Rina", "--role", "boss"), "a role is one of: viewer, agent"),
        (("add", "rina", "--name", "Rina", "--role", "agent", "--language", "fr"), "a language is one of: id, en"),
        (("disable", "nobody"), "There is no agent of this user name"),
        (("disable", "atun"), "This is the last admin"),
    ):
        done = akses(tmp_path, *words)
        assert done.returncode == 2, words
        assert told in done.stderr, words
    assert said(tmp_path, "list") == before
