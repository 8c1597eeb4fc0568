"""`akses bounce`: reads one mail, and tells the backend when it is a report that a mail of ours came back.

Lives here: the way from standard input to the backend's API. Must not live here: reading reports (`backend/mail/bounces.py`). It stands
behind the mailbox of MAIL_FROM (docs/operators.md), so its exit code speaks to a mail server: 75 means "try again later" (sysexits.h).
"""

from __future__ import annotations

from typing import Final

import httpx2

from akses.settings import Settings
from backend.mail.bounces import bounces

TRY_AGAIN: Final = 75
_SECONDS: Final = 20.0


def tell(settings: Settings, mail: bytes) -> int:
    """How many reported mails the backend was told of. Raises httpx2.HTTPError when it cannot be told now."""
    found = bounces(mail)
    base = (settings.backend_url or settings.local_base).rstrip("/")
    with httpx2.Client(
        trust_env=False, timeout=_SECONDS, headers={"Authorization": f"Bearer {settings.api_keys[0]}"}
    ) as client:
        for bounce in found:
            body = {"message_id": bounce.message_id, "status": bounce.status}
            client.post(f"{base}/api/v1/bounces", json=body).raise_for_status()
    return len(found)
