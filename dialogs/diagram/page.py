"""The page about the flow (docs/flow.md) and its picture (docs/flow.svg), both drawn from what runs. `akses flow` writes them.

Lives here: the page. Must not live here: what leads where (`explore.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final

from dialogs.diagram.explore import PASSING, Flow, Way, explored
from dialogs.diagram.mermaid import mermaid
from dialogs.diagram.picture import Picture, composed
from dialogs.diagram.svg import svg
from dialogs.machine import STEPS

HEAD: Final = """# The dialog, step by step
Drawn by `./run flow --write docs` from the tables that run the dialog: every step is reached by playing, and everything that can
happen there is tried (`dialogs/diagram/`). A test compares this page with what runs.

![Every step and what leads where](flow.svg)

The green way is that of a person for whom all goes well. In brackets: buttons (the word typed out does the same). Dashed: ways back.
A refused answer, help, status and the like ask the same question again and are not drawn.
"""


@cache
def drawn() -> tuple[Flow, Picture]:
    """What was found, and what is shown of it; worked out once."""
    flow = explored()
    return flow, composed(flow)


def picture() -> str:
    """The SVG."""
    return svg(drawn()[1])


def chart() -> str:
    """The Mermaid flowchart."""
    return mermaid(drawn()[1])


def page() -> str:
    """The Markdown page, with the Mermaid flowchart and a table of every way."""
    flow, _ = drawn()
    parts = [HEAD, "```mermaid", chart(), "```", "", "| at | what happens | leads to |", "|---|---|---|"]
    parts += _rows(flow)
    parts += ["", "## At every step", "| what happens | leads to |", "|---|---|", *_everywhere(flow.ways)]
    parts += ["", "## Back to where it was asked", "| at | by |", "|---|---|", *_back(flow.ways), ""]
    parts.append(
        f"What is typed at {', '.join(id_ for id_ in STEPS if id_ in flow.passing & PASSING)} answers the step beneath."
    )
    return "\n".join(parts) + "\n"


def _rows(flow: Flow) -> Iterator[str]:
    found: dict[tuple[str, str], dict[str, None]] = {}
    for way in flow.ways:
        if (
            way.kind != "command"
            and not way.everywhere
            and not way.beneath
            and (way.origin not in flow.passing or way.kind == "press")
        ):
            found.setdefault((way.origin, way.target), {})[_what(way)] = None
    order = {id_: at for at, id_ in enumerate(STEPS)}
    for (origin, target), what in sorted(found.items(), key=lambda each: (order[each[0][0]], order[each[0][1]])):
        yield f"| {origin} | {', '.join(what)} | {target} |"


def _everywhere(ways: Iterable[Way]) -> Iterator[str]:
    found: dict[str, dict[str, None]] = {}
    for way in ways:
        if way.everywhere:
            found.setdefault(_what(way), {})[way.target] = None
    for what, targets in sorted(found.items()):
        yield f"| {what} | {', '.join(id_ for id_ in STEPS if id_ in targets)} |"


def _back(ways: Iterable[Way]) -> Iterator[str]:
    found: dict[str, dict[str, None]] = {}
    for way in ways:
        if way.beneath and way.kind == "press":
            found.setdefault(way.origin, {})[_what(way)] = None
    for id_ in (id_ for id_ in STEPS if id_ in found):
        yield f"| {id_} | {', '.join(found[id_])} |"


def _what(way: Way) -> str:
    return {"press": f"**{way.words}**", "command": f"/{way.words}", "backend": f"backend: {way.words}"}.get(
        way.kind, way.words
    )
