"""What an operator sees of a real process while a person registers: the metrics and the log tell the way, and nothing of the person."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.journey.people import WebPerson
from tests.product import PATIENCE, Product


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with Product(tmp_path_factory.mktemp("operating")) as started:
        yield started
        assert started.faults == []


@pytest.fixture(scope="module")
def registered(product: Product) -> WebPerson:
    """Somebody who mistyped the NIK once, and has handed off and been mailed."""
    person = WebPerson(product.url)
    person.opens()
    for kind, what in person.details.steps:
        if what == person.details.nik:
            person.does("say", "31740967")
        person.does(kind, what)
    person.sees("pending")
    assert product.mail(person.details.email)
    return person


def scrape(product: Product) -> str:
    return httpx2.get(f"{product.url}/metrics", trust_env=False, timeout=PATIENCE).raise_for_status().text


def scrape_until(product: Product, name: str, **labels: str) -> str:
    """What comes by itself a little later."""
    until = time.monotonic() + PATIENCE
    while not number(text := scrape(product), name, **labels):
        assert time.monotonic() < until, f"{name} {labels} did not come"
    return text


def number(text: str, name: str, **labels: str) -> float:
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def log_of(product: Product) -> list[dict[str, Any]]:
    return [json.loads(line) for line in product.log.splitlines() if line.startswith("{")]


def test_the_metrics_tell_the_way_of_a_registration(product: Product, registered: WebPerson) -> None:
    text = scrape_until(product, "akses_http_requests_total", route="status.webhook", status="2xx")
    assert number(text, "akses_turns_total", channel="web", outcome="committed") >= 8
    assert number(text, "akses_turns_total", outcome="failed") == 0
    assert number(text, "akses_turn_seconds_count", channel="web") == number(text, "akses_turns_total", channel="web")
    assert number(text, "akses_funnel_total", step="consent", what="answered") == 1
    assert number(text, "akses_funnel_total", step="nik", what="rejected") == 1
    assert number(text, "akses_funnel_total", step="summary", what="handed_off") == 1
    assert number(text, "akses_backend_requests_total", kind="create", outcome="ok") == 1
    assert number(text, "akses_deliveries_total", channel="web", outcome="sent") >= 8
    assert number(text, "akses_http_requests_total", route="chat.api", status="2xx") >= 8
    assert number(text, "akses_build_info", role="run") == 1
    assert number(text, "akses_jobs_done_total", job="send_mail", outcome="done") == 1
    assert number(text, "akses_jobs_done_total", job="deliver_event", outcome="done") >= 1
    assert 'akses_jobs{of="",state="running"}' in text
    assert "akses_jobs_oldest_seconds " in text
    assert 'akses_outbox{what="items"}' in text
    assert number(text, "process_open_fds") > 0


def test_readiness_is_told_by_part(product: Product, registered: WebPerson) -> None:
    httpx2.get(f"{product.url}/readyz", trust_env=False).raise_for_status()
    text = scrape(product)
    assert number(text, "akses_ready", part="accounts") == 1
    assert number(text, "akses_ready", part="dialog_store") == 1


def test_neither_metrics_nor_log_know_anything_of_the_person(product: Product, registered: WebPerson) -> None:
    details, text = registered.details, scrape(product) + product.log
    phone = details.phone.replace("-", "")
    parts = [
        details.nik,
        details.phone,
        phone,
        phone.removeprefix("0"),
        details.email,
        *details.name.split(),
        *details.email.split("@"),
    ]
    (link,) = product.mail(details.email)["links"]
    token = link.rpartition("/")[2]
    cookie = registered.cookie.partition("=")[2]
    for part in (*parts, token, cookie):
        assert part.lower() not in text.lower()


def test_one_name_leads_from_a_persons_press_to_the_backend(product: Product) -> None:
    """X-Request-ID of the press is in the turn's line, which names the request to the backend, under which the backend answered."""
    person = WebPerson(product.url)
    person.opens()
    for kind, what in person.details.steps[:-1]:
        person.does(kind, what)
    message = person.composes(*person.details.steps[-1])
    with person.client() as client:
        answer = client.post("/chat/api/messages", json=message, headers={"X-Request-ID": "press-of-aktivasi"})
    assert answer.headers["x-request-id"] == "press-of-aktivasi"
    person.sees("pending")
    (committed,) = [line for line in log_of(product) if line.get("request") == "press-of-aktivasi" and "item" in line]
    assert committed["event"] == "turn.request_committed"
    enqueued = [
        line for line in log_of(product) if line["event"] == "job.enqueued" and line.get("request") == committed["item"]
    ]
    assert "send_mail" in {line["job"] for line in enqueued}


def test_every_line_of_the_log_is_json_with_its_time_level_and_place(product: Product, registered: WebPerson) -> None:
    lines = log_of(product)
    assert {"process.started"} <= {line["event"] for line in lines}
    assert all({"event", "level", "timestamp", "logger"} <= line.keys() for line in lines)


def test_asked_to_stop_it_says_so_at_once_to_who_spreads_the_load(tmp_path: Path) -> None:
    """A message under way is answered after readiness has ended, by the process that had taken it."""
    with Product(tmp_path) as product:
        person = WebPerson(product.url)
        person.opens()
        with httpx2.Client(base_url=product.url, trust_env=False, timeout=PATIENCE) as kept:
            assert kept.get("/readyz").status_code == 200
            product.signal_to_stop()
            until = time.monotonic() + PATIENCE
            statuses = set()
            try:
                while time.monotonic() < until:
                    statuses.add(kept.get("/readyz").status_code)
            except httpx2.TransportError:
                pass  # it listens no more
        assert statuses <= {200, 503}
        assert product.exit_code() == 0
        events = [line["event"] for line in log_of(product)]
        assert events[-1] == "process.stopped"
        assert "process.stopping" in events  # what was under way may end, and say so, in between
