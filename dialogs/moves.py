"""A form that goes on elsewhere: from one chat of a person to another, or from a helpdesk agent who wrote it down to the person's own.

    chat A: move -> MakeLink ... LinkMade: the person reads the link          (an agent's form: FormWritten, LinkMade; nobody is there)
    chat B: the link is opened -> RedeemLink ... LinkOpened in A -> BringForm ... FormBrought in B

The form is in one chat at any time: the turn of A that lets it go is the one that sends it on, so that of two who open the link at once
one has it. Only the newest link of an open form is good, and a form that was dropped or handed off leaves with none. What comes with it is
what was typed; the consent is not, for the person gives their own, here, then shows that the form is theirs, and looks through it.

Lives here: what each of the events comes to. Must not live here: tokens and addresses (`bot/moves.py`), or the look at what was brought
(`dialogs/steps/brought.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dialogs.clock import local_date, moment_of
from dialogs.effects import BringForm, CancelTimer, MakeLink, Record, RedeemLink, SetTimer
from dialogs.events import FormBrought, FormWritten, LinkDead, LinkMade, LinkOpened
from dialogs.fields import FIELDS
from dialogs.fields._field import Accepted, Doubtful, Rejected
from dialogs.frozen import replace
from dialogs.registration import step_id
from dialogs.reminders import TIMER as DRAFT_TIMER
from dialogs.session import Answer, Draft, OpenDoubt
from dialogs.steps import proof
from dialogs.steps._step import Context, Outcome
from dialogs.steps.overlays import dropped
from dialogs.texts import CATALOGUES

# How the payload of a deep link begins that takes a form along.
PREFIX: Final = "lanjut-"
TIMER: Final = "link"


def is_link(payload: str) -> bool:
    return payload.startswith(PREFIX)


def place(ctx: Context, name: str) -> str:
    """A channel as people call it."""
    id_ = f"move.place.{name}"
    return ctx.text(id_ if id_ in CATALOGUES[ctx.session.language] else "move.place.other")


# --- where the form is


def wanted(ctx: Context, _: str) -> Outcome:
    """The person wants to go on elsewhere. The link takes a moment; the question stands until it is there."""
    draft = ctx.session.draft
    if draft is None or draft.sending or not (draft.kind or draft.answers):
        return Outcome(ctx.session, ctx.text("move.nothing"))
    if draft.unproven:
        # Nor does it go further, where whoever has it would have as many tries again.
        return Outcome(ctx.session, ctx.text("move.proof.first"))
    return Outcome(ctx.session, effects=(MakeLink(), Record(step_id(ctx.session), "move_asked")), show=False)


def written(ctx: Context, event: FormWritten) -> Outcome:
    """What an agent wrote down, read as if the person had typed it; what no field can use is left out (the agent was told)."""
    draft = _with_typed(ctx, Draft(kind=event.kind, by=event.name), event.typed)
    return Outcome(replace(ctx.session, draft=draft), show=False)


def made(ctx: Context, event: LinkMade) -> Outcome:
    draft = ctx.session.draft
    if draft is None or draft.sending or draft.unproven:
        return Outcome(ctx.session, show=False)
    session = replace(ctx.session, draft=replace(draft, link=event.link))
    if not ctx.session.serial:
        # An agent's: nobody is here to read it, and what nobody fetches in time is not kept.
        return Outcome(session, effects=(SetTimer(TIMER, event.until),), show=False)
    if not event.addresses:
        return Outcome(ctx.session, ctx.text("move.nowhere"))
    addresses = "\n".join(f"{place(ctx, name)}: {_read(ctx, name, address)}" for name, address in event.addresses)
    until = moment_of(ctx.session.language, event.until, ctx.zone)
    return Outcome(session, ctx.text("move.link", addresses=addresses, until=until))


def _read(ctx: Context, name: str, address: str) -> str:
    """A chat knows its person's language; the page with the codes is told it."""
    return f"{address}?lang={ctx.session.language}" if name == "qr" else address


def over(ctx: Context) -> Outcome:
    """Nobody has fetched what an agent wrote down."""
    if ctx.session.serial:
        return Outcome(ctx.session, effects=(CancelTimer(TIMER),), show=False)
    return Outcome(replace(ctx.session, draft=None), effects=(CancelTimer(TIMER),), show=False)


def taken(ctx: Context, event: LinkOpened) -> Outcome:
    """The form goes, from here and from the chat, and that is said; anything but the newest link of an open form gets nothing."""
    session, draft = ctx.session, ctx.session.draft
    if draft is None or draft.sending or draft.link != event.link:
        return Outcome(session, effects=(BringForm(event.to),), show=False)
    answers = {id_: answer.value for id_, answer in draft.answers.items()}
    doubts = {each.field: each.value for each in (*((draft.doubt,) if draft.doubt else ()), *draft.more)}
    bring = BringForm(event.to, draft.by, draft.kind, answers, {id_: doubts[id_] for id_ in doubts if id_ not in answers})
    desk = replace(session.desk, correction=None) if session.desk is not None else None
    after = replace(session, draft=None, overlay="", aside="", desk=desk)
    if not session.serial:
        return Outcome(after, effects=(bring, CancelTimer(TIMER)), show=False)
    left = (bring, CancelTimer(DRAFT_TIMER), *dropped(ctx, "moved"))
    return Outcome(after, ctx.text("move.gone", place=place(ctx, event.place)), left)


# --- where it goes on


def opened(ctx: Context, payload: str) -> Outcome:
    """A link was opened here. What is open here is not thrown away for it; the link stays good until its time is over."""
    draft = ctx.session.draft
    if draft is not None and (draft.kind or draft.answers):
        return Outcome(replace(ctx.session, overlay="", aside="", email_change=None), ctx.text("move.busy"))
    return Outcome(ctx.session, effects=(RedeemLink(payload), Record("move", "opened")), show=False)


def brought(ctx: Context, event: FormBrought) -> Outcome:
    """What was brought lies under what was typed here meanwhile; consent is what was given here, or is asked."""
    session = ctx.session
    draft = session.draft or Draft()
    if draft.sending:
        # It waits on its way until the backend's word is in.
        return Outcome(session, show=False)
    here = draft.answers
    draft = replace(draft, kind=draft.kind or event.kind, brought=True, handoff="", attempted=False, tries=0)
    draft = replace(draft, answers={**{id_: Answer(value) for id_, value in event.answers.items()}, **here})
    draft = _with_typed(ctx, draft, event.typed)
    draft = replace(draft, unproven=proof.asked(draft) is not None)
    session = replace(session, draft=draft, overlay="", aside="", email_change=None)
    count = len(draft.answers) + len(draft.more)
    told = (
        ctx.text("move.brought_by", name=event.name, count=count, total=len(FIELDS))
        if event.name
        else ctx.text("move.brought", place=place(ctx, event.place), count=count, total=len(FIELDS))
    )
    return Outcome(session, told, (Record("move", "brought"),))


def dead(ctx: Context, event: LinkDead) -> Outcome:
    session = ctx.session
    if not session.serial:
        session = replace(session, draft=session.draft or Draft())
    return Outcome(session, ctx.text(f"move.dead.{event.why}"), (Record("move", "rejected", event.why),))


def _with_typed(ctx: Context, draft: Draft, typed: Mapping[str, str]) -> Draft:
    """The draft with these texts read by their fields; about the unusual ones the person is asked once they have agreed."""
    answers, doubts = dict(draft.answers), list(draft.more)
    for field in FIELDS:
        if field.id not in typed or field.id in answers:
            continue
        match field.parse(typed[field.id], local_date(ctx.now)):
            case Accepted(value):
                answers[field.id] = Answer(value)
            case Doubtful(value, unusual, suggestion):
                doubts.append(OpenDoubt(field.id, value, unusual, suggestion))
            case Rejected():
                pass
    return replace(draft, answers=answers, more=tuple(doubts))
