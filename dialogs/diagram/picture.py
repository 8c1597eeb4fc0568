"""What is worth drawing of the flow: every step once, in its family; ways that are the same for a family drawn once.

Left out are ways that every step has (they stand in the corner of the passing questions), what happens beneath a passing question, and a
command where a button of the same meaning is. The page lists all of it.

Lives here: choosing and gathering. Must not live here: exploring (`explore.py`) or drawing (`mermaid.py`, `svg.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, get_args

from dialogs.diagram.explore import OVERLAYS, Flow, Way
from dialogs.fields import BY_ID as FIELDS
from dialogs.session import RegistrationStatus

ANYWHERE: Final = "anywhere"
# Families of steps that are drawn as one box, by the tables that make them alike.
FAMILIES: Final[Mapping[str, frozenset[str]]] = {
    "questions": frozenset(FIELDS),
    "registration": frozenset(get_args(RegistrationStatus)),
    ANYWHERE: OVERLAYS,
}
HEADINGS: Final = {"questions": "One question each", "registration": "Handed off", ANYWHERE: "At every step"}


@dataclass(frozen=True, slots=True)
class Line:
    """One arrow; each end is a step's id or a family's."""

    origin: str
    target: str
    words: tuple[str, ...]
    back: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """`path` is the way of somebody for whom all goes well, `spine` the same with families in the place of their steps.

    `notes` say of a step how it is come to from within its family, or from every step; `order` is that of discovery.
    """

    titles: Mapping[str, str]
    families: Mapping[str, tuple[str, ...]]
    path: tuple[str, ...]
    spine: tuple[str, ...]
    order: tuple[str, ...]
    lines: tuple[Line, ...]
    notes: Mapping[str, tuple[str, ...]]


def composed(flow: Flow) -> Picture:
    drawn = [way for way in flow.ways if _worth_drawing(way, flow.passing)]
    path = _shortest(flow.first, drawn)
    families = {
        name: tuple(
            id_ for id_ in dict.fromkeys((*path, *flow.titles)) if id_ in members and (name != ANYWHERE or id_ in flow.passing)
        )
        for name, members in FAMILIES.items()
    }
    home = {id_: name for name, members in families.items() for id_ in members}
    spine = tuple(dict.fromkeys(home.get(id_, id_) for id_ in path))
    order = tuple(dict.fromkeys(home.get(id_, id_) for id_ in flow.titles))
    inside: dict[str, dict[str, None]] = {}
    between: dict[tuple[str, str], dict[str, None]] = {}
    for way in drawn:
        origin, target = home.get(way.origin, way.origin), home.get(way.target, way.target)
        words = _words(way)
        if origin == target and not _neighbours(families[origin], way, path):
            inside.setdefault(way.target, {})[words] = None
        elif origin == target:
            between.setdefault((way.origin, way.target), {})[words] = None
        else:
            between.setdefault(_ends(way, families, drawn), {})[words] = None
    for way in flow.ways:
        if way.everywhere and way.target in families[ANYWHERE]:
            inside.setdefault(way.target, {})[_words(way)] = None

    def place(id_: str) -> tuple[int, int]:
        family = home.get(id_, id_)
        return (spine.index(family) if family in spine else len(spine), path.index(id_) if id_ in path else 0)

    lines = tuple(
        Line(origin, target, _main(words), back=place(target) < place(origin) and home.get(target, target) in spine)
        for (origin, target), words in between.items()
    )
    return Picture(flow.titles, families, path, spine, order, lines, {id_: tuple(words) for id_, words in inside.items()})


def _worth_drawing(way: Way, passing: Collection[str]) -> bool:
    if way.kind == "command":
        return False
    if way.origin in passing:
        return way.kind == "press" and not way.beneath
    return way.target not in passing or not way.everywhere


def _words(way: Way) -> str:
    match way.kind:
        case "press":
            return f"[{way.words}]"
        case "command":
            return f"/{way.words}"
        case "backend":
            return f"backend: {way.words}"
        case _:
            return way.words


def _main(words: Iterable[str]) -> tuple[str, ...]:
    """Of what is typed, only the plain answer where that will do."""
    kept = tuple(words)
    return tuple(each for each in kept if not each.endswith((" answer", " question")) or "answer" not in kept)


def _neighbours(family: Iterable[str], way: Way, path: tuple[str, ...]) -> bool:
    chain = [id_ for id_ in path if id_ in set(family)]
    return (way.origin, way.target) in {*pairwise(chain), *pairwise(reversed(chain))}


def _ends(way: Way, families: Mapping[str, tuple[str, ...]], drawn: list[Way]) -> tuple[str, str]:
    """The ends of an arrow: a family where at least two of its members have the same to or from the same."""
    origin, target = way.origin, way.target
    same = [each for each in drawn if _words(each) == _words(way)]
    for name, members in families.items():
        if origin in members and len({each.origin for each in same if each.origin in members and each.target == target}) > 1:
            origin = name
        if (
            target in members
            and len({each.target for each in same if each.target in members and each.origin == way.origin}) > 1
        ):
            target = name
    return origin, target


def _shortest(first: str, ways: list[Way], goal: str = "active") -> tuple[str, ...]:
    """The way with the fewest steps on which nobody types anything unusual, or in the wrong place."""
    paths: dict[str, tuple[str, ...]] = {first: (first,)}
    waiting = deque([first])
    while waiting:
        here = waiting.popleft()
        for way in ways:
            if way.origin == here and way.target not in paths and not way.words.endswith(("unusual answer", " question")):
                paths[way.target] = (*paths[here], way.target)
                waiting.append(way.target)
    return paths[goal]
