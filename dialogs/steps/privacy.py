"""What a person may know and ask about their data here: what is stored now, and that it be erased (UU PDP art. 7, 8, 9, 30-32, 40-44).

Lives here: /privasi, /hapus and the registration that is being erased. Must not live here: the whole notice (the page that `privacy_url`
opens) or the full copy (the account page, after log-in: in a chat nothing is told unmasked that is no longer to be proof-read).
"""

from __future__ import annotations

from dialogs.effects import CancelTimer, Effect, WithdrawRegistration
from dialogs.fields import FIELDS
from dialogs.frozen import replace
from dialogs.registration import focused
from dialogs.reminders import TIMER, holds, kept_until
from dialogs.screens import Screen
from dialogs.session import Registration, Session
from dialogs.steps._step import Context, Outcome, Step, button, contacts, label
from dialogs.steps.overlays import dropped, laid, lifted

# What the backend still holds data of, and may be asked to erase. An active account is erased by its owner, who has logged in.
OPEN = ("pending", "mail_failed", "expired")


def privacy(ctx: Context, _: str) -> Outcome:
    """The notice in short, and everything that is stored now, masked."""
    notice = ctx.text("flow.privacy", operator=ctx.profile.operator, url=ctx.profile.privacy_url)
    return Outcome(ctx.session, f"{notice}\n\n{stored(ctx)}")


def stored(ctx: Context) -> str:
    """What is stored of this person, and until when, masked; each thing in a paragraph; then what can be done about it."""
    parts = []
    draft = ctx.session.draft
    if draft is not None and draft.answers:
        values = [
            # To a stranger even what a mask leaves would be a hint.
            f"{label(ctx, field.id)}: {'***' if draft.unproven else field.mask(draft.answers[field.id].value)}"
            for field in FIELDS
            if field.id in draft.answers
        ]
        until = ctx.text("privacy.until", until=kept_until(ctx))
        parts.append("\n".join((ctx.text("privacy.draft"), *values, *(() if draft.sending else (until,)))))
    for each in ctx.session.registrations:
        what = (
            "erasing" if each.erasing else "account" if each.status == "active" else "open" if each.status in OPEN else "erased"
        )
        parts.append(ctx.text(f"privacy.registration.{what}", name=each.name, email=each.email_masked))
    if talked(ctx):
        parts.append(ctx.text("privacy.talk"))
    if not parts:
        return ctx.text("privacy.nothing")
    return "\n\n".join((ctx.text("privacy.stored"), *parts, ctx.text("privacy.ways", home=ctx.profile.home_url)))


def talked(ctx: Context) -> bool:
    """Whether the helpdesk ever had this conversation, as far back as it is remembered."""
    return ctx.session.ownership > 0


def talk_stays(ctx: Context) -> tuple[str, ...]:
    """What was said to agents is theirs to erase; why it stays, where there is anything."""
    return (ctx.text("privacy.talk_stays", contacts=contacts(ctx)),) if talked(ctx) else ()


# --- /hapus


def erase(ctx: Context, _: str) -> Outcome:
    """Ask once; where nothing is stored there is nothing to ask."""
    if not holds(ctx.session.draft) and not ctx.session.registrations:
        return Outcome(ctx.session, "\n\n".join((ctx.text("privacy.nothing_to_erase"), *talk_stays(ctx))))
    return laid(ctx, "erase")


def erase_screen(ctx: Context) -> Screen:
    names = sorted({each.name for each in ctx.session.registrations if each.status in OPEN and not each.erasing})
    active = sorted({each.name for each in ctx.session.registrations if each.status == "active"})
    sending = ctx.session.draft is not None and ctx.session.draft.sending
    parts = [ctx.text("privacy.ask")]
    if holds(ctx.session.draft):
        parts.append(ctx.text("privacy.ask_sending" if sending else "privacy.ask_draft"))
    if names:
        parts.append(ctx.text("privacy.ask_open", names=", ".join(names)))
    if active:
        parts.append(stays(ctx, active))
    if names or sending:
        parts.append(ctx.text("privacy.what_stays"))
    parts += talk_stays(ctx)
    actions = (button(ctx, "erase_all", "danger"), button(ctx, "go_on", "primary"))
    return Screen(token="", step="erase", text="\n\n".join(parts), actions=actions)


def stays(ctx: Context, names: list[str]) -> str:
    return ctx.text("privacy.account_stays", names=", ".join(names), home=ctx.profile.home_url, contacts=contacts(ctx))


def erase_all(ctx: Context, _: str) -> Outcome:
    """Forget everything here at once; what the backend holds it is asked to erase, and its answer is told.

    A form that is just being handed off is withdrawn as soon as the backend has taken it (`dialogs/news.py`).
    """
    effects: list[Effect] = []
    session, draft, said = replace(ctx.session, overlay="", aside="", email_change=None), ctx.session.draft, []
    if draft is not None and draft.sending:
        session = replace(session, draft=replace(draft, erase=True))
        said.append(ctx.text("privacy.after_sending"))
    elif draft is not None:
        effects += (CancelTimer(TIMER), *dropped(ctx, "erased"))
        session = replace(session, draft=None)
        said.append(ctx.text("privacy.draft_erased"))
    kept: list[Registration] = []
    for each in session.registrations:
        if each.erasing:
            kept.append(each)
        elif each.status in OPEN:
            leaving, request = withdrawal(each)
            kept.append(leaving)
            effects.append(request)
    after = replace(session, registrations=tuple(kept))
    # The one in front says so itself.
    said += [ctx.text("privacy.erasing", name=each.name) for each in kept if each.erasing and each is not focused(after)]
    if forgotten := len(session.registrations) - len(kept):
        said.append(ctx.text("privacy.forgotten", count=forgotten))
    if active := sorted({each.name for each in session.registrations if each.status == "active"}):
        said.append(stays(ctx, active))
    return Outcome(after, "\n\n".join(said), tuple(effects))


def withdrawal(about: Registration) -> tuple[Registration, WithdrawRegistration]:
    """The registration on its way out, and the request that takes it there."""
    count = about.requests + 1
    request = WithdrawRegistration(request=f"{about.handoff}-w{count}", registration=about.id)
    return replace(about, requests=count, erasing=request.request), request


def without(session: Session, id_: str) -> Session:
    return replace(session, registrations=tuple(each for each in session.registrations if each.id != id_))


def erasing_screen(ctx: Context) -> Screen:
    about = focused(ctx.session)
    assert about is not None
    text = ctx.text("privacy.erasing", name=about.name)
    return Screen(
        token="", step="erasing", text=text, actions=(button(ctx, "status", "primary"), button(ctx, "register_another"))
    )


STEPS = (
    Step("erase", erase_screen, {"erase_all": erase_all, "go_on": lifted, "back": lifted}),
    Step("erasing", erasing_screen),
)
