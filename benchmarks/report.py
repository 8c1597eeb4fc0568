"""Tables in Markdown: medians with the lowest and highest of the repeats, ratios taken inside each repeat.

Lives here: arithmetic over results and words. Must not live here: measuring.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmarks.growth import Decade
from benchmarks.runs import Result
from benchmarks.targets import ALL, OURS, ROOT

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
PAGE = ROOT / "docs" / "performance.md"
Repeats = Sequence[dict[str, Result]]


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|---:" * (len(heads) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def spread(values: Sequence[float], form: str) -> str:
    """The median, and lowest and highest where they differ."""
    middle = format(statistics.median(values), form)
    low, high = format(min(values), form), format(max(values), form)
    return middle if low == high else f"{middle} ({low} to {high})"


def compared(repeats: Repeats) -> str:
    """The main table."""
    columns: Sequence[tuple[str, Callable[[Result], float], str]] = (
        ("turns/s a core", lambda r: r.rate, ",.0f"),
        ("CPU µs a turn", lambda r: r.cpu, ",.0f"),
        ("core busy %", lambda r: r.busy * 100, ".0f"),
        ("p50 ms at half load", lambda r: r.p50, ".1f"),
        ("p95 ms", lambda r: r.p95, ".1f"),
        ("p99 ms", lambda r: r.p99, ".1f"),
        ("Redis commands a turn", lambda r: r.commands, ".1f"),
        ("Redis round trips", lambda r: r.trips, ".1f"),
        ("outbound calls", lambda r: r.calls, ".2f"),
        ("Redis CPU µs", lambda r: r.redis_cpu, ".0f"),
        ("bytes a dialog", lambda r: r.bytes_usage, ",.0f"),
        ("MiB of process", lambda r: r.rss, ".0f"),
        ("driver busy %", lambda r: r.driver_busy * 100, ".0f"),
        ("errors", lambda r: sum(r.errors.values()), ".0f"),
    )
    rows = [
        [ALL[name].title, *(spread([value(repeat[name]) for repeat in repeats], form) for _, value, form in columns)]
        for name in repeats[0]
    ]
    return table(["", *(head for head, _, _ in columns)], rows)


def ratios(repeats: Repeats) -> str:
    """Ours to each peer, inside the same repeat."""
    peers = [name for name in repeats[0] if not ALL[name].ours]
    rows = []
    for name in peers:
        pairs = [(repeat[OURS.name], repeat[name]) for repeat in repeats]
        rows.append(
            [
                ALL[name].title,
                spread([ours.rate / peer.rate for ours, peer in pairs], ".1f"),
                spread([peer.cpu / ours.cpu for ours, peer in pairs], ".1f"),
                spread([peer.p99 / ours.p99 if ours.p99 else 0 for ours, peer in pairs], ".1f"),
            ]
        )
    best = [repeat[OURS.name].rate / max(repeat[name].rate for name in peers) for repeat in repeats]
    words = f"Turns/s over the best peer of the same repeat: **{spread(best, '.1f')}**."
    return table(["AKSes to", "turns/s ÷", "CPU a turn ÷", "p99 at half load ÷"], rows) + f"\n\n{words}"


def by_turn(repeats: Repeats) -> str:
    """What each turn takes when nobody else is there (ms)."""
    names = list(repeats[0][OURS.name].by_turn)
    rows = [
        [
            ALL[name].title,
            *(f"{statistics.median([repeat[name].by_turn.get(turn, 0) for repeat in repeats]):.2f}" for turn in names),
        ]
        for name in repeats[0]
    ]
    return table(["one user, ms", *names], rows)


def grown(decades: Sequence[Decade]) -> str:
    rows = [
        [
            f"{decade.dialogs:,}",
            f"{decade.usage:.0f}",
            f"{decade.used:.0f}",
            f"{decade.p50:.2f}",
            f"{decade.p95:.2f}",
            f"{decade.p99:.2f}",
            f"{decade.cpu:.0f}",
            f"{decade.redis_cpu:.0f}",
            str(decade.errors),
        ]
        for decade in decades
    ]
    heads = [
        "open dialogs", "bytes a dialog (MEMORY USAGE)", "bytes a dialog (used_memory)", "p50 ms", "p95 ms", "p99 ms", "bot CPU µs a turn",
        "Redis CPU µs", "errors",
    ]  # fmt: skip
    return table(heads, rows)


def parts(rows: Sequence[tuple[str, float, float]]) -> str:
    return table(["part of a turn", "wall µs", "CPU µs"], [[name, f"{wall:.1f}", f"{cpu:.1f}"] for name, wall, cpu in rows])


def write(text: str) -> None:
    """Put the tables between the markers of docs/performance.md; the rest of the page is written by hand."""
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else f"# What a turn costs\n\n{BEGIN}\n{END}\n"
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    Path(PAGE).write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
