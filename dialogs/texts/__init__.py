"""The words: every text that a person in a chat reads, by stable id, in Indonesian and English.

Lives here: finding and filling a text. The words themselves are data, `dialogs/texts/<language>/<noun>.toml`: the file's name is the
first part of the id, so `nik.rejected.length` is `length` under `[rejected]` in `nik.toml`. Must not live here: when a text is said.
Placeholders are `{name}`. Both languages hold the same ids and placeholders; a test compares them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Literal, get_args

Language = Literal["id", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


def _flatten(prefix: str, node: Mapping[str, Any]) -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in node.items():
        name = f"{prefix}.{key}"
        flat |= {name: value.strip("\n")} if isinstance(value, str) else _flatten(name, value)
    return flat


def catalogue(package: str, language: Language) -> dict[str, str]:
    """Every text of the folder `<language>` in a package, by id; the dialog's own are here, the helpdesk has others."""
    folder = files(package) / language
    found: dict[str, str] = {}
    for name in sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml")):
        found |= _flatten(name.removesuffix(".toml"), tomllib.loads((folder / name).read_text(encoding="utf-8")))
    return found


CATALOGUES: Mapping[Language, Mapping[str, str]] = {language: catalogue(__package__, language) for language in LANGUAGES}


def text(language: Language, id_: str, /, **facts: str | int) -> str:
    """The text of this id with its placeholders filled. Raises KeyError for an unknown id or a missing fact: both are defects."""
    template = CATALOGUES[language][id_]
    return template.format_map(facts) if "{" in template else template
