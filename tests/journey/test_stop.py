"""Asked to stop, the product ends what is open in order, and goes on from there when it is started again."""

from __future__ import annotations

import threading
from contextlib import suppress

import httpx2
import pytest

from tests.journey.people import WebPerson
from tests.product import PATIENCE, Product

pytestmark = pytest.mark.journey


def test_asked_to_stop_it_ends_the_open_streams_and_loses_nothing(product: Product) -> None:
    """SIGTERM with a chat open and a hand-off just pressed."""
    person = WebPerson(product.url)
    person.opens()
    for kind, what in person.details.steps[:-1]:
        person.does(kind, what)
    open_, ended = threading.Event(), threading.Event()

    def listen() -> None:
        with suppress(httpx2.HTTPError), person.client() as client:
            with client.stream("GET", "/chat/api/events", params={"since": person.cursor}) as stream:
                for line in stream.iter_lines():
                    if line == "event: ready":
                        open_.set()
            ended.set()  # not reached when the stream was cut instead of ended

    listening = threading.Thread(target=listen)
    listening.start()
    assert open_.wait(PATIENCE)
    person.does("press", "Aktivasi")
    product.signal_to_stop()
    assert product.exit_code() == 0
    listening.join(PATIENCE)
    assert ended.is_set()
    product.start()
    person.opens()
    person.sees("pending")
    assert product.mail(person.details.email)["links"]
    assert product.count("registrations") == 1
