"""Fixtures of the client's tests: an invented registration, and the backends that must all mean the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from subjects import Subject, fake_subject, reference_subject

from backend_client.models import Consent, NewRegistration


@pytest.fixture
def new() -> Callable[..., NewRegistration]:
    """Makes a valid registration; keyword arguments change it."""

    def make(**changes: object) -> NewRegistration:
        whole: dict[str, object] = {
            "kind": "individu_lokal",
            "full_name": "Siti Rahmawati",
            "nik": "3174095708900001",
            "phone": "+6281234567890",
            "email": "siti.rahmawati@example.com",
            "language": "id",
            "channel": "web",
            "reference": "web:0123456789abcdef",
            "consent": Consent("2026-11", datetime(2026, 11, 20, 3, 4, 5, tzinfo=UTC)),
        }
        return NewRegistration(**(whole | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture(params=["fake", "reference"])
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    """FakeBackend, then BackendClient over loopback HTTP against the reference backend with a real SMTP server behind it."""
    make = fake_subject() if request.param == "fake" else reference_subject(tmp_path)
    async with make as subject:
        yield subject
