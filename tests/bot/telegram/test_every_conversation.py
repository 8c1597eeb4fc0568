"""Every message of every written conversation is one that Telegram takes, whatever keyboard is up, and shows nobody a link's preview."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.channels.telegram.codec import Call, draw, plain
from dialogs.effects import DeleteUserMessages, Effect, Redraw, Say, Show
from dialogs.events import Event
from dialogs.frozen import replace
from dialogs.testing import PROFILE, Conversation, played
from tests.fakes import telegram_rules as rules
from tests.transcripts import DIALOG

FILES = sorted(DIALOG.glob("*.md"))


@dataclass
class Noted(Conversation):
    """A conversation whose messages are kept."""

    brought_all: list[Effect] = field(default_factory=list)

    def happens(self, event: Event) -> tuple[Effect, ...]:
        effects = super().happens(event)
        self.brought_all += effects
        return effects


def accepted(call: Call) -> None:
    """Raises what Telegram would answer."""
    params = rules.parameters(call.method, json.loads(json.dumps(call.params)))
    if call.method == "deleteMessages":
        assert 1 <= len(params["message_ids"]) <= 100
        return
    rules.message_text(params)
    rules.effect(params, private=True)
    if "reply_markup" in params:
        rules.markup(params["reply_markup"], inline_only="message_id" in params)
    assert params["link_preview_options"] == {"is_disabled": True}
    assert "parse_mode" not in params


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_telegram_takes_every_message_of_the_conversation(path: Path) -> None:
    chat = Noted(channel="telegram", profile=replace(PROFILE, app_url="https://akses.example/telegram/app"))
    played(path.read_text("utf-8"), chat)
    messages = [each for each in chat.brought_all if isinstance(each, Say | Show | Redraw | DeleteUserMessages)]
    assert messages
    for message in messages:
        # Our messages bear the names bot1, bot2 and theirs m1, m2 in the test kit, and numbers in Telegram.
        numbered: Say | Show | Redraw | DeleteUserMessages = message
        if isinstance(message, Redraw):
            numbered = replace(message, message="7")
        elif isinstance(message, DeleteUserMessages):
            numbered = replace(message, messages=tuple(str(at) for at, _ in enumerate(message.messages, 1)))
        for keyboard_up in (False, True):
            calls = draw(5, numbered, keyboard_up=keyboard_up)
            assert calls
            for call in calls:
                accepted(call)
                if (unadorned := plain(call)) is not None:
                    accepted(unadorned)
            shown = message.screen if isinstance(message, Show) else None
            if shown is not None and shown.sensitive:
                assert all(call.params["protect_content"] for call in calls)
