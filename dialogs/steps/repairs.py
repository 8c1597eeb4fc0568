"""What a text may be that is no answer to the open question: the right answer in the wrong place, several answers at once, a wish to
correct another one, a password.

Lives here: recognising and offering, at any step with an open form. Must not live here: what each field accepts (`dialogs/fields/`) or the
questions themselves (`dialogs/steps/question.py`). Nothing here is looked at before the open question has refused the text, so that a plain
answer costs nothing more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dialogs.clock import local_date
from dialogs.effects import DeleteUserMessages, Effect, Record
from dialogs.events import TextSent
from dialogs.fields import BY_ID
from dialogs.fields._field import Accepted, Doubtful, Rejected
from dialogs.fields.several import Found, is_bare_name, read
from dialogs.frozen import replace
from dialogs.phrases import YES, correction, has_none, plain
from dialogs.registration import open_question, with_answer, with_doubts, with_question
from dialogs.secret import looks_like_password
from dialogs.session import Answer, OpenDoubt
from dialogs.steps._step import Context, Outcome, contacts, label, refusal

# A text that is longer than this may hold more than the one answer that its field took out of it.
MOST_OF_ONE_ANSWER: Final = 40


def other_meaning(ctx: Context, event: TextSent, asked: str = "") -> Outcome | None:
    """What else this text means, where the field `asked` (or the step without one) has refused it. None where it means nothing else."""
    if looks_like_password(event.text):
        return hidden(ctx, event)
    if (wish := correction(event.text)) is not None:
        return corrected(ctx, wish)
    if asked in BY_ID and has_none(event.text):
        return Outcome(ctx.session, f"{ctx.text(f'{asked}.none')}\n\n{contacts(ctx)}", (Record(asked, "rejected", "has_none"),))
    found = read(event.text, local_date(ctx.now))
    if len(found) > 1:
        return filled(ctx, event, found)
    if found and (outcome := offered(ctx, event, found[0], asked)) is not None:
        return outcome
    return name_again(ctx, event, asked) if asked in ("nik", "summary") else None


def unexpected(ctx: Context, event: TextSent) -> Outcome:
    """A text where only a button answers."""
    if looks_like_password(event.text):
        return hidden(ctx, event)
    return Outcome(ctx.session, ctx.text("flow.fine" if plain(event.text) in YES else "flow.press_a_button"))


def reread(ctx: Context, event: TextSent) -> Outcome | None:
    """A message with several answers was edited: what it says now, as if every value had its label."""
    found = tuple(Found(each.field, each.parsed, labelled=True) for each in read(event.text, local_date(ctx.now)))
    return filled(ctx, event, found) if found else None


def several(ctx: Context, event: TextSent) -> Outcome | None:
    """What a text that its field has taken holds besides; None where that was all."""
    found = read(event.text, local_date(ctx.now))
    return filled(ctx, event, found) if len(found) > 1 else None


def hidden(ctx: Context, event: TextSent) -> Outcome:
    """A password: away with it, and say where it belongs. It stands in no effect, and the session is what it was."""
    gone: tuple[Effect, ...] = (DeleteUserMessages((event.message,), screens=False),) if event.message else ()
    where = "after" if ctx.session.registrations else "before"
    return Outcome(ctx.session, ctx.text(f"flow.password.{where}"), (*gone, Record("password", "rejected", "typed")))


# --- "email salah"


def corrected(ctx: Context, field_id: str) -> Outcome | None:
    """To the field that was named, if it has an answer; where none was named, to the one before the open question."""
    draft = ctx.draft
    if not field_id:
        before = [each for each in BY_ID if each in draft.answers and each != open_question(draft)]
        if not before:
            return None
        field_id = before[-1]
    if field_id not in draft.answers:
        return None
    return Outcome(
        replace(ctx.session, draft=with_question(draft, field_id), overlay=""), effects=(Record(field_id, "corrected"),)
    )


# --- one answer that belongs elsewhere


def offered(ctx: Context, event: TextSent, found: Found, asked: str) -> Outcome | None:
    """One answer: to another question, or to the open one with words around it. It is asked about, and the try does not count."""
    name, draft = label(ctx, found.field), ctx.draft
    if isinstance(found.parsed, Rejected):
        if found.field == asked or not found.labelled:
            return None
        notice = ctx.text("flow.not_noted", label=name, reason=refusal(ctx, found.field, found.parsed, 0))
        return Outcome(ctx.session, notice, (Record(found.field, "rejected", found.parsed.code),))
    if (old := draft.answers.get(found.field)) and old.value == found.parsed.value:
        return Outcome(ctx.session, ctx.text("flow.known_already", label=name))
    session = replace(ctx.session, overlay="", draft=with_doubts(draft, (open_doubt(found.field, found.parsed, event),)))
    return Outcome(session, effects=(Record(found.field, "misplaced"),))


def open_doubt(field_id: str, parsed: Accepted | Doubtful, event: TextSent) -> OpenDoubt:
    if isinstance(parsed, Accepted):
        return OpenDoubt(field_id, parsed.value, (), "", event.message)
    return OpenDoubt(field_id, parsed.value, parsed.doubts, parsed.suggestion, event.message)


def name_again(ctx: Context, event: TextSent, asked: str) -> Outcome | None:
    """A name sent in two bubbles: the second half arrives when the NIK is being asked already, and is no failed NIK. At the summary a name
    that shares a word with the one that is there means to be in its place.
    """
    draft = ctx.draft
    name = draft.answers.get("full_name")
    if name is None or draft.tries or not is_bare_name(event.text, local_date(ctx.now)):
        return None
    part = " ".join(event.text.split())
    said, known = set(part.casefold().split()), set(name.value.casefold().split())
    shared = not said.isdisjoint(known)
    if said <= known:
        return Outcome(ctx.session, ctx.text("flow.known_already", label=label(ctx, "full_name")))
    if asked == "summary" and not shared:
        return None
    joined = "" if shared else f"{name.value} {part}"
    doubt = OpenDoubt("full_name", part, (), joined, event.message)
    return Outcome(replace(ctx.session, draft=with_doubts(draft, (doubt,))), effects=(Record("full_name", "misplaced"),))


# --- several answers


def filled(ctx: Context, event: TextSent, found: Iterable[Found]) -> Outcome:
    """Keep what is good, ask about what is doubtful one by one, tell what is refused line by line, go on with what is missing.

    Without a label a value does not take the place of an earlier answer by itself: that is asked too.
    """
    draft, noted, changed = ctx.draft, list[str](), list[str]()
    refused, records, doubts = list[str](), list[Effect](), list[OpenDoubt]()
    for each in found:
        name = label(ctx, each.field)
        old = draft.answers.get(each.field)
        match each.parsed:
            case Accepted(value) | Doubtful(value) if old and (old.value == value or is_part(each, value, old)):
                pass
            case Accepted(value) if old is None or each.labelled:
                (noted if old is None else changed).append(name)
                records.append(Record(each.field, "answered" if old is None else "edited"))
                draft = with_answer(draft, each.field, Answer(value, event.message))
            case Accepted() | Doubtful() as parsed:
                doubts.append(open_doubt(each.field, parsed, event))
            case Rejected(code) as parsed:
                refused.append(ctx.text("flow.not_noted", label=name, reason=refusal(ctx, each.field, parsed, 0)))
                records.append(Record(each.field, "rejected", code))
    told = [
        ctx.text("flow.answered", label=listed(ctx, noted)) if noted else "",
        ctx.text("flow.edited", label=listed(ctx, changed)) if changed else "",
        *refused,
    ]
    if not any(told) and not doubts:
        told = [ctx.text("flow.known_already", label=listed(ctx, [label(ctx, each.field) for each in found]))]
    session = replace(ctx.session, overlay="", draft=with_doubts(draft, tuple(doubts)))
    return Outcome(session, "\n\n".join(filter(None, told)), tuple(records))


def is_part(found: Found, value: str, old: Answer) -> bool:
    """Whether an unlabelled name says less than the one that is there."""
    return (
        found.field == "full_name" and not found.labelled and set(value.casefold().split()) <= set(old.value.casefold().split())
    )


def listed(ctx: Context, names: list[str]) -> str:
    """Nama Lengkap dan NIK; Nama Lengkap, NIK, dan E-mail."""
    *others, last = names
    comma = "," if len(others) > 1 else ""
    return f"{', '.join(others)}{comma} {ctx.text('flow.and')} {last}" if others else last
