"""kill -9 in the middle of everything: started again on the same data, the product goes on as if nothing had happened.

The measure is the chat of somebody whom nothing happened to: whoever was interrupted must have read the same, line for line.
"""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path

import httpx2
import pytest

from tests.journey.gates import Barrier, HttpGate, MailServer
from tests.journey.people import WebPerson, activates, link_in, logs_in, pages, somebody
from tests.product import Product
from tests.services import free_port

pytestmark = pytest.mark.journey

NEXT = ("kind", "full_name", "nik", "phone", "email", "summary", "pending")
CONGRATULATION = "Selamat! Akun Anda sudah aktif."


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The whole chat of a registration that nothing interrupted, as it stands in the end."""
    with Product(tmp_path_factory.mktemp("undisturbed")) as product, pages(product.url) as browser:
        person = WebPerson(product.url)
        person.opens()
        person.registers()
        person.sees("pending")
        assert activates(browser, link_in(product.mail(person.details.email))).status_code == 303
        person.sees("active")
        assert product.faults == []
    return person.read


def finish(product: Product, person: WebPerson, undisturbed: list[str]) -> None:
    """The end of the journey, and what must be true after it."""
    details = person.details
    person.sees("pending")
    copies = product.mails(details.email) or [product.mail(details.email)]
    assert len({mail["message_id"] for mail in copies}) == 1
    assert len({mail["text"] for mail in copies}) == 1
    with pages(product.url) as browser:
        assert activates(browser, link_in(copies[0])).headers["location"] == "/aktivasi/selesai"
        person.sees("active")
        assert details.name in logs_in(browser, details.email).text
    assert person.read == undisturbed
    assert product.count("registrations") == product.count("accounts") == 1
    assert product.faults == []


def test_the_dialog_goes_on_when_nothing_was_heard_of_a_turn(product: Product, undisturbed: list[str]) -> None:
    """Killed before, in the middle of or after each turn. The page sends again what was not answered, under the same id."""
    person = WebPerson(product.url)
    person.opens()
    pauses = (0, 0.004, 0, 0.008, 0, 0.012, 0.02)
    with ThreadPoolExecutor(1) as sending:
        for (kind, what), pause, step in zip(person.details.steps, pauses, NEXT, strict=True):
            message = person.composes(kind, what)
            lost = sending.submit(person.sends, message)
            time.sleep(pause)
            product.kill()
            lost.exception()
            product.start()
            person.opens()
            person.sends(message)
            person.sees(step)
    finish(product, person, undisturbed)


def test_the_dialog_goes_on_when_only_the_answers_were_lost(product: Product, undisturbed: list[str]) -> None:
    """Killed when each turn was done and its answer on the way: what is sent again then was taken already."""
    with HttpGate(product.url) as way, ThreadPoolExecutor(1) as sending:
        person = WebPerson(way.url)
        person.opens()
        for (kind, what), step in zip(person.details.steps, NEXT, strict=True):
            message = person.composes(kind, what)
            way.barrier.close("after /chat/api/messages")
            lost = sending.submit(person.sends, message)
            with way.barrier.reached():
                product.kill()
            lost.exception()
            person.bubbles.clear()  # nor does the person's page remember anything: it is opened anew
            person.cursor = 0
            product.start()
            person.opens()
            person.sends(message)
            person.sees(step)
        finish(product, person, undisturbed)


def links_of(mail: EmailMessage) -> list[str]:
    body = mail.get_body(("plain",))
    assert body is not None
    return re.findall(r"/aktivasi/[\w-]+", body.get_content())


def test_the_registration_goes_on_at_every_point_of_its_way(tmp_path: Path, undisturbed: list[str]) -> None:
    """One registration, killed at each border it crosses: to the backend, to the mail server, back to the chat."""
    port = free_port()
    with (
        MailServer() as post,
        HttpGate(f"http://127.0.0.1:{port}") as way,
        Product(
            tmp_path,
            PORT=str(port),
            SMTP_URL=post.url,
            BACKEND_URL=way.url,
            STATUS_WEBHOOK_URL=f"{way.url}/status/webhook",
        ) as product,
    ):
        reached: list[str] = []

        def killed_at(barrier: Barrier, place: str, *following: tuple[Barrier, str]) -> None:
            """Killed where the barrier stands, and started again with barriers at the places that follow."""
            with barrier.reached():
                product.kill()
            reached.append(place)
            for next_barrier, next_place in following:
                next_barrier.close(next_place)
            product.start()

        created, told = "/api/v1/registrations", "/status/webhook"
        person = WebPerson(product.url)
        person.opens()
        way.barrier.close(f"before {created}")
        person.registers()
        killed_at(way.barrier, f"before {created}", (way.barrier, f"after {created}"), (post.barrier, "mail"))
        killed_at(way.barrier, f"after {created}", (post.barrier, "mail"))
        person.sees("pending")
        killed_at(post.barrier, "mail", (post.barrier, "data"))
        killed_at(post.barrier, "data", (post.barrier, "quit"))
        killed_at(post.barrier, "quit", (way.barrier, f"before {told}"))
        killed_at(way.barrier, f"before {told}", (way.barrier, f"after {told}"))
        killed_at(way.barrier, f"after {told}")
        assert len({mail["Message-ID"] for mail in post.mails}) == 1
        assert len({mail.as_bytes() for mail in post.mails}) == 1
        (link,) = set(links_of(post.mails[0]))

        way.barrier.close(f"before {told}")
        with pages(product.url) as browser:
            assert activates(browser, link).headers["location"] == "/aktivasi/selesai"
        killed_at(way.barrier, f"before {told}", (way.barrier, f"after {told}"))
        killed_at(way.barrier, f"after {told}")
        person.opens()
        person.sees("active")

        with pages(product.url) as browser:
            assert person.details.name in logs_in(browser, person.details.email).text
            assert browser.get(link).status_code == 410
        person.looks(wait=3)
        assert person.read == undisturbed
        assert product.count("registrations") == product.count("accounts") == 1
        assert product.faults == []
        assert len(reached) == 9


def test_a_password_that_was_on_its_way_makes_one_account_and_one_congratulation(product: Product) -> None:
    """Five people press Aktifkan Akun Saya shortly before the power goes; each tries again, as a browser offers to."""
    people = [WebPerson(product.url, somebody(number)) for number in range(5)]
    for person in people:
        person.opens()
        person.registers()
    links = [link_in(product.mail(person.details.email)) for person in people]
    with ThreadPoolExecutor(5) as sending, pages(product.url) as browser:
        forms = [browser.get(link).raise_for_status() for link in links]
        assert all("Ketik kata kunci" in form.text for form in forms)
        for link, pause in zip(links, (0.15, 0.05, 0.03, 0.02, 0), strict=True):
            sending.submit(activates, browser, link)
            time.sleep(pause)
        product.kill()
    product.start()
    for person, link in zip(people, links, strict=True):
        with pages(product.url) as browser:
            if browser.get(link).status_code == 200:
                assert activates(browser, link).status_code == 303
            assert "Akun sudah aktif" in browser.get(link).text
            assert person.details.name in logs_in(browser, person.details.email).text
        person.opens()
        person.sees("active")
    for person in people:
        person.looks(wait=1)
        assert "\n".join(person.read).count(CONGRATULATION) == 1
    assert product.count("accounts") == product.count("registrations") == len(people)
    assert product.faults == []


def test_a_second_process_on_the_same_data_is_turned_away(product: Product, tmp_path: Path) -> None:
    """Two processes on one SQLite would each do the work of both."""
    other = Product(tmp_path, DATA_DIR=str(product.data_dir))
    other.log_file = tmp_path / "other-log"
    with pytest.raises(AssertionError, match="Another process already works on"):
        other.start()
    other.kill()
    with httpx2.Client(base_url=product.url, trust_env=False) as client:
        assert client.get("/readyz").status_code == 200
