"""WhatsApp as a channel of the bot: draw a message, send it, say what became of it.

Lives here: `WhatsAppChannel`, and the little it remembers between calls. Must not live here: how things look (`drawing.py`), HTTP
(`graph.py`) or who somebody is (`people.py`). What it remembers is for looks and may be lost: no dialog depends on it.
"""

from __future__ import annotations

from typing import Any, Final

import structlog

from bot.channels.port import SEND_SECONDS, Capabilities, Delivery, Failed, Later, Refused, Sent, missed
from bot.channels.whatsapp.drawing import ROWS, Body, draw
from bot.channels.whatsapp.graph import Graph, GraphError, outcome
from bot.channels.whatsapp.people import NotAnAddress, People
from bot.channels.whatsapp.slip import Slip
from bot.limits import Limiter, Limits, Rate, loop_time, notifies
from bot.recent import Recent
from bot.stores.port import StoreUnavailable
from dialogs.effects import Message, Say

logger = structlog.get_logger(__name__)

NAME: Final = "whatsapp"
# Meta's are 80 a second for a number, and 1 in 6 seconds for a chat, beyond a burst of 45.
_CHAT: Final = Rate(1 / 6, 12, reserve=2)
LIMITS: Final = Limits(whole=Rate(60, 6, reserve=3), chat=_CHAT, group=_CHAT)
# With less time than this a call had better not begin: whether its message was taken could not be told.
_LEAST_SECONDS: Final = 2.0
_COME_AGAIN_SECONDS: Final = 0.5


class WhatsAppChannel:
    """The `Channel` port over the Graph API. `limiter` is where every message waits for its place."""

    name: Final = NAME
    capabilities: Final = Capabilities(buttons=ROWS, returns=True)

    def __init__(self, graph: Graph, people: People, limiter: Limiter) -> None:
        self._graph = graph
        self._people = people
        self._limiter = limiter
        self._parts_sent: Recent[tuple[str, str], int] = Recent()
        self._newest: Recent[str, str] = Recent()
        # Meta's own ids of people's messages, by what they are called elsewhere. An agent's reply to one that is not here (any more, or in
        # this process) comes without its quotation.
        self._wamids: Recent[str, str] = Recent()

    async def deliver(self, address: str, message: Message, key: str) -> Delivery:
        """Send it. Tried again, a message of several parts goes on at the first part that is still missing.

        Nothing can be changed or deleted there: that is over at once.
        """
        until = loop_time() + SEND_SECONDS
        bodies = draw(message, quoted=self._wamids.get(message.answers, "") if isinstance(message, Say) else "")
        if not bodies:
            return Sent()
        try:
            recipient = await self._people.recipient(address)
        except NotAnAddress:
            return Refused("not a chat of WhatsApp")
        except StoreUnavailable:
            return Failed("the store is away")
        common = {
            "recipient_type": "individual",
            **recipient,
            "biz_opaque_callback_data": Slip(address, key, missed(message)).written,
        }
        last = ""
        for part in range(min(self._parts_sent.pop((address, key), 0), len(bodies)), len(bodies)):
            delivery = await self._send(address, {**common, **bodies[part]}, until, urgent=not notifies(message))
            if not isinstance(delivery, Sent):
                if part:
                    self._parts_sent.put((address, key), part)
                return delivery
            last = delivery.message
        return Sent(last)

    async def _send(self, address: str, body: Body, until: float, *, urgent: bool) -> Delivery:
        if wait := await self._limiter.place(address, urgent=urgent):
            return Later(wait)
        if (within := until - loop_time()) < _LEAST_SECONDS:
            return Later(_COME_AGAIN_SECONDS)
        try:
            answer = await self._graph.send(body, within=within)
        except GraphError as error:
            delivery = outcome(error)
            if isinstance(delivery, Later):
                await self._slowed(address, delivery)
            logger.info("whatsapp.not_delivered", status=error.status, code=error.code, outcome=type(delivery).__name__)
            return delivery
        return Sent(self._people.message(wamid) if (wamid := _wamid(answer)) else "")

    async def _slowed(self, address: str, later: Later) -> None:
        if later.whole_channel:
            await self._limiter.shut(later.seconds)
        else:
            await self._limiter.rest(address, later.seconds)

    def seen(self, address: str, message: str, wamid: str) -> None:
        """The person's newest message: shown as read, and by it that something is under way."""
        self._newest.put(address, wamid)
        self._wamids.put(message, wamid)
        self._graph.politely({"status": "read", "message_id": wamid})

    def typing(self, address: str) -> None:
        """WhatsApp shows it for 25 seconds, or until the next message comes; it hangs on a message of the person's."""
        if wamid := self._newest.get(address):
            self._graph.politely({"status": "read", "message_id": wamid, "typing_indicator": {"type": "text"}})


def _wamid(answer: dict[str, Any]) -> str:
    match answer:
        case {"messages": [{"id": str(id_)}, *_]}:
            return id_
        case _:
            return ""
