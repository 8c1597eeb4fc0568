"""The code from the phone in the embedded product: sent by HTTP as to any gateway, read in the inbox."""

from __future__ import annotations

import re
import time
from pathlib import Path

import httpx2
import pytest

from tests.journey.people import PASSWORD
from tests.journey.test_passwords_under_load import KEY, body
from tests.product import PATIENCE, Product

pytestmark = pytest.mark.journey


def test_the_code_comes_to_the_inbox_and_makes_the_account_active(tmp_path: Path) -> None:
    with Product(tmp_path, BACKEND_API_KEY=KEY, PHONE_OTP="activation") as product:
        headers = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": "telepon-00000001"}
        with httpx2.Client(base_url=product.url, trust_env=False, timeout=PATIENCE) as client:
            registered = client.post("/api/v1/registrations", json=body(1), headers=headers)
            link = next(link for link in product.mail("serentak1@example.com")["links"] if "/aktivasi/" in link)
            form = {"password": PASSWORD, "again": PASSWORD, "consent": "2026-11"}
            assert client.post(httpx2.URL(link).path, data=form).headers["location"] == "/kode"
            until = time.monotonic() + PATIENCE
            while not (messages := product.mails("+6281200000001")):
                assert time.monotonic() < until, product.log
                time.sleep(0.05)
            [message] = messages
            assert message["kind"] == "sms"
            shown = client.get(f"/inbox/{message['id']}").text
            code = message["text"][:6]
            assert code in shown
            own = re.search(r'name="form" value="([^"]+)"', client.get("/kode").text)
            assert own is not None
            done = client.post("/kode", data={"form": own[1], "code": code})
            assert done.headers["location"] == "/aktivasi/selesai"
            status = client.get(f"/api/v1/registrations/{registered.json()['id']}", headers=headers).json()["status"]
            assert status == "active"
            assert client.post("/inbox/api/sms", json={"id": "x", "to": "+62", "text": "palsu"}).status_code == 401
        assert product.faults == []
        assert not re.search(rf"\b{code}\b", product.log)
        assert "81200000001" not in product.log
