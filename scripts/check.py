#!/usr/bin/env python3
"""`./run check`: format, lint, types, import contracts, fast tests; side by side where they can be, each told in one line."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
PYTHON = str(BIN / "python")
# The rest, every store but these, and what Hypothesis looks for at length, is `./run test`.
FAST = [
    "tests/dialogs",
    "tests/bot/test_sessions.py",
    "tests/bot/test_versions.py",
    "tests/bot/test_turns.py",
    "tests/akses/test_settings.py",
    "tests/akses/test_logs.py",
    "-k",
    "not redis and not cluster",
    "-m",
    "not hypothesis",
]
# Two lanes for two cores: the tests, and everything else.
LANES = (
    {
        "types": [str(BIN / "mypy")],
        "format": [str(BIN / "ruff"), "format", "--check", "--quiet", "."],
        "lint": [str(BIN / "ruff"), "check", "--quiet", "."],
        "imports": [str(BIN / "lint-imports")],
    },
    {
        "tests": [PYTHON, "-m", "pytest", "-q", "--no-header", *FAST],
    },
)


def lane(commands: dict[str, list[str]]) -> bool:
    well = True
    for name, command in commands.items():
        began = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        print(f"{'ok' if done.returncode == 0 else 'FAILED':7}{name:9}{time.monotonic() - began:5.1f} s", flush=True)
        if done.returncode:
            well = False
            print(done.stdout + done.stderr, flush=True)
    return well


with ThreadPoolExecutor(len(LANES)) as pool:
    sys.exit(0 if all(list(pool.map(lane, LANES))) else 1)
