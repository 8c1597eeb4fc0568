"""The design system's files as a browser asks for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from akses.assets import Assets


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "page.js").write_text("// a script\n" * 500)
    (tmp_path / "small.css").write_text("a { b: c }")
    (tmp_path / "README.md").write_text("for those who read the source")
    app = Starlette(routes=[Mount("/assets", Assets(tmp_path))])
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://rumah.example/assets/") as client:
        yield client


async def test_a_file_named_by_its_content_is_kept_for_ever_and_any_other_is_asked_for_anew(
    browser: httpx2.AsyncClient,
) -> None:
    assert "immutable" in (await browser.get("small.css?v=1")).headers["cache-control"]
    plain = await browser.get("small.css")
    assert plain.headers["cache-control"] == "no-cache"
    again = await browser.get("small.css", headers={"If-None-Match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_what_is_large_comes_packed_to_who_can_unpack_it(browser: httpx2.AsyncClient) -> None:
    packed = await browser.get("inner/page.js", headers={"Accept-Encoding": "gzip"})
    plain = await browser.get("inner/page.js", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < 500 < int(plain.headers["content-length"])
    assert packed.text == plain.text
    assert packed.headers["content-type"].startswith("text/javascript")
    assert "content-encoding" not in (await browser.get("small.css")).headers


async def test_nothing_else_is_there(browser: httpx2.AsyncClient) -> None:
    for path in ("README.md", "", "inner", "../assets/small.css/x", "%2e%2e/secret", "small.css/"):
        answer = await browser.get(path)
        assert (answer.status_code, answer.content) == (404, b""), path
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert (await browser.post("small.css")).status_code == 405
