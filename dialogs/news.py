"""What the backend says, and what the chat says of it: the hand-off's answer, the mail, the activation.

Lives here: events that no person caused. News about the screen in front of the person redraws it; news about another registration is
said beside the open question, which stands. Each piece of news is told once, however often it comes.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from dialogs.clock import waiting
from dialogs.effects import CancelTimer, DeleteUserMessages, Effect, News, Record, Say
from dialogs.events import ActivationChanged, BackendAccepted, BackendDone, BackendRejected, BackendUnavailable
from dialogs.frozen import replace
from dialogs.registration import focused, state_of, step_id, updated
from dialogs.reminders import TIMER
from dialogs.session import Draft, EarlyNews, Registration, RegistrationStatus, Session
from dialogs.steps._step import Context, Outcome, contacts, what_next
from dialogs.steps.overlays import dropped
from dialogs.steps.privacy import stays, talk_stays, withdrawal, without
from dialogs.steps.summary import retold
from dialogs.steps.waiting import thanks


def unchanged(session: Session) -> Outcome:
    return Outcome(session, show=False)


def said(session: Session, words: str, news: News | None = None) -> Outcome:
    """Tell it beside the open question."""
    return Outcome(session, effects=(Say(words, news),), show=False)


def in_front(session: Session, registration: str) -> bool:
    """Whether this registration is what the person is looking at."""
    about = focused(session)
    return about is not None and about.id == registration and step_id(session) == state_of(about)


def accepted(ctx: Context, event: BackendAccepted) -> Outcome:
    """The hand-off arrived: the form becomes a registration, and what was typed disappears from the chat where it can."""
    session, draft = ctx.session, ctx.session.draft
    if draft is None or draft.handoff != event.handoff or session.registration(event.registration):
        return unchanged(session)
    tidy: list[Effect] = [DeleteUserMessages(draft.typed)] if draft.typed else []
    taken = Registration(
        event.registration,
        event.handoff,
        draft.answers["full_name"].value,
        event.email_masked,
        asked=ctx.now,
        summary=draft.summary_message,
    )
    if draft.erase:
        taken, request = withdrawal(taken)
        tidy.append(request)
    after = replace(
        session,
        draft=None,
        overlay="",
        aside="",
        registrations=(*session.registrations, taken),
        focus=taken.id,
        early=(),
        zone=ctx.zone,
    )
    for each in session.early:
        if each.registration == taken.id:
            after = changed(replace(ctx, session=after), ActivationChanged(each.registration, each.status, each.at)).session
    stands = state_of(after.registration(taken.id) or taken)
    effects = (*tidy, *retold(ctx, stands), Record("summary", "accepted"))
    if draft.erase:
        return Outcome(after, effects=effects)
    if after.email_change is not None:
        # The person is typing another address for somebody else; that question stands.
        return Outcome(after, effects=(*effects, Say(thanks(ctx, taken))), show=False)
    return Outcome(after, effects=effects, news=thanks(ctx, taken))


def rejected(ctx: Context, event: BackendRejected) -> Outcome:
    session, draft = ctx.session, ctx.session.draft
    wait = waiting_words(ctx, event.retry_after)
    if draft is not None and draft.handoff == event.request and draft.sending:
        notice = ctx.text(f"flow.rejected.{event.code}", name=name_of(draft), wait=wait, contacts=contacts(ctx))
        record = Record("summary", "rejected", event.code)
        if draft.erase:
            return never_sent(ctx, record)
        return Outcome(replace(session, draft=replace(draft, sending=False)), notice, (*retold(ctx, "not_sent"), record))
    about = asked_by(session, event.request)
    if about is None:
        return unchanged(session)
    if about.erasing == event.request:
        return not_erased(ctx, about, active=event.code == "closed")
    # No mail comes of it: what was so before is so again.
    return said(
        updated(session, replace(about, asked=None)),
        ctx.text(f"flow.request_rejected.{event.code}", name=about.name, wait=wait, contacts=contacts(ctx)),
    )


def name_of(draft: Draft) -> str:
    """Whose form was handed off; a form is complete by then."""
    return draft.answers["full_name"].value


def waiting_words(ctx: Context, seconds: int) -> str:
    return waiting(ctx.session.language, timedelta(seconds=seconds))


def unavailable(ctx: Context, event: BackendUnavailable) -> Outcome:
    """Told once while delivery goes on trying; when it gives up, the summary stands again with everything in it."""
    session, draft = ctx.session, ctx.session.draft
    if draft is not None and draft.handoff == event.request and draft.sending:
        if not event.final:
            return said(session, ctx.text("flow.unavailable", name=name_of(draft)))
        notice = ctx.text(
            "flow.unavailable_final", name=name_of(draft), next=what_next(ctx, "unavailable"), contacts=contacts(ctx)
        )
        record = Record("summary", "rejected", "unavailable")
        if draft.erase:
            return never_sent(ctx, record)
        return Outcome(replace(session, draft=replace(draft, sending=False)), notice, (*retold(ctx, "not_sent"), record))
    about = asked_by(session, event.request)
    if about is None or not event.final:
        return unchanged(session)
    if about.erasing == event.request:
        return not_erased(ctx, about, active=False)
    return said(
        updated(session, replace(about, asked=None)),
        ctx.text("flow.request_unavailable", name=about.name, contacts=contacts(ctx)),
    )


def never_sent(ctx: Context, record: Record) -> Outcome:
    """The hand-off failed whose person has asked meanwhile to be forgotten."""
    session = replace(ctx.session, draft=None, overlay="")
    return Outcome(
        session,
        ctx.text("privacy.draft_erased"),
        (record, CancelTimer(TIMER), *dropped(ctx, "erased"), *retold(ctx, "not_sent")),
    )


def not_erased(ctx: Context, about: Registration, *, active: bool) -> Outcome:
    """The withdrawal failed: for good where the account is active by now; else it can be asked for again."""
    still = replace(about, erasing="", status="active" if active else about.status)
    words = stays(ctx, [about.name]) if active else ctx.text("privacy.not_erased", name=about.name, contacts=contacts(ctx))
    if in_front(ctx.session, about.id):
        return Outcome(updated(ctx.session, still), words)
    return said(updated(ctx.session, still), words)


def asked_by(session: Session, request: str) -> Registration | None:
    """The registration that a resend or a change of e-mail was asked for; its request ids begin with its hand-off id."""
    return next((each for each in session.registrations if request.startswith(f"{each.handoff}-")), None)


def done(ctx: Context, event: BackendDone) -> Outcome:
    """A resend or a change of e-mail was taken; the link itself is on its way, and `mailed` will tell when."""
    about = asked_by(ctx.session, event.request)
    if about is None:
        return unchanged(ctx.session)
    if about.erasing == event.request:
        words = "\n\n".join((ctx.text("privacy.erased", name=about.name), ctx.text("privacy.what_stays"), *talk_stays(ctx)))
        gone = without(ctx.session, about.id)
        return Outcome(gone, words) if in_front(ctx.session, about.id) else said(gone, words)
    email = event.email_masked or about.email_masked
    after = replace(
        about, email_masked=email, status="pending", mailed_at=None if email != about.email_masked else about.mailed_at
    )
    return unchanged(updated(ctx.session, after))


STATUS: Final[dict[str, RegistrationStatus]] = {
    "mail_failed": "mail_failed",
    "active": "active",
    "expired": "expired",
    "withdrawn": "withdrawn",
}
# An active or withdrawn registration stays so, whatever older news comes in late.
FINAL: Final = ("active", "withdrawn")
# More news than this about a registration whose id is not known yet cannot be; the bound keeps a session small.
EARLY_KEPT: Final = 4


def changed(ctx: Context, event: ActivationChanged) -> Outcome:
    about = ctx.session.registration(event.registration)
    if about is None and ctx.session.draft is not None and ctx.session.draft.sending:
        early = EarlyNews(event.registration, event.status, event.at)
        return unchanged(replace(ctx.session, early=(*ctx.session.early, early)[-EARLY_KEPT:]))
    if about is None or about.status in FINAL or about.erasing:
        return unchanged(ctx.session)
    if event.status == "mailed":
        return mailed(ctx, about, event)
    status = STATUS[event.status]
    if about.status == status:
        return unchanged(ctx.session)
    session = updated(ctx.session, replace(about, status=status, asked=None))
    record = Record(status, "activated" if status == "active" else "news")
    news = News(about.id, event.status)
    if in_front(session, about.id):
        return Outcome(session, effects=(record,), about=news)
    to_do = {"next": what_next(ctx, status)} if status in ("mail_failed", "expired") else {}
    words = ctx.text(f"flow.news.{status}", name=about.name, email=about.email_masked, **to_do)
    return Outcome(session, effects=(Say(words, news), record), show=False)


def mailed(ctx: Context, about: Registration, event: ActivationChanged) -> Outcome:
    """The first mail was announced by the thank-you already; every later one is told when it has gone out."""
    if about.mailed_at is not None and event.at <= about.mailed_at:
        return unchanged(ctx.session)
    session = updated(ctx.session, replace(about, status="pending", mailed_at=event.at, asked=None))
    if about.requests == 0:
        return unchanged(session)
    return said(session, ctx.text("flow.news.mailed", name=about.name, email=about.email_masked), News(about.id, "mailed"))
