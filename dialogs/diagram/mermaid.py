"""The picture as Mermaid, for places that draw it themselves. Lives here: its grammar. Must not live here: what is drawn (`picture.py`)."""

from __future__ import annotations

from collections.abc import Iterator

from dialogs.diagram.picture import HEADINGS, Picture


def mermaid(picture: Picture) -> str:
    """A flowchart: families as subgraphs, ways back dashed."""
    return "\n".join(
        [
            "flowchart TD",
            *_nodes(picture),
            *_arrows(picture),
            f"  classDef good stroke-width:3px\n  class {','.join(picture.path)} good",
        ]
    )


def _nodes(picture: Picture) -> Iterator[str]:
    for id_ in picture.order:
        members = picture.families.get(id_)
        if members is None:
            yield f"  {_node(id_, picture)}"
        else:
            yield f'  subgraph {id_} ["{_plain(HEADINGS.get(id_, id_))}"]'
            yield from (f"    {_node(each, picture)}" for each in members)
            yield "  end"


def _node(id_: str, picture: Picture) -> str:
    notes = "".join(f"<br>{_plain(note)}" for note in picture.notes.get(id_, ()))
    return f'{id_}["{id_}{notes}"]'


def _arrows(picture: Picture) -> Iterator[str]:
    for line in picture.lines:
        arrow = "-.->" if line.back else "-->"
        yield f'  {line.origin} {arrow}|"{_plain(" ".join(line.words))}"| {line.target}'


def _plain(words: str) -> str:
    return words.replace('"', "'")
