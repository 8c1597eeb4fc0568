"""What every step of the dialog is made of: a screen, the presses it knows, and what a typed answer does.

Lives here: the shapes, and the small helpers that all steps share. Must not live here: any step's own rules (one file each beside this
one) or the choice of the step (`dialogs/registration.py`). The table of all steps is in `dialogs/machine.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Final

from dialogs import regions
from dialogs.clock import Zone, grouped, long_date
from dialogs.effects import Effect, News
from dialogs.events import TextSent
from dialogs.fields import BY_ID as FIELDS
from dialogs.fields._field import Facts, Rejected
from dialogs.frozen import Frozen, field, replace
from dialogs.profile import Profile
from dialogs.registration import held, name_in
from dialogs.screens import Action, Moment, Screen, Style
from dialogs.session import Draft, Session
from dialogs.texts import CATALOGUES, Language, text

# After this many refused answers in a row the example is shown, and after this many the helpdesk is offered too.
TRIES_BEFORE_EXAMPLE = 2
TRIES_BEFORE_HELPDESK = 4
# Telegram deletes at most 100 messages in one call.
MESSAGES_REMEMBERED = 100
# The facts that are quantities; other digits are quoted as they were typed.
_COUNTS: Final = frozenset(("count", "extra", "missing"))


class Context(Frozen, frozen=True):
    """What a step may look at. `message` is the channel's id of our message whose button was pressed, "" where none was."""

    session: Session
    now: datetime
    profile: Profile
    message: str = ""

    def text(self, id_: str, /, **facts: str | int) -> str:
        return text(self.session.language, id_, **facts)

    @property
    def zone(self) -> Zone:
        """The person's zone as far as it can be known: what a registration told, else where the NIK was given out, else WIB."""
        if self.session.zone:
            return self.session.zone
        nik = self.session.draft.answers.get("nik") if self.session.draft else None
        return regions.zone(nik.value) if nik else "WIB"

    @property
    def draft(self) -> Draft:
        """The registration being filled in. Only steps that `step_id` gives for a draft may ask."""
        assert self.session.draft is not None
        return self.session.draft


class Outcome(Frozen, frozen=True):
    """What became of one event. `notice` is told above the screen that follows; `show` is False where no screen need follow.

    `moments` are told in the notice. `news` takes the place of that screen's text for once: where what has happened is the message, and the
    buttons are the same. `about` says which registration's status the screen tells. `then` comes behind the screen, `effects` come before
    it.
    """

    session: Session
    notice: str = ""
    effects: tuple[Effect, ...] = ()
    show: bool = True
    news: str = ""
    about: News | None = None
    moments: tuple[Moment, ...] = ()
    then: tuple[Effect, ...] = ()


Drawing = Callable[[Context], Screen]
Press = Callable[[Context, str], Outcome]
Typed = Callable[[Context, TextSent], Outcome]
Means = Callable[[Context, str], str]


class Step(Frozen, frozen=True):
    """One step. `presses` is keyed by the action's name before the dot; what follows the dot comes as the argument.

    `means` is the id of the action that a whole message stands for here ("ya", "email salah"), or "". `answered` draws what becomes of a
    screen with personal data once one of its buttons was pressed; None where it may stay.
    """

    id: str
    screen: Drawing
    presses: Mapping[str, Press] = field(default_factory=dict)
    typed: Typed | None = None
    help: Callable[[Context], str] | None = None
    answered: Callable[[Context], Screen | None] | None = None
    means: Means | None = None


def button(
    ctx: Context,
    id_: str,
    style: Style = "plain",
    *,
    url: str = "",
    contact: bool = False,
    app: bool = False,
    **facts: str | int,
) -> Action:
    """A button whose label is the text `button.<name>`, name being the id before the dot."""
    return Action(id_, ctx.text(f"button.{id_.partition('.')[0]}", **facts), style, url, contact, app)


def contacts(ctx: Context) -> str:
    """How to reach a human, in one line."""
    profile = ctx.profile
    return ctx.text(
        "flow.contacts", call_centre=profile.call_centre, toll_free=profile.toll_free, helpdesk_email=profile.helpdesk_email
    )


def what_next(ctx: Context, news: str, **facts: str) -> str:
    """What the person can do about this news: by the bot's buttons and words, or while the helpdesk has the conversation without them."""
    return ctx.text(f"{'desk' if held(ctx.session) else 'flow'}.next.{news}", **facts)


def ask(ctx: Context, field_id: str, *, other: bool) -> str:
    """The question for a field: to the person themselves, or about the `other` whom they register."""
    return ctx.text(f"{field_id}.ask_other" if other else f"{field_id}.ask")


def whose(ctx: Context) -> str:
    """Whose form is open, where the chat has registered others too; "" where it has not."""
    if not ctx.session.registrations or (draft := ctx.session.draft) is None:
        return ""
    if name := name_in(draft):
        return ctx.text("flow.whose", name=name)
    return ctx.text("flow.whose_next", number=len(ctx.session.registrations) + 1)


def heading(ctx: Context, text: str) -> str:
    """The text under the name of the person that it is about."""
    return f"{told}\n\n{text}" if (told := whose(ctx)) else text


def button_wanted(ctx: Context, screen: Screen) -> Outcome:
    """A text where only a button answers: the question stands, and the help grows as it does with refused answers."""
    tries, parts = ctx.draft.tries + 1, [ctx.text("flow.press_a_button")]
    if tries >= TRIES_BEFORE_EXAMPLE:
        parts.append(ctx.text("flow.press_or_type", label=screen.actions[0].label))
    if tries >= TRIES_BEFORE_HELPDESK:
        parts.append(contacts(ctx))
    return Outcome(replace(ctx.session, draft=replace(ctx.draft, tries=tries)), "\n\n".join(parts))


def agent_button(ctx: Context) -> tuple[Action, ...]:
    """A human in one tap, where a helpdesk works in the chat."""
    return (button(ctx, "agent"),) if ctx.profile.office else ()


def agent_when_stuck(ctx: Context) -> tuple[Action, ...]:
    """The same, once many answers were refused."""
    return agent_button(ctx) if ctx.draft.tries >= TRIES_BEFORE_HELPDESK else ()


def remembering(ctx: Context, message: str) -> Context:
    """With the message's id in the open form: a refused NIK is as personal as a good one, and a photo may show a KTP."""
    draft = ctx.session.draft
    if draft is None or not message or message in draft.typed:
        return ctx
    kept = replace(draft, typed=(*draft.typed, message)[-MESSAGES_REMEMBERED:])
    return replace(ctx, session=replace(ctx.session, draft=kept))


def label(ctx: Context, field_id: str) -> str:
    """The guide's name of a field."""
    return ctx.text(f"{field_id}.label")


def shown(field_id: str, value: str) -> str:
    """A stored value as its owner proof-reads it."""
    return FIELDS[field_id].show(value)


def told(ctx: Context, facts: Facts) -> dict[str, str]:
    """The facts of a refusal or a doubt as this language writes them: 4.096 or 4,096 characters, 5 Januari 2012 or 5 January 2012."""
    local = dict(facts)
    for name in _COUNTS & local.keys():
        local[name] = grouped(ctx.session.language, int(local[name]))
    # A session of version 1.0 may still hold it as 05-01-2012.
    if (birth := local.get("birth", "")) and birth[4] == "-":
        local["birth"] = long_date(ctx.session.language, date.fromisoformat(birth))
    return local


def refusal(ctx: Context, field_id: str, parsed: Rejected, tries: int) -> str:
    """What is wrong and what to do; the help grows with the number of tries, and no question is ever skipped."""
    parts = [ctx.text(f"{field_id}.rejected.{parsed.code}", **told(ctx, parsed.facts))]
    if tries >= TRIES_BEFORE_EXAMPLE:
        parts.append(ctx.text(f"{field_id}.help"))
    if tries >= TRIES_BEFORE_HELPDESK:
        parts.append(contacts(ctx))
    return "\n\n".join(parts)


# Where the labels of buttons come from; a text that begins with none of them need not be compared with those on the screen.
_LABELS: Final = ("button.", "kinds.", "flow.language_name.")
_BEGINNINGS: Final[Mapping[Language, tuple[str, ...]]] = {
    language: tuple({text.partition("{")[0].casefold() for id_, text in catalogue.items() if id_.startswith(_LABELS)})
    for language, catalogue in CATALOGUES.items()
}


def may_be_label(language: Language, text: str) -> bool:
    """Whether this case-folded text can be the label of any button at all."""
    return text.startswith(_BEGINNINGS[language])
