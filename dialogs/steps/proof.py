"""Whoever opened a link shows that the form it brought is theirs, before anything of it is shown: its last digits, as its owner knows them.

A link can reach the wrong telephone, or be passed on. Three wrong answers, and the form is gone: it can be written again, but what a
stranger has read stays read.

Lives here: that question. Must not live here: links (`dialogs/moves.py`).
"""

from __future__ import annotations

from typing import Final

from dialogs.effects import CancelTimer, Record
from dialogs.events import TextSent
from dialogs.frozen import replace
from dialogs.reminders import TIMER
from dialogs.screens import Screen
from dialogs.secret import looks_like_password
from dialogs.session import Draft
from dialogs.steps._step import Context, Outcome, Step, button, label, remembering
from dialogs.steps.overlays import dropped
from dialogs.steps.repairs import hidden

DIGITS: Final = 4
TRIES: Final = 3


def asked(draft: Draft) -> str | None:
    """The field whose last digits are asked for: the one that fewer people know of somebody; None where there is none to ask for."""
    return next((id_ for id_ in ("nik", "phone") if id_ in draft.answers), None)


def screen(ctx: Context) -> Screen:
    field = asked(ctx.draft)
    assert field is not None
    text = ctx.text("move.proof.ask", label=label(ctx, field))
    return Screen(token="", step="proof", text=text, actions=(button(ctx, "cancel"),), hint="digits")


def typed(ctx: Context, event: TextSent) -> Outcome:
    if looks_like_password(event.text):
        return hidden(ctx, event)
    ctx = remembering(ctx, event.message)
    draft, field = ctx.draft, asked(ctx.draft)
    assert field is not None
    digits = "".join(filter(str.isdecimal, event.text))
    if len(digits) >= DIGITS and digits[-DIGITS:] == draft.answers[field].value[-DIGITS:]:
        proven = replace(draft, unproven=False, tries=0)
        return Outcome(replace(ctx.session, draft=proven), effects=(Record("proof", "answered"),))
    tries = draft.tries + 1
    if tries < TRIES:
        session = replace(ctx.session, draft=replace(draft, tries=tries))
        return Outcome(session, ctx.text("move.proof.wrong"), (Record("proof", "rejected", "wrong"),))
    gone = (CancelTimer(TIMER), Record("proof", "rejected", "over"), *dropped(ctx, "unproven"))
    return Outcome(replace(ctx.session, draft=None), ctx.text("move.proof.over"), gone)


STEP = Step("proof", screen, {}, typed, help=lambda ctx: ctx.text("move.proof.help"))
