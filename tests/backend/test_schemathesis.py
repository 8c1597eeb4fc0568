"""The served contract, tried out by schemathesis with all its checks: what it says is what is answered, and what it forbids is refused."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from akses.keyring import Keyring
from tests.backend.stage import API_KEY, stage_on

ROOT = Path(__file__).resolve().parents[2]
# A withdrawn registration can still be asked for: its channel must be able to say that it is withdrawn. That is the contract's word.
EXCEPT = "use_after_free"


async def test_every_check_of_schemathesis_holds_on_the_served_contract(
    sqlite_url: str, keyring: Keyring, tmp_path: Path
) -> None:
    async with stage_on(sqlite_url, keyring, mails_an_hour=1_000_000) as stage:
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("schemathesis"),
            "run",
            f"{stage.http.base_url}/api/v1/openapi.json".replace("//api", "/api"),
            *("--header", f"Authorization: Bearer {API_KEY}"),
            *("--checks", "all", "--exclude-checks", EXCEPT),
            *("--max-examples", "10", "--seed", "1", "--no-color"),
            cwd=tmp_path,
            env=os.environ | {"SCHEMATHESIS_HOOKS": "tests.backend.schemathesis_formats", "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
    told = out.decode(errors="replace")
    assert process.returncode == 0, told[told.find("= FAILURES") :]
    assert "Selected: 8/8" in told
