"""How the bot presents itself before anybody has written to it: name, descriptions, commands, menu button, in both languages.

Lives here: what it says, and telling it to Telegram. Must not live here: what the bot needs in order to work (`running.py`). It is told
beside the work and only where it differs, because Telegram lets a bot change its name a few times a day only, and makes it wait for hours
after that: whatever becomes of it, nobody's chat waits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from bot.channels.telegram.api import BotApi, BotApiError
from bot.channels.telegram.texts import WORDS
from dialogs.texts import LANGUAGES, Language, text

logger = structlog.get_logger(__name__)

# UTF-16 units, as Telegram counts.
NAME_UNITS: Final = 64
DESCRIPTION_UNITS: Final = 512
SHORT_DESCRIPTION_UNITS: Final = 120
_ELLIPSIS: Final = "\N{HORIZONTAL ELLIPSIS}"


@dataclass(frozen=True, slots=True)
class Introduction:
    """In one language: the `name` above the chat, the `description` in the empty chat, the `short_description` on the bot's page and beside
    its link, and the menu's `commands`, name by description.
    """

    name: str
    description: str
    short_description: str
    commands: Mapping[str, str]


Introductions = Mapping[Language, Introduction]


def introductions(operator: str, *, demo: bool) -> Introductions:
    """What the bot says of itself, and of who runs it. An operator's name that is too long for a place is cut there."""

    def one(language: Language) -> Introduction:
        words = WORDS[language]
        demonstration = f"\n\n{text(language, 'flow.demo')}" if demo else ""
        return Introduction(
            name=_fitted(words.name, operator, NAME_UNITS),
            description=_fitted(f"{words.description}{demonstration}", operator, DESCRIPTION_UNITS),
            short_description=_fitted(words.short_description, operator, SHORT_DESCRIPTION_UNITS),
            commands=words.commands,
        )

    return {language: one(language) for language in LANGUAGES}


def _fitted(template: str, operator: str, units: int) -> str:
    shown = operator
    while len(template.format(operator=shown).encode("utf-16-le")) > units * 2 and shown != _ELLIPSIS:
        shown = shown.removesuffix(_ELLIPSIS)[:-1].rstrip() + _ELLIPSIS
    return template.format(operator=shown)


async def introduce(api: BotApi, wanted: Introductions) -> None:
    """Tell Telegram what differs. A refusal is told in the log and the rest goes on; a limit ends it until the next start."""
    changed = []
    for what, about, is_so, to_say in _statements(wanted):
        try:
            if await api.call(f"get{what}", about) == is_so:
                continue
            await api.call(f"set{what}", {**about, **to_say})
        except BotApiError as error:
            logger.warning("telegram.not_introduced", what=what, code=error.code, reason=error.description)
            if error.code == 429 or not 400 <= error.code < 500:
                return
        else:
            changed.append(what)
    if changed:
        logger.info("telegram.introduced", what=changed)


def _statements(wanted: Introductions) -> Iterator[tuple[str, dict[str, Any], Any, dict[str, Any]]]:
    """Method behind get and set, the parameters of both, what get answers where nothing is to be set, and what set says besides."""
    for language, each in wanted.items():
        # Indonesian is also what every other language sees.
        code = {} if language == "id" else {"language_code": language}
        menu = [{"command": name, "description": description} for name, description in each.commands.items()]
        yield "MyCommands", {"scope": {"type": "all_private_chats"}, **code}, menu, {"commands": menu}
        for what, words in (
            ("MyName", {"name": each.name}),
            ("MyDescription", {"description": each.description}),
            ("MyShortDescription", {"short_description": each.short_description}),
        ):
            yield what, code, words, words
    yield "ChatMenuButton", {}, {"type": "commands"}, {"menu_button": {"type": "commands"}}
