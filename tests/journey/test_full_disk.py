"""The disk is full for a while: people are told to come again, nothing that was taken is lost, and with room all goes on by itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.journey.people import PASSWORD
from tests.journey.test_passwords_under_load import KEY, body
from tests.product import PATIENCE, Product

pytestmark = pytest.mark.journey
FORM = {"password": PASSWORD, "again": PASSWORD, "consent": "2026-11"}


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", place], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("only root may mount a small file system")
    yield place
    subprocess.run(["umount", place], check=True)


def fill(ballast: Path) -> None:
    file = os.open(ballast, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(file, bytes(4096))
    except OSError:
        os.close(file)


def register(client: httpx2.Client, number: int) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": f"penuh-{number:010}"}
    return client.post("/api/v1/registrations", json=body(number), headers=headers)


def test_a_full_disk_is_told_and_all_goes_on_by_itself_when_there_is_room(tmp_path: Path, small: Path) -> None:
    with (
        Product(tmp_path, DATA_DIR=str(small / "data"), BACKEND_API_KEY=KEY) as product,
        httpx2.Client(base_url=product.url, trust_env=False, timeout=PATIENCE) as client,
    ):
        taken = [number for number in range(3) if register(client, number).status_code == 202]
        links = [product.mail(f"serentak{number}@example.com")["links"] for number in taken]
        path = httpx2.URL(next(link for link in links[0] if "/aktivasi/" in link)).path
        fill(small / "ballast")
        refused = [number for number in range(3, 13) if register(client, number).status_code == 503]
        assert refused, "what cannot be kept is not taken"
        assert client.get("/healthz").status_code == 200
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["parts"]["accounts"]) == (503, False)
        assert client.get(path).status_code == 200, "what is there can be read"
        told = client.post(path, data=FORM)
        assert told.status_code == 500
        assert "Coba lagi sebentar lagi" in told.text
        failed = [fault["code"] for fault in product.faults if fault["event"] in {"request.failed", "page.failed"}]
        assert failed == ["SQLITE_FULL"] * (len(refused) + 1)
        (small / "ballast").unlink()
        assert client.get("/readyz").status_code == 200
        assert client.post(path, data=FORM).headers["location"] == "/aktivasi/selesai"
        assert [register(client, number).status_code for number in refused] == [202] * len(refused)
        for number in range(3, 13):
            assert any("/aktivasi/" in link for link in product.mail(f"serentak{number}@example.com")["links"])
