"""Questions laid over the current step for a moment: cancel? continue or start again? which language?, and the empty chat.

Lives here: what may be asked at any step. A typed answer lifts the overlay and answers the question beneath it, so nothing typed is
lost. Must not live here: the "Ubah ..." menu (`dialogs/steps/summary.py`).
"""

from __future__ import annotations

from dialogs.effects import DeleteUserMessages, Effect, Record
from dialogs.frozen import replace
from dialogs.phrases import AGAIN_FROM_THE_START, NO, YES, plain
from dialogs.registration import step_id
from dialogs.screens import Action, Screen
from dialogs.session import Draft, Overlay
from dialogs.steps._step import Context, Outcome, Step, button, heading
from dialogs.texts import LANGUAGES


def lifted(ctx: Context, _: str = "") -> Outcome:
    """Back to the step beneath, from whatever was asked or looked at in passing."""
    return Outcome(replace(ctx.session, overlay="", aside=""))


def laid(ctx: Context, overlay: Overlay) -> Outcome:
    return Outcome(replace(ctx.session, overlay=overlay))


def new_draft(ctx: Context, _: str = "") -> Outcome:
    """Begin an empty registration; those handed off before stay."""
    return Outcome(
        replace(ctx.session, overlay="", email_change=None, aside="", draft=Draft()), effects=dropped(ctx, "restarted")
    )


def dropped(ctx: Context, how: str) -> tuple[Effect, ...]:
    """What giving up the form brings: what was typed goes from the chat as well. Nothing where there is no form."""
    if ctx.session.draft is None:
        return ()
    typed = ctx.session.draft.typed
    record = Record(step_id(replace(ctx.session, overlay="", aside="")), "abandoned", how)
    return (DeleteUserMessages(typed), record) if typed else (record,)


# --- cancel


def cancel_screen(ctx: Context) -> Screen:
    actions = (button(ctx, "go_on", "primary"), button(ctx, "discard", "danger"))
    return Screen(token="", step="cancel", text=heading(ctx, ctx.text("flow.cancel")), actions=actions)


def discard(ctx: Context, _: str) -> Outcome:
    session = replace(ctx.session, overlay="", aside="", draft=None)
    return Outcome(session, heading(ctx, ctx.text("flow.cancelled")), dropped(ctx, "cancelled"))


def cancel_means(_: Context, text: str) -> str:
    said = plain(text)
    return "discard" if said in YES else "go_on" if said in NO else ""


# --- continue or start again


def restart_screen(ctx: Context) -> Screen:
    actions = (button(ctx, "go_on", "primary"), button(ctx, "start_again", "danger"))
    answered = len(ctx.session.draft.answers) if ctx.session.draft else 0
    return Screen(token="", step="restart", text=heading(ctx, ctx.text("flow.restart", count=answered)), actions=actions)


def restart_means(_: Context, text: str) -> str:
    said = plain(text)
    return "start_again" if said in AGAIN_FROM_THE_START else "go_on" if said in YES else ""


# --- language


def language_screen(ctx: Context) -> Screen:
    actions = tuple(Action(f"speak.{language}", ctx.text(f"flow.language_name.{language}")) for language in LANGUAGES)
    return Screen(token="", step="language", text=ctx.text("flow.language"), actions=(*actions, button(ctx, "go_on")))


def speak(ctx: Context, argument: str) -> Outcome:
    language = next((each for each in LANGUAGES if each == argument), ctx.session.language)
    session = replace(ctx.session, overlay="", language=language)
    return Outcome(session, replace(ctx, session=session).text("flow.language_changed"))


# --- nothing is going on


def idle_screen(ctx: Context) -> Screen:
    text = ctx.text("flow.idle", operator=ctx.profile.operator)
    return Screen(token="", step="idle", text=text, actions=(button(ctx, "register", "primary"), button(ctx, "language")))


STEPS = (
    Step("cancel", cancel_screen, {"go_on": lifted, "back": lifted, "discard": discard}, means=cancel_means),
    Step("restart", restart_screen, {"go_on": lifted, "back": lifted, "start_again": new_draft}, means=restart_means),
    Step("language", language_screen, {"speak": speak, "go_on": lifted, "back": lifted}),
    Step("idle", idle_screen),
)
