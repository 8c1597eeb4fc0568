"""What every field of the form offers, and what reading an answer can come to.

Lives here: the shape that `full_name.py`, `nik.py`, `phone.py`, `email.py` share. Must not live here: any field's own rules.
To add a question, copy a neighbour, add it to `dialogs/fields/__init__.py` in the order of asking, and give it texts and cases.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Literal, Protocol

from dialogs.frozen import Frozen, field
from dialogs.screens import Hint

Facts = Mapping[str, str]
Privacy = Literal["identity", "contact", "name"]


class Accepted(Frozen, frozen=True):
    """The answer is good. `value` is its one stored form."""

    value: str


class Doubt(Frozen, frozen=True):
    """Something unusual that may well be right. `code` names the text `<field>.doubt.<code>`, filled in with `facts`."""

    code: str
    facts: Facts = field(default_factory=dict)


class Doubtful(Frozen, frozen=True):
    """The answer can be kept if the person says so; `suggestion` is another value worth offering, never applied by itself."""

    value: str
    doubts: tuple[Doubt, ...]
    suggestion: str = ""


class Rejected(Frozen, frozen=True):
    """The answer cannot be used. `code` names the text `<field>.rejected.<code>`, filled in with `facts`: what is wrong, and an example."""

    code: str
    facts: Facts = field(default_factory=dict)


Parsed = Accepted | Doubtful | Rejected


class Field(Protocol):
    """One question of the form. A field is stateless: every method depends on its arguments alone."""

    @property
    def id(self) -> str:
        """Stable name, also the prefix of its text ids: full_name, nik, phone, email."""

    @property
    def hint(self) -> Hint: ...

    @property
    def privacy(self) -> Privacy: ...

    def parse(self, text: str, today: date) -> Parsed:
        """Read what was typed; at most 4,096 characters come in, in any script. Never raises."""

    def show(self, value: str) -> str:
        """The stored value as its owner proof-reads it: 3171 2345 0190 0001, 0812-3456-7890."""

    def mask(self, value: str) -> str:
        """The stored value as it may be shown to anybody else: 3171********0001."""
