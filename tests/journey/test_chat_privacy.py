"""What is left in the chat of what somebody typed, once their registration is handed off."""

from __future__ import annotations

import pytest

from tests.journey.people import WebPerson
from tests.journey.test_privacy import plain, registered
from tests.product import Product

pytestmark = pytest.mark.journey
__all__ = ["registered"]


def left_in_the_chat(person: WebPerson) -> list[str]:
    """What somebody who opens the chat now can read of it."""
    newcomer = WebPerson(person.url, cookie=person.cookie)
    newcomer.opens()
    chat = "\n".join(newcomer.read)
    return [each for each in plain(person) if each in chat]


def test_nothing_that_was_typed_can_be_read_in_the_chat_any_more(registered: WebPerson) -> None:
    """Neither the answers, nor one that was refused, nor what repeated them."""
    assert left_in_the_chat(registered) == []


def test_nor_after_every_way_round(product: Product) -> None:
    """Going back, proof-reading twice, keeping, typing over: each showed an answer again."""
    person = WebPerson(product.url)
    person.opens()
    for kind, what in person.details.steps[:5]:
        person.does(kind, what)
    person.does("press", "Kembali")
    person.does("say", person.details.phone)  # typed over the answer that was offered
    person.does("say", person.details.email)
    person.does("say", "status")  # the summary twice
    person.does("press", "Kembali")
    person.does("press", "Ubah NIK")
    person.does("say", person.details.nik)
    person.does("press", "Aktivasi")
    person.sees("pending")
    assert left_in_the_chat(person) == []
