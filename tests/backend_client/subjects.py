"""The backends under the contract tests, each with what a test must be able to do around it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from backend_client.fake import FakeBackend
from backend_client.models import Registration, StatusEvent
from backend_client.port import Backend

COOLDOWN_SECONDS = 3  # long enough for a request on a busy machine, short enough to wait for


class Subject(Protocol):
    @property
    def backend(self) -> Backend: ...

    async def wait(self, seconds: int) -> None:
        """Let this much time pass for the backend."""

    async def mails(self, count: int) -> list[str]:
        """The recipients of all activation mails in order, as soon as there are `count`."""

    async def events(self, count: int) -> list[StatusEvent]:
        """All status events that were told, as soon as there are `count`."""

    async def until(self, registration: str, is_so: Callable[[Registration], bool]) -> Registration:
        """The registration, as soon as it is so."""

    async def activate(self, registration: str) -> None:
        """Do what the person does with the newest link."""


@dataclass
class _FakeSubject:
    now: datetime = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
    told: list[StatusEvent] = field(default_factory=list)
    fake: FakeBackend = field(init=False)

    def __post_init__(self) -> None:
        self.fake = FakeBackend(clock=lambda: self.now, on_event=self._hear, cooldown_seconds=COOLDOWN_SECONDS)

    @property
    def backend(self) -> Backend:
        return self.fake

    async def _hear(self, event: StatusEvent) -> None:
        self.told.append(event)

    async def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    async def mails(self, count: int) -> list[str]:
        await self.fake.settle()
        assert len(self.fake.mails) >= count
        return [address for _, address in self.fake.mails]

    async def events(self, count: int) -> list[StatusEvent]:
        await self.fake.settle()
        assert len(self.told) >= count
        return self.told

    async def until(self, registration: str, is_so: Callable[[Registration], bool]) -> Registration:
        await self.fake.settle()
        seen = await self.fake.status(registration)
        assert is_so(seen)
        return seen

    async def activate(self, registration: str) -> None:
        await self.fake.activate(registration)


@asynccontextmanager
async def fake_subject() -> AsyncIterator[Subject]:
    yield _FakeSubject()


@asynccontextmanager
async def reference_subject(folder: Path) -> AsyncIterator[Subject]:
    raise NotImplementedError
    yield
