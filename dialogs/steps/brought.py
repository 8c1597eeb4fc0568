"""What came with a form that was begun elsewhere, to look through before it goes on: right, or **Ubah** one of it.

Lives here: that look. Must not live here: how the form came (`dialogs/moves.py`). A complete one is looked through at the summary.
"""

from __future__ import annotations

from dialogs.effects import Record
from dialogs.events import TextSent
from dialogs.fields import BY_ID, FIELDS
from dialogs.frozen import replace
from dialogs.phrases import NO, YES, correction, field_alone, plain
from dialogs.registration import resumed
from dialogs.screens import Action, Screen
from dialogs.steps._step import Context, Outcome, Step, button, button_wanted, heading, label, remembering
from dialogs.steps.repairs import other_meaning


def _lines(ctx: Context, *, masked: bool) -> str:
    answers = ctx.draft.answers
    rows = [
        f"{label(ctx, each.id)}\n{(each.mask if masked else each.show)(answers[each.id].value)}"
        for each in FIELDS
        if each.id in answers
    ]
    return "\n\n".join(rows)


def screen(ctx: Context) -> Screen:
    draft = ctx.draft
    told = [ctx.text("move.look"), _lines(ctx, masked=False)] if draft.answers else [ctx.text("move.look_nothing")]
    changes = tuple(
        Action(f"edit.{each.id}", ctx.text("button.edit", label=label(ctx, each.id)))
        for each in FIELDS
        if each.id in draft.answers
    )
    actions = (button(ctx, "all_right", "primary"), *changes, button(ctx, "cancel"))
    return Screen(
        token="", step="brought", text=heading(ctx, "\n\n".join(told)), actions=actions, sensitive=bool(draft.answers)
    )


def answered(ctx: Context) -> Screen:
    return Screen(token="", step="brought", text=_lines(ctx, masked=True))


def all_right(ctx: Context, _: str) -> Outcome:
    """What the person has looked through is theirs; what was unusual about the rest is asked now."""
    draft = resumed(replace(ctx.draft, brought=False))
    return Outcome(replace(ctx.session, draft=draft), effects=(Record("brought", "answered"),))


def edit(ctx: Context, argument: str) -> Outcome:
    if argument not in BY_ID:
        return Outcome(ctx.session, ctx.text("flow.press_a_button"))
    return Outcome(replace(ctx.session, draft=replace(ctx.draft, editing=argument, tries=0)))


def means(_: Context, text: str) -> str:
    """Such as "ya", "email salah"."""
    if named := field_alone(text) or correction(text):
        return f"edit.{named}"
    said = plain(text)
    return "all_right" if said in YES else "which" if said in NO or correction(text) is not None else ""


def which(ctx: Context, _: str) -> Outcome:
    return Outcome(ctx.session, ctx.text("move.which"))


def typed(ctx: Context, event: TextSent) -> Outcome:
    """The right value itself is offered in the place of the wrong one."""
    ctx = remembering(ctx, event.message)
    return other_meaning(ctx, event, "brought") or button_wanted(ctx, screen(ctx))


STEP = Step(
    "brought", screen, {"all_right": all_right, "go_on": all_right, "edit": edit, "which": which}, typed, None, answered, means
)
