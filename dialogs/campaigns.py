"""Which deep links name the campaign that brought a person: /start c-pameran_jakarta.

Lives here: telling a campaign's code from every other payload. Must not live here: counting (`bot/funnel.py`). The alphabet has no two
digits in a row, no capital and no sign but the underscore: whatever somebody writes into such a link, no number of a person passes here.
"""

from __future__ import annotations

import re
from typing import Final

_LINK: Final = re.compile(r"c-([a-z](?:[a-z_]|[0-9](?![0-9])){0,31})")


def campaign(payload: str) -> str:
    """The campaign's code, "" for a payload that names none."""
    found = _LINK.fullmatch(payload)
    return found[1] if found else ""
