"""The terminal simulator: a real product, a real `akses chat`, and a world that does what it is told."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from akses.compose import composed
from akses.keyring import Keyring
from akses.settings import Settings
from dialogs.testing import played
from tests.akses.serving import served
from tests.product import PATIENCE, ROOT, Product
from tests.redis_servers import redis_server

ANSWERS = ("Rudi Hartono", "3273014708950002", "0812-9999-8888", "rudi.hartono@kantor.id")
SECRETS = ("Rudi", "Hartono", "rudi", "32730147", "99998888", "9999-8888", "kantor")


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with Product(tmp_path_factory.mktemp("simulator")) as running:
        yield running


def chat(product: Product, *lines: dict[str, Any], new: bool = True) -> list[dict[str, Any]]:
    """Every line that a program gets for these, from a conversation of its own."""
    command = [sys.executable, "-m", "akses", "chat", "--json", *(["--new"] if new else [])]
    done = subprocess.run(
        command,
        input="".join(json.dumps(line) + "\n" for line in lines),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=product.environment,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


REGISTERED = (
    {"press": "agree"},
    {"press": "kind.individu_lokal"},
    *({"text": answer} for answer in ANSWERS),
    {"press": "activate"},
    {"wait": "pending"},
)


def said(lines: list[dict[str, Any]]) -> str:
    return "\n".join(f"{line.get('notice', '')} {line.get('text', '')}" for line in lines)


def wait_until_mailed(product: Product) -> None:
    """Until the conversation of the session file knows of its mail."""
    until = time.monotonic() + PATIENCE
    while "e-mail terkirim" not in said(chat(product, {"press": "status"}, new=False)):
        assert time.monotonic() < until, product.log


def test_time_steps_timers_come_due_and_the_wait_for_the_next_mail_gets_shorter(product: Product) -> None:
    lines = chat(product, *REGISTERED, {"time": "0s"}, {"time": "+1m"})
    asked = [line["time"] for line in lines if "time" in line]
    assert asked[1] > asked[0]
    wait_until_mailed(product)
    lines = chat(product, {"time": "+5m"}, {"press": "resend"}, new=False)
    early = said(lines)
    lines = chat(product, {"time": "+10m"}, {"press": "resend"}, new=False)
    assert "menit lagi" in early
    assert "mengirim ulang" in said(lines)


def test_a_link_expires_when_its_day_is_over_and_the_chat_says_so(product: Product) -> None:
    lines = chat(product, *REGISTERED, {"time": "+25h"}, {"wait": "expired"})
    assert "kedaluwarsa" in said(lines)
    # And the product goes on in its new time: a consent of now is not one of the future.
    lines = chat(product, *REGISTERED)
    assert "Terima kasih sudah melakukan pendaftaran" in said(lines)


def test_a_backend_that_is_down_is_told_of_and_what_was_sent_arrives_when_it_is_back(product: Product) -> None:
    try:
        lines = chat(product, {"backend": "down"}, *REGISTERED[:-1])
        assert {"backend": "down"} in lines
        assert [line["step"] for line in lines if "step" in line][-1] == "sending"
    finally:
        lines = chat(product, {"backend": "ok"}, {"time": "+1m"}, {"wait": "pending"}, new=False)
    assert "Terima kasih sudah melakukan pendaftaran" in said(lines)


@pytest.mark.parametrize("code", ["refused", "limit", "closed"])
def test_a_backend_that_refuses_leaves_the_summary_standing(product: Product, code: str) -> None:
    try:
        lines = chat(product, {"backend": f"reject {code}"}, *REGISTERED[:-1], {"wait": "summary"})
    finally:
        chat(product, {"backend": "ok"})
    # The summary that was sent says so, and is redrawn; it is the new one that stands.
    assert [line["step"] for line in lines if line.get("token")][-2:] == ["sending", "summary"]


def test_a_slow_backend_answers_in_the_end(product: Product) -> None:
    try:
        lines = chat(product, {"backend": "slow 1"}, *REGISTERED)
    finally:
        chat(product, {"backend": "ok"})
    steps = [line["step"] for line in lines if "step" in line]
    assert "sending" in steps
    assert steps[-1] == "pending"


def test_the_repro_plays_the_same_conversation_with_nobodys_data_in_it(product: Product) -> None:
    lines = chat(
        product,
        *REGISTERED[:2],
        {"text": ANSWERS[0]},
        {"text": "32730147089500"},
        {"text": ANSWERS[1]},
        {"text": "kembali"},
        {"press": "keep"},
        {"time": "+2h"},
        {"text": ANSWERS[2]},
        {"text": "rudi.hartono@gmial.com"},
        {"press": "suggested"},
        {"press": "activate"},
        {"wait": "pending"},
        {"repro": True},
    )
    (transcript,) = [line["repro"] for line in lines if "repro" in line]
    for secret in SECRETS:
        assert secret not in transcript
    for kept in ("> Siti Rahmawati", "> kembali", "hours pass)", "> [Aktivasi]", "> (the backend takes the registration)"):
        assert kept in transcript
    again = played(transcript)
    again.stands_at("pending")
    assert again.transcript.text == transcript
    shown = [line["step"] for line in lines if line.get("token")]
    assert [screen.step for screen in again.screens][: len(shown)] == shown


def test_only_who_has_the_key_of_this_machine_simulates(product: Product) -> None:
    with httpx2.Client(base_url=product.url, trust_env=False) as client:
        for headers in ({}, {"Authorization": "Bearer guess"}):
            assert client.post("/simulator/time", json={"seconds": 60}, headers=headers).status_code == 401
            assert client.get("/simulator/repro", headers=headers).status_code == 401


@pytest.mark.parametrize(
    "line", [{"time": "soon"}, {"backend": "odd"}, {"time": "+1m", "text": "x"}, {"backend": "reject odd"}]
)
def test_what_the_simulator_does_not_understand_ends_with_2(product: Product, line: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        chat(product, line)


def talked(product: Product, *lines: str, url: str = "") -> str:
    """What a person reads in the terminal for these lines, in English."""
    command = [sys.executable, "-m", "akses", "chat", "--new", "--language", "en", *(["--url", url] if url else [])]
    done = subprocess.run(
        command,
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=product.environment,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_person_types_the_same_and_reads_what_became_of_it(product: Product) -> None:
    read = talked(
        product,
        "/help",
        "/time",
        "/time +1m",
        "/time soon",
        "/backend slow 2",
        "/backend odd",
        "/backend ok",
        "an account for Rudi",
        "1",
        "one for Rudi",
        "agent",
        "/repro",
    )
    assert "it stood at" not in read
    assert "(To the helpdesk: queued, " in read
    for words in (
        "/repro             this conversation",
        "(It is now ",
        "Write for example /time +15m",
        "(The backend: slow.)",
        "Write /backend ok, down",
        "(The backend: ok.)",
        "> [I agree]",
    ):
        assert words in read


def test_the_key_of_this_machine_is_given_to_no_other_address(product: Product) -> None:
    """An address that was typed in is asked without it, even when it is this machine's own."""
    assert "can be simulated only for the product that runs on this machine" in talked(product, "/time +1m", url=product.url)


async def test_production_has_no_simulator(tmp_path: Path) -> None:
    with redis_server() as redis:
        settings = Settings(
            redis_url=redis.url,
            data_dir=tmp_path,
            encryption_keys=Keyring.generate(),
            backend_api_key="key",
            backend_url="http://127.0.0.1:1",
            status_webhook_secret="whsec_Zm9vYmFyYmF6cXV4",
            operator_name="Sekuritas Contoh",
            public_url="https://akses.example.com",
        )
        async with composed(settings, "bot") as product, served(product.app) as client:
            answer = await client.post("/simulator/time", json={"seconds": 60}, headers={"Authorization": "Bearer key"})
            assert answer.status_code == 404
