"""The first step: who we are, what happens to the data, and **Setuju** (UU PDP art. 20-24: explicit, separate, recorded)."""

from __future__ import annotations

from dialogs.effects import Record
from dialogs.frozen import replace
from dialogs.screens import Screen
from dialogs.session import Consent
from dialogs.steps._step import Context, Outcome, Step, button


def screen(ctx: Context) -> Screen:
    parts = [ctx.text("flow.greeting", operator=ctx.profile.operator)]
    if ctx.profile.demo:
        parts.append(ctx.text("flow.demo"))
    parts.append(ctx.text("flow.consent", operator=ctx.profile.operator))
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


def agree(ctx: Context, _: str) -> Outcome:
    consent = Consent(ctx.profile.notice_version, ctx.now)
    session = replace(ctx.session, draft=replace(ctx.draft, consent=consent))
    return Outcome(session, effects=(Record("consent", "answered"),))


STEP = Step("consent", screen, {"agree": agree})
