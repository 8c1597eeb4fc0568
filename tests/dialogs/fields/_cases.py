"""Reading `cases/<field>.toml` into one flat table.

`accepted` has the stored value, `unchanged` is accepted as typed, `rejected` has its code, `doubtful` its codes in order. What a
case leaves out (a value, facts) is not looked at, except a doubtful value, which is then the input, and a suggestion, then none.
`also` gives single inputs of a group other doubts.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from dialogs.fields import FIELDS
from dialogs.fields._field import Accepted, Doubtful, Parsed, Rejected

TODAY = date(2026, 11, 22)


@dataclass(frozen=True)
class Case:
    field: str
    typed: str
    expected: Parsed
    facts: Mapping[str, str] | None = field(default=None)

    def __str__(self) -> str:
        return f"{self.field}: {self.typed[:40]!r}"


def _of(field_id: str) -> Iterator[Case]:
    table = tomllib.loads((Path(__file__).parent / "cases" / f"{field_id}.toml").read_text(encoding="utf-8"))
    for group in table.get("accepted", ()):
        for typed in group["inputs"]:
            yield Case(field_id, typed, Accepted(group["value"]))
    for group in table.get("unchanged", ()):
        for typed in group["inputs"]:
            yield Case(field_id, typed, Accepted(typed))
    for group in table.get("rejected", ()):
        for typed in group["inputs"]:
            yield Case(field_id, typed, Rejected(group["code"]), group.get("facts") if typed == group["inputs"][0] else None)
    for group in table.get("doubtful", ()):
        for typed in group["inputs"]:
            codes = group.get("also", {}).get(typed, group["doubts"])
            doubtful = Doubtful(group.get("value", typed), tuple(codes), group.get("suggestion", ""))
            yield Case(field_id, typed, doubtful, group.get("facts") if typed == group["inputs"][0] else None)


CASES: tuple[Case, ...] = tuple(case for field_ in FIELDS for case in _of(field_.id))
