"""The first step: who we are, what happens to the data, and **Setuju** (UU PDP art. 20-24: explicit, separate, recorded)."""

from __future__ import annotations

from dialogs.clock import local_date
from dialogs.effects import Record
from dialogs.events import TextSent
from dialogs.fields.several import read
from dialogs.frozen import replace
from dialogs.phrases import AGREE, NO, YES, plain
from dialogs.screens import Screen
from dialogs.secret import looks_like_password
from dialogs.session import Consent, Draft, Session
from dialogs.steps import privacy
from dialogs.steps._step import Context, Outcome, Step, button, button_wanted, contacts, remembering, whose
from dialogs.steps.repairs import hidden


def screen(ctx: Context) -> Screen:
    other = bool(ctx.session.registrations)
    parts = [ctx.text("flow.consent_ask_other" if other else "flow.consent_ask", operator=ctx.profile.operator)]
    # Whoever typed something else here has been greeted and told.
    if not ctx.draft.tries:
        told = [whose(ctx) or ctx.text("flow.greeting", operator=ctx.profile.operator)]
        if ctx.profile.demo:
            told.append(ctx.text("flow.demo"))
        if other:
            told.append(ctx.text("flow.consent_for_other"))
        parts = [*told, ctx.text("flow.consent"), *parts]
    return Screen(
        token="",
        step="consent",
        text="\n\n".join(parts),
        actions=(
            button(ctx, "agree", "primary"),
            button(ctx, "privacy", url=ctx.profile.privacy_url),
            button(ctx, "language"),
            button(ctx, "cancel"),
        ),
    )


def tried(ctx: Context) -> Session:
    """What was answered with a sentence needs only the question again, not the whole notice."""
    return replace(ctx.session, draft=replace(ctx.draft, tries=ctx.draft.tries + 1))


def agree(ctx: Context, _: str) -> Outcome:
    consent = Consent(ctx.profile.notice_version, ctx.now)
    session = replace(ctx.session, draft=replace(ctx.draft, consent=consent, tries=0))
    return Outcome(session, effects=(Record("consent", "answered"),))


def decline(ctx: Context, _: str) -> Outcome:
    """Nothing of the person's is kept; there can be something where the form was brought here."""
    session = tried(ctx)
    if (draft := session.draft) is not None and draft.brought:
        session = replace(session, draft=Draft(tries=draft.tries, typed=draft.typed))
    notice = ctx.text("flow.declined", contacts=contacts(ctx))
    return Outcome(session, notice, (Record("consent", "rejected", "declined"),))


def means(_: Context, text: str) -> str:
    """Only a plain "saya setuju" agrees."""
    said = plain(text)
    return "agree" if said in AGREE else "decline" if said in NO else ""


def typed(ctx: Context, event: TextSent) -> Outcome:
    """What was typed before the consent is not kept, and that is said (UU PDP art. 20)."""
    if looks_like_password(event.text):
        return hidden(ctx, event)
    if plain(event.text) in YES:
        return willing(ctx, "")
    ctx = remembering(ctx, event.message)
    if read(event.text, local_date(ctx.now)):
        return Outcome(tried(ctx), ctx.text("flow.before_consent"), (Record("consent", "rejected", "too_early"),))
    return button_wanted(ctx, screen(ctx))


def willing(ctx: Context, _: str) -> Outcome:
    """Yes, or the wish to register: how to agree."""
    return Outcome(tried(ctx), ctx.text("flow.press_agree"))


def why(ctx: Context, argument: str) -> Outcome:
    """What the data is for; the whole notice does not come after it once more."""
    return replace(privacy.privacy(ctx, argument), session=tried(ctx))


STEP = Step("consent", screen, {"agree": agree, "decline": decline, "register": willing, "privacy": why}, typed, means=means)
