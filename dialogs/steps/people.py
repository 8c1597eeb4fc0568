"""Several people in one chat: the list of their registrations, and choosing the one that the buttons act on.

Lives here: the list, masked, and the way to each and back. Must not live here: what a registration looks like (`dialogs/steps/waiting.py`).
A form that is open meanwhile stays as it is; looking aside never moves it.
"""

from __future__ import annotations

from typing import Final

from dialogs.clock import time_of_day
from dialogs.fields import FIELDS
from dialogs.frozen import replace
from dialogs.registration import name_in, state_of
from dialogs.screens import Action, Screen
from dialogs.session import Registration
from dialogs.steps._step import Context, Outcome, Step, button

# More buttons than these nobody reads; the newest are the ones in question, and the list above them has all.
MOST_BUTTONS: Final = 8


def line(ctx: Context, registration: Registration) -> str:
    """One registration in one line, masked."""
    stands = state_of(registration)
    at = (
        ctx.text("flow.status.mailed_at", time=time_of_day(ctx.session.language, registration.mailed_at, ctx.zone))
        if registration.mailed_at and stands == "pending"
        else ""
    )
    state = ctx.text(f"flow.status.{stands}")
    return ctx.text("flow.status.line", name=registration.name, email=registration.email_masked, state=state, at=at)


def lines(ctx: Context) -> str:
    """Every registration of this chat, and how far the open form is; "" where there is nothing."""
    told = [line(ctx, registration) for registration in ctx.session.registrations]
    if (draft := ctx.session.draft) is not None:
        name = name_in(draft)
        id_ = "sending" if draft.sending else "draft"
        told.append(
            ctx.text(f"flow.status.{id_}_of", name=name, count=len(draft.answers), total=len(FIELDS))
            if name and ctx.session.registrations
            else ctx.text(f"flow.status.{id_}", count=len(draft.answers), total=len(FIELDS))
        )
    return "\n\n".join(told)


def screen(ctx: Context) -> Screen:
    everybody = ctx.session.registrations
    names = [registration.name for registration in everybody]
    actions = [
        Action(f"about.{position}", ctx.text("button.about", name=_told_apart(registration, names)))
        for position, registration in enumerate(everybody)
    ]
    return Screen(
        token="",
        step="status",
        text=f"{lines(ctx)}\n\n{ctx.text('flow.status.choose')}",
        actions=(*actions[-MOST_BUTTONS:], back_to_form(ctx)),
    )


def _told_apart(registration: Registration, names: list[str]) -> str:
    """The name; two people of the same name are told apart by their addresses."""
    return registration.name if names.count(registration.name) == 1 else f"{registration.name}, {registration.email_masked}"


def back_to_form(ctx: Context) -> Action:
    """The way back to the form that is open, else to another registration."""
    draft = ctx.session.draft
    if draft is None:
        return button(ctx, "register_another")
    name = name_in(draft)
    return Action("go_on", ctx.text("button.to_form", name=name)) if name else button(ctx, "go_on")


def about(ctx: Context, argument: str) -> Outcome:
    everybody = ctx.session.registrations
    if not (argument.isdecimal() and int(argument) < len(everybody)):
        return Outcome(ctx.session, ctx.text("flow.press_a_button"))
    return Outcome(replace(ctx.session, aside="registration", focus=everybody[int(argument)].id))


def closed(ctx: Context, _: str = "") -> Outcome:
    """Back to the form, or to the registration that was chosen last."""
    return Outcome(replace(ctx.session, aside=""))


STEP = Step("status", screen, {"about": about, "go_on": closed, "back": closed})
