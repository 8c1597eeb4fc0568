"""What may be said at every step: the commands, the words and buttons that mean the same, and what they do.

Lives here: global commands; each answers and then the same question stands again. Must not live here: a step's own presses
(`dialogs/steps/`). A step that knows an action of the same name (Kembali, Batal) has the first word.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dialogs import reminders
from dialogs.clock import time_of_day
from dialogs.effects import OpenTicket, Record
from dialogs.fields import FIELDS
from dialogs.frozen import replace
from dialogs.registration import state_of, step_id
from dialogs.session import Registration
from dialogs.steps import privacy
from dialogs.steps._step import Context, Outcome, Press, contacts
from dialogs.steps.overlays import laid, lifted, new_draft, speak


def start(ctx: Context, _: str) -> Outcome:
    """A new chat is greeted; an open form offers to continue or start again; otherwise the newest registration is shown."""
    draft = ctx.session.draft
    if draft is not None and not draft.sending and (draft.answers or draft.kind):
        return laid(replace(ctx, session=replace(ctx.session, email_change=None)), "restart")
    if draft is None and not ctx.session.registrations:
        return new_draft(ctx)
    return Outcome(replace(ctx.session, overlay="", email_change=None))


def register(ctx: Context, argument: str) -> Outcome:
    """Begin a registration, also another one after a hand-off."""
    return start(ctx, argument) if ctx.session.draft is not None else new_draft(ctx)


def cancel(ctx: Context, _: str) -> Outcome:
    """Ask before anything is thrown away; with nothing to lose there is nothing to ask."""
    draft = ctx.session.draft
    if draft is None:
        return Outcome(replace(ctx.session, overlay="", email_change=None), ctx.text("flow.nothing_to_cancel"))
    return laid(ctx, "cancel")


def back(ctx: Context, _: str) -> Outcome:
    return Outcome(ctx.session, ctx.text("flow.first_question" if ctx.session.draft else "flow.nothing_to_go_back"))


def language(ctx: Context, argument: str) -> Outcome:
    return speak(ctx, argument) if argument in ("id", "en") else laid(ctx, "language")


def status_line(ctx: Context, registration: Registration) -> str:
    """One registration in one line, masked."""
    stands = state_of(registration)
    at = (
        ctx.text("flow.status.mailed_at", time=time_of_day(ctx.session.language, registration.mailed_at, ctx.zone))
        if registration.mailed_at and stands == "pending"
        else ""
    )
    state = ctx.text(f"flow.status.{stands}")
    return ctx.text("flow.status.line", name=registration.name, email=registration.email_masked, state=state, at=at)


def status(ctx: Context, _: str) -> Outcome:
    """Every registration of this chat, masked, and how far the open form is."""
    lines = [status_line(ctx, registration) for registration in ctx.session.registrations]
    if (draft := ctx.session.draft) is not None:
        id_ = "flow.status.sending" if draft.sending else "flow.status.draft"
        lines.append(ctx.text(id_, count=len(draft.answers), total=len(FIELDS)))
    return Outcome(ctx.session, "\n\n".join(lines) or ctx.text("flow.status.none"))


def help_(ctx: Context, _: str) -> Outcome:
    """What can be done here, how to reach a human. The step's own help is put before it by the machine."""
    return Outcome(ctx.session, "\n\n".join((ctx.text("flow.help"), contacts(ctx))))


def agent(ctx: Context, _: str) -> Outcome:
    step = step_id(ctx.session)
    return Outcome(
        ctx.session, ctx.text("flow.agent", contacts=contacts(ctx)), (OpenTicket("asked", step), Record(step, "agent"))
    )


# Name -> what it does. Names are the commands (Bot API: lower-case ASCII) and the ids of buttons that any step may carry.
COMMANDS: Final[Mapping[str, Press]] = {
    "start": start,
    "register": register,
    "register_another": register,
    "cancel": cancel,
    "back": back,
    "language": language,
    "status": status,
    "help": help_,
    "privacy": privacy.privacy,
    "erase": privacy.erase,
    "mute": reminders.mute,
    "go_on": lifted,
    "agent": agent,
}

# What people type for each, as a whole message, with or without a slash, in either language.
WORDS: Final[Mapping[str, str]] = {
    word: command
    for command, words in {
        "start": ("start", "mulai", "mulai lagi", "ulang", "halo", "hai", "hi", "hello", "restart", "lanjut", "lanjutkan"),
        "register": ("daftar", "register", "sign up", "daftar lagi"),
        "cancel": ("batal", "batalkan", "cancel", "stop"),
        "back": ("kembali", "back", "mundur"),
        "language": ("bahasa", "language", "ganti bahasa"),
        "status": ("status", "cek status"),
        "help": ("bantuan", "help", "tolong", "?"),
        "privacy": ("privasi", "privacy", "data saya", "my data"),
        "erase": ("hapus", "hapus data", "hapus data saya", "erase", "delete my data"),
        "mute": ("jangan ingatkan lagi", "berhenti mengingatkan", "do not remind me again", "don't remind me"),
        "agent": ("petugas", "agent", "operator", "helpdesk", "cs", "admin"),
    }.items()
    for word in words
}
# What channels register as their menu, in this order; descriptions are the texts `flow.menu.<name>`.
MENU: Final = ("start", "daftar", "status", "bantuan", "batal", "bahasa", "privasi", "hapus")


def named(text: str) -> str | None:
    """The command that this whole message means, if any."""
    return WORDS.get(" ".join(text.casefold().strip(" \t\n.!/").split()))
