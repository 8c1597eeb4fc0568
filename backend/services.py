"""The backend, built: its services wired to one database, one keyring and the durable engine.

Lives here: construction and order of start and stop; the one place that knows all of them. Must not live here: HTTP (`app.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import httpx2
from sqlalchemy.ext.asyncio import AsyncEngine

from backend.account_mail import SEND_ACCOUNT_MAIL, AccountMails
from backend.accounts import Accounts
from backend.activation import Activation
from backend.audit import Audit
from backend.chat_registrations import ChatRegistrations
from backend.clock import Clock, utc_now
from backend.config import BackendConfig
from backend.database import Database, only_process
from backend.events import DELIVER, Events
from backend.hashing import Hasher
from backend.hooks import StatusWebhook
from backend.housekeeping import TIDY, Housekeeping
from backend.jobs import Jobs
from backend.links import EXPIRE, PURGE, SEND_MAIL, SEND_NOTICE, Links
from backend.mail.bounces import Bounces
from backend.mail.sending import Mailer
from backend.mail.smtp import Smtp
from backend.migrations import migrate, require_current
from backend.new_password import ANSWER, NewPassword
from backend.outbound import PinnedTransport
from backend.phone_checks import SEND_SMS, PhoneChecks
from backend.registrations import Registrations
from backend.registry import RegistryVerifier, TableRegistry
from backend.reveals import Reveals
from backend.rotation import Rotation, Sealed
from backend.sms import HttpSms
from backend.subjects import Subjects, Talks
from backend.throttle import Throttle
from backend.traces import UNTRACED, Traces
from backend.vault import Keyring, Vault
from backend.visits import Visits
from backend.waiting import until_it_answers

Role = Literal["all", "web", "worker", "tool"]


@dataclass(frozen=True, slots=True)
class Backend:
    """What pages, API and the operator's commands are given."""

    config: BackendConfig
    database: Database
    jobs: Jobs
    registrations: Registrations
    reveals: Reveals
    activation: Activation
    accounts: Accounts
    new_password: NewPassword
    phone_checks: PhoneChecks
    audit: Audit
    subjects: Subjects
    rotation: Rotation
    registry: TableRegistry
    throttle: Throttle
    bounces: Bounces
    chat_registrations: ChatRegistrations
    # None where no bot's chats have a page of ours.
    visits: Visits | None

    @property
    def engine(self) -> AsyncEngine:
        return self.database.engine

    async def ready(self) -> None:
        """Returns when the database answers and has room; raises what it raises."""
        await self.database.ready()


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def open_backend(
    config: BackendConfig,
    keyring: Keyring,
    *,
    role: Role,
    clock: Clock = utc_now,
    registry: RegistryVerifier | None = None,
    observe: Callable[[str, str, float], None] = lambda *_: None,
    traces: Traces = UNTRACED,
    also_sealed: Sealed = (),
    also_passing: Sealed = (),
    talks: Talks | None = None,
) -> AsyncIterator[Backend]:
    """Build the backend inside the running loop; "web" only writes jobs, "worker" and "all" also do them; "tool" is a command
    beside them. `registry` answers whose e-mail is on record, instead of the table that `config.check_registry` switches on; `also_sealed`
    are others' columns that a rotation of keys is to seal anew, `also_passing` others' keyed hashes that end by themselves,
    `talks` what people said to the operator's own.

    SQLite is brought up to date here and held by this process alone (raises DatabaseInUse); PostgreSQL must have been migrated
    (raises SchemaOutdated), and is waited for when it does not answer yet (raises DatabaseUnreachable).
    """
    async with AsyncExitStack() as stack:
        if role != "tool":
            stack.enter_context(only_process(config.database_url))
        database = Database(config.database_url)
        stack.push_async_callback(database.close)
        if database.sqlite and role != "tool":
            migrate(config.database_url)
        else:
            await until_it_answers(database)
            async with database.reading() as conn:
                await conn.run_sync(require_current)
        # No proxy of the environment, no redirect, no address behind a name: where events go is the operator's word alone.
        transport = PinnedTransport(config.outbound_networks)
        client = await stack.enter_async_context(
            httpx2.AsyncClient(transport=transport, trust_env=False, follow_redirects=False)
        )
        jobs = Jobs(database, config.database_url, observe=observe, traces=traces)
        stack.push_async_callback(jobs.close)
        vault, hasher = Vault(keyring), Hasher()
        audit = Audit(database, vault)
        events = Events(jobs, told=bool(config.status_webhook_url))
        links = Links(config, vault, jobs)
        smtp = Smtp.parse(config.smtp_url, config.timings.smtp_timeout)
        gateway = HttpSms.parse(config.sms_url, client, config.timings.sms_timeout) if config.sms_url else None
        registrations = Registrations(config, database, vault, links, events, audit, clock)
        checks = PhoneChecks(config, database, vault, jobs, gateway, clock)
        asks_phone = config.phone_otp == "activation"
        activation = Activation(database, vault, registrations, events, checks, hasher, audit, clock, asks_phone=asks_phone)
        account_mails = AccountMails(config, database, vault, jobs, smtp, clock)
        accounts = Accounts(config, database, vault, account_mails, checks, hasher, audit, clock)
        new_password = NewPassword(config, database, vault, jobs, account_mails, hasher, audit, clock)
        subjects = Subjects(database, vault, events, account_mails, audit, clock, talks=talks)
        throttle = Throttle(config.redis_url)
        stack.push_async_callback(throttle.close)
        rotation = Rotation(database, vault, audit, clock, also=also_sealed, also_passing=also_passing)
        registry_table = TableRegistry(database, vault, audit, clock)
        if registry is None and config.check_registry:
            registry = registry_table

        mailer = Mailer(config, database, vault, events, smtp, audit, clock, registry=registry)
        jobs.handle(SEND_MAIL, mailer.send, queue="mail")
        jobs.handle(SEND_NOTICE, mailer.notify, queue="mail")
        jobs.handle(SEND_ACCOUNT_MAIL, account_mails.send, queue="mail")
        jobs.handle(ANSWER, new_password.answer, queue="mail")
        jobs.handle(SEND_SMS, checks.send, queue="mail")
        jobs.handle(EXPIRE, registrations.expire, queue="timers")
        jobs.handle(PURGE, registrations.purge, queue="timers")
        jobs.handle(TIDY, Housekeeping(config, database, jobs, audit, clock).tidy, queue="timers")
        if config.status_webhook_url:
            webhook = StatusWebhook(config, database, vault, client, clock, registrations.tell_by_mail, traces)
            jobs.handle(DELIVER, webhook.deliver, queue="hooks")
        if role in ("all", "worker"):
            chaining = asyncio.create_task(audit.run(), name="audit chain")
            stack.push_async_callback(_ended, chaining)
            await jobs.start()
            async with database.writing() as conn:
                await jobs.enqueue(conn, TIDY, clock().date().isoformat())
        yield Backend(
            config,
            database,
            jobs,
            registrations,
            Reveals(database, vault, audit, throttle, clock),
            activation,
            accounts,
            new_password,
            checks,
            audit,
            subjects,
            rotation,
            registry_table,
            throttle,
            Bounces(database, events, audit, clock),
            ChatRegistrations(database, vault, registrations, audit, config.timings, clock),
            Visits(config.telegram, database, config.timings, clock) if config.telegram else None,
        )
