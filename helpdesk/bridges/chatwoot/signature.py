"""Whether a webhook is Chatwoot's: the signature over its raw bytes, and its age. Pure.

From Chatwoot 4.13 on an API inbox signs: `X-Chatwoot-Signature: sha256=<hex>` is HMAC-SHA256, under the inbox's secret, of the text of
`X-Chatwoot-Timestamp` (Unix seconds), a full stop and the body (chatwoot/chatwoot, lib/webhooks/trigger.rb).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Final

TOLERANCE_SECONDS: Final = 300
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")


class Forged(Exception):
    """None of our secrets made this signature, or there is none."""


class Stale(Exception):
    """It was signed more than five minutes ago, or in the future: sent again by somebody, or one of the clocks is wrong."""


def check(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float) -> None:
    """Any of the secrets will do, so that they can be rotated; `headers` are found in lower case. Raises Forged, Stale."""
    timestamp, given = headers.get("x-chatwoot-timestamp", ""), headers.get("x-chatwoot-signature", "")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise Forged
    # All of them, always: how long this takes tells nothing.
    known = [hmac.compare_digest(sign(secret, timestamp, body).encode(), given.encode()) for secret in secrets]
    if not any(known):
        raise Forged
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        raise Stale


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """What Chatwoot writes into the header."""
    return f"sha256={hmac.new(secret.encode(), timestamp.encode() + b'.' + body, hashlib.sha256).hexdigest()}"
