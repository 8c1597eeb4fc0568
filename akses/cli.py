"""The command line: `akses run | web | bot | worker | chat | migrate | doctor | flow | funnel | bounce | jobs | agents | keys | ...`.

Lives here: one short function a command. Must not live here: what a command starts (`akses/compose.py`, `akses/chat.py`). Heavy imports
stay inside the commands, so that `--help` is quick.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from akses import agents_cli, jobs_cli, records_cli, telegram_cli
from akses.settings import Settings, load

if TYPE_CHECKING:
    from akses.compose import Role

app = typer.Typer(
    name="akses",
    help="Registration for an AKSes account as a conversation. In a clone, ./run stands for akses.",
    no_args_is_help=True, add_completion=False,
    pretty_exceptions_enable=False,
)  # fmt: skip
keys = typer.Typer(help="Keys that protect personal data at rest.", no_args_is_help=True)
app.add_typer(keys, name="keys")
app.add_typer(agents_cli.app, name="agents")
app.add_typer(jobs_cli.app, name="jobs")
app.add_typer(telegram_cli.app, name="telegram")
app.add_typer(records_cli.audit, name="audit")
app.add_typer(records_cli.subject, name="subject")
app.add_typer(records_cli.incident, name="incident")
app.add_typer(records_cli.registry, name="registry")


def main() -> None:
    """Run the command line; every foreseen fault ends in one clear sentence and exit code 2 (`akses/faults.py`)."""
    try:
        app(prog_name="akses")  # whichever way it was started: what our words tell to type
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except Exception as error:
        from akses.faults import foreseen

        words = foreseen(error)
        if words is None:
            raise
        typer.echo(words, err=True)
        sys.exit(2)


def _settings(role: str) -> Settings:
    from akses.logs import configure

    settings = load(role)
    configure(settings.log_level, settings.log_format)
    return settings


def _serve(role: Role) -> None:
    import uvloop

    from akses.serve import serve

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(_settings(role), role))


@app.command()
def run() -> None:
    """The whole product in one process, with nothing else to install: web chat, backend, mail catcher."""
    _serve("run")


@app.command()
def web() -> None:
    """The backend's API and pages (production)."""
    _serve("web")


@app.command()
def bot() -> None:
    """The chats: web chat, Telegram, status webhook (production)."""
    _serve("bot")


@app.command()
def worker() -> None:
    """The backend's durable work: mail, status webhooks, expiry (production)."""
    _serve("worker")


@app.command()
def migrate() -> None:
    """Bring the accounts database to this version's schema."""
    from akses import desk
    from backend import migrate as bring_up

    settings = _settings("migrate")
    bring_up(settings.accounts_url)
    desk.migrate(settings.accounts_url)
    typer.echo("The accounts database is up to date.")


@app.command()
def chat(
    *,
    json: Annotated[bool, typer.Option("--json", help="Lines of JSON in and out, for programs.")] = False,
    new: Annotated[bool, typer.Option("--new", help="Begin a new conversation instead of going on with the last one.")] = False,
    url: Annotated[str, typer.Option(help="The product's address; by default the one on this machine.")] = "",
    language: Annotated[Literal["id", "en"] | None, typer.Option(help="Of a new conversation.")] = None,
) -> None:
    """Chat in the terminal with the product that is running on this machine (start it with: akses run)."""
    from akses.chat import chat as talk

    settings = load("chat")
    session = settings.data_dir / "terminal-session"
    raise typer.Exit(
        asyncio.run(
            talk(
                url or settings.local_base,
                session_file=Path(session),
                json_lines=json,
                new=new,
                language=language,
                # The key of this machine's own product opens its simulator; no other address is given it.
                key="" if url else next(iter(settings.api_keys), ""),
            )
        )
    )


@app.command()
def flow(
    *,
    svg: Annotated[bool, typer.Option("--svg", help="The picture as SVG instead of Mermaid.")] = False,
    write: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Write flow.md and flow.svg into this folder (here: docs)."),
    ] = None,
) -> None:
    """Draw the dialog from the tables that run it: every step, and what leads where."""
    from dialogs import diagram

    if write is None:
        typer.echo(diagram.picture() if svg else diagram.chart())
        return
    for name, text in (("flow.md", diagram.page()), ("flow.svg", diagram.picture())):
        (write / name).write_text(text, "utf-8")
        typer.echo(write / name)


@app.command()
def funnel(
    *,
    days: Annotated[int, typer.Option(min=1, max=400, help="So many days, up to and with today.")] = 7,
    svg: Annotated[Path | None, typer.Option(dir_okay=False, help="Write the picture into this file instead.")] = None,
) -> None:
    """How far people come in the dialog, and where they turn back; of all processes, without a byte of personal data."""
    from akses import funnel as drawing
    from dialogs.clock import local_date

    settings = load("funnel")
    today = local_date(datetime.now(UTC))
    first = today - timedelta(days=days - 1)
    found = asyncio.run(drawing.counted(settings, first, today))
    if svg is None:
        typer.echo(drawing.table(found, first, today))
    else:
        try:
            svg.write_text(drawing.picture(found, first, today), "utf-8")
        except OSError as error:
            typer.echo(f"{svg} cannot be written ({error.strerror}); name another file with --svg.", err=True)
            raise typer.Exit(2) from None
        typer.echo(svg)


@app.command()
def bounce() -> None:
    """Read one mail from standard input, and tell the backend if it reports that a mail of ours came back (docs/operators.md)."""
    import httpx2

    from akses.bounce import TRY_AGAIN, tell

    try:
        told = tell(load("bounce"), sys.stdin.buffer.read())
    except httpx2.HTTPError as error:
        typer.echo(
            f"The backend could not be told ({type(error).__name__}): look at BACKEND_URL and BACKEND_API_KEY.", err=True
        )
        raise typer.Exit(TRY_AGAIN) from None
    typer.echo(f"{told} mail(s) reported as not delivered.")


@app.command()
def doctor() -> None:
    """Check the settings and every part that this machine can reach; exit code 1 when something is wrong."""
    from akses.doctor import examine

    raise typer.Exit(asyncio.run(examine(_settings("doctor"))))


@keys.command("new")
def keys_new() -> None:
    """Print a new value for ENCRYPTION_KEYS."""
    from akses.keyring import Keyring

    typer.echo(Keyring.generate())


@keys.command("rotate")
def keys_rotate(
    *, check: Annotated[bool, typer.Option("--check", help="Only count what is sealed under an older key.")] = False
) -> None:
    """Seal anew, under the first of ENCRYPTION_KEYS, what older keys sealed in the accounts database; beside the running product."""
    records_cli.rotate(check=check)
