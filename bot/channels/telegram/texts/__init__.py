"""The few words that only Telegram needs, by language, and the dialog's menu as Telegram wants it. All other words: `dialogs/texts/`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from dialogs.commands import MENU
from dialogs.texts import LANGUAGES, Language, text


@dataclass(frozen=True, slots=True)
class Words:
    """`group` has the place {link}; `name` and the descriptions (`introduction.py`) have {operator}; `commands` is the menu, name by
    description, in the order shown.
    """

    group: str
    name: str
    description: str
    short_description: str
    commands: Mapping[str, str]


def _words(language: Language) -> Words:
    written = tomllib.loads((files(__package__) / f"{language}.toml").read_text(encoding="utf-8"))
    return Words(**written, commands={name: text(language, f"flow.menu.{name}") for name in MENU})


WORDS: Final[Mapping[Language, Words]] = {language: _words(language) for language in LANGUAGES}
