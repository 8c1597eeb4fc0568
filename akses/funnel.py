"""`akses funnel`: how far people come in the dialog, and at which rule they turn back; a table for the terminal, or a picture.

Lives here: what the counts come to, and drawing that. Must not live here: counting (`bot/funnel.py`) or keeping (`bot/stores/funnel.py`).
The bars are forms that came so far, each counted once: answering a question anew counts as an edit, and coming back to it as asked again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from bot.funnel import Book, Segment
from dialogs.fields import FIELDS

if TYPE_CHECKING:
    from akses.settings import Settings

# Step, and what says that a form is through it, in the order of the guide; the last two happen at the backend.
STAGES: Final[tuple[tuple[str, str], ...]] = (
    ("consent", "answered"),
    ("kind", "answered"),
    *((field.id, "answered") for field in FIELDS),
    ("summary", "handed_off"),
    ("pending", "accepted"),
    ("active", "activated"),
)
_BAR: Final = 24
_CODES: Final = 4


@dataclass(frozen=True, slots=True)
class Stage:
    """One step: how many forms came through it, and what happened to the others. `codes`: the commonest reasons for a refusal."""

    step: str
    asked: int
    through: int
    rejected: int
    edited: int
    resent: int
    abandoned: int
    codes: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Funnel:
    """`begun`: how often the privacy notice was shown to somebody who might begin. `campaigns`: how many newcomers each has brought."""

    begun: int
    stages: tuple[Stage, ...]
    campaigns: tuple[tuple[str, int], ...] = ()

    def share(self, stage: Stage) -> float:
        """How much of what was begun came through this stage, 0 to 1. A window that opens amid a registration may show more than all."""
        return min(1.0, stage.through / self.begun) if self.begun else 0.0


def funnel(counts: Mapping[Segment, int]) -> Funnel:
    """What the counts come to."""

    def sum_of(step: str, what: str) -> int:
        return sum(number for (at, happened, _), number in counts.items() if (at, happened) == (step, what))

    stages = []
    for step, through in STAGES:
        codes = {code: number for (at, what, code), number in counts.items() if (at, what) == (step, "rejected") and code}
        commonest = sorted(codes.items(), key=lambda pair: (-pair[1], pair[0]))[:_CODES]
        stages.append(
            Stage(
                step=step,
                asked=sum_of(step, "asked"),
                # That the backend has taken a registration is recorded where it was handed off.
                through=sum_of("summary" if through == "accepted" else step, through),
                rejected=sum_of(step, "rejected"),
                edited=sum_of(step, "edited"),
                resent=sum_of(step, "resent"),
                abandoned=sum_of(step, "abandoned"),
                codes=tuple(commonest),
            )
        )
    brought = [(code, number) for (at, what, code), number in counts.items() if (at, what) == ("campaign", "arrived")]
    return Funnel(sum_of("consent", "asked"), tuple(stages), tuple(sorted(brought, key=lambda pair: (-pair[1], pair[0]))))


def table(found: Funnel, first: date, last: date) -> str:
    """For the terminal: a line a step, its bar, and the commonest refusals beneath."""
    head = f"{'step':<10} {'asked':>6} {'through':>7} {'of all':>6}  {'':<{_BAR}} {'refused':>7} {'edited':>6} {'resent':>6} {'left':>5}"
    lines = [f"The dialog's funnel, {first} to {last}: {found.begun} began.", "", head]
    for each in found.stages:
        share = found.share(each)
        bar = "█" * round(share * _BAR) or ("▏" if each.through else "")
        lines.append(
            f"{each.step:<10} {each.asked:>6} {each.through:>7} {share:>6.0%}  {bar:<{_BAR}} "
            f"{each.rejected:>7} {each.edited:>6} {each.resent:>6} {each.abandoned:>5}"
        )
        if each.codes:
            lines.append(f"{'':<10}   refused: {', '.join(f'{code} {number}' for code, number in each.codes)}")
    if found.campaigns:
        lines += ["", "Newcomers by campaign:", *(f"  {code:<34} {number:>6}" for code, number in found.campaigns)]
    return "\n".join(lines)


_ROW, _LEFT, _WIDE, _TOP = 34, 120, 360, 64
_STYLE: Final = """
svg { color-scheme: light dark; font: 14px system-ui, sans-serif; --ink: #1b2430; --faint: #5b6675; --bar: #0f6b5c; --bed: #e7ecef }
@media (prefers-color-scheme: dark) { svg { --ink: #e8edf2; --faint: #9aa7b4; --bar: #3fb59e; --bed: #28323d } }
text { fill: var(--ink) } .faint { fill: var(--faint); font-size: 12px } .bar { fill: var(--bar) } .bed { fill: var(--bed) }
"""


def picture(found: Funnel, first: date, last: date) -> str:
    """The same as SVG: a bar a step; dark and light as the viewer has it."""
    height = _TOP + _ROW * len(found.stages) + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {height}" width="720" height="{height}" role="img">',
        f"<title>The dialog's funnel, {first} to {last}</title>",
        f"<style>{_STYLE}</style>",
        f'<text x="16" y="28" font-size="17" font-weight="600">How far {found.begun} registrations came</text>',
        f'<text x="16" y="48" class="faint">{first} to {last}; through the step, of all that began; refused answers, left there</text>',
    ]
    for number, each in enumerate(found.stages):
        y, share = _TOP + _ROW * number, found.share(each)
        told = f"{each.through} ({share:.0%})"
        aside = ", ".join(f"{count} {word}" for count, word in ((each.rejected, "refused"), (each.abandoned, "left")) if count)
        parts += [
            f'<text x="{_LEFT - 12}" y="{y + 18}" text-anchor="end">{escape(each.step)}</text>',
            f'<rect x="{_LEFT}" y="{y + 3}" width="{_WIDE}" height="20" rx="4" class="bed"/>',
            f'<rect x="{_LEFT}" y="{y + 3}" width="{_WIDE * share:.1f}" height="20" rx="4" class="bar"/>',
            f'<text x="{_LEFT + _WIDE + 10}" y="{y + 18}">{told}</text>',
            f'<text x="{_LEFT + _WIDE + 90}" y="{y + 18}" class="faint">{escape(aside)}</text>',
        ]
    return "\n".join((*parts, "</svg>", ""))


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Book]:
    """The book of the dialog store that these settings name. Raises RedisUnavailable."""
    from bot.stores.funnel import RedisBook, SqliteBook

    if not settings.redis_url:
        yield SqliteBook(settings.data_dir / "funnel.db")
        return
    from bot.redis_link import RedisLink

    link = await RedisLink.open(settings.redis_url)
    try:
        yield RedisBook(link)
    finally:
        await link.close()


async def counted(settings: Settings, first: date, last: date) -> Funnel:
    """What happened on these days, both included. Raises BookUnavailable, RedisUnavailable."""
    async with opened(settings) as book:
        return funnel(await book.since(first, last))
