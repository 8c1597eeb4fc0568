"""Where a conversation stands: computed from what has been answered, never stored, so that no deploy can strand anybody.

Lives here: the order of the questions, the first unmet one, and what follows from a changed answer. Must not live here: what a step shows
or does (`dialogs/steps/`).
"""

from __future__ import annotations

import hashlib

from dialogs.fields import FIELDS
from dialogs.frozen import replace
from dialogs.kinds import BY_ID as KINDS
from dialogs.session import Answer, Desk, Draft, OpenDoubt, Registration, Session

_FIELD_IDS = tuple(field.id for field in FIELDS)


def first_unmet(draft: Draft) -> str | None:
    """The id of the first question without an answer: consent, proof, kind, brought, a field's id; None when the form is complete."""
    if draft.consent is None:
        return "consent"
    if draft.unproven:
        return "proof"
    if draft.kind not in KINDS:
        return "kind"
    if draft.brought and any(field not in draft.answers for field in _FIELD_IDS):
        # What is complete is looked through at the summary.
        return "brought"
    for field in _FIELD_IDS:
        if field not in draft.answers:
            return field
    return None


def open_question(draft: Draft) -> str | None:
    """The question that the person is being asked now: the one they went back to, else the first unmet."""
    return draft.editing or first_unmet(draft)


def name_in(draft: Draft) -> str:
    """Whose form this is, as far as it may be told; "" while nobody has shown that it is theirs."""
    name = draft.answers.get("full_name")
    return name.value if name is not None and not draft.unproven else ""


def focused(session: Session) -> Registration | None:
    """The handed-off registration that the buttons act on: the chosen one, else the newest."""
    chosen = session.registration(session.focus)
    return chosen or (session.registrations[-1] if session.registrations else None)


def step_id(session: Session) -> str:
    """The id of the current step; a key of `dialogs.machine.STEPS`."""
    if session.desk is not None:
        return desk_step(session.desk)
    if session.overlay:
        return session.overlay
    if session.email_change is not None:
        return "email_doubt" if session.email_change.doubt else "new_email"
    if session.aside == "status" and session.registrations:
        return "status"
    if (draft := session.draft) is not None and not (session.aside and session.registrations):
        if draft.sending:
            return "sending"
        if draft.doubt is not None:
            return "doubt"
        return open_question(draft) or "summary"
    registration = focused(session)
    return "idle" if registration is None else state_of(registration)


def desk_step(desk: Desk) -> str:
    """The step that stands over all others while the helpdesk is there."""
    if desk.owner == "human":
        return "human" if desk.correction is None else "correction"
    return "queued" if desk.owner == "queued" else "rating"


def held(session: Session) -> bool:
    """Whether the helpdesk has the conversation, in its queue or with an agent; the bot is silent then."""
    return session.desk is not None and session.desk.owner != "closed"


def state_of(registration: Registration) -> str:
    """How a registration stands: the backend's word, and what has been asked of it since; also the id of its step."""
    if registration.erasing:
        return "erasing"
    # Whatever was wrong with the last mail, another one is on its way.
    return "pending" if registration.asked and registration.status in ("mail_failed", "expired") else registration.status


def token(session: Session) -> str:
    """The current screen's token: 8 letters and digits that differ for every screen of every session."""
    return hashlib.blake2b(f"{session.id}:{session.serial}".encode(), digest_size=4).hexdigest()


def with_answer(draft: Draft, field: str, answer: Answer) -> Draft:
    """The draft with this answer in, and with every other open question as it was.

    A change after the hand-off was sent ends that hand-off: the next summary bears a new one.
    """
    changed = field in draft.answers and draft.answers[field].value != answer.value
    kept = "" if changed and draft.attempted else draft.handoff
    if draft.doubt is not None or draft.more:
        draft = without_doubt(draft, field)
    return replace(
        draft,
        answers={**draft.answers, field: answer},
        editing="" if draft.editing == field else draft.editing,
        tries=0,
        handoff=kept,
        attempted=draft.attempted and bool(kept),
    )


def with_doubts(draft: Draft, doubts: tuple[OpenDoubt, ...]) -> Draft:
    """The draft with these answers to be asked about, the first now; a newer doubt takes the place of one about the same field."""
    fields = {doubt.field for doubt in doubts}
    return _asking(draft, (*doubts, *(each for each in _doubts(draft) if each.field not in fields)))


def without_doubt(draft: Draft, field: str) -> Draft:
    """The draft without an open doubt about this field; the next that waits is asked now."""
    return _asking(draft, tuple(each for each in _doubts(draft) if each.field != field))


def with_question(draft: Draft, field: str) -> Draft:
    """The draft with this question open again; what was to be asked about waits behind it."""
    return replace(draft, editing=field, doubt=None, more=_doubts(draft), tries=0)


def resumed(draft: Draft) -> Draft:
    """The draft with no question gone back to; what waited is asked about now."""
    return replace(_asking(draft, _doubts(draft)), editing="", tries=0)


def _doubts(draft: Draft) -> tuple[OpenDoubt, ...]:
    return (*((draft.doubt,) if draft.doubt is not None else ()), *draft.more)


def _asking(draft: Draft, doubts: tuple[OpenDoubt, ...]) -> Draft:
    return replace(draft, doubt=doubts[0] if doubts else None, more=doubts[1:])


def with_handoff(session: Session) -> Session:
    """A complete draft has a hand-off id from its first summary on; unique, because the session's id is and its count never goes back."""
    draft = session.draft
    if draft is None or draft.handoff or first_unmet(draft) is not None:
        return session
    count = session.handoffs + 1
    return replace(session, handoffs=count, draft=replace(draft, handoff=f"{session.id}-{count}"))


def updated(session: Session, registration: Registration) -> Session:
    """The session with this registration in the place of the one with the same id."""
    return replace(
        session, registrations=tuple(registration if each.id == registration.id else each for each in session.registrations)
    )
