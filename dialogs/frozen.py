"""A copy of a frozen dataclass with some fields changed: `dataclasses.replace` at about half its price.

A turn makes some seven such copies, and the standard one was the single dearest thing that it did. Same meaning; an unknown name raises
KeyError.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, TypeVar

T = TypeVar("T")

_plans: Final[dict[type, tuple[dict[str, int], Callable[[Any], tuple[Any, ...]]]]] = {}


def replace(value: T, /, **changes: Any) -> T:
    """Only for dataclasses of two fields and more, all of them fields of `__init__`."""
    cls = type(value)
    plan = _plans.get(cls)
    if plan is None:
        names = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
        plan = _plans[cls] = ({name: position for position, name in enumerate(names)}, attrgetter(*names))
    positions, get = plan
    values = list(get(value))
    for name, change in changes.items():
        values[positions[name]] = change
    return cls(*values)
