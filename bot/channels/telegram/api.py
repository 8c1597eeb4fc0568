"""The Bot API as the rest of this channel sees it: its address, one call, one error, and what an error means for a delivery.

Lives here: the port and the error taxonomy. Must not live here: HTTP (`aiogram_binding.py` is the one that speaks it).
"""

from __future__ import annotations

import re
from typing import Any, Final, Protocol

from bot.channels.port import Dead, Delivery, Failed, Later, Refused, Sent, Unknown

_TOKEN_IN_URL: Final = re.compile(r"bot\d+:[\w-]+")
_REVOKED_PAUSE: Final = 60.0  # seconds
CLOUD: Final = "https://api.telegram.org"


def address(api_base: str) -> str:
    """The address of a method up to its name, with the place {token} in it (python-telegram-bot's `base_url` is written alike).

    `api_base` is the root of a Bot API server (https://api.telegram.org, a local one); or the whole pattern with its own {token}, as the
    test environment needs it: https://api.telegram.org/bot{token}/test.
    """
    base = api_base.rstrip("/")
    return base if "{token}" in base else f"{base}/bot{{token}}"


class BotApiError(Exception):
    """The Bot API said no, or nothing. `code` is its error_code, 0 where no answer came; the token is never in `description`.

    `arrived` is False where the call cannot have reached the Bot API. `moved_to` is the chat that a group has become.
    """

    def __init__(self, code: int, description: str, retry_after: float = 0, *, arrived: bool = True, moved_to: int = 0) -> None:
        self.code = code
        self.arrived = arrived
        self.description = _TOKEN_IN_URL.sub("bot<token>", description)
        self.retry_after = retry_after
        self.moved_to = moved_to
        super().__init__(f"{code} {self.description}")

    @property
    def undeletable(self) -> bool:
        """A message is too old to be deleted (48 hours); one such keeps all that are in the same call."""
        return self.code == 400 and "message can't be deleted" in self.description.lower()


class BotApi(Protocol):
    async def call(self, method: str, params: dict[str, Any], *, within: float | None = None) -> Any:
        """Call one method and give its `result` as plain data. `within` in seconds. Raises BotApiError and nothing else."""

    async def close(self) -> None: ...


# What was to be changed or removed is as it should be, gone, or too old for it (48 hours to delete a person's message).
_NOTHING_LEFT_TO_DO: Final = (
    "message is not modified",
    "query is too old",
    "message can't be deleted",
    "message to delete not found",
    "message can't be edited",
    "message to edit not found",
)


def outcome(error: BotApiError) -> Delivery:
    """What a failed send or edit means for its message."""
    said = error.description.lower()
    match error.code:
        case 429:
            return Later(max(error.retry_after, 1.0))
        case 401 | 404:
            return Later(_REVOKED_PAUSE, whole_channel=True)
        case 403:
            return Dead("blocked" if "blocked" in said else "deactivated" if "deactivated" in said else "forbidden")
        case 400 if any(each in said for each in _NOTHING_LEFT_TO_DO):
            return Sent()
        case 400 if "chat not found" in said or "user is deactivated" in said:
            return Dead("gone")
        case 0 if error.arrived:
            return Unknown(error.description)
        case code if code == 0 or code >= 500:
            return Failed(error.description)
        case _:
            return Refused(error.description)
