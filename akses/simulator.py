"""What somebody who tries the embedded product may do to its world: step its time, make its backend fail, have a conversation retold.

Lives here: the clock that can be stepped, the failures, the events of terminal conversations (in memory, no others'), and their routes
under /simulator, for who has the API key of DATA_DIR. The terminal chat offers it (`akses/chat.py`). Must not live here: anything that
production is built of; `akses/compose.py` makes a simulator for the embedded product alone.

    POST /simulator/time     {"seconds": 900}                       200 {"now": "2026-11-23T05:15:00Z"}      0 only asks
    POST /simulator/backend  {"mode": "ok" | "down" | "slow" | "reject", "seconds"?, "code"?}           200 {"mode": ...}
    GET  /simulator/repro    with the cookie of a terminal session  200 {"transcript": "..."}
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Annotated, Any, Final, Literal, TypeVar, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from backend_client.errors import BackendUnreachable, LimitReached, RegistrationClosed, RequestRefused
from bot.conversation import Conversation
from bot.turns import Answerable, Taken, Turns
from dialogs.events import ButtonPressed, Event, RefusalCode
from dialogs.frozen import replace
from dialogs.office import Office
from dialogs.registration import step_id, token
from dialogs.session import Session
from dialogs.testing.conversation import PROFILE
from dialogs.testing.repro import Moment, retold
from dialogs.texts import Language

T = TypeVar("T")
CHANNEL: Final = "terminal"
SLOW_SECONDS: Final = 10.0
LIMIT_SECONDS: Final = 60
# So many events of so many conversations are remembered, the newest.
_EVENTS: Final = 1000
_CONVERSATIONS: Final = 20

Cookies = Callable[[dict[str, str]], Conversation | None]


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    seconds: Annotated[int, msgspec.Meta(ge=0, le=366 * 24 * 3600)]


class Failure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How the backend behaves towards the bot. `seconds`: how slow, or the limit's Retry-After; `code`: with which it refuses."""

    mode: Literal["ok", "down", "slow", "reject"]
    seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.0
    code: RefusalCode = "refused"


class Simulator:
    """One for a process. `now` is its clock; everything of the product that tells time by a clock of its own is given this one."""

    def __init__(self) -> None:
        self._ahead = timedelta()
        self.failure = Failure("ok")
        self._moments: dict[Conversation, list[Moment]] = {}
        self._languages: dict[Conversation, Language] = {}
        self._profile = PROFILE
        # What waits by the real clock is brought forward, by so many seconds; what looks at this clock is told to look again.
        self.waiting: list[Callable[[float], Awaitable[None]]] = []
        self.sleeping: list[Callable[[], None]] = []

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    async def step(self, seconds: int) -> datetime:
        """Move the time forward; timers that come due by it fire as they would."""
        if seconds:
            # First the clock: a job that is brought forward looks at it.
            self._ahead += timedelta(seconds=seconds)
            for forward in self.waiting:
                await forward(seconds)
            for wake in self.sleeping:
                wake()
        return self.now()

    # --- the backend

    def failing(self, backend: T) -> T:
        """The backend, behaving as `failure` says."""
        return cast("T", _Failing(backend, self))

    async def interfere(self) -> None:
        match self.failure:
            case Failure("down"):
                raise BackendUnreachable("simulated")
            case Failure("slow", seconds):
                await asyncio.sleep(seconds or SLOW_SECONDS)
            case Failure("reject", seconds, "limit"):
                raise LimitReached(int(seconds) or LIMIT_SECONDS)
            case Failure("reject", _, "closed"):
                raise RegistrationClosed("simulated")
            case Failure("reject"):
                raise RequestRefused("simulated")
            case _:
                pass

    # --- conversations

    def watching(
        self, turns: Turns, look: Callable[[Conversation], Awaitable[Session | None]], *, helpdesk: bool = False
    ) -> Turns:
        """The turns, with the events of terminal conversations remembered; `helpdesk`: agents step into them."""
        self._profile = replace(PROFILE, office=Office()) if helpdesk else PROFILE
        return _Watching(turns, look, self)

    def happened(self, conversation: Conversation, moment: Moment, language: Language, *, first: bool) -> None:
        """One that began before this process did cannot be retold from its beginning, and so is not remembered at all."""
        remembered = self._moments.pop(conversation, [])
        if first:
            remembered, self._languages[conversation] = [], language
        elif not remembered:
            return
        self._moments[conversation] = [*remembered, moment][-_EVENTS:]
        if len(self._moments) > _CONVERSATIONS:
            forgotten = next(iter(self._moments))
            del self._moments[forgotten], self._languages[forgotten]

    def retold(self, conversation: Conversation) -> str:
        """The conversation as a transcript in which nobody's data is; "" for one that nothing is remembered of."""
        moments = self._moments.get(conversation)
        return retold(moments, language=self._languages[conversation], profile=self._profile) if moments else ""

    # --- over HTTP

    def routes(self, api_keys: tuple[str, ...], cookies: Cookies) -> list[BaseRoute]:
        """`cookies` tells whose session a request's cookies are (`bot/channels/web/sessions.py`)."""

        def guarded(endpoint: Callable[[Request], Awaitable[object]]) -> Callable[[Request], Awaitable[Response]]:
            async def answer(request: Request) -> Response:
                given = request.headers.get("authorization", "").removeprefix("Bearer ").strip().encode()
                if sum(hmac.compare_digest(given, key.encode()) for key in api_keys) == 0:
                    return _json(401, {"error": "key"})
                try:
                    return _json(200, await endpoint(request))
                except msgspec.DecodeError:
                    return _json(422, {"error": "invalid"})

            return answer

        async def time(request: Request) -> object:
            return {"now": await self.step(msgspec.json.decode(await request.body(), type=Step).seconds)}

        async def backend(request: Request) -> object:
            self.failure = msgspec.json.decode(await request.body(), type=Failure)
            return self.failure

        async def repro(request: Request) -> object:
            conversation = cookies(request.cookies)
            return {"transcript": self.retold(conversation) if conversation else ""}

        return [
            Route("/simulator/time", guarded(time), methods=["POST"]),
            Route("/simulator/backend", guarded(backend), methods=["POST"]),
            Route("/simulator/repro", guarded(repro), methods=["GET"]),
        ]


def _json(status: int, body: object) -> Response:
    return Response(msgspec.json.encode(body), status, {"Cache-Control": "no-store"}, "application/json")


class _Failing:
    """Stands before a backend; each call is interfered with first."""

    def __init__(self, backend: object, simulator: Simulator) -> None:
        self._backend = backend
        self._simulator = simulator

    def __getattr__(self, name: str) -> Any:
        method = cast("Callable[..., Awaitable[Any]]", getattr(self._backend, name))

        @wraps(method)
        async def call(*args: Any, **kwargs: Any) -> Any:
            await self._simulator.interfere()
            return await method(*args, **kwargs)

        return call


class _Watching:
    """`Turns`, looked at; each event is remembered once, as it is carried out."""

    def __init__(self, turns: Turns, look: Callable[[Conversation], Awaitable[Session | None]], simulator: Simulator) -> None:
        self._turns = turns
        self._look = look
        self._simulator = simulator
        self._known: dict[str, None] = {}

    async def take(
        self,
        conversation: Conversation,
        event: Event,
        event_id: str,
        *,
        language: Language | None = None,
        answerable: Answerable | None = None,
    ) -> Taken:
        if conversation.channel == CHANNEL and event_id not in self._known:
            session = await self._look(conversation)
            self._known[event_id] = None
            if len(self._known) > _EVENTS:
                del self._known[next(iter(self._known))]
            fresh = session is not None and isinstance(event, ButtonPressed) and event.token == token(session)
            moment = Moment(self._simulator.now(), event, step_id(session) if session else "", fresh=fresh)
            spoken = session.language if session else language or "id"
            # Without a session it begins, or begins anew: what was before belongs to no repro.
            self._simulator.happened(conversation, moment, spoken, first=session is None)
        return await self._turns.take(conversation, event, event_id, language=language, answerable=answerable)

    async def deliver(self, conversation: Conversation) -> None:
        await self._turns.deliver(conversation)
