"""What agents do to a conversation: the rights, the ownership, and the event that the dialog is given.

Lives here: who may do what to whose conversation, and what came of it. Must not live here: what the event leads to (`dialogs/`), pages
(`console/`). Every deed bears a key: done twice it is done once. It bears the version of the ownership that its agent saw, and when
another holds by now nothing happens and `Owned` says who has it. The audit's line of a change is written with the change (`records.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, cast

import structlog

from backend_client.errors import BackendUnreachable, LimitReached, RegistrationClosed, RegistrationUnknown, RequestRefused
from backend_client.port import Revealing
from bot.desk import Acted
from bot.desk import Agents as Dialog
from dialogs.clock import local_date
from dialogs.events import (
    AgentClosed,
    AgentReleased,
    AgentReturned,
    AgentSaid,
    AgentTookOver,
    AgentTransferred,
    ByAgent,
    CorrectionProposed,
)
from dialogs.fields import BY_ID as FIELDS
from dialogs.fields._field import Field, Rejected
from dialogs.session import Session
from dialogs.texts import text as dialog_text
from helpdesk.agents import Agent, Agents, actor
from helpdesk.panel import Backend, Look, value_of
from helpdesk.ports import Audit, Clock, Database
from helpdesk.reading import Chat, Reading
from helpdesk.records import Records
from helpdesk.roles import TO_REVEAL

if TYPE_CHECKING:
    from backend_client.models import FieldName

log = structlog.get_logger(__name__)

MOST_CHARACTERS: Final = 4096
LABELS: Final = ("resolved", "no_answer", "call_centre", "not_for_us", "abuse")
REASONS: Final = ("identity", "correction", "complaint", "delivery")
_KEY_MAX: Final = 64


class NotAllowed(Exception):
    """This agent may not do this to this conversation."""


class Unfit(Exception):
    """What was entered cannot be used. `code` names the console's text; `words` are the dialog's own instead."""

    def __init__(self, code: str, words: str = "", *, retry_after: int = 0) -> None:
        super().__init__(code)
        self.code = code
        self.words = words
        self.retry_after = retry_after


class Owned(Exception):
    """Somebody was quicker. `owner` is bot, queued or human; `name` the agent who has it; `version` the one that holds."""

    def __init__(self, owner: Literal["bot", "queued", "human"], agent: str, name: str, version: int) -> None:
        super().__init__(owner)
        self.owner = owner
        self.agent = agent
        self.name = name
        self.version = version


@dataclass(frozen=True, slots=True)
class Stands:
    """Who has a conversation, as the dialog itself says. `version` is what a deed must have seen."""

    owner: Literal["bot", "queued", "human"]
    ticket: str
    agent: str
    name: str
    version: int


BOTS: Final = Stands("bot", "", "", "", 0)


def stands(session: Session | None) -> Stands:
    if session is None:
        return BOTS
    desk = session.desk
    if desk is None or desk.owner == "closed":
        return Stands("bot", "", "", "", session.ownership)
    agent, name = (desk.agent, desk.name) if desk.owner == "human" else ("", "")
    return Stands(desk.owner, desk.ticket, agent, name, session.ownership)


class Acting:
    """`reveals` tells fields of registrations that the backend has; None where no key for that is set."""

    def __init__(
        self,
        dialog: Dialog,
        look: Look,
        agents: Agents,
        records: Records,
        reading: Reading,
        backend: Backend,
        reveals: Revealing | None,
        database: Database,
        audit: Audit,
        clock: Clock,
    ) -> None:
        self._dialog = dialog
        self._look = look
        self._agents = agents
        self._records = records
        self._reading = reading
        self._backend = backend
        self._reveals = reveals
        self._database = database
        self._audit = audit
        self._now = clock

    # --- whose it is

    async def take(self, chat: Chat, agent: Agent, version: int, key: str) -> None:
        """From the queue, from the bot unasked, or (act_any) from a colleague."""
        session = await self._look(chat.conversation)
        now = stands(session)
        if now.owner == "human" and now.agent != agent.id and not agent.may("act_any"):
            raise Owned(now.owner, now.agent, now.name, now.version)
        await self._act(chat, AgentTookOver(agent.id, agent.name, version), agent, key)

    async def release(self, chat: Chat, agent: Agent, version: int, key: str) -> None:
        await self._own(chat, agent, version)
        await self._act(chat, AgentReleased(agent.id, version), agent, key)

    async def hand_back(self, chat: Chat, agent: Agent, version: int, key: str) -> None:
        await self._own(chat, agent, version)
        await self._act(chat, AgentReturned(agent.id, version), agent, key)

    async def transfer(self, chat: Chat, agent: Agent, version: int, key: str, to: str) -> None:
        other = await self._agents.find(to)
        if other is None or not other.able:
            raise Unfit("transfer")
        await self._own(chat, agent, version)
        await self._act(chat, AgentTransferred(agent.id, other.id, other.name, version), agent, key)

    async def close(self, chat: Chat, agent: Agent, version: int, key: str, label: str) -> None:
        if label not in LABELS:
            raise Unfit("label")
        await self._own(chat, agent, version)
        await self._act(chat, AgentClosed(agent.id, version, label), agent, key)

    async def free(self) -> None:
        """Put back into the queue what agents have who were shut out, or may act no more: whoever did that, and wherever."""
        for chat in await self._reading.stranded():
            try:
                await self._free(chat)
            except Exception as error:  # noqa: BLE001 - whatever is the matter with one chat holds up no other
                log.warning("helpdesk.not_freed", chat=chat.id, error=type(error).__name__)

    async def _free(self, chat: Chat) -> None:
        now = stands(await self._look(chat.conversation))
        agent = await self._agents.find(now.agent) if now.owner == "human" else None
        if agent is not None and not agent.able:
            event = AgentReleased("", now.version)
            await self._dialog.act(chat.conversation, event, f"desk:freed:{now.ticket}:{now.version}")

    # --- what is said

    async def say(self, chat: Chat, agent: Agent, version: int, key: str, text: str, *, answers: str = "") -> None:
        """Say it to the person; whoever answers what nobody has takes it by that. `answers`: the channel's id of what it replies to."""
        text = text.strip()
        if not text:
            raise Unfit("empty")
        if len(text) > MOST_CHARACTERS:
            raise Unfit("too_long")
        now = stands(await self._look(chat.conversation))
        if now.owner == "human" and now.agent != agent.id:
            # A colleague's, whatever one's role: it is taken over first, and knowingly.
            raise Owned(now.owner, now.agent, now.name, now.version)
        await self._act(chat, AgentSaid(agent.id, agent.name, version, text, ref_of(agent, key), answers), agent, key)

    async def say_again(self, chat: Chat, agent: Agent, version: int, key: str, entry: str) -> None:
        """A message that was given up, under a new name."""
        found = await self._reading.given_up(chat.id, entry)
        if found is None:
            raise Unfit("not_given_up")
        ref, text = found
        await self.say(chat, agent, version, key, text)
        await self._records.resent(ref)

    async def note(self, chat: Chat, agent: Agent, key: str, text: str) -> None:
        text = text.strip()
        if not text or chat.ticket is None:
            raise Unfit("empty" if chat.ticket else "no_ticket")
        if len(text) > MOST_CHARACTERS:
            raise Unfit("too_long")
        await self._records.note(chat.ticket.id, agent, text, _key(key))

    async def propose(self, chat: Chat, agent: Agent, version: int, key: str, field: str, value: str) -> None:
        """Offer the person a value for a field, judged as their own answer would be. They alone can put it in."""
        if field not in FIELDS:
            raise Unfit("field")
        parsed = FIELDS[field].parse(value[:MOST_CHARACTERS], local_date(self._now()))
        if isinstance(parsed, Rejected):
            facts: Mapping[str, str] = parsed.facts
            raise Unfit("value", dialog_text(agent.language, f"{field}.rejected.{parsed.code}", **facts))
        await self._own(chat, agent, version)
        await self._act(chat, CorrectionProposed(agent.id, version, field, value.strip()), agent, key)

    # --- the registration

    async def resend(self, chat: Chat, agent: Agent, key: str, registration: str) -> None:
        """Mail the activation link again, to the registered address and no other."""
        session = await self._look(chat.conversation)
        await self._own(chat, agent, None, session)
        if session is None or session.registration(registration) is None:
            raise Unfit("registration")
        name = hashlib.blake2b(f"{agent.id} {key}".encode(), digest_size=16).hexdigest()
        try:
            await self._backend.resend(registration, key=name)
        except LimitReached as limit:
            raise Unfit("resend_later", retry_after=limit.retry_after) from None
        except RegistrationClosed:
            raise Unfit("resend_closed") from None
        except BackendUnreachable:
            raise Unfit("backend_away") from None
        except RequestRefused:
            raise Unfit("registration") from None
        await self._audited(agent, "desk.resent", chat, registration=registration)

    @property
    def reveals_handed(self) -> bool:
        """Whether fields of what was handed off already can be shown at all."""
        return self._reveals is not None

    async def reveal(self, chat: Chat, agent: Agent, field: str, reason: str, registration: str = "") -> str:
        """A field in the clear, to an agent who has the conversation, the right and a reason: of the open form, or of a registration that
        was handed off. The audit knows before the agent does.
        """
        if field not in TO_REVEAL or reason not in REASONS:
            raise Unfit("reason" if field in TO_REVEAL else "field")
        if not agent.may(TO_REVEAL[field]):
            await self._audited(agent, "desk.reveal_refused", chat, field=field, reason=reason)
            raise NotAllowed
        session = await self._look(chat.conversation)
        await self._own(chat, agent, None, session)
        if registration:
            value = await self._handed(session, agent, registration, FIELDS[field], reason)
            await self._audited(agent, "desk.revealed", chat, field=field, reason=reason, registration=registration)
            return value
        held = value_of(session, field)
        if held is None:
            raise Unfit("not_held")
        await self._audited(agent, "desk.revealed", chat, field=field, reason=reason)
        return held

    async def _handed(self, session: Session | None, agent: Agent, registration: str, field: Field, reason: str) -> str:
        """The field of a registration of this chat, as the backend has it."""
        if self._reveals is None or session is None or session.registration(registration) is None:
            raise Unfit("registration")
        # The form's fields bear the contract's names.
        name = cast("FieldName", field.id)
        try:
            return field.show(await self._reveals.reveal(registration, name, reason=reason, actor=actor(agent)))
        except LimitReached as limit:
            raise Unfit("reveal_later", retry_after=limit.retry_after) from None
        except RegistrationClosed:
            raise Unfit("reveal_closed") from None
        except BackendUnreachable:
            raise Unfit("backend_away") from None
        except RegistrationUnknown:
            raise Unfit("registration") from None
        except RequestRefused:
            raise Unfit("reveal_refused") from None

    # --- the rules

    async def _own(self, chat: Chat, agent: Agent, version: int | None, session: Session | None = None) -> None:
        """Raises Owned unless this agent has the conversation, or may act for whoever has it."""
        now = stands(session or await self._look(chat.conversation))
        if now.owner == "human" and (now.agent == agent.id or agent.may("act_any")):
            return
        if version is not None and version != now.version and now.owner != "human":
            # It may be the same deed once more, which has had its effect: the dialog knows.
            return
        raise Owned(now.owner, now.agent, now.name, now.version)

    async def _act(self, chat: Chat, event: ByAgent, agent: Agent, key: str) -> Acted:
        if chat.gone:
            raise Unfit("gone")
        acted = await self._dialog.act(chat.conversation, event, f"desk:{agent.id}:{_key(key)}")
        if acted.happened:
            return acted
        desk = acted.desk if acted.desk is not None and acted.desk.owner != "closed" else None
        if desk is None:
            raise Owned("bot", "", "", acted.ownership)
        human = desk.owner == "human"
        raise Owned("human" if human else "queued", desk.agent if human else "", desk.name if human else "", acted.ownership)

    async def _audited(self, agent: Agent, action: str, chat: Chat, **detail: str | int) -> None:
        subject = chat.ticket.id if chat.ticket else chat.id
        async with self._database.writing() as conn:
            await self._audit.record(conn, self._now(), actor(agent), action, subject, **detail)


def _key(written: str) -> str:
    if not (0 < len(written) <= _KEY_MAX and written.isascii() and written.isprintable()):
        raise Unfit("key")
    return written


def ref_of(agent: Agent, key: str) -> str:
    """The desk's own name of a message: the same for the same message."""
    return hashlib.blake2b(f"{agent.id}\0{_key(key)}".encode(), digest_size=16).hexdigest()
