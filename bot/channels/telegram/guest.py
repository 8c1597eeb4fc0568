"""The dialog as a guest in a bot that exists: which of the bot's updates are ours, taken in order, confirmed when they are committed.

Lives here: what both frameworks need of it (`aiogram_router.py`, `ptb_handlers.py`). Must not live here: a framework, or what a turn is
built from (`akses/telegram.py`).

Ours is, in private chats only: our buttons, by the beginning of their data; the entry command and its deep link, and those that take a
form along; the dialog's other commands in a chat where it has begun; and anything that is no command while a form is open here, or an agent
has the conversation. A form that its person has left for `HELD` has no claim on what they say; the entry command and our buttons lead back
into it. All else is the host's, and so is what Telegram tells of the chat itself (blocked, unblocked), which we hear too.

An update reserves its place in its chat's line when it arrives; whether it is ours is decided at the head of the line, when all that came
before has been decided and, if ours, committed: however the library runs its handlers, the order stays. What is ours reaches nobody else:
neither the host's handlers nor its middlewares, logs and states see anything of what a person types into the form.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

import msgspec
import structlog

from bot.channels.telegram.api import BotApi, BotApiError
from bot.channels.telegram.channel import NAME
from bot.channels.telegram.codec import OURS, FromPerson, Reachable, read_update
from bot.channels.telegram.courtesies import Politely
from bot.channels.telegram.intake import Intake, pause
from bot.conversation import Conversation
from bot.turns import Standing, StoreUnavailable
from dialogs.commands import MENU
from dialogs.events import ButtonPressed, CommandSent, Started
from dialogs.frozen import replace
from dialogs.moves import is_link
from dialogs.session import Session

logger = structlog.get_logger(__name__)

ENTRY: Final = "daftar"
HELD: Final = timedelta(hours=24)
# The library is kept from confirming an update for so long; then it may, for the host's sake. The turn is still tried.
CONFIRM_SECONDS: Final = 10.0
_NAME_SECONDS: Final = 10.0
_ENTRY: Final = re.compile(r"[a-z0-9_]{1,32}")


class NotStarted(RuntimeError):
    """An update that may be ours came before the registration was started, or after it was stopped."""

    def __init__(self) -> None:
        super().__init__(
            "the registration is not started: it starts with start_polling, setup_application, run_polling or run_webhook; where you "
            "run these parts yourself, put `async with registration:` around them (aiogram: await dispatcher.emit_startup())"
        )


class Looks(Protocol):
    """What is needed of the runner besides `Turns`."""

    async def standing(self, conversation: Conversation, event_id: str) -> Standing | None: ...


class Ticket:
    """One update's place in its chat's line, from its arrival until it is known to be the host's, or is committed."""

    __slots__ = ("done", "turn", "update")

    def __init__(self, update: FromPerson) -> None:
        loop = asyncio.get_running_loop()
        self.update = update
        self.turn: asyncio.Future[None] = loop.create_future()
        self.done: asyncio.Future[None] = loop.create_future()


def holds(session: Session, now: datetime) -> bool:
    """Whether what the person says belongs to the dialog: a form is open and not left, or the helpdesk has the conversation."""
    if session.desk is not None and session.desk.owner in ("queued", "human"):
        return True
    open_form = session.draft is not None or session.email_change is not None or bool(session.overlay)
    return open_form and session.seen is not None and now - session.seen < HELD


class Guest:
    """One bot's. `entry` is the command and the deep link that begin; `politely` carries calls that may get lost."""

    def __init__(
        self, api: BotApi, bot_id: int, entry: str = ENTRY, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.api = api
        self.bot_id = bot_id
        self.politely = Politely(api)
        if not _ENTRY.fullmatch(entry):
            raise ValueError("entry is a command as Telegram takes it: 1 to 32 of a-z, 0-9 and _")
        self._entry = entry
        self._clock = clock
        self._intake: Intake | None = None
        self._runner: Looks | None = None
        self._named: asyncio.Task[None] | None = None
        self._lines: dict[int, deque[Ticket]] = {}
        self._patient = True

    def open(self, runner: Looks, intake: Intake) -> None:
        """From here on updates are taken; inside a running loop."""
        self._runner, self._intake = runner, intake
        self._named = asyncio.create_task(self._learn_name(intake))

    async def close(self, grace: float) -> None:
        """Let what is under way end, at most `grace` seconds; what is committed is delivered after the next start."""
        if self._named is not None:
            self._named.cancel()
            await asyncio.gather(self._named, return_exceptions=True)
        if under_way := [ticket.done for line in self._lines.values() for ticket in line]:
            await asyncio.wait(under_way, timeout=grace)
        intake, self._intake, self._runner = self._intake, None, None
        if intake is not None:
            await intake.close(grace)

    async def _learn_name(self, intake: Intake) -> None:
        """The bot's own name: a command with another one's is not ours."""
        failures = 0
        while not intake.username:
            try:
                intake.username = (await self.api.call("getMe", {}, within=_NAME_SECONDS))["username"]
            except BotApiError as error:
                failures += 1
                logger.warning("telegram.set_up_failed", method="getMe", code=error.code, failures=failures)
                await asyncio.sleep(max(error.retry_after, pause(failures)))

    def start_link(self, payload: str) -> str:
        """The address that opens this bot with a payload; "" until Telegram has told the bot's name."""
        name = self._intake.username if self._intake is not None else ""
        return f"https://t.me/{name}?start={payload}" if name else ""

    # --- the order

    def arrives(self, raw: dict[str, Any]) -> Ticket | None:
        """Read an update as Telegram sent it and reserve its place; None for what is the host's whatever has come before it."""
        update = read_update(msgspec.json.encode(raw), self._intake.username if self._intake else "")
        if isinstance(update, Reachable) and self._intake is not None:
            self._intake.heard(update)
        if not isinstance(update, FromPerson) or update.event is None:
            return None
        if update.callback and not str(raw["callback_query"].get("data") or "").startswith(OURS):
            return None
        if isinstance(update.event, Started) and not self._invited(update.event.payload):
            return None
        if isinstance(update.event, CommandSent) and update.event.command not in (self._entry, *MENU):
            return None
        ticket = Ticket(update)
        line = self._lines.setdefault(update.chat, deque())
        line.append(ticket)
        if line[0] is ticket:
            ticket.turn.set_result(None)
        return ticket

    async def handled(self, ticket: Ticket) -> bool:
        """Whether this update is ours; one that is, is committed when this returns, or given up with an error in the log.

        To be called at once for every ticket: those behind it wait. Raises NotStarted.
        """
        try:
            await ticket.turn
            if not await self._decided(ticket.update):
                return False
            if self._intake is None:
                raise NotStarted
            await self._intake.insist(self._as_the_dialog_knows_it(ticket.update))
            self._patient = True
            return True
        finally:
            self._leaves(ticket)

    def _leaves(self, ticket: Ticket) -> None:
        if not ticket.done.done():
            ticket.done.set_result(None)
        line = self._lines[ticket.update.chat]
        line.remove(ticket)
        if not line:
            del self._lines[ticket.update.chat]
        elif not line[0].turn.done():
            line[0].turn.set_result(None)

    async def settled(self, tickets: Iterable[Ticket]) -> None:
        """Wait until these are the host's or committed, that is until the library may confirm them; not longer than CONFIRM_SECONDS."""
        waiting = [ticket.done for ticket in tickets if not ticket.done.done()]
        if waiting and self._patient:
            _, late = await asyncio.wait(waiting, timeout=CONFIRM_SECONDS)
            if late:
                # The store is away: the host's own updates shall not wait for it as well. Once it is back, all is as before.
                self._patient = False
                logger.warning("telegram.confirmed_early", updates=len(late))

    async def _decided(self, update: FromPerson) -> bool:
        failures = 0
        while True:
            if self._runner is None:
                raise NotStarted
            try:
                return await self._is_ours(update, self._runner)
            except StoreUnavailable:
                failures += 1
                logger.warning("telegram.store_unavailable", failures=failures)
                await asyncio.sleep(pause(failures))

    async def _is_ours(self, update: FromPerson, runner: Looks) -> bool:
        event = update.event
        if isinstance(event, ButtonPressed | Started) or (isinstance(event, CommandSent) and event.command == self._entry):
            return True
        standing = await runner.standing(Conversation(NAME, str(update.chat)), str(update.update_id))
        if standing is None:
            return False
        begun = isinstance(event, CommandSent) and bool(standing.session.serial)
        # One that we have had before is ours, however things stand by now: it has come again.
        return standing.known or begun or holds(standing.session, self._clock())

    def _as_the_dialog_knows_it(self, update: FromPerson) -> FromPerson:
        """Whatever our command is called here, the dialog calls it ENTRY; of a deep link it is told what stands behind that."""
        match update.event:
            case CommandSent(command) if command == self._entry:
                return replace(update, event=CommandSent(ENTRY))
            case Started(payload) if not is_link(payload):
                return replace(update, event=Started(payload[len(self._entry) + 1 :]))
            case _:
                return update

    def _invited(self, payload: str) -> bool:
        return is_link(payload) or payload == self._entry or payload.startswith((f"{self._entry}-", f"{self._entry}_"))
