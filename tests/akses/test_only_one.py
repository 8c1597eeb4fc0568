"""One DATA_DIR, one process: a second one is refused at once, and whatever ends the first sets it free."""

from __future__ import annotations

import multiprocessing
import signal
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from akses.compose import AlreadyRunning, only_one


def _hold(folder: Path, held: Event) -> None:
    with only_one(folder):
        held.set()
        signal.pause()


def test_a_second_holder_is_refused_while_the_first_one_lives_and_let_in_when_it_was_killed(tmp_path: Path) -> None:
    """Also kill -9: the kernel lets go, no stale file has to be removed by hand."""
    folder = tmp_path / "data"
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    holder = context.Process(target=_hold, args=(folder, held))
    holder.start()
    try:
        assert held.wait(60)
        with pytest.raises(AlreadyRunning, match=str(folder)), only_one(folder):
            pass
        holder.kill()
        holder.join(60)
        with only_one(folder):
            pass
    finally:
        holder.kill()
        holder.join(60)


def test_it_can_be_held_again_after_it_was_let_go(tmp_path: Path) -> None:
    for _ in range(2):
        with only_one(tmp_path / "data"):
            assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
