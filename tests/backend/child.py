"""A backend process of its own that takes one registration, says its id, and works until it is killed."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from akses.keyring import Keyring
from akses.logs import configure
from backend.config import BackendConfig
from backend.registrations import Caller, NewRegistration
from backend.services import open_backend


async def main(database_url: str, keyring: Keyring, smtp_url: str) -> None:
    config = BackendConfig(
        public_url="http://127.0.0.1:8000",
        operator_name="Contoh Operator",
        demo=True,
        mail_from="akses@ksei.co.id",
        smtp_url=smtp_url,
        database_url=database_url,
        api_keys=("k",),
        # Nobody listens there; what is told, the next process tells.
        status_webhook_url="http://127.0.0.1:9/hook",
        status_webhook_secrets=("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",),
    )
    new = NewRegistration(
        kind="individu_lokal",
        full_name="Siti Rahmawati",
        nik="3174095708900001",
        phone="+6281234567890",
        email="siti.rahmawati@example.com",
        language="id",
        channel="web",
        reference="web:1",
        notice_version="1",
        consent_at=datetime(2026, 11, 20, tzinfo=UTC),
    )
    async with open_backend(config, keyring, role="all") as backend:
        view = await backend.registrations.create(new, Caller("child", "key-1"))
        sys.stdout.write(f"{view.id}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    configure("WARNING", "json")  # to standard error: what this says on standard output is read
    database, keys, smtp = sys.argv[1:]
    asyncio.run(main(database, Keyring.parse(Path(keys).read_text(encoding="ascii")), smtp))
