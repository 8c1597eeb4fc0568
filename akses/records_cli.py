"""`akses audit | subject | incident | registry` and `akses keys rotate`: what an operator does with the records of the accounts database.

Lives here: the words. Must not live here: the deeds (`backend/audit.py`, `subjects.py`,
`registry.py`, `rotation.py`). It works beside a
running product, also on SQLite. Whom a command is about is asked for on standard input, so that it stands in no process list and in no
shell's history; what it finds goes into a file of its own that only this user may read.
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from backend.rotation import Left
    from backend.services import Backend
    from backend.subjects import Subject

audit = typer.Typer(help="Who did what to which record and when; chained, so that it proves itself.", no_args_is_help=True)
subject = typer.Typer(help="What is held of one person: a copy of it, or its end.", no_args_is_help=True)
incident = typer.Typer(help="Who was affected, for the notice that the law asks for.", no_args_is_help=True)

registry = typer.Typer(help="What brokers and investment managers have on record of their investors.", no_args_is_help=True)


class By(StrEnum):
    """What a person is found by."""

    nik = "nik"
    email = "email"
    phone = "phone"
    registration = "registration"
    account = "account"


class _Trouble(Exception):
    """What is wrong and what to do."""


def _stop(words: str, code: int = 2) -> NoReturn:
    typer.echo(words, err=True)
    raise typer.Exit(code)


@asynccontextmanager
async def _backend() -> AsyncIterator[Backend]:
    from akses.compose import backend_config
    from akses.desk import held, migrate
    from akses.keyring import Keyring
    from akses.logs import configure
    from akses.settings import load
    from backend.services import open_backend
    from helpdesk.tables import PASSING, SEALED

    settings = load("records")
    configure("WARNING", settings.log_format)
    if settings.embedded and not (settings.data_dir / "accounts.db").exists():
        raise _Trouble("There are no records yet: the accounts database does not exist. The first run makes it.")
    if settings.embedded:
        migrate(settings.accounts_url)
    keyring = Keyring.parse(settings.encryption_keys)
    async with open_backend(
        backend_config(settings), keyring, role="tool", also_sealed=SEALED, also_passing=PASSING, talks=held(keyring)
    ) as backend:
        yield backend


def _run(what: Callable[[Backend], Awaitable[int]]) -> NoReturn:
    async def do() -> int:
        async with _backend() as backend:
            return await what(backend)

    try:
        code = asyncio.run(do())
    except _Trouble as trouble:
        _stop(str(trouble))
    raise typer.Exit(code)


def private_file(path: Path) -> IO[str]:
    """A new file for this user's eyes. Raises FileExistsError."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")


# --- the audit


@audit.command()
def verify(
    *,
    expect: Annotated[
        str, typer.Option(help="A head that was noted before (a log line audit.head); it must still be there.")
    ] = "",
    after: Annotated[int, typer.Option(min=0, help="Begin after this entry, say one whose head was noted.")] = 0,
) -> None:
    """Prove that no line was changed, removed, inserted or moved; exit code 1 when one was."""

    async def look(backend: Backend) -> int:
        verdict = await backend.audit.verify(after=after, expected=expect)
        typer.echo(
            f"{verdict.lines} lines" + (f"; head {verdict.head.mac} (entry {verdict.head.position})" if verdict.head else "")
        )
        if verdict.broken:
            typer.echo(
                f"The chain is broken at {_listed(verdict.broken)}: they, or what stood before them, were altered.", err=True
            )
        if verdict.unchained:
            typer.echo(
                f"Outside the chain: {_listed(verdict.unchained)}. An older version wrote them, or a stranger did.", err=True
            )
        if not verdict.head_seen:
            typer.echo("The head that was expected is not there: lines were cut off.", err=True)
        if verdict.holds:
            typer.echo("The chain holds.")
        return 0 if verdict.holds else 1

    _run(look)


def _listed(lines: tuple[int, ...]) -> str:
    shown = ", ".join(str(line) for line in lines[:10])
    return (
        f"line {shown}" if len(lines) == 1 else f"lines {shown}" + (f" and {len(lines) - 10} more" if len(lines) > 10 else "")
    )


# --- one person

Who = Annotated[By, typer.Argument(help="What to find them by; its value is read from standard input.")]


async def _found(backend: Backend, by: By, value: str) -> Subject:
    if not value:
        raise _Trouble("Nothing was given on standard input.")
    found = await backend.subjects.find(by.value, value)
    if not found:
        raise _Trouble(f"Nothing is held under this {by.value}.")
    return found


def _asked(by: By) -> str:
    if sys.stdin.isatty():
        typer.echo(f"{by.value}: ", nl=False, err=True)
    try:
        return sys.stdin.buffer.readline().decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        _stop("What was given on standard input is no text in UTF-8.")


@subject.command()
def export(
    by: Who, *, output: Annotated[Path, typer.Option(help="A new file; it will hold personal data.")] = Path("subject.json")
) -> None:
    """Write down everything that is held of one person (UU 27/2022 art. 7): data, consents, mails, talks with agents, what was done."""
    value = _asked(by)

    async def write(backend: Backend) -> int:
        found = await _found(backend, by, value)
        with _new(output) as file:
            json.dump(await backend.subjects.export(found, "operator"), file, ensure_ascii=False, indent=2)
        typer.echo(
            f"{len(found.accounts)} accounts, {len(found.registrations)} registrations and {len(found.talks)} talks "
            f"with the helpdesk are in {output}."
        )
        if found.talks or (len(found.registrations) > 1 and by in (By.email, By.phone, By.nik)):
            typer.echo("Different people may have entered them: hand over only what is about the one who asks.", err=True)
        return 0

    _run(write)


@subject.command()
def erase(
    by: Who, *, yes: Annotated[bool, typer.Option("--yes", help="Really erase; without it, only say what would be.")] = False
) -> None:
    """Erase everything that is held of one person (art. 8, 43-45); accounts and talks with agents too. It cannot be undone."""
    value = _asked(by)

    async def do(backend: Backend) -> int:
        found = await _found(backend, by, value)
        for kind, ids in (
            ("account", found.accounts),
            ("registration", found.registrations),
            ("talk", found.talks),
        ):
            for one in ids:
                typer.echo(f"{kind} {one}")
        if not yes:
            typer.echo("Nothing was erased. Say it again with --yes to erase these.")
            return 0
        erased = await backend.subjects.erase(found, "operator")
        counted = f"{erased.accounts} accounts, {erased.registrations} registrations, {erased.talks} talks"
        typer.echo(f"Erased: {counted}. Tell the person (art. 45).")
        typer.echo("Backups hold them until they are overwritten; open chats forget within days (docs/operators.md).")
        return 0

    _run(do)


@subject.command("log-out")
def log_out(by: Who) -> None:
    """End every session of one person's account: a lost phone, a stranger's log-in. The password stays as it is."""
    value = _asked(by)

    async def do(backend: Backend) -> int:
        ended = await backend.subjects.log_out(await _found(backend, by, value), "operator")
        typer.echo(f"Ended: {ended} sessions.")
        return 0

    _run(do)


@subject.command()
def welcome() -> None:
    """Let registration mail reach an address again whose owner said "Bukan saya" and has changed their mind (else after 30 days).

    The address is read from standard input. Be sure that whoever asks is its owner.
    """
    value = _asked(By.email)

    async def do(backend: Backend) -> int:
        if not value:
            raise _Trouble("Nothing was given on standard input.")
        if not await backend.subjects.welcome(value):
            raise _Trouble('Nobody said "Bukan saya" at this address within the last 30 days; its mail is not held back.')
        typer.echo("Registration mail reaches this address again.")
        return 0

    _run(do)


# --- an incident


@incident.command("export")
def export_incident(
    since: Annotated[datetime, typer.Argument(help="When it began, UTC: 2026-11-23T04:00:00", formats=["%Y-%m-%dT%H:%M:%S"])],
    until: Annotated[datetime, typer.Argument(help="When it ended, UTC.", formats=["%Y-%m-%dT%H:%M:%S"])],
    *,
    contacts: Annotated[
        bool, typer.Option("--contacts", help="Also names, e-mails and phones, to send them the notice.")
    ] = False,
    output: Annotated[Path, typer.Option(help="A new file, a JSON object a line.")] = Path("incident.jsonl"),
) -> None:
    """Write down whose data was held in a window of time, and which: the notice of art. 46 is due within 3 x 24 hours."""
    window = since.replace(tzinfo=UTC), until.replace(tzinfo=UTC)
    if window[0] > window[1]:
        _stop("It cannot end before it began.")

    async def write(backend: Backend) -> int:
        count = 0
        with _new(output) as file:
            async for line in backend.subjects.affected(*window, contacts=contacts):
                file.write(f"{json.dumps(line, ensure_ascii=False)}\n")
                count += 1
        typer.echo(
            f"{count} records were held between {window[0]:%Y-%m-%d %H:%M:%S}Z and {window[1]:%Y-%m-%d %H:%M:%S}Z: {output}"
        )
        return 0

    _run(write)


def _new(path: Path) -> IO[str]:
    try:
        return private_file(path)
    except FileExistsError:
        raise _Trouble(f"{path} exists already; name another file with --output.") from None
    except OSError as error:
        raise _Trouble(f"{path} cannot be written ({error.strerror}); name another file with --output.") from None


# --- the registry


@registry.command("import")
def import_registry(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV with the columns nik and email; several e-mails, several lines.")
    ],
) -> None:
    """Take a new list in place of the one before, as keyed hashes alone. It is used where REGISTRY=table."""

    async def take(backend: Backend) -> int:
        from backend.registry import ImportRefused

        try:
            with source.open(encoding="utf-8-sig", newline="") as file:
                edition = await backend.registry.take(_pairs(file))
        except OSError as error:
            raise _Trouble(f"Nothing was changed: {source} cannot be read ({error.strerror}).") from None
        except (ImportRefused, UnicodeDecodeError, csv.Error) as refused:
            why = str(refused) if isinstance(refused, ImportRefused) else "it is no CSV in UTF-8"
            raise _Trouble(f"Nothing was changed: {why}. (Lines are counted from 1, without the heading.)") from None
        typer.echo(f"{edition.lines} lines are in use from now on. Destroy the file: it holds what the database does not.")
        return 0

    _run(take)


def _pairs(file: IO[str]) -> Iterator[tuple[str, str]]:
    from backend.registry import ImportRefused

    heading = file.readline()
    file.seek(0)
    lines = csv.DictReader(file, delimiter=";" if heading.count(";") > heading.count(",") else ",")
    names = {name.strip().lower(): name for name in lines.fieldnames or () if name}
    if not {"nik", "email"} <= set(names):
        raise ImportRefused("its first line does not name the columns nik and email")
    for line in lines:
        yield (line[names["nik"]] or "").strip(), (line[names["email"]] or "").strip()


@registry.command()
def status() -> None:
    """Say which list is in use."""

    async def show(backend: Backend) -> int:
        edition = await backend.registry.edition()
        typer.echo(
            f"{edition.lines} lines, in use since {edition.completed_at:%Y-%m-%d %H:%M:%S}Z" if edition else "There is none."
        )
        return 0

    _run(show)


# --- keys


def _under_older_keys(left: Left) -> str:
    return (
        f"Still under an older key: {left.sealed} values, {left.looked_up} look-ups; "
        f"{left.passing} hashes that end by themselves; {left.registry} lines of the registry."
    )


def rotate(*, check: bool) -> None:
    """Do what `akses keys rotate` asks."""

    async def do(backend: Backend) -> int:
        if check:
            left = await backend.rotation.left()
            typer.echo(_under_older_keys(left))
            return 1 if left else 0
        done = await backend.rotation.run(lambda count: typer.echo(f"{count} renewed ...", err=True))
        typer.echo(f"Renewed: {done.renewed}. {_under_older_keys(done.left)}")
        if done.unreadable:
            typer.echo(
                f"{done.unreadable} values open under none of the keys: one that is needed is not in ENCRYPTION_KEYS.", err=True
            )
        elif done.left.to_renew:
            typer.echo(
                "A process that still works with an older key runs beside this: replace it, then say it again.", err=True
            )
        else:
            typer.echo("An older sealing key may go once open dialogs have ended (docs/runbook.md).")
        return 1 if done.left.to_renew else 0

    _run(do)
