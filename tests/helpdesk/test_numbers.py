"""The helpdesk in numbers: counted from tickets, drawn on a page, told to Prometheus; nobody's words or data among them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from akses.metrics import Metrics
from bot.conversation import Conversation
from dialogs.effects import DeskChanged, OpenTicket, Relay, ToDesk
from helpdesk.numbers import Counting, percentile
from helpdesk.texts import WIB
from tests.helpdesk.stage import Stage

SECRET = "Siti Rahmawati 3174095708900001"


async def tickets(stage: Stage) -> None:
    """Four hand-offs of the last hours: answered after 10, 20 and 60 seconds, the last still in the queue."""
    now = stage.clock()
    for number, (step, reason, wait, rating) in enumerate(
        (("nik", "asked", 10, 5), ("nik", "tries", 20, 2), ("email", "asked", 60, 0), ("phone", "asked", 0, 0))
    ):
        chat, ticket = Conversation("web", f"p{number}"), f"T.{number}"
        at = now - timedelta(seconds=300 - 10 * number)
        things: list[ToDesk] = [OpenTicket(reason, step, ticket, at, "id"), DeskChanged(ticket, "queued", 1, at)]
        if wait:
            answered = at + timedelta(seconds=wait)
            things += [
                DeskChanged(ticket, "taken", 2, answered, "a1", "Rina"),
                Relay(ticket, "person", "text", SECRET, at),
                Relay(ticket, "agent", "text", "Selamat siang", answered, agent="a1", name="Rina", ref=f"r{number}"),
                DeskChanged(ticket, "closed", 3, answered, "a1", "Rina", "resolved"),
            ]
        if rating:
            things.append(DeskChanged(ticket, "rated", 3, answered, detail=str(rating)))
        for place, thing in enumerate(things):
            await stage.desk.records.tell(chat, thing, f"S.{place}.0")


@pytest.mark.parametrize(
    ("values", "rank", "found"),
    [([], 50, None), ([7.0], 90, 7.0), ([3.0, 1.0, 2.0], 50, 2.0), ([float(n) for n in range(1, 101)], 90, 90.0)],
)
def test_a_percentile_is_a_value_that_was_there(values: list[float], rank: int, found: float | None) -> None:
    assert percentile(values, rank) == found


async def test_the_figures_are_those_of_the_tickets(stage: Stage) -> None:
    await tickets(stage)
    counting = stage.desk.counting
    now, found = await counting.now(), await counting.period(30)
    assert (now.queue, now.with_agents) == (1, 0)
    assert 270 <= now.oldest < 900
    assert (found.opened, found.answered, found.p50, found.p90) == (4, 3, 20.0, 60.0)
    assert found.places == {("nik", "asked"): 1, ("nik", "tries"): 1, ("email", "asked"): 1, ("phone", "asked"): 1}
    assert found.ratings == {5: 1, 2: 1}
    assert found.satisfaction == 3.5
    assert found.ended == {"closed": 3}
    assert len(found.days) == 30
    assert sum(day.opened for day in found.days) == 4
    assert found.days[-1].day == stage.clock().astimezone(WIB).date()


async def test_the_dashboard_shows_them_to_supervisors_and_above_only(small_stage: Stage) -> None:
    await tickets(small_stage)
    for login, roles, status in (
        ("vera", "viewer", 403),
        ("rina", "agent", 403),
        ("oka", "auditor", 403),
        ("sari", "supervisor", 200),
    ):
        async with await small_stage.signed_in(await small_stage.agent(login, roles)) as browser:
            page = await browser.get("/helpdesk/angka?hari=30")
            assert page.status_code == status, login
            assert ('href="/helpdesk/angka"' in (await browser.get("/helpdesk/saya")).text) == (status == 200)
    assert page.text.count("<svg") > 4
    assert "style=" not in page.text, "the policy of the page allows none"
    assert "Siti" not in page.text
    assert re.search(r"<dd>3,5</dd>", page.text)
    empty = Counting(small_stage.people.database, lambda: small_stage.clock() + timedelta(days=90))
    assert (await empty.period(1)).opened == 0


async def test_an_empty_dashboard_is_a_page_too(small_stage: Stage) -> None:
    async with await small_stage.signed_in(await small_stage.agent("sari", "supervisor")) as browser:
        for period in ("1", "7", "x"):
            assert (await browser.get(f"/helpdesk/angka?hari={period}")).status_code == 200


async def test_prometheus_is_told_them_without_anybody_s_data(small_stage: Stage) -> None:
    await tickets(small_stage)
    metrics = Metrics(role="bot", version="1", patience=60)
    metrics.watch_desk(small_stage.desk.counting)
    text = (await metrics.text()).decode()
    assert 'akses_desk{what="queue"} 1.0' in text
    assert 'akses_desk_first_response_seconds{quantile="median"} 20.0' in text
    assert 'akses_desk_handoffs{reason="tries",step="nik"} 1.0' in text
    assert 'akses_desk_ratings{rating="r5"} 1.0' in text
    assert "Siti" not in text
    assert "Rina" not in text
