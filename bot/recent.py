"""A dict that keeps what was written last and forgets the rest: for what is remembered for looks and may be lost.

Lives here: `Recent`. Must not live here: anything that a dialog depends on.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, TypeVar

_REMEMBERED: Final = 10_000

K = TypeVar("K")
V = TypeVar("V")


class Recent(OrderedDict[K, V]):
    def put(self, key: K, value: V) -> None:
        self[key] = value
        self.move_to_end(key)
        if len(self) > _REMEMBERED:
            self.popitem(last=False)
