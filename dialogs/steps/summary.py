"""The summary, "Informasi Anda" (guide steps 5-6): everything to proof-read, **Aktivasi** to hand off, **Kembali** to change one answer.

Lives here: the summary, its "Ubah ..." menu, the hand-off and the wait for the backend's word. Must not live here: what comes after
(`dialogs/steps/waiting.py`).
"""

from __future__ import annotations

from dialogs.clock import local_date, long_date
from dialogs.effects import Effect, Record, Redraw, SubmitRegistration
from dialogs.events import TextSent
from dialogs.fields import BY_ID, FIELDS
from dialogs.fields.nik import reading
from dialogs.frozen import replace
from dialogs.phrases import NO, SEND, YES, correction, field_alone, plain
from dialogs.screens import Action, Screen
from dialogs.secret import looks_like_password
from dialogs.steps._step import Context, Outcome, Step, button, label, remembering
from dialogs.steps.repairs import hidden, other_meaning


def nik_reading(ctx: Context, nik: str) -> str:
    """What the number says of its owner, as far as it can be read: birth date, sex, region."""
    read = reading(nik, local_date(ctx.now))
    parts = [
        long_date(ctx.session.language, read.birth) if read.birth else "",
        ctx.text(f"flow.sex.{read.sex}") if read.sex else "",
        read.regency or read.province or "",
    ]
    told = ", ".join(filter(None, parts))
    return ctx.text("flow.nik_says", reading=told) if told else ""


def lines(ctx: Context, *, masked: bool) -> str:
    """Every answer under its name."""
    rows = []
    for field in FIELDS:
        value = ctx.draft.answers[field.id].value
        rows.append(f"{label(ctx, field.id)}\n{field.mask(value) if masked else field.show(value)}")
        if field.id == "nik" and not masked and (read := nik_reading(ctx, value)):
            rows[-1] += f"\n{read}"
    return "\n\n".join(rows)


def screen(ctx: Context) -> Screen:
    text = "\n\n".join(
        (
            ctx.text("flow.summary", kind=ctx.text(f"kinds.{ctx.draft.kind}")),
            lines(ctx, masked=False),
            ctx.text("flow.summary_ask"),
        )
    )
    actions = (button(ctx, "activate", "success"), button(ctx, "back"), button(ctx, "cancel"))
    return Screen(token="", step="summary", text=text, actions=actions, sensitive=True)


def retold(ctx: Context, state: str) -> tuple[Effect, ...]:
    """The summary itself tells how its hand-off stands, masked: nothing in the chat that a stranger could use, and no button of before.

    `state` is a text of `flow.status`. Nothing where the message of the summary is not known.
    """
    if not ctx.draft.summary_message:
        return ()
    text = "\n\n".join(
        (
            ctx.text("flow.summary", kind=ctx.text(f"kinds.{ctx.draft.kind}")),
            lines(ctx, masked=True),
            ctx.text("flow.summary_state", state=ctx.text(f"flow.status.{state}")),
        )
    )
    return (Redraw(ctx.draft.summary_message, Screen(token="", step="summary", text=text)),)


def activate(ctx: Context, _: str) -> Outcome:
    """Hand off. The id was born with the summary, so however often this is sent, it is one registration.

    When the privacy notice has changed since it was agreed to, it is asked anew first (UU PDP art. 21 (2)); the answers stay.
    """
    draft = ctx.draft
    assert draft.consent is not None
    if draft.consent.notice != ctx.profile.notice_version:
        asked = replace(ctx.session, draft=replace(draft, consent=None, tries=0))
        return Outcome(asked, ctx.text("privacy.renewed"), (Record("summary", "rejected", "notice_changed"),))
    submission = SubmitRegistration(
        handoff=draft.handoff,
        kind=draft.kind,
        **{field.id: draft.answers[field.id].value for field in FIELDS},
        language=ctx.session.language,
        channel=ctx.session.channel,
        notice_version=draft.consent.notice,
        consented_at=draft.consent.at,
    )
    sending = replace(draft, sending=True, attempted=True, summary_message=ctx.message)
    after = replace(ctx.session, draft=sending)
    told = retold(replace(ctx, session=after), "handed_off")
    return Outcome(after, effects=(submission, *told, Record("summary", "handed_off")))


def means(_: Context, text: str) -> str:
    """Such as "email salah", "nik": to that field; "salah" alone: to the menu. "Ya" is not taken for Aktivasi, which sends everything."""
    if named := field_alone(text) or correction(text):
        return f"edit.{named}"
    return "back" if correction(text) is not None or plain(text) in NO else ""


def typed(ctx: Context, event: TextSent) -> Outcome:
    """The right value itself is offered in the place of the wrong one."""
    ctx = remembering(ctx, event.message)
    if plain(event.text) in YES | SEND:
        return press_activate(ctx)
    return other_meaning(ctx, event, "summary") or Outcome(ctx.session, ctx.text("flow.summary_unclear"))


def press_activate(ctx: Context, _: str = "") -> Outcome:
    """However it is said: only Aktivasi itself sends."""
    return Outcome(ctx.session, ctx.text("flow.press_activate"))


def open_menu(ctx: Context, _: str) -> Outcome:
    return Outcome(replace(ctx.session, overlay="change"))


def edit(ctx: Context, argument: str) -> Outcome:
    if argument not in BY_ID:
        return Outcome(ctx.session, ctx.text("flow.press_a_button"))
    draft = replace(ctx.draft, editing=argument, tries=0)
    return Outcome(replace(ctx.session, overlay="", draft=draft))


STEP = Step(
    "summary", screen, {"activate": activate, "back": open_menu, "edit": edit, "go_on": press_activate}, typed, means=means
)


# --- "Ubah ...", one button a field


def menu_screen(ctx: Context) -> Screen:
    changes = tuple(Action(f"edit.{field.id}", ctx.text("button.edit", label=label(ctx, field.id))) for field in FIELDS)
    return Screen(token="", step="change", text=ctx.text("flow.change"), actions=(*changes, button(ctx, "back", "primary")))


def close_menu(ctx: Context, _: str) -> Outcome:
    return Outcome(replace(ctx.session, overlay=""))


MENU = Step("change", menu_screen, {"edit": edit, "back": close_menu}, means=means)


# --- handed off, and the backend's word is not in yet


def sending_screen(ctx: Context) -> Screen:
    return Screen(token="", step="sending", text=ctx.text("flow.sending", name=ctx.draft.answers["full_name"].value))


def wait(ctx: Context, _: str = "") -> Outcome:
    return Outcome(ctx.session)


def typed_meanwhile(ctx: Context, event: TextSent) -> Outcome:
    return hidden(ctx, event) if looks_like_password(event.text) else wait(ctx)


SENDING = Step("sending", sending_screen, {"back": wait, "cancel": wait}, typed_meanwhile)
