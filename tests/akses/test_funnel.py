"""`akses funnel`: what the dialog records comes to the right figures, in a table and in a picture."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from akses.cli import app
from akses.funnel import Funnel, Stage, funnel, picture, table
from bot.stores.funnel import SqliteBook
from dialogs.clock import local_date
from dialogs.effects import Record
from dialogs.testing import Conversation

FIRST, LAST = date(2026, 11, 17), date(2026, 11, 23)


class Counted(Conversation):
    """A conversation whose funnel is counted as the runner does."""

    def happens(self, event):
        effects = super().happens(event)
        COUNTS.update((each.step, each.what, each.code) for each in effects if isinstance(each, Record))
        return effects


COUNTS: Counter[tuple[str, str, str]] = Counter()


@pytest.fixture(scope="module")
def found() -> Funnel:
    """Three people: one is activated after two refusals and an edit, one cancels at the phone, one leaves for good."""
    COUNTS.clear()
    one, two, three = Counted(), Counted(), Counted()
    for chat, link in ((one, "c-pameran"), (two, ""), (three, "c-pameran")):
        chat.starts(link)
        chat.presses("agree")
        chat.presses("kind.individu_lokal")
        chat.says("Siti Rahmawati")
    for chat in (one, two):
        for nik in ("123", "1234", "3171234501900001"):
            chat.says(nik)
    two.says("batal")
    two.presses("discard")
    three.passes(days=8)
    one.says("081234567890")
    one.says("siti@example.com")
    one.presses("back")
    one.presses("edit.email")
    one.says("siti@example.org")
    one.presses("activate")
    one.accepted()
    one.becomes("mailed")
    one.passes(minutes=16)
    one.presses("resend")
    one.becomes("active")
    return funnel(COUNTS)


def stage(found: Funnel, step: str) -> Stage:
    return next(each for each in found.stages if each.step == step)


def test_each_form_counts_once_at_each_step_that_it_came_through(found: Funnel) -> None:
    assert found.begun == 3
    assert [(each.step, each.through) for each in found.stages] == [
        ("consent", 3),
        ("kind", 3),
        ("full_name", 3),
        ("nik", 2),
        ("phone", 1),
        ("email", 1),
        ("summary", 1),
        ("pending", 1),
        ("active", 1),
    ]


def test_refusals_edits_and_those_who_left_are_told_where_they_happened(found: Funnel) -> None:
    nik, email = stage(found, "nik"), stage(found, "email")
    assert (nik.asked, nik.rejected, nik.codes) == (3, 4, (("too_short", 4),))
    assert (nik.abandoned, stage(found, "phone").abandoned) == (1, 1)
    assert (email.edited, email.asked) == (1, 2)
    assert stage(found, "pending").resent == 1


def test_the_table_says_all_of_it(found: Funnel) -> None:
    lines = table(found, FIRST, LAST).splitlines()
    assert lines[0] == "The dialog's funnel, 2026-11-17 to 2026-11-23: 3 began."
    (nik,) = [line for line in lines if line.startswith("nik")]
    assert "67%" in nik
    assert "refused: too_short 4" in lines[lines.index(nik) + 1]
    assert lines[-2:] == ["Newcomers by campaign:", f"  {'pameran':<34} {2:>6}"]
    assert max(map(len, lines)) <= 100


def test_the_picture_is_svg_with_a_bar_a_step(found: Funnel) -> None:
    drawing = ET.fromstring(picture(found, FIRST, LAST))
    bars = [float(rect.get("width") or 0) for rect in drawing.iter("{http://www.w3.org/2000/svg}rect")][1::2]
    assert bars == [360.0, 360.0, 360.0, 240.0, 120.0, 120.0, 120.0, 120.0, 120.0]


def test_nobody_yet_is_a_table_and_a_picture_too() -> None:
    empty = funnel({})
    assert "0 began" in table(empty, FIRST, LAST)
    ET.fromstring(picture(empty, FIRST, LAST))


def test_the_command_reads_what_a_process_has_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    for unset in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(unset, raising=False)
    today = local_date(datetime.now(UTC))
    book = SqliteBook(tmp_path / "funnel.db")
    asyncio.run(book.add(today, {("consent", "asked", ""): 4, ("consent", "answered", ""): 3}))
    asyncio.run(book.add(today - timedelta(days=20), {("consent", "asked", ""): 100}))
    said = CliRunner().invoke(app, ["funnel"], catch_exceptions=False)
    assert "4 began" in said.output
    assert "75%" in said.output
    CliRunner().invoke(app, ["funnel", "--days", "30", "--svg", str(tmp_path / "funnel.svg")], catch_exceptions=False)
    assert "104 registrations" in (tmp_path / "funnel.svg").read_text("utf-8")
