"""What goes on in the chats that the bot has, for agents who look on: masked here, gathered, and told to the desk now and then.

Lives here: turns as lines, off the way of the turns themselves. Must not live here: what is masked (it comes in), or where the lines go
(`helpdesk/`). Best effort: what comes faster than it can be told is dropped, the oldest first, and nothing is tried again. It has a tenth
of the time at most, in small portions: that somebody may look on must not slow down those who are looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final, NamedTuple

import structlog

from bot.conversation import Conversation
from bot.desk import Desk, Line
from dialogs.effects import Say, Show
from dialogs.events import ButtonPressed, CommandSent, ContactShared, Event, MediaSent, MessageEdited, Started, TextSent
from dialogs.fields import BY_ID as FIELDS
from dialogs.machine import Turn
from dialogs.registration import held, step_id
from dialogs.secret import looks_like_password
from dialogs.session import Session
from dialogs.texts import label_of

log = structlog.get_logger(__name__)

# So many turns are kept until the next telling, and so many are told at once: writing more would keep the chats waiting.
MOST: Final = 500
PORTION: Final = 20
# Between two tellings, at least; and so many times what the last one took, at most so long.
PAUSE_SECONDS: Final = 0.5
REST: Final = 9
LONGEST_PAUSE_SECONDS: Final = 10.0
_DOTS: Final = "\N{BULLET}" * 8


class _Noted(NamedTuple):
    conversation: Conversation
    event: Event
    id: str
    before: Session
    turn: Turn
    at: datetime


class Live:
    """`mask` covers what is personal in a text, knowing a session: `note` is the runner's `Watch`, and `run` one task of the process."""

    def __init__(self, desk: Desk, mask: Callable[[Session, str], str], *, pause: float = PAUSE_SECONDS) -> None:
        self._desk = desk
        self._mask = mask
        self._pause = pause
        self._noted: deque[_Noted] = deque(maxlen=MOST)
        self._wake = asyncio.Event()
        self._stopped = asyncio.Event()

    def note(self, conversation: Conversation, event: Event, event_id: str, before: Session, turn: Turn, at: datetime) -> None:
        """What is said while the helpdesk has a conversation reaches it by itself (`dialogs.effects.Relay`)."""
        if not held(before):
            self._noted.append(_Noted(conversation, event, event_id, before, turn, at))
            self._wake.set()

    def stop(self) -> None:
        self._stopped.set()
        self._wake.set()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._stopped.is_set():
            await self._wake.wait()
            self._wake.clear()
            noted, begun = [self._noted.popleft() for _ in range(len(self._noted))], loop.time()
            try:
                for start in range(0, len(noted), PORTION):
                    if lines := [line for each in noted[start : start + PORTION] for line in self._lines(each)]:
                        await self._desk.watch(lines)
                    await asyncio.sleep(0)
            except Exception as error:  # noqa: BLE001 (lookers-on miss these lines; nobody else is to be disturbed)
                log.warning("desk.not_watched", error=type(error).__name__, turns=len(noted))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(self._pause, min(REST * (loop.time() - begun), LONGEST_PAUSE_SECONDS))):
                    await self._stopped.wait()

    def _lines(self, noted: _Noted) -> Iterator[Line]:
        after, step, at, number = noted.turn.session, step_id(noted.before), noted.at, 0
        if text := self._said(noted, step):
            yield Line(noted.conversation, "person", text, at, step, f"{noted.id}.{number}")
        for effect in noted.turn.effects:
            if isinstance(effect, Say | Show) and effect.author == "bot":
                number += 1
                text = effect.screen.body if isinstance(effect, Show) else effect.text
                yield Line(noted.conversation, "bot", self._covered(noted, text), at, step_id(after), f"{noted.id}.{number}")

    def _said(self, noted: _Noted, step: str) -> str:
        """What the person did, in a word or their own."""
        match noted.event:
            case TextSent(text) | MessageEdited(_, text):
                if looks_like_password(text):
                    return _DOTS
                # A name that was refused is known to nobody.
                return FIELDS["full_name"].mask(text) if step == "full_name" else self._covered(noted, text)
            case ContactShared(phone):
                return FIELDS["phone"].mask(phone)
            case ButtonPressed(_, action):
                return f"[{label_of(noted.before.language, action)}]"
            case MediaSent(kind):
                return f"({kind})"
            case CommandSent(command):
                return f"/{command}"
            case Started():
                return "/start"
            case _:
                return ""

    def _covered(self, noted: _Noted, text: str) -> str:
        return self._mask(noted.before, self._mask(noted.turn.session, text))
