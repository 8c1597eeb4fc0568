"""What leads where, found out by playing: from an empty chat, everything that can happen is tried at every place that is reached.

So the picture is drawn from what runs: the table of steps, the presses, the commands, the order of registration. Nothing is kept by hand
but what a person might type (`ANSWERS`); a step that nothing leads to is missing from the picture, and a test says so.

Lives here: playing. Must not live here: drawing (`mermaid.py`, `svg.py`).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, get_args

from dialogs.commands import COMMANDS
from dialogs.effects import CancelTimer, ChangeEmail, Effect, Request, ResendActivation, SetTimer, SubmitRegistration
from dialogs.events import (
    ActivationChanged,
    ActivationStatus,
    AgentClosed,
    AgentReleased,
    AgentReturned,
    AgentTookOver,
    BackendAccepted,
    BackendDone,
    BackendRejected,
    BackendUnavailable,
    ButtonPressed,
    CommandSent,
    CorrectionProposed,
    Event,
    FormBrought,
    RefusalCode,
    Started,
    TextSent,
    TimerFired,
)
from dialogs.frozen import replace
from dialogs.machine import STEPS, current_screen, step
from dialogs.office import Office
from dialogs.profile import Profile
from dialogs.registration import focused, open_question, step_id, token
from dialogs.screens import Action
from dialogs.session import Overlay, Session
from dialogs.texts import CATALOGUES, Language

# What a person might type for each field: a plainly good answer, and an unusual one.
ANSWERS: Final[Mapping[str, tuple[str, str]]] = {
    "full_name": ("Siti Rahmawati", "S"),
    "nik": ("3171234501900001", "9971234501900001"),
    "phone": ("081234567890", "O81234567890"),
    "email": ("siti@example.com", "siti@gmial.com"),
}
Kind = Literal["press", "typed", "command", "backend", "time", "agent"]
# What may be laid over any step and leads back to it: questions in passing and the list of registrations, beneath which the step's own
# question goes on; and the helpdesk, while which it is frozen.
PASSING: Final = (frozenset(get_args(Overlay)) | {"status"}) - {""}
OVERLAYS: Final = PASSING | {"queued", "human", "correction", "rating"}
_PROFILE: Final = Profile(
    operator="PT Contoh", home_url="https://akses.example/", privacy_url="https://akses.example/privasi", office=Office()
)
_NOW: Final = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
_AT_NIGHT: Final = timedelta(hours=12)
# More registrations than this in one chat lead to nothing new.
_REGISTRATIONS: Final = 2


@dataclass(frozen=True, slots=True, order=True)
class Way:
    """One thing that leads from a step to another. `words` is a button's label, or what happened in a word or two.

    `everywhere`: a command, or a button of its name, that the step itself has no meaning for. `beneath`: back to the step over which
    this one lay.
    """

    origin: str
    target: str
    kind: Kind
    words: str
    everywhere: bool = False
    beneath: bool = False


@dataclass(frozen=True, slots=True)
class Flow:
    """`first` is where an empty chat begins; `titles` are the first lines of the screens, by step."""

    first: str
    titles: Mapping[str, str]
    ways: tuple[Way, ...]

    @property
    def passing(self) -> frozenset[str]:
        """The questions that may be laid over any step."""
        return frozenset(way.target for way in self.ways if way.everywhere and way.target in OVERLAYS)

    @property
    def unreached(self) -> tuple[str, ...]:
        """Steps of the table that nothing led to."""
        return tuple(id_ for id_ in STEPS if id_ not in self.titles)


@dataclass(frozen=True, slots=True)
class _Place:
    """A conversation somewhere on the way, with what it has asked of the world and not been told yet."""

    session: Session
    now: datetime
    requests: tuple[Request, ...] = ()
    timers: tuple[tuple[str, datetime], ...] = ()

    @property
    def alike(self) -> object:
        """Two places that look the same and stand over the same lead to the same: one of them is enough."""
        session, draft = self.session, self.session.draft
        screen = current_screen(session, self.now, _PROFILE)
        if session.desk is not None:
            # The same over any step; only a form that may hold answers can be corrected.
            return (screen.step, draft is not None and draft.consent is not None)
        return (
            screen.step,
            tuple(action.id for action in screen.actions),
            step_id(replace(session, overlay="", aside="")),
            open_question(draft) if draft else None,
            draft is not None and bool(draft.editing),
            len(session.registrations),
            about.status if (about := focused(session)) else None,
            frozenset(timer for timer, _ in self.timers),
        )

    def after(self, event: Event, now: datetime) -> _Place:
        turn = step(self.session, event, now, _PROFILE)
        requests, timers = self.requests, dict(self.timers)
        for effect in turn.effects:
            requests, timers = _asked(requests, timers, effect)
        return _Place(turn.session, now, requests[-1:], tuple(timers.items()))


def _asked(
    requests: tuple[Request, ...], timers: dict[str, datetime], effect: Effect
) -> tuple[tuple[Request, ...], dict[str, datetime]]:
    match effect:
        case SubmitRegistration() | ResendActivation() | ChangeEmail():
            return (*requests, effect), timers
        case SetTimer(timer, at):
            return requests, timers | {timer: at}
        case CancelTimer(timer):
            return requests, {name: at for name, at in timers.items() if name != timer}
        case _:
            return requests, timers


def explored(language: Language = "id") -> Flow:
    """The whole flow, the same each time. Takes a second or two."""
    first = _Place(Session(id="flow", channel="web", language=language), _NOW).after(Started(), _NOW)
    seen, waiting = {first.alike}, deque([first])
    titles: dict[str, str] = {}
    ways: dict[Way, None] = {}
    while waiting:
        here = waiting.popleft()
        origin = step_id(here.session)
        titles.setdefault(origin, _title(here))
        for kind, words, event, now in _possible(here):
            there = here.after(event, now)
            target = step_id(there.session)
            if target != origin:
                name = event.action.partition(".")[0] if isinstance(event, ButtonPressed) else words
                called = name in COMMANDS and name not in STEPS[origin].presses and here.session.desk is None
                everywhere = target in OVERLAYS if kind == "agent" else called and (kind == "command" or target in OVERLAYS)
                ways[Way(origin, target, kind, words, everywhere, target in _beneath(here.session))] = None
            if (
                len(there.session.registrations) <= _REGISTRATIONS
                and not _looks_aside(there.session)
                and (alike := there.alike) not in seen
            ):
                seen.add(alike)
                waiting.append(there)
    return Flow(step_id(first.session), titles, tuple(ways))


def _looks_aside(session: Session) -> bool:
    """Whether a registration is looked at beside an open form: what can be done there is what can be done at the registration itself."""
    return session.aside == "registration" and session.draft is not None


def _beneath(session: Session) -> set[str]:
    """The steps that the one in force lies over, if it lies over any."""
    lifted = replace(session, desk=None, overlay="")
    under = (
        replace(session, desk=None),
        lifted,
        replace(lifted, email_change=None),
        replace(lifted, email_change=None, aside=""),
    )
    return {step_id(each) for each in under} - {step_id(session)}


def _title(here: _Place) -> str:
    return current_screen(here.session, here.now, _PROFILE).text.strip().splitlines()[0]


def _possible(here: _Place) -> Iterator[tuple[Kind, str, Event, datetime]]:
    """Everything that can happen here: its kind, the words for it, the event and its moment."""
    session, now = here.session, here.now
    for action in current_screen(session, now, _PROFILE).actions:
        if not action.url and not action.contact:
            yield "press", wording(action, session.language), ButtonPressed(token(session), action.id), now
    asked = open_question(session.draft) if session.draft else None
    for field, examples in ANSWERS.items():
        for text, words in zip(examples, ("answer", "unusual answer"), strict=True):
            yield "typed", words if asked in (None, field) else "answer to another question", TextSent(text), now
    for name in COMMANDS:
        yield "command", name, CommandSent(name), now
    for request in here.requests:
        key = request.handoff if isinstance(request, SubmitRegistration) else request.request
        taken = f"reg_{len(session.registrations) + 1}"
        if isinstance(request, SubmitRegistration):
            yield "backend", "taken", BackendAccepted(key, taken, "s***@example.com"), now
        else:
            yield "backend", "taken", BackendDone(key, "s***@example.com"), now
        for code in get_args(RefusalCode):
            yield "backend", "refused", BackendRejected(key, code, 60), now
        yield "backend", "out of reach", BackendUnavailable(key, final=True), now
    for registration in session.registrations:
        for status in get_args(ActivationStatus):
            yield "backend", status.replace("_", " "), ActivationChanged(registration.id, status, now), now
    for timer, at in here.timers:
        yield "time", timer, TimerFired(timer), max(now, at)
    yield "command", "agent", CommandSent("agent"), now + _AT_NIGHT
    seen = session.ownership
    yield "agent", "an agent takes over", AgentTookOver("rina", "Rina", seen), now
    yield "agent", "the agent gives back", AgentReturned("rina", seen), now
    yield "agent", "the agent puts it back", AgentReleased("rina", seen), now
    yield "agent", "the agent closes", AgentClosed("rina", seen), now
    for field, examples in ANSWERS.items():
        yield "agent", "the agent proposes", CorrectionProposed("rina", seen, field, examples[0]), now
    if session.draft is not None and not session.draft.kind and not session.draft.answers and not session.overlay:
        begun = {"full_name": ANSWERS["full_name"][0], "nik": ANSWERS["nik"][0]}
        yield "agent", "form brought from elsewhere", FormBrought("web", "", "individu_lokal", begun, {}), now


def wording(action: Action, language: Language) -> str:
    """A button's label; where it carries a value, that is left out."""
    template = CATALOGUES[language].get(f"button.{action.id.partition('.')[0]}", action.label)
    return re.sub(r"\{\w+\}", "…", template)
