"""What happens to a form that its person has left: at most two reminders, at decent hours, and in the end its erasure, as it was told.

Lives here: the one timer of the dialog and what it finds. Must not live here: keeping timers or delivering (`bot/`).

The timer is set once, when the first answer comes, and never moved by a turn: each firing looks at the state, does what is due by then,
and sets itself for what is due next. A reminder shows where the person stands and changes nothing about it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from dialogs.clock import end_of_hours, fit, fit_before, moment_of
from dialogs.effects import CancelTimer, DeleteUserMessages, Effect, Record, SetTimer, Show
from dialogs.fields import FIELDS
from dialogs.frozen import replace
from dialogs.registration import first_unmet, held, step_id, token
from dialogs.screens import Screen
from dialogs.session import Draft
from dialogs.steps._step import Context, Outcome, button, heading
from dialogs.steps.overlays import dropped

TIMER: Final = "draft"
REMINDERS: Final = 2
# Somebody who has not been here for so long has left; the last reminder comes so long before the erasure.
LEFT: Final = timedelta(days=1)
# A form is looked at for the first time when most are finished, and then daily: so what was typed is deleted from the chat within the 48
# hours in which Telegram allows it, but never while its person is at it.
FIRST_LOOK: Final = timedelta(hours=25)
LOOK: Final = timedelta(days=1)
QUIET: Final = timedelta(hours=1)


def holds(draft: Draft | None) -> bool:
    """Whether there is something in the form that its person has typed."""
    return draft is not None and bool(draft.answers or draft.typed or draft.doubt)


def set_first(now: datetime) -> SetTimer:
    return SetTimer(TIMER, now + FIRST_LOOK)


def seen(ctx: Context) -> datetime:
    return ctx.session.seen or ctx.now


def erased_at(ctx: Context) -> datetime:
    """When the form is erased if its person does not come back: by day, never later than `keep_draft` after they were here."""
    return fit_before(seen(ctx) + ctx.profile.keep_draft, ctx.zone)


def reminder_at(ctx: Context) -> datetime | None:
    """When the next reminder is due; None when there is none to come, nothing to go on with, or the helpdesk has the
    conversation. The second is the last call.
    """
    if held(ctx.session) or ctx.draft.muted or ctx.draft.reminded >= REMINDERS or not ctx.draft.answers:
        return None
    return last_call(ctx) if ctx.draft.reminded else min(fit(seen(ctx) + LEFT, ctx.zone), last_call(ctx))


def last_call(ctx: Context) -> datetime:
    return fit(erased_at(ctx) - LEFT, ctx.zone)


def fired(ctx: Context, timer: str) -> Outcome:
    """The timer came due. What it was set for may be over: only the state counts."""
    if ctx.session.desk is not None and not held(ctx.session):
        # The rating that was not given in all this time lapses.
        ctx = replace(ctx, session=replace(ctx.session, desk=None))
    draft = ctx.session.draft
    if draft is None or timer != TIMER or not holds(draft):
        # An unknown conversation has nothing to forget either.
        return Outcome(ctx.session, effects=(CancelTimer(timer),) if ctx.session.serial else (), show=False)
    if not draft.sending and ctx.now >= erased_at(ctx):
        return erased(ctx)
    effects: list[Effect] = []
    if draft.typed and ctx.now >= seen(ctx) + QUIET:
        effects.append(DeleteUserMessages(draft.typed, screens=False))
        draft = replace(draft, typed=())
    if draft.sending:
        again = SetTimer(TIMER, ctx.now + (QUIET if draft.typed else LOOK))
        return Outcome(replace(ctx.session, draft=draft), effects=(*effects, again), show=False)
    due = reminder_at(ctx)
    if due is not None and due <= ctx.now == fit(ctx.now, ctx.zone):
        # One that comes so late that the last would follow on its heels is the last.
        last = ctx.now + LEFT >= last_call(ctx)
        effects += (reminder(ctx, last=last), Record(step_id(ctx.session), "reminded"))
        draft = replace(draft, reminded=REMINDERS if last else draft.reminded + 1)
    after = replace(ctx.session, draft=draft)
    return Outcome(after, effects=(*effects, SetTimer(TIMER, next_look(replace(ctx, session=after)))), show=False)


def next_look(ctx: Context) -> datetime:
    """The earliest of what is to come."""
    due = reminder_at(ctx)
    looks = [ctx.now + LOOK, erased_at(ctx)]
    if due is not None:
        looks.append(fit(max(due, ctx.now), ctx.zone))
    if ctx.draft.typed:
        looks.append(max(seen(ctx) + QUIET, ctx.now))
    return min(looks)


def reminder(ctx: Context, *, last: bool) -> Show:
    """The current screen's place and token with other words: its own buttons, wherever they are, go on working, and so does an answer."""
    draft = ctx.draft
    count = len(draft.answers)
    until = moment_of(ctx.session.language, erased_at(ctx), ctx.zone)
    text = ctx.text(
        "remind.ready" if first_unmet(draft) is None else "remind.open", count=count, total=len(FIELDS), until=until
    )
    text = heading(ctx, text)
    if last:
        text = f"{text}\n\n{ctx.text('remind.last')}"
    screen = Screen(
        token(ctx.session), step=step_id(ctx.session), text=text, actions=(button(ctx, "go_on", "primary"), button(ctx, "mute"))
    )
    return Show(screen, until=end_of_hours(ctx.now, ctx.zone), ownership=ctx.session.ownership)


def mute(ctx: Context, _: str) -> Outcome:
    """Jangan ingatkan lagi: nothing more about this form but that it was erased."""
    if not holds(ctx.session.draft):
        return Outcome(ctx.session, ctx.text("remind.none"))
    muted = replace(ctx.session, draft=replace(ctx.draft, muted=True))
    return Outcome(muted, ctx.text("remind.muted", until=kept_until(ctx)))


def kept_until(ctx: Context) -> str:
    """Told to somebody who is here now, which is what their time is counted from."""
    here = replace(ctx, session=replace(ctx.session, seen=ctx.now))
    return moment_of(ctx.session.language, erased_at(here), ctx.zone)


def erased(ctx: Context) -> Outcome:
    """The time is over: what was typed goes, from here and from the chat, and that is said. What was handed off is not touched."""
    session = replace(ctx.session, draft=None, overlay="", aside="")
    days = ctx.profile.keep_draft.days
    return Outcome(
        session,
        ctx.text("remind.erased", days=days),
        (CancelTimer(TIMER), *dropped(ctx, "expired")),
        show=bool(ctx.draft.answers),
    )
