"""`akses telegram set-webhook | info | delete`: where Telegram sends what people write, as an operator sees and sets it.

Lives here: the words. Must not live here: how the webhook is asked for (`bot/channels/telegram/running.py`). The bot does all of it by
itself at its start; this is for whoever moves it or looks why nothing arrives. Neither the token nor the secret is ever printed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from bot.channels.telegram.api import BotApiError
    from bot.channels.telegram.running import TelegramConfig

app = typer.Typer(help="Telegram's webhook: set it, look at it, take it away.", no_args_is_help=True)


def _config() -> TelegramConfig:
    from akses.compose import telegram_config
    from akses.settings import load

    settings = load("telegram")
    if not settings.telegram_bot_token:
        _stop("Telegram is off: set TELEGRAM_BOT_TOKEN to the token that @BotFather gave you.")
    return telegram_config(settings)


def _call(config: TelegramConfig, method: str, params: Mapping[str, Any]) -> Any:
    """The method's result; a refusal ends the command in one sentence."""
    from bot.channels.telegram.api import BotApiError
    from bot.channels.telegram.running import connect

    async def once() -> Any:
        api = connect(config)
        try:
            return await api.call(method, dict(params), within=20)
        finally:
            await api.close()

    try:
        return asyncio.run(once())
    except BotApiError as error:
        _stop(_why(error))


def _why(error: BotApiError) -> str:
    match error.code:
        case 401 | 404:
            return "Telegram does not know this TELEGRAM_BOT_TOKEN. @BotFather shows the one in force."
        case 429:
            return f"Telegram asks to wait {error.retry_after:g} seconds before the next try."
        case code if code == 0 or code >= 500:
            return f"Telegram cannot be reached ({error.description}). Is the network up, and TELEGRAM_API_BASE right?"
        case _:
            return f"Telegram refuses: {error.description}"


def _stop(words: str) -> NoReturn:
    typer.echo(words, err=True)
    raise typer.Exit(2)


@app.command("set-webhook")
def set_webhook() -> None:
    """Have Telegram send updates to PUBLIC_URL, with TELEGRAM_WEBHOOK_SECRET. Nothing that waits is thrown away."""
    from dataclasses import replace

    config = replace(_config(), mode="webhook")
    _call(config, "setWebhook", config.webhook)
    typer.echo(f"Telegram sends updates to {config.webhook['url']}")


@app.command()
def info() -> None:
    """Say where Telegram sends updates, how many wait there, and what went wrong last."""
    for line in lines(_call(_config(), "getWebhookInfo", {})):
        typer.echo(line)


@app.command()
def delete(
    *,
    drop: Annotated[
        bool, typer.Option("--drop", help="Throw away what people have written meanwhile; they get no answer.")
    ] = False,
) -> None:
    """Take the webhook away, so that the bot can poll. What waits is kept for it, 24 hours at most."""
    _call(_config(), "deleteWebhook", {"drop_pending_updates": drop})
    typer.echo("Telegram has no webhook of this bot any more.")


def lines(hook: Mapping[str, Any]) -> list[str]:
    """What getWebhookInfo answers, in words."""
    url = hook.get("url")
    said = [f"webhook: {url}" if url else "webhook: none; a polling bot gets the updates"]
    if url:
        said.append(f"connections: at most {hook.get('max_connections', 40)}")
        said.append(f"updates asked for: {', '.join(hook.get('allowed_updates', ())) or 'the usual ones'}")
    said.append(f"waiting: {hook.get('pending_update_count', 0)}")
    if failed := hook.get("last_error_date"):
        at = datetime.fromtimestamp(int(failed), UTC)
        said.append(f"last failure: {at:%Y-%m-%d %H:%M:%S}Z, {hook.get('last_error_message') or 'without a reason'}")
    return said
