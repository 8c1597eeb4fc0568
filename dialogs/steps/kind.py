"""The type of registration (guide step 3): buttons from the table in `dialogs/kinds.py`; types not open by chat are explained."""

from __future__ import annotations

from dialogs import phrases
from dialogs.effects import Record
from dialogs.events import TextSent
from dialogs.frozen import replace
from dialogs.kinds import BY_ID, KINDS
from dialogs.registration import resumed
from dialogs.screens import Action, Screen
from dialogs.steps._step import Context, Outcome, Step, button, button_wanted, contacts, heading, remembering
from dialogs.steps.repairs import other_meaning


def screen(ctx: Context) -> Screen:
    choices = tuple(
        Action(f"kind.{kind.id}", ctx.text(f"kinds.{kind.id}"), "primary" if kind.by_chat else "plain") for kind in KINDS
    )
    return Screen(token="", step="kind", text=heading(ctx, ctx.text("flow.kind")), actions=(*choices, button(ctx, "cancel")))


def choose(ctx: Context, argument: str) -> Outcome:
    kind = BY_ID.get(argument)
    if kind is None:
        return Outcome(ctx.session, ctx.text("flow.press_a_button"))
    name = ctx.text(f"kinds.{kind.id}")
    if not kind.by_chat:
        notice = ctx.text("flow.kind_elsewhere", kind=name, contacts=contacts(ctx))
        return Outcome(ctx.session, notice, (Record("kind", "rejected", kind.id),))
    draft = replace(resumed(ctx.draft), kind=kind.id)
    return Outcome(replace(ctx.session, draft=draft), ctx.text("flow.kind_chosen", kind=name), (Record("kind", "answered"),))


def means(_: Context, text: str) -> str:
    """Such as "WNI", "perorangan", "perusahaan"."""
    kind = phrases.KINDS.get(phrases.plain(text))
    return f"kind.{kind}" if kind else ""


def typed(ctx: Context, event: TextSent) -> Outcome:
    """Answers that come before their question are kept; the type is asked again."""
    ctx = remembering(ctx, event.message)
    return other_meaning(ctx, event) or button_wanted(ctx, screen(ctx))


STEP = Step("kind", screen, {"kind": choose}, typed, means=means)
