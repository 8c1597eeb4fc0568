"""Old sessions made readable today: one function a major version, each lifting the plain list of fields to the next version's.

Lives here: only changes of shape. Must not live here: reading bytes (`bot/sessions.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from dialogs.session import VERSION

Plain = list[Any]
# Major version -> what lifts it to the next. Version 1 is the first that was released.
UPCASTERS: Final[Mapping[int, Callable[[Plain], Plain]]] = {}


class SessionTooNew(Exception):
    """The session was written by newer code whose shape this code cannot read."""


def upcast(plain: Plain, upcasters: Mapping[int, Callable[[Plain], Plain]] = UPCASTERS, today: int = VERSION[0]) -> Plain:
    """The same session in today's shape. Raises SessionTooNew for a later major version; a later minor one is read as it is."""
    major = int(plain[0][0])
    if major > today:
        raise SessionTooNew
    for each in range(major, today):
        plain = upcasters[each](plain)
    return plain
