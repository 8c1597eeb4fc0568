"""What a person sees and can press while the helpdesk has the conversation: in the queue, with an agent, at an agent's proposal, at the
rating in the end; and before it, where nobody is at work.

Lives here: the screens and the presses. Must not live here: what agents do, and what becomes of a person's words meanwhile
(`dialogs/desk.py`). The form beneath is frozen: nothing here moves it but a correction that its owner has confirmed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from dialogs.clock import moment_of, waiting
from dialogs.effects import CancelTimer, Change, DeskChanged, Effect, OpenTicket, Record, SetTimer
from dialogs.events import TicketReason
from dialogs.fields import BY_ID
from dialogs.frozen import replace
from dialogs.phrases import NO, YES, plain
from dialogs.registration import step_id, with_answer
from dialogs.screens import Action, Screen
from dialogs.session import Answer, Desk, OpenDoubt, Session
from dialogs.steps._step import TRIES_BEFORE_HELPDESK, Context, Outcome, Step, button, contacts, label, shown
from dialogs.steps.overlays import laid, lifted
from dialogs.steps.question import doubt_lines

# The one timer of the helpdesk: the end of the queue's patience, or of an agent's silence.
TIMER: Final = "desk"
# An agent who neither says nor does anything for so long is not there any more, and nobody is kept waiting for them.
SILENCE: Final = timedelta(minutes=30)
# What may be given, best first, by the name of its button.
SCORES: Final = {"5": "rate_5", "4": "rate_4", "3": "rate_3", "2": "rate_2", "1": "rate_1"}


def desk_of(ctx: Context) -> Desk:
    """The helpdesk's part. Only steps that `step_id` gives for it may ask."""
    assert ctx.session.desk is not None
    return ctx.session.desk


def frozen_step(session: Session) -> str:
    """Where the person stood when the helpdesk came in."""
    overlay = "" if session.overlay == "after_hours" else session.overlay
    return step_id(replace(session, desk=None, overlay=overlay))


def owned(ctx: Context, desk: Desk | None, what: Change, detail: str = "") -> tuple[Session, DeskChanged]:
    """The session under its next owner, and what the desk is told of it."""
    session = replace(ctx.session, desk=desk, ownership=ctx.session.ownership + 1)
    return session, noted(replace(ctx, session=session), desk or desk_of(ctx), what, detail)


def noted(ctx: Context, desk: Desk, what: Change, detail: str = "") -> DeskChanged:
    return DeskChanged(desk.ticket, what, ctx.session.ownership, ctx.now, desk.agent, desk.name, detail)


def opened(ctx: Context, reason: TicketReason) -> tuple[Desk, OpenTicket]:
    """A new ticket, nobody's yet. Its id is unique: the session's id is, and the ownership's number never comes again."""
    step, office = frozen_step(ctx.session), ctx.profile.office
    desk = Desk(f"{ctx.session.id}-t{ctx.session.ownership + 1}", "queued", ctx.now, ctx.now, reason, step)
    in_hours = office is None or office.works_at(ctx.now)
    return desk, OpenTicket(reason, step, desk.ticket, ctx.now, ctx.session.language, in_hours)


# --- asking for a human


def asked(ctx: Context, _: str = "") -> Outcome:
    """The word petugas and its button: into the queue. Where nobody works in this chat, whom to call; out of hours also when they do."""
    office, step = ctx.profile.office, frozen_step(ctx.session)
    if office is None:
        told = ctx.text("flow.agent", contacts=contacts(ctx))
        return Outcome(ctx.session, told, (OpenTicket(reason_of(ctx.session), step), Record(step, "agent")))
    if not office.works_at(ctx.now):
        outcome = laid(ctx, "after_hours")
        return replace(outcome, effects=(Record(step, "agent", "after_hours"),))
    return queued(ctx)


def reason_of(session: Session) -> TicketReason:
    return "tries" if session.draft is not None and session.draft.tries >= TRIES_BEFORE_HELPDESK else "asked"


def queued(ctx: Context, _: str = "") -> Outcome:
    """Into the queue, whatever the hour."""
    ctx = replace(ctx, session=lifted(ctx).session) if ctx.session.overlay == "after_hours" else ctx
    desk, ticket = opened(ctx, reason_of(ctx.session))
    outcome = waits(ctx, desk, "queued")
    return replace(outcome, effects=(ticket, Record(ticket.step, "agent"), *outcome.effects))


def waits(ctx: Context, desk: Desk, what: Change, notice: str = "") -> Outcome:
    """In the queue from now on, until its patience ends."""
    office = ctx.profile.office
    opening = office.next_opening(ctx.now) if office else ctx.now
    until = opening + office.patience if office else opening
    waiting_desk = replace(desk, owner="queued", since=ctx.now, agent="", name="", until=until, correction=None)
    session, change = owned(ctx, waiting_desk, what)
    return Outcome(session, notice, (change, SetTimer(TIMER, until)))


def after_hours_screen(ctx: Context) -> Screen:
    text = ctx.text("desk.after_hours", moment=opening_of(ctx), contacts=contacts(ctx))
    return Screen("", "after_hours", text, actions=(button(ctx, "wait_agent"), button(ctx, "go_on", "primary")))


def opening_of(ctx: Context) -> str:
    office = ctx.profile.office
    return moment_of(ctx.session.language, office.next_opening(ctx.now) if office else ctx.now, ctx.zone)


# --- in the queue


def queued_screen(ctx: Context) -> Screen:
    office = ctx.profile.office
    if office is None or office.works_at(ctx.now):
        patience = max(desk_of(ctx).until or ctx.now, ctx.now) - ctx.now
        when = ctx.text("desk.soon", wait=waiting(ctx.session.language, patience))
    else:
        when = ctx.text("desk.later", moment=opening_of(ctx))
    return Screen("", "queued", ctx.text("desk.queued", when=when), actions=(button(ctx, "leave_queue"),))


def over(ctx: Context, what: Change, notice: str) -> Outcome:
    """Back to the bot, and the open question is asked again."""
    session, change = owned(ctx, None, what)
    return Outcome(session, notice, (change, CancelTimer(TIMER)))


def left(ctx: Context, _: str = "") -> Outcome:
    return over(ctx, "cancelled", ctx.text("desk.cancelled"))


# --- with an agent


def human_screen(ctx: Context) -> Screen:
    text = ctx.text("desk.human", name=desk_of(ctx).name, operator=ctx.profile.operator)
    return Screen("", "human", text, actions=(button(ctx, "finish"),))


def closed(ctx: Context, what: Change, detail: str = "") -> Outcome:
    """The talk is over, by the agent or the person, and may be rated once."""
    done = replace(desk_of(ctx), owner="closed", since=ctx.now, until=None, correction=None)
    session, change = owned(ctx, done, what, detail)
    return Outcome(session, effects=(change, CancelTimer(TIMER)))


# --- at a correction that the agent proposes


def proposal(ctx: Context) -> OpenDoubt:
    correction = desk_of(ctx).correction
    assert correction is not None
    return correction


def correction_screen(ctx: Context) -> Screen:
    proposed, old = proposal(ctx), ctx.draft.answers.get(proposal(ctx).field)
    facts = {"name": desk_of(ctx).name, "label": label(ctx, proposed.field), "value": shown(proposed.field, proposed.value)}
    question = (
        ctx.text("desk.correction_instead", **facts, old=shown(proposed.field, old.value))
        if old
        else ctx.text("desk.correction", **facts)
    )
    text = "\n\n".join(filter(None, (doubt_lines(ctx, proposed), question)))
    return Screen("", "correction", text, actions=(button(ctx, "accept", "primary"), button(ctx, "decline")), sensitive=True)


def correction_answered(ctx: Context) -> Screen:
    """The proposed value, masked."""
    proposed = proposal(ctx)
    return Screen("", "correction", f"{label(ctx, proposed.field)}: {BY_ID[proposed.field].mask(proposed.value)}")


def accepted(ctx: Context, _: str = "") -> Outcome:
    proposed = proposal(ctx)
    value = Answer(proposed.value, proposed.message)
    return answered(
        replace(ctx, session=replace(ctx.session, draft=with_answer(ctx.draft, proposed.field, value))),
        "accepted",
        (Record(proposed.field, "edited"),),
        value=BY_ID[proposed.field].mask(proposed.value),
    )


def declined(ctx: Context, _: str = "") -> Outcome:
    return answered(ctx, "declined", ())


def answered(ctx: Context, what: Change, effects: tuple[Effect, ...], **facts: str) -> Outcome:
    field, desk = proposal(ctx).field, replace(desk_of(ctx), correction=None)
    notice = ctx.text(f"desk.{what}", label=label(ctx, field), **facts)
    # In place of the screen's own words: the person knows with whom they talk.
    return Outcome(replace(ctx.session, desk=desk), effects=(noted(ctx, desk, what, field), *effects), news=notice)


def correction_means(_: Context, text: str) -> str:
    said = plain(text)
    return "accept" if said in YES else "decline" if said in NO else ""


# --- at the rating


def rating_screen(ctx: Context) -> Screen:
    scores = tuple(Action(f"rate.{score}", ctx.text(f"button.{name}")) for score, name in SCORES.items())
    text = ctx.text("desk.rating", name=desk_of(ctx).name)
    return Screen("", "rating", text, actions=(*scores, button(ctx, "skip")))


def rated(ctx: Context, score: str) -> Outcome:
    if score not in SCORES:
        return Outcome(ctx.session, ctx.text("flow.press_a_button"))
    note = noted(ctx, desk_of(ctx), "rated", score)
    return Outcome(replace(ctx.session, desk=None), ctx.text("desk.rated"), (note,))


def skipped(ctx: Context, _: str = "") -> Outcome:
    return Outcome(replace(ctx.session, desk=None))


def rating_means(_: Context, text: str) -> str:
    return f"rate.{text.strip()}" if text.strip() in SCORES else ""


STEPS: Final = (
    Step("after_hours", after_hours_screen, {"wait_agent": queued, "go_on": lifted, "back": lifted}),
    Step("queued", queued_screen, {"leave_queue": left, "cancel": left, "back": left, "go_on": left}),
    Step("human", human_screen, {"finish": lambda ctx, _: closed(ctx, "finished")}),
    Step(
        "correction",
        correction_screen,
        {"accept": accepted, "decline": declined},
        answered=correction_answered,
        means=correction_means,
    ),
    Step("rating", rating_screen, {"rate": rated, "skip": skipped}, means=rating_means),
)
