"""What a person reads when something went wrong inside, and what of it nobody may read."""

from __future__ import annotations

from dataclasses import dataclass

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from structlog.testing import capture_logs

from backend.budgets import LIMITS
from backend.errors import Busy, Later, LimitReached
from backend.pages.problems import Problems
from backend.pages.view import View

CANARY = "kata-sandi-burung-kenari-3171015502991234"


@dataclass(frozen=True)
class Operator:
    operator_name: str = "Panitia Uji Coba"
    demo: bool = True
    secure_cookies: bool = False


async def answer(error: Exception, language: str) -> httpx2.Response:
    async def endpoint(_: Request) -> Response:
        raise error

    guarded = Problems(View(Operator()), "http://rumah.example").guard(endpoint)
    transport = httpx2.ASGITransport(Starlette(routes=[Route("/aktivasi/{token}", guarded)]))
    async with httpx2.AsyncClient(transport=transport, base_url="http://rumah.example") as client:
        return await client.get(f"/aktivasi/akt_{CANARY}?lang={language}")


@pytest.mark.parametrize(
    ("error", "status", "indonesian", "english"),
    [
        (HTTPException(403), 403, "Permintaan ditolak", "The request was refused"),
        (HTTPException(404), 404, "Halaman tidak ditemukan", "Page not found"),
        (HTTPException(418), 418, "Permintaan tidak dapat dibaca", "The request could not be read"),
        (LimitReached(61), 429, "Terlalu banyak permintaan", "Too many requests"),
        (RuntimeError(CANARY), 500, "Terjadi gangguan di pihak kami", "Something went wrong on our side"),
        (Busy(2), 503, "Layanan sedang sangat sibuk", "The service is very busy"),
    ],
)
async def test_each_problem_has_a_page_with_its_status_and_a_way_on(
    error: Exception, status: int, indonesian: str, english: str
) -> None:
    for language, heading in (("id", indonesian), ("en", english)):
        page = await answer(error, language)
        assert page.status_code == status
        assert f"<h1>{heading}</h1>" in page.text
        assert 'href="/"' in page.text
        assert "helpdesk@ksei.co.id" in page.text


async def test_waiting_is_told_to_people_and_to_programs() -> None:
    limited, busy = await answer(LimitReached(61), "id"), await answer(Busy(2), "en")
    assert limited.headers["retry-after"] == "61"
    assert "Silakan coba lagi dalam 61 detik" in limited.text
    assert busy.headers["retry-after"] == "2"
    assert "Please try again in 2 s" in busy.text


async def test_which_limit_of_mails_was_reached_is_told_in_words() -> None:
    told = {limit: await answer(LimitReached(61, limit), "id") for limit in LIMITS}
    assert "masih dalam perjalanan" in told["cooldown"].text
    assert "tautan di dalamnya masih berlaku" in told["registration"].text
    assert len({page.text for page in told.values()}) == len(LIMITS)
    assert "Demi keamanan Anda" in (await answer(Later(61), "id")).text


async def test_neither_page_nor_log_repeats_what_an_exception_or_the_address_says() -> None:
    with capture_logs() as logs:
        page = await answer(RuntimeError(CANARY), "id")
    assert page.text.count(CANARY) == page.text.count(f"/aktivasi/akt_{CANARY}?lang=en") == 1
    assert [entry["event"] for entry in logs] == ["page.failed"]
    assert "RuntimeError" in str(logs)
    assert CANARY not in str(logs)
