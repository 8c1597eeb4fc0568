"""Asking one field, and asking again about an unusual answer: the same for every field, now and after **Ubah ...**.

Lives here: question, answer, doubt, going back. Must not live here: what is valid (`dialogs/fields/`) or the order of asking
(`dialogs/registration.py`).
"""

from __future__ import annotations

from dialogs.clock import local_date
from dialogs.effects import Record
from dialogs.events import TextSent
from dialogs.fields import BY_ID, FIELDS
from dialogs.fields._field import Accepted, Doubtful, Rejected
from dialogs.frozen import replace
from dialogs.registration import first_unmet, open_question, with_answer
from dialogs.screens import Action, Screen
from dialogs.session import Answer, OpenDoubt
from dialogs.steps._step import Context, Outcome, Step, button, contacts, label, shown

# After this many refused answers in a row the example is shown, and after this many the helpdesk is offered too.
TRIES_BEFORE_EXAMPLE = 2
TRIES_BEFORE_HELPDESK = 4
# Telegram deletes at most 100 messages in one call.
MESSAGES_REMEMBERED = 100


def doubt_lines(ctx: Context, doubt: OpenDoubt) -> str:
    """What is unusual about an answer, a line each."""
    return "\n".join(ctx.text(f"{doubt.field}.doubt.{each.code}", **each.facts) for each in doubt.doubts)


def refusal(ctx: Context, field_id: str, parsed: Rejected, tries: int) -> str:
    """What is wrong and what to do; the help grows with the number of tries, and no question is ever skipped."""
    parts = [ctx.text(f"{field_id}.rejected.{parsed.code}", **parsed.facts)]
    if tries >= TRIES_BEFORE_EXAMPLE:
        parts.append(ctx.text(f"{field_id}.help"))
    if tries >= TRIES_BEFORE_HELPDESK:
        parts.append(contacts(ctx))
    return "\n\n".join(parts)


def doubt_actions(ctx: Context, doubt: OpenDoubt) -> tuple[Action, ...]:
    """Take the suggestion, keep what was typed, or type again."""
    value = shown(doubt.field, doubt.value)
    if doubt.suggestion:
        suggested = shown(doubt.field, doubt.suggestion)
        offer = (button(ctx, "suggested", "primary", value=suggested), button(ctx, "as_typed", value=value))
        return (*offer, button(ctx, "retype"))
    return (button(ctx, "confirm", "primary"), button(ctx, "retype"))


def screen(ctx: Context) -> Screen:
    field = BY_ID[open_question(ctx.draft) or FIELDS[0].id]
    position = FIELDS.index(field) + 1
    text = ctx.text(f"{field.id}.ask")
    actions: tuple[Action, ...] = ()
    if old := ctx.draft.answers.get(field.id):
        text += "\n\n" + ctx.text("flow.current_answer", value=shown(field.id, old.value))
        actions = (button(ctx, "keep", "primary"),)
    if field.hint == "phone":
        actions = (*actions, button(ctx, "contact", contact=True))
    return Screen(
        token="",
        step=field.id,
        text=text,
        actions=(*actions, button(ctx, "back"), button(ctx, "cancel")),
        hint=field.hint,
        progress=(position, len(FIELDS)),
        sensitive=bool(old),
    )


def typed(ctx: Context, event: TextSent) -> Outcome:
    ctx = remembering(ctx, event)
    field_id = open_question(ctx.draft) or FIELDS[0].id
    parsed = BY_ID[field_id].parse(event.text, local_date(ctx.now))
    match parsed:
        case Accepted(value):
            return take(ctx, field_id, Answer(value, event.message))
        case Doubtful(value, doubts, suggestion):
            open_doubt = OpenDoubt(field_id, value, doubts, suggestion, event.message)
            session = replace(ctx.session, draft=replace(ctx.draft, doubt=open_doubt))
            return Outcome(session, effects=tuple(Record(field_id, "doubted", each.code) for each in doubts))
        case Rejected(code):
            tries = ctx.draft.tries + 1
            session = replace(ctx.session, draft=replace(ctx.draft, tries=tries))
            return Outcome(session, refusal(ctx, field_id, parsed, tries), (Record(field_id, "rejected", code),))


def remembering(ctx: Context, event: TextSent) -> Context:
    """With the message's id in the draft: a refused NIK is as personal as a good one."""
    if not event.message or event.message in ctx.draft.typed:
        return ctx
    draft = replace(ctx.draft, typed=(*ctx.draft.typed, event.message)[-MESSAGES_REMEMBERED:])
    return replace(ctx, session=replace(ctx.session, draft=draft))


def take(ctx: Context, field_id: str, answer: Answer) -> Outcome:
    """Keep a good answer and go on to whatever is unmet next."""
    what = "edited" if field_id in ctx.draft.answers else "answered"
    draft = with_answer(ctx.draft, field_id, answer)
    notice = ctx.text(f"flow.{what}", label=label(ctx, field_id))
    return Outcome(replace(ctx.session, draft=draft), notice, (Record(field_id, what),))


def keep(ctx: Context, _: str) -> Outcome:
    """Leave the old answer as it is and go on."""
    return Outcome(replace(ctx.session, draft=replace(ctx.draft, editing="", tries=0)))


def back(ctx: Context, _: str) -> Outcome:
    """One question back with the old answer offered; from an edit at the summary, back to the summary with nothing changed."""
    draft = ctx.draft
    if draft.editing and first_unmet(draft) is None:
        return keep(ctx, "")
    order = ["kind", *(field.id for field in FIELDS)]
    here = open_question(draft)
    at = order.index(here) if here in order else 0
    if at == 0:
        return Outcome(ctx.session, ctx.text("flow.first_question"))
    return Outcome(replace(ctx.session, draft=replace(draft, editing=order[at - 1], tries=0)))


def asked(ctx: Context) -> Screen | None:
    """The question when a button has answered it: without the old answer that it offered to keep."""
    field_id = open_question(ctx.draft) or FIELDS[0].id
    if field_id not in ctx.draft.answers:
        return None
    return Screen(token="", step=field_id, text=ctx.text(f"{field_id}.ask"))


def field_help(ctx: Context) -> str:
    return ctx.text(f"{open_question(ctx.draft) or FIELDS[0].id}.help")


# --- an unusual answer waits for a word


def doubt_screen(ctx: Context) -> Screen:
    doubt = ctx.draft.doubt
    assert doubt is not None
    text = "\n\n".join((doubt_lines(ctx, doubt), ctx.text("flow.confirm_value", value=shown(doubt.field, doubt.value))))
    return Screen(
        token="", step="doubt", text=text, actions=doubt_actions(ctx, doubt), hint=BY_ID[doubt.field].hint, sensitive=True
    )


def doubt_answered(ctx: Context) -> Screen:
    """The doubtful answer, masked."""
    doubt = ctx.draft.doubt
    assert doubt is not None
    masked = BY_ID[doubt.field].mask(doubt.value)
    return Screen(token="", step="doubt", text=ctx.text("flow.confirm_value", value=masked))


def confirm(ctx: Context, _: str) -> Outcome:
    doubt = ctx.draft.doubt
    assert doubt is not None
    return take(ctx, doubt.field, Answer(doubt.value, doubt.message))


def suggested(ctx: Context, _: str) -> Outcome:
    doubt = ctx.draft.doubt
    assert doubt is not None
    if not doubt.suggestion:
        return confirm(ctx, "")
    return take(ctx, doubt.field, Answer(doubt.suggestion, doubt.message))


def retype(ctx: Context, _: str) -> Outcome:
    return Outcome(replace(ctx.session, draft=replace(ctx.draft, doubt=None)))


def retyped(ctx: Context, event: TextSent) -> Outcome:
    """A new answer typed instead of a press simply takes the doubtful one's place."""
    return typed(replace(ctx, session=retype(ctx, "").session), event)


FIELD_STEPS = tuple(Step(field.id, screen, {"keep": keep, "back": back}, typed, field_help, asked) for field in FIELDS)
DOUBT = Step(
    "doubt",
    doubt_screen,
    {"confirm": confirm, "as_typed": confirm, "suggested": suggested, "retype": retype, "back": retype},
    retyped,
    field_help,
    doubt_answered,
)
