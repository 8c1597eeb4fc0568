"""Meta's Graph API as this channel uses it: one call, one error, and what an error means for a delivery.

Lives here: HTTP and the error taxonomy. Must not live here: what is sent (`drawing.py`) or to whom (`people.py`). Nothing of a person is in
an error: of what Meta says only its number is kept. https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final

import httpx2
import msgspec
import structlog

from bot.channels.port import Dead, Delivery, Failed, Later, Refused, Unknown

logger = structlog.get_logger(__name__)

ROOT: Final = "https://graph.facebook.com"
# The version this was written for; an address that ends in one of its own is left as it is.
VERSION: Final = "v26.0"
_VERSIONED: Final = re.compile(r"/v[0-9]+\.[0-9]+$")
_CONNECTIONS: Final = 64
# Calls that nobody waits for, at a time; one too many is not made.
_COURTESIES: Final = 256
_COURTESY_SECONDS: Final = 10.0
_encode: Final = msgspec.json.Encoder().encode

# Too much for the number as a whole, or for the app; and too much for one chat.
_NUMBER_BUSY: Final = frozenset({4, 80007, 130429})
_CHAT_BUSY: Final = 131056
NUMBER_PAUSE: Final = 2.0  # seconds
CHAT_PAUSE: Final = 6.0
# The token, the number or the account: nobody can be written to until an operator has settled it.
_SHUT: Final = frozenset({0, 3, 10, 190, 368, 131005, 131031, 131042, 131045, 133010, *range(200, 300)})
_SHUT_PAUSE: Final = 60.0
_FAULTS: Final = frozenset({1, 2, 131000, 131016, 133004})
# The person cannot be written to until they write: unreachable there, has stopped our messages, the 24 hours are over, is not among the few
# that a test number may write to.
UNREACHABLE: Final = {131026: "undeliverable", 131050: "stopped", 131047: "window over", 131030: "not allowed"}


class GraphError(Exception):
    """The Graph API said no, or nothing. `status` is HTTP's, 0 where no answer came; `code` is Meta's, 0 where it told none.

    `arrived` is False where the call cannot have reached it.
    """

    def __init__(self, status: int, code: int = 0, *, arrived: bool = True, reason: str = "") -> None:
        self.status = status
        self.code = code
        self.arrived = arrived
        self.reason = reason or f"{status}/{code}"
        super().__init__(self.reason)


class _Failure(msgspec.Struct):
    code: int = 0


class _Answer(msgspec.Struct):
    error: _Failure | None = None


def address(api_base: str) -> str:
    """The address of the API with its version, without a slash at its end."""
    base = (api_base or ROOT).rstrip("/")
    return base if _VERSIONED.search(base) else f"{base}/{VERSION}"


class Graph:
    """The Graph API for one phone number (`phone_id`), over kept connections."""

    def __init__(self, token: str, phone_id: str, api_base: str = ROOT) -> None:
        self._number = f"{address(api_base)}/{phone_id}"
        self._client = httpx2.AsyncClient(
            headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
            limits=httpx2.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS),
            trust_env=False,
        )
        self._courtesies: set[asyncio.Task[None]] = set()

    async def send(self, body: dict[str, Any], *, within: float) -> dict[str, Any]:
        """POST to the number's messages; the answer. `within` in seconds. Raises GraphError and nothing else."""
        return await self._call("POST", f"{self._number}/messages", {"messaging_product": "whatsapp", **body}, within)

    async def number(self, *, within: float) -> str:
        """The number as people dial it, in digits. Raises GraphError."""
        answer = await self._call("GET", f"{self._number}?fields=display_phone_number", None, within)
        return re.sub(r"\D", "", str(answer.get("display_phone_number", "")))

    def politely(self, body: dict[str, Any]) -> None:
        """Begin a call to the number's messages that may get lost, and return at once; inside a running loop."""
        if len(self._courtesies) < _COURTESIES:
            self._courtesies.add(task := asyncio.get_running_loop().create_task(self._courtesy(body)))
            task.add_done_callback(self._courtesies.discard)

    async def _courtesy(self, body: dict[str, Any]) -> None:
        try:
            await self.send(body, within=_COURTESY_SECONDS)
        except GraphError as error:
            logger.info("whatsapp.courtesy_failed", status=error.status, code=error.code)

    async def _call(self, method: str, url: str, body: dict[str, Any] | None, within: float) -> dict[str, Any]:
        try:
            async with asyncio.timeout(within):
                answer = await self._client.request(
                    method, url, content=None if body is None else _encode(body), timeout=within
                )
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol) as error:
            raise GraphError(0, arrived=False, reason=type(error).__name__) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            raise GraphError(0, reason=type(error).__name__) from None
        if answer.is_success:
            return _object(answer.content)
        raise GraphError(answer.status_code, _code(answer.content))

    async def close(self, grace: float = 0.0) -> None:
        """Let the courtesies under way end, at most `grace` seconds, and hang up."""
        if self._courtesies:
            _, late = await asyncio.wait(self._courtesies, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._client.aclose()


def _object(content: bytes) -> dict[str, Any]:
    """A 2xx whose body cannot be read was a 2xx all the same: the message is taken."""
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.MsgspecError:
        return {}


def _code(content: bytes) -> int:
    try:
        error = msgspec.json.decode(content, type=_Answer).error
    except msgspec.MsgspecError:
        return -1
    return error.code if error is not None else -1


def outcome(error: GraphError) -> Delivery:
    """What a failed send means for its message. Meta's code says more than HTTP's status, which it uses loosely."""
    match error.code:
        case _ if error.status == 0:
            return Unknown(error.reason) if error.arrived else Failed(error.reason)
        case code if code == _CHAT_BUSY:
            return Later(CHAT_PAUSE)
        case code if code in _NUMBER_BUSY or error.status == 429:
            return Later(NUMBER_PAUSE, whole_channel=True)
        case code if code in UNREACHABLE:
            return Dead(UNREACHABLE[code])
        case code if code in _FAULTS or error.status >= 500:
            return Failed(error.reason)
        case code if code in _SHUT or error.status == 401:
            return Later(_SHUT_PAUSE, whole_channel=True)
        case _:
            return Refused(error.reason)
