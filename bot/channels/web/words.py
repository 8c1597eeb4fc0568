"""The words of the chat page and of the API's errors, by language.

Lives here: reading `words/<language>.toml`. Must not live here: the words themselves, or any word of the dialog (`dialogs/texts/`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

from dialogs.texts import LANGUAGES, Language


def _read(language: Language) -> Mapping[str, Any]:
    file = files(__package__).joinpath("words", f"{language}.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


WORDS: Final[Mapping[Language, Mapping[str, Any]]] = {language: _read(language) for language in LANGUAGES}


def language_of(written: str | None) -> Language:
    """The language asked for, else Indonesian."""
    return next((language for language in LANGUAGES if language == written), LANGUAGES[0])


def error_text(language: Language, code: str, **facts: str | int) -> str:
    template: str = WORDS[language]["error"][code]
    return template.format_map(facts)
