"""Leaving, at the real product: a form that is left is erased, who asks is forgotten, and a mail that comes back is told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.journey.people import WebPerson, link_in, pages
from tests.journey.test_chat_privacy import left_in_the_chat
from tests.product import ROOT, Product

pytestmark = pytest.mark.journey


def time_passes(product: Product, seconds: int) -> None:
    """As /time of the terminal does it, with the operator's key."""
    key = json.loads((product.data_dir / "secrets.json").read_text())["backend_api_key"]
    headers = {"Authorization": f"Bearer {key}"}
    url = f"{product.url}/simulator/time"
    httpx2.post(url, json={"seconds": seconds}, headers=headers, timeout=60, trust_env=False).raise_for_status()


def time_passes_until(product: Product, person: WebPerson, words: str) -> None:
    """A quarter of a day at a time, so that it is daytime now and then whatever the hour is here."""
    for _ in range(40):
        if any(words in line for line in person.read):
            return
        time_passes(product, 6 * 3600)
        person.looks(wait=1)
    person.hears(words)


def test_who_leaves_is_reminded_and_in_the_end_nothing_of_theirs_is_left(product: Product) -> None:
    person = WebPerson(product.url)
    person.opens()
    for kind, what in person.details.steps[:4]:
        person.does(kind, what)
    time_passes_until(product, person, "Pendaftaran ini belum selesai: 2 dari 4")
    person.does("press", "Lanjutkan")
    person.sees("phone")
    time_passes_until(product, person, "Ini pengingat terakhir.")
    time_passes_until(product, person, "sudah kami hapus, karena 7 hari")
    person.sees("idle")
    assert left_in_the_chat(person) == []


def test_who_asks_to_be_forgotten_is_withdrawn_and_their_link_is_dead(product: Product) -> None:
    person = WebPerson(product.url)
    person.opens()
    person.registers()
    person.sees("pending")
    link = link_in(product.mail(person.details.email))
    person.does("say", "/hapus")
    person.does("press", "Ya, hapus data saya")
    person.hears("sudah ditarik dan datanya dihapus")
    person.sees("idle")
    with pages(product.url) as browser:
        assert browser.get(link).status_code in (404, 410)
    person.does("say", "/privasi")
    person.hears("tidak ada data pendaftaran yang tersimpan")
    assert left_in_the_chat(person) == []


def test_a_mail_that_comes_back_reaches_the_chat_by_the_command_behind_the_mailbox(product: Product, tmp_path: Path) -> None:
    person = WebPerson(product.url)
    person.opens()
    person.registers()
    person.sees("pending")
    message_id = product.mail(person.details.email)["message_id"]
    report = (
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n"
        b"Content-Type: message/delivery-status\n\nReporting-MTA: dns; mail.example\n\n"
        b"Final-Recipient: rfc822; nobody@example.com\nAction: failed\nStatus: 5.1.1\n\n--b\n"
        b"Content-Type: message/rfc822\n\nMessage-ID: " + message_id.encode() + b"\n\n\n--b--\n"
    )
    environment = {"DATA_DIR": str(product.data_dir), "PORT": str(product.port), "HOST": "127.0.0.1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "akses", "bounce"]
    told = subprocess.run(command, input=report, env=environment, cwd=tmp_path, capture_output=True, timeout=120, check=True)
    assert b"1 mail" in told.stdout
    person.sees("mail_failed")
    person.hears("tidak dapat dikirim")
