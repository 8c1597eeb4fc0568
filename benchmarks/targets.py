"""What is measured: our bot process as production runs it, and the peers. One line a target.

Lives here: names, commands, environments. Must not live here: how anything is measured (`runs.py`).
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from akses.keyring import Keyring
from benchmarks.walk import PHONE_ID

ROOT: Final = Path(__file__).resolve().parent.parent
SECRET: Final = "benchmark-secret"
TOKEN: Final = "123456:benchmark"
KEYS: Final = Keyring.generate()


@dataclass(frozen=True, slots=True)
class Target:
    """`users` is how many at once the target is quickest with, found by trying 16, 32, 64, 128, 256: each is measured at its best."""

    name: str
    title: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    users: int = 32
    ours: bool = False
    database: bool = False
    way: str = "telegram"

    def with_database(self, url: str) -> Target:
        """The same beside a PostgreSQL database that is migrated."""
        return dataclasses.replace(self, env={**self.env, "DATABASE_URL": url})

    def environment(self, *, port: int, api: int, redis: str, data_dir: Path) -> dict[str, str]:
        return {
            **{key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH")},
            "PYTHONPATH": str(ROOT),
            "PORT": str(port),
            "REDIS_URL": redis,
            "DATA_DIR": str(data_dir),
            "TELEGRAM_API_BASE": f"http://127.0.0.1:{api}",
            "TELEGRAM_BOT_TOKEN": TOKEN,
            "TELEGRAM_MODE": "webhook",
            "TELEGRAM_WEBHOOK_SECRET": SECRET,
            "WHATSAPP_API_BASE": f"http://127.0.0.1:{api}",
            "BACKEND_URL": f"http://127.0.0.1:{api}",
            "BACKEND_API_KEY": "benchmark",
            "STATUS_WEBHOOK_SECRET": "whsec_" + "YmVuY2htYXJr" * 3,
            "PUBLIC_URL": "https://akses.example",
            "OPERATOR_NAME": "PT Contoh Sekuritas",
            "ENCRYPTION_KEYS": KEYS,
            "LOG_FORMAT": "json",
            **self.env,
        }


OURS: Final = Target("akses", "AKSes (`akses bot`)", ("-m", "akses", "bot"), users=128, ours=True)
OURS_BY_PTB: Final = Target(
    "akses-ptb", "the same with `TELEGRAM_FRAMEWORK=ptb`", OURS.command, {"TELEGRAM_FRAMEWORK": "ptb"}, users=128, ours=True
)
# The helpdesk has its tables in the accounts' database; `with_database` says where that is.
OURS_WATCHED: Final = Target(
    "akses-desk", "the same with the helpdesk, which sees every chat live", OURS.command, users=128, ours=True, database=True
)
# In WhatsApp; not among those that are compared, for Meta lets a number send 80 messages a second.
OURS_IN_WHATSAPP: Final = Target(
    "akses-whatsapp",
    "AKSes in WhatsApp",
    OURS.command,
    {
        "TELEGRAM_BOT_TOKEN": "",
        "WHATSAPP_TOKEN": TOKEN,
        "WHATSAPP_PHONE_ID": PHONE_ID,
        "WHATSAPP_APP_SECRET": SECRET,
        "WHATSAPP_VERIFY_TOKEN": "benchmark",
    },
    ours=True,
    way="whatsapp",
)
PEERS: Final = (
    Target("aiogram", "aiogram FSM, Redis", ("-m", "benchmarks.peers.aiogram_fsm"), users=64),
    Target(
        "aiogram-reply", "the same, reply in the webhook's response", ("-m", "benchmarks.peers.aiogram_fsm"), {"REPLY": "1"}
    ),
    Target("ptb", "python-telegram-bot, pickle", ("-m", "benchmarks.peers.ptb")),
    Target("aiogram-dialog", "aiogram-dialog, Redis", ("-m", "benchmarks.peers.aiogram_dialogs"), users=128),
)
ALL: Final = {target.name: target for target in (OURS, OURS_BY_PTB, OURS_WATCHED, *PEERS)}
PYTHON: Final = sys.executable
