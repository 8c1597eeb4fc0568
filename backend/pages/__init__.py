"""The web pages: front page, privacy notice, activation, log-in, account. Server-rendered, for phones first, whole without JavaScript
(but for the page inside Telegram, which only a script can tell who opened it).

Lives here: which address is which page. Each noun has its module (`home`, `activation`, `phone_code`, `account`,
`new_password`, `telegram`, `problems`); templates are in
`templates/`, words in `backend/texts/`, looks in `design/`. Must not live here: the API (`backend/api/`).
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from backend.pages.account import AccountPages
from backend.pages.activation import ActivationPages
from backend.pages.headers import PageHeaders
from backend.pages.home import HomePages
from backend.pages.new_password import NewPasswordPages
from backend.pages.phone_code import PhoneCodePages
from backend.pages.problems import Endpoint, Problems
from backend.pages.telegram import TelegramPages
from backend.pages.view import NOTICE_VERSION, View

if TYPE_CHECKING:
    from backend.config import BackendConfig
    from backend.services import Backend

__all__ = ["NOTICE_VERSION", "problem_page", "routes"]


def routes(backend: Backend) -> list[BaseRoute]:
    """Every page of this backend. Static files are not among them: the composition root serves `design/` at /assets/."""
    config = backend.config
    view = View(config)
    problems = Problems(view, config.public_url)
    home = HomePages(view)
    link = ActivationPages(backend.activation, view, config, backend.throttle)
    code = PhoneCodePages(backend.phone_checks, backend.accounts, backend.activation, view, config)
    account = AccountPages(backend.accounts, backend.subjects, view, config)
    forgotten = NewPasswordPages(backend.new_password, view, config, backend.throttle)
    headers = [Middleware(PageHeaders, https=config.secure_cookies)]

    def page(path: str, endpoint: Endpoint, method: str = "GET") -> Route:
        return Route(path, problems.guard(endpoint), methods=[method], middleware=headers, include_in_schema=False)

    post = partial(page, method="POST")
    return [
        page("/", home.home),
        page("/privasi", home.privacy),
        page("/aktivasi/selesai", link.done),
        page("/aktivasi/terkirim", link.resent),
        page("/aktivasi/dibatalkan", link.disowned),
        page("/aktivasi/{token}", link.show),
        post("/aktivasi/{token}", link.activate),
        post("/aktivasi/{token}/kirim-ulang", link.resend),
        page("/aktivasi/{token}/bukan-saya", link.ask_to_disown),
        post("/aktivasi/{token}/bukan-saya", link.disown),
        page("/masuk", account.log_in_form),
        post("/masuk", account.log_in),
        page("/masuk/lupa", forgotten.ask_form),
        post("/masuk/lupa", forgotten.ask),
        page("/masuk/lupa/terkirim", forgotten.asked),
        page("/masuk/sandi/selesai", forgotten.done),
        page("/masuk/sandi/{token}", forgotten.show),
        post("/masuk/sandi/{token}", forgotten.set),
        page("/kode", code.show),
        post("/kode", code.prove),
        post("/kode/kirim-ulang", code.resend),
        page("/akun", account.show),
        page("/akun/sandi", account.password_form),
        post("/akun/sandi", account.change_password),
        post("/akun/sesi", account.end_sessions),
        page("/akun/data", account.export_form),
        post("/akun/data", account.export),
        page("/akun/hapus", account.delete_form),
        post("/akun/hapus", account.delete),
        page("/akun/terhapus", account.deleted),
        post("/keluar", account.log_out),
        *(_in_telegram(backend, view) if config.telegram else ()),
    ]


def _in_telegram(backend: Backend, view: View) -> list[BaseRoute]:
    config = backend.config
    pages = TelegramPages(backend, view)
    problems = Problems(view, config.public_url, "telegram/problem")
    headers = [Middleware(PageHeaders, https=config.secure_cookies, in_telegram=True)]

    def piece(path: str, endpoint: Endpoint, method: str = "POST") -> Route:
        return Route(
            f"/telegram/app{path}", problems.guard(endpoint), methods=[method], middleware=headers, include_in_schema=False
        )

    return [
        piece("", pages.show, "GET"),
        piece("/kunjungan", pages.open),
        piece("/pendaftaran", pages.all, "GET"),
        piece("/pendaftaran/{registration}/kirim-ulang", pages.resend),
        piece("/pendaftaran/{registration}/kode", pages.code_form, "GET"),
        piece("/pendaftaran/{registration}/kode", pages.try_code),
        piece("/pendaftaran/{registration}/aktivasi", pages.activate),
        piece("/pendaftaran/{registration}/bukan-saya", pages.disown),
        piece("/telepon", pages.prove_phone),
        piece("/telepon/kirim-ulang", pages.resend_to_phone),
    ]


def problem_page(config: BackendConfig, request: Request, error: Exception) -> Response:
    """The page for an error outside these routes (an unknown address, a defect); made for an app's exception handlers."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    response = _problems(config).page(request, status)
    response.headers.update(PageHeaders.headers(https=config.secure_cookies))
    return response


@cache
def _problems(config: BackendConfig) -> Problems:
    # Made once: whoever asks for many unknown addresses must not make us compile a template each time.
    return Problems(View(config), config.public_url)
