"""What changes when the product is reached by https, and when it is no demonstration."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx2
import pytest

from tests.backend.pages.site import Site, running


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """As an operator runs it behind TLS; here spoken to directly."""
    with running(tmp_path_factory.mktemp("https"), public_url="https://akses.example.org", demo=False) as found:
        yield found


def test_https_adds_hsts_and_the_host_prefix(site: Site) -> None:
    with site.client() as client:
        answer = client.get("/masuk")
    assert answer.headers["strict-transport-security"] == "max-age=63072000; includeSubDomains"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-akses-masuk=")
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


def test_only_the_public_address_is_its_own_origin(site: Site) -> None:
    def post(**headers: str) -> httpx2.Response:
        with site.client(**headers) as client:
            return client.post("/aktivasi/akt_x", data={"consent": ""})

    assert post(Origin="https://akses.example.org").status_code == 404
    assert post(Origin=site.url, Host="akses.example.org").status_code == 403


def test_without_demonstration_no_page_speaks_of_one(site: Site) -> None:
    with site.client() as client:
        for path in ("/", "/privasi", "/masuk", "/aktivasi/selesai", "/no-such-page"):
            assert not re.search("demonstra", client.get(path).text, re.IGNORECASE)
