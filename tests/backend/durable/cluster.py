"""A PostgreSQL cluster of the test's own that it may stop, as a crash of the server would, and start again."""

from __future__ import annotations

import os
import pwd
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

import backend
from tests.services import postgres_cluster, postgres_programs


@dataclass(frozen=True)
class Cluster:
    """`url` leads to a migrated database."""

    url: str
    data: Path
    options: str

    def stop(self) -> None:
        """At once, without a word to anybody who is connected."""
        self._call("-m", "immediate", "stop")

    def start(self) -> None:
        self._call("-l", str(self.data.parent / "log"), "-o", self.options, "start")

    def _call(self, *words: str) -> None:
        programs = postgres_programs()
        assert programs is not None
        who = pwd.getpwnam("postgres")
        as_user = {} if os.getuid() else {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": list[int]()}
        command = [str(programs / "pg_ctl"), "-D", str(self.data), "-w", *words]
        # No pipes: the server would inherit them, and reading them would last as long as it lives.
        subprocess.run(command, cwd=self.data.parent, check=True, stdout=subprocess.DEVNULL, **as_user)  # type: ignore[call-overload]


@contextmanager
def own_cluster() -> Iterator[Cluster]:
    with postgres_cluster() as maintenance:
        with psycopg.connect(maintenance, autocommit=True) as conn:
            (data,) = conn.execute("SHOW data_directory").fetchone() or ("",)
            conn.execute("CREATE DATABASE accounts")
        # What it was started with; the first word is the program.
        options = shlex.split((Path(data) / "postmaster.opts").read_text())[1:]
        url = maintenance.rpartition("/")[0] + "/accounts"
        backend.migrate(url)
        cluster = Cluster(url, Path(data), shlex.join(option for option in options if option not in ("-D", data)))
        try:
            yield cluster
        finally:
            if not (cluster.data / "postmaster.pid").exists():
                cluster.start()  # what made it expects to stop it
