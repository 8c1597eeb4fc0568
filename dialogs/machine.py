"""The dialog in one function: `step(session, event, now, profile) -> Turn`. No I/O, no clock, no framework.

Rule 1: where the person stands is computed (`dialogs/registration.py`), never stored; a handler changes answers, not positions.
Rule 2: every event of a person is answered, and every answer ends in the one screen that is now in force; its buttons carry its token.
Rule 3: a press on any other screen does nothing but show the current one again; the same press twice is one press.
Rule 4: a command is understood at every step before the step sees the text, and then the same question stands again.

Lives here: the table of steps and the order in which an event is looked at. Must not live here: any step's rules (`dialogs/steps/`),
commands (`dialogs/commands.py`) news from the backend (`dialogs/news.py`) or whose the conversation is (`dialogs/desk.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, assert_never

from dialogs import desk, moves, news, reminders
from dialogs.campaigns import campaign
from dialogs.clock import local_date
from dialogs.commands import COMMANDS, WORDS, named
from dialogs.effects import Author, Effect, Record, Redraw, Show
from dialogs.events import (
    ActivationChanged,
    AgentClosed,
    AgentReleased,
    AgentReturned,
    AgentSaid,
    AgentTookOver,
    AgentTransferred,
    BackendAccepted,
    BackendDone,
    BackendRejected,
    BackendUnavailable,
    ButtonPressed,
    ByAgent,
    ByPerson,
    CommandSent,
    ContactShared,
    CorrectionProposed,
    Event,
    FormBrought,
    FormWritten,
    LinkDead,
    LinkMade,
    LinkOpened,
    MediaKind,
    MediaSent,
    MessageEdited,
    Started,
    TextSent,
    TimerFired,
)
from dialogs.fields import BY_ID as FIELDS
from dialogs.fields._field import Accepted
from dialogs.frozen import Frozen, replace
from dialogs.profile import Profile
from dialogs.registration import held, step_id, token, with_answer, with_handoff, with_question, without_doubt
from dialogs.screens import Screen
from dialogs.secret import looks_like_password
from dialogs.session import Answer, Draft, Session
from dialogs.steps import brought, consent, kind, overlays, people, privacy, proof, question, repairs, summary, waiting
from dialogs.steps import desk as desk_steps
from dialogs.steps._step import Context, Outcome, Step, may_be_label, remembering

STEPS: Final[Mapping[str, Step]] = {
    step.id: step
    for step in (
        consent.STEP,
        proof.STEP,
        kind.STEP,
        brought.STEP,
        *question.FIELD_STEPS,
        question.DOUBT,
        summary.STEP,
        summary.MENU,
        summary.SENDING,
        *waiting.STEPS,
        waiting.NEW_EMAIL,
        waiting.EMAIL_DOUBT,
        people.STEP,
        *overlays.STEPS,
        *privacy.STEPS,
        *desk_steps.STEPS,
    )
}


class Turn(Frozen, frozen=True):
    """What one event came to: the session to keep, and what to do, in order."""

    session: Session
    effects: tuple[Effect, ...]


def step(session: Session, event: Event, now: datetime, profile: Profile) -> Turn:
    """Carry out one event. `now` is aware (UTC). A session without anything in it is greeted, whatever comes first."""
    if session.serial == 0 and not isinstance(event, ButtonPressed) and isinstance(event, ByPerson):
        told = event.zone if isinstance(event, Started) else ""
        session = replace(session, draft=session.draft or Draft(), zone=told or session.zone)
        if isinstance(event, Started) and moves.is_link(event.payload):
            return _show(Context(session, now, profile), moves.opened(Context(session, now, profile), event.payload))
        if not (isinstance(event, CommandSent) and event.command in WORDS and WORDS[event.command] == "language"):
            return _show(Context(session, now, profile), Outcome(session, effects=_arrived(event)))
    ctx = Context(session, now, profile, event.message if isinstance(event, ButtonPressed) else "")
    return _show(ctx, _outcome(ctx, event) if session.desk is None else _beside_desk(ctx, event))


def _arrived(event: Event) -> tuple[Effect, ...]:
    code = campaign(event.payload) if isinstance(event, Started) else ""
    return (Record("campaign", "arrived", code),) if code else ()


def current_screen(session: Session, now: datetime, profile: Profile) -> Screen:
    """The screen in force, drawn anew: for a reload, a hand-back, a test."""
    drawn = STEPS[step_id(session)].screen(Context(session, now, profile))
    return replace(drawn, token=token(session))


def _show(ctx: Context, outcome: Outcome) -> Turn:
    session, before, effects = with_handoff(outcome.session), ctx.session, outcome.effects
    if session.registrations is not before.registrations:
        effects = (*effects, *waiting.retold(ctx, session))
    if not outcome.show:
        return Turn(session, (*effects, *outcome.then))
    session = replace(session, serial=session.serial + 1, seen=ctx.now)
    screen = replace(current_screen(session, ctx.now, ctx.profile), notice=outcome.notice, moments=outcome.moments)
    if outcome.news:
        screen = replace(screen, text=outcome.news)
    author: Author = "bot" if session.desk is None else "system"
    effects = (*effects, Show(screen, outcome.about, None, author, session.ownership), *outcome.then)
    if screen.step != step_id(before) or not before.serial:
        effects = (*effects, Record(screen.step, "asked"))
    if reminders.holds(session.draft) and not (reminders.holds(before.draft) and before.seen):
        effects = (*effects, reminders.set_first(ctx.now))
    return Turn(session, effects)


def _outcome(ctx: Context, event: Event) -> Outcome:
    match event:
        case Started():
            return COMMANDS["start"](ctx, event.payload)
        case CommandSent():
            return _command(ctx, event)
        case ButtonPressed():
            return _press(ctx, event)
        case TextSent():
            return _text(ctx, event)
        case ContactShared():
            return _contact(ctx, event)
        case MessageEdited():
            return _edited(ctx, event)
        case MediaSent():
            # It may well be a photo of a KTP: gone from the chat with the rest, though nothing of it is kept here.
            return Outcome(remembering(ctx, event.message).session, _media(ctx, event.kind))
        case BackendAccepted():
            return news.accepted(ctx, event)
        case BackendRejected():
            return news.rejected(ctx, event)
        case BackendUnavailable():
            return news.unavailable(ctx, event)
        case BackendDone():
            return news.done(ctx, event)
        case ActivationChanged():
            return news.changed(ctx, event)
        case TimerFired():
            return _due(ctx, event.timer)
        case FormWritten():
            return moves.written(ctx, event)
        case LinkMade():
            return moves.made(ctx, event)
        case LinkOpened():
            return moves.taken(ctx, event)
        case FormBrought():
            return moves.brought(ctx, event)
        case LinkDead():
            return moves.dead(ctx, event)
        case (
            AgentTookOver()
            | AgentSaid()
            | AgentReturned()
            | AgentReleased()
            | AgentTransferred()
            | AgentClosed()
            | CorrectionProposed()
        ):
            return desk.acted(ctx, event)
        case _:
            assert_never(event)


def _due(ctx: Context, timer: str) -> Outcome:
    match timer:
        case desk_steps.TIMER:
            return desk.waited(ctx)
        case moves.TIMER:
            return moves.over(ctx)
        case _:
            return reminders.fired(ctx, timer)


def _beside_desk(ctx: Context, event: Event) -> Outcome:
    """An event while the helpdesk has the conversation, or has just had it."""
    session = ctx.session
    if isinstance(event, ByPerson):
        if isinstance(event, ButtonPressed) and f"{event.token}:{event.action}" == session.pressed:
            return Outcome(session, show=False)
        if (meant := _meant_for_desk(ctx, event)) is not None:
            return meant
        if held(session):
            return desk.heard(ctx, event)
        # A rating that was not given is not asked for again.
        return _outcome(replace(ctx, session=replace(session, desk=None)), event)
    outcome = _outcome(ctx, event)
    return outcome if isinstance(event, ByAgent) or event == TimerFired(desk_steps.TIMER) else desk.beside(ctx, outcome)


def _meant_for_desk(ctx: Context, event: Event) -> Outcome | None:
    """A press or a word that the helpdesk's own screen knows."""
    here = STEPS[step_id(ctx.session)]
    match event:
        case ButtonPressed() if event.token == token(ctx.session) and event.action.partition(".")[0] in here.presses:
            return _press(ctx, event)
        case TextSent():
            meanings = _meanings(ctx, here, event.text)
            return next((here.presses[name](ctx, argument) for name, argument in meanings if name in here.presses), None)
        case _:
            return None


def _run(ctx: Context, name: str, argument: str) -> Outcome | None:
    """The step's own meaning of a name, else the global one; None where it has neither."""
    here = STEPS[step_id(ctx.session)]
    if (press := here.presses.get(name)) is not None:
        return press(ctx, argument)
    if (command := COMMANDS.get(name)) is None:
        return None
    outcome = command(ctx, argument)
    if name == "help" and here.help is not None:
        outcome = replace(outcome, notice=f"{here.help(ctx)}\n\n{outcome.notice}")
    return outcome


def _command(ctx: Context, event: CommandSent) -> Outcome:
    name = WORDS.get(event.command, event.command)
    outcome = _run(ctx, name, event.argument)
    return outcome or Outcome(ctx.session, ctx.text("flow.unknown_command"))


def _press(ctx: Context, event: ButtonPressed) -> Outcome:
    session = ctx.session
    pressed = f"{event.token}:{event.action}"
    if pressed == session.pressed:
        return Outcome(session, show=False)
    if session.serial == 0 or event.token != token(session):
        return Outcome(session if session.serial else replace(session, draft=Draft()), ctx.text("flow.stale"))
    ctx = replace(ctx, session=replace(session, pressed=pressed))
    here = STEPS[step_id(session)]
    name, _, argument = event.action.partition(".")
    outcome = _run(ctx, name, argument)
    if outcome is None:
        return Outcome(ctx.session, ctx.text("flow.press_a_button"))
    if here.answered is not None and event.message and not _same_question(session, outcome.session):
        screen = here.answered(ctx)
        if screen is not None:
            outcome = replace(outcome, effects=(Redraw(event.message, screen), *outcome.effects))
    return outcome


def _same_question(before: Session, after: Session) -> bool:
    """Whether what was asked before a press is what is asked after it; one unusual answer may follow another."""
    if step_id(before) != step_id(after):
        return False
    return before.draft is None or after.draft is None or before.draft.doubt == after.draft.doubt


def _text(ctx: Context, event: TextSent) -> Outcome:
    here = STEPS[step_id(ctx.session)]
    meaning = next(_meanings(ctx, here, event.text), None)
    if meaning is not None and (outcome := _run(ctx, *meaning)) is not None:
        return outcome
    lifted = _beneath_overlay(ctx.session)
    if lifted is not ctx.session:
        ctx, here = replace(ctx, session=lifted), STEPS[step_id(lifted)]
    return repairs.unexpected(ctx, event) if here.typed is None else here.typed(ctx, event)


def _meanings(ctx: Context, here: Step, text: str) -> Iterator[tuple[str, str]]:
    """The action or command that a whole message stands for: a button's label typed out, a phrase that the step knows, then a word that is
    known everywhere.
    """
    wanted = " ".join(text.casefold().strip(" \t\n.!").split())
    if may_be_label(ctx.session.language, wanted):
        for action in current_screen(ctx.session, ctx.now, ctx.profile).actions:
            if not action.url and not action.contact and action.label.casefold() == wanted:
                name, _, argument = action.id.partition(".")
                yield name, argument
    if here.means is not None and (action_id := here.means(ctx, text)):
        name, _, argument = action_id.partition(".")
        yield name, argument
    if (command := named(text)) is not None:
        yield command, ""


def _beneath_overlay(session: Session) -> Session:
    """The step that a typed answer is meant for: the one beneath a passing question, if it asks for text."""
    asking = session.draft is not None or session.email_change is not None
    if not asking or not (session.overlay or (session.aside and not session.email_change)):
        return session
    lifted = replace(session, overlay="", aside="" if session.email_change is None else session.aside)
    return lifted if STEPS[step_id(lifted)].typed is not None else session


def _media(ctx: Context, kind: MediaKind) -> str:
    """A fitting sentence; where an answer is to be typed, also that."""
    told = ctx.text(f"flow.media.{kind}")
    return f"{told} {ctx.text('flow.media.answer')}" if step_id(ctx.session) in (*FIELDS, "new_email") else told


def _contact(ctx: Context, event: ContactShared) -> Outcome:
    session = _beneath_overlay(ctx.session)
    ctx = replace(ctx, session=session)
    here = step_id(session)
    number = TextSent(event.phone if event.phone.startswith("+") else f"+{event.phone}", event.message)
    if here != "phone":
        # The right answer in the wrong place, where the form is open.
        offered = event.own and here in (*FIELDS, "kind", "summary")
        other = repairs.other_meaning(remembering(ctx, event.message), number, here) if offered else None
        return other or Outcome(session, ctx.text("flow.media.contact"))
    if not event.own:
        return Outcome(session, ctx.text("flow.contact_of_another"))
    return question.typed(ctx, number)


def _edited(ctx: Context, event: MessageEdited) -> Outcome:
    """An edited answer corrects its field until the hand-off, an edited try is a new try; any other edited message is left alone, and
    that is said.
    """
    session, draft = ctx.session, ctx.session.draft
    edited = TextSent(event.text, event.message)
    if looks_like_password(event.text):
        return repairs.hidden(ctx, edited)
    if draft is None:
        return Outcome(session, ctx.text("flow.edit_too_late" if session.registrations else "flow.edit_not_used"))
    if draft.sending:
        return Outcome(session, ctx.text("flow.edit_too_late"))
    fields = [id_ for id_, answer in draft.answers.items() if answer.message == event.message]
    if len(fields) > 1:
        # One message with several answers, now with others.
        return repairs.reread(ctx, edited) or Outcome(session, ctx.text("flow.edit_not_used"))
    if fields:
        return _edited_answer(ctx, draft, fields[0], edited)
    ctx = replace(ctx, session=replace(session, overlay="", aside=""))
    if draft.doubt is not None and draft.doubt.message == event.message:
        return question.retyped(ctx, edited)
    if event.message in draft.typed[-1:] and (typed := STEPS[step_id(ctx.session)].typed) is not None:
        return typed(ctx, edited)
    return Outcome(session, ctx.text("flow.edit_not_used"))


def _edited_answer(ctx: Context, draft: Draft, field: str, event: TextSent) -> Outcome:
    match FIELDS[field].parse(event.text, local_date(ctx.now)):
        case Accepted(value):
            notice = ctx.text("flow.edited", label=ctx.text(f"{field}.label"))
            return Outcome(replace(ctx.session, draft=with_answer(draft, field, Answer(value, event.message))), notice)
        case _:
            # Anything less than a plainly good value goes through the field's own question, with the old answer kept meanwhile.
            asking = replace(ctx.session, overlay="", aside="", draft=with_question(without_doubt(draft, field), field))
            return question.typed(replace(ctx, session=asking), event)
