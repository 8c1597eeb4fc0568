"""Who has the conversation: the bot, the queue, an agent. What agents do, and what becomes of a person's words meanwhile.

    bot --petugas, an agent--> queued --an agent--> human --back, silence--> bot
     ^        timeout, cancel --'  '---- released --'  '-- closed --> rating --> bot

Every change of owner raises `Session.ownership`, and an agent's action counts only under the version that the agent saw: so of two claims
one wins, and the turn's own compare-and-set decides which. While the helpdesk has the conversation the form is frozen and the bot silent:
what the person sends goes to the desk, facts are told as bare words, and no question is asked until it is the bot's again.

Lives here: the rules. Must not live here: what is shown and pressed (`dialogs/steps/desk.py`), who may do what (`helpdesk/`).
"""

from __future__ import annotations

from typing import assert_never

from dialogs.clock import local_date
from dialogs.effects import CancelTimer, Change, DeskChanged, Record, Relay, RelayKind, Say, SetTimer
from dialogs.events import (
    AgentClosed,
    AgentReleased,
    AgentReturned,
    AgentSaid,
    AgentTookOver,
    AgentTransferred,
    ButtonPressed,
    ByAgent,
    ByPerson,
    CommandSent,
    ContactShared,
    CorrectionProposed,
    MediaSent,
    MessageEdited,
    Started,
    TextSent,
)
from dialogs.fields import BY_ID
from dialogs.fields._field import Rejected
from dialogs.fields.several import read
from dialogs.frozen import replace
from dialogs.moves import is_link
from dialogs.registration import held
from dialogs.secret import looks_like_password
from dialogs.session import Desk
from dialogs.steps._step import Context, Outcome, contacts, remembering
from dialogs.steps.desk import SILENCE, TIMER, closed, noted, opened, over, owned, waits
from dialogs.steps.repairs import hidden, open_doubt
from dialogs.texts import label_of


def _nothing(ctx: Context) -> Outcome:
    return Outcome(ctx.session, show=False)


# --- what agents do


def acted(ctx: Context, event: ByAgent) -> Outcome:
    """Carry out an agent's action, if the ownership is the one that the agent saw."""
    outcome = _acted(ctx, event)
    told = (replace(each, by=event.agent) if isinstance(each, DeskChanged) else each for each in outcome.effects)
    return replace(outcome, effects=tuple(told))


def _acted(ctx: Context, event: ByAgent) -> Outcome:
    if isinstance(event, AgentSaid):
        return _said(ctx, event)
    if event.ownership != ctx.session.ownership:
        return _nothing(ctx)
    if isinstance(event, AgentTookOver):
        return _taken(ctx, event.agent, event.name)
    desk = ctx.session.desk
    if desk is None or not held(ctx.session):
        return _nothing(ctx)
    match event:
        case AgentReturned():
            return over(ctx, "returned", ctx.text("desk.returned", name=desk.name) if desk.name else ctx.text("desk.ended"))
        case AgentReleased() if desk.owner == "human":
            return waits(ctx, desk, "released", ctx.text("desk.released"))
        case AgentTransferred(_, to, name):
            return _given(ctx, desk, to, name, "transferred", ctx.text("desk.transferred"))
        case AgentClosed(_, _, label):
            return closed(ctx, "closed", label) if desk.owner == "human" else over(ctx, "closed", ctx.text("desk.ended"))
        case CorrectionProposed() if desk.owner == "human":
            return _proposed(ctx, desk, event)
        case AgentReleased() | CorrectionProposed():
            # Nobody has it who could.
            return _nothing(ctx)
        case _:
            assert_never(event)


def _taken(ctx: Context, agent: str, name: str) -> Outcome:
    """Asked or unasked, from the bot, the queue or another agent: from here on this agent answers."""
    desk = ctx.session.desk
    if desk is None or not held(ctx.session):
        desk, ticket = opened(ctx, "taken")
        outcome = _given(ctx, desk, agent, name, "taken")
        return replace(outcome, effects=(ticket, Record(ticket.step, "agent", "taken"), *outcome.effects))
    if desk.owner == "human" and desk.agent == agent:
        return _nothing(ctx)
    return _given(ctx, desk, agent, name, "taken")


def _given(ctx: Context, desk: Desk, agent: str, name: str, what: Change, notice: str = "") -> Outcome:
    """This agent has it from now on. What another one proposed is off the table."""
    theirs = replace(desk, owner="human", since=ctx.now, agent=agent, name=name, correction=None)
    session, change = owned(ctx, theirs, what)
    return present(Outcome(session, notice, (change,)), ctx)


def present(outcome: Outcome, ctx: Context) -> Outcome:
    """The agent who has it is there: from now on their silence is counted anew."""
    assert outcome.session.desk is not None
    until = ctx.now + SILENCE
    session = replace(outcome.session, desk=replace(outcome.session.desk, until=until))
    return replace(outcome, session=session, effects=(*outcome.effects, SetTimer(TIMER, until)))


def _said(ctx: Context, event: AgentSaid) -> Outcome:
    """What its owner says is said; what anybody else says takes over first, if the ownership is the one that they saw."""
    desk, outcome = ctx.session.desk, _nothing(ctx)
    if not event.text.strip():
        return outcome
    if desk is None or desk.owner != "human" or desk.agent != event.agent:
        if event.ownership != ctx.session.ownership:
            return outcome
        outcome = _taken(ctx, event.agent, event.name)
        desk = outcome.session.desk
    else:
        outcome = present(outcome, ctx)
    assert desk is not None
    who = {"agent": event.agent, "name": desk.name, "ref": event.ref}
    line = Relay(desk.ticket, "agent", "text", event.text, ctx.now, **who, answers=event.answers)
    return replace(outcome, then=(Say(event.text, None, "agent", desk.name, event.ref, event.answers), line))


def _proposed(ctx: Context, desk: Desk, event: CorrectionProposed) -> Outcome:
    """Offered to the person through the field's own rules; what they would refuse is not shown, and the agent is told why."""
    field, draft = BY_ID.get(event.field), ctx.session.draft
    if field is None or draft is None or draft.consent is None or draft.sending:
        return _unfit(ctx, desk, f"{event.field} no_form")
    parsed = field.parse(event.value, local_date(ctx.now))
    if isinstance(parsed, Rejected):
        return _unfit(ctx, desk, f"{field.id} {parsed.code}")
    if (old := draft.answers.get(field.id)) and old.value == parsed.value:
        return _unfit(ctx, desk, f"{field.id} same")
    proposing = replace(desk, correction=open_doubt(field.id, parsed, TextSent(event.value)))
    return present(Outcome(replace(ctx.session, desk=proposing), effects=(noted(ctx, desk, "proposed", field.id),)), ctx)


def _unfit(ctx: Context, desk: Desk, why: str) -> Outcome:
    return Outcome(ctx.session, effects=(noted(ctx, desk, "unfit", why),), show=False)


# --- what the person does meanwhile


def heard(ctx: Context, event: ByPerson) -> Outcome:
    """To the desk with it. The bot says nothing while an agent answers; in the queue a command or a stray press is answered by where the
    person stands.
    """
    desk = ctx.session.desk
    assert desk is not None
    ctx = replace(ctx, session=replace(ctx.session, seen=ctx.now))
    if isinstance(event, TextSent | MessageEdited) and looks_like_password(event.text):
        gone = hidden(ctx, TextSent(event.text, event.message))
        safe = Relay(desk.ticket, "person", "password", "", ctx.now, event.message)
        return Outcome(gone.session, effects=(*gone.effects, Say(gone.notice, author="system"), safe), show=False)
    kind, text, message, detail = _what(ctx, event)
    if isinstance(event, MediaSent) or read(text, local_date(ctx.now)):
        # A photo of a KTP or a number is as personal here as it is in the form, and goes from the chat with it.
        ctx = remembering(ctx, message)
    answers = event.answers if isinstance(event, TextSent | MediaSent) else ""
    line = Relay(desk.ticket, "person", kind, text, ctx.now, message, detail, answers=answers)
    waits = desk.owner == "queued" and isinstance(event, Started | CommandSent | ButtonPressed)
    # The form that a link would bring cannot come to a chat whose own form rests.
    later = (Say(ctx.text("move.held"), author="system"),) if isinstance(event, Started) and is_link(event.payload) else ()
    return Outcome(ctx.session, effects=(line, *later), show=waits)


def _what(ctx: Context, event: ByPerson) -> tuple[RelayKind, str, str, str]:
    """Kind, text, message and detail of a line."""
    match event:
        case TextSent(text, message):
            return "text", text, message, ""
        case MessageEdited(message, text):
            return "edit", text, message, ""
        case ContactShared(phone, own, message):
            return "contact", phone, message, "own" if own else "another"
        case MediaSent(kind, message):
            return "media", "", message, kind
        case ButtonPressed(_, action, message):
            return "press", "", message, label_of(ctx.session.language, action)
        case CommandSent(command, argument):
            return "text", f"/{command} {argument}".strip(), "", ""
        case Started():
            # A link's payload may be a key; it stays here.
            return "text", "/start", "", ""
        case _:
            assert_never(event)


# --- what happens by itself


def waited(ctx: Context) -> Outcome:
    """Nobody took it, or who took it fell silent: the person is told, and the bot goes on with its open question."""
    desk = ctx.session.desk
    if desk is None or not held(ctx.session):
        return Outcome(ctx.session, effects=(CancelTimer(TIMER),) if ctx.session.serial else (), show=False)
    if desk.until is not None and ctx.now < desk.until:
        return Outcome(ctx.session, effects=(SetTimer(TIMER, desk.until),), show=False)
    if desk.owner == "human":
        return over(ctx, "idled", ctx.text("desk.idled", name=desk.name))
    return over(ctx, "timed_out", ctx.text("desk.timed_out", contacts=contacts(ctx)))


def beside(ctx: Context, outcome: Outcome) -> Outcome:
    """What the backend or time has brought while the helpdesk has the conversation: the fact is told, and nothing is asked."""
    if not held(ctx.session):
        return outcome
    effects = tuple(replace(each, author="system") if isinstance(each, Say) else each for each in outcome.effects)
    words = (outcome.news or outcome.notice) if outcome.show else ""
    said = (Say(words, outcome.about, "system"),) if words else ()
    return replace(outcome, effects=(*effects, *said), show=False)
