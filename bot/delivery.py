"""What committed turns left to do: messages to the chats in order, requests to the backend, timers; until each has happened.

Lives here: draining the outbox, waiting and trying again, and what is given up. Must not live here: how a channel sends (`bot/channels/`),
how fast it may (`bot/limits.py`), what a request means (`bot/requests.py`). At least once: a crash between doing and noting it does it
again, under the same key.

What a channel answers decides (`bot/channels/port.py`). A limit is waited for. A fault is tried again, TRIES times in half an hour, and
then the message is a dead letter (`bot/letters.py`); so is one that was handed over twice without an answer, and one that the channel
refuses for good. A chat that cannot be reached is left alone: of what waits for it only the newest news of each registration is kept. Its
person is told that by mail meanwhile, and in the chat as soon as they can be reached again (`reached`). A channel may take a message and
say only later that it did not arrive: of such, news and what an agent said are kept so long (`returned`).

Where agents step into chats, whose the conversation is counts at the moment of sending, not of committing: one more read for a screen, and
only there. What became of an agent's message is told to the desk.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple, Protocol, assert_never

import structlog

from bot import letters
from bot.channels.port import SEND_SECONDS, Channel, Dead, Delivery, Failed, Later, Refused, Sent, Unknown, missed
from bot.conversation import Conversation
from bot.desk import Desk, DeskUnavailable
from bot.in_order import InOrder
from bot.letters import Letter, Letters
from bot.sessions import Sessions
from bot.stores.port import Commit, Item, Store, StoreUnavailable, timer_of
from bot.turns import KEEP_SECONDS, LEASE_SECONDS, NOTHING, Turns
from dialogs.effects import (
    BringForm,
    ChangeEmail,
    DeleteUserMessages,
    DeskChanged,
    Fate,
    MakeLink,
    Message,
    MessageFate,
    Move,
    News,
    OpenTicket,
    RedeemLink,
    Redraw,
    Relay,
    Request,
    ResendActivation,
    Say,
    Show,
    SubmitRegistration,
    ToDesk,
    WithdrawRegistration,
)
from dialogs.events import TimerFired
from dialogs.registration import token
from dialogs.session import Session

log = structlog.get_logger(__name__)

# How often the outbox is looked at when nobody wakes the loop: what another process left behind is found within this time.
POLL_SECONDS: Final = 1.0
# How long one item may take before another process may take it up as well; what a process leaves that dies waits as long.
WORK_SECONDS: Final = 20.0
# What sending one message may take: two calls of the store, each at most 2 seconds (`bot/redis_link.py`), and the channel's.
SENDING_SECONDS: Final = SEND_SECONDS + 4.0
BATCH: Final = 64
# A request that takes longer than this is shown to be under way, and again so often (Telegram shows it for 5 seconds).
TYPING_AFTER_SECONDS: Final = 1.0
TYPING_EVERY_SECONDS: Final = 4.5
# Batches under way at a time: those that wait for a place in their channel do not hold up requests to the backend.
BATCHES: Final = 8
EXPIRE_EVERY_SECONDS: Final = 600.0
# A fault is tried again after 1.6, 5, 15, 44, 131, 394 and 1,180 seconds, each a fifth more or less: half an hour in all.
TRIES: Final = 8
_FIRST_RETRY: Final = 1.6
_RETRY_FACTOR: Final = 3.0
_JITTER: Final = 0.2
# How long a message is kept whose chat cannot be reached: longer than its conversation.
_PUT_BY_SECONDS: Final = KEEP_SECONDS + 24 * 3600
# How long a channel may still say of a message that it did not arrive, and how the key of one ends that came back.
_RETURN_SECONDS: Final = KEEP_SECONDS
_RETURNED: Final = ".returned"

# An item's `attempts` counts its tries, and above them it says what else is known of it, so that this survives the process.
_COUNT: Final = 0xFFFF
_MAYBE_TAKEN: Final = 1 << 16  # it was handed over once, and no answer came
_PUT_BY: Final = 1 << 17  # its chat cannot be reached
_TOLD: Final = 1 << 18  # and its person has been told by mail, as far as that can be


class Requests(Protocol):
    """Carries out a request to the backend (`bot/requests.py`)."""

    async def carry_out(self, conversation: Conversation, request: Request, item: str, attempts: int) -> float | None:
        """None when it is over, for good or ill; else the seconds to wait before the next attempt. `item` is the request's key here."""

    async def tell_by_mail(self, news: News, item: str, attempts: int) -> float | None:
        """The same, for news that a chat could not be told."""


class Carries(Protocol):
    """Carries out what takes a form from one chat to another (`bot/moves.py`)."""

    async def carry_out(self, conversation: Conversation, move: Move, item: str) -> float | None:
        """None when it is over; else the seconds to wait before it is tried again."""


class Waiting(NamedTuple):
    """A message in the outbox, read."""

    item: Item
    message: Message

    @property
    def news(self) -> News | None:
        return self.message.news if isinstance(self.message, Say | Show) else None

    @property
    def put_by(self) -> bool:
        return bool(self.item.attempts & _PUT_BY)


class OutboxDelivery:
    """Run `run()` as one task for each process; `deliver` may be called at any time beside it. `chance` gives numbers from 0 to 1."""

    def __init__(
        self,
        store: Store,
        sessions: Sessions,
        channels: Mapping[str, Channel],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: Callable[[], float] = random.random,
        desk: Desk | None = None,
        suppressed: Callable[[Conversation], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._channels = channels
        self._clock = clock
        self._chance = chance
        self._desk = desk
        self._suppressed = suppressed
        self._wake = asyncio.Event()
        self._stopping = False
        self._in_order = InOrder()
        self._letters = Letters(store)
        self._requests: Requests | None = None
        self._moves: Carries | None = None
        self._turns: Turns | None = None

    def connect(self, turns: Turns, requests: Requests, moves: Carries | None = None) -> None:
        """Timers and the backend's answers become turns of their own, and so does what becomes of a form that goes elsewhere."""
        self._turns, self._requests, self._moves = turns, requests, moves

    def wake(self) -> None:
        self._wake.set()

    def stop(self) -> None:
        """Let `run` return when what it has taken up is done."""
        self._stopping = True
        self._wake.set()

    async def deliver(self, conversation: Conversation) -> None:
        """Send the undelivered messages of one conversation, oldest first, until none is left; one that must wait holds back the rest.

        To be called only by who has them: by the commit's outcome FIRST, or by their lease.
        """
        await self._guarded(conversation, self._drain(conversation))

    async def reached(self, conversation: Conversation) -> None:
        """This chat can be written to, for its person has just been there: what was kept for that is sent, and what came after it."""
        await self._guarded(conversation, self._revive(conversation))

    async def blocked(self, conversation: Conversation) -> None:
        """This chat's person has shut it: what waits for it is kept for their return, and news of it is told by mail meanwhile."""
        await self._guarded(conversation, self._shut(conversation))

    async def returned(self, conversation: Conversation, key: str, *, unreachable: bool) -> None:
        """The channel says of a message that it had taken that it did not arrive; `unreachable` when its person cannot be reached there.

        News that is still true is told by mail and kept for the chat, and a desk hears of its message. Once, however often and late the
        channel says so, and of whatever message: what waits meanwhile is not touched, for it finds out by itself. Raises StoreUnavailable.
        """
        place, now = _sent_place(key), self._now()
        async with self._in_order(conversation):
            loaded = await self._store.load(place, now)
            if loaded.state:
                each = self._read(conversation, Item(key, "say", loaded.state, now))
                await self._tell_fate(conversation, each, "unreachable" if unreachable else "failed")
                if each.news is not None and await self._holds(conversation, each.news):
                    log.info("delivery.returned", channel=conversation.channel, item=key)
                    await self._bring_back(conversation, each)
                await self._store.commit(Commit(place, loaded.revision, b"", (), (), now, _RETURN_SECONDS))

    async def arrived(self, key: str) -> None:
        """The channel says of a message that it did arrive: what was kept of it for the other case goes. Raises StoreUnavailable."""
        place, now = _sent_place(key), self._now()
        loaded = await self._store.load(place, now)
        if loaded.state:
            await self._store.commit(Commit(place, loaded.revision, b"", (), (), now, _RETURN_SECONDS))

    async def dead_letters(self) -> Sequence[Letter]:
        """What was given up, oldest first. Raises StoreUnavailable."""
        return await self._letters.all()

    async def replay(self, letter: str) -> bool:
        """Try a dead letter again, like new, if it still says what is so; False when there is none of this id, or it does not.

        Either way it is no dead letter any more. Raises StoreUnavailable.
        """
        found = await self._letters.find(letter)
        if found is None:
            return False
        conversation, item = found
        name, now = str(conversation), self._now()
        loaded = await self._store.load(name, now)
        message = self._read(conversation, item).message
        true = loaded.state is not None and _still_true(
            self._sessions.read(name, loaded.revision, loaded.state).session, message
        )
        if true:
            await self._store.add(name, Item(item.key, "say", item.body, now))
            self.wake()
        await self._letters.throw_away(letter)
        return true

    async def run(self) -> None:
        """Drain until asked to `stop`."""
        next_expiry = 0.0
        places = asyncio.Semaphore(BATCHES)
        async with asyncio.TaskGroup() as group:
            while not self._stopping:
                await places.acquire()
                batch: Sequence[tuple[str, Item]] = ()
                try:
                    self._wake.clear()
                    now = self._now()
                    if now >= next_expiry:
                        await self._store.expire(now)
                        next_expiry = now + EXPIRE_EVERY_SECONDS
                    batch = await self._store.due(now, WORK_SECONDS, BATCH)
                except StoreUnavailable:
                    log.warning("delivery.store_unavailable")
                except Exception:
                    log.exception("delivery.failed")
                if batch:
                    group.create_task(self._work(batch)).add_done_callback(lambda _: places.release())
                else:
                    places.release()
                if len(batch) < BATCH:
                    await self._nap()

    def _now(self) -> float:
        return self._clock().timestamp()

    async def _nap(self) -> None:
        if self._stopping:
            return
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _work(self, batch: Sequence[tuple[str, Item]]) -> None:
        by_conversation: dict[Conversation, list[Item]] = {}
        for name, item in batch:
            by_conversation.setdefault(Conversation.parse(name), []).append(item)
        async with asyncio.TaskGroup() as group:
            for conversation, items in by_conversation.items():
                group.create_task(self._guarded(conversation, self._work_one(conversation, items)))

    async def _guarded(self, conversation: Conversation, work: Coroutine[None, None, None]) -> None:
        """One conversation that cannot be worked must not stop everybody's; its lease brings it back, and the log shows it."""
        try:
            await work
        except StoreUnavailable:
            log.warning("delivery.store_unavailable", channel=conversation.channel)
        except Exception:
            log.exception("delivery.item_failed", channel=conversation.channel)

    async def _work_one(self, conversation: Conversation, items: list[Item]) -> None:
        if conversation.channel == letters.CHANNEL:
            # The only thing that falls due there is the end of their time.
            await self._store.done(str(conversation), [item.key for item in items])
            return
        says = frozenset(item.key for item in items if item.lane == "say")
        if says:
            await self._guarded(conversation, self._drain(conversation, leased=says))
        for item in items:
            match item.lane:
                case "say":
                    pass
                case "do":
                    await self._guarded(conversation, self._do(conversation, item))
                case "timer":
                    await self._guarded(conversation, self._fire(conversation, item))
                case _:
                    assert_never(item.lane)

    # --- messages

    async def _drain(self, conversation: Conversation, leased: frozenset[str] | None = None) -> None:
        """Send what waits. `leased` is what the loop was given; without it the caller has the first of them."""
        async with self._in_order(conversation):
            while waiting := await self._waiting(conversation):
                if any(each.put_by for each in waiting):
                    await self._put_by(conversation, waiting, leased or frozenset())
                    return
                first = waiting[0]
                if leased is not None and first.item.key not in leased:
                    # Somebody else has the first, or it has to wait; these come after it.
                    await self._postpone(conversation, waiting[1:], max(first.item.due, self._now() + POLL_SECONDS), leased)
                    return
                leased = None
                if overtaken := _overtaken(waiting, self._clock()):
                    log.info("delivery.overtaken", channel=conversation.channel, messages=len(overtaken))
                    await self._store.done(str(conversation), [each.item.key for each in overtaken])
                    continue
                await self._keep(conversation, waiting)
                if not await self._say(conversation, waiting):
                    return

    async def _keep(self, conversation: Conversation, waiting: Sequence[Waiting]) -> None:
        """Nobody else takes up what waits while the first is being sent: in a slow chat leases would be over before their turn comes."""
        now = self._now()
        short = [each for each in waiting if each.item.due - now < SENDING_SECONDS]
        await self._postpone(conversation, short, now + LEASE_SECONDS)

    async def _say(self, conversation: Conversation, waiting: Sequence[Waiting]) -> bool:
        """Whether the first is over and the next may follow, if there is one."""
        item, message = waiting[0]
        if self._desk is not None and isinstance(message, Show):
            kept = await self._as_owned(conversation, message)
            if kept is None:
                log.info("delivery.suppressed", channel=conversation.channel, item=item.key)
                self._suppressed(conversation)
                return await self._store.done(str(conversation), (item.key,))
            message = kept
        channel = self._channels.get(conversation.channel)
        if channel is not None and channel.capabilities.returns:
            await self._keep_copy(waiting[0])
        # A channel that is switched off keeps its messages until it is on again.
        outcome: Delivery = await channel.deliver(conversation.address, message, item.key) if channel else Later(60.0)
        told = log.bind(channel=conversation.channel, what=type(message).__name__, item=item.key)
        harmless_twice = isinstance(message, Redraw | DeleteUserMessages)
        match outcome:
            case Sent(id_):
                await self._tell_fate(conversation, waiting[0], "sent", id_)
                return await self._store.done(str(conversation), (item.key,))
            case Later(seconds):
                await self._hold(conversation, waiting, seconds, item.attempts)
                return False
            case Dead(reason):
                told.info("delivery.unreachable", reason=reason)
                await self._put_by(conversation, waiting, frozenset())
                return False
            case Refused(reason):
                told.error("delivery.refused", reason=reason)
                return await self._give_up(conversation, item, message, "refused")
            case Unknown(reason) if not harmless_twice:
                told.warning("delivery.unknown", reason=reason)
                if item.attempts & _MAYBE_TAKEN:
                    return await self._give_up(conversation, item, message, "unknown")
                await self._hold(conversation, waiting, self._retry_after(0), item.attempts | _MAYBE_TAKEN)
                return False
            case Unknown(reason) | Failed(reason):
                tries = item.attempts & _COUNT
                told.warning("delivery.failed", reason=reason, tries=tries + 1)
                if tries + 1 >= TRIES:
                    return await self._give_up(conversation, item, message, "failed")
                await self._hold(conversation, waiting, self._retry_after(tries), item.attempts + 1)
                return False
            case _:
                assert_never(outcome)

    async def _keep_copy(self, each: Waiting) -> None:
        """Of what somebody would have to be told should it not arrive, before it is sent: the channel may be quick to say so."""
        if not missed(each.message):
            return
        place, now = _sent_place(each.item.key), self._now()
        loaded = await self._store.load(place, now)
        await self._store.commit(Commit(place, loaded.revision, each.item.body, (), (), now, _RETURN_SECONDS))

    async def _bring_back(self, conversation: Conversation, each: Waiting) -> None:
        """Put a message that did not arrive among those that wait for their person, under another key: whoever sent it may just be about to
        strike it off. While others are on their way there it is tried once more with them.
        """
        name, key = str(conversation), f"{each.item.key.removesuffix(_RETURNED)}{_RETURNED}"
        others = [waiting for waiting in await self._waiting(conversation) if waiting.item.key != each.item.key]
        attempts = 0 if any(not waiting.put_by for waiting in others) else _PUT_BY
        body = self._sessions.write_effect(name, key, each.message)
        await self._store.add(name, Item(key, "say", body, self._now(), attempts))
        self.wake()

    async def _holds(self, conversation: Conversation, news: News) -> bool:
        loaded = await self._store.load(str(conversation), self._now())
        if loaded.state is None:
            return False
        return _is_so(self._sessions.read(str(conversation), loaded.revision, loaded.state).session, news)

    def _retry_after(self, tries: int) -> float:
        return _FIRST_RETRY * _RETRY_FACTOR**tries * (1 + _JITTER * (2 * self._chance() - 1))

    async def _hold(self, conversation: Conversation, waiting: Sequence[Waiting], seconds: float, attempts: int) -> None:
        """Put off a message and those behind it together, so that none of them brings the first up too early."""
        due = self._now() + seconds
        await self._store.postpone(str(conversation), waiting[0].item.key, due, attempts)
        await self._postpone(conversation, waiting[1:], due)

    async def _postpone(
        self, conversation: Conversation, waiting: Sequence[Waiting], due: float, only: frozenset[str] | None = None
    ) -> None:
        for item, _ in waiting:
            if only is None or item.key in only:
                await self._store.postpone(str(conversation), item.key, due, item.attempts)

    async def _give_up(self, conversation: Conversation, item: Item, message: Message, reason: letters.Reason) -> bool:
        """Whether more messages wait. What only tidied the chat is not missed; the rest becomes a dead letter."""
        if isinstance(message, Say | Show):
            await self._tell_fate(conversation, Waiting(item, message), reason)
            await self._letters.put(conversation, item, reason, self._now())
            log.error("delivery.dead_letter", channel=conversation.channel, item=item.key, reason=reason)
        return await self._store.done(str(conversation), (item.key,))

    # --- whose the conversation is by now

    async def _as_owned(self, conversation: Conversation, message: Show) -> Say | Show | None:
        """A screen as it may be sent now. The bot's question from under an earlier owner is not: it would speak over an agent, and is asked
        again when the conversation comes back. What else stands on such a screen, a fact or who has come, is told without its buttons.
        """
        loaded = await self._store.load(str(conversation), self._now())
        if loaded.state is None:
            return message
        session = self._sessions.read(str(conversation), loaded.revision, loaded.state).session
        if message.ownership == session.ownership:
            return message
        if message.news is None and message.author == "bot":
            return None
        return Say(message.screen.body, message.news, "system")

    async def _tell_fate(self, conversation: Conversation, each: Waiting, fate: Fate, id_: str = "") -> None:
        """Let the desk know what became of an agent's message, before the message is struck off: so it is known at least once."""
        message = each.message
        if self._desk is None or not isinstance(message, Say) or not message.ref:
            return
        name, key = str(conversation), f"{each.item.key}.{fate}"
        told = MessageFate(message.ref, fate, self._clock(), id_)
        await self._store.add(name, Item(key, "do", self._sessions.write_effect(name, key, told), self._now()))
        self.wake()

    # --- chats that cannot be reached

    async def _put_by(self, conversation: Conversation, waiting: Sequence[Waiting], leased: frozenset[str]) -> None:
        """Keep the newest news of each registration for later and have it told by mail; nothing else of it will matter then."""
        kept = {each.news.registration: each for each in waiting if each.news is not None}
        for each in kept.values():
            if not each.put_by:
                # First of all this must be known, whatever becomes of the mail; that is the loop's next work.
                await self._store.postpone(str(conversation), each.item.key, self._now(), _PUT_BY)
                self.wake()
            elif each.item.key in leased:
                await self._tell_by_mail(conversation, each)
        gone = [each for each in waiting if each not in kept.values()]
        for each in gone:
            await self._tell_fate(conversation, each, "unreachable")
        if gone:
            await self._store.done(str(conversation), [each.item.key for each in gone])

    async def _tell_by_mail(self, conversation: Conversation, each: Waiting) -> None:
        assert self._requests is not None
        assert each.news is not None
        item, again = each.item, None
        if not item.attempts & _TOLD:
            again = await self._requests.tell_by_mail(each.news, item.key, item.attempts & _COUNT)
        if again is None:
            await self._store.postpone(str(conversation), item.key, self._now() + _PUT_BY_SECONDS, item.attempts | _TOLD)
        else:
            await self._store.postpone(str(conversation), item.key, self._now() + again, item.attempts + 1)

    async def _shut(self, conversation: Conversation) -> None:
        async with self._in_order(conversation):
            if waiting := await self._waiting(conversation):
                await self._put_by(conversation, waiting, frozenset())

    async def _revive(self, conversation: Conversation) -> None:
        async with self._in_order(conversation):
            put_by = [each for each in await self._waiting(conversation) if each.put_by]
            for each in put_by:
                await self._store.postpone(str(conversation), each.item.key, self._now() + LEASE_SECONDS, 0)
        if put_by:
            log.info("delivery.reachable_again", channel=conversation.channel)
            await self._drain(conversation)

    # --- the outbox

    async def _waiting(self, conversation: Conversation) -> list[Waiting]:
        items = await self._store.pending(str(conversation))
        return [self._read(conversation, item) for item in items if item.lane == "say"]

    def _read(self, conversation: Conversation, item: Item) -> Waiting:
        message = self._sessions.read_effect(str(conversation), item.key, item.body)
        assert isinstance(message, Say | Show | Redraw | DeleteUserMessages)
        return Waiting(item, message)

    async def _do(self, conversation: Conversation, item: Item) -> None:
        assert self._requests is not None
        request = self._sessions.read_effect(str(conversation), item.key, item.body)
        if isinstance(request, OpenTicket | Relay | DeskChanged | MessageFate):
            await self._tell_desk(conversation, item, request)
            return
        if isinstance(request, MakeLink | RedeemLink | BringForm):
            assert self._moves is not None
            again = await self._moves.carry_out(conversation, request, item.key)
        else:
            assert isinstance(request, SubmitRegistration | ResendActivation | ChangeEmail | WithdrawRegistration)
            again = await self._ask_backend(conversation, request, item)
        if again is None:
            await self._store.done(str(conversation), (item.key,))
        else:
            await self._store.postpone(str(conversation), item.key, self._now() + again, item.attempts + 1)

    async def _ask_backend(self, conversation: Conversation, request: Request, item: Item) -> float | None:
        assert self._requests is not None
        # Only while its person may be waiting for it: a backend that is away is tried again for a day.
        channel = self._channels.get(conversation.channel) if not item.attempts else None
        busy = asyncio.create_task(_typing(channel, conversation.address), name="typing") if channel is not None else None
        try:
            return await self._requests.carry_out(conversation, request, item.key, item.attempts)
        finally:
            if busy is not None:
                busy.cancel()

    async def _tell_desk(self, conversation: Conversation, item: Item, what: ToDesk) -> None:
        if self._desk is None:
            # The helpdesk has been switched off since; what it would have been told is nobody's any more.
            await self._store.done(str(conversation), (item.key,))
            return
        try:
            await self._desk.tell(conversation, what, item.key)
        except DeskUnavailable:
            log.warning("desk.unavailable", what=type(what).__name__, attempts=item.attempts + 1)
            await self._store.postpone(str(conversation), item.key, self._now() + backoff(item.attempts), item.attempts + 1)
        else:
            await self._store.done(str(conversation), (item.key,))

    async def _fire(self, conversation: Conversation, item: Item) -> None:
        assert self._turns is not None
        # The turn itself ends the timer or sets it anew, in its commit: to strike it off here could strike off the new one. Only a timer
        # that nothing is left to be said of is.
        taken = await self._turns.take(conversation, TimerFired(timer_of(item.key)), f"{item.key} {item.due}")
        if taken is NOTHING:
            await self._store.done(str(conversation), (item.key,))
        elif taken.left:
            await self._turns.deliver(conversation)


async def _typing(channel: Channel, address: str) -> None:
    """Show the person that something is under way, once it takes long, and until this is cancelled."""
    await asyncio.sleep(TYPING_AFTER_SECONDS)
    while True:
        channel.typing(address)
        await asyncio.sleep(TYPING_EVERY_SECONDS)


def _overtaken(waiting: Sequence[Waiting], now: datetime) -> list[Waiting]:
    """News that newer news of the same registration, behind it, makes pointless; and what is worth sending for a while only, and the while
    is over or the conversation has gone on.
    """
    newest = {each.news.registration: each for each in waiting if each.news is not None}
    last = waiting[-1]
    return [
        each
        for each in waiting
        if (each.news is not None and newest[each.news.registration] is not each)
        or (
            isinstance(each.message, Show) and each.message.until is not None and (each is not last or now > each.message.until)
        )
    ]


def _still_true(session: Session, message: Message) -> bool:
    """Whether a message of some time ago still says what is so."""
    match message:
        case Show(screen):
            return screen.token == token(session)
        case Say(_, News() as news):
            return _is_so(session, news)
        case Say():
            return True
        case _:
            return False


def _is_so(session: Session, news: News) -> bool:
    about = session.registration(news.registration)
    return about is not None and about.status == ("pending" if news.status == "mailed" else news.status)


def _sent_place(key: str) -> str:
    return f"sent:{key}"


def backoff(attempts: int, *, first: float = 1.0, longest: float = 60.0) -> float:
    """Seconds before the next attempt: doubling from `first` to `longest`."""
    return float(min(longest, first * 2 ** min(attempts, 16)))


assert POLL_SECONDS < SENDING_SECONDS < LEASE_SECONDS < WORK_SECONDS
