"""`akses jobs stats | dead | replay`: the durable work as an operator sees it.

Lives here: the words. Must not live here: what is counted or replayed (`backend/jobs.py`). It works beside a running product, also on
SQLite; what it prints are ids, names, codes and times, never personal data.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from akses.faults import why

if TYPE_CHECKING:
    from backend.job_records import Stats
    from backend.jobs import Jobs

app = typer.Typer(help="Durable work: what waits, what died, and how to bring it back.", no_args_is_help=True)
_PAGE = 1000


class _Trouble(Exception):
    """What is wrong and what to do."""


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[Jobs]:
    from backend.database import Database
    from backend.jobs import Jobs

    database = Database(url)
    jobs = Jobs(database, url)
    try:
        yield jobs
    finally:
        await jobs.close()
        await database.close()


def _run(what: Callable[[Jobs], Awaitable[None]]) -> None:
    from sqlalchemy.exc import OperationalError, ProgrammingError

    from akses.settings import load

    settings = load("jobs")
    if settings.embedded and not (settings.data_dir / "accounts.db").exists():
        _stop("There is no durable work yet: the accounts database does not exist. The first run makes it.")

    async def do() -> None:
        async with _opened(settings.accounts_url) as jobs:
            await what(jobs)

    try:
        asyncio.run(do())
    except _Trouble as trouble:
        words = str(trouble)
    except ProgrammingError:
        words = "The accounts database has no durable work in it. Bring it up to date first: akses migrate"
    except OperationalError as error:
        words = f"The accounts database cannot be used ({why(error)}). Is it running, and is DATABASE_URL right?"
    else:
        return
    _stop(words)


def _stop(words: str) -> NoReturn:
    typer.echo(words, err=True)
    raise typer.Exit(2)


def lines(stats: Stats) -> list[str]:
    """The figures in words; the doctor says the same."""
    waiting = ", ".join(f"{queue} {count}" for queue, count in sorted(stats.waiting.items())) or "nothing"
    oldest = f"; the first in line waits for {stats.oldest:.0f} s" if stats.waiting else ""
    dead = ", ".join(f"{job} {count}" for job, count in sorted(stats.dead.items())) or "none"
    said = [f"waiting: {waiting}{oldest}", f"running: {stats.running}", f"dead letters: {dead}"]
    if stats.late:
        said.append(f"late: {stats.late} delayed jobs are past their time; is a worker running?")
    return said


@app.command()
def stats() -> None:
    """Count what waits, runs and died."""

    async def show(jobs: Jobs) -> None:
        for line in lines(await jobs.stats()):
            typer.echo(line)

    _run(show)


@app.command()
def dead(*, limit: Annotated[int, typer.Option(min=1, help="At most so many, oldest first.")] = 100) -> None:
    """List the dead letters: jobs that nobody tries any more. Each line: id, reason, when it was written, when it died."""

    async def show(jobs: Jobs) -> None:
        letters = await jobs.dead_letters(limit)
        for letter in letters:
            times = f"{letter.enqueued_at:%Y-%m-%d %H:%M:%S}Z  {letter.died_at:%Y-%m-%d %H:%M:%S}Z"
            typer.echo(f"{letter.id}  {letter.reason}  {times}")
        if not letters:
            typer.echo("There are no dead letters.")
        elif len(letters) == limit:
            typer.echo(f"(the first {limit}; there may be more: --limit)", err=True)

    _run(show)


@app.command()
def replay(
    letter: Annotated[str, typer.Argument(metavar="[ID]", help="One of the ids that `akses jobs dead` lists.")] = "",
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
) -> None:
    """Bring a dead letter back. The job is done for the same record, so a mail or an event never becomes a second one."""
    from backend.jobs import DeadLetterUnknown

    if bool(letter) == everything:
        _stop("Say which one: akses jobs replay ID, or akses jobs replay --all")

    async def one(jobs: Jobs) -> None:
        try:
            await jobs.replay(letter)
        except DeadLetterUnknown:
            raise _Trouble(f"No dead letter has the id {letter}. See: akses jobs dead") from None
        typer.echo("1 job is back in the queue.")

    async def every(jobs: Jobs) -> None:
        count = 0
        letters = await jobs.dead_letters(_PAGE)
        for each in letters:
            with suppress(DeadLetterUnknown):  # somebody else was quicker
                await jobs.replay(each.id)
                count += 1
        typer.echo(f"{count} {'job is' if count == 1 else 'jobs are'} back in the queue.")
        if len(letters) == _PAGE:
            typer.echo("There are more; say it again.")

    _run(every if everything else one)
