"""The whole product in a process of its own, as a newcomer starts it: to be used, killed and started again by a test.

    with Product(tmp_path) as product:          # .url when it answers /readyz
        ...
        product.kill()                          # kill -9
        product.start()                         # the same port, the same data

Lives here: the process, its port, its data, its log, and looking into its inbox and its accounts from outside. Must not live here: what
people do with it (`tests/journey/people.py`).
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import httpx2

from tests.services import free_port

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 60.0  # seconds for whatever must come; only a failing test waits so long


class Product:
    """`settings` are environment variables; nothing else of this process's environment reaches the product but the way to its programs.

    `command` is one of the Procfile's, for a part of the product as production runs it; `code` is where its source lies.
    """

    def __init__(self, folder: Path, *, command: str = "run", code: Path = ROOT, **settings: str) -> None:
        self._command = command
        self._code = code
        self.port = int(settings.get("PORT") or free_port())
        self.url = f"http://localhost:{self.port}"
        self.data_dir = Path(settings.get("DATA_DIR") or folder / "data")
        self.log_file = folder / "log"
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "DATA_DIR": str(self.data_dir),
            "LOG_FORMAT": "json",
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def environment(self) -> dict[str, str]:
        """What another command of the product needs to work on the same data: `akses chat`."""
        return dict(self._environment)

    def start(self) -> None:
        """Start the command and wait until it says that it is ready. Fails with the log when it ends or stays silent."""
        assert self._process is None, "it runs already"
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "akses", self._command],
                cwd=self._code,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + PATIENCE
        with httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=PATIENCE) as client:
            while not _answers(client):
                if self._process.poll() is not None or time.monotonic() > until:
                    raise AssertionError(f"the product did not become ready; its log:\n{self.log}")
                time.sleep(0.02)

    def kill(self) -> None:
        """As kill -9 or a power cut ends it. Nothing to do when it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def signal_to_stop(self) -> None:
        """As an operator or the system asks it to stop; it may take its time."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def exit_code(self) -> int:
        """Wait for the end of a product that was asked to stop."""
        assert self._process is not None
        code = self._process.wait(PATIENCE)
        self._process = None
        return code

    def kill_and_start(self) -> None:
        self.kill()
        self.start()

    # --- looking in from outside

    @property
    def log(self) -> str:
        return self.log_file.read_text("utf-8", "replace") if self.log_file.exists() else ""

    @property
    def faults(self) -> list[dict[str, Any]]:
        """What it logged as an error, of all its lives."""
        lines = [line for line in self.log.splitlines() if line.startswith("{")]
        entries: list[dict[str, Any]] = [json.loads(line) for line in lines]
        return [entry for entry in entries if entry.get("level") in {"error", "critical"}]

    def mails(self, recipient: str) -> list[dict[str, Any]]:
        """The mails of the built-in inbox to this address, newest first (GET /inbox/api/messages)."""
        answer = httpx2.get(f"{self.url}/inbox/api/messages", params={"to": recipient}, trust_env=False)
        found: list[dict[str, Any]] = answer.raise_for_status().json()
        return found

    def mail(self, recipient: str) -> dict[str, Any]:
        """The newest mail to this address; waits for one."""
        until = time.monotonic() + PATIENCE
        while not (mails := self.mails(recipient)):
            assert time.monotonic() < until, f"no mail came; the log:\n{self.log}"
            time.sleep(0.05)
        return mails[0]

    def count(self, table: str) -> int:
        """How many rows a table of the accounts database holds."""
        with sqlite3.connect(f"file:{self.data_dir / 'accounts.db'}?mode=ro", uri=True) as connection:
            (count,) = connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()
        connection.close()
        return int(count)


def _answers(client: httpx2.Client) -> bool:
    try:
        return client.get("/readyz").is_success
    except httpx2.TransportError:
        return False
