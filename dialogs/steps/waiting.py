"""After the hand-off (guide steps 7-9): the thank-you with **Kirim Ulang** and **Ubah E-mail**, and what each status looks like.

Lives here: one registration that the backend has taken, by its status. Must not live here: hearing of a change (`dialogs/news.py`).
"""

from __future__ import annotations

from dialogs.clock import local_date, time_of_day, waiting
from dialogs.effects import ChangeEmail, DeleteUserMessages, Record, Redraw, ResendActivation
from dialogs.events import TextSent
from dialogs.fields import BY_ID
from dialogs.fields._field import Accepted, Doubtful, Rejected
from dialogs.frozen import replace
from dialogs.phrases import correction, mail_is_missing
from dialogs.registration import focused, state_of, step_id, updated
from dialogs.screens import Action, Moment, Screen
from dialogs.secret import looks_like_password
from dialogs.session import EmailChange, OpenDoubt, Registration, Session
from dialogs.steps._step import (
    Context,
    Outcome,
    Press,
    Step,
    agent_button,
    ask,
    button,
    contacts,
    label,
    refusal,
    shown,
    what_next,
)
from dialogs.steps.people import back_to_form
from dialogs.steps.question import doubt_actions, doubt_lines, meant, unclear
from dialogs.steps.repairs import hidden, unexpected
from dialogs.steps.repairs import open_doubt as open_doubt_of


def registration(ctx: Context) -> Registration:
    """The registration that this screen is about. Only steps that `step_id` gives for one may ask."""
    session = ctx.session
    changing = session.registration(session.email_change.registration) if session.email_change else None
    found = changing or focused(session)
    assert found is not None
    return found


def thanks(ctx: Context, about: Registration) -> str:
    """The guide's thank-you (step 7), said once, when the backend has taken the registration."""
    return "\n\n".join((ctx.text("flow.thanks", name=about.name), link_sent(ctx, about), contacts(ctx)))


def link_sent(ctx: Context, about: Registration) -> str:
    """What to do with the mail, and what when it does not come."""
    wait = waiting(ctx.session.language, ctx.profile.resend_after)
    return ctx.text("flow.link_sent", email=about.email_masked, next=what_next(ctx, "link_sent", wait=wait))


def retold(ctx: Context, after: Session) -> tuple[Redraw, ...]:
    """The summaries of registrations that stand otherwise than before, each in its own place; of one that is gone no word remains."""
    found = []
    for old in ctx.session.registrations:
        new = after.registration(old.id)
        if not old.summary or (new and (state_of(new), new.email_masked) == (state_of(old), old.email_masked)):
            continue
        text = ctx.text("flow.summary_erased")
        if new is not None:
            state = ctx.text("flow.summary_state", state=ctx.text(f"flow.status.{state_of(new)}"))
            text = "\n\n".join((ctx.text("flow.summary_of", name=new.name, email=new.email_masked), state))
        found.append(Redraw(old.summary, Screen(token="", step="summary", text=text)))
    return tuple(found)


def pending_screen(ctx: Context) -> Screen:
    about = registration(ctx)
    text = ctx.text("flow.pending", name=about.name, email=about.email_masked)
    actions = (
        *in_the_chat(ctx),
        button(ctx, "resend", "primary"),
        button(ctx, "new_email"),
        button(ctx, "status"),
        *agent_button(ctx),
        back_to_form(ctx),
    )
    return Screen(token="", step="pending", text=text, actions=actions)


def in_the_chat(ctx: Context) -> tuple[Action, ...]:
    """The way to the page inside the chat, for whoever reads the mail on another device."""
    if not ctx.profile.app_url:
        return ()
    return (button(ctx, "app", url=f"{ctx.profile.app_url}?lang={ctx.session.language}", app=True),)


def mail_failed_screen(ctx: Context) -> Screen:
    about = registration(ctx)
    text = "\n\n".join((ctx.text("flow.mail_failed", name=about.name, email=about.email_masked), contacts(ctx)))
    return Screen(
        token="",
        step="mail_failed",
        text=text,
        actions=(button(ctx, "new_email", "primary"), button(ctx, "resend"), *agent_button(ctx), back_to_form(ctx)),
    )


def expired_screen(ctx: Context) -> Screen:
    about = registration(ctx)
    text = "\n\n".join((ctx.text("flow.expired", name=about.name, email=about.email_masked), contacts(ctx)))
    return Screen(
        token="",
        step="expired",
        text=text,
        actions=(button(ctx, "resend", "primary"), button(ctx, "new_email"), *agent_button(ctx), back_to_form(ctx)),
    )


def withdrawn_screen(ctx: Context) -> Screen:
    about = registration(ctx)
    text = "\n\n".join((ctx.text("flow.withdrawn", name=about.name), contacts(ctx)))
    way_on = back_to_form(ctx) if ctx.session.draft is not None else button(ctx, "register", "primary")
    return Screen(token="", step="withdrawn", text=text, actions=(way_on,))


def active_screen(ctx: Context) -> Screen:
    home = button(ctx, "home", "primary", url=ctx.profile.home_url)
    text = ctx.text("flow.active", name=registration(ctx).name, email=registration(ctx).email_masked)
    return Screen(token="", step="active", text=text, actions=(home, back_to_form(ctx)))


def resend(ctx: Context, _: str) -> Outcome:
    """Kirim Ulang: from `resend_after` after the last mail was accepted, else the true remaining time; the backend has its own limits."""
    about = registration(ctx)
    step = step_id(ctx.session)
    # Should the word on a mail never come, it counts as lost after the same time.
    if about.asked is not None and ctx.now < about.asked + ctx.profile.resend_after:
        return Outcome(
            ctx.session, ctx.text("flow.resend_not_yet_mailed", name=about.name), (Record(step, "rejected", "queued"),)
        )
    if about.asked is None and about.status == "pending" and about.mailed_at is not None:
        free = about.mailed_at + ctx.profile.resend_after
        if ctx.now < free:
            wait, at = waiting(ctx.session.language, free - ctx.now), time_of_day(ctx.session.language, free, ctx.zone)
            notice = ctx.text("flow.resend_too_early", name=about.name, wait=wait, at=at)
            return Outcome(ctx.session, notice, (Record(step, "rejected", "too_early"),), moments=(Moment(at, free),))
    asked = replace(about, requests=about.requests + 1, asked=ctx.now)
    effect = ResendActivation(request=f"{about.handoff}-r{asked.requests}", registration=about.id)
    notice = ctx.text("flow.resending", name=about.name, email=about.email_masked)
    return Outcome(updated(ctx.session, asked), notice, (effect, Record(step, "resent")))


def new_email(ctx: Context, _: str) -> Outcome:
    return Outcome(replace(ctx.session, email_change=EmailChange(registration(ctx).id)))


def left(ctx: Context, _: str) -> Outcome:
    """Kembali from a registration that was looked at beside an open form leads to the form; elsewhere there is nothing before it."""
    if ctx.session.aside:
        return Outcome(replace(ctx.session, aside=""))
    return Outcome(ctx.session, ctx.text("flow.nothing_to_go_back"))


def means(ctx: Context, text: str) -> str:
    """Such as "belum terima email" and "email salah"; anything else can no longer be changed here."""
    wish = correction(text)
    if registration(ctx).status in ("active", "withdrawn"):
        return "" if wish is None else "sent"
    if mail_is_missing(text, awaited=True):
        return "resend"
    return "" if wish is None else "new_email" if wish == "email" else "sent"


def said(ctx: Context, event: TextSent) -> Outcome:
    """An address typed here is offered as the new one; nothing else is expected."""
    if registration(ctx).status in ("active", "withdrawn") or "@" not in event.text:
        return unexpected(ctx, event)
    parsed = BY_ID["email"].parse(event.text, local_date(ctx.now))
    if isinstance(parsed, Rejected):
        return unexpected(ctx, event)
    asked = EmailChange(registration(ctx).id, open_doubt_of("email", parsed, event))
    return Outcome(replace(ctx.session, email_change=asked))


def link_help(ctx: Context) -> str:
    return link_sent(ctx, registration(ctx))


def sent(ctx: Context, _: str) -> Outcome:
    return Outcome(ctx.session, ctx.text("flow.sent_already", name=registration(ctx).name, contacts=contacts(ctx)))


OVER: dict[str, Press] = {"back": left, "sent": sent}
PRESSES: dict[str, Press] = {"resend": resend, "new_email": new_email, **OVER}
STEPS = (
    Step("pending", pending_screen, PRESSES, said, link_help, means=means),
    Step("mail_failed", mail_failed_screen, PRESSES, said, means=means),
    Step("expired", expired_screen, PRESSES, said, means=means),
    Step("withdrawn", withdrawn_screen, OVER, means=means),
    Step("active", active_screen, OVER, means=means),
)


# --- Ubah E-mail


def changing(ctx: Context) -> EmailChange:
    assert ctx.session.email_change is not None
    return ctx.session.email_change


def new_email_screen(ctx: Context) -> Screen:
    about = registration(ctx)
    other = len(ctx.session.registrations) > 1 or ctx.session.draft is not None
    text = "\n\n".join((ctx.text("flow.new_email", name=about.name, email=about.email_masked), ask(ctx, "email", other=other)))
    return Screen(token="", step="new_email", text=text, actions=(button(ctx, "back"),), hint="email")


def typed(ctx: Context, event: TextSent) -> Outcome:
    parsed = BY_ID["email"].parse(event.text, local_date(ctx.now))
    if isinstance(parsed, Rejected) and looks_like_password(event.text):
        return hidden(ctx, event)
    match parsed:
        case Accepted(value):
            return change(ctx, value, event.message)
        case Doubtful(value, doubts, suggestion):
            doubt = OpenDoubt("email", value, doubts, suggestion, event.message)
            return Outcome(replace(ctx.session, email_change=replace(changing(ctx), doubt=doubt)))
        case Rejected(code):
            tries = changing(ctx).tries + 1
            session = replace(ctx.session, email_change=replace(changing(ctx), tries=tries))
            return Outcome(session, refusal(ctx, "email", parsed, tries), (Record("new_email", "rejected", code),))


def change(ctx: Context, email: str, message: str) -> Outcome:
    """Ask the backend; the chat goes back to the registration and hears the result there. The message with the address goes."""
    about = registration(ctx)
    asked = replace(about, requests=about.requests + 1, asked=ctx.now)
    effect = ChangeEmail(request=f"{about.handoff}-e{asked.requests}", registration=about.id, email=email)
    session = updated(replace(ctx.session, email_change=None), asked)
    gone = (DeleteUserMessages((message,), screens=ctx.session.draft is None),) if message else ()
    return Outcome(
        session,
        ctx.text("flow.changing_email", name=about.name, email=BY_ID["email"].mask(email)),
        (*gone, effect, Record("new_email", "answered")),
    )


def email_doubt_screen(ctx: Context) -> Screen:
    doubt = open_doubt(ctx)
    name = ctx.text("flow.whose", name=registration(ctx).name)
    value = shown("email", doubt.value)
    question = (
        ctx.text("flow.confirm_value", label=label(ctx, "email"), value=value)
        if doubt.doubts
        else ctx.text("flow.use_as_new_email", value=value)
    )
    text = "\n\n".join(filter(None, (name, doubt_lines(ctx, doubt), question)))
    return Screen(token="", step="email_doubt", text=text, actions=doubt_actions(ctx, doubt), hint="email", sensitive=True)


def email_doubt_answered(ctx: Context) -> Screen:
    """The doubtful address, masked."""
    return Screen(token="", step="email_doubt", text=f"E-mail: {BY_ID['email'].mask(open_doubt(ctx).value)}")


def open_doubt(ctx: Context) -> OpenDoubt:
    doubt = changing(ctx).doubt
    assert doubt is not None
    return doubt


def back(ctx: Context, _: str) -> Outcome:
    return Outcome(replace(ctx.session, email_change=None), ctx.text("flow.email_unchanged", name=registration(ctx).name))


def retype(ctx: Context, _: str) -> Outcome:
    return Outcome(replace(ctx.session, email_change=replace(changing(ctx), doubt=None)))


def email_help(ctx: Context) -> str:
    return ctx.text("email.help")


NEW_EMAIL = Step("new_email", new_email_screen, {"back": back, "cancel": back}, typed, email_help)
EMAIL_DOUBT = Step(
    "email_doubt",
    email_doubt_screen,
    {
        "confirm": lambda ctx, _: change(ctx, open_doubt(ctx).value, open_doubt(ctx).message),
        "as_typed": lambda ctx, _: change(ctx, open_doubt(ctx).value, open_doubt(ctx).message),
        "suggested": lambda ctx, _: change(ctx, open_doubt(ctx).suggestion or open_doubt(ctx).value, open_doubt(ctx).message),
        "retype": retype,
        "back": retype,
        "cancel": back,
        "unclear": unclear,
    },
    lambda ctx, event: typed(replace(ctx, session=retype(ctx, "").session), event),
    email_help,
    email_doubt_answered,
    means=lambda ctx, text: meant(open_doubt(ctx), text),
)
