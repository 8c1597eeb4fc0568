"""The picture as SVG, drawn here: the good way down the middle, what may be asked at every step to its left, detours to its right.

Arrows between two columns run through the gutter between them, each in a lane of its own, and carry their words where they begin. It
follows the reader's light or dark. Lives here: places and strokes. Must not live here: what is drawn (`picture.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from typing import Final, Literal

from dialogs.diagram.picture import ANYWHERE, HEADINGS, Line, Picture

Side = Literal["left", "right"]
WIDTH: Final = 238
HEIGHT: Final = 46
PAD: Final = 14
HEADING: Final = 30
GAP: Final = 46  # between two of the middle column, where straight arrows have their words
NARROW: Final = 12
PORT: Final = 38  # between two arrows at one side: two lines of words
LANE: Final = 13
WORDS: Final = 150
LETTERS: Final = 28
STYLE: Final = """
svg { font: 12px system-ui, sans-serif; color-scheme: light dark; --ink: #1d2733; --soft: #5b6878; --line: #7d8a9a; --face: #ffffff;
  --page: #f5f7fa; --good: #0b6e4f; --edge: #c9d2dc; background: var(--page) }
@media (prefers-color-scheme: dark) { svg { --ink: #e8edf3; --soft: #a3b0bf; --line: #8593a3; --face: #1f2833; --page: #141a21;
  --good: #5ccfa5; --edge: #3a4756 } }
rect { fill: var(--face); stroke: var(--edge) } rect.family { fill: none; stroke-dasharray: 3 4; stroke: var(--line) }
rect.good { stroke: var(--good); stroke-width: 1.6 } text { fill: var(--soft) } text.id { fill: var(--ink); font-weight: 600 }
path { fill: none; stroke: var(--line) } path.good { stroke: var(--good); stroke-width: 1.8 } path.back { stroke-dasharray: 4 3 }
path.tip { fill: var(--line); stroke: none } path.tip.good { fill: var(--good); stroke: none }
"""


@dataclass(slots=True)
class Box:
    """A step, or a family with its steps inside; x and y are its upper left corner."""

    id: str
    column: int
    members: list[Box] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    x: float = 0
    y: float = 0
    height: float = HEIGHT
    gaps: list[float] = field(default_factory=list)

    @property
    def width(self) -> float:
        return WIDTH + (2 * PAD if self.members else 0)

    @property
    def middle(self) -> float:
        return self.y + self.height / 2

    def all(self) -> Iterable[Box]:
        yield self
        yield from self.members

    def move(self, x: float, y: float) -> None:
        self.x, self.y = x, y
        y += HEADING
        for member, gap in zip(self.members, [*self.gaps, 0.0], strict=False):
            member.move(x + PAD, y)
            y += member.height + gap


@dataclass(slots=True)
class End:
    line: Line
    box: Box
    side: Side
    y: float = 0


def svg(picture: Picture) -> str:
    """The drawing, self-contained: no script, no font, no address."""
    boxes, columns = _boxes(picture)
    straight, winding, jumps = _sorted(picture.lines, boxes, columns)
    ends = {
        line: (End(line, boxes[line.origin], _leaves(line, boxes)), End(line, boxes[line.target], _arrives(line, boxes)))
        for line in winding
    }
    _give_room(boxes, list(ends.values()))
    _stack(picture, columns, straight, boxes)
    _ports(list(ends.values()))
    gutters = _spread(columns, ends)
    parts = [_shape(box, picture) for column in columns for box in column]
    parts += [_winding(line, *ends[line], gutters) for line in winding]
    parts += [_straight(line, boxes, straight, picture.path) for line in straight]
    parts += [_jump(line, boxes) for line in jumps]
    right = max(box.x + box.width for column in columns for box in column) + 60
    bottom = max(box.y + box.height for column in columns for box in column) + 24
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right:g} {bottom:g}" role="img" aria-label="The dialog">'
        f"<style>{' '.join(STYLE.split())}</style>{''.join(parts)}</svg>\n"
    )


# --- which box goes where


def _boxes(picture: Picture) -> tuple[dict[str, Box], list[list[Box]]]:
    columns: list[list[Box]] = [[], [], []]
    known: dict[str, Box] = {}
    for id_ in (*picture.spine, *(id_ for id_ in picture.order if id_ not in picture.spine)):
        column = 1 if id_ in picture.spine else 0 if id_ == ANYWHERE else _beside(id_, picture, known)
        members = [Box(each, column, notes=picture.notes.get(each, ())) for each in picture.families.get(id_, ())]
        box = Box(id_, column, members, picture.notes.get(id_, ()))
        columns[column].append(box)
        known |= {each.id: each for each in box.all()}
    return known, columns


def _beside(id_: str, picture: Picture, known: dict[str, Box]) -> int:
    """The left column for what comes of the left, else the right."""
    comes_of = [known[line.origin].column for line in picture.lines if line.target == id_ and line.origin in known]
    return 0 if comes_of and set(comes_of) == {0} else 2


Lines = list[Line]


def _sorted(lines: Iterable[Line], boxes: dict[str, Box], columns: Sequence[Sequence[Box]]) -> tuple[Lines, Lines, Lines]:
    """Arrows between neighbours of a column, arrows through a gutter, and those that would cross a column."""
    followers: set[tuple[str, str]] = set()
    for column in columns:
        for box in column:
            followers |= {(one.id, two.id) for one, two in pairwise(box.members)}
        for upper, lower in pairwise(column):
            followers |= {(one.id, two.id) for one in (upper, *upper.members[-1:]) for two in (lower, *lower.members[:1])}
    straight, winding, jumps = [], [], []
    for line in lines:
        if (line.origin, line.target) in followers or (line.target, line.origin) in followers:
            straight.append(line)
        elif abs(boxes[line.origin].column - boxes[line.target].column) > 1:
            jumps.append(line)
        else:
            winding.append(line)
    return straight, winding, jumps


def _leaves(line: Line, boxes: dict[str, Box]) -> Side:
    origin, target = boxes[line.origin].column, boxes[line.target].column
    if origin == target:
        return "right" if origin == 0 or (origin == 1 and not line.back) else "left"
    return "right" if target > origin else "left"


def _arrives(line: Line, boxes: dict[str, Box]) -> Side:
    origin, target = boxes[line.origin].column, boxes[line.target].column
    if origin == target:
        return _leaves(line, boxes)
    return "left" if target > origin else "right"


# --- how large, how high


def _give_room(boxes: dict[str, Box], pairs: Sequence[tuple[End, End]]) -> None:
    for box in boxes.values():
        most = max(
            sum(1 for first, _ in pairs if first.box is box and first.side == side)
            + any(second.box is box and second.side == side for _, second in pairs)
            for side in ("left", "right")
        )
        box.height = max(HEIGHT + 16 * len(_wrapped(box.notes)), PORT * most)


def _stack(picture: Picture, columns: Sequence[Sequence[Box]], straight: Lines, boxes: dict[str, Box]) -> None:
    joined = {frozenset((line.origin, line.target)) for line in straight}
    for column in columns:
        for box in column:
            if box.members:
                pairs = pairwise(box.members)
                box.gaps = [GAP if frozenset((one.id, two.id)) in joined else NARROW for one, two in pairs]
                box.height = HEADING + sum(each.height for each in box.members) + sum(box.gaps) + PAD
    y = 24.0
    for box in columns[1]:
        box.move(0, y)
        y += box.height + GAP
    for number in (0, 2):
        y = 24.0
        for box in columns[number]:
            beside = [
                boxes[other].middle
                for line in picture.lines
                for one, other in ((line.origin, line.target), (line.target, line.origin))
                if one == box.id and boxes[other].column == 1
            ]
            y = max(y, min(beside) - box.height / 2 if beside else y)
            box.move(0, y)
            y += box.height + (GAP if number == 2 else 28)


def _ports(pairs: list[tuple[End, End]]) -> None:
    """Where arrows leave and arrive: spread over the side, in the order of what they go to; those that arrive meet in one place."""
    leaving: dict[tuple[str, Side], list[list[tuple[float, End]]]] = {}
    arriving: dict[tuple[str, Side], list[tuple[float, End]]] = {}
    for first, second in pairs:
        leaving.setdefault((first.box.id, first.side), []).append([(second.box.middle, first)])
        arriving.setdefault((second.box.id, second.side), []).append((first.box.middle, second))
    for place in leaving.keys() | arriving.keys():
        ports = [*leaving.get(place, []), *([arriving[place]] if place in arriving else [])]
        ports.sort(key=lambda port: sum(other for other, _ in port) / len(port))
        for number, port in enumerate(ports):
            for _, end in port:
                end.y = end.box.y + end.box.height * (number + 0.5) / len(ports)


def _spread(columns: Sequence[Sequence[Box]], ends: dict[Line, tuple[End, End]]) -> dict[Line, float]:
    """Give the columns and the lanes their places; returns the lane of each arrow."""
    through: dict[int, list[Line]] = {0: [], 1: []}
    for line, (first, _) in ends.items():
        through[first.box.column if first.side == "right" else first.box.column - 1].append(line)
    x, lanes = 24.0, {}
    for number, column in enumerate(columns):
        widest = max(box.width for box in column)
        for box in column:
            box.move(x + (widest - box.width) / 2, box.y)
        x += widest
        if number in through:
            lines = sorted(through[number], key=lambda line: (abs(ends[line][0].y - ends[line][1].y), line.origin, line.target))
            x += WORDS
            for at, line in enumerate(lines):
                lanes[line] = x + LANE * at
            x += LANE * max(0, len(lines) - 1) + WORDS
    return lanes


# --- strokes


def _shape(box: Box, picture: Picture) -> str:
    good = ' class="good"' if box.id in picture.path else ""
    if box.members:
        head = f'<rect class="family" x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="10"/>'
        name = f'<text x="{box.x + PAD:g}" y="{box.y + 20:g}">{escape(HEADINGS.get(box.id, box.id))}</text>'
        return head + name + "".join(_shape(each, picture) for each in box.members)
    lines = [f'<rect{good} x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="8"/>']
    lines.append(f'<text class="id" x="{box.x + 12:g}" y="{box.y + 19:g}">{escape(box.id)}</text>')
    lines.append(f'<text x="{box.x + 12:g}" y="{box.y + 36:g}">{escape(_short(picture.titles[box.id], 33))}</text>')
    for number, note in enumerate(_wrapped(box.notes)):
        lines.append(
            f'<text x="{box.x + 12:g}" y="{box.y + 53 + 16 * number:g}">\N{BLACK RIGHT-POINTING SMALL TRIANGLE} {escape(note)}</text>'
        )
    return "".join(lines)


def _straight(line: Line, boxes: dict[str, Box], straight: Lines, path: tuple[str, ...]) -> str:
    origin, target = boxes[line.origin], boxes[line.target]
    down = origin.y < target.y
    both = any((each.origin, each.target) == (line.target, line.origin) for each in straight)
    centre = target.x + target.width / 2 if not target.members else origin.x + origin.width / 2
    x = centre + (0 if not both else -22 if down else 22)
    top, bottom = (origin.y + origin.height, target.y) if down else (origin.y, target.y + target.height)
    side, anchor = (x - 8, "end") if both and down else (x + 8, "start")
    good = (line.origin, line.target) in set(pairwise(path))
    arrow = _arrow(f"M{x:g} {top:g}V{bottom:g}", line, (x, bottom), "down" if down else "up", good=good)
    return arrow + _label(line, side, (top + bottom) / 2 + 4, anchor, middle=True)


def _winding(line: Line, first: End, second: End, lanes: dict[Line, float]) -> str:
    start = first.box.x + (first.box.width if first.side == "right" else 0)
    end = second.box.x + (second.box.width if second.side == "right" else 0)
    lane, one, two = lanes[line], first.y, second.y
    away, bend = (1 if lane > start else -1), min(7.0, abs(two - one) / 2)
    on, turn = (1 if end > lane else -1), 1 if two > one else -1
    path = (
        f"M{start:g} {one:g}H{lane - away * bend:g}Q{lane:g} {one:g} {lane:g} {one + turn * bend:g}"
        f"V{two - turn * bend:g}Q{lane:g} {two:g} {lane + on * bend:g} {two:g}H{end:g}"
    )
    arrow = _arrow(path, line, (end, two), "right" if on > 0 else "left")
    return arrow + _label(line, start + 8 * away, one, "start" if away > 0 else "end")


def _jump(line: Line, boxes: dict[str, Box]) -> str:
    """A stub that says where it goes: the arrow itself would cross a column."""
    box = boxes[line.origin]
    x, y = box.x + 12, box.y + box.height + 14
    words = f"{' '.join(line.words)} \N{RIGHTWARDS ARROW} {line.target}"
    return f'<text x="{x:g}" y="{y:g}">{escape(_short(words, 44))}</text>'


def _arrow(
    path: str, line: Line, tip: tuple[float, float], to: Literal["up", "down", "left", "right"], *, good: bool = False
) -> str:
    shapes = {"down": "l-4-8h8z", "up": "l-4 8h8z", "right": "l-8-4v8z", "left": "l8-4v8z"}
    kind = ' class="good"' if good else ' class="back"' if line.back else ""
    return f'<path{kind} d="{path}"/><path class="tip{" good" * good}" d="M{tip[0]:g} {tip[1]:g}{shapes[to]}"/>'


def _label(line: Line, x: float, y: float, anchor: str, *, middle: bool = False) -> str:
    rows, most = _wrapped(line.words), 1 if middle else 2
    if len(rows) > most:
        rows = [*rows[: most - 1], _short(f"{rows[most - 1]} \N{HORIZONTAL ELLIPSIS}", LETTERS + 2)]
    tops = [y] if middle else [y - 5, y + 14]
    return "".join(
        f'<text x="{x:g}" y="{top:g}" text-anchor="{anchor}">{escape(row)}</text>' for row, top in zip(rows, tops, strict=False)
    )


def _wrapped(words: Iterable[str]) -> list[str]:
    """Words in rows; each stays whole."""
    rows: list[str] = []
    for each in words:
        if rows and len(rows[-1]) + 1 + len(each) <= LETTERS - 3:
            rows[-1] += f" {each}"
        else:
            rows.append(_short(each, LETTERS))
    return rows


def _short(words: str, letters: int) -> str:
    return words if len(words) <= letters else f"{words[: letters - 1].rstrip()}\N{HORIZONTAL ELLIPSIS}"
