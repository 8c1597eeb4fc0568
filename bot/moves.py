"""Links that take a form from one chat to another: tokens, where they lead, and carrying out what the dialog asks of them.

A token is `lanjut-` and 43 characters: 128 bits that nobody can guess, and a keyed check of them, so that an invented one is refused before
anything is looked up. It says nothing of anybody. What it leads to lies sealed in the dialog store for half an hour, whichever process made
it. It is good once because the chat that lets the form go does so in one commit (`dialogs/moves.py`), and every step from there on waits in
the outbox: a crash between any two loses nothing and brings nothing twice.

Lives here: making tokens and reading them, the events that come of `dialogs.effects.Move`. Must not live here: what the person is told
(`dialogs/moves.py`), the page with the QR codes (`bot/move_page.py`).
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, Protocol, assert_never

import structlog

from bot.conversation import Conversation
from bot.stores.port import Commit, Store
from bot.turns import Standing, Taken
from dialogs.effects import BringForm, MakeLink, Move, RedeemLink
from dialogs.events import Event, FormBrought, FormWritten, LinkDead, LinkMade, LinkOpened
from dialogs.frozen import Frozen
from dialogs.moves import PREFIX, is_link

log = structlog.get_logger(__name__)

LIFE: Final = timedelta(minutes=30)
# Where what a helpdesk agent writes down waits for the person to fetch it: chats without anybody in them.
ASSISTED: Final = "assisted"
_HALF: Final = 16
# A chat that is just handing off another form takes this one as soon as that is over.
_COME_AGAIN_SECONDS: Final = 3.0

# The address at which a token opens a place; "" where that place cannot be reached now.
Places = Mapping[str, Callable[[str], str]]


class Keys(Protocol):
    """What is needed of the keyring."""

    def seal(self, plaintext: bytes, context: bytes) -> bytes: ...

    def open(self, sealed: bytes, context: bytes) -> bytes: ...

    def index(self, purpose: str, text: str) -> bytes: ...


class Carries(Protocol):
    """What is needed of the turns (`bot/turns.py`)."""

    async def take(self, conversation: Conversation, event: Event, event_id: str) -> Taken: ...

    async def deliver(self, conversation: Conversation) -> None: ...


class Stands(Protocol):
    """What is needed of the runner itself."""

    async def standing(self, conversation: Conversation, event_id: str) -> Standing | None: ...


class Offer(Frozen, frozen=True):
    """A link that was made: `addresses` are the places that it opens, by name, `until` (UTC) is when its time is over."""

    token: str
    addresses: tuple[tuple[str, str], ...]
    until: datetime


class Links:
    """The tokens, kept in the dialog store. Raises StoreUnavailable."""

    def __init__(self, store: Store, keys: Keys, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock

    async def make(self, conversation: Conversation, name: str) -> str:
        """A token that leads to this conversation; the same for the same `name`, by which making it twice is making it once."""
        nonce = self._keys.index("move link", f"{conversation} {name}")[:_HALF]
        token = f"{PREFIX}{base64.urlsafe_b64encode(nonce + self._check(nonce)).decode().rstrip('=')}"
        link, now = self.id_of(token), self._clock().timestamp()
        sealed = self._keys.seal(str(conversation).encode(), _context(link))
        # One that is there already stays as it is.
        await self._store.commit(Commit(_place(link), 0, sealed, (), (), now, LIFE.total_seconds()))
        return token

    def genuine(self, token: str) -> bool:
        """Whether we have made this token, however long ago."""
        if not is_link(token) or not token.isascii():
            return False
        written = token.removeprefix(PREFIX)
        try:
            raw = base64.b64decode(written + "=" * (-len(written) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return False
        return len(raw) == 2 * _HALF and hmac.compare_digest(raw[_HALF:], self._check(raw[:_HALF]))

    async def whose(self, token: str) -> Conversation | None:
        """The conversation that a token leads to; None for one that was never made, or whose time is over."""
        if not self.genuine(token):
            return None
        link = self.id_of(token)
        loaded = await self._store.load(_place(link), self._clock().timestamp())
        if loaded.state is None:
            return None
        return Conversation.parse(self._keys.open(loaded.state, _context(link)).decode())

    def id_of(self, token: str) -> str:
        """By which the dialog knows a link; it opens nothing."""
        return self._keys.index("move link id", token).hex()[:24]

    def _check(self, nonce: bytes) -> bytes:
        return self._keys.index("move link check", nonce.hex())[:_HALF]


def _place(link: str) -> str:
    return f"link:{link}"


def _context(link: str) -> bytes:
    return f"move link {link}".encode()


class Moves:
    """Carries out what dialogs ask (`carry_out`, from the outbox) and what agents do (`write_down`, `offer`)."""

    def __init__(
        self,
        links: Links,
        turns: Carries,
        runner: Stands,
        places: Places,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.links = links
        self._turns = turns
        self._runner = runner
        self._places = places
        self._clock = clock

    async def carry_out(self, conversation: Conversation, move: Move, item: str) -> float | None:
        """None when it is over; else the seconds to wait before it is tried again. `item` is the effect's key: twice is once."""
        match move:
            case MakeLink():
                await self.offer(conversation, item)
            case RedeemLink(token):
                await self._redeem(conversation, token, item)
            case BringForm():
                return await self._bring(conversation, move, item)
            case _:
                assert_never(move)
        return None

    async def write_down(self, name: str, kind: str, typed: Mapping[str, str], key: str) -> Conversation:
        """Where a form waits that an agent, known to people as `name`, has written down for a caller; one for each `key`."""
        conversation = Conversation(ASSISTED, self.links.id_of(f"written down {key}"))
        await self._turns.take(conversation, FormWritten(name, kind, dict(typed)), "written")
        return conversation

    async def offer(self, conversation: Conversation, name: str) -> Offer:
        """A link for the form that is open in this conversation, whose earlier links are void from here on. The person reads it there."""
        token = await self.links.make(conversation, name)
        offer = Offer(token, self.addresses(token, but=conversation.channel), self._clock() + LIFE)
        await self._take(conversation, LinkMade(self.links.id_of(token), offer.addresses, offer.until), f"{name} made")
        return offer

    async def state(self, token: str) -> Literal["waiting", "fetched", "over"]:
        """Whether this link's form still waits to be fetched; of one whose time is over nothing else is known."""
        origin = await self.links.whose(token)
        if origin is None:
            return "over"
        stands = await self._runner.standing(origin, "")
        draft = stands.session.draft if stands else None
        return "waiting" if draft is not None and draft.link == self.links.id_of(token) else "fetched"

    def addresses(self, token: str, *, but: str = "") -> tuple[tuple[str, str], ...]:
        """Where a token can be opened. `but` is where it comes from: a chat that is the same on every device is no other place."""
        everywhere = ((name, address(token)) for name, address in self._places.items() if name != but or name == "web")
        return tuple((name, address) for name, address in everywhere if address)

    async def _redeem(self, conversation: Conversation, token: str, item: str) -> None:
        origin = await self.links.whose(token)
        if origin is None:
            log.info("move.link_over", channel=conversation.channel)
            await self._take(conversation, LinkDead("over"), f"{item} over")
        elif await self._runner.standing(origin, "") is None:
            await self._take(conversation, LinkDead("used"), f"{item} used")
        else:
            opened = LinkOpened(self.links.id_of(token), str(conversation), conversation.channel)
            await self._take(origin, opened, f"{item} opened")

    async def _bring(self, conversation: Conversation, form: BringForm, item: str) -> float | None:
        to = Conversation.parse(form.to)
        if not (form.kind or form.answers or form.typed):
            await self._take(to, LinkDead("used"), f"{item} used")
            return None
        event_id = f"{item} brought"
        await self._take(to, FormBrought(conversation.channel, form.name, form.kind, form.answers, form.typed), event_id)
        stands = await self._runner.standing(to, event_id)
        if stands is None or not stands.known:
            return _COME_AGAIN_SECONDS
        log.info("move.brought", origin=conversation.channel, channel=to.channel)
        return None

    async def _take(self, conversation: Conversation, event: Event, event_id: str) -> None:
        if (await self._turns.take(conversation, event, event_id)).left:
            await self._turns.deliver(conversation)
