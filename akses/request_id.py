"""One name for what a request sets in motion, in the logs of everything that it passes through: bot, client, backend, worker.

Lives here: the name in hand (a context variable), where it comes from, and the layer that takes it from HTTP. Must not live here: logging
it (`akses/logs.py`) or sending it on (`backend_client/client.py` is given `current`).

A request from outside may bring a name (X-Request-ID); one that could hide a number of a person, or is no name, is not taken over.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from bot.conversation import Conversation
    from bot.delivery import Requests
    from dialogs.effects import News, Request

HEADER: Final = b"x-request-id"
_SHAPE: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NUMBER: Final = re.compile(r"\d(?:[._-]?\d){7}")
# Sixteen letters instead of hex digits, so that no name of ours ever looks like a number.
_LETTERS: Final = str.maketrans("0123456789", "ghijklmnop")
# Names need to differ, not to be secret; asking the kernel for them would cost a turn a microsecond.
_random: Final = partial(random.Random().getrandbits, 64)  # noqa: S311

# The name, or the random number that it will be made of should anybody ask.
_current: Final[ContextVar[str | int]] = ContextVar("akses_request", default="")


def current() -> str | None:
    """The name of what is in hand, None where nothing is."""
    name = _current.get()
    return (name if isinstance(name, str) else _written(name)) or None


def new() -> str:
    """A name for what has none: 64 random bits."""
    return _written(_random())


def _written(number: int) -> str:
    return f"{number:016x}".translate(_LETTERS)


def of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The name that a request brings (names of headers in lower case), if it may stand in our logs; else a new one."""
    return _brought(headers) or new()


def _brought(headers: Iterable[tuple[bytes, bytes]]) -> str:
    for key, value in headers:
        if key == HEADER and well_formed(given := value.decode("latin-1")):
            return given
    return ""


def well_formed(written: str) -> bool:
    """Whether a name from outside may stand in our logs: a UUID, or 8 to 64 of A-Z a-z 0-9 . _ - without 8 digits in a row."""
    return bool(_UUID.fullmatch(written) or (_SHAPE.fullmatch(written) and not _NUMBER.search(written)))


@contextmanager
def named(name: str) -> Iterator[None]:
    """Everything within, and the tasks that it starts, goes by this name; a name from outside that is not well formed is replaced."""
    token = _current.set(name if well_formed(name) else new())
    try:
        yield
    finally:
        _current.reset(token)


class at_least:  # noqa: N801 (used as a function; a class, because a generator would cost a turn ten times as much)
    """Everything within has a name: the one in hand, or a new one."""

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        self._token = None if _current.get() else _current.set(_random())

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            _current.reset(self._token)


def begin(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """From here to its end, the task in hand goes by this request's name."""
    _current.set(_brought(headers) or _random())


class RequestIds:
    """An ASGI layer around an application. The answer bears the name, so that who asks for help can tell it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = of(scope["headers"])
        header = (HEADER, name.encode())

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        token = _current.set(name)
        try:
            await self._app(scope, receive, answer)
        finally:
            _current.reset(token)


class NamedRequests:
    """`Requests` that go to the backend under the name of their item in the outbox, which the turn that committed it has logged."""

    def __init__(self, inner: Requests) -> None:
        self._inner = inner

    async def carry_out(self, conversation: Conversation, request: Request, item: str, attempts: int) -> float | None:
        with named(item):
            return await self._inner.carry_out(conversation, request, item, attempts)

    async def tell_by_mail(self, news: News, item: str, attempts: int) -> float | None:
        with named(item):
            return await self._inner.tell_by_mail(news, item, attempts)
