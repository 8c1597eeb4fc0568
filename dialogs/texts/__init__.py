"""The words: every text that a person in a chat reads, by stable id, in Indonesian and English.

Lives here: finding and filling a text. The words themselves are data, `dialogs/texts/<language>/<noun>.toml`: the file's name is the
first part of the id, so `nik.rejected.length` is `length` under `[rejected]` in `nik.toml`. Must not live here: when a text is said.
Placeholders are `{name}`. Both languages hold the same ids and placeholders; a test compares them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Literal, get_args

Language = Literal["id", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
_HOLE = re.compile(r"\{(\w+)\}")


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


# Where the label of an action stands that is not `button.<name>`, by the name before the dot; what follows the dot is the rest of the id.
_CHOICES: Mapping[str, str] = {"kind": "kinds.", "speak": "flow.language_name.", "rate": "button.rate_"}


def label_of(language: Language, action: str) -> str:
    """What stands on the button of this `Action.id`, for whoever reads along: a value in it is left out, but for the name of a field. An
    id that no button has is given back.
    """
    name, _, rest = action.partition(".")
    texts = CATALOGUES[language]
    template = texts.get(f"{_CHOICES[name]}{rest}" if name in _CHOICES else f"button.{name}")
    if template is None:
        return action
    return _HOLE.sub(lambda hole: texts.get(f"{rest}.{hole[1]}", "\N{HORIZONTAL ELLIPSIS}"), template)
