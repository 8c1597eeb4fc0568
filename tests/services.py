"""Real services for the tests: a PostgreSQL cluster of their own, on a free port of this machine, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def postgres_programs() -> Path | None:
    """The folder of initdb and postgres, the newest one installed; None when there is none."""
    on_path = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda found: int(found.parts[-3]))
    if on_path:
        return Path(on_path).resolve().parent
    return folders[-1].parent if folders else None


@contextmanager
def postgres_cluster() -> Iterator[str]:
    """The URL of an empty cluster's maintenance database. PostgreSQL refuses to run as root, so root hands it to `postgres`."""
    programs = postgres_programs()
    if programs is None:
        raise FileNotFoundError("PostgreSQL is not installed: apt-get install postgresql")
    user = pwd.getpwnam("postgres") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
    # Not pytest's own folder: that one is closed to the user `postgres`.
    folder = Path(tempfile.mkdtemp(prefix="akses-pg-"))
    port = free_port()
    try:
        shutil.chown(folder, user.pw_uid, user.pw_gid)

        def call(*command: str | Path) -> None:
            as_user = {} if os.getuid() else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": list[int]()}
            _run([str(part) for part in command], folder, as_user)

        data = folder / "data"
        call(programs / "initdb", "-D", data, "-U", "akses", "-A", "trust", "-E", "UTF8", "--no-sync")
        settings = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200"
        call(programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", settings, "start")
        try:
            yield f"postgresql://akses@127.0.0.1:{port}/postgres"
        finally:
            call(programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: Sequence[str], folder: Path, as_user: dict[str, object]) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, **as_user)  # type: ignore[call-overload]
    if done.returncode:
        raise RuntimeError(f"{command[0]} stopped with {done.returncode}: {done.stdout}{done.stderr}")


@contextmanager
def fresh_database(cluster: str, name: str, *, template: str | None = None) -> Iterator[str]:
    """The URL of a new database of the cluster, dropped afterwards."""
    with psycopg.connect(cluster, autocommit=True) as conn:
        conn.execute(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))  # type: ignore[arg-type]
    try:
        yield cluster.rpartition("/")[0] + "/" + name
    finally:
        with contextlib.suppress(psycopg.Error), psycopg.connect(cluster, autocommit=True) as conn:
            conn.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')  # type: ignore[arg-type]
