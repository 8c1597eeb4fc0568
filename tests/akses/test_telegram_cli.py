"""`akses telegram`: an operator sets the webhook, looks at it and takes it away; what is wrong is one sentence, and no secret is shown."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner

from akses.faults import foreseen
from akses.telegram_cli import app, lines
from tests.fakes.bot_api import FakeBotApi

SECRET = "a-secret_of-36-characters-0123456789"


async def telegram(folder: Path, api: FakeBotApi, *words: str, **settings: str) -> str:
    """What the command says; a foreseen fault in the words that the command line would use."""
    env = {
        "DATA_DIR": str(folder / "data"),
        "TELEGRAM_BOT_TOKEN": api.token,
        "TELEGRAM_API_BASE": api.base,
        "TELEGRAM_WEBHOOK_SECRET": SECRET,
        "PUBLIC_URL": "https://chat.example",
        **settings,
    }
    done = await asyncio.to_thread(CliRunner().invoke, app, words, env=env)
    said = done.output
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        said += foreseen(done.exception) or repr(done.exception)
    assert api.token not in said
    assert SECRET not in said
    return said


@pytest.mark.parametrize("test", [False, True])
async def test_the_webhook_is_set_shown_and_taken_away(tmp_path: Path, test: bool) -> None:
    async with FakeBotApi(test=test) as api:
        assert (
            await telegram(tmp_path, api, "set-webhook") == "Telegram sends updates to https://chat.example/telegram/webhook\n"
        )
        assert api.webhook is not None
        assert (api.webhook.secret, api.webhook.max_connections) == (SECRET, 100)
        api.user("Budi").says("halo")
        assert (await telegram(tmp_path, api, "info")).splitlines()[:4] == [
            "webhook: https://chat.example/telegram/webhook",
            "connections: at most 100",
            "updates asked for: message, edited_message, callback_query, my_chat_member",
            "waiting: 1",
        ]
        await telegram(tmp_path, api, "delete")
        assert (api.webhook, len(api.pending)) == (None, 1)
        shown = await telegram(tmp_path, api, "info")
        assert shown.splitlines()[:2] == ["webhook: none; a polling bot gets the updates", "waiting: 1"]
        await telegram(tmp_path, api, "delete", "--drop")
        assert api.pending == []


async def test_what_is_wrong_is_one_kind_sentence(tmp_path: Path) -> None:
    async with FakeBotApi() as api:
        off = await telegram(tmp_path, api, "info", TELEGRAM_BOT_TOKEN="")
        assert off == "Telegram is off: set TELEGRAM_BOT_TOKEN to the token that @BotFather gave you.\n"
        unknown = await telegram(tmp_path, api, "info", TELEGRAM_BOT_TOKEN="1:unknown")
        assert "does not know this TELEGRAM_BOT_TOKEN" in unknown
        assert "1:unknown" not in unknown
        assert "TELEGRAM_WEBHOOK_SECRET" in await telegram(tmp_path, api, "set-webhook", TELEGRAM_WEBHOOK_SECRET="")
        for url in ("http://chat.example", "https://chat.example:8444", ""):
            said = await telegram(tmp_path, api, "set-webhook", PUBLIC_URL=url, TELEGRAM_API_BASE="https://api.telegram.org")
            assert said.startswith("PUBLIC_URL must be an https:// address")
        api.flood("setWebhook", retry_after=3)
        assert "asks to wait 3 seconds" in await telegram(tmp_path, api, "set-webhook")
        api.refuse("setWebhook", 400, "Bad Request: bad webhook: Failed to resolve host")
        assert "Telegram refuses: Bad Request: bad webhook" in await telegram(tmp_path, api, "set-webhook")
    assert "Telegram cannot be reached" in await telegram(tmp_path, api, "info")


def test_the_last_failure_is_told_with_its_time() -> None:
    hook = {"url": "https://a.example", "pending_update_count": 2, "last_error_date": 0, "last_error_message": ""}
    assert lines(hook)[-1] == "waiting: 2"
    told = lines({**hook, "last_error_date": 1_764_000_000, "last_error_message": "Connection timed out"})[-1]
    assert told == "last failure: 2025-11-24 16:00:00Z, Connection timed out"
