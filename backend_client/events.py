"""Status webhooks as they come in: is it from our backend, is it fresh, and what does it say.

Lives here: verification (Standard Webhooks) and decoding. Must not live here: the HTTP route, and remembering which webhook ids
were seen (`bot/`): the same id may come more than once, and the receiver does it once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
from standardwebhooks import Webhook, WebhookVerificationError

from backend_client.models import StatusEvent

TOLERANCE_SECONDS: Final = 5 * 60  # Standard Webhooks; standardwebhooks.Webhook has the same built in
_decode: Final = msgspec.json.Decoder(StatusEvent).decode


class EventRefused(Exception):
    """No status event to act on."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class EventForged(EventRefused):
    """Not signed with any of our secrets, or altered on its way."""


class EventStale(EventRefused):
    """Its time is more than five minutes from ours, whoever signed it."""


class EventUnreadable(EventRefused):
    """Signed by our backend, and not an event that this version knows."""


def read_event(secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> tuple[str, StatusEvent]:
    """Verify a webhook on its raw bytes and return its id, by which the receiver does it once, and the event.

    `secrets` are written "whsec_BASE64"; any of them may have signed, so that they can be changed without a gap. Header names
    may be in any case. Signatures are compared in constant time.

    Raises EventForged or EventStale: answer 401 (a sender that is well signs anew at each attempt). Raises EventUnreadable:
    answer 204, sending it again would not help. Raises ValueError when `secrets` is empty: nobody could ever be believed.
    """
    if not secrets:
        raise ValueError("at least one webhook secret is needed")
    lower = {name.lower(): value for name, value in headers.items()}
    try:
        moment = datetime.fromtimestamp(float(lower["webhook-timestamp"]), UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        raise EventForged from None
    if abs((datetime.now(UTC) - moment).total_seconds()) > TOLERANCE_SECONDS:
        raise EventStale
    if not any(_signed_by(secret, lower, body) for secret in secrets):
        raise EventForged
    try:
        event = _decode(body)
    except msgspec.DecodeError:
        raise EventUnreadable from None
    return lower["webhook-id"], event


def _signed_by(secret: str, headers: dict[str, str], body: bytes) -> bool:
    webhook = Webhook(secret)
    try:
        webhook.verify(body, headers, json_parse=False)
    except (WebhookVerificationError, ValueError):  # ValueError: what a stranger wrote cannot be split, decoded or is no base64
        return False
    return True
