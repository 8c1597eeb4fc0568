"""`python -m backend.openapi [FILE]`: write the contract down, by default to `backend_client/openapi.json`; a test compares the two."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final, cast

from backend.app import api_only
from backend.registrations import Registrations
from backend.reveals import Reveals

FROZEN: Final = Path(__file__).resolve().parent.parent / "backend_client" / "openapi.json"


def written() -> str:
    """The contract as text, the same for the same code."""
    # The routes are only described, never called: nothing stands behind them here.
    app = api_only(cast(Registrations, None), cast(Reveals, None))
    return json.dumps(app.openapi(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    (Path(sys.argv[1]) if len(sys.argv) > 1 else FROZEN).write_text(written(), encoding="utf-8")
