"""Does an answer tell who is known? Four cohorts and an A/A pair, compared byte by byte and by the ranks of their times.

  .venv/bin/python -m benchmarks.oracle             500 requests a cohort, on SQLite
  .venv/bin/python -m benchmarks.oracle --postgres

Lives here: making the cohorts, asking, judging. New people are asked for twice (new and new again): what differs between them is noise.
Each number is one round through all cohorts in a random order, so that no cohort has a quieter machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx2
import structlog

import backend as backend_package
from akses.keyring import Keyring
from backend.budgets import mailbox
from backend.hashing import DUMMY
from backend.ids import new_id
from backend.tables import accounts, registrations, suppressions
from tests.backend.stage import BODY, Stage, stage_on
from tests.services import fresh_database, postgres_cluster

COHORTS = ("new", "new again", "registered", "not on record", "wants no mail")
# Below this a difference is not chance: 12 comparisons at one in a hundred together.
LEAST_P = 0.01 / 12
WARM_UP = 30
_VARYING = re.compile(r'"(?:id|created_at|link_expires_at|resend_available_at|accepted_at)":"[^"]*"')


def person(cohort: int, number: int) -> dict[str, Any]:
    """Everybody's answer looks the same: the address begins and ends alike."""
    return BODY | {
        "email": f"s{cohort}{number:06}@example.com",
        "nik": f"317{cohort}{number:012}",
        "reference": f"web:{cohort}-{number}",
    }


async def prepare(stage: Stage, count: int) -> None:
    """Active accounts for the third cohort, other addresses on record for the fourth, peace for the fifth."""
    vault, now = stage.backend.audit._vault, stage.clock()  # noqa: SLF001 (what no user of the backend may do)
    async with stage.backend.database.writing() as conn:
        for number in range(count):
            known, left = person(2, number), person(4, number)
            registration = new_id()
            common = {"kind": "individu_lokal", "language": "id", "notice_version": "1"}
            await conn.execute(
                registrations.insert().values(
                    id=registration, status="active", channel="web", reference="", consent_at=now, created_at=now, **common
                )
            )
            sealed = dict.fromkeys(("full_name", "nik", "phone", "email"), b"sealed")
            indexes = {f"{name}_index": vault.index(name, known[name]) for name in ("nik", "phone", "email")}
            await conn.execute(
                accounts.insert().values(
                    id=new_id(),
                    registration_id=registration,
                    password_hash=DUMMY,
                    activated_at=now,
                    **common,
                    **sealed,
                    **indexes,
                )
            )
            peace = {
                "email_index": vault.index("email", mailbox(left["email"])),
                "since": now,
                "until": now + timedelta(days=30),
            }
            await conn.execute(suppressions.insert().values(**peace))
    await stage.backend.registry.take((person(3, number)["nik"], "elsewhere@broker.example") for number in range(count))


class Heard:
    """What one cohort was answered by one kind of request: each form that an answer had, and how long each took, in seconds."""

    def __init__(self) -> None:
        self.forms: set[str] = set()
        self.times: list[float] = []

    def add(self, answer: httpx2.Response, seconds: float) -> None:
        # How long a cooldown still lasts depends on when somebody asks; that it lasts does not.
        timed = {"date": "", "retry-after": "some"}
        kept = sorted((name, timed.get(name, value)) for name, value in answer.headers.items())
        self.forms.add(json.dumps([answer.status_code, kept, _VARYING.sub("", answer.text)]))
        self.times.append(seconds)


async def measure(stage: Stage, count: int) -> dict[str, list[Heard]]:
    """By request, what each cohort heard."""
    heard = {what: [Heard() for _ in COHORTS] for what in ("create", "status", "resend", "limit")}
    ids: dict[tuple[int, int], str] = {}

    async def ask(what: str, cohort: int, number: int) -> None:
        body = person(cohort, number)
        began = time.perf_counter()
        match what:
            case "create":
                answer = await stage.post(**body)
                ids[cohort, number] = answer.json()["id"]
            case "status":
                answer = await stage.http.get(f"/api/v1/registrations/{ids[cohort, number]}")
            case _:
                answer = await stage.resend(ids[cohort, number])
        heard[what][cohort].add(answer, time.perf_counter() - began)

    for what in heard:
        if what == "resend":
            stage.let_pass(seconds=61)
        for number in range(count):
            for cohort in random.sample(range(len(COHORTS)), len(COHORTS)):
                await ask(what, cohort, number)
    return heard


def rank_test(one: Sequence[float], other: Sequence[float]) -> float:
    """The chance of a difference at least as large when there is none (Mann-Whitney U, two-sided, normal approximation)."""
    both = sorted([(value, 0) for value in one] + [(value, 1) for value in other])
    ranks = sum(rank for rank, (_, whose) in enumerate(both, start=1) if whose == 0)
    n, m = len(one), len(other)
    spread = math.sqrt(n * m * (n + m + 1) / 12)
    return math.erfc(abs(ranks - n * (n + m + 1) / 2) / spread / math.sqrt(2))


def judge(heard: dict[str, list[Heard]]) -> bool:
    """Print the table; whether nobody can be told from anybody."""
    well = True
    for what, cohorts in heard.items():
        forms = set().union(*(cohort.forms for cohort in cohorts))
        base, again, *others = (cohort.times[WARM_UP:] for cohort in cohorts)
        noise = abs(statistics.median(base) - statistics.median(again))
        print(f"{what}: {len(forms)} form{'s' * (len(forms) != 1)} of answer; A/A p {rank_test(base, again):.3f}, "
              f"medians apart {noise * 1e6:.0f} us of {statistics.median(base) * 1e3:.2f} ms")  # fmt: skip
        same = all(cohort.forms == cohorts[0].forms for cohort in cohorts)
        well &= same
        if not same:
            print("  the cohorts are answered differently")
        for name, times in zip(COHORTS[2:], others, strict=True):
            # Against both halves of the new ones: twice the sample, the same question.
            p = rank_test(times, [*base, *again])
            apart = statistics.median(times) - statistics.median([*base, *again])
            told = p < LEAST_P and abs(apart) > noise
            well &= not told
            print(f"  {name:14} p {p:.3f}, medians apart {apart * 1e6:+.0f} us{'   TOLD' if told else ''}")
    return well


@contextmanager
def database(*, postgres: bool) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="akses-oracle-") as folder:
        if not postgres:
            yield f"sqlite:///{folder}/accounts.db"
            return
        with postgres_cluster() as cluster, fresh_database(cluster, "oracle") as url:
            backend_package.migrate(url)
            yield url


async def main(count: int, *, postgres: bool) -> bool:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with database(postgres=postgres) as url:
        settings = {"check_registry": True, "mails_an_hour": 1_000_000}
        # A web process: the mails, which do tell, are written by another one.
        async with stage_on(url, Keyring.parse(Keyring.generate()), role="web", **settings) as stage:
            await prepare(stage, count)
            return judge(await measure(stage, count))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.oracle", description="Does an answer tell who is known?")
    parser.add_argument("--requests", type=int, default=500, help="of each cohort and kind (500)")
    parser.add_argument("--postgres", action="store_true")
    options = parser.parse_args()
    sys.exit(0 if asyncio.run(main(options.requests, postgres=options.postgres)) else 1)
