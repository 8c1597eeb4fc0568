"""How many requests to the backend a process makes at a time."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime

from backend_client.fake import FakeBackend
from bot.conversation import Conversation
from bot.requests import BackendRequests
from bot.turns import NOTHING, Answerable, Taken
from dialogs.effects import SubmitRegistration
from dialogs.events import BackendAccepted, Event
from dialogs.texts import Language
from tests.virtual_time import run


class Told:
    """Takes what the backend answered."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def take(
        self,
        conversation: Conversation,
        event: Event,
        event_id: str,
        *,
        language: Language | None = None,
        answerable: Answerable | None = None,
    ) -> Taken:
        self.events.append(event)
        return NOTHING

    async def deliver(self, conversation: Conversation) -> None: ...


def submission(number: int) -> SubmitRegistration:
    return SubmitRegistration(
        handoff=f"handoff-{number:016}",
        kind="individu_lokal",
        full_name="Ratna Kusuma Dewi",
        nik="3174096708920003",
        phone="+6281398765432",
        email=f"ratna{number}@example.org",
        language="id",
        channel="web",
        notice_version="2026-11",
        consented_at=datetime(2026, 11, 23, tzinfo=UTC),
    )


def test_a_slow_backend_is_asked_by_eight_at_a_time_and_who_waits_too_long_comes_again() -> None:
    told = Told()

    async def rush() -> list[float | None]:
        requests = BackendRequests(FakeBackend(slow_seconds=4), told)
        return await asyncio.gather(
            *(requests.carry_out(Conversation("web", f"{n}"), submission(n), f"item {n}", 0) for n in range(24))
        )

    assert Counter(run(rush())) == {None: 16, 2.0: 8}
    assert [type(event) for event in told.events] == [BackendAccepted] * 16
