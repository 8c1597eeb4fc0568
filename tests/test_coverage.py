"""The dialog is wholly described by its tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DESCRIBED_BY = ("tests/dialogs", "tests/bot/test_versions.py")


def test_every_line_and_every_branch_of_the_dialog_is_reached_by_its_tests(tmp_path: Path) -> None:
    """By sentences, not by chance: what Hypothesis finds counts for nothing here. The failure lists what is missing by file and line."""
    environment = os.environ | {"COVERAGE_FILE": str(tmp_path / "coverage"), "PYTHONPATH": str(ROOT)}

    def coverage(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "coverage", *words]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    ran = coverage(
        "run", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not hypothesis", *DESCRIBED_BY
    )
    assert ran.returncode == 0, ran.stdout
    report = coverage("report")
    assert report.returncode == 0, report.stdout + report.stderr
