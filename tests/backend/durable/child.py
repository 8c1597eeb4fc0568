"""A worker process of its own whose jobs do good, or kill it.

    python -m tests.backend.durable.child DATABASE_URL DIARY

Every job that is done writes its subject into the diary. The job `kill` ends the process as a crash would.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from backend.database import Database
from backend.jobs import Jobs, Patience

PATIENCE = Patience(grace=1.5)


def note(diary: str, subject: str) -> None:
    with Path(diary).open("a", encoding="ascii") as file:
        file.write(f"{subject}\n")


async def main(database_url: str, diary: str) -> None:
    async def good(subject: str, _attempt: int) -> None:
        await asyncio.sleep(0.2)
        await asyncio.to_thread(note, diary, subject)

    async def kill(_subject: str, _attempt: int) -> None:
        os._exit(9)

    jobs = Jobs(Database(database_url), database_url, patience=PATIENCE)
    jobs.handle("good", good, queue="mail")
    jobs.handle("kill", kill, queue="mail")
    await jobs.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
