"""Runs a target so that it can be looked at while it works: SIGUSR1 begins, SIGUSR2 ends and writes what was seen to PROFILE_OUT.

Lives here: a sampler (where is the main thread, at every tick of CPU?), which distorts little, and cProfile, which counts calls but makes
small functions look dear (PROFILE_HOW=calls). Must not live here: the load (`runs.py`).
"""

from __future__ import annotations

import cProfile
import io
import os
import pstats
import runpy
import signal
import sys
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType

EVERY_SECONDS = 0.0005
TOP = 45


class Sampler:
    """Counts the functions on the stack: by themselves, and with all that they call."""

    def __init__(self) -> None:
        self.own: Counter[CodeType] = Counter()
        self.within: Counter[CodeType] = Counter()
        self.samples = 0

    def enable(self) -> None:
        signal.signal(signal.SIGPROF, self.look)
        signal.setitimer(signal.ITIMER_PROF, EVERY_SECONDS, EVERY_SECONDS)

    def disable(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def look(self, _: int, frame: FrameType | None) -> None:
        self.samples += 1
        seen: set[CodeType] = set()
        if frame is not None:
            self.own[frame.f_code] += 1
        while frame is not None:
            seen.add(frame.f_code)
            frame = frame.f_back
        self.within.update(seen)

    def written(self) -> str:
        total = self.samples or 1
        lines = [f"{self.samples} samples"]
        for title, counter in (("by itself", self.own), ("with what it calls", self.within)):
            lines.append(f"\n  share  {title}")
            lines += [f"  {100 * count / total:5.1f}  {_name(code)}" for code, count in counter.most_common(TOP)]
        return "\n".join(lines)


class Calls:
    """cProfile: every call counted."""

    def __init__(self) -> None:
        self.profile = cProfile.Profile()

    def enable(self) -> None:
        self.profile.enable()

    def disable(self) -> None:
        self.profile.disable()

    def written(self) -> str:
        out = io.StringIO()
        stats = pstats.Stats(self.profile, stream=out).strip_dirs()
        stats.sort_stats("tottime").print_stats(TOP)
        stats.sort_stats("cumtime").print_stats(TOP)
        return out.getvalue()


def _name(code: CodeType) -> str:
    file = "/".join(Path(code.co_filename).parts[-3:])
    return f"{file}:{code.co_firstlineno} {code.co_qualname}"


def main() -> None:
    looker = Calls() if os.environ.get("PROFILE_HOW") == "calls" else Sampler()

    def begin(_: int, __: object) -> None:
        looker.enable()

    def end(_: int, __: object) -> None:
        looker.disable()
        Path(os.environ["PROFILE_OUT"]).write_text(looker.written())

    signal.signal(signal.SIGUSR1, begin)
    signal.signal(signal.SIGUSR2, end)
    module = sys.argv[1]
    sys.argv = sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
