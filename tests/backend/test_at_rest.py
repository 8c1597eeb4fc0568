"""Whoever steals the database learns nobody's name, number, address or link."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import psycopg
import pytest

from akses.keyring import Keyring, SealBroken
from backend.vault import Vault
from tests.backend.stage import PASSWORD, Stage, stage_on, token_in

PRIVATE = (
    "Siti",
    "Rahmawati",
    "3174095708900001",
    "81234567890",
    "siti.rahmawati",
    "example.com",
    "akt_",
    PASSWORD,
)


async def live(stage: Stage) -> str:
    """One account with a session and a wrong log-in, one registration disowned, one whose mail waits; the session's token."""
    await stage.register()
    token = await stage.smtp.token()
    await stage.activate(token)
    account = await stage.backend.accounts.authenticate("siti.rahmawati@example.com", PASSWORD, ip="192.0.2.77")
    session = await stage.backend.accounts.open_session(account)  # type: ignore[arg-type]
    assert session is not None
    await stage.backend.accounts.authenticate("siti.rahmawati@example.com", "salah" + PASSWORD, ip="192.0.2.77")
    await stage.register(email="second@example.com", nik="3174095708900009")
    disowned = token_in((await stage.smtp.mails(2))[1])
    await stage.backend.activation.disown(disowned)
    stage.smtp.answers.extend(["451 busy"] * 50)
    await stage.register(email="third@example.com", nik="3174095708900007", full_name="Rahmawati Siti")
    await stage.receiver.events(4)
    return session


async def test_a_stolen_sqlite_file_holds_nothing_in_the_clear(sqlite_url: str, keyring: Keyring) -> None:
    folder = Path(sqlite_url.removeprefix("sqlite:///")).parent
    async with stage_on(sqlite_url, keyring) as stage:
        session = await live(stage)
        stolen = {file.name: file.read_bytes() for file in folder.iterdir() if file.name.startswith("accounts.db")}
    assert {"accounts.db", "accounts.db-wal"} <= set(stolen)
    for name, content in stolen.items():
        _holds_nothing(name, content, session)
    assert b"registrations" in stolen["accounts.db"] + stolen["accounts.db-wal"], "the file is the right one"


async def test_only_the_owner_may_read_the_sqlite_file_and_what_lies_beside_it(sqlite_url: str, keyring: Keyring) -> None:
    folder = Path(sqlite_url.removeprefix("sqlite:///")).parent
    before = os.umask(0o022)
    try:
        async with stage_on(sqlite_url, keyring) as stage:
            await stage.register()
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.glob("accounts.db*")}
    finally:
        os.umask(before)
    assert {"accounts.db", "accounts.db-wal", "accounts.db-shm"} <= set(modes)
    assert set(modes.values()) == {0o600}


async def test_a_stolen_postgresql_database_holds_nothing_in_the_clear(postgres_url: str, keyring: Keyring) -> None:
    async with stage_on(postgres_url, keyring) as stage:
        session = await live(stage)
        with psycopg.connect(postgres_url) as conn:
            tables = conn.execute(
                "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('public', 'dbos')"
            ).fetchall()
            dump = {name: _dump(conn, name) for (name,) in tables}
    assert {"public.registrations", "dbos.workflow_status"} <= set(dump)
    for name, content in dump.items():
        _holds_nothing(name, content, session)


def _dump(conn: psycopg.Connection, table: str) -> bytes:
    found = b""
    for row in conn.execute(f"SELECT * FROM {table}"):  # type: ignore[arg-type]
        found += b" ".join(bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode() for cell in row) + b"\n"
    return found


def _holds_nothing(name: str, content: bytes, session: str) -> None:
    for private in (*PRIVATE, "second@", "third@", "192.0.2.77", session):
        assert private.encode() not in content, (name, private)


def test_a_cell_that_was_copied_to_another_row_does_not_open(keyring: Keyring) -> None:
    vault = Vault(keyring)
    sealed = vault.seal("registrations", "nik", "one", "3174095708900001")
    assert vault.open("registrations", "nik", "one", sealed) == "3174095708900001"
    for place in (("registrations", "nik", "two"), ("registrations", "phone", "one"), ("accounts", "nik", "one")):
        with pytest.raises(SealBroken):
            vault.open(*place, sealed)
