"""What Prometheus is told is true, bounded, and about nobody; and not everybody is told it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from akses import metrics as told
from akses.fast_lane import fast_lane
from akses.health import Readiness
from akses.metrics import Metrics
from backend_client.errors import BackendUnreachable, LimitReached, RegistrationUnknown
from backend_client.fake import FakeBackend
from bot.channels.port import Capabilities, Dead, Delivery, Later, Refused, Sent
from bot.conversation import Conversation
from bot.plain_http import Answer, Asgi, Headers
from bot.turns import NOTHING, Answerable, StoreUnavailable, Taken
from dialogs.effects import Message, OpenTicket, Record, Say
from dialogs.events import Event, Started
from dialogs.texts import Language
from tests.akses.serving import served

WEB = Conversation("web", "3171234567890123")
KEY = "key-of-the-bot"


def metrics() -> Metrics:
    return Metrics(role="bot", version="1.2.3")


async def series(of: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every number that a scrape would find, by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families((await of.text()).decode())
        for sample in family.samples
    }


async def value(of: Metrics, name: str, **labels: str) -> float:
    return (await series(of)).get((name, tuple(sorted(labels.items()))), 0.0)


class Script:
    """Turns that come out as they are told to."""

    def __init__(self, *outcomes: Taken | Exception) -> None:
        self._outcomes = list(outcomes)
        self.delivered: list[Conversation] = []

    async def take(
        self,
        conversation: Conversation,
        event: Event,
        event_id: str,
        *,
        language: Language | None = None,
        answerable: Answerable | None = None,
    ) -> Taken:
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def deliver(self, conversation: Conversation) -> None:
        self.delivered.append(conversation)


async def test_turns_are_counted_by_channel_and_outcome_and_timed() -> None:
    counted = metrics()
    inner = Script(NOTHING, Taken(Say("x")), Taken(left=True), StoreUnavailable(), ValueError("3171234567890123"))
    turns = counted.turns(inner)
    for error in (None, None, None, StoreUnavailable, ValueError):
        if error is None:
            await turns.take(WEB, Started(), "1")
        else:
            with pytest.raises(error):
                await turns.take(WEB, Started(), "1")
    await turns.deliver(WEB)
    for outcome in ("nothing", "answered", "committed", "unavailable", "failed"):
        assert await value(counted, "akses_turns_total", channel="web", outcome=outcome) == 1
    assert await value(counted, "akses_turn_seconds_count", channel="web") == 5
    assert inner.delivered == [WEB]


class Outcomes:
    """A channel that answers as it is told to."""

    name = "telegram"
    capabilities = Capabilities(buttons=1)

    def __init__(self, *outcomes: Delivery) -> None:
        self._outcomes = list(outcomes)

    def typing(self, address: str) -> None: ...

    async def deliver(self, address: str, message: Message, key: str) -> Delivery:
        return self._outcomes.pop(0)


async def test_deliveries_are_counted_by_what_became_of_them() -> None:
    counted = metrics()
    outcomes = (Sent(), Later(1.0), Dead("blocked by 3171234567890123"), Refused("odd"))
    channel = counted.channel(Outcomes(*outcomes))
    assert [await channel.deliver("1", Say("x"), "k") for _ in outcomes] == list(outcomes)
    for outcome in ("sent", "later", "dead", "refused"):
        assert await value(counted, "akses_deliveries_total", channel="telegram", outcome=outcome) == 1
    assert (channel.name, channel.capabilities) == ("telegram", Capabilities(buttons=1))


class Down:
    """A backend that is away."""

    def __getattr__(self, name: str) -> object:
        async def away(*_: object, **__: object) -> None:
            raise BackendUnreachable("ConnectError")

        return away


async def test_requests_to_the_backend_are_counted_by_kind_and_outcome() -> None:
    counted = metrics()
    fake, down = counted.backend(FakeBackend()), counted.backend(Down())  # type: ignore[arg-type]
    with pytest.raises(RegistrationUnknown):
        await fake.resend("nobody", key="k")
    with pytest.raises(BackendUnreachable):
        await down.status("r")
    with pytest.raises(BackendUnreachable):
        await down.withdraw("r")
    assert await value(counted, "akses_backend_requests_total", kind="resend", outcome="unknown") == 1
    assert await value(counted, "akses_backend_requests_total", kind="status", outcome="unreachable") == 1
    assert await value(counted, "akses_backend_requests_total", kind="withdraw", outcome="unreachable") == 1
    assert await value(counted, "akses_backend_request_seconds_count", kind="resend") == 1


@pytest.mark.parametrize(("error", "name"), [(LimitReached(60), "limited"), (asyncio.CancelledError(), "failed")])
async def test_a_limit_and_a_call_cut_short_are_told_apart(error: BaseException, name: str) -> None:
    class Raises(FakeBackend):
        async def status(self, registration: str) -> object:  # type: ignore[override]
            raise error

    counted = metrics()
    with pytest.raises(type(error)):
        await counted.backend(Raises()).status("r")
    assert await value(counted, "akses_backend_requests_total", kind="status", outcome=name) == 1


async def test_the_funnel_lost_races_tickets_jobs_and_readiness_are_counted() -> None:
    counted = metrics()
    counted.observe(WEB, Record("nik", "rejected", "length"))
    counted.observe(WEB, Record("nik", "rejected", "length"))
    counted.observe(WEB, Record("summary", "handed_off"))
    for code in ("radio", "pameran"):
        counted.observe(WEB, Record("campaign", "arrived", code))
    counted.observe(WEB, OpenTicket("asked", "email"))
    counted.lost(WEB)
    counted.job("send_mail", "again", 0.2)
    counted.part_ready("dialog store", False)
    assert await value(counted, "akses_funnel_total", step="nik", what="rejected", code="length") == 2
    assert await value(counted, "akses_funnel_total", step="summary", what="handed_off", code="") == 1
    assert await value(counted, "akses_funnel_total", step="campaign", what="arrived", code="") == 2, "a link chooses no label"
    assert await value(counted, "akses_tickets_total", reason="asked", step="email") == 1
    assert await value(counted, "akses_commits_retried_total", channel="web") == 1
    assert await value(counted, "akses_jobs_done_total", job="send_mail", outcome="again") == 1
    assert await value(counted, "akses_job_seconds_count", job="send_mail") == 1
    assert await value(counted, "akses_ready", part="dialog_store") == 0
    assert await value(counted, "akses_build_info", role="bot", version="1.2.3") == 1
    assert await value(counted, "process_resident_memory_bytes") > 0


async def test_readiness_tells_the_metrics_what_each_part_came_to() -> None:
    async def well() -> None: ...

    async def unwell() -> None:
        raise OSError

    counted = metrics()
    assert await Readiness({"accounts": well, "dialog store": unwell}, observe=counted.part_ready).parts() == {
        "accounts": True,
        "dialog store": False,
    }
    assert await value(counted, "akses_ready", part="accounts") == 1
    assert await value(counted, "akses_ready", part="dialog_store") == 0


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.text(), st.text(), st.text()), max_size=300))
async def test_whatever_is_recorded_the_series_stay_few_and_their_labels_are_words(records: list[tuple[str, str, str]]) -> None:
    counted = metrics()
    for record in records:
        counted.observe(Conversation("web", "a"), Record(*record))
    found = [dict(labels) for name, labels in await series(counted) if name == "akses_funnel_total"]
    assert len(found) <= told.MOST + 1
    assert all(not label or told._WORD.fullmatch(label) for labels in found for label in labels.values())
    assert sum([number for (name, _), number in (await series(counted)).items() if name == "akses_funnel_total"]) == len(
        records
    )


async def test_a_thousand_different_words_come_to_a_bounded_number_of_series_and_none_is_lost() -> None:
    """Also those that look like words: what is one too many is counted as other."""
    counted = metrics()
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [a + b for a in letters for b in letters]
    for word in words * 2:
        counted.lost(Conversation(word, "a"))
    found = {
        labels: number for (name, labels), number in (await series(counted)).items() if name == "akses_commits_retried_total"
    }
    assert len(found) == told.MOST + 1
    assert sum(found.values()) == 2 * len(words)
    assert found[("channel", "other"),] == 2 * (len(words) - told.MOST)


@pytest.mark.parametrize(
    "personal", ["3171234567890123", "081234567890", "budi@example.com", "Budi Santoso", "n3171234567890123"]
)
async def test_what_could_be_personal_becomes_no_label(personal: str) -> None:
    counted = metrics()
    counted.observe(WEB, Record(personal, personal, personal))
    counted.job(personal, personal, 1.0)
    counted.look_up("akses_looked", "Looked up", ("what",), lambda: found({(personal,): 1.0}))
    text = (await counted.text()).decode()
    assert personal not in text
    assert WEB.address not in text


async def found(what: Mapping[tuple[str, ...], float]) -> Mapping[tuple[str, ...], float]:
    return what


async def test_what_is_looked_up_is_there_and_what_fails_or_hangs_is_absent_not_zero() -> None:
    async def hangs() -> Mapping[tuple[str, ...], float]:
        await asyncio.Event().wait()
        raise AssertionError

    async def fails() -> Mapping[tuple[str, ...], float]:
        raise ConnectionError("db at 10.0.0.1 refused 3171234567890123")

    counted = Metrics(role="bot", version="1.2.3", patience=0.05)
    counted.look_up("akses_jobs", "Jobs", ("queue", "state"), lambda: found({("mail", "waiting"): 7.0}))
    counted.look_up("akses_outbox_items", "Outbox", (), hangs)
    counted.look_up("akses_dead", "Dead", (), fails)
    names = {name for name, _ in await series(counted)}
    assert await value(counted, "akses_jobs", queue="mail", state="waiting") == 7
    assert not names & {"akses_outbox_items", "akses_dead"}


async def test_scraping_often_does_not_ask_the_databases_often() -> None:
    asked = 0

    async def count() -> Mapping[tuple[str, ...], float]:
        nonlocal asked
        asked += 1
        return {(): 1.0}

    counted = metrics()
    counted.look_up("akses_outbox_items", "Outbox", (), count)
    await asyncio.gather(*(counted.text() for _ in range(5)))
    assert asked == 1


def application(counted: Metrics) -> Starlette:
    async def fails(_: object) -> PlainTextResponse:
        return PlainTextResponse("no", 503)

    async def well(_: object) -> PlainTextResponse:
        return PlainTextResponse("yes")

    return Starlette(
        routes=[
            *counted.routes((KEY,)),
            Route("/aktivasi/{token}", well),
            Route("/status/webhook", fails, methods=["POST"]),
            Route("/telegram/webhook", well, methods=["POST"]),
            Route("/", well),
        ]
    )


async def test_requests_are_counted_by_route_and_never_by_what_stands_in_their_path() -> None:
    counted = metrics()
    async with served(counted.app(application(counted))) as client:
        await client.get("/")
        await client.get("/aktivasi/akt_secrettoken")
        await client.get("/nowhere/3171234567890123")
        await client.post("/status/webhook")
        await client.post("/telegram/webhook")
        text = (await client.get("/metrics")).text
    assert 'akses_http_requests_total{route="home",status="2xx"} 1.0' in text
    assert 'akses_http_requests_total{route="aktivasi",status="2xx"} 1.0' in text
    assert 'akses_http_requests_total{route="other",status="4xx"} 1.0' in text
    assert 'akses_http_requests_total{route="status.webhook",status="5xx"} 1.0' in text
    assert "akt_secrettoken" not in text
    assert "3171234567890123" not in text
    assert 'akses_http_requests_total{route="telegram.webhook",status="2xx"} 1.0' in text


class Hook:
    """A path in a hurry that takes one body and no other."""

    limit = 10

    async def answer(self, headers: Headers, body: bytes) -> Answer:
        return Answer(200 if body == b"good" else 401)


async def test_an_answer_is_counted_once_whichever_way_its_request_came() -> None:
    counted, path = metrics(), "/telegram/webhook"
    app = counted.app(Starlette(routes=[Route(path, Asgi(Hook()), methods=["POST"])]))

    async def in_pieces() -> AsyncIterator[bytes]:
        yield b"good"

    async with served(app, http=fast_lane({path: Hook()}, counted.answers)) as client:
        for body in (b"good", b"bad", in_pieces()):
            await client.post(path, content=body)
        assert (await client.post(path, content=b"far too long")).status_code == 413
    for status, number in (("2xx", 2), ("4xx", 2)):
        assert await value(counted, "akses_http_requests_total", route="telegram.webhook", status=status) == number


async def test_metrics_answer_this_machine_and_who_has_the_key_but_nobody_through_a_proxy() -> None:
    counted = metrics()
    async with served(application(counted)) as client:
        assert (await client.get("/metrics")).status_code == 200
        for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"):
            forwarded = {header: "203.0.113.9"}
            assert (await client.get("/metrics", headers=forwarded)).status_code == 403
            assert (await client.get("/metrics", headers={**forwarded, "Authorization": "Bearer wrong"})).status_code == 403
            assert (await client.get("/metrics", headers={**forwarded, "Authorization": f"Basic {KEY}"})).status_code == 403
            answer = await client.get("/metrics", headers={**forwarded, "Authorization": f"Bearer {KEY}"})
            assert answer.status_code == 200
    assert "akses_build_info" in answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")


@pytest.mark.parametrize(
    ("peer", "local"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True), ("10.0.0.1", False), ("unix", False)],
)
def test_only_loopback_addresses_are_this_machine(peer: str, *, local: bool) -> None:
    from starlette.requests import Request

    assert told.from_this_machine(Request({"type": "http", "headers": [], "client": (peer, 1)})) is local


async def test_without_a_key_no_bearer_opens() -> None:
    counted = metrics()
    async with served(Starlette(routes=counted.routes(("",)))) as client:
        for bearer in ("Bearer", "Bearer x"):
            headers = {"X-Forwarded-For": "203.0.113.9", "Authorization": bearer}
            assert (await client.get("/metrics", headers=headers)).status_code == 403
