"""The dialog in one function: `step(session, event, now, profile) -> Turn`. No I/O, no clock, no framework.

Rule 1: where the person stands is computed (`dialogs/registration.py`), never stored; a handler changes answers, not positions.
Rule 2: every event of a person is answered, and every answer ends in the one screen that is now in force; its buttons carry its token.
Rule 3: a press on any other screen does nothing but show the current one again; the same press twice is one press.
Rule 4: a command is understood at every step before the step sees the text, and then the same question stands again.

Lives here: the table of steps and the order in which an event is looked at. Must not live here: any step's rules (`dialogs/steps/`),
commands (`dialogs/commands.py`) or news from the backend (`dialogs/news.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, assert_never

from dialogs import news, reminders
from dialogs.clock import local_date
from dialogs.commands import COMMANDS, WORDS, named
from dialogs.effects import Effect, Record, Redraw, Show
from dialogs.events import (
    ActivationChanged,
    AgentReturned,
    AgentTookOver,
    BackendAccepted,
    BackendDone,
    BackendRejected,
    BackendUnavailable,
    ButtonPressed,
    CommandSent,
    ContactShared,
    Event,
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
from dialogs.registration import step_id, token, with_answer, with_handoff
from dialogs.screens import Screen
from dialogs.session import Answer, Draft, Session
from dialogs.steps import consent, kind, overlays, privacy, question, summary, waiting
from dialogs.steps._step import Context, Outcome, Step, may_be_label

STEPS: Final[Mapping[str, Step]] = {
    step.id: step
    for step in (
        consent.STEP,
        kind.STEP,
        *question.FIELD_STEPS,
        question.DOUBT,
        summary.STEP,
        summary.MENU,
        summary.SENDING,
        *waiting.STEPS,
        waiting.NEW_EMAIL,
        waiting.EMAIL_DOUBT,
        *overlays.STEPS,
        *privacy.STEPS,
    )
}


class Turn(Frozen, frozen=True):
    """What one event came to: the session to keep, and what to do, in order."""

    session: Session
    effects: tuple[Effect, ...]


def step(session: Session, event: Event, now: datetime, profile: Profile) -> Turn:
    """Carry out one event. `now` is aware (UTC). A session without anything in it is greeted, whatever comes first."""
    if session.serial == 0 and not isinstance(event, ButtonPressed) and _by_person(event):
        session = replace(session, draft=session.draft or Draft())
        if not (isinstance(event, CommandSent) and event.command in WORDS and WORDS[event.command] == "language"):
            return _show(Context(session, now, profile), Outcome(session))
    ctx = Context(session, now, profile, event.message if isinstance(event, ButtonPressed) else "")
    return _show(ctx, _outcome(ctx, event))


def _by_person(event: Event) -> bool:
    return isinstance(event, Started | TextSent | ContactShared | ButtonPressed | MediaSent | CommandSent | MessageEdited)


def current_screen(session: Session, now: datetime, profile: Profile) -> Screen:
    """The screen in force, drawn anew: for a reload, a hand-back, a test."""
    drawn = STEPS[step_id(session)].screen(Context(session, now, profile))
    return replace(drawn, token=token(session))


def _show(ctx: Context, outcome: Outcome) -> Turn:
    session = with_handoff(outcome.session)
    if not outcome.show:
        return Turn(session, outcome.effects)
    before = ctx.session
    session = replace(session, serial=session.serial + 1, seen=ctx.now)
    screen = replace(current_screen(session, ctx.now, ctx.profile), notice=outcome.notice)
    if outcome.news:
        screen = replace(screen, text=outcome.news)
    effects = (*outcome.effects, Show(screen, outcome.about))
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
            return Outcome(ctx.session, ctx.text(f"flow.media.{event.kind}"))
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
            return reminders.fired(ctx, event.timer)
        case AgentTookOver() | AgentReturned():
            # No rule of this dialog yields to an agent yet; an event of a later version changes nothing here.
            return Outcome(ctx.session, show=False)
        case _:
            assert_never(event)


def _run(ctx: Context, name: str, argument: str = "") -> Outcome | None:
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
    if here.answered is not None and event.message and STEPS[step_id(outcome.session)] is not here:
        screen = here.answered(ctx)
        if screen is not None:
            outcome = replace(outcome, effects=(Redraw(event.message, screen), *outcome.effects))
    return outcome


def _text(ctx: Context, event: TextSent) -> Outcome:
    for name, argument in _meanings(ctx, event.text):
        if (outcome := _run(ctx, name, argument)) is not None:
            return outcome
    lifted = _beneath_overlay(ctx.session)
    typed = STEPS[step_id(lifted)].typed
    if typed is None:
        return Outcome(ctx.session, ctx.text("flow.press_a_button"))
    return typed(replace(ctx, session=lifted), event)


def _meanings(ctx: Context, text: str) -> Iterator[tuple[str, str]]:
    """The action or command that a whole message stands for: a button's label typed out, then a word known everywhere."""
    wanted = " ".join(text.casefold().split())
    if may_be_label(ctx.session.language, wanted):
        for action in current_screen(ctx.session, ctx.now, ctx.profile).actions:
            if not action.url and not action.contact and action.label.casefold() == wanted:
                name, _, argument = action.id.partition(".")
                yield name, argument
    if (command := named(text)) is not None:
        yield command, ""


def _beneath_overlay(session: Session) -> Session:
    """The step that a typed answer is meant for: the one beneath a passing question, if it takes text."""
    lifted = replace(session, overlay="")
    return lifted if session.overlay and STEPS[step_id(lifted)].typed is not None else session


def _contact(ctx: Context, event: ContactShared) -> Outcome:
    session = _beneath_overlay(ctx.session)
    ctx = replace(ctx, session=session)
    if step_id(session) != "phone":
        return Outcome(session, ctx.text("flow.media.contact"))
    if not event.own:
        return Outcome(session, ctx.text("flow.contact_of_another"))
    number = event.phone if event.phone.startswith("+") else f"+{event.phone}"
    return question.typed(ctx, TextSent(number, event.message))


def _edited(ctx: Context, event: MessageEdited) -> Outcome:
    """An edited answer corrects that field until the hand-off; any other edited message is left alone, and that is said."""
    draft = ctx.session.draft
    field = next((id_ for id_, answer in draft.answers.items() if answer.message == event.message), None) if draft else None
    if draft is None or field is None:
        return Outcome(ctx.session, ctx.text("flow.edit_not_used"))
    if draft.sending:
        return Outcome(ctx.session, ctx.text("flow.edit_too_late"))
    match FIELDS[field].parse(event.text, local_date(ctx.now)):
        case Accepted(value):
            edited = with_answer(draft, field, Answer(value, event.message))
            kept = replace(edited, editing=draft.editing, doubt=draft.doubt, tries=draft.tries)
            notice = ctx.text("flow.edited", label=ctx.text(f"{field}.label"))
            return Outcome(replace(ctx.session, draft=kept), notice)
        case _:
            # Anything less than a plainly good value goes through the field's own question, with the old answer kept meanwhile.
            asking = replace(ctx.session, overlay="", draft=replace(draft, editing=field, doubt=None, tries=0))
            return question.typed(replace(ctx, session=asking), TextSent(event.text, event.message))
