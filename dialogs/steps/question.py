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
from dialogs.fields.several import is_bare_name
from dialogs.frozen import replace
from dialogs.phrases import NO, YES, correction, plain
from dialogs.registration import first_unmet, open_question, resumed, step_id, with_answer, with_doubts, without_doubt
from dialogs.screens import Action, Screen
from dialogs.session import Answer, OpenDoubt
from dialogs.steps import repairs
from dialogs.steps._step import (
    Context,
    Outcome,
    Step,
    agent_when_stuck,
    ask,
    button,
    heading,
    label,
    refusal,
    remembering,
    shown,
    told,
)


def doubt_lines(ctx: Context, doubt: OpenDoubt) -> str:
    """What is unusual about an answer, a line each."""
    return "\n".join(ctx.text(f"{doubt.field}.doubt.{each.code}", **told(ctx, each.facts)) for each in doubt.doubts)


def misplaced(ctx: Context, doubt: OpenDoubt) -> bool:
    """Whether the doubt is about another field than the one that is being asked: the right answer in the wrong place."""
    draft = ctx.session.draft
    return draft is not None and draft.doubt is doubt and doubt.field != open_question(draft)


def part_of_name(ctx: Context, doubt: OpenDoubt) -> bool:
    """Whether the doubt is the second bubble of a name."""
    return misplaced(ctx, doubt) and not doubt.doubts and doubt.suggestion.endswith(f" {doubt.value}")


def doubt_actions(ctx: Context, doubt: OpenDoubt) -> tuple[Action, ...]:
    """Take the suggestion, keep what was typed, or type again."""
    value = shown(doubt.field, doubt.value)
    no = Action("retype", ctx.text("button.not_so" if misplaced(ctx, doubt) else "button.retype"))
    if doubt.suggestion:
        suggested = button(ctx, "suggested", "primary", value=shown(doubt.field, doubt.suggestion))
        return (suggested, no) if part_of_name(ctx, doubt) else (suggested, button(ctx, "as_typed", value=value), no)
    if misplaced(ctx, doubt):
        return (Action("confirm", ctx.text("button.save_as", label=label(ctx, doubt.field)), "primary"), no)
    return (button(ctx, "confirm", "primary"), no)


def screen(ctx: Context) -> Screen:
    field = BY_ID[open_question(ctx.draft) or FIELDS[0].id]
    position = FIELDS.index(field) + 1
    text = heading(ctx, ask(ctx, field.id, other=bool(ctx.session.registrations)))
    actions: tuple[Action, ...] = ()
    if old := ctx.draft.answers.get(field.id):
        text += "\n\n" + ctx.text("flow.current_answer", value=shown(field.id, old.value))
        actions = (button(ctx, "keep", "primary"),)
    # Whoever registers a second person shares a number of somebody else: the contact button vouches for the sender's own only.
    if field.hint == "phone" and not ctx.session.registrations:
        actions = (*actions, button(ctx, "contact", contact=True))
    return Screen(
        token="",
        step=field.id,
        text=text,
        actions=(*actions, *agent_when_stuck(ctx), button(ctx, "back"), button(ctx, "cancel")),
        hint=field.hint,
        progress=(position, len(FIELDS)),
        sensitive=bool(old),
    )


def typed(ctx: Context, event: TextSent) -> Outcome:
    ctx = remembering(ctx, event.message)
    field_id = open_question(ctx.draft) or ""
    if field_id not in BY_ID:
        # An unusual answer is being asked about before the type is chosen, or over the summary.
        return repairs.other_meaning(ctx, event) or unclear(ctx, "")
    parsed = BY_ID[field_id].parse(event.text, local_date(ctx.now))
    if isinstance(parsed, Rejected):
        other = repairs.other_meaning(ctx, event, field_id)
    elif len(event.text) > repairs.MOST_OF_ONE_ANSWER:
        other = repairs.several(ctx, event)
    else:
        # Nobody is called "email salah", though it has the form of a name.
        wish = correction(event.text) if field_id == "full_name" and isinstance(parsed, Doubtful) else None
        other = repairs.corrected(ctx, wish) if wish else None
    if other is not None:
        return other
    match parsed:
        case Accepted(value):
            return take(ctx, field_id, Answer(value, event.message))
        case Doubtful(doubts=doubts):
            session = replace(ctx.session, draft=with_doubts(ctx.draft, (repairs.open_doubt(field_id, parsed, event),)))
            return Outcome(session, effects=tuple(Record(field_id, "doubted", each.code) for each in doubts))
        case Rejected(code):
            tries = ctx.draft.tries + 1
            session = replace(ctx.session, draft=replace(ctx.draft, tries=tries))
            return Outcome(session, refusal(ctx, field_id, parsed, tries), (Record(field_id, "rejected", code),))


def take(ctx: Context, field_id: str, answer: Answer) -> Outcome:
    """Keep a good answer and go on to whatever is unmet next."""
    what = "edited" if field_id in ctx.draft.answers else "answered"
    draft = with_answer(ctx.draft, field_id, answer)
    notice = ctx.text(f"flow.{what}", label=label(ctx, field_id))
    return Outcome(replace(ctx.session, draft=draft), notice, (Record(field_id, what),))


def keep(ctx: Context, _: str) -> Outcome:
    """Leave the old answer as it is and go on."""
    return Outcome(replace(ctx.session, draft=resumed(ctx.draft)))


def back(ctx: Context, _: str) -> Outcome:
    """One question back with the old answer offered; from an edit at the summary, back to the summary with nothing changed."""
    draft = ctx.draft
    if draft.editing and first_unmet(draft) is None:
        return keep(ctx, "")
    order = ("kind", *BY_ID)
    before = order[order.index(step_id(ctx.session)) - 1]
    return Outcome(replace(ctx.session, draft=replace(draft, editing=before, tries=0)))


def asked(ctx: Context) -> Screen | None:
    """The question when a button has answered it: without the old answer that it offered to keep."""
    field_id = open_question(ctx.draft) or FIELDS[0].id
    if field_id not in ctx.draft.answers:
        return None
    return Screen(token="", step=field_id, text=ask(ctx, field_id, other=bool(ctx.session.registrations)))


def field_help(ctx: Context) -> str:
    return ctx.text(f"{open_question(ctx.draft) or FIELDS[0].id}.help")


def doubt_help(ctx: Context) -> str:
    """Help with the answer that is asked about."""
    doubt = ctx.draft.doubt
    assert doubt is not None
    return ctx.text(f"{doubt.field}.help")


# --- an unusual answer waits for a word


def doubt_question(ctx: Context, doubt: OpenDoubt) -> str:
    value = shown(doubt.field, doubt.value)
    if part_of_name(ctx, doubt):
        return ctx.text("flow.part_of_name", value=value)
    if not misplaced(ctx, doubt):
        return ctx.text("flow.confirm_value", label=label(ctx, doubt.field), value=value)
    name, old = label(ctx, doubt.field), ctx.draft.answers.get(doubt.field)
    if old is None:
        return ctx.text("flow.misplaced", label=name, value=value)
    return ctx.text("flow.misplaced_instead", label=name, value=value, old=shown(doubt.field, old.value))


def doubt_screen(ctx: Context) -> Screen:
    doubt = ctx.draft.doubt
    assert doubt is not None
    text = "\n\n".join(filter(None, (doubt_lines(ctx, doubt), doubt_question(ctx, doubt))))
    return Screen(
        token="",
        step="doubt",
        text=heading(ctx, text),
        actions=doubt_actions(ctx, doubt),
        hint=BY_ID[doubt.field].hint,
        sensitive=True,
    )


def doubt_answered(ctx: Context) -> Screen:
    """The doubtful answer, masked."""
    doubt = ctx.draft.doubt
    assert doubt is not None
    return Screen(token="", step="doubt", text=f"{label(ctx, doubt.field)}: {BY_ID[doubt.field].mask(doubt.value)}")


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
    doubt = ctx.draft.doubt
    assert doubt is not None
    return Outcome(replace(ctx.session, draft=without_doubt(ctx.draft, doubt.field)))


def retyped(ctx: Context, event: TextSent) -> Outcome:
    """A text answers the open question: the doubtful answer to that one is dropped for it, and so is a guess at a second half of the
    name; any other is asked about again.
    """
    doubt = ctx.draft.doubt
    assert doubt is not None
    if not part_of_name(ctx, doubt):
        return typed(ctx if misplaced(ctx, doubt) else replace(ctx, session=retype(ctx, "").session), event)
    if is_bare_name(event.text, local_date(ctx.now)):
        # The third bubble of a name.
        event = replace(event, text=f"{doubt.value} {event.text}")
    return typed(replace(ctx, session=retype(ctx, "").session), event)


def doubt_means(ctx: Context, text: str) -> str:
    return meant(ctx.draft.doubt, text, sure=ctx.draft.doubt is not None and part_of_name(ctx, ctx.draft.doubt))


def meant(doubt: OpenDoubt | None, text: str, *, sure: bool = False) -> str:
    """Yes and no are what the buttons say; where a suggestion stands beside what was typed, they could mean either, unless it is `sure`."""
    said = plain(text)
    if doubt is None or said not in YES | NO:
        return ""
    if doubt.suggestion and not sure:
        return "unclear"
    return "retype" if said in NO else "suggested"


def unclear(ctx: Context, _: str) -> Outcome:
    return Outcome(ctx.session, ctx.text("flow.press_a_button"))


FIELD_STEPS = tuple(Step(field.id, screen, {"keep": keep, "back": back}, typed, field_help, asked) for field in FIELDS)
DOUBT = Step(
    "doubt",
    doubt_screen,
    {
        "confirm": confirm,
        "as_typed": confirm,
        "suggested": suggested,
        "retype": retype,
        "back": retype,
        "unclear": unclear,
    },
    retyped,
    doubt_help,
    doubt_answered,
    doubt_means,
)
