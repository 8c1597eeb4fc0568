"""The picture of the dialog is drawn from what runs, and the one that is kept is today's."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from dialogs import diagram
from dialogs.diagram.explore import ANSWERS, Way
from dialogs.diagram.page import drawn
from dialogs.diagram.picture import Line, Picture
from dialogs.diagram.svg import svg
from dialogs.fields import FIELDS
from dialogs.machine import STEPS

DOCS = Path(__file__).resolve().parents[2] / "docs"
REFRESH = "the dialog has changed: ./run flow --write docs, and look at the picture"


@pytest.fixture(scope="module")
def flow():
    return drawn()[0]


def test_the_page_and_the_picture_that_are_kept_show_the_dialog_as_it_runs() -> None:
    assert (DOCS / "flow.md").read_text("utf-8") == diagram.page(), REFRESH
    assert (DOCS / "flow.svg").read_text("utf-8") == diagram.picture(), REFRESH


def test_every_step_is_reached_by_playing(flow) -> None:
    assert flow.unreached == (), "give dialogs/diagram/explore.py what a person would type or do to get there"
    assert set(ANSWERS) == {field.id for field in FIELDS}


def test_the_ways_are_those_of_the_guide(flow) -> None:
    for way in (
        Way("consent", "kind", "press", "Setuju"),
        Way("nik", "phone", "typed", "answer"),
        Way("summary", "sending", "press", "Aktivasi"),
        Way("sending", "pending", "backend", "taken"),
        Way("pending", "active", "backend", "active"),
    ):
        assert way in flow.ways


def test_a_passing_question_leads_back_to_where_it_was_asked(flow) -> None:
    for place in ("full_name", "summary", "pending"):
        assert Way("language", place, "press", "Lanjutkan", beneath=True) in flow.ways


def test_every_step_is_in_the_picture_once_and_no_box_covers_another() -> None:
    drawing = ET.fromstring(diagram.picture())
    names = [text.text for text in drawing.iter("{http://www.w3.org/2000/svg}text") if text.get("class") == "id"]
    assert sorted(names) == sorted(STEPS)
    rects = [rect for rect in drawing.iter("{http://www.w3.org/2000/svg}rect") if rect.get("class") != "family"]
    boxes = [tuple(float(rect.get(side)) for side in ("x", "y", "width", "height")) for rect in rects]
    for at, (x, y, width, height) in enumerate(boxes):
        for left, top, wide, high in boxes[at + 1 :]:
            apart = x + width <= left or left + wide <= x or y + height <= top or top + high <= y
            assert apart, "two boxes in one place"


def test_the_chart_names_every_step() -> None:
    chart = diagram.chart()
    assert all(f'{id_}["{id_}' in chart for id_ in STEPS)


def test_a_way_that_would_cross_a_column_is_told_in_words_under_its_step() -> None:
    shown = drawn()[1]
    crossing = Picture(
        shown.titles,
        shown.families,
        shown.path,
        shown.spine,
        shown.order,
        (*shown.lines, Line("cancel", "doubt", ("[Lompat]",))),
        {},
    )
    assert "[Lompat] \N{RIGHTWARDS ARROW} doubt" in svg(crossing)
